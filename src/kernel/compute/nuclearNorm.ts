/**
 * The sum of a matrix's singular values in float32, from matrix products only. M is driven towards its orthogonal
 * factor X by odd polynomials of degree five, each the best one for the interval that then holds the singular values
 * (Amsel et al. 2025, arXiv 2505.16932); the sum is then ⟨M, X⟩. Once the interval is not too long for float32, S = X
 * Xᵀ and Y = M Xᵀ take the place of X: p × p products, of which the last step, of degree nine, needs two, since only
 * its trace is used. A singular value below the interval is counted too small, by at most the interval's lower end, and
 * in practice by far less.
 */
import { breathe } from './call.js';
import { gemm, transposed } from './gemm.js';
import { largestOf, powerBelow } from './matrix.js';
import { bestOdd } from './bestOdd.js';

/** Singular values below this share of the upper bound are treated as small: intervals begin no lower. */
export const LOWEST = 1e-3;
/** From here on squares of singular values keep enough digits in float32. */
export const SQUARES_FROM = 0.03;
/**
 * Lower end of the interval from which on the last step is taken: its error is then below 1e-3 of a value, and far less
 * of the sum.
 */
export const LAST_FROM = 0.6;
/**
 * The last step counts as converged when degrees nine and seven agree to this share of the sum: the error of degree
 * nine is a tenth of that or less.
 */
export const CONVERGED = 1e-5;
/**
 * Lower end of the longer interval that is taken when they do not agree: the guess of the smallest value was too high.
 */
export const LENGTHENED = 0.2;
export const MOST_STEPS = 16;
/** Coefficients of a step, and of the last one. */
const STEP = 3;
const LAST = 5;

function inner(a: Float32Array, b: Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= a.length; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + s2 + s3;
}

function times(a: Float32Array, by: number, out: Float32Array = new Float32Array(a.length)): Float32Array {
  for (let i = 0; i < a.length; i++) out[i] = a[i] * by;
  return out;
}

/** Square matrices of one size, in memory that is used again. */
class Squares {
  readonly #free: Float32Array[] = [];

  constructor(readonly p: number) {}

