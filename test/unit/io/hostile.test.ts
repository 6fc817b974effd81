/**
 * Small files made to cost much: each is read in a process of its own with a small heap, ends with a short error (or a
 * value) and takes little memory. The limit of time only ends what would run for ever.
 */
import { spawn } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '#test/kit/folder.js';
import { zipOf } from '#test/kit/zipOf.js';

const folder = testFolder();
const program = join(folder, 'read.mjs');
const MIB = 2 ** 20;

beforeAll(async () => {
  await build({
    stdin: {
      contents: `
        import { readFileSync } from 'node:fs';
        import { openWeights } from './src/kernel/io/weights.ts';
        import { createTokenizer } from './src/kernel/models/tokenizer.ts';
        import { readConfig } from './src/kernel/models/config.ts';
        const [kind, path] = process.argv.slice(2);
        const before = process.memoryUsage().rss;
        let told = 'read';
        try {
          if (kind === 'weights') {
            const source = await openWeights(path);
            for (const name of source.names()) await source.read(name);
          } else if (kind === 'tokenizer') {
            createTokenizer(JSON.parse(readFileSync(path, 'utf8'))).encode('a'.repeat(50) + '!');
          } else readConfig(JSON.parse(readFileSync(path, 'utf8')), path);
        } catch (error) {
          told = error.message;
        }
        console.log(JSON.stringify({ told, mib: (process.resourceUsage().maxRSS * 1024 - before) / 2 ** 20 }));`,
      resolveDir: join(import.meta.dirname, '../../..'),
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    outfile: program,
    logLevel: 'error',
  });
});

async function reading(kind: string, bytes: string | Uint8Array): Promise<{ told: string; mib: number }> {
  const path = join(folder, `${kind}-${Math.random().toString(36).slice(2)}`);
  writeFileSync(path, bytes);
  expect(statSync(path).size).toBeLessThan(2 * MIB);
  const child = spawn(process.execPath, ['--max-old-space-size=512', program, kind, path], { timeout: 60_000 });
  let [out, problems] = ['', ''];
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (problems += String(chunk)));
  const code = await new Promise((resolve) => child.on('close', (c, signal) => resolve(c ?? signal)));
  expect(code, (out + problems).slice(0, 2000)).toBe(0);
  return JSON.parse(out) as { told: string; mib: number };
}

