/**
 * Thin float64 SVD: eigenvectors of the Gram matrix as a first guess, then one-sided Jacobi rotations until the columns
 * are orthogonal. The Gram matrix alone would lose singular values below 1e-8 of the largest; one-sided Jacobi does not
 * (Demmel and Veselić 1992), and from that guess it converges in a few sweeps.
 */
import { dot } from './dot.js';
import { descending, requireFinite, symmetricEigen } from './linalg.js';

export interface Svd {
  /** rows × r, row-major, orthonormal columns; r = min(rows, cols). */
  U: Float64Array;
  /** [r], descending. */
  S: Float64Array;
  /** cols × r, row-major, orthonormal columns: A = U · diag(S) · Vᵀ. */
  V: Float64Array;
}

function transpose(a: Float64Array, rows: number, cols: number): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = a[r * cols + c];
  return out;
}

function rotate(x: Float64Array, p: number, q: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const a = x[p + k];
    const b = x[q + k];
    x[p + k] = c * a - s * b;
    x[q + k] = s * a + c * b;
  }
}

/** Makes the rows of w (n × m) orthogonal by rotating pairs, the same on the rows of v (n × n). */
function jacobi(w: Float64Array, v: Float64Array, n: number, m: number): void {
  const squares = new Float64Array(n);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, (squares[i] = dot(w, i * m, w, i * m, m)));
  const relative = Number.EPSILON * Math.sqrt(m);
  // Rows below this are rounding noise of the large ones: no angle between them means anything.
  const noise = largest * (Number.EPSILON * Math.max(n, m)) ** 2;
  for (let sweep = 0; sweep < 40; sweep++) {
    let rotated = 0;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const alpha = squares[p];
        const beta = squares[q];
        if (alpha <= noise || beta <= noise) continue;
        const gamma = dot(w, p * m, w, q * m, m);
        if (Math.abs(gamma) <= relative * Math.sqrt(alpha * beta)) continue;
        rotated++;
        const zeta = (beta - alpha) / (2 * gamma);
        const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        rotate(w, p * m, q * m, m, c, c * t);
        rotate(v, p * n, q * n, n, c, c * t);
        squares[p] = dot(w, p * m, w, p * m, m);
        squares[q] = dot(w, q * m, w, q * m, m);
      }
    }
    if (rotated === 0) return;
  }
  throw new Error(`the SVD of ${m} × ${n} did not converge in 40 sweeps`);
}

/** Fills row `at` of u (rows of length m, those before it orthonormal) with a unit vector orthogonal to them. */
function completeRow(u: Float64Array, at: number, m: number): void {
  for (let axis = 0; axis < m; axis++) {
    // Starting with different axes spreads the search; some axis keeps at least 1/sqrt(m) of its length.
    const unit = (at + axis) % m;
    const row = u.subarray(at * m, (at + 1) * m).fill(0);
    row[unit] = 1;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < at; i++) {
        const part = dot(u, i * m, u, at * m, m);
        for (let k = 0; k < m; k++) row[k] -= part * u[i * m + k];
      }
    }
    const length = Math.sqrt(dot(u, at * m, u, at * m, m));
    if (length > 0.5 / Math.sqrt(m)) {
      for (let k = 0; k < m; k++) row[k] /= length;
      return;
    }
  }
  throw new Error('no direction is left to complete the basis');
}

/** rows ≥ cols. */
function svdTall(a: Float64Array, rows: number, cols: number): Svd {
  const at = transpose(a, rows, cols);
  // Scaled, so that squares neither overflow nor vanish.
  let size = 0;
  for (let i = 0; i < at.length; i++) size = Math.max(size, Math.abs(at[i]));
  const scale = size > 0 ? size : 1;
  for (let i = 0; i < at.length; i++) at[i] /= scale;
  const gram = new Float64Array(cols * cols);
  for (let i = 0; i < cols; i++) {
    for (let j = 0; j <= i; j++) gram[i * cols + j] = gram[j * cols + i] = dot(at, i * rows, at, j * rows, rows);
  }
  const v = transpose(symmetricEigen(gram, cols).vectors, cols, cols);
  const w = new Float64Array(cols * rows);
  for (let j = 0; j < cols; j++) {
    for (let k = 0; k < cols; k++) {
      const weight = v[j * cols + k];
      for (let r = 0; r < rows; r++) w[j * rows + r] += weight * at[k * rows + r];
    }
  }
  jacobi(w, v, cols, rows);
  const lengths = Float64Array.from({ length: cols }, (_, j) => Math.sqrt(dot(w, j * rows, w, j * rows, rows)));
  const order = descending(lengths);
  const S = new Float64Array(cols);
  const u = new Float64Array(cols * rows);
  const vt = new Float64Array(cols * cols);
  const zero = lengths[order[0]] * Number.EPSILON * Math.max(rows, cols);
  for (const [i, j] of order.entries()) {
    S[i] = lengths[j] * scale;
    vt.set(v.subarray(j * cols, (j + 1) * cols), i * cols);
    if (lengths[j] > zero) for (let r = 0; r < rows; r++) u[i * rows + r] = w[j * rows + r] / lengths[j];
    else completeRow(u, i, rows);
  }
  return { U: transpose(u, cols, rows), S, V: transpose(vt, cols, cols) };
}

/**
 * Thin singular value decomposition of a rows × cols matrix, row-major. Columns of U that belong to a zero singular
 * value complete the orthonormal basis.
 *
 * @throws RangeError on a wrong length or an entry that is not finite
 */
export function svdThin(a: Float64Array, rows: number, cols: number): Svd {
  requireFinite('matrix', a, rows, cols);
  if (rows === 0 || cols === 0) return { U: new Float64Array(0), S: new Float64Array(0), V: new Float64Array(0) };
  if (rows >= cols) return svdTall(a, rows, cols);
  const { U, S, V } = svdTall(transpose(a, rows, cols), cols, rows);
  return { U: V, S, V: U };
}
