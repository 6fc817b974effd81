/** Small changes of weights on their way to the canonical form; all in place. */
import type { Matrix } from '../../compute/matrix.js';

/** Row i times factor[i]. */
export function scaleRows(m: Matrix, factor: ArrayLike<number>): void {
  for (let i = 0; i < m.rows; i++) for (let j = i * m.cols; j < (i + 1) * m.cols; j++) m.data[j] *= factor[i];
}

export function scaleAll(data: Float32Array, factor: number): void {
  for (let i = 0; i < data.length; i++) data[i] *= factor;
}
