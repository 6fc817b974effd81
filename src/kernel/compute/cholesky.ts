/** Cholesky's factor of a symmetric matrix, pivot by pivot, in float64. */
import { breathe, checkAborted } from './call.js';

/** A pivot below this is more than rounding of 0: the matrix is not positive semidefinite. */
const NEGATIVE = -1e-6;
/** Below this a diagonal entry of the factor is 0, and so is its row: a direction without variance. */
const LEAST = 1e-7;

/** Upper triangular R with RᵀR = a in place of a (n × n, the upper half is read), one pivot at a turn. */
function* pivots(a: Float64Array, n: number): Generator<number> {
  for (let k = 0; k < n; k++) {
    const pivot = a[k * n + k];
    if (!(pivot >= NEGATIVE)) throw new RangeError(`the matrix is not positive semidefinite: pivot ${k} is ${pivot}`);
    const root = Math.sqrt(Math.max(0, pivot));
    a[k * n + k] = root;
    for (let j = k + 1; j < n; j++) a[k * n + j] = root > LEAST ? a[k * n + j] / root : 0;
    for (let i = k + 1; i < n; i++) {
      const v = a[k * n + i];
      if (v !== 0) for (let j = i; j < n; j++) a[i * n + j] -= v * a[k * n + j];
    }
    yield k;
  }
}

/** Lower triangular L with L Lᵀ = m (n × n, positive semidefinite). @throws RangeError when m is not. */
export function cholesky(m: Float64Array, n: number): Float64Array {
  const r = m.slice();
  for (const _ of pivots(r, n));
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) l[i * n + j] = r[j * n + i];
  return l;
}

/**
 * Upper triangular R with RᵀR = a, in place of a (the lower half stays), with pauses: for large n.
 * @throws RangeError when a is not positive semidefinite; AbortError.
 */
export async function choleskyInPlace(a: Float64Array, n: number, signal?: AbortSignal): Promise<void> {
  for (const k of pivots(a, n)) {
    if (k % 64 !== 0) continue;
    checkAborted(signal, 'Cholesky factor');
    await breathe();
  }
}
