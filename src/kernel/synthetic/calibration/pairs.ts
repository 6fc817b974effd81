/** Maps between twins scored against truth: precision and recall of pairs by threshold, share of true pairs by r. */
import { filled } from '../../verb/filled.js';
import { Random } from '../../compute/random.js';
import type { Match, Pairs } from '../../correlation/match.js';
import { nulls as nullRuns } from '../../verb/common.js';
import type { NullsApart } from '../../verb/nulls.js';
import { numbers, real, type Given } from '../../verb/option.js';
import type { Relations } from '../twins/truth.js';

/** Pairs at or above a threshold, compared with the truth. */
export interface ThresholdRow {
  method: Match;
  /** Pairs with r ≥ this are kept. */
  threshold: number;
  pairs: number;
  /** Kept pairs that are true. */
  correct: number;
  /** correct / pairs; NaN without pairs. */
  precision: number;
  /** Features of B that are paired with a true counterpart / features of B that have one; NaN when none has. */
  recall: number;
  f1: number;
  /** Mean precision of the same B sides when the A sides of all pairs are shuffled. */
  nullPrecision: number;
  /** (k + 1)/(R + 1), k = shuffles with at least this precision. */
  p: number;
}

/** Pairs whose r lies in one bin: how many of them are true? */
export interface ReliabilityRow {
  method: Match;
  /** The bin: from ≤ r < to (the last takes r = to). */
  from: number;
  to: number;
  pairs: number;
  meanR: number;
  /** Share of true pairs, with the 95 % interval of Wilson. */
  share: number;
  low: number;
  high: number;
}

export interface MethodSummary {
  method: Match;
  /** Area under precision over recall as the threshold falls (average precision); NaN when no true pair exists. */
  averagePrecision: number;
  /** Threshold of the best F1 among all r, and precision and recall there. */
  bestThreshold: number;
  precision: number;
  recall: number;
  f1: number;
  pairs: number;
  /** True pairs that were found, by kind, of those there are. */
  found: { kind: string; found: number; of: number }[];
}

export interface PairScores {
  thresholds: ThresholdRow[];
  reliability: ReliabilityRow[];
  summary: MethodSummary;
}

/** How matched pairs are held against the truth. */
export const SCORED = {
  thresholds: numbers({
    doc: 'Of r, that pairs are held to.',
    usual: Array.from({ length: 20 }, (_, i) => i / 20),
    fallback: '0, 0.05, … 0.95',
  }),
  bin: real({ doc: 'Width of the bins of r from 0 to 1; one more holds r < 0.', above: 0, max: 1, usual: 0.1 }),
  nulls: nullRuns({ doc: 'Shuffles of the pairs that their precision is held against.', runs: 100 }),
};
export interface ScorePairsOptions extends NullsApart<Given<typeof SCORED>> {}

/** 0, 0.05, … 0.95. */

/** 95 % interval of a share k/n (Wilson's): it stays inside 0 … 1 and means something at 0 and n. */
export function wilson(k: number, n: number): { low: number; high: number } {
  if (n === 0) return { low: 0, high: 1 };
  const z = 1.959963984540054;
  const share = k / n;
  const scale = 1 + (z * z) / n;
  const middle = (share + (z * z) / (2 * n)) / scale;
  const half = (z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))) / scale;
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

const f1Of = (precision: number, recall: number): number =>
  precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;

/** Matched pairs of one method against the truth. Each feature of B may occur once, as the matchers give it. */
export function scorePairs(pairs: Pairs, truth: Relations, method: Match, options: ScorePairsOptions = {}): PairScores {
  const { runs, seed: from } = SCORED.nulls.members;
  const { thresholds, bin, nulls = runs.usual, seed = from.usual } = filled(SCORED, options);
  if (new Set(pairs.b).size !== pairs.b.length)
    throw new RangeError('a feature of B occurs in two pairs; expected at most one pair for each feature of B');
  const order = Array.from(pairs.r.keys()).sort((i, j) => pairs.r[j] - pairs.r[i] || pairs.b[i] - pairs.b[j]);
  const right = order.map((i) => truth.kind(pairs.a[i], pairs.b[i]) !== undefined);
  const r = order.map((i) => pairs.r[i]);
  const nullCounts = shuffledCounts(pairs, order, truth, nulls, seed);
  return {
    thresholds: thresholds.map((threshold) => atThreshold(threshold, r, right, nullCounts, truth, method)),
    reliability: reliability(r, right, bin, method),
    summary: summary(pairs, order, right, truth, method),
  };
}

