/** Intervals of scores: how far a score would move with other units of the same kind. */
import type { Random } from '../compute/random.js';

/** A bootstrap interval of a score. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Its level, such as 0.95. */
  readonly level: number;
  /** Draws that it was made of. */
  readonly runs: number;
}

/** Default level and number of draws of intervals. */
export const INTERVAL = { level: 0.95, runs: 500 } as const;

/** The q-quantile of sorted values, between the two nearest (numpy's default). */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

/** The middle `level` of some draws; NaN of none, or with a NaN among them. */
export function intervalOf(draws: Float64Array, level: number): Interval {
  const sorted = draws.slice().sort();
  const [low, high] = draws.length === 0 || draws.some(Number.isNaN) ? [NaN, NaN] : [(1 - level) / 2, (1 + level) / 2].map((q) => quantile(sorted, q)); // prettier-ignore
  return { low, high, level, runs: draws.length };
}

/**
 * Percentile bootstrap: `score` of n units drawn with replacement, given as how often each was drawn.
 * @param n units: pairs, features, sequences
 */
export function bootstrap(
  n: number,
  score: (times: Uint32Array) => number,
  random: Random,
  { level, runs }: { level: number; runs: number } = INTERVAL,
): Interval {
  const draws = new Float64Array(n > 0 ? runs : 0);
  const times = new Uint32Array(n);
  for (let run = 0; run < draws.length; run++) {
    times.fill(0);
    for (let i = 0; i < n; i++) times[random.int(n)]++;
    draws[run] = score(times);
  }
  return intervalOf(draws, level);
}

/** The same for a mean of values, one a unit. */
export const bootstrapMean = (values: ArrayLike<number>, random: Random, of = INTERVAL): Interval =>
  bootstrap(
    values.length,
    (times) => {
      let sum = 0;
      for (let i = 0; i < times.length; i++) sum += times[i] * values[i];
      return sum / times.length;
    },
    random,
    of,
  );
