/** Byte pair encoding: the model kind "BPE" of tokenizer.json. */
import { clip } from '../../../protocol/clip.js';
import { byteTokens } from './bytes.js';
import type { EncodeWord } from './wordModels.js';

export interface BpeJson {
  vocab: Record<string, number>;
  merges: Array<string | string[]>;
  unk_token?: string | null;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
  fuse_unk?: boolean;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
  dropout?: number | null;
}

/** Rank and id of what a pair of tokens gives. */
interface Merge {
  rank: number;
  id: number;
}

/** Ids are below 2^24, so a pair is a whole number that a double holds. */
const PAIR = 2 ** 24;

/** Words remembered with their ids; only short ones are worth it. */
const CACHED_WORDS = 20_000;
const CACHED_LENGTH = 256;

/**
 * Sennrich's byte pair encoding by rank. Characters that the vocabulary lacks become byte tokens (byte_fallback), the
 * unknown token (neighbours become one with fuse_unk), or nothing where there is none, before anything is merged.
 */
export function bytePairModel(json: BpeJson): EncodeWord {
  const { vocab } = json;
  const ids = new Map(Object.entries(vocab));
  if (json.dropout) throw new Error("the tokenizer's BPE dropout is not supported: it makes the ids of a text random");
  const unknown = json.unk_token ?? undefined;
  const unknownId = unknown === undefined ? undefined : ids.get(unknown);
  if (unknown !== undefined && unknownId === undefined)
    throw new Error(`tokenizer: the unknown token ${JSON.stringify(clip(unknown))} is not in the vocabulary`);
  const merges = mergesOf(json, ids);
  const cache = new Map<string, number[]>();
  return (word) => {
    const whole = json.ignore_merges ? ids.get(word) : undefined;
    if (whole !== undefined) return [whole];
    const known = cache.get(word);
    if (known) return known;
    const result = mergeAll(symbolsOf(word, json, ids, unknownId), merges);
    if (word.length <= CACHED_LENGTH) {
      if (cache.size >= CACHED_WORDS) cache.clear();
      cache.set(word, result);
    }
    return result;
  };
}

function mergesOf(json: BpeJson, ids: ReadonlyMap<string, number>): Map<number, Merge> {
  const prefix = json.continuing_subword_prefix?.length ?? 0;
  const merges = new Map<number, Merge>();
  json.merges.forEach((merge, rank) => {
    const [a, b, ...more] = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right, id] = [ids.get(a), ids.get(b), ids.get(a + (b ?? '').slice(prefix))];
    if (left === undefined || right === undefined || id === undefined || more.length > 0)
      throw new Error(
        `tokenizer: merge ${rank + 1}, ${JSON.stringify(clip([merge].flat().join(' ')))}, is no pair of tokens that gives a token of the vocabulary`,
      );
    merges.set(left * PAIR + right, { rank, id });
  });
  return merges;
}

/** Ids of the single characters of a word. */
function symbolsOf(
  word: string,
  json: BpeJson,
  ids: ReadonlyMap<string, number>,
  unknownId: number | undefined,
): number[] {
  const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix } = json;
  const chars = Array.from(word);
  const out: number[] = [];
  let unknowns = 0;
  const flush = (): void => {
    for (; unknowns > 0; unknowns--) out.push(unknownId as number);
  };
  chars.forEach((char, i) => {
    const symbol = `${i > 0 ? (prefix ?? '') : ''}${char}${i === chars.length - 1 ? (suffix ?? '') : ''}`;
    const id = ids.get(symbol);
    if (id !== undefined) {
      flush();
      out.push(id);
      return;
    }
    const bytes = json.byte_fallback ? byteTokens(symbol).map((name) => ids.get(name)) : [];
    if (bytes.length > 0 && bytes.every((byte) => byte !== undefined)) {
      for (const byte of bytes) out.push(byte);
    } else if (unknownId !== undefined) {
      unknowns = json.fuse_unk ? 1 : unknowns + 1;
    }
  });
  flush();
  return out;
}

/** Merges the pair of lowest rank, leftmost first, until no pair has a rank. O(n log n). */
function mergeAll(symbols: number[], merges: ReadonlyMap<number, Merge>): number[] {
  const n = symbols.length;
  if (n < 2) return symbols;
  const next = Int32Array.from(symbols, (_, i) => (i + 1 < n ? i + 1 : -1));
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const heap = new MergeHeap();
  const offer = (at: number): void => {
    if (at < 0 || next[at] < 0) return;
    const merge = merges.get(symbols[at] * PAIR + symbols[next[at]]);
    if (merge) heap.push({ at, ...merge });
  };
  for (let i = 0; i + 1 < n; i++) offer(i);
  for (let top = heap.pop(); top; top = heap.pop()) {
    const { at, id } = top;
    const right = next[at];
    if (symbols[at] < 0 || right < 0) continue;
    // One of the two has been merged since: another pair lies here now.
    if (merges.get(symbols[at] * PAIR + symbols[right])?.id !== id) continue;
    symbols[at] = id;
    symbols[right] = -1;
    next[at] = next[right];
    if (next[at] >= 0) previous[next[at]] = at;
    offer(previous[at]);
    offer(at);
  }
  return symbols.filter((id) => id >= 0);
}

interface Candidate extends Merge {
  at: number;
}

const before = (a: Candidate, b: Candidate): boolean => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);

/** Candidates by rank, then by place. */
class MergeHeap {
  private readonly items: Candidate[] = [];

  push(item: Candidate): void {
    const { items } = this;
    let i = items.length;
    items.push(item);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(item, items[parent])) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = item;
  }

  pop(): Candidate | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child + 1 < items.length && before(items[child + 1], items[child])) child++;
      if (child >= items.length || !before(items[child], last)) break;
      items[i] = items[child];
      i = child;
    }
    items[i] = last;
    return top;
  }
}
