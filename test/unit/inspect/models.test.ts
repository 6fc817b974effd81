/** An inspected model folder loads exactly when the loader takes it; what is unusual is told by name. */
import { openSync, ftruncateSync, closeSync, mkdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { inspect } from '#kernel/inspect/inspect.js';
import type { FindingCode } from '#kernel/inspect/types.js';
import { inspectionText } from '#kernel/inspect/words.js';
import { ndarray, type NdArray } from '#kernel/io/ndarray.js';
import { writeSafetensors } from '#kernel/io/safetensors.js';
import { readConfig, writeConfig } from '#kernel/models/config.js';
import { loadModel } from '#kernel/models/load.js';
import { CONFIGS, randomWeights } from '#test/kit/model.js';
import { testFolder } from '#test/kit/folder.js';

const root = testFolder('models-inspect');
let made = 0;
beforeAll(async () => void (await initDevice({ device: 'cpu' })));

const config = CONFIGS['GPT-2'];
const TOKENS = Object.fromEntries([...'abcdefghijklmnopqrstuvwxyz0123456789', 'th'].map((piece, id) => [piece, id]));
type Tensors = Record<string, NdArray>;

interface Change {
  config?: object;
  tensors?: (tensors: Tensors) => Tensors;
  /** Null leaves a file out. */
  files?: Record<string, string | null>;
}

async function folderOf({ config: fields, tensors = (t) => t, files = {} }: Change = {}): Promise<string> {
  const at = join(root, `model ${made++}`);
  mkdirSync(at);
  const all = Object.fromEntries(
    [...randomWeights(config, 1)].map(([name, { shape, data }]) => [
      name,
      ndarray('F32', shape, Float32Array.from(data)),
    ]),
  );
  await writeSafetensors(join(at, 'model.safetensors'), tensors(all));
  writeFileSync(join(at, 'config.json'), JSON.stringify({ ...writeConfig(config), ...fields }));
  writeFileSync(join(at, 'vocab.json'), JSON.stringify(TOKENS));
  writeFileSync(join(at, 'merges.txt'), '#version: 0.2\nt h\n');
  for (const [name, text] of Object.entries(files))
    if (text === null) rmSync(join(at, name));
    else writeFileSync(join(at, name), text);
  return at;
}

async function loads(at: string): Promise<boolean> {
  return loadModel(at).then(
    (model) => {
      model.dispose();
      return true;
    },
    () => false,
  );
}

const LFS =
  'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n';
const one = (tensor: NdArray) => (t: Tensors) => ({ ...t, 'transformer.h.1.ln_2.weight': tensor });

describe('a folder of a model', () => {
  it('says family, sizes, hooks, types and memory', async () => {
    const found = await inspect(await folderOf(), 'here');
    const elements = [...randomWeights(config, 1).values()].reduce((n, { data }) => n + data.length, 0);
    const vectors = [...randomWeights(config, 1).values()].reduce(
      (n, { shape, data }) => n + (shape.length > 1 ? 0 : data.length),
      0,
    );
    expect(found).toMatchObject({
      inspection: 1,
      kind: 'model',
      format: 'Hugging Face model, safetensors',
      load: "const lm = await fg.models.load('here')",
      loads: true,
      parameters: elements,
      memory: { stored: 4 * elements, float32: 4 * elements, bf16: 2 * elements + 2 * vectors },
      values: { looked: 4 * elements, of: 4 * elements },
      model: { family: 'gpt2', layers: 2, width: 15, hooks: ['blocks.0.hook_resid_pre', 'blocks.1.hook_resid_post'] },
      tokenizer: { kind: 'BPE', vocabulary: 37 },
    });
    expect(found.unusual.map(({ code }) => code)).toEqual(['tied-embeddings']);
    expect(inspectionText(found)).toMatch(/transformer\.h\.\{0…1\}\.mlp\.c_fc\.weight +F32 \[15, 23\] {2}× 2/);
  });

  it.each([
    [
      'a value that changes the maths',
      { config: { scale_attn_weights: false } },
      'config-refused',
      /scale_attn_weights/,
    ],
    ['quantised weights', { config: { quantization_config: { bits: 4 } } }, 'quantized', /quantization_config/],
    ['another architecture', { config: { model_type: 'mamba' } }, 'config-refused', /"mamba" .* is not supported/],
    ['a config that is no JSON', { files: { 'config.json': '{' } }, 'config-refused', /not JSON/],
    ['no weights', { files: { 'model.safetensors': null } }, 'missing-file', /has no weights/],
    ['no tokenizer', { files: { 'vocab.json': null } }, 'no-tokenizer', /no tokenizer/],
    [
      'SentencePiece alone',
      { files: { 'vocab.json': null, 'tokenizer.model': 'x' } },
      'tokenizer-refused',
      /tokenizer\.model/,
    ],
    ['a tokenizer that does not parse', { files: { 'merges.txt': 'q q q\n' } }, 'tokenizer-refused', /merge 1/],
    ['a smaller vocabulary', { config: { vocab_size: 36 } }, 'tokenizer-refused', /37 tokens but the model only 36/],
    ['a pointer', { files: { 'model.safetensors': LFS } }, 'lfs-pointer', /Git LFS pointer/],
    [
      'a tensor more',
      { tensors: (t) => ({ ...t, 'extra.gain': ndarray('F32', [1], Float32Array.of(1)) }) },
      'unknown-tensor',
      /no extra\.gain/,
    ],
    [
      'a tensor less',
      { tensors: ({ 'transformer.ln_f.bias': _, ...t }) => t },
      'missing-tensor',
      /has 1 more: transformer\.ln_f\.bias/,
    ],
    [
      'a tensor of another shape',
      { tensors: one(ndarray('F32', [16], new Float32Array(16))) },
      'shape-mismatch',
      /is \[16\] but config\.json says \[15\]/,
    ],
    ['int8 weights', { tensors: one(ndarray('I8', [15], new Int8Array(15))) }, 'quantized', /ln_2\.weight is I8/],
    [
      'NaN',
      { tensors: one(ndarray('F32', [15], new Float32Array(15).fill(NaN))) },
      'not-finite',
      /NaN or infinity in transformer\.h\.1\.ln_2\.weight/,
    ],
    [
      'two names of one',
      { tensors: (t) => ({ ...t, 'module.transformer.ln_f.bias': t['transformer.ln_f.bias'] }) },
      'duplicate-tensor',
      /are both transformer\.ln_f\.bias/,
    ],
    ['a file cut off', { files: { 'model.safetensors': '12345678' } }, 'damaged', /model\.safetensors/],
  ] as Array<[string, Change, FindingCode, RegExp]>)('with %s', async (_, change, code, told) => {
    const at = await folderOf(change);
    const found = await inspect(at, at);
    expect(found.kind).toBe('model');
    expect(found.unusual).toContainEqual(
      expect.objectContaining({ code, severity: 'refused', text: expect.stringMatching(told) }),
    );
    expect(found.loads).toBe(false);
    expect(await loads(at)).toBe(false);
  });

  it('padded vocabularies are told, and load', async () => {
    const rows = (n: number) => (t: Tensors) => {
      const wte = t['transformer.wte.weight'];
      return { ...t, 'transformer.wte.weight': ndarray('F32', [n, 15], new Float32Array(n * 15).map((_, i) => Number(wte.data[i % wte.data.length]))) }; // prettier-ignore
    };
    const at = await folderOf({ config: { vocab_size: 40 }, tensors: rows(40) });
    const found = await inspect(at, at);
    expect(found.unusual.map(({ code }) => code)).toEqual(['tied-embeddings', 'padded-vocabulary']);
    expect(found.loads).toBe(true);
    expect(await loads(at)).toBe(true);
  });
});

describe('shards of a model', () => {
  async function sharded(of: number, change: (at: string, map: Record<string, string>) => void = () => undefined) {
    const at = await folderOf({ files: {} });
    rmSync(join(at, 'model.safetensors'));
    const all = [...randomWeights(config, 1)];
    const map: Record<string, string> = {};
    for (let s = 0; s < of; s++) {
      const file = `model-0000${s + 1}-of-0000${of}.safetensors`;
      const own = all.filter((_, i) => i % of === s);
      for (const [name] of own) map[name] = file;
      await writeSafetensors(
        join(at, file),
        Object.fromEntries(
          own.map(([name, { shape, data }]) => [name, ndarray('F32', shape, Float32Array.from(data))]),
        ),
      );
    }
    change(at, map);
    writeFileSync(join(at, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    return at;
  }

  it('whole: each tensor with its file', async () => {
    const at = await sharded(3);
    const found = await inspect(at, at);
    expect(found).toMatchObject({ format: 'Hugging Face model, 3 shards of safetensors', loads: true });
    expect(new Set(found.tensors.map(({ file }) => file)).size).toBe(3);
    expect(await loads(at)).toBe(true);
    // The same by its index.
    expect((await inspect(join(at, 'model.safetensors.index.json'), 'x/model.safetensors.index.json')).load).toBe("const lm = await fg.models.load('x')"); // prettier-ignore
  });

  it.each([
    ['one that is not there', (at: string) => rmSync(join(at, 'model-00002-of-00003.safetensors')), 'shard-missing'],
    ['a pointer', (at: string) => writeFileSync(join(at, 'model-00002-of-00003.safetensors'), LFS), 'lfs-pointer'],
    [
      'an index that leaves one out',
      (_: string, map: Record<string, string>) => {
        for (const name of Object.keys(map)) if (map[name].includes('00002')) delete map[name];
      },
      'shard-gap',
    ],
    [
      'an index that names what is not in it',
      (_: string, map: Record<string, string>) => {
        map['transformer.ln_f.bias'] = map['transformer.ln_f.bias'].includes('00001')
          ? 'model-00002-of-00003.safetensors'
          : 'model-00001-of-00003.safetensors';
      },
      'missing-tensor',
    ],
    [
      'a shard outside of the folder',
      (_: string, map: Record<string, string>) => {
        map['transformer.ln_f.bias'] = '../secret.safetensors';
      },
      'damaged',
    ],
  ] as Array<[string, (at: string, map: Record<string, string>) => void, FindingCode]>)(
    'of a model that cannot all be read are told of: %s',
    async (_, change, code) => {
      const at = await sharded(3, change);
      const found = await inspect(at, at);
      expect(found.unusual.map((finding) => finding.code)).toContain(code);
      expect(found.loads, JSON.stringify(found.unusual)).toBe(false);
      expect(await loads(at)).toBe(false);
    },
  );
});

it('of a file of 24 GB the header and samples are read', async () => {
  const at = join(root, 'large');
  mkdirSync(at);
  const llama = { model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 2, intermediate_size: 11008, vocab_size: 700_000, rms_norm_eps: 1e-5 }; // prettier-ignore
  writeFileSync(join(at, 'config.json'), JSON.stringify(llama));
  const shapes = (await import('#kernel/models/layout.js')).weightShapes(readConfig(llama));
  let end = 0;
  const header: Record<string, object> = {};
  for (const [name, shape] of shapes) {
    const begin = end;
    end += 4 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const handle = openSync(join(at, 'model.safetensors'), 'w');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeSync(handle, Buffer.concat([length, json]));
  // Nothing but the header is on the disk.
  ftruncateSync(handle, 8 + json.length + end);
  closeSync(handle);
  const before = process.memoryUsage().rss;
  const found = await inspect(at, at);
  expect(end).toBeGreaterThan(24e9);
  expect(found.memory.stored).toBe(end);
  expect(found.values.looked).toBeGreaterThan(0);
  expect(found.values.looked).toBeLessThan(65 * 2 ** 20);
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * 2 ** 20);
  expect(found.unusual.map(({ code }) => code)).toEqual(['no-tokenizer', 'needs-16-bit']);
});
