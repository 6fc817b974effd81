/** Intervals of scores: how far a score would move with other units of the same kind. */
import type { Random } from '../compute/random.js';
import { plainNumber } from '../verb/remember.js';

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

/** An interval in JSON; null where there is none. */
export type PlainInterval = Omit<Interval, 'low' | 'high'> & Record<'low' | 'high', number | string>;

export const plainInterval = (of: Interval | undefined): PlainInterval | null =>
  of === undefined ? null : { ...of, low: plainNumber(of.low), high: plainNumber(of.high) };

export const readInterval = (of: PlainInterval | null): Interval | undefined =>
  of === null ? undefined : { ...of, low: Number(of.low), high: Number(of.high) };

/** How intervals are drawn. */
export interface Draws {
  level: number;
  runs: number;
  /** Different units that a score needs; a draw with fewer is drawn again. Default 1. */
  least?: number;
}

/** Draws n units with replacement until `least` of them are different. */
function drawUnits(times: Uint32Array, random: Random, least: number): void {
  for (let different = 0; different < least;) {
    times.fill(0);
    different = 0;
    for (let i = 0; i < times.length; i++) if (times[random.int(times.length)]++ === 0) different++;
  }
}

/**
 * Percentile bootstrap: `score` of n units drawn with replacement, given as how often each was drawn. Fewer units than
 * `least` have no interval: NaN, of 0 draws.
 * @param n units: pairs, features, sequences
 */
export function bootstrap(
  n: number,
  score: (times: Uint32Array) => number,
  random: Random,
  { level, runs, least = 1 }: Draws = INTERVAL,
): Interval {
  const draws = new Float64Array(n >= least ? runs : 0);
  const times = new Uint32Array(n);
  for (let run = 0; run < draws.length; run++) {
    drawUnits(times, random, least);
    draws[run] = score(times);
  }
  return intervalOf(draws, level);
}

/** The same for a mean of values, one a unit. */
export const bootstrapMean = (values: ArrayLike<number>, random: Random, of: Draws = INTERVAL): Interval =>
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

/** The same for a mean over all values of units that have several each; units without values do not count. */
export function bootstrapGroups(
  groups: ReadonlyArray<readonly number[]>,
  random: Random,
  of: Draws = INTERVAL,
): Interval {
  // prettier-ignore
  const units = groups.filter((values) => values.length > 0);
  const sums = units.map((values) => values.reduce((sum, v) => sum + v, 0));
  return bootstrap(
    units.length,
    (times) => {
      let [sum, n] = [0, 0];
      times.forEach((t, u) => {
        sum += t * sums[u];
        n += t * units[u].length;
      });
      return sum / n;
    },
    random,
    of,
  );
}
