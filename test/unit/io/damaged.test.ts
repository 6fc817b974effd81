/** Every reader of foreign files, given 10,000 damaged ones: a value or an error with words, and no memory beyond the file's. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRecord } from '#kernel/artifacts/record.js';
import { Random } from '#kernel/compute/random.js';
import { openArrays } from '#kernel/io/arrays.js';
import { datasetColumns } from '#kernel/io/datasetColumns.js';
import { ndarray } from '#kernel/io/ndarray.js';
import { PickleFile } from '#kernel/io/pickleFile.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { readTexts } from '#kernel/io/texts.js';
import { readTokenRows } from '#kernel/io/tokenRows.js';
import { TorchFile } from '#kernel/io/torchFile.js';
import { torchCheckpoint } from '#kernel/io/torchWrite.js';
import { openWeights, type WeightSource } from '#kernel/io/weights.js';
import { readConfig } from '#kernel/models/config.js';
import { loadTokenSet } from '#kernel/models/datasets.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import type { JsonObject } from '#protocol/notebook.js';
import { damaged, expectWords } from '#test/kit/damage.js';
import { testFolder } from '#test/kit/folder.js';
import { fromBase64, goldens } from '#test/kit/ioGoldens.js';
import { parquetFile } from '#test/kit/parquetFile.js';
import { zipOf } from '#test/kit/zipOf.js';
import { goldens as saes } from '#test/kit/saeLayouts.js';

const folder = testFolder();
const PICKLES = ['a.pkl', 'p2.pkl', 'p5.pkl'].map((name) => fromBase64(saes.decoders[name]));
const FILES = 10_000;
const MIB = 2 ** 20;

const example = join(import.meta.dirname, '../../../examples/models/tiny-stories-1L');
const [w, k] = [ndarray('F32', [4, 3], Float32Array.from({ length: 12 }, (_, i) => i)), ndarray('I32', [], Int32Array.of(3))]; // prettier-ignore
const safetensors = encodeSafetensors({ w, k, half: ndarray('BF16', [2], Uint16Array.of(1, 2)) }, { note: 'x' });
const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const tokenizer = {
  added_tokens: [{ id: 3, content: '<s>', special: true }],
  normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] },
};
const llama = { model_type: 'llama', hidden_size: 24, intermediate_size: 23, num_hidden_layers: 3, num_attention_heads: 6, num_key_value_heads: 2, vocab_size: 37, max_position_embeddings: 16, rms_norm_eps: 1e-5, hidden_act: 'silu', rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 40 } }; // prettier-ignore
const gemma = { ...llama, model_type: 'gemma2', head_dim: 8, hidden_activation: 'gelu_pytorch_tanh', sliding_window: 4, layer_types: ['sliding_attention', 'full_attention', 'sliding_attention'], query_pre_attn_scalar: 8, attn_logit_softcapping: 50, final_logit_softcapping: 30 }; // prettier-ignore
const numbers = { id: 'numbers', vocabSize: 37, eosId: 0, bosId: undefined, encode: () => new Int32Array(0), decode: String, piece: String }; // prettier-ignore

/** Bytes of all that a file gives. */
async function readAll(opening: Promise<WeightSource>): Promise<number> {
  const source = await opening;
  let bytes = 0;
  try {
    for (const name of source.names()) bytes += (await source.read(name)).data.byteLength;
  } finally {
    await source.close();
  }
  return bytes;
}
const texts = async (path: string): Promise<number> =>
  (await readTexts(path)).texts.reduce((sum, { length }) => sum + length, 0);

interface Reader {
  what: string;
  /** Name of the file that is damaged, and whole files of it. */
  name: string;
  whole: Uint8Array[];
  /** Files beside it. */
  beside?: Record<string, Uint8Array>;
  /** Bytes of what was read. */
  read: (path: string, folder: string) => Promise<number>;
}

