/**
 * Tokenizers in Hugging Face's formats: tokenizer.json, or GPT-2's vocab.json + merges.txt. The work is done by
 * @huggingface/tokenizers; this file finds the files, the end-of-text token, and the text of single tokens.
 */
import { join } from 'node:path';
import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { clip } from '../../protocol/clip.js';
import { parseJson, readText as readFileText } from '../io/files.js';
import { sha256 } from '../io/hash.js';
import { PatternGuard, requireTokenIds, slowPatterns } from './tokenizerGuard.js';
import type { Tokenizer } from './types.js';

/** The part of tokenizer_config.json (and special_tokens_map.json) that is used here. */
export interface TokenizerConfig {
  eos_token?: string | { content: string } | null;
  bos_token?: string | { content: string } | null;
  [key: string]: unknown;
}

const END_OF_TEXT = '<|endoftext|>';

/**
 * Reads the tokenizer of a model folder: tokenizer.json when it is there, else vocab.json + merges.txt (GPT-2's
 * byte-level BPE). End and begin tokens come from tokenizer_config.json, special_tokens_map.json, config.json, or are
 * "<|endoftext|>" where the vocabulary has it. Throws when neither layout is there, naming what was looked for.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const [model, tokenizerConfig, specialTokens] = await Promise.all([
    readJson(join(folder, 'config.json')),
    readJson(join(folder, 'tokenizer_config.json')),
    readJson(join(folder, 'special_tokens_map.json')),
  ]);
  const json = (await readJson(join(folder, 'tokenizer.json'))) ?? (await readVocabAndMerges(folder));
  if (!json) {
    throw new Error(`${folder} has no tokenizer: expected tokenizer.json, or vocab.json and merges.txt`);
  }
  return createTokenizer(json, { ...specialTokens, ...dropNulls(tokenizerConfig) }, model);
}

/**
 * A tokenizer from the contents of tokenizer.json and, when there are any, tokenizer_config.json and the model's
 * config.json (for eos_token_id and bos_token_id).
 */
export function createTokenizer(
  json: object,
  config: TokenizerConfig = {},
  model: { eos_token_id?: unknown; bos_token_id?: unknown } = {},
): Tokenizer {
  return new ModelTokenizer(json, config, model);
}