  times(a: Float32Array, b: Float32Array): Float32Array {
    const { p } = this;
    return gemm(a, b, p, p, p, { out: this.#free.pop() ?? new Float32Array(p * p) });
  }

  done(matrix: Float32Array): void {
    this.#free.push(matrix);
  }

  trace(a: Float32Array): number {
    let sum = 0;
    for (let i = 0; i < a.length; i += this.p + 1) sum += a[i];
    return sum;
  }
}

/**
 * Σ of the singular values of m [p × q]. About 1e-7 of the sum where they spread evenly, 1e-5 of the largest a value at
 * worst; the same bits for the same matrix. `lowest`: a guess of the smallest singular value, which only saves steps.
 * @throws RangeError on entries that are not finite
 */
export async function nuclearNorm(given: Float32Array, p: number, q: number, lowest = 0): Promise<number> {
  if (given.length === 0) return 0;
  const size = powerBelow(largestOf(given));
  // A copy only where squares of squares could leave float32.
  const scale = size > 1e-3 && size < 1e3 ? 1 : size;
  const scaled = scale === 1 ? given : times(given, 1 / scale);
  const m = p <= q ? scaled : transposed(scaled, p, q);
  const wide = { m, p: Math.min(p, q), q: Math.max(p, q) };
  const squares = new Squares(wide.p);
  const R = gemm(m, m, wide.p, wide.p, wide.q, { transB: true });
  const squared = squares.trace(R);
  if (squared === 0) return 0;
  if (!Number.isFinite(squared))
    throw new RangeError(`nuclearNorm: the ${p} × ${q} matrix has entries that are not finite`);
  const R2 = squares.times(R, R);
  const R4 = squares.times(R2, R2);
  // (Σ σ¹⁶)^(1/16) is above every σ, and rarely far above; a little more, since it was rounded.
  const unit = 1.001 * inner(R4, R4) ** (1 / 16);
  squares.done(R4);
  const S = times(R, unit ** -2, R);
  const S2 = times(R2, unit ** -4, R2);
  const low = lowEnd(lowest, unit * scale);
  const state = low < SQUARES_FROM ? await shortened(wide, { S, S2, Y: S, low }, unit, squares) : { S, S2, Y: S, low };
  return (await rootTrace(state, squares)) * unit * scale;
}

/**
 * State of the iteration: S = X Xᵀ of singular values in [low, 1], S2 its square, Y = M Xᵀ / unit. All are overwritten.
 */
interface Squared {
  S: Float32Array;
  S2: Float32Array;
  Y: Float32Array;
  low: number;
}

/** The polynomial a + b·S + c·S² of a step, and the lower end of the interval after it. */
export function stepFrom(low: number): { a: number; b: number; c: number; low: number } {
  const { coefficients, error } = bestOdd(low, STEP);
  // Scaled so that the interval ends at 1 again.
  const top = 1 + Math.max(error, 1e-6);
  const [a, b, c] = coefficients.map((v) => v / top);
  return { a, b, c, low: (1 - error) / top };
}

/** Writes the polynomial of a step over S2; returns the lower end of the interval after it. */
function step(S: Float32Array, S2: Float32Array, from: number, p: number): number {
  const { a, b, c, low } = stepFrom(from);
  for (let i = 0; i < S2.length; i++) S2[i] = b * S[i] + c * S2[i];
  for (let i = 0; i < p; i++) S2[i * p + i] += a;
  return low;
}

/** The lower end of the interval of singular values that a guess of the smallest gives; `unit` is above the largest. */
export const lowEnd = (lowest: number, unit: number): number => Math.max(LOWEST, Math.min(0.9, (0.8 * lowest) / unit));

/** Takes steps with X itself until its squares keep enough digits. */
async function shortened(
  { m, p, q }: { m: Float32Array; p: number; q: number },
  { S, S2, low }: Squared,
  unit: number,
  squares: Squares,
): Promise<Squared> {
  let X = times(m, 1 / unit);
  while (low < SQUARES_FROM) {
    low = step(S, S2, low, p);
    X = gemm(S2, X, p, q, p);
    await breathe();
    S = gemm(X, X, p, p, q, { transB: true, out: S });
    squares.done(S2);
    S2 = squares.times(S, S);
  }
  return { S, S2, Y: times(gemm(m, X, p, p, q, { transB: true }), 1 / unit), low };
}

/** ⟨M, X⟩ / unit after the last step. */
async function rootTrace({ S, S2, Y, low }: Squared, squares: Squares): Promise<number> {
  for (let steps = 0; ; steps++) {
    if (low >= LAST_FROM) {
      const { sum, error } = lastStep(Y, S, S2, low, squares);
      if (error <= CONVERGED * sum || steps >= MOST_STEPS) return sum;
      if (low > 0.9) low = LENGTHENED;
    }
    low = step(S, S2, low, squares.p);
    const HS = squares.times(S2, S);
    const next = Y === S ? HS : squares.times(S2, Y);
    if (Y !== S) squares.done(Y);
    squares.done(S);
    S = squares.times(HS, S2);
    if (next !== HS) squares.done(HS);
    Y = next;
    squares.done(S2);
    S2 = squares.times(S, S);
    await breathe();
  }
}

/** tr(Y f(S)) for f(S) near S^(-½) on [low², 1], of degree four in S, and how far that of degree three is from it. */
function lastStep(
  Y: Float32Array,
  S: Float32Array,
  S2: Float32Array,
  low: number,
  squares: Squares,
): { sum: number; error: number } {
  const YS2 = squares.times(Y, S2);
  const traces = [squares.trace(Y), inner(Y, S), inner(Y, S2), inner(YS2, S), inner(YS2, S2)];
  squares.done(YS2);
  return sumOfTraces(traces, low);
}

/** Σ of singular values in [low, 1] from the traces of Y·S^i, i = 0 … 4, and how far that of one degree less is from it. */
export function sumOfTraces(traces: readonly number[], low: number): { sum: number; error: number } {
  const by = (terms: number): number => bestOdd(low, terms).coefficients.reduce((s, c, i) => s + c * traces[i], 0);
  const sum = by(LAST);
  return { sum, error: Math.abs(sum - by(LAST - 1)) };
}
