/** The product of typed arrays by way of tensors, which start-up checks compare with float64. */
import type { GemmOptions } from './gemm.js';
import { tf, valuesOf } from './tf.js';

/** op(A) [m × k] · op(B) [k × n] as in gemm(), on the backend in use, read back synchronously. */
export function productThroughTf(
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  o: GemmOptions = {},
): Float32Array {
  return valuesOf(() => {
    const left = tf.tensor2d(a, o.transA ? [k, m] : [m, k]);
    const right = tf.tensor2d(b, o.transB ? [n, k] : [k, n]);
    return tf.matMul(left, right, o.transA, o.transB);
  });
}
