/** Other measures of how two features go together, over the same sums as Pearson's r. */
import type { FiringStatistics } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import type { SparseActivations } from '../activations/types.js';
import { countedTokens } from '../activations/statistics.js';
import { centredSquares } from '../compute/statistics.js';
import { everyTogether } from './pairLabels.js';
import { featureSums, type FeatureSums } from './pearson.js';
import type { Pairs } from './match.js';
import type { TokenSpan } from './spans.js';

export const ASSOCIATIONS = ['pearson', 'cosine', 'jaccard', 'phi', 'mutual-information'] as const;

/**
 * 'pearson' and 'cosine' are of activations, the others of firing or not: 'jaccard' is tokens on which both fire over
 * those on which one does, 'phi' is Pearson's r of firing, 'mutual-information' is in bits.
 */
export type Association = (typeof ASSOCIATIONS)[number];

/** Names of the measures in a map's `method`. */
export const ASSOCIATION_NAMES: Readonly<Record<Association, string>> = {
  pearson: 'Pearson r of activations',
  cosine: 'cosine of activations',
  jaccard: 'Jaccard index of firing',
  phi: 'phi of firing',
  'mutual-information': 'mutual information of firing (bits)',
};

/** Whether the measure is of firing or not, so that every activation counts as 1. */
export const isOfFiring = (by: Association): boolean => by !== 'pearson' && by !== 'cosine';

/** Tokens on which both fire over tokens on which one does. */
const jaccardOf = (both: number, a: number, b: number): number => both / (a + b - both);

/** Mutual information in bits of two events that occur `a` and `b` times, `both` times together, in `n` trials. */
export function mutualInformation(both: number, a: number, b: number, n: number): number {
  const cell = (count: number, row: number, column: number): number =>
    count > 0 ? (count / n) * Math.log2((count * n) / (row * column)) : 0;
  const sum =
    cell(both, a, b) + cell(a - both, a, n - b) + cell(b - both, n - a, b) + cell(n - a - b + both, n - a, n - b);
  // Independent events have 0, which rounding may miss.
  return Math.max(0, sum);
}

/**
 * What the search for best partners needs of a side. Features that never fire together have a cosine and a
 * Jaccard index of 0 and a mutual information that says nothing, so they are no counterparts; by phi and r they may be.
 */
export function associationSums(
  by: Association,
  statistics: FiringStatistics,
  tokens: number,
  usable: Uint8Array,
): FeatureSums {
  const { firings, sumSquares } = statistics;
  if (by === 'pearson') return featureSums(statistics, tokens, usable);
  const counts = Float64Array.from(firings);
  const ofFiring = featureSums({ ...statistics, sum: counts, sumSquares: counts }, tokens, usable);
  if (by === 'phi') return ofFiring;
  const plain = { ...ofFiring, quietest: new Int32Array(0) };
  if (by === 'cosine') {
    const sums = { ...plain, sum: new Float64Array(firings.length) };
    return { ...sums, inverseNorm: sumSquares.map((s, f) => (usable[f] && s > 0 ? 1 / Math.sqrt(s) : NaN)) };
  }
  const score = by === 'jaccard' ? jaccardOf : mutualInformation;
  // A feature that fires on every token has no r but a Jaccard index.
  const inverseNorm = counts.map((n, f) => (usable[f] && n > 0 ? 1 : NaN));
  return { ...plain, inverseNorm, score };
}

/** A span whose activations are all 1. */
export function ofFiring<S extends TokenSpan>(span: S): S {
  const ones = <T extends { values: Float32Array }>(of: T): T => ({ ...of, values: new Float32Array(of.values.length).fill(1) }); // prettier-ignore
  return {
    ...span,
    query: ones(span.query),
    base: ones(span.base),
    ...(span.columns ? { columns: ones(span.columns) } : {}),
  };
}

/** A pair by every measure. */
export interface PairAssociation {
  readonly a: number;
  readonly b: number;
  readonly firingsA: number;
  readonly firingsB: number;
  /** Tokens on which both fire. */
  readonly both: number;
  readonly pearson: number;
  readonly cosine: number;
  readonly jaccard: number;
  readonly phi: number;
  /** Bits. */
  readonly mutualInformation: number;
}

/** Every measure of the given pairs, in their order, in one pass; float64. NaN where a feature is dead or constant. */
export async function pairAssociations(
  a: SparseActivations,
  b: SparseActivations,
  pairs: Pick<Pairs, 'a' | 'b'>,
  call: CallOptions = {},
): Promise<PairAssociation[]> {
  const products = new Float64Array(pairs.a.length);
  const both = new Uint32Array(pairs.a.length);
  await everyTogether(a, b, pairs, { ...call, label: 'associations of pairs' }, (pair, _, valueA, valueB) => {
    products[pair] += valueA * valueB;
    both[pair]++;
  });
  const n = countedTokens(a.meta);
  const [sa, sb] = [a.statistics, b.statistics];
  return Array.from(pairs.a, (f, i) => {
    const g = pairs.b[i];
    const [na, nb, nab] = [sa.firings[f], sb.firings[g], both[i]];
    const norms = centredSquares(sa.sum[f], sa.sumSquares[f], n) * centredSquares(sb.sum[g], sb.sumSquares[g], n);
    const firing = centredSquares(na, na, n) * centredSquares(nb, nb, n);
    const live = na > 0 && nb > 0;
    return {
      ...{ a: f, b: g, firingsA: na, firingsB: nb, both: nab },
      pearson: norms > 0 ? (products[i] - (sa.sum[f] * sb.sum[g]) / n) / Math.sqrt(norms) : NaN,
      cosine: live ? products[i] / Math.sqrt(sa.sumSquares[f] * sb.sumSquares[g]) : NaN,
      jaccard: live ? jaccardOf(nab, na, nb) : NaN,
      phi: firing > 0 ? (nab - (na * nb) / n) / Math.sqrt(firing) : NaN,
      mutualInformation: live ? mutualInformation(nab, na, nb, n) : NaN,
    };
  });
}
