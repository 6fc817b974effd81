/** Repositories of the hub, inspected over its protocol: headers alone travel, tokens go to the hub alone. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspect, type InspectOptions } from '#kernel/inspect/inspect.js';
import { inspectionText } from '#kernel/inspect/words.js';
import { HubError, resolveRepo } from '#kernel/io/hub.js';
import { ndarray, type NdArray } from '#kernel/io/ndarray.js';
import { torchCheckpoint } from '#kernel/io/torchWrite.js';
import { writeConfig } from '#kernel/models/config.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import { FakeHub, type FakeRepo } from '#test/kit/hub.js';
import { zipOf } from '#test/kit/zipOf.js';
import { parquetFile } from '#test/kit/parquetFile.js';
import { CONFIGS, randomWeights } from '#test/kit/model.js';
import { goldens } from '#test/kit/saeLayouts.js';
import { testFolder } from '#test/kit/folder.js';

const SECRET = 'hf_verysecrettoken';
const commit = 'c'.repeat(40);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const config = CONFIGS['GPT-2'];
const MIB = 2 ** 20;

const small: Record<string, NdArray> = Object.fromEntries(
  [...randomWeights(config, 1)].map(([name, { shape, data }]) => [
    name,
    ndarray('F32', shape, Float32Array.from(data)),
  ]),
);
const TOKENS = Object.fromEntries([...'abcdefghijklmnopqrstuvwxyz0123456789', 'th'].map((piece, id) => [piece, id]));
const modelFiles = (weights: FakeRepo['files']): FakeRepo['files'] => ({
  'config.json': { data: bytes(JSON.stringify(writeConfig(config))) },
  'vocab.json': { data: bytes(JSON.stringify(TOKENS)) },
  'merges.txt': { data: bytes('#version: 0.2\nt h\n') },
  ...weights,
});

let hub: FakeHub;
let cache: string;
let options: InspectOptions;
const kept = { ...process.env };
beforeEach(async () => {
  for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING)/.test(name)) delete process.env[name];
  cache = testFolder('hub-inspect');
  process.env.HF_HOME = join(cache, 'home');
  hub = new FakeHub();
  await hub.start();
  options = { endpoint: hub.endpoint, cacheFolder: join(cache, 'hub') };
});
afterEach(async () => {
  await hub.stop();
  process.env = { ...kept };
});
const serve = (files: FakeRepo['files'], over: Partial<FakeRepo> = {}): void => {
  hub.repos = [{ type: 'model', id: 'owner/tiny', commit, revisions: ['main', 'v1.0'], files, ...over }];
};
const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('fgnb-inspect-'));

/** An SAE of a megabyte and a half for each matrix: too large to come whole. */
const [D, F] = [96, 4096];
const wide = {
  W_enc: ndarray('F32', [D, F], new Float32Array(D * F)),
  b_enc: ndarray('F32', [F], new Float32Array(F).fill(0.25)),
  W_dec: ndarray('F32', [F, D], new Float32Array(D * F)),
  b_dec: ndarray('F32', [D], new Float32Array(D)),
  threshold: ndarray(
    'F32',
    [F],
    new Float32Array(F).map((_, i) => 1 + i),
  ),
};
const cfg = { architecture: 'jumprelu', d_in: D, d_sae: F, dtype: 'float32', apply_b_dec_to_input: true, normalize_activations: 'none', metadata: { hook_name: 'blocks.2.hook_resid_pre', model_name: 'gpt2', sae_lens_version: '6.18.0' } }; // prettier-ignore

