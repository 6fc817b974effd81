/** A score beside its null distribution. */
import { meanAndStd } from '../compute/statistics.js';
import type { SimilarityScore } from './types.js';

/**
 * Null values within this of the score count as reaching it: where every pairing scores the same (CCA with n ≤ d), the
 * last bits of a sum would otherwise decide p (large null runs are summed in float32).
 */
const TIE = 1e-6;

/**
 * Mean, population standard deviation and maximum of the null runs, and p = (k + 1) / (R + 1) with k = runs that reach
 * the value. R = 0 gives NaN statistics and p = 1.
 */
export function besideNull(
  value: number,
  nullValues: ArrayLike<number>,
  about: Pick<SimilarityScore, 'metric' | 'variant' | 'n' | 'seed' | 'warning'> & { kind: string },
): SimilarityScore {
  const runs = nullValues.length;
  let reached = 0;
  let max = NaN;
  for (let i = 0; i < runs; i++) {
    const v = nullValues[i];
    if (!(v < value - TIE)) reached++;
    if (!(v <= max)) max = v;
  }
  const { kind, ...rest } = about;
  return {
    ...rest,
    value,
    null: { kind, runs, ...meanAndStd(nullValues), max },
    p: (reached + 1) / (runs + 1),
  };
}
