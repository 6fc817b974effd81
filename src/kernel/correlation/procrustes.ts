/** Orthogonal Procrustes: the rotation that takes one set of rows nearest to another (Schönemann 1966). */
import { svdThin } from '../compute/svd.js';
import { matrix, type Matrix } from '../compute/matrix.js';

/**
 * R [dY × dX] that makes Σ ‖y_i R − x_i‖² least among matrices whose singular values are all 1: a rotation or
 * reflection where the widths are equal, otherwise one into, or out of, a subspace. float64. With fewer rows than
 * directions, the rotation of the directions that the rows do not span is arbitrary.
 * @throws RangeError on different numbers of rows, NaN
 */
export function procrustes(y: Matrix, x: Matrix): Matrix {
  if (y.rows !== x.rows) throw new RangeError(`rows are paired, but there are ${y.rows} and ${x.rows}`);
  const product = new Float64Array(y.cols * x.cols);
  for (let i = 0; i < y.rows; i++)
    for (let p = 0; p < y.cols; p++) {
      const v = y.data[i * y.cols + p];
      for (let q = 0, at = i * x.cols, to = p * x.cols; q < x.cols; q++) product[to++] += v * x.data[at++];
    }
  const { U, S, V } = svdThin(product, y.cols, x.cols);
  const r = S.length;
  const out = matrix(y.cols, x.cols);
  for (let p = 0; p < y.cols; p++)
    for (let q = 0; q < x.cols; q++) {
      let sum = 0;
      for (let k = 0; k < r; k++) sum += U[p * r + k] * V[q * r + k];
      out.data[p * x.cols + q] = sum;
    }
  return out;
}
