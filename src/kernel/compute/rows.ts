/** Small sums over the rows and columns of a matrix, in float64, and copies of some of its rows. */
import { matrix, type Matrix } from './matrix.js';

/** Means of the columns, [cols]; NaN of a matrix without rows. */
export function columnMeans({ rows, cols, data }: Matrix): Float64Array {
  const mean = new Float64Array(cols);
  let i = 0;
  // Four rows at a time are added in the same order, and each sum is read and written a quarter as often.
  for (; i + 3 < rows; i += 4) {
    const [p, q, r, s] = [i * cols, (i + 1) * cols, (i + 2) * cols, (i + 3) * cols];
    for (let j = 0; j < cols; j++) mean[j] = mean[j] + data[p + j] + data[q + j] + data[r + j] + data[s + j];
  }
  for (; i < rows; i++) for (let j = 0; j < cols; j++) mean[j] += data[i * cols + j];
  for (let j = 0; j < cols; j++) mean[j] /= rows;
  return mean;
}

/** Euclidean length of row i. */
export function rowNorm({ cols, data }: Matrix, i: number): number {
  let sum = 0;
  for (let j = i * cols; j < (i + 1) * cols; j++) sum += data[j] * data[j];
  return Math.sqrt(sum);
}

/** Euclidean lengths of the rows, [rows]. */
export function rowNorms(m: Matrix): Float64Array {
  const norms = new Float64Array(m.rows);
  for (let i = 0; i < m.rows; i++) norms[i] = rowNorm(m, i);
  return norms;
}

/** Rows of width d, from `from`, in the order of ids, one after the other. */
export function gatherValues(from: Float32Array, d: number, ids: ArrayLike<number>): Float32Array {
  const out = new Float32Array(ids.length * d);
  for (let i = 0; i < ids.length; i++) out.set(from.subarray(ids[i] * d, (ids[i] + 1) * d), i * d);
  return out;
}

/** A matrix of the rows `ids`, in their order; a row may come twice. */
export function gatherRows(m: Matrix, ids: ArrayLike<number>): Matrix {
  return matrix(ids.length, m.cols, gatherValues(m.data, m.cols, ids));
}