describe('a repository', () => {
  it('of a small model comes with its config, tokenizer and tensors, and leaves nothing behind', async () => {
    serve(modelFiles({ 'model.safetensors': { data: encodeSafetensors(small), lfs: true }, 'pytorch_model.bin': { data: Uint8Array.of(1), lfs: true } })); // prettier-ignore
    const before = left();
    const found = await inspect('owner/tiny', 'owner/tiny', options);
    expect(found).toMatchObject({
      kind: 'model',
      repository: { id: 'owner/tiny', type: 'model', commit },
      load: "const lm = await fg.models.load('owner/tiny')",
      loads: true,
      model: { family: 'gpt2' },
      tokenizer: { vocabulary: 37 },
      values: { looked: 0 },
    });
    expect(found.tensors.map(({ name }) => name).sort()).toEqual(Object.keys(small).sort());
    expect(found.files).toContainEqual({ path: 'pytorch_model.bin', bytes: 1 });
    expect(left()).toEqual(before);
    expect(inspectionText(found)).toContain(`owner/tiny (model repository, commit ${commit.slice(0, 8)})`);
  });

  it('with large shards: their headers travel, not their tensors', async () => {
    const big = ndarray('F32', [4, MIB], new Float32Array(4 * MIB));
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = { weight_map: { ...Object.fromEntries(Object.keys(small).map((name) => [name, names[0]])), 'extra.weight': names[1] } }; // prettier-ignore
    serve(
      modelFiles({
        [names[0]]: { data: encodeSafetensors({ ...small, filler: big }), lfs: true },
        [names[1]]: { data: encodeSafetensors({ 'extra.weight': big }), lfs: true },
        'model.safetensors.index.json': { data: bytes(JSON.stringify(index)) },
      }),
    );
    const found = await inspect('owner/tiny', 'owner/tiny', options);
    expect(found.format).toBe('Hugging Face model, 2 shards of safetensors');
    expect(found.memory.stored).toBeGreaterThan(32 * MIB);
    expect(hub.sent).toBeLessThan(MIB);
    expect(found.unusual.map(({ code }) => code)).toEqual(['unknown-tensor', 'shard-gap', 'tied-embeddings']);
    // Nor is anything large kept.
    expect(readdirSync(join(cache, 'hub', 'models--owner--tiny', 'blobs')).length).toBe(4);
  });

  it('with a shard that is not there says so', async () => {
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = { weight_map: Object.fromEntries(Object.keys(small).map((name, i) => [name, names[i % 2]])) };
    const [own] = [Object.fromEntries(Object.entries(small).filter((_, i) => i % 2 === 0))];
    serve(modelFiles({ [names[0]]: { data: encodeSafetensors(own), lfs: true }, 'model.safetensors.index.json': { data: bytes(JSON.stringify(index)) } })); // prettier-ignore
    const found = await inspect('owner/tiny', 'owner/tiny', options);
    expect(found.loads).toBe(false);
    expect(found.unusual[0]).toMatchObject({ code: 'shard-missing', names: [names[1]] });
  });

  it.each([
    ['SAELens', 'sae_weights.safetensors', encodeSafetensors(wide), { 'cfg.json': cfg }, { architecture: 'jumprelu', hook: 'blocks.2.hook_resid_pre', k: null }], // prettier-ignore
    [
      'dictionary_learning',
      'ae.pt',
      torchCheckpoint({
        'encoder.weight': ndarray('F32', [F, D], new Float32Array(D * F)),
        'encoder.bias': wide.b_enc,
        'decoder.weight': ndarray('F32', [D, F], new Float32Array(D * F)),
        b_dec: wide.b_dec,
        k: ndarray('I32', [], Int32Array.of(7)),
        threshold: ndarray('F32', [], Float32Array.of(0.5)),
      }),
      { 'config.json': { trainer: { dict_class: 'BatchTopKSAE', activation_dim: D, dict_size: F, k: 7 } } },
      { architecture: 'batchtopk', k: 7 },
    ],
    [
      'Gemma Scope',
      'params.npz',
      zipOf(Object.entries(wide).map(([name, { shape, data }]) => ({ name: `${name}.npy`, data: npy(shape, data as Float32Array) }))), // prettier-ignore
      {},
      { architecture: 'jumprelu', subtractsBDec: false },
    ],
  ])('of SAEs of %s lists them, and one is looked into by its headers', async (_, name, weights, configs, sae) => {
    const at = (folder: string): FakeRepo['files'] => ({
      [`${folder}/${name}`]: { data: weights, lfs: true },
      ...Object.fromEntries(Object.entries(configs).map(([file, json]) => [`${folder}/${file}`, { data: bytes(JSON.stringify(json)) }])), // prettier-ignore
    });
    serve({ ...at('layer_0/width_4k'), ...at('layer_1/width_4k'), 'README.md': { data: bytes('#') } });
    const all = await inspect('owner/tiny', 'owner/tiny', options);
    expect(all).toMatchObject({ kind: 'saes', saes: ['layer_0/width_4k', 'layer_1/width_4k'], loads: true });
    expect(hub.sent).toBe(0);
    const found = await inspect('owner/tiny', 'owner/tiny', { ...options, inside: 'layer_1/width_4k' });
    expect(found.unusual).toEqual([]);
    expect(found).toMatchObject({
      kind: 'sae',
      loads: true,
      load: "const sae = await fg.sae.load('layer_1/width_4k', { repo: 'owner/tiny' })",
      sae: { dIn: D, dSae: F, ...sae },
    });
    expect(hub.sent).toBeLessThan(weights.length / 8);
    const file = await inspect('owner/tiny', 'owner/tiny', { ...options, inside: `layer_1/width_4k/${name}` });
    expect(file.sae).toEqual(found.sae);
  });

  it('of a dataset: columns and rows of its first parquet file', async () => {
    const data = parquetFile([{ name: 'text', strings: ['a', 'b', 'c'] }]);
    serve({ 'data/train-00000-of-00001.parquet': { data, lfs: true } }, { type: 'dataset' });
    const found = await inspect('owner/tiny', 'owner/tiny', { ...options, repoType: 'dataset' });
    expect(found).toMatchObject({
      kind: 'dataset',
      repository: { type: 'dataset' },
      dataset: { rows: 3, columns: [{ name: 'text', type: 'text' }] },
    });
  });

  it('by a tag, and of a file that Git LFS would not know', async () => {
    serve(modelFiles({ 'model.safetensors': { data: encodeSafetensors(small) } }));
    expect((await inspect('owner/tiny', 'owner/tiny', { ...options, revision: 'v1.0' })).loads).toBe(true);
    await expect(inspect('owner/tiny', 'owner/tiny', { ...options, revision: 'v9' })).rejects.toMatchObject({ code: 'no-revision' }); // prettier-ignore
  });

  it('whose answers are cut is asked again; one that gives no parts is told', async () => {
    const big = encodeSafetensors({ ...small, filler: ndarray('F32', [MIB], new Float32Array(MIB)) });
    serve(modelFiles({ 'model.safetensors': { data: big, lfs: true } }));
    // Config, vocabulary and merges come first.
    await resolveRepo('owner/tiny', { ...options, files: ['config.json', 'vocab.json', 'merges.txt'] });
    hub.faults.push({ cutAfter: 3 }, { status: 503 }, { cutAfter: 100 });
    const found = await inspect('owner/tiny', 'owner/tiny', options);
    expect(found.unusual.map(({ code }) => code)).toEqual(['unknown-tensor', 'tied-embeddings']);
    expect(hub.faults).toEqual([]);
    // The head may be taken from an answer that is whole, what lies behind it may not.
    const zip = torchCheckpoint({ ...small, filler: ndarray('F32', [MIB], new Float32Array(MIB)) });
    serve(modelFiles({ 'pytorch_model.bin': { data: zip, lfs: true } }));
    hub.faults.push({ noRange: true }, { noRange: true });
    const whole = await inspect('owner/tiny', 'owner/tiny', options);
    expect(whole.unusual[0]).toMatchObject({
      severity: 'refused',
      text: expect.stringMatching(/gives no parts of files/),
    });
    expect(hub.sent).toBeLessThan(12 * MIB);
  });
});

