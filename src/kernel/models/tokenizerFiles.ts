/** The files of a tokenizer: tokenizer.json, or the older vocab.json + merges.txt with their companions. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { clip } from '../../protocol/clip.js';
import { parseJson, readText as readFileText } from '../io/files.js';
import { createTokenizer, END_OF_TEXT, type TokenizerConfig } from './tokenizer.js';
import { patternQwen2, requireTokenIds } from './tokenizerGuard.js';
import type { AddedToken } from './tokenizing/addedTokens.js';
import type { TokenizerJson } from './tokenizing/pipeline.js';
import type { Tokenizer } from './types.js';

/** What loadTokenizer reads of a folder, where it is there. */
export const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
  'added_tokens.json',
];

type JsonFile = Record<string, unknown>;

/** The files beside vocab.json and merges.txt. */
interface Companions {
  /** tokenizer_config.json over special_tokens_map.json. */
  config: TokenizerConfig;
  /** added_tokens.json: id by token. */
  added: JsonFile | undefined;
  /** Rows of the model's embedding, by config.json. */
  room: number;
}

/**
 * Reads the tokenizer of a model folder: tokenizer.json when it is there, else vocab.json + merges.txt (byte-level BPE)
 * with added_tokens.json and tokenizer_config.json's added_tokens_decoder and add_prefix_space. End and begin tokens come
 * from tokenizer_config.json, special_tokens_map.json, config.json, or are "<|endoftext|>" where the vocabulary has it.
 * Throws when neither layout is there, naming what was looked for.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const [model, tokenizerConfig, specialTokens, added] = await Promise.all([
    readJson(join(folder, 'config.json')),
    readJson(join(folder, 'tokenizer_config.json')),
    readJson(join(folder, 'special_tokens_map.json')),
    readJson(join(folder, 'added_tokens.json')),
  ]);
  const config: TokenizerConfig = { ...specialTokens, ...dropNulls(tokenizerConfig) };
  const room = typeof model?.vocab_size === 'number' ? model.vocab_size : Infinity;
  const json: TokenizerJson | undefined = await readJson(join(folder, 'tokenizer.json'));
  if (json) return createTokenizer(withAddedTokens(json, config, room), config, model);
  const made = await readVocabAndMerges(folder, { config, added, room });
  if (made) return createTokenizer(made, config, model);
  throw new Error(await noTokenizer(folder));
}

async function noTokenizer(folder: string): Promise<string> {
  const hasModel = await exists(join(folder, 'tokenizer.model'));
  return hasModel
    ? sentencePieceAlone(folder)
    : `${folder} has no tokenizer: expected tokenizer.json, or vocab.json and merges.txt`;
}

/** SentencePiece's own file says too little (added tokens, how it begins); Python converts it with all its rules. */
export const sentencePieceAlone = (where: string): string =>
  `${where} has only SentencePiece's tokenizer.model, which is not read: write tokenizer.json beside it, in Python by transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`;

/** The tokenizer.json object of GPT-2's two files, as Hugging Face's own converter writes it. */
export function bytePairJson(vocab: Record<string, number>, mergesText: string): TokenizerJson {
  const lines = mergesText.split(/\r?\n/);
  if (lines[0].startsWith('#version')) lines.shift();
  const merges = lines.filter((line) => line !== '').map((line) => line.split(' '));
  const bad = merges.findIndex((pair) => pair.length !== 2 || !Object.hasOwn(vocab, pair[0] + pair[1]));
  if (bad >= 0)
    throw new Error(
      `merges.txt: "${clip(merges[bad].join(' '))}" (merge ${bad + 1}) is no pair that gives a token of vocab.json`,
    );
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    added_tokens: Object.hasOwn(vocab, END_OF_TEXT) ? [addedToken(END_OF_TEXT, vocab[END_OF_TEXT])] : [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', unk_token: null, fuse_unk: false, vocab, merges },
  };
}

const addedToken = (content: string, id: number, options: object = {}): AddedToken => ({
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...options,
  content,
  id,
});

/** Tokenizers of transformers whose vocab.json and merges.txt are GPT-2's format, and which cut words as GPT-2 does. */
const LIKE_GPT2 = /^(GPT2|GPTNeoX|Roberta|Bart|Longformer|LED|CodeGen|PreTrained)Tokenizer(Fast)?$/;

