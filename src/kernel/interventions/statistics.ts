/**
 * Paired tests over sequences. Tokens of one sequence are not independent, so a sequence is the unit: each gives one
 * mean difference. Sources: Student's t and Wilcoxon's signed ranks as in scipy.stats (ttest_rel, wilcoxon), Benjamini
 * and Hochberg 1995, permutation p = (k + 1)/(R + 1).
 */
import { Random } from '../compute/random.js';
import { studentP } from '../compute/student.js';
import { averageRanks, moments, pearson, spearman } from '../compute/statistics.js';

/** Two-sided p of a standard normal z: erfc(|z| / √2). */
export function normalP(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  if (x < 2) {
    // erf by its series.
    let term = x;
    let sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return Math.min(1, Math.max(0, 1 - (2 / Math.sqrt(Math.PI)) * sum));
  }
  // erfc by its continued fraction, from the back.
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

export interface PairedT {
  /** Mean difference / its standard error; NaN where every difference is 0. */
  t: number;
  /** Two-sided; 1 where every difference is 0, NaN with fewer than 2. */
  p: number;
  /** Mean / standard deviation of the differences (Cohen's d_z). */
  effectSize: number;
  n: number;
}

/** Paired t-test of differences against 0. */
export function pairedT(differences: ArrayLike<number>): PairedT {
  const { n, mean, squares } = moments(differences);
  if (n < 2) return { t: NaN, p: NaN, effectSize: NaN, n };
  if (mean === 0 && squares === 0) return { t: NaN, p: 1, effectSize: 0, n };
  const effectSize = mean / Math.sqrt(squares / (n - 1));
  const t = effectSize * Math.sqrt(n);
  return { t, p: studentP(t, n - 1), effectSize, n };
}

/** Most differences for which signed ranks are tested exactly. */
const EXACT = 50;

/**
 * Wilcoxon's signed-rank test of differences against 0, two-sided. Zeros are left out (scipy's "wilcox"). Up to 50
 * differences the distribution over all signs is exact, ties included; above that it is the normal approximation with
 * its correction for ties.
 */
export function wilcoxon(differences: ArrayLike<number>): { p: number; n: number } {
  const kept = Array.from(differences).filter((d) => d !== 0);
  const n = kept.length;
  if (n === 0) return { p: differences.length > 0 ? 1 : NaN, n };
  const ranks = averageRanks(kept.map(Math.abs));
  let plus = 0;
  for (let i = 0; i < n; i++) if (kept[i] > 0) plus += ranks[i];
  const total = (n * (n + 1)) / 2;
  const smaller = Math.min(plus, total - plus);
  if (n <= EXACT) return { p: Math.min(1, 2 * exactTail(ranks, smaller)), n };
  let squares = 0;
  for (const rank of ranks) squares += rank * rank;
  return { p: normalP((smaller - total / 2) / Math.sqrt(squares / 4)), n };
}

/** P(sum of a random subset of the ranks ≤ bound); twice an average rank is whole. */
function exactTail(ranks: Float64Array, bound: number): number {
  const top = Math.round(2 * bound);
  // Probabilities, not counts: 2^50 subsets fit a float64, but their sums need not.
  const share = new Float64Array(top + 1);
  share[0] = 1;
  for (const rank of ranks) {
    const step = Math.round(2 * rank);
    for (let s = top; s >= 0; s--) share[s] = 0.5 * (share[s] + (s >= step ? share[s - step] : 0));
  }
  return share.reduce((a, b) => a + b, 0);
}

/** Differences up to which all 2^n sign patterns are taken instead of random ones. */
const ALL_SIGNS = 12;

/** Sign patterns for sign-flip tests of n differences: all 2^n of them where n ≤ 12, else `runs` random ones. */
export class SignFlips {
  readonly exact: boolean;
  readonly runs: number;
  private readonly signs: Int8Array;

  constructor(
    private readonly n: number,
    runs: number,
    seed: number,
  ) {
    this.exact = n <= ALL_SIGNS;
    this.runs = this.exact ? 2 ** n : runs;
    this.signs = new Int8Array(this.runs * n);
    const random = new Random(seed).fork('sign flips');
    for (let r = 0; r < this.runs; r++)
      for (let i = 0; i < n; i++)
        this.signs[r * n + i] = (this.exact ? (r >> i) & 1 : random.bits() >>> 31) === 1 ? -1 : 1;
  }

  /**
   * Two-sided p of |Σ differences|: the share of all patterns that reach it, or (k + 1)/(R + 1) of random ones.
   */
  p(differences: ArrayLike<number>): number {
    const { n, runs, signs } = this;
    if (n === 0) return NaN;
    let sum = 0;
    let size = 0;
    for (let i = 0; i < n; i++) {
      sum += differences[i];
      size += Math.abs(differences[i]);
    }
    const bar = Math.abs(sum) - 1e-12 * size;
    let reached = 0;
    for (let r = 0; r < runs; r++) {
      let flipped = 0;
      for (let i = 0; i < n; i++) flipped += signs[r * n + i] * differences[i];
      if (Math.abs(flipped) >= bar) reached++;
    }
    return this.exact ? reached / runs : (reached + 1) / (runs + 1);
  }
}

/** p adjusted by Benjamini and Hochberg's step-up procedure, in the order given; NaN stays NaN and is not counted. */
export function benjaminiHochberg(p: ArrayLike<number>): Float64Array {
  const adjusted = new Float64Array(p.length).fill(NaN);
  const order = Array.from({ length: p.length }, (_, i) => i)
    .filter((i) => !Number.isNaN(p[i]))
    .sort((i, j) => p[j] - p[i]);
  let least = 1;
  order.forEach((i, k) => {
    least = Math.min(least, (p[i] * order.length) / (order.length - k));
    adjusted[i] = least;
  });
  return adjusted;
}

/** Two rankings of the same things beside the null of shuffled ranks. */
export interface RankAgreement {
  /** Spearman's rank correlation; NaN where a side has no order: all its values are equal, or one is NaN. */
  rho: number;
  /** Things ranked. */
  n: number;
  /** One-sided: (k + 1)/(R + 1), k = shuffles whose correlation reaches rho. NaN with rho: nothing was tested. */
  p: number;
  runs: number;
  seed: number;
}

/** Spearman's correlation with a permutation p, `runs` shuffles by `seed`. */
export function rankAgreement(a: ArrayLike<number>, b: ArrayLike<number>, runs: number, seed: number): RankAgreement {
  const rho = spearman(a, b);
  if (Number.isNaN(rho)) return { rho, n: a.length, p: NaN, runs, seed };
  const ra = averageRanks(a);
  const rb = averageRanks(b);
  const random = new Random(seed).fork('rank agreement');
  let reached = 0;
  for (let r = 0; r < runs; r++) {
    random.shuffle(rb);
    if (pearson(ra, rb) >= rho - 1e-12) reached++;
  }
  return { rho, n: a.length, p: (reached + 1) / (runs + 1), runs, seed };
}

/** p of a score beside null runs: (k + 1)/(R + 1), k = runs that reach the value. */
export function nullP(value: number, nulls: ArrayLike<number>): number {
  let reached = 0;
  for (let i = 0; i < nulls.length; i++) if (!(nulls[i] < value)) reached++;
  return (reached + 1) / (nulls.length + 1);
}
