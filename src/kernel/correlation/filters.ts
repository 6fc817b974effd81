/** Filters on matched pairs, as pure functions, with what each step left. */
import type { Pairs } from './match.js';
import { normalizeToken } from './sameToken.js';

/** Whether pair i stays. */
export type PairFilter = { name: string; keep(a: number, b: number, r: number): boolean };

export interface FilteredPairs {
  pairs: Pairs;
  /** Pairs at the start and after each step, with their mean r (NaN when none are left). */
  counts: Array<{ step: string; pairs: number; meanR: number }>;
}

/** Applies filters in the given order. */
export function filterPairs(pairs: Pairs, filters: readonly PairFilter[]): FilteredPairs {
  let kept = pairs;
  const counts = [count('matched', kept)];
  for (const { name, keep } of filters) {
    const stay = Array.from(kept.a.keys()).filter((i) => keep(kept.a[i], kept.b[i], kept.r[i]));
    const from = kept;
    kept = {
      a: Int32Array.from(stay, (i) => from.a[i]),
      b: Int32Array.from(stay, (i) => from.b[i]),
      r: Float32Array.from(stay, (i) => from.r[i]),
    };
    counts.push(count(name, kept));
  }
  return { pairs: kept, counts };
}

function count(step: string, { r }: Pairs): FilteredPairs['counts'][number] {
  return { step, pairs: r.length, meanR: r.reduce((s, v) => s + v, 0) / r.length };
}

/** Keeps pairs of at least this r. */
export function minRFilter(minR: number): PairFilter {
  return { name: `r ≥ ${minR}`, keep: (_a, _b, r) => r >= minR };
}

/**
 * Tokens that carry no concept. Compared after trimming spaces, so that " ." counts with "."; the published list
 * compared raw strings and let those through.
 */
export const NON_CONCEPT_TOKENS: readonly string[] = [
  '.',
  ',',
  '-',
  '!',
  '?',
  '\\n',
  '',
  '<|endoftext|>',
  '<bos>',
  '|bos|',
  '<pad>',
];

type Labels = ReadonlyArray<readonly string[]>;

/** Drops pairs where any peak token of either feature is in the list (spaces trimmed). */
export function nonConceptFilter(
  labelsA: Labels,
  labelsB: Labels,
  tokens: readonly string[] = NON_CONCEPT_TOKENS,
): PairFilter {
  const list = new Set(tokens);
  const clean = (label: readonly string[]): boolean => label.every((token) => !list.has(token.trim()));
  return { name: 'no non-concept token', keep: (a, b) => clean(labelsA[a]) && clean(labelsB[b]) };
}

/** Keeps pairs whose peak tokens have one in common: normalised (trimmed, lower case), or raw as published. */
export function sharedTokenFilter(labelsA: Labels, labelsB: Labels, options: { raw?: boolean } = {}): PairFilter {
  const read = options.raw ? (token: string) => token : normalizeToken;
  return {
    name: options.raw ? 'a common peak token (raw)' : 'a common peak token',
    keep(a, b) {
      const tokens = new Set(labelsA[a].map(read));
      return labelsB[b].some((token) => tokens.has(read(token)));
    },
  };
}