/** A PyTorch zip whose pickle is `pickle`, with a storage "0" of so many zero bytes. */
function checkpoint(pickle: Uint8Array, storageBytes = 16, deflate = false): Uint8Array {
  return zipOf([
    { name: 'a/data.pkl', data: pickle, deflate },
    { name: 'a/data/0', data: new Uint8Array(storageBytes) },
  ]);
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
const PROTO = Buffer.from([0x80, 2]);
const STOP = ascii('.');
const u32 = (n: number): Buffer => Buffer.from(Uint32Array.of(n).buffer);
const str = (text: string): Buffer => Buffer.concat([ascii('X'), u32(text.length), ascii(text)]);
const global = (module: string, name: string): Buffer => ascii(`c${module}\n${name}\n`);
const int = (n: number): Buffer => Buffer.concat([ascii('J'), u32(n)]);
const tuple = (...parts: Buffer[]): Buffer => Buffer.concat([ascii('('), ...parts, ascii('t')]);
const put = (n: number): Buffer => Buffer.concat([ascii('r'), u32(n)]);
const get = (n: number): Buffer => Buffer.concat([ascii('j'), u32(n)]);
const pickle = (...parts: Buffer[]): Buffer => Buffer.concat([PROTO, ...parts, STOP]);
const repeat = (part: Buffer, times: number): Buffer => Buffer.concat(Array<Buffer>(times).fill(part));

const storage = (key: Buffer, length: number): Buffer =>
  Buffer.concat([tuple(str('storage'), global('torch', 'FloatStorage'), key, str('cpu'), int(length)), ascii('Q')]);
const tensor = (length: number, offset: number, shape: number[], strides: number[]): Buffer =>
  Buffer.concat([
    global('torch._utils', '_rebuild_tensor_v2'),
    tuple(
      storage(str('0'), length),
      int(offset),
      tuple(...shape.map(int)),
      tuple(...strides.map(int)),
      Buffer.from([0x89]),
      ascii('N'),
    ),
    ascii('R'),
  ]);
const dict = (...pairs: Buffer[]): Buffer => Buffer.concat([ascii('}('), ...pairs, ascii('u')]);
/** A list nested in itself `depth` times, both halves shared: 2^depth leaves. Memo `at` holds it. */
const doubled = (depth: number): Buffer =>
  Buffer.concat([
    str('x'),
    put(0),
    ...Array.from({ length: depth }, (_, i) => Buffer.concat([tuple(get(i), get(i)), put(i + 1)])),
  ]);

/** Files and the word that each is refused with. */
const cases: Array<[name: string, kind: string, bytes: () => string | Uint8Array, told: RegExp]> = [
  [
    'a pickle that encodes one long string again and again',
    'weights',
    () =>
      checkpoint(
        pickle(
          global('_codecs', 'encode'),
          put(1),
          str('x'.repeat(500_000)),
          put(2),
          ascii('('),
          repeat(Buffer.concat([get(1), tuple(get(2), str('latin1')), ascii('R')]), 20_000),
          ascii('l'),
        ),
      ),
    /far more work than a file of its size needs/,
  ],
  [
    'a pickle that copies one long list into dicts again and again',
    'weights',
    () =>
      checkpoint(
        pickle(
          global('collections', 'OrderedDict'),
          put(1),
          ascii('('),
          repeat(Buffer.concat([ascii('K'), Buffer.of(1), ascii('K'), Buffer.of(2), Buffer.of(0x86)]), 50_000),
          ascii('l'),
          put(2),
          ascii('('),
          repeat(Buffer.concat([get(1), get(2), Buffer.of(0x85), ascii('R')]), 30_000),
          ascii('l'),
        ),
      ),
    /far more work than a file of its size needs/,
  ],
  [
    'a pickle packed a thousandfold',
    'weights',
    () => checkpoint(pickle(ascii('('), Buffer.alloc(200 * MIB, ascii('}')), ascii('l')), 16, true),
    /data\.pkl is 209715\d+ bytes from \d+ in the file; 16777216 are the most/,
  ],
  [
    'a pickle packed a thousandfold, not large when unpacked',
    'weights',
    () => checkpoint(pickle(ascii('('), Buffer.alloc(15 * MIB, ascii('}')), ascii('l')), 16, true),
    /far more work than a file of its size needs/,
  ],
  [
    'a tensor that repeats one number',
    'weights',
    () => checkpoint(pickle(dict(str('w'), tensor(1, 0, [2 ** 28 - 1], [0])))),
    /repeats the 1 elements of its storage; save it with \.contiguous\(\)/,
  ],
  [
    'a storage key that is a list shared in itself',
    'weights',
    () => checkpoint(pickle(doubled(40), storage(get(40), 1))),
    /storage key is a list: expected text or a number/,
  ],
  [
    'a name of a value that is a list shared in itself',
    'weights',
    () => checkpoint(pickle(doubled(40), ascii('0}'), get(40), tensor(1, 0, [1], [1]), ascii('s'))),
    /name of a value is a list/,
  ],
  [
    'a tensor’s shape that is a list shared in itself',
    'weights',
    () =>
      checkpoint(
        pickle(
          doubled(40),
          ascii('0'),
          global('torch._utils', '_rebuild_tensor_v2'),
          tuple(storage(str('0'), 1), get(40), tuple(), tuple(), Buffer.of(0x89), ascii('N')),
          ascii('R'),
        ),
      ),
    /tensor offset is a list/,
  ],
  [
    'a global whose name is a list shared in itself',
    'weights',
    () => checkpoint(pickle(doubled(40), get(40), Buffer.of(0x93))),
    /a global without a name/,
  ],
  [
    'a global with a name of a megabyte',
    'weights',
    () => checkpoint(pickle(global('evil', 'x'.repeat(MIB)))),
    /evil\.x+… \(1048581 characters\)/,
  ],
  [
    'many values under long names',
    'weights',
    () =>
      checkpoint(
        pickle(ascii('}('), str('n'.repeat(MIB / 2)), ascii('('), repeat(Buffer.from([0x4b, 1]), 100_000), ascii('lu')),
      ),
    /names in the checkpoint are too long/,
  ],
  [
    'a tokenizer whose pattern takes 2^n steps',
    'tokenizer',
    () =>
      JSON.stringify({
        ...TOKENIZER,
        pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false },
      }),
    /pattern "\(a\+\)\+\$" did not finish within \d+ ms on a text of 51 characters/,
  ],
  [
    'a tokenizer whose normalizer takes 2^n steps',
    'tokenizer',
    () =>
      JSON.stringify({ ...TOKENIZER, normalizer: { type: 'Replace', pattern: { Regex: '(a|a)+$' }, content: 'b' } }),
    /did not finish within/,
  ],
  [
    'a tokenizer with an id of four thousand million',
    'tokenizer',
    () => JSON.stringify({ ...TOKENIZER, model: { ...TOKENIZER.model, vocab: { a: 0, b: 4e9 } } }),
    /token "b" has the id 4000000000: ids are whole numbers from 0 to 16777215/,
  ],
  [
    'a tokenizer with an added id of four thousand million',
    'tokenizer',
    () => JSON.stringify({ ...TOKENIZER, added_tokens: [{ id: 4e9, content: 'b', special: true }] }),
    /token "b" has the id 4000000000/,
  ],
  [
    'attention kinds repeated a hundred million times',
    'config',
    () => JSON.stringify({ ...NEO, attention_types: [[['global', 'local'], 1e8]] }),
    /attention kinds \["global",.* must be "global" or "local", one for each of 2 layers/,
  ],
  [
    'no attention kinds, repeated endlessly',
    'config',
    () => JSON.stringify({ ...NEO, attention_types: [[[], 1e15]] }),
    /attention kinds \[\] must be/,
  ],
  [
    'a thousand million layers',
    'config',
    () => JSON.stringify({ ...NEO, num_layers: 1e9 }),
    /is 1000000000; at most 4096 layers are read/,
  ],
  [
    'an architecture named after what every object has',
    'config',
    () => JSON.stringify({ ...NEO, model_type: undefined, architectures: ['constructor'] }),
    /architecture "constructor"\) is not supported/,
  ],
  [
    'an activation named after what every object has',
    'config',
    () => JSON.stringify({ ...NEO, activation_function: 'toString' }),
    /activation_function "toString" is not supported/,
  ],
  [
    'a safetensors header with a name of a megabyte',
    'weights',
    () => safetensors(`{"${'n'.repeat(MIB)}":{"dtype":"F32","shape":[1],"data_offsets":[0,4000]}}`),
    /tensor "n+… \(1048576 characters\)" has data_offsets/,
  ],
  [
    'a safetensors shape of half a million numbers',
    'weights',
    () => safetensors(`{"w":{"dtype":"F32","shape":[${'1,'.repeat(500_000)}1],"data_offsets":[0,4]}}`, 4),
    /500001 dimensions; 64 are the most/,
  ],
];

