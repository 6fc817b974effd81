/** Random orthonormal rows. */
import { matrix, type Matrix } from './matrix.js';
import type { Random } from './random.js';

/** n ≤ d orthonormal rows, uniformly random (Gaussian rows, Gram-Schmidt twice in float64). */
export function orthonormalRows(n: number, d: number, random: Random): Matrix {
  return drawnRows(n, d, random)();
}

/** The same in two steps: the random numbers are drawn at once, the rows are made when the result is called. */
export function drawnRows(n: number, d: number, random: Random): () => Matrix {
  if (n > d) throw new RangeError(`${n} orthonormal rows do not fit in ${d} dimensions; expected at most ${d}`);
  const q = Array.from({ length: n }, () => new Float64Array(d));
  for (const values of q) for (let j = 0; j < d; j++) values[j] = random.normal();
  return () => orthonormalized(q, d);
}

/** Gram-Schmidt, twice for each row. Changes the given rows. */
function orthonormalized(q: readonly Float64Array[], d: number): Matrix {
  const n = q.length;
  for (let i = 0; i < n; i++) {
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
