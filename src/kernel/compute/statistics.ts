/**
 * Means, variances, ranks and correlations of vectors, in float64: the one place where they are summed. Equal values
 * have variance exactly 0 here, whatever the rounding of their sum, so that a constant correlates with nothing (NaN)
 * instead of with its own rounding.
 */

/** Count, mean and Σ (x − mean)² of values. */
export interface Moments {
  n: number;
  /** NaN of no values. */
  mean: number;
  /** Exactly 0 where all values are equal. */
  squares: number;
}

/** Whether all values are the same number; false with a NaN among them. */
function allEqual(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (values[i] !== values[0]) return false;
  return true;
}

/** Σ x / n; NaN of no values. */
export function mean(values: ArrayLike<number>): number {
  const n = values.length;
  // Rounded, the sum of n equal values over n is often another number: 3 × 0.1 / 3 is more than 0.1.
  if (n > 0 && allEqual(values)) return values[0];
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i];
  return sum / n;
}

/** Two passes: the mean, then Σ (x − mean)². */
export function moments(values: ArrayLike<number>): Moments {
  const n = values.length;
  const centre = mean(values);
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i] - centre) ** 2;
  return { n, mean: centre, squares };
}

/** Mean and population standard deviation (n in the divisor), as null runs are summarised; NaN of no values. */
export function meanAndStd(values: ArrayLike<number>): { mean: number; std: number } {
  const { n, mean, squares } = moments(values);
  return { mean, std: Math.sqrt(squares / n) };
}

/** Below this share of Σ x², the rest Σ (x − x̄)² is rounding, not variance. */
const CONSTANT = 1e-10;

/**
 * Σ (x − x̄)² of n values from their Σ x and Σ x², zeros included among the n. Exactly 0 where the difference is below
 * 1e-10 Σ x², which is rounding: a feature that fires on every token with one value does not vary.
 */
export function centredSquares(sum: number, sumSquares: number, n: number): number {
  const centred = sumSquares - (sum * sum) / n;
  return centred > CONSTANT * sumSquares ? centred : 0;
}

/** The middle value, or the mean of the two middle ones; NaN of no values or with a NaN among them. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  if (sorted.length === 0 || Number.isNaN(sorted[sorted.length - 1])) return NaN;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Ranks from 1; ties get their average rank (scipy.stats.rankdata). */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[i] - values[j] || i - j);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let k = from; k < to; k++) ranks[order[k]] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

/** Sizes of Σ x² Σ y² between which neither overflows nor loses digits. */
const [SMALLEST, LARGEST] = [1e-280, 1e280];

/** Values minus `shift`, divided by their largest absolute value. */
function scaled(values: ArrayLike<number>, shift: number): Float64Array {
  const centred = Float64Array.from(values, (v) => v - shift);
  const most = centred.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return centred.map((v) => v / most);
}

/** Σ (x − ma)(y − mb) / √(Σ (x − ma)² Σ (y − mb)²), from −1 to 1. */
function normalised(a: ArrayLike<number>, b: ArrayLike<number>, ma: number, mb: number): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] - ma, b[i] - mb];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  const size = aa * bb;
  if (size > SMALLEST && size < LARGEST) return Math.max(-1, Math.min(1, ab / Math.sqrt(size)));
  // Values below 1e-70 or above 1e70, or NaN: at another scale their squares are numbers.
  const [x, y] = [scaled(a, ma), scaled(b, mb)];
  return Number.isFinite(x[0] + y[0]) ? normalised(x, y, 0, 0) : NaN;
}

/** Σ x y / √(Σ x² Σ y²), without centring; NaN where a side is 0 everywhere or has a NaN. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requirePairs(a, b);
  return normalised(a, b, 0, 0);
}

function requirePairs(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length)
    throw new RangeError(`a correlation is of pairs but got ${a.length} and ${b.length} values; give as many of each`);
}

/**
 * Pearson's correlation of two vectors of one length; NaN where a side is constant, has fewer than 2 values or one that
 * is not finite.
 * @throws RangeError on different lengths.
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requirePairs(a, b);
  if (allEqual(a) || allEqual(b)) return NaN;
  return normalised(a, b, mean(a), mean(b));
}

/** Spearman's rank correlation (ties get average ranks); NaN where a side has no order: all values equal, or a NaN. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const missing = (values: ArrayLike<number>): boolean => Array.prototype.some.call(values, Number.isNaN);
  return missing(a) || missing(b) ? NaN : pearson(averageRanks(a), averageRanks(b));
}
