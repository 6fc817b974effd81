/**
 * Logistic regression with an L2 penalty, scikit-learn's objective (LogisticRegression, lbfgs): over weights w and an
 * intercept b that is not penalised,
 *
 *   ½‖w‖² + C Σ_i log(1 + exp(−y_i(w·x_i + b))),   y_i = ±1.
 *
 * Newton steps, each solved by conjugate gradients: the same code serves one feature and a thousand, in float64.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';

/** n rows of d numbers. */
export interface Rows {
  readonly n: number;
  readonly d: number;
  readonly data: Float64Array;
}

export interface Logistic {
  /** [d] */
  readonly weights: Float64Array;
  readonly intercept: number;
}

const MOST_STEPS = 100;
/** Ends when the gradient is this small against that of the start. */
const TOLERANCE = 1e-10;

/** w·x + b of every row; `p` is [w, b]. */
function scores({ n, d, data }: Rows, p: Float64Array): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0, at = 0; i < n; i++) {
    let sum = p[d];
    for (let j = 0; j < d; j++, at++) sum += p[j] * data[at];
    out[i] = sum;
  }
  return out;
}

/** Σ_i c_i [x_i, 1] */
function combined({ n, d, data }: Rows, c: Float64Array): Float64Array {
  const out = new Float64Array(d + 1);
  for (let i = 0, at = 0; i < n; i++) {
    const by = c[i];
    for (let j = 0; j < d; j++, at++) out[j] += by * data[at];
    out[d] += by;
  }
  return out;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i], 0);

/** log(1 + exp(−m)) without overflow. */
const softplus = (m: number): number => (m > 0 ? Math.log1p(Math.exp(-m)) : -m + Math.log1p(Math.exp(m)));

/**
 * The minimum, with the whole of the gradient below 1e-10 of where it began.
 * @param y 1 for rows of the class, 0 for others; both occur
 * @throws RangeError where one of them does not
 */
export async function logisticRegression(
  x: Rows,
  y: Uint8Array,
  { C = 1, signal }: { C?: number } & CallOptions = {},
): Promise<Logistic> {
  const { d } = x;
  if (!y.includes(0) || !y.includes(1))
    throw new RangeError(`a classifier needs rows of both classes, but all ${y.length} are of one`);
  let p = new Float64Array(d + 1);
  let z = scores(x, p);
  const penalty = (q: Float64Array): number => dot(q, q) - q[d] * q[d];
  const lossOf = (q: Float64Array, s: Float64Array): number =>
    0.5 * penalty(q) + C * s.reduce((sum, v, i) => sum + softplus(y[i] ? v : -v), 0);
  let loss = lossOf(p, z);
  let first: number | undefined;
  for (let step = 0; step < MOST_STEPS; step++) {
    checkAborted(signal, 'logistic regression');
    const chance = z.map((v) => 1 / (1 + Math.exp(-v)));
    const gradient = combined(x, chance.map((v, i) => C * (v - y[i]))); // prettier-ignore
    for (let j = 0; j < d; j++) gradient[j] += p[j];
    const size = Math.sqrt(dot(gradient, gradient));
    first ??= size;
    if (size <= TOLERANCE * first) break;
    const curvature = chance.map((v) => C * v * (1 - v));
    const along = newtonStep(x, curvature, gradient, Math.min(0.1, Math.sqrt(size / first)));
    const slope = dot(gradient, along);
    let length = 1;
    let next = p;
    let tried = loss;
    // Halved until the loss falls by a part of what the slope promises (Armijo).
    for (; length > 1e-12; length /= 2) {
      const by = length;
      next = p.map((v, j) => v + by * along[j]);
      z = scores(x, next);
      tried = lossOf(next, z);
      if (tried <= loss + 1e-4 * length * slope) break;
    }
    if (length <= 1e-12) {
      // No step improves the loss any more: the rest of the gradient is rounding.
      z = scores(x, p);
      break;
    }
    [p, loss] = [next, tried];
    await breathe();
  }
  return { weights: p.subarray(0, d), intercept: p[d] };
}

/** −H⁻¹ g by conjugate gradients, to `tolerance` of ‖g‖: H = XᵀDX with the penalty, never made. */
function newtonStep(x: Rows, curvature: Float64Array, gradient: Float64Array, tolerance: number): Float64Array {
  const { d } = x;
  const times = (v: Float64Array): Float64Array => {
    const out = combined(x, scores(x, v).map((s, i) => s * curvature[i])); // prettier-ignore
    for (let j = 0; j < d; j++) out[j] += v[j];
    return out;
  };
  const solution = new Float64Array(d + 1);
  const residual = gradient.map((g) => -g);
  let direction = residual.slice();
  let square = dot(residual, residual);
  const enough = tolerance * tolerance * square;
  for (let step = 0; step < 4 * (d + 1) && square > enough; step++) {
    const h = times(direction);
    const curve = dot(direction, h);
    if (!(curve > 0)) break;
    const by = square / curve;
    for (let j = 0; j <= d; j++) {
      solution[j] += by * direction[j];
      residual[j] -= by * h[j];
    }
    const next = dot(residual, residual);
    const turn = next / square;
    direction = residual.map((r, j) => r + turn * direction[j]);
    square = next;
  }
  return solution;
}

export interface Judged {
  accuracy: number;
  /** 2·TP / (2·TP + FP + FN); 0 without a true positive. */
  f1: number;
}

/** Which rows it takes for the class: w·x + b > 0. */
export function predicted(x: Rows, { weights, intercept }: Logistic): Uint8Array {
  const p = new Float64Array(x.d + 1);
  p.set(weights);
  p[x.d] = intercept;
  return Uint8Array.from(scores(x, p), (z) => (z > 0 ? 1 : 0));
}

/** How well the classifier does on rows. */
export function judged(x: Rows, y: Uint8Array, model: Logistic): Judged {
  const said = predicted(x, model);
  let right = 0;
  let truePositives = 0;
  let taken = 0;
  let positives = 0;
  said.forEach((one, i) => {
    if (one === y[i]) right++;
    truePositives += one & y[i];
    taken += one;
    positives += y[i];
  });
  return { accuracy: right / x.n, f1: truePositives === 0 ? 0 : (2 * truePositives) / (taken + positives) };
}
