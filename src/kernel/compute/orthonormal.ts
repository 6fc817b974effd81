/** Random orthonormal rows. */
import { matrix, type Matrix } from './matrix.js';
import type { Random } from './random.js';

/** n ≤ d orthonormal rows, uniformly random (Gaussian rows, Gram-Schmidt twice in float64). */
export function orthonormalRows(n: number, d: number, random: Random): Matrix {
  if (n > d) throw new RangeError(`${n} orthonormal rows do not fit in ${d} dimensions; expected at most ${d}`);
  const q = Array.from({ length: n }, () => new Float64Array(d));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < d; j++) q[i][j] = random.normal();
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < i; k++) {
        let dot = 0;
        for (let j = 0; j < d; j++) dot += q[i][j] * q[k][j];
        for (let j = 0; j < d; j++) q[i][j] -= dot * q[k][j];
      }
    }
    const norm = Math.sqrt(q[i].reduce((sum, x) => sum + x * x, 0));
    for (let j = 0; j < d; j++) q[i][j] /= norm;
  }
  const out = matrix(n, d);
  q.forEach((v, i) => out.data.set(v, i * d));
  return out;
}
