/** Sums of the singular values of leftᵀ · (the rows of right in another order), for many orders: null runs of SVCCA. */
import { breathe } from './call.js';
import { gemm } from './gemm.js';
import { nuclearNorm } from './nuclearNorm.js';

export interface ShuffledProduct {
  readonly n: number;
  readonly p: number;
  readonly q: number;
  /** p × n: the left matrix turned. */
  readonly left: Float32Array;
  /** n × q. */
  readonly right: Float32Array;
  /** A guess of the smallest singular value; saves steps. */
  readonly lowest: number;
}

/**
 * One sum for each n numbers of `orders`: row i of the left matrix goes with row order[i] of the right one. Float32.
 */
export async function shuffledNorms(product: ShuffledProduct, orders: Uint32Array): Promise<Float64Array> {
  const { n, p, q, left, right, lowest } = product;
  const shuffled = new Float32Array(n * q);
  const sums = new Float64Array(orders.length / n);
  for (let run = 0; run < sums.length; run++) {
    const order = orders.subarray(run * n, (run + 1) * n);
    for (let i = 0; i < n; i++) shuffled.set(right.subarray(order[i] * q, (order[i] + 1) * q), i * q);
    const cross = gemm(left, shuffled, p, q, n);
    await breathe();
    sums[run] = await nuclearNorm(cross, p, q, lowest);
  }
  return sums;
}
