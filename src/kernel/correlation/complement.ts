/**
 * What a subspace leaves of the space of n centred columns. Two subspaces of more than half of its n − 1 dimensions make
 * the same angles as what they leave, besides those of 0 that they cannot do without: fewer directions, the same sum.
 */
import { breathe } from '../compute/call.js';
import { outerProduct } from './coordinates.js';

/** Some orthonormal columns, n × k. */
export interface Columns {
  readonly U: Float64Array;
  readonly k: number;
}

/** More rows than these: the projector, n × n, would take more than it saves. */
const MOST_ROWS = 2048;

/** Whether n rows are so few for k directions that what is left is less. */
export const leavesLess = (n: number, k: number): boolean => n <= MOST_ROWS && 2 * k > n - 1;

/**
 * An orthonormal basis of all centred columns that are orthogonal to the k orthonormal centred columns of U [n × k]. The
 * projector P on them is L Lᵀ by Cholesky's decomposition with pivots; since P² = P, the columns of L are orthonormal.
 * What is left of P has a trace of its rank, so that no pivot is below 1/n.
 */
export async function complementOf(U: Float64Array, n: number, k: number): Promise<Columns> {
  const rank = n - 1 - k;
  const P = (await outerProduct(U, n, k)).map((v, at) => (at % (n + 1) === 0 ? 1 : 0) - 1 / n - v);
  const L = new Float64Array(n * rank);
  const left = Float64Array.from({ length: n }, (_, i) => P[i * n + i]);
  for (let s = 0; s < rank; s++) {
    const pivot = left.reduce((most, v, i) => (v > left[most] ? i : most), 0);
    const root = Math.sqrt(left[pivot]);
    const own = L.slice(pivot * rank, pivot * rank + s);
    for (let i = 0; i < n; i++) {
      let v = P[i * n + pivot];
      for (let t = 0; t < s; t++) v -= L[i * rank + t] * own[t];
      L[i * rank + s] = v / root;
      left[i] -= (v / root) ** 2;
    }
    if (s % 64 === 63) await breathe();
  }
  return { U: L, k: rank };
}
