/** Rows that a layout can place: those without NaN or infinity. */
import type { Matrix } from '../compute/matrix.js';
import { gatherRows } from '../compute/rows.js';

/** The finite rows of x and where they came from; x itself when all are finite. */
export function finiteRows(x: Matrix): { matrix: Matrix; index: Int32Array } {
  const index: number[] = [];
  const from = x.data;
  for (let i = 0; i < x.rows; i++) {
    // x · 0 is 0 for finite numbers and NaN for all others. Two sums, so that neither waits for the other.
    let even = 0;
    let odd = 0;
    const end = (i + 1) * x.cols;
    let e = i * x.cols;
    for (; e + 1 < end; e += 2) {
      even += from[e] * 0;
      odd += from[e + 1] * 0;
    }
    if (e < end) even += from[e] * 0;
    if (even + odd === 0) index.push(i);
  }
  if (index.length === x.rows) return { matrix: x, index: Int32Array.from(index) };
  return { matrix: gatherRows(x, index), index: Int32Array.from(index) };
}

/** Puts coordinates of the kept rows back at their places; the others are NaN. */
export function spread(coordinates: Float32Array, index: Int32Array, rows: number, axes = 2): Float32Array {
  const out = new Float32Array(rows * axes).fill(NaN);
  index.forEach((to, from) => out.set(coordinates.subarray(axes * from, axes * (from + 1)), axes * to));
  return out;
}