const TOKENIZER = {
  version: '1.0',
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'WhitespaceSplit' },
  post_processor: null,
  decoder: null,
  model: { type: 'WordLevel', vocab: { a: 0, '[UNK]': 1 }, unk_token: '[UNK]' },
};
const NEO = {
  model_type: 'gpt_neo',
  hidden_size: 8,
  num_heads: 2,
  num_layers: 2,
  vocab_size: 10,
  max_position_embeddings: 16,
};
function safetensors(header: string, dataBytes = 0): Uint8Array {
  const out = new Uint8Array(8 + header.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
  out.set(Buffer.from(header), 8);
  return out;
}

describe('a small hostile file', () => {
  it.each(cases)('%s: a short error, little memory', { timeout: 120_000 }, async (_, kind, bytes, told) => {
    const result = await reading(kind, bytes());
    expect(result.told).toMatch(told);
    expect(result.told.length).toBeLessThan(1000);
    // 401 MiB were seen once of a file whose pieces are collected late.
    expect(result.mib).toBeLessThan(512);
  });
});

describe('what PyTorch writes', () => {
  it('is still read where it is near the limits: a broadcast of four million, a view that ends with its storage', async () => {
    const read = (bytes: Uint8Array) => reading('weights', bytes);
    expect((await read(checkpoint(pickle(dict(str('w'), tensor(1, 0, [2 ** 22], [0])))))).told).toBe('read');
    expect((await read(checkpoint(pickle(dict(str('w'), tensor(4, 1, [3], [1])))))).told).toBe('read');
    expect((await read(checkpoint(pickle(dict(str('w'), tensor(4, 1, [2, 2], [1, 1])))))).told).toBe('read');
  });

  it.each([
    ['a tensor one element past its storage', [4, 1, [4], [1]]],
    ['a tensor whose last row ends one element past its storage', [4, 0, [2, 2], [3, 1]]],
    ['a scalar one element past its storage', [4, 4, [], []]],
  ] as const)('%s is refused', async (_, [length, offset, shape, strides]) => {
    const { told } = await reading(
      'weights',
      checkpoint(pickle(dict(str('w'), tensor(length, offset, [...shape], [...strides])))),
    );
    expect(told).toMatch(/needs 5 elements but its storage has 4/);
  });
});