/** Number of leading entries of descending r that are ≥ threshold. */
function keptAt(r: readonly number[], threshold: number): number {
  let low = 0;
  let high = r.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (r[middle] >= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

const countTrue = (right: readonly boolean[], n: number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) if (right[i]) sum++;
  return sum;
};

/**
 * By run: number of true pairs among the first `kept` when the A sides of all pairs are shuffled. All, not those kept:
 * a list of one pair shuffled within itself would be right by construction.
 */
function shuffledCounts(
  pairs: Pairs,
  order: readonly number[],
  truth: Relations,
  nulls: number,
  seed: number,
): (kept: number) => number[] {
  const random = new Random(seed).fork('shuffled pairs');
  const runs = Array.from({ length: nulls }, () => {
    const permutation = new Random(random.int(2 ** 31)).permutation(order.length);
    const down = new Uint32Array(order.length + 1);
    for (let i = 0; i < order.length; i++) {
      const hit = truth.kind(pairs.a[order[permutation[i]]], pairs.b[order[i]]) !== undefined;
      down[i + 1] = down[i] + (hit ? 1 : 0);
    }
    return down;
  });
  return (kept) => runs.map((down) => down[kept]);
}

function atThreshold(
  threshold: number,
  r: readonly number[],
  right: readonly boolean[],
  nullCounts: (kept: number) => number[],
  truth: Relations,
  method: Match,
): ThresholdRow {
  const kept = keptAt(r, threshold);
  const correct = countTrue(right, kept);
  const precision = correct / kept;
  const recall = correct / truth.findable.length;
  const counts = nullCounts(kept);
  const reached = counts.filter((c) => c >= correct).length;
  return {
    method,
    threshold,
    pairs: kept,
    correct,
    precision,
    recall,
    f1: f1Of(precision, recall),
    nullPrecision: counts.reduce((sum, c) => sum + c, 0) / counts.length / kept,
    p: (reached + 1) / (counts.length + 1),
  };
}

function reliability(r: readonly number[], right: readonly boolean[], bin: number, method: Match): ReliabilityRow[] {
  const bins = Math.ceil(1 / bin - 1e-9);
  const rows: ReliabilityRow[] = [];
  for (let b = -1; b < bins; b++) {
    const [from, to] = b < 0 ? [-1, 0] : [b * bin, Math.min(1, (b + 1) * bin)];
    const inside = Array.from(r.keys()).filter((i) => r[i] >= from && (r[i] < to || b === bins - 1));
    if (inside.length === 0) continue;
    const correct = inside.filter((i) => right[i]).length;
    rows.push({
      method,
      from: Number(from.toFixed(6)),
      to: Number(to.toFixed(6)),
      pairs: inside.length,
      meanR: inside.reduce((sum, i) => sum + r[i], 0) / inside.length,
      share: correct / inside.length,
      ...wilson(correct, inside.length),
    });
  }
  return rows;
}

function summary(
  pairs: Pairs,
  order: readonly number[],
  right: readonly boolean[],
  truth: Relations,
  method: Match,
): MethodSummary {
  const findable = truth.findable.length;
  let best = { f1: -1, threshold: NaN, precision: NaN, recall: NaN };
  let correct = 0;
  let area = 0;
  for (let end = 0; end < order.length;) {
    // Pairs of equal r are taken together: no threshold separates them.
    const threshold = pairs.r[order[end]];
    const before = correct;
    while (end < order.length && pairs.r[order[end]] === threshold) if (right[end++]) correct++;
    const precision = correct / end;
    const recall = correct / findable;
    area += ((correct - before) / findable) * precision;
    const f1 = f1Of(precision, recall);
    if (f1 > best.f1) best = { f1, threshold, precision, recall };
  }
  const kinds = ['one-to-one', 'split', 'absorbed'] as const;
  const foundKinds = order.map((i) => truth.kind(pairs.a[i], pairs.b[i]));
  return {
    method,
    averagePrecision: findable > 0 ? area : NaN,
    bestThreshold: best.threshold,
    precision: best.precision,
    recall: best.recall,
    f1: Math.max(0, best.f1),
    pairs: order.length,
    found: kinds.map((kind) => ({
      kind,
      found: foundKinds.filter((k) => k === kind).length,
      of: truth.countOf(kind),
    })),
  };
}