async function readVocabAndMerges(folder: string, companions: Companions): Promise<TokenizerJson | undefined> {
  const path = join(folder, 'vocab.json');
  const vocab = await readJson(path);
  if (!vocab) return undefined;
  requireTokenIds({ model: { vocab } });
  const merges = await readText(join(folder, 'merges.txt'));
  if (merges === undefined) throw new Error(`${folder} has vocab.json but no merges.txt beside it`);
  const json = bytePairJson(vocab as Record<string, number>, merges);
  const { config } = companions;
  const kind = config.tokenizer_class;
  if (config.add_prefix_space === true)
    json.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
  if (typeof kind === 'string' && /^Qwen2Tokenizer(Fast)?$/.test(kind)) cutLikeQwen(json);
  else if (typeof kind === 'string' && !LIKE_GPT2.test(kind))
    throw new Error(
      `${folder}: tokenizer_class "${clip(kind, 60)}" with vocab.json and merges.txt alone is not supported; write tokenizer.json, in Python by transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`,
    );
  json.added_tokens = companionTokens(vocab as Record<string, number>, companions, folder);
  return json;
}

function cutLikeQwen(json: TokenizerJson): void {
  json.normalizer = { type: 'NFC' };
  json.pre_tokenizer = {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: patternQwen2 }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    ],
  };
}

const SPECIAL_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/**
 * Added tokens as transformers puts them together: added_tokens_decoder, added_tokens.json, "<|endoftext|>", then the
 * special tokens of the config that no file gives an id, behind the vocabulary while the model's embedding has rows.
 */
function companionTokens(
  vocab: Record<string, number>,
  { config, added, room }: Companions,
  folder: string,
): AddedToken[] {
  const tokens = new Map<string, AddedToken>();
  const byId = new Map(Object.entries(vocab).map(([token, id]) => [id, token]));
  const put = (token: AddedToken, from: string): void => {
    requireTokenIds({ added_tokens: [token] });
    const other = byId.get(token.id);
    const own = Object.hasOwn(vocab, token.content) ? vocab[token.content] : tokens.get(token.content)?.id;
    if ((other !== undefined && other !== token.content) || (own !== undefined && own !== token.id))
      throw new Error(
        `${folder}: ${from} gives ${JSON.stringify(clip(token.content, 60))} the id ${token.id}, ` +
          (own !== undefined && own !== token.id
            ? `but it has ${own}`
            : `which is ${JSON.stringify(clip(String(other), 60))}`),
      );
    byId.set(token.id, token.content);
    if (!tokens.has(token.content)) tokens.set(token.content, token);
  };
  for (const token of decoderTokens(config)) put(token, 'tokenizer_config.json');
  const named = SPECIAL_TOKENS.map((key) => contentOf(config[key])).filter((content) => content !== undefined);
  for (const [content, id] of Object.entries(added ?? {}))
    put(addedToken(content, id as number, { special: named.includes(content) }), 'added_tokens.json');
  for (const content of [END_OF_TEXT, ...named]) {
    if (tokens.has(content)) continue;
    const next = [...byId.keys()].reduce((high, id) => Math.max(high, id), -1) + 1;
    const id = Object.hasOwn(vocab, content)
      ? vocab[content]
      : content === END_OF_TEXT && !named.includes(content)
        ? room
        : next;
    if (id < room) put(addedToken(content, id), 'tokenizer_config.json');
  }
  return [...tokens.values()];
}

/** tokenizer_config.json's added_tokens_decoder: tokens by id. */
function decoderTokens(config: TokenizerConfig): AddedToken[] {
  const { added_tokens_decoder: decoder } = config;
  if (typeof decoder !== 'object' || decoder === null) return [];
  return Object.entries(decoder as Record<string, unknown>).map(([id, token]) => {
    const content = contentOf(token);
    if (content === undefined)
      throw new Error(`tokenizer_config.json: added_tokens_decoder has no token for id ${clip(id)}`);
    return addedToken(content, Number(id), { special: false, ...(token as object) });
  });
}

/** tokenizer.json with the tokens that only added_tokens_decoder has. tokenizer.json has the last word on the others. */
function withAddedTokens(json: TokenizerJson, config: TokenizerConfig, room: number): TokenizerJson {
  const vocab = (json.model as { vocab?: object } | undefined)?.vocab ?? {};
  const given = Array.isArray(json.added_tokens) ? json.added_tokens : [];
  const contents = new Set(given.map((token) => token?.content));
  const taken = new Set([
    ...given.map((token) => token?.id),
    ...(Array.isArray(vocab) ? vocab.keys() : (Object.values(vocab) as number[])),
  ]);
  const own = (content: string): boolean => Object.hasOwn(vocab, content);
  const more = decoderTokens(config).filter(
    ({ content, id }) => !contents.has(content) && (own(content) || (!taken.has(id) && id < room)),
  );
  return more.length === 0 ? json : { ...json, added_tokens: [...given, ...more] };
}

const contentOf = (token: unknown): string | undefined => {
  const content = typeof token === 'object' && token !== null ? (token as { content?: unknown }).content : token;
  return typeof content === 'string' && content !== '' ? content : undefined;
};

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
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
