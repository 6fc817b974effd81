/** Every reader of texts, tokenizers and configs, given 10,000 damaged files: a value or an error with words, and no memory beyond the file's. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ndarray } from '#kernel/io/ndarray.js';
import { readTexts } from '#kernel/io/texts.js';
import { readConfig } from '#kernel/models/config.js';
import { loadTokenSet } from '#kernel/models/datasets.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import type { JsonObject } from '#protocol/notebook.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import { testDamagedFiles, type DamagedReader } from '#test/kit/damage.js';
import { root } from '#test/kit/kernel.js';
import { parquetFile } from '#test/kit/parquetFile.js';

const example = join(root, 'examples/models/tiny-stories-1L');
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

const texts = async (path: string): Promise<number> =>
  (await readTexts(path)).texts.reduce((sum, { length }) => sum + length, 0);

const READERS: DamagedReader[] = [
  { what: 'parquet of texts', name: 'train.parquet', whole: [parquetFile([{ name: 'text', strings: ['a', 'bc'] }]), parquetFile([{ name: 'text', strings: ['a', 'bc'] }], true)], read: texts },
  { what: 'JSON lines', name: 'train.jsonl', whole: [Buffer.from('{"text":"a"}\n{"text":null}\n"b"\n')], read: texts },
  { what: 'lists of JSON', name: 'train.json', whole: [text([{ text: 'a' }, { text: 'bc' }])], read: texts },
  { what: 'token sets', name: 'a.safetensors', whole: [encodeSafetensors({ tokens: ndarray('I32', [2, 2], Int32Array.of(1, 2, 3, 4)) }, { format: 'fgnb tokens 1', id: '0'.repeat(64), tokenizer: 'numbers', source: '{}' })], read: async (path) => (await loadTokenSet(path, numbers)).tokens.byteLength },
  { what: 'tokenizers', name: 'tokenizer.json', whole: [text(tokenizer), text({ ...tokenizer, model: { type: 'Unigram', unk_id: 0, vocab: [['a', -1], ['b', -2.5]], byte_fallback: false } }), text({ ...tokenizer, pre_tokenizer: { type: 'WhitespaceSplit' }, model: { type: 'WordPiece', vocab: { a: 0, '##b': 1, '[UNK]': 2 }, unk_token: '[UNK]' } })], read: async (_, at) => (await loadTokenizer(at)).encode('ab a b').byteLength },
  { what: 'vocab.json beside merges.txt', name: 'vocab.json', whole: [text({ a: 0, b: 1, ab: 2 })], beside: { 'merges.txt': Buffer.from('#version\na b\n') }, read: async (_, at) => (await loadTokenizer(at)).encode('ab').byteLength },
  { what: 'tokenizer_config.json', name: 'tokenizer_config.json', whole: [text({ bos_token: '<s>', eos_token: { content: '</s>' }, add_bos_token: true, added_tokens_decoder: { 3: { content: '<s>', special: true } }, tokenizer_class: 'GPT2Tokenizer' })], beside: { 'vocab.json': text({ a: 0, b: 1, ab: 2 }), 'merges.txt': Buffer.from('a b\n') }, read: async (_, at) => (await loadTokenizer(at)).encode('ab').byteLength },
  { what: 'config.json of models', name: 'config.json', whole: [text(llama), text(gemma), readFileSync(join(example, 'config.json'))], read: (path) => Promise.resolve(Object.keys(readConfig(JSON.parse(readFileSync(path, 'utf8')) as JsonObject, path)).length) },
]; // prettier-ignore

testDamagedFiles(READERS);
