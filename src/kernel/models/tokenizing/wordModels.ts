/** The other model kinds of tokenizer.json: Unigram, WordPiece and WordLevel; and choosing one. */
import { clip } from '../../../protocol/clip.js';
import { bytePairModel, type BpeJson } from './bpe.js';
import { byteTokens } from './bytes.js';

/** Ids of one word, as the pre-tokenizer cut it. The array is not to be changed. */
export type EncodeWord = (word: string) => readonly number[];

interface ModelJson {
  type?: string;
  vocab?: unknown;
  merges?: unknown;
  [key: string]: unknown;
}

/** The model of a tokenizer.json. Throws on a kind that is not read, naming it. */
export function createWordModel(json: unknown): EncodeWord {
  const model: unknown = json ?? {};
  const { type } = model as ModelJson;
  switch (type ?? guessedType(model as ModelJson)) {
    case 'BPE':
      return bytePairModel(model as BpeJson);
    case 'Unigram':
      return unigramModel(model as UnigramJson);
    case 'WordPiece':
      return wordPieceModel(model as WordPieceJson);
    case 'WordLevel':
      return wordLevelModel(model as WordLevelJson);
    default:
      throw new Error(
        `the tokenizer's model "${String(type)}" is not supported; use a model whose tokenizer.json has BPE, Unigram, WordPiece or WordLevel`,
      );
  }
}

/** Files from before the field "type". */
function guessedType({ vocab, merges, continuing_subword_prefix: prefix }: ModelJson): string {
  if (Array.isArray(merges)) return 'BPE';
  if (Array.isArray(vocab)) return 'Unigram';
  return prefix === undefined ? 'WordLevel' : 'WordPiece';
}

interface WordLevelJson {
  vocab: Record<string, number>;
  unk_token?: string;
}

function wordLevelModel({ vocab, unk_token: unknown }: WordLevelJson): EncodeWord {
  const ids = new Map(Object.entries(vocab));
  const unknownId = unknown === undefined ? undefined : ids.get(unknown);
  return (word) => [ids.get(word) ?? unknownId ?? missing(word)];
}

function missing(word: string): never {
  throw new Error(
    `the vocabulary has no token for ${JSON.stringify(clip(word, 80))}, and the tokenizer has no unknown token`,
  );
}

interface WordPieceJson extends WordLevelJson {
  continuing_subword_prefix?: string;
  max_input_chars_per_word?: number;
}

/** The longest piece that fits, from the left; a word with a rest that has no piece is unknown as a whole. */
function wordPieceModel(json: WordPieceJson): EncodeWord {
  const { continuing_subword_prefix: prefix = '##', max_input_chars_per_word: longest = 100 } = json;
  const ids = new Map(Object.entries(json.vocab));
  const unknownId = json.unk_token === undefined ? undefined : ids.get(json.unk_token);
  return (word) => {
    const chars = Array.from(word);
    if (chars.length > longest) return [unknownId ?? missing(word)];
    const out: number[] = [];
    for (let start = 0; start < chars.length;) {
      let end = chars.length;
      let id: number | undefined;
      for (; end > start; end--) {
        id = ids.get((start > 0 ? prefix : '') + chars.slice(start, end).join(''));
        if (id !== undefined) break;
      }
      if (id === undefined) return [unknownId ?? missing(word)];
      out.push(id);
      start = end;
    }
    return out;
  };
}

interface UnigramJson {
  vocab: Array<[string, number]>;
  unk_id?: number | null;
  byte_fallback?: boolean;
}

interface TrieNode {
  children: Map<number, TrieNode>;
  id?: number;
}

/** SentencePiece's penalty of a character without a piece, below the lowest score. */
const UNKNOWN_PENALTY = 10;

/**
 * The likeliest pieces of a word under independent pieces with log probabilities (Viterbi; the earlier start wins a
 * tie). Neighbouring unknown characters are one unknown piece, or the bytes of it where byte_fallback has them all.
 */
function unigramModel({ vocab, unk_id: unknownId, byte_fallback: byteFallback }: UnigramJson): EncodeWord {
  const ids = new Map(vocab.map(([piece], id) => [piece, id]));
  const root: TrieNode = { children: new Map() };
  for (const [piece, id] of ids) insert(root, piece, id);
  const scores = Float64Array.from(vocab, ([, score]) => score);
  const unknownScore = scores.reduce((low, score) => Math.min(low, score), Infinity) - UNKNOWN_PENALTY;
  const idsOf = (piece: string): readonly number[] => {
    const id = ids.get(piece);
    if (id !== undefined) return [id];
    const bytes = byteFallback ? byteTokens(piece).map((name) => ids.get(name)) : [];
    if (bytes.length > 0 && bytes.every((byte) => byte !== undefined)) return bytes;
    return [unknownId ?? missing(piece)];
  };
  return (word) => bestPieces(word, root, scores, unknownScore, unknownId ?? undefined).flatMap(idsOf);
}

function insert(root: TrieNode, piece: string, id: number): void {
  let node = root;
  for (let i = 0; i < piece.length; i++) {
    const unit = piece.charCodeAt(i);
    let next = node.children.get(unit);
    if (!next) node.children.set(unit, (next = { children: new Map() }));
    node = next;
  }
  if (node !== root) node.id = id;
}

/** The pieces of the best path, unknown neighbours fused. */
function bestPieces(
  word: string,
  root: TrieNode,
  scores: Float64Array,
  unknownScore: number,
  unknownId: number | undefined,
): string[] {
  const best = new Float64Array(word.length + 1);
  const from = new Int32Array(word.length + 1).fill(-1);
  const by = new Int32Array(word.length + 1);
  const reach = (start: number, end: number, id: number, score: number): void => {
    if (from[end] >= 0 && !(best[start] + score > best[end])) return;
    [best[end], from[end], by[end]] = [best[start] + score, start, id];
  };
  for (let start = 0; start < word.length;) {
    const single = (word.codePointAt(start) as number) > 0xffff ? 2 : 1;
    let hasSingle = false;
    let node: TrieNode | undefined = root;
    for (let end = start + 1; end <= word.length; end++) {
      node = node.children.get(word.charCodeAt(end - 1));
      if (!node) break;
      if (node.id === undefined) continue;
      reach(start, end, node.id, scores[node.id]);
      hasSingle ||= end - start === single;
    }
    if (!hasSingle) reach(start, start + single, unknownId ?? -1, unknownScore);
    start += single;
  }
  const pieces: string[] = [];
  let unknownEnd = -1;
  for (let end = word.length; end > 0; end = from[end]) {
    if (unknownId !== undefined && by[end] === unknownId) {
      if (unknownEnd < 0) unknownEnd = end;
      if (from[end] > 0 && by[from[end]] === unknownId) continue;
      pieces.push(word.slice(from[end], unknownEnd));
      unknownEnd = -1;
    } else pieces.push(word.slice(from[end], end));
  }
  return pieces.reverse();
}
