/** The space that clusterers work in: points, a metric, and float64 distances behind float32 products. */
import { matrix, type Matrix } from '../compute/matrix.js';
import type { MapperMetric } from './options.js';

export interface Space {
  readonly metric: MapperMetric;
  readonly points: number;
  readonly x: Matrix;
  /** Lengths of the rows, float64; cosine only. */
  readonly lengths: Float64Array;
}

/** The length of a row, float64. Four sums at once: one alone would wait for every addition. */
export function lengthOf({ data, cols }: Matrix, i: number): number {
  const end = (i + 1) * cols;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let e = i * cols;
  for (; e + 3 < end; e += 4) {
    s0 += data[e] * data[e];
    s1 += data[e + 1] * data[e + 1];
    s2 += data[e + 2] * data[e + 2];
    s3 += data[e + 3] * data[e + 3];
  }
  for (; e < end; e++) s0 += data[e] * data[e];
  return Math.sqrt(s0 + s1 + (s2 + s3));
}

/** @throws RangeError for distances that are no n × n matrix of numbers ≥ 0. */
export function openSpace(x: Matrix, metric: MapperMetric, distances: Matrix | undefined): Space {
  if (metric === 'precomputed') {
    if (!distances) throw new RangeError("metric 'precomputed' needs the option distances, an n × n matrix");
    requireDistances(distances, x.rows);
    return { metric, points: x.rows, x: distances, lengths: new Float64Array(0) };
  }
  if (distances) throw new RangeError(`distances are given but metric is '${metric}'; expected 'precomputed'`);
  const lengths = new Float64Array(metric === 'cosine' ? x.rows : 0);
  for (let i = 0; i < lengths.length; i++) lengths[i] = lengthOf(x, i);
  return { metric, points: x.rows, x, lengths };
}

function requireDistances(d: Matrix, n: number): void {
  if (d.rows !== n || d.cols !== n)
    throw new RangeError(`distances are ${d.rows} × ${d.cols} but there are ${n} points; expected ${n} × ${n}`);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const v = d.data[i * n + j];
      if (!(v >= 0) || v !== d.data[j * n + i])
        throw new RangeError(
          `distances [${i}, ${j}] and [${j}, ${i}] are ${v} and ${d.data[j * n + i]}; expected equal numbers of at least 0`,
        );
    }
}

/** Some rows and columns of precomputed distances: those of points that are kept. */
export function submatrix(d: Matrix, ids: Int32Array): Matrix {
  const n = ids.length;
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out.data[i * n + j] = d.data[ids[i] * d.cols + ids[j]];
  return out;
}

/**
 * The squared euclidean, the cosine, or the given distance of two points, float64. Cosine is computed as scikit-learn
 * does: rows divided by their lengths, one minus the sum of products, kept within 0 … 2; zero rows are at 1.
 */
export function exactScore(space: Space, i: number, j: number): number {
  const { x, metric, lengths } = space;
  const { data, cols } = x;
  if (metric === 'precomputed') return data[i * cols + j];
  if (i === j) return 0;
  const p = i * cols;
  const q = j * cols;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  if (metric === 'euclidean') {
    for (; k + 3 < cols; k += 4) {
      const d0 = data[p + k] - data[q + k];
      const d1 = data[p + k + 1] - data[q + k + 1];
      const d2 = data[p + k + 2] - data[q + k + 2];
      const d3 = data[p + k + 3] - data[q + k + 3];
      s0 += d0 * d0;
      s1 += d1 * d1;
      s2 += d2 * d2;
      s3 += d3 * d3;
    }
    for (; k < cols; k++) s0 += (data[p + k] - data[q + k]) ** 2;
    return s0 + s1 + (s2 + s3);
  }
  const a = lengths[i];
  const b = lengths[j];
  if (a === 0 || b === 0) return 1;
  for (; k + 3 < cols; k += 4) {
    s0 += (data[p + k] / a) * (data[q + k] / b);
    s1 += (data[p + k + 1] / a) * (data[q + k + 1] / b);
    s2 += (data[p + k + 2] / a) * (data[q + k + 2] / b);
    s3 += (data[p + k + 3] / a) * (data[q + k + 3] / b);
  }
  for (; k < cols; k++) s0 += (data[p + k] / a) * (data[q + k] / b);
  return Math.min(2, Math.max(0, 1 - (s0 + s1 + (s2 + s3))));
}

/** The distance of two points, float64. */
export function exactDistance(space: Space, i: number, j: number): number {
  const score = exactScore(space, i, j);
  return space.metric === 'euclidean' ? Math.sqrt(score) : score;
}

/** Rows that a product may multiply, with what their scores need. */
export interface Prepared {
  /** m × d: of length one (cosine) or centred (euclidean). */
  rows: Float32Array;
  /** Squared lengths of these; euclidean only. */
  squares: Float64Array;
  /** How far a score from the product can be from the exact one, for any pair. */
  error: number;
}

/**
 * Gathers points for a product. Scores are 1 − c (cosine) and |a|² + |b|² − 2c (euclidean) for the entry c. Their error
 * is bounded by the float32 sum (the smaller of the worst case d·u and the probabilistic 8·√d·u, which one sum in 10¹³
 * exceeds: Higham and Mary 2019, theorem 2.4, λ = 8) and by the rounding of the rows.
 */
export function prepare(space: Space, ids: Int32Array, rows = new Float32Array(ids.length * space.x.cols)): Prepared {
  const { x, metric, lengths } = space;
  const d = x.cols;
  const m = ids.length;
  const sum = Math.min(d + 2, 8 * Math.sqrt(d)) * 2 ** -24;
  if (metric === 'cosine') {
    for (let i = 0; i < m; i++) {
      const from = ids[i] * d;
      const scale = lengths[ids[i]] > 0 ? 1 / lengths[ids[i]] : 0;
      for (let k = 0, to = i * d; k < d; k++) rows[to + k] = x.data[from + k] * scale;
    }
    return { rows, squares: new Float64Array(0), error: sum + 2 ** -21 };
  }
  const mean = new Float64Array(d);
  for (let i = 0; i < m; i++) for (let k = 0, from = ids[i] * d; k < d; k++) mean[k] += x.data[from + k];
  for (let k = 0; k < d; k++) mean[k] /= m;
  const squares = new Float64Array(m);
  let longest = 0;
  for (let i = 0; i < m; i++) {
    const from = ids[i] * d;
    const to = i * d;
    let square = 0;
    for (let k = 0; k < d; k++) {
      rows[to + k] = x.data[from + k] - mean[k];
      const kept = rows[to + k];
      square += kept * kept;
    }
    squares[i] = square;
    longest = Math.max(longest, square);
  }
  return { rows, squares, error: 2 * sum * longest + 4 * 2 ** -22 * longest };
}