const READERS: Reader[] = [
  { what: 'safetensors', name: 'a.safetensors', whole: [safetensors], read: (path) => readAll(SafetensorsFile.open(path)) },
  { what: 'PyTorch checkpoints, zip and legacy', name: 'a.pt', whole: [torchCheckpoint({ w, k }), ...goldens.torch.slice(1, 9).map(({ bytes }) => fromBase64(bytes))], read: (path) => readAll(TorchFile.open(path)) },
  { what: 'npy', name: 'a.npy', whole: goldens.npy.map(({ bytes }) => fromBase64(bytes)), read: (path) => readAll(openArrays(path)) },
  { what: 'npz', name: 'a.npz', whole: [...goldens.npz.map(({ bytes }) => fromBase64(bytes)), fromBase64(goldens.zip64), zipOf([{ name: 'a.npy', data: fromBase64(goldens.npy[0].bytes), deflate: true }])], read: (path) => readAll(openWeights(path)) },
  { what: 'pickles of arrays', name: 'a.pkl', whole: PICKLES, read: (path) => readAll(PickleFile.open(path)) },
  { what: 'whatever fg.arrays takes', name: 'a.bin', whole: [safetensors, torchCheckpoint({ w }), fromBase64(goldens.npy[0].bytes), PICKLES[0]], read: (path) => readAll(openArrays(path)) },
  { what: 'shard indices', name: 'model.safetensors.index.json', whole: [text({ metadata: { total_size: 56 }, weight_map: { w: 'x.safetensors', k: 'x.safetensors' } })], beside: { 'x.safetensors': safetensors }, read: (_, at) => readAll(openWeights(at)) },
  { what: 'parquet of texts', name: 'train.parquet', whole: [parquetFile([{ name: 'text', strings: ['a', 'bc'] }]), parquetFile([{ name: 'text', strings: ['a', 'bc'] }], true)], read: texts },
  { what: 'parquet of token ids', name: 'train.parquet', whole: [parquetFile([{ name: 'input_ids', lists: [[1n, 2n], [3n, 4n]] }])], read: async (path) => (await readTokenRows(path)).rows.data.byteLength },
  { what: 'columns of parquet', name: 'train.parquet', whole: [parquetFile([{ name: 'text', strings: ['a', 'bc'] }])], read: async (path) => (await datasetColumns(path)).columns.length },
  { what: 'JSON lines', name: 'train.jsonl', whole: [Buffer.from('{"text":"a"}\n{"text":null}\n"b"\n')], read: texts },
  { what: 'lists of JSON', name: 'train.json', whole: [text([{ text: 'a' }, { text: 'bc' }])], read: texts },
  { what: 'token sets', name: 'a.safetensors', whole: [encodeSafetensors({ tokens: ndarray('I32', [2, 2], Int32Array.of(1, 2, 3, 4)) }, { format: 'fgnb tokens 1', id: '0'.repeat(64), tokenizer: 'numbers', source: '{}' })], read: async (path) => (await loadTokenSet(path, numbers)).tokens.byteLength },
  { what: 'tokenizers', name: 'tokenizer.json', whole: [text(tokenizer), text({ ...tokenizer, model: { type: 'Unigram', unk_id: 0, vocab: [['a', -1], ['b', -2.5]], byte_fallback: false } }), text({ ...tokenizer, pre_tokenizer: { type: 'WhitespaceSplit' }, model: { type: 'WordPiece', vocab: { a: 0, '##b': 1, '[UNK]': 2 }, unk_token: '[UNK]' } })], read: async (_, at) => (await loadTokenizer(at)).encode('ab a b').byteLength },
  { what: 'vocab.json beside merges.txt', name: 'vocab.json', whole: [text({ a: 0, b: 1, ab: 2 })], beside: { 'merges.txt': Buffer.from('#version\na b\n') }, read: async (_, at) => (await loadTokenizer(at)).encode('ab').byteLength },
  { what: 'tokenizer_config.json', name: 'tokenizer_config.json', whole: [text({ bos_token: '<s>', eos_token: { content: '</s>' }, add_bos_token: true, added_tokens_decoder: { 3: { content: '<s>', special: true } }, tokenizer_class: 'GPT2Tokenizer' })], beside: { 'vocab.json': text({ a: 0, b: 1, ab: 2 }), 'merges.txt': Buffer.from('a b\n') }, read: async (_, at) => (await loadTokenizer(at)).encode('ab').byteLength },
  { what: 'config.json of models', name: 'config.json', whole: [text(llama), text(gemma), readFileSync(join(example, 'config.json'))], read: (path) => Promise.resolve(Object.keys(readConfig(JSON.parse(readFileSync(path, 'utf8')) as JsonObject, path)).length) },
  { what: 'records of artifacts', name: 'artifact.json', whole: [text({ id: '0'.repeat(64), kind: 'lens', parameters: {}, inputs: {}, codeVersion: 1 })], read: (path, at) => Promise.resolve(parseRecord(readFileSync(path, 'utf8'), at).id.length) },
]; // prettier-ignore

/** What a small file may hold when a tensor repeats its numbers (torch's expand): PyTorch's own limit of torchTensor.ts. */
const MOST_READ = 64 * MIB;

describe('10,000 damaged files', () => {
  it.each(READERS)('$what', { timeout: 300_000 }, async ({ what, name, whole, beside = {}, read }) => {
    const at = join(folder, what.replaceAll(/\W+/g, '-'));
    mkdirSync(at);
    for (const [other, bytes] of Object.entries(beside)) writeFileSync(join(at, other), bytes);
    const path = join(at, name);
    const random = new Random(7);
    const before = process.memoryUsage().rss;
    let [values, errors] = [0, 0];
    for (let n = 0; n < FILES; n++) {
      writeFileSync(path, damaged(whole[n % whole.length], random));
      try {
        expect(await read(path, at)).toBeLessThan(MOST_READ);
        values++;
      } catch (error) {
        // JSON of the test's own parsing is not the reader's.
        if (!(error instanceof SyntaxError)) expectWords(error);
        errors++;
      }
    }
    expect(values + errors).toBe(FILES);
    expect(errors).toBeGreaterThan(FILES / 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * MIB);
  });
});
