/**
 * Tokenizers in Hugging Face's tokenizer.json: ids of texts (tokenizing/), begin and end tokens, and the text of ids.
 * Decoding is done by @huggingface/tokenizers.
 */
import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { sha256 } from '../io/hash.js';
import { PatternGuard, requireTokenIds, slowPatterns } from './tokenizerGuard.js';
import type { AddedToken } from './tokenizing/addedTokens.js';
import { fromByteLevel, lossyText } from './tokenizing/bytes.js';
import { createEncoder, firstSpecialToken, type TokenizerJson } from './tokenizing/pipeline.js';
import type { Tokenizer } from './types.js';

/** The part of tokenizer_config.json (and special_tokens_map.json) that is used here. */
export interface TokenizerConfig {
  eos_token?: string | { content: string } | null;
  bos_token?: string | { content: string } | null;
  pad_token?: string | { content: string } | null;
  [key: string]: unknown;
}

export const END_OF_TEXT = '<|endoftext|>';

/**
 * A tokenizer from the contents of tokenizer.json and, when there are any, tokenizer_config.json and the model's
 * config.json (for eos_token_id and bos_token_id).
 */
export function createTokenizer(
  json: object,
  config: TokenizerConfig = {},
  model: { eos_token_id?: unknown; bos_token_id?: unknown } = {},
): Tokenizer {
  return asWritten(() => new ModelTokenizer(json, config, model));
}

/** A file whose parts lack fields, or have them of other kinds, trips the code that reads them: that is said in words. */
function asWritten<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Error(
      'tokenizer.json is damaged: a part of it (added_tokens, normalizer, pre_tokenizer, post_processor, decoder or model) lacks a field of its type or has one of another kind; download it again',
      { cause: error },
    );
  }
}

class ModelTokenizer implements Tokenizer {
  readonly id: string;
  readonly vocabSize: number;
  readonly eosId: number | undefined;
  readonly bosId: number | undefined;
  readonly padId: number | undefined;
  readonly addsBos: boolean;
  private readonly encodeText: (text: string) => number[];
  private readonly tokenizer: HfTokenizer;
  private readonly guard: PatternGuard;
  /** By id; undefined where the vocabulary has a gap. */
  private readonly vocabulary: Array<string | undefined>;
  private readonly special: ReadonlySet<number>;
  private readonly pieces: Array<string | undefined> = [];
  private readonly pieceOf: (token: string) => string;

  constructor(given: object, config: TokenizerConfig, model: { eos_token_id?: unknown; bos_token_id?: unknown }) {
    requireTokenIds(given);
    const json = withVocabularyIds(given);
    this.guard = new PatternGuard(slowPatterns(json));
    this.encodeText = createEncoder(json);
    this.tokenizer = decoderOf(json);
    const tokens = this.tokenizer.get_vocab(true);
    const entries = [...tokens].sort(([a, idA], [b, idB]) => idA - idB || (a < b ? -1 : 1));
    if (entries.length === 0) throw new Error('the tokenizer has an empty vocabulary; expected at least one token');
    this.id = sha256(['fgnb vocabulary', ...entries.map(([token, id]) => `${id} ${token}`)]);
    this.vocabulary = [];
    for (const [token, id] of entries) this.vocabulary[id] = token;
    this.vocabSize = this.vocabulary.length;
    this.special = new Set(this.tokenizer.get_added_tokens_decoder().keys());
    this.pieceOf = pieceDecoder(json.decoder);
    const named = (token: TokenizerConfig['eos_token']): number | undefined => {
      const content = typeof token === 'object' ? token?.content : token;
      return content === undefined ? undefined : tokens.get(content);
    };
    const idOf = (token: TokenizerConfig['eos_token'], id: unknown): number | undefined => {
      const fromModel: unknown = Array.isArray(id) ? id[0] : id;
      const known = typeof fromModel === 'number' && this.vocabulary[fromModel] !== undefined ? fromModel : undefined;
      return named(token) ?? known ?? tokens.get(END_OF_TEXT);
    };
    this.eosId = idOf(config.eos_token, model.eos_token_id);
    this.bosId = idOf(config.bos_token, model.bos_token_id);
    this.padId = named(config.pad_token);
    this.addsBos = this.bosId !== undefined && this.beginsWith(this.bosId, config, json.post_processor);
  }

  /** tokenizer_config.json's word on it, else what the post-processor of tokenizer.json does. */
  private beginsWith(bos: number, config: TokenizerConfig, postProcessor: unknown): boolean {
    if (typeof config.add_bos_token === 'boolean') return config.add_bos_token;
    return firstSpecialToken(postProcessor) === this.vocabulary[bos];
  }

  /** Ids of the text alone: no begin or end token is added. Special tokens written in the text become their ids. */
  encode(text: string): Int32Array {
    if (text === '') return new Int32Array(0);
    return Int32Array.from(this.guard.run(text.length, () => asWritten(() => this.encodeText(text))));
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

/** Token → id of the model alone. Throws when the JSON has none. */
function vocabularyOf(json: TokenizerJson): Record<string, number> {
  const vocab = (json.model as { vocab?: unknown } | null | undefined)?.vocab;
  if (Array.isArray(vocab))
    return Object.fromEntries((vocab as Array<[string, number]>).map(([token], id) => [token, id]));
  if (typeof vocab === 'object' && vocab !== null) return vocab as Record<string, number>;
  throw new Error('tokenizer.json has no model with a vocabulary: expected { "model": { "type": …, "vocab": … } }');
}

/** An added token that the model's vocabulary has is that token, whatever id the file gives it. */
function withVocabularyIds(json: TokenizerJson): TokenizerJson & { added_tokens: AddedToken[] } {
  const vocab = vocabularyOf(json);
  const added = (json.added_tokens ?? []).filter(({ content }) => content !== '');
  return {
    ...json,
    added_tokens: added.map((token) =>
      Object.hasOwn(vocab, token.content) ? { ...token, id: vocab[token.content] } : token,
    ),
  };
}

/** The library's tokenizer for decoding alone: a vocabulary, added tokens and a decoder. */
function decoderOf(json: TokenizerJson & { added_tokens: AddedToken[] }): HfTokenizer {
  const { added_tokens, decoder = null } = json;
  const model = { type: 'vocabulary', vocab: vocabularyOf(json) };
  return new HfTokenizer(
    { added_tokens, decoder, model, normalizer: null, pre_tokenizer: null, post_processor: null },
    {},
  );
}

/** How one token of the vocabulary reads as text, by the kind of decoder in tokenizer.json. */
function pieceDecoder(decoder: unknown): (token: string) => string {
  const kinds = decoderKinds(decoder);
  if (kinds.includes('ByteLevel')) return fromByteLevel;
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