/** The tokenizer.json object of GPT-2's two files, as Hugging Face's own converter writes it. */
export function bytePairJson(vocab: Record<string, number>, mergesText: string): object {
  const lines = mergesText.split(/\r?\n/);
  if (lines[0].startsWith('#version')) lines.shift();
  const merges = lines.filter((line) => line !== '').map((line) => line.split(' '));
  const bad = merges.findIndex((pair) => pair.length !== 2 || !Object.hasOwn(vocab, pair[0] + pair[1]));
  if (bad >= 0)
    throw new Error(
      `merges.txt: "${clip(merges[bad].join(' '))}" (merge ${bad + 1}) is no pair that gives a token of vocab.json`,
    );
  const added = Object.hasOwn(vocab, END_OF_TEXT) ? [{ id: vocab[END_OF_TEXT], ...addedToken }] : [];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

const addedToken = {
  content: END_OF_TEXT,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: true,
  special: true,
};

class ModelTokenizer implements Tokenizer {
  readonly id: string;
  readonly vocabSize: number;
  readonly eosId: number | undefined;
  readonly bosId: number | undefined;
  readonly addsBos: boolean;
  private readonly tokenizer: HfTokenizer;
  private readonly guard: PatternGuard;
  /** By id; undefined where the vocabulary has a gap. */
  private readonly vocabulary: Array<string | undefined>;
  private readonly special: ReadonlySet<number>;
  private readonly pieces: Array<string | undefined> = [];
  private readonly pieceOf: (token: string) => string;

  constructor(json: object, config: TokenizerConfig, model: { eos_token_id?: unknown; bos_token_id?: unknown }) {
    requireTokenIds(json);
    this.guard = new PatternGuard(slowPatterns(json));
    this.tokenizer = new HfTokenizer(json, config);
    const tokens = this.tokenizer.get_vocab(true);
    const entries = [...tokens].sort(([a, idA], [b, idB]) => idA - idB || (a < b ? -1 : 1));
    if (entries.length === 0) throw new Error('tokenizer has an empty vocabulary');
    this.id = sha256(['fgnb vocabulary', ...entries.map(([token, id]) => `${id} ${token}`)]);
    this.vocabulary = [];
    for (const [token, id] of entries) this.vocabulary[id] = token;
    this.vocabSize = this.vocabulary.length;
    this.special = new Set(this.tokenizer.get_added_tokens_decoder().keys());
    this.pieceOf = pieceDecoder((json as { decoder?: unknown }).decoder);
    const idOf = (token: TokenizerConfig['eos_token'], id: unknown): number | undefined => {
      const content = typeof token === 'object' ? token?.content : token;
      const found = content === undefined ? undefined : tokens.get(content);
      if (found !== undefined) return found;
      const fromModel: unknown = Array.isArray(id) ? id[0] : id;
      return typeof fromModel === 'number' && this.vocabulary[fromModel] !== undefined
        ? fromModel
        : tokens.get(END_OF_TEXT);
    };
    this.eosId = idOf(config.eos_token, model.eos_token_id);
    this.bosId = idOf(config.bos_token, model.bos_token_id);
    this.addsBos = this.bosId !== undefined && this.beginsWith(this.bosId, config);
  }

  /** tokenizer_config.json's word on it, else what the post-processor of tokenizer.json does. */
  private beginsWith(bos: number, config: TokenizerConfig): boolean {
    if (typeof config.add_bos_token === 'boolean') return config.add_bos_token;
    return this.tokenizer.encode('a', { add_special_tokens: true }).ids[0] === bos;
  }

  /** Ids of the text alone: no begin or end token is added. Special tokens written in the text become their ids. */
  encode(text: string): Int32Array {
    if (text === '') return new Int32Array(0);
    const { ids } = this.guard.run(text.length, () => this.tokenizer.encode(text, { add_special_tokens: false }));
    const unknown = ids.findIndex((id) => !Number.isInteger(id));
    if (unknown >= 0) throw new Error(`the vocabulary has no token for a part of ${JSON.stringify(text.slice(0, 80))}`);
    return Int32Array.from(ids);
  }

  /** The text of ids, special tokens shown. Ids that the vocabulary lacks are left out. */
  decode(ids: ArrayLike<number>): string {
    const known = Array.from(ids).filter((id) => this.vocabulary[id] !== undefined);
    if (known.length === 0) return '';
    const options = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
    return this.guard.run(known.length, () => this.tokenizer.decode(known, options));
  }

  /**
   * The text of one token alone: leading spaces kept, bytes that are no whole UTF-8 character shown as U+FFFD. An id
   * without a token (models pad their vocabulary) is shown as "[id 50300]".
   */
  piece(id: number): string {
    const cached = this.pieces[id];
    if (cached !== undefined) return cached;
    const token = this.vocabulary[id];
    if (token === undefined) return `[id ${id}]`;
    return (this.pieces[id] = this.special.has(id) ? token : this.pieceOf(token));
  }
}

/** How one token of the vocabulary reads as text, by the kind of decoder in tokenizer.json. */
function pieceDecoder(decoder: unknown): (token: string) => string {
  const kinds = decoderKinds(decoder);
  if (kinds.includes('ByteLevel')) return byteLevelText;
  if (kinds.includes('WordPiece')) return (token) => (token.startsWith('##') ? token.slice(2) : token);
  if (kinds.includes('BPEDecoder')) return (token) => token.replace(/<\/w>$/, ' ');
  return (token) => {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte && kinds.includes('ByteFallback')) return lossyText(Uint8Array.of(parseInt(byte[1], 16)));
    return kinds.includes('Metaspace') || kinds.includes('Replace') ? token.replaceAll('▁', ' ') : token;
  };
}

function decoderKinds(decoder: unknown): string[] {
  if (typeof decoder !== 'object' || decoder === null) return [];
  const { type, decoders } = decoder as { type?: string; decoders?: unknown[] };
  return [...(type ? [type] : []), ...(decoders ?? []).flatMap(decoderKinds)];
}

/** GPT-2's bytes_to_unicode, inverted: printable Latin-1 stands for itself, the other bytes for 256 + n. */
const byteOfChar = new Map<string, number>();
for (let byte = 0, other = 0; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  byteOfChar.set(String.fromCharCode(printable ? byte : 256 + other++), byte);
}

function byteLevelText(token: string): string {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfChar.get(token[i]);
    // Not written in byte-level characters (added tokens are not): it reads as it is.
    if (byte === undefined) return token;
    bytes[i] = byte;
  }
  return lossyText(bytes);
}

/** Invalid UTF-8 becomes U+FFFD, one per maximal wrong part, as in Rust's from_utf8_lossy. */
function lossyText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

async function readVocabAndMerges(folder: string): Promise<object | undefined> {
  const vocab = await readJson(join(folder, 'vocab.json'));
  if (!vocab) return undefined;
  const merges = await readText(join(folder, 'merges.txt'));
  if (merges === undefined) throw new Error(`${folder} has vocab.json but no merges.txt beside it`);
  return bytePairJson(vocab as Record<string, number>, merges);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFileText(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  const value = parseJson(text, path);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`${path} is not readable: expected a JSON object`);
}

function dropNulls(config: Record<string, unknown> | undefined): TokenizerConfig {
  return Object.fromEntries(Object.entries(config ?? {}).filter(([, value]) => value !== null));
}
