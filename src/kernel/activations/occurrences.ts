/** Where words stand in the text of a store: whole words, however many tokens they take. */
import type { SparseActivations } from './types.js';

/** A word or phrase, several that count as one, or a pattern of the text. */
export type WordQuery = string | RegExp | readonly string[];

/** Where a query matches. */
export interface Occurrences {
  /** As shown: “years”, “king” or “queen”, /colou?r/. */
  readonly query: string;
  /** [tokens]: the occurrence that each token belongs to, from 0 in the order of the text; -1 = none. */
  readonly at: Int32Array;
  /** How many there are. */
  readonly count: number;
  /** How many tokens they take. */
  readonly tokens: number;
}

/** Whether it is a pattern, a word or phrase that is not blank, or a list of such words. */
export const isWordQuery = (v: unknown): v is WordQuery =>
  v instanceof RegExp ||
  (typeof v === 'string' && v.trim() !== '') ||
  (Array.isArray(v) && v.length > 0 && v.every((word) => typeof word === 'string' && word.trim() !== ''));

const isWord = (character: string): boolean => /[\p{L}\p{N}_]/u.test(character);

/** One word as a pattern: no letter, digit or underscore beside it; white space in it matches any white space. */
function wholeWord(word: string): string {
  const trimmed = word.trim();
  const characters = [...trimmed];
  const pattern = trimmed.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&').replace(/\s+/gu, '\\s+');
  const before = isWord(characters[0]) ? '(?<![\\p{L}\\p{N}_])' : '';
  const after = isWord(characters[characters.length - 1]) ? '(?![\\p{L}\\p{N}_])' : '';
  return `${before}${pattern}${after}`;
}

function patternOf(query: WordQuery): RegExp {
  // A copy with "g", to find every match, and without "y", which would try one place alone.
  if (query instanceof RegExp) return new RegExp(query.source, `${query.flags.replace(/[gy]/g, '')}g`);
  const words = typeof query === 'string' ? [query] : [...query];
  // Longer words come first, so that one is not cut short by a word that it begins with.
  return new RegExp(
    words
      .sort((a, b) => b.length - a.length)
      .map(wholeWord)
      .join('|'),
    'giu',
  );
}

/** A query as it is written in tables and messages. */
export function queryText(query: WordQuery): string {
  if (query instanceof RegExp) return String(query);
  return (typeof query === 'string' ? [query] : query).map((word) => `“${word.trim()}”`).join(' or ');
}

/** The texts of a store's sequences, and where each token of them starts. */
async function* sequencesOf(
  activations: SparseActivations,
): AsyncGenerator<{ first: number; text: string; starts: Int32Array }> {
  const { context, sequences } = activations.meta;
  const ids = await activations.tokenIds();
  const pieces = new Map<number, string>();
  const piece = (id: number): string => {
    let text = pieces.get(id);
    if (text === undefined) pieces.set(id, (text = activations.piece(id)));
    return text;
  };
  for (let s = 0; s < sequences; s++) {
    const first = s * context;
    const starts = new Int32Array(context + 1);
    const parts = Array.from(ids.subarray(first, first + context), piece);
    parts.forEach((part, i) => (starts[i + 1] = starts[i] + part.length));
    yield { first, text: parts.join(''), starts };
  }
}

/** Marks the tokens of one match; those that are ignored or taken already stay. Returns how many were marked. */
function mark(at: Int32Array, occurrence: number, from: number, to: number, ignored: Uint8Array | undefined): number {
  let marked = 0;
  for (let t = from; t < to; t++) {
    if (at[t] >= 0 || ignored?.[t] === 1) continue;
    at[t] = occurrence;
    marked++;
  }
  return marked;
}

/**
 * Where queries match in the text of a store, each by itself. Words match as whole words, whatever their case and
 * however many tokens they take, never as a part of another: “king” is not in “looking”. Matches do not reach over the
 * ends of sequences, and ignored rows belong to none.
 */
export async function occurrencesOf(
  activations: SparseActivations,
  queries: readonly WordQuery[],
): Promise<Occurrences[]> {
  const ignored = await activations.ignored();
  const found = queries.map((query) => ({
    pattern: patternOf(query),
    query: queryText(query),
    at: new Int32Array(activations.meta.tokens).fill(-1),
    count: 0,
    tokens: 0,
  }));
  for await (const { first, text, starts } of sequencesOf(activations)) {
    for (const one of found) {
      let token = 0;
      for (const match of text.matchAll(one.pattern)) {
        if (match[0] === '') continue;
        const end = match.index + match[0].length;
        while (starts[token + 1] <= match.index) token++;
        let last = token;
        while (starts[last] < end) last++;
        const marked = mark(one.at, one.count, first + token, first + last, ignored);
        if (marked > 0) one.count++;
        one.tokens += marked;
      }
    }
  }
  return found.map(({ query, at, count, tokens }) => ({ query, at, count, tokens }));
}
