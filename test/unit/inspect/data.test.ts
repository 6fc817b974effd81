/** Arrays, datasets, tokenizers, kept results and files of no kind, inspected; and files made to harm. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArtifactStore } from '#kernel/artifacts/store.js';
import { Random } from '#kernel/compute/random.js';
import { inspect } from '#kernel/inspect/inspect.js';
import { inspectionText } from '#kernel/inspect/words.js';
import { ndarray } from '#kernel/io/ndarray.js';
import { torchCheckpoint } from '#kernel/io/torchWrite.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import { damaged, expectWords } from '#test/kit/damage.js';
import { testFolder } from '#test/kit/folder.js';
import { fromBase64, goldens as ioGoldens } from '#test/kit/ioGoldens.js';
import { parquetFile } from '#test/kit/parquetFile.js';
import { zipOf } from '#test/kit/zipOf.js';
import { goldens } from '#test/kit/saeLayouts.js';

const root = testFolder('inspect-data', { inMemory: true });

const write = (name: string, bytes: Uint8Array | string): string => {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
};

const codes = ndarray('F32', [100, 512], new Float32Array(51_200));

describe('arrays', () => {
  it('one or several, with their shapes, and the line that loads them', async () => {
    const one = await inspect(write('a.safetensors', encodeSafetensors({ codes })), 'a.safetensors');
    expect(one).toMatchObject({
      kind: 'arrays',
      loads: true,
      load: "await fg.arrays.load('a.safetensors')",
      tensors: [{ name: 'codes', dtype: 'F32', shape: [100, 512], bytes: 204_800 }],
      parameters: 51_200,
    });
    const tokens = ndarray('I64', [100], new BigInt64Array(100));
    const two = await inspect(
      write('b.pt', torchCheckpoint({ codes, tokens: ndarray('I32', [2], Int32Array.of(1, 2)) })),
      'b.pt',
    );
    expect(two).toMatchObject({ kind: 'arrays', load: "await fg.arrays.loadAll('b.pt')", loads: true });
    const set = encodeSafetensors({ tokens }, { format: 'fgnb tokens 1' });
    expect((await inspect(write('tokens.safetensors', set), 't')).format).toBe('token set, safetensors');
  });

  it.each(ioGoldens.npy.map(({ name }) => name))('.npy of numpy: %s', async (name) => {
    const { bytes } = ioGoldens.npy.find((golden) => golden.name === name)!;
    const found = await inspect(write('golden.npy', fromBase64(bytes)), 'g.npy');
    expect(found).toMatchObject({ kind: 'arrays', loads: true, format: 'npy' });
    expect(found.tensors).toHaveLength(1);
  });

  it('NaN is a note, a type that is not read refuses, and what is no array says so', async () => {
    const nan = ndarray('F32', [3], Float32Array.of(1, NaN, 2));
    expect(await inspect(write('nan.safetensors', encodeSafetensors({ nan })), 'n')).toMatchObject({
      loads: true,
      unusual: [{ code: 'not-finite', severity: 'note', names: ['nan'] }],
    });
    const header = JSON.stringify({ w: { dtype: 'F8_E4M3', shape: [2], data_offsets: [0, 2] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const half = await inspect(
      write('w.safetensors', Buffer.concat([length, Buffer.from(header), Buffer.alloc(2)])),
      'w',
    );
    expect(half).toMatchObject({
      loads: false,
      unusual: [{ severity: 'refused', text: expect.stringMatching(/F8_E4M3/) }],
    });
    expect(await inspect(write('text.bin', 'no weights at all'), 't')).toMatchObject({ loads: false, kind: 'arrays' });
  });

  it('a pickle of more than can be read whole is not read', async () => {
    const path = write('large.pkl', Uint8Array.of(0x80, 2, 0x4e, 0x2e));
    truncateSync(path, 5e9);
    const found = await inspect(path, 'p');
    expect(found.unusual).toMatchObject([{ code: 'not-looked-into', severity: 'warning' }]);
  });
});

describe('texts', () => {
  it('columns of parquet, jsonl and lists', async () => {
    const parquet = parquetFile([{ name: 'text', strings: ['a', 'b'] }, { name: 'title', strings: ['c', 'd'] }]); // prettier-ignore
    expect((await inspect(write('d/train.parquet', parquet), 'x')).dataset).toEqual({ rows: 2, columns: [{ name: 'text', type: 'text' }, { name: 'title', type: 'text' }] }); // prettier-ignore
    const lines = write('rows.jsonl', '{"text":"a","n":3,"input_ids":[1]}\n{"text":null}\n');
    const found = await inspect(lines, 'rows.jsonl');
    expect(found).toMatchObject({ kind: 'dataset', load: "await fg.datasets.load('rows.jsonl')", loads: true });
    expect(found.dataset?.columns).toEqual([{ name: 'text', type: 'text' }, { name: 'n', type: 'number' }, { name: 'input_ids', type: 'list' }]); // prettier-ignore
    expect(inspectionText(found)).toContain('columns     text (text), n (number), input_ids (list)');
    expect((await inspect(write('list.json', '["a"]'), 'l')).kind).toBe('dataset');
    expect((await inspect(dirname(write('folder/train.jsonl', '"a"\n')), 'f')).kind).toBe('dataset');
    expect((await inspect(write('bad.jsonl', '{'), 'b')).loads).toBe(false);
  });
});

describe('the rest', () => {
  it('a tokenizer alone', async () => {
    const json = { added_tokens: [], pre_tokenizer: { type: 'WhitespaceSplit' }, model: { type: 'WordLevel', vocab: { a: 0, '[UNK]': 1 }, unk_token: '[UNK]' } }; // prettier-ignore
    const found = await inspect(dirname(write('tok/tokenizer.json', JSON.stringify(json))), 't');
    expect(found).toMatchObject({ kind: 'tokenizer', tokenizer: { kind: 'WordLevel', vocabulary: 2 }, load: null });
  });

  it('kept results, one and all, and damaged ones', async () => {
    const folder = join(root, 'notebook', '.fgnb');
    const store = new ArtifactStore(folder, { device: () => 'cpu' });
    const key = { kind: 'lens', parameters: { seed: 3 }, inputs: {}, codeVersion: 1 };
    const make = (at: string) => Promise.resolve(writeFileSync(join(at, 'a.txt'), 'a'));
    const { record, folder: own } = await store.compute(key, {
      title: 'A lens',
      make,
      load: () => Promise.resolve({}),
    });
    const fact = { kind: 'lens', id: record.id, title: 'A lens', note: null, created: record.created };
    const all = await inspect(folder, 'x');
    expect(all).toMatchObject({ kind: 'artifacts', artifacts: [fact], loads: true });
    expect(inspectionText(all)).toContain(`${record.id.slice(0, 8)}  A lens`);
    expect(await inspect(own, 'x')).toMatchObject({ kind: 'artifact', artifacts: [fact], load: `await fg.artifacts.load('${record.id}')` }); // prettier-ignore
    writeFileSync(join(own, 'artifact.json'), '{}');
    expect(await inspect(own, 'x')).toMatchObject({ kind: 'artifact', loads: false, unusual: [{ code: 'damaged' }] });
  });

  it('what is nothing known is told with its files; what is not there is an error', async () => {
    const found = await inspect(dirname(write('odd/notes.md', 'hi')), 'odd');
    expect(found).toMatchObject({ kind: 'unknown', loads: false, files: [{ path: 'notes.md', bytes: 2 }] });
    expect(inspectionText(found)).toContain('notes.md  2 bytes');
    await expect(inspect(join(root, 'absent'), 'a')).rejects.toThrow(/nothing to inspect at/);
    const pipe = join(root, 'pipe.pt');
    execFileSync('mkfifo', [pipe]);
    expect(await inspect(pipe, 'p')).toMatchObject({ loads: false, unusual: [{ text: expect.stringMatching(/no regular file/) }] }); // prettier-ignore
  });
});

it('10,000 damaged files give an inspection or an error with words', { timeout: 600_000 }, async () => {
  const model = join(import.meta.dirname, '../../../examples/models/tiny-stories-1L');
  const [random, at] = [new Random(9), join(root, 'damaged')];
  mkdirSync(at);
  const seeds: Array<[name: string, bytes: Uint8Array, beside: Record<string, Uint8Array | string>]> = [
    ['a.safetensors', encodeSafetensors({ codes: ndarray('F32', [4, 3], new Float32Array(12)), k: ndarray('I32', [], Int32Array.of(3)) }), {}],
    ['a.pt', torchCheckpoint({ codes: ndarray('F32', [4, 3], new Float32Array(12)) }), {}],
    ['a.npz', zipOf(ioGoldens.npy.slice(0, 3).map(({ bytes }, i) => ({ name: `${i}.npy`, data: fromBase64(bytes), deflate: i === 1 }))), {}],
    ['a.parquet', parquetFile([{ name: 'text', strings: ['a', 'b'] }]), {}],
    ['a.jsonl', Buffer.from('{"text":"a"}\n'), {}],
    ['config.json', readFileSync(join(model, 'config.json')), { 'vocab.json': '{"a":0}', 'merges.txt': '' }],
    ['tokenizer.json', Buffer.from(JSON.stringify({ model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' } })), {}],
    ['model.safetensors.index.json', Buffer.from(JSON.stringify({ weight_map: { a: 'x.safetensors' } })), { 'config.json': readFileSync(join(model, 'config.json')), 'x.safetensors': encodeSafetensors({ a: codes }) }],
    ...goldens.cases.filter((_, i) => i % 6 === 0).map(({ files }): [string, Uint8Array, Record<string, Uint8Array>] => {
      const [[first, bytes], ...rest] = Object.entries(files).map(([path, text]) => [basename(path), Buffer.from(text, 'base64')] as const);
      return [first, bytes, Object.fromEntries(rest)];
    }),
  ]; // prettier-ignore
  const each = Math.ceil(10_000 / seeds.length);
  let [done, loaded] = [0, 0];
  for (const [number, [name, bytes, beside]] of seeds.entries()) {
    const folder = join(at, String(number));
    mkdirSync(folder);
    for (const [other, content] of Object.entries(beside)) writeFileSync(join(folder, other), content);
    for (let n = 0; n < each; n++) {
      writeFileSync(join(folder, name), damaged(bytes, random));
      const told = await inspect(n % 2 ? folder : join(folder, name), 'x').catch((error: Error) => error);
      const text = told instanceof Error ? told.message : inspectionText(told) + JSON.stringify(told.unusual);
      expectWords(text, 40_000);
      done++;
      if (!(told instanceof Error) && told.loads) loaded++;
    }
  }
  expect(done).toBeGreaterThanOrEqual(10_000);
  expect(loaded).toBeGreaterThan(300);
  expect(done - loaded).toBeGreaterThan(3000);
});
