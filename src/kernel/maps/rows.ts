/** Rows that a layout can place: those without NaN or infinity. */
import { matrix, row, type Matrix } from '../compute/matrix.js';

/** The finite rows of x and where they came from; x itself when all are finite. */
export function finiteRows(x: Matrix): { matrix: Matrix; index: Int32Array } {
  const index: number[] = [];
  for (let i = 0; i < x.rows; i++) {
    // Zero for numbers, NaN as soon as one is none.
    let nothing = 0;
    for (let e = i * x.cols; e < (i + 1) * x.cols; e++) nothing += x.data[e] - x.data[e];
    if (nothing === 0) index.push(i);
  }
  if (index.length === x.rows) return { matrix: x, index: Int32Array.from(index) };
  const data = new Float32Array(index.length * x.cols);
  index.forEach((from, to) => data.set(row(x, from), to * x.cols));
  return { matrix: matrix(index.length, x.cols, data), index: Int32Array.from(index) };
}

/** Puts coordinates of the kept rows back at their places; the others are NaN. */
export function spread(coordinates: Float32Array, index: Int32Array, rows: number): Float32Array {
  const out = new Float32Array(rows * 2).fill(NaN);
  index.forEach((to, from) => {
    out[2 * to] = coordinates[2 * from];
    out[2 * to + 1] = coordinates[2 * from + 1];
  });
  return out;
}