function npy(shape: number[], data: Float32Array): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117) + '\n';
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]),
    Buffer.from(text),
    Buffer.from(data.buffer),
  ]);
}

describe('who asks', () => {
  it('a private repository needs the token, which goes to the hub alone and into no words', async () => {
    serve(modelFiles({ 'model.safetensors': { data: encodeSafetensors(small), lfs: true } }), { token: SECRET });
    const refused = await inspect('owner/tiny', 'owner/tiny', options).catch((error: HubError) => error);
    expect(refused).toMatchObject({
      code: 'unauthorized',
      message: expect.stringMatching(/private \(401\).*HF_TOKEN/),
    });
    process.env.HF_TOKEN = SECRET;
    const found = await inspect('owner/tiny', 'owner/tiny', options);
    expect(found.loads).toBe(true);
    expect(JSON.stringify(found) + inspectionText(found)).not.toContain(SECRET);
    expect(hub.storageRequests.length).toBeGreaterThan(0);
    expect(hub.storageRequests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('gated and missing repositories are told apart in words', async () => {
    serve({}, { gated: true });
    await expect(inspect('owner/tiny', 'a', options)).rejects.toThrow(/gated, accept its terms at/);
    await expect(inspect('owner/none', 'a', { ...options, token: SECRET })).rejects.toMatchObject({ code: 'no-repo' });
    await expect(inspect('owner/../x', 'a', options)).rejects.toThrow(/is no hub id/);
    serve(modelFiles({}));
    await expect(inspect('owner/tiny', 'a', { ...options, inside: 'nowhere' })).rejects.toThrow(/has no nowhere; it has config\.json/); // prettier-ignore
  });

  it('without network, what the cache has is looked into; with HF_HUB_OFFLINE nobody is asked', async () => {
    serve(modelFiles({ 'model.safetensors': { data: encodeSafetensors(small), lfs: true } }));
    const files = ['config.json', 'vocab.json', 'merges.txt', 'model.safetensors'];
    await resolveRepo('owner/tiny', { ...options, files });
    const online = await inspect('owner/tiny', 'owner/tiny', options);
    process.env.HF_HUB_OFFLINE = '1';
    const before = hub.requests.length;
    expect(await inspect('owner/tiny', 'owner/tiny', options)).toEqual(online);
    expect(hub.requests.length).toBe(before);
    await expect(inspect('owner/other', 'a', options)).rejects.toThrow(/HF_HUB_OFFLINE forbids/);
  });
});

it('goldens of layouts come from the hub as they do from the disk', async () => {
  for (const { name, files, load } of goldens.cases.filter((c) =>
    /Llama|Qwen|checkpoint batchtopk$|ae_500/.test(c.name + c.load),
  )) {
    // prettier-ignore
    serve(Object.fromEntries(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text, 'base64'), lfs: true }]))); // prettier-ignore
    const inside = load === '.' ? undefined : load;
    const found = await inspect('owner/tiny', 'owner/tiny', { ...options, inside, cacheFolder: join(cache, name) });
    expect(found.loads, `${name}: ${JSON.stringify(found.unusual)}`).toBe(true);
    expect(found.sae?.architecture, name).not.toBeNull();
  }
});
