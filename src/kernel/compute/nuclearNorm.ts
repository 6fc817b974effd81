/**
 * The sum of a matrix's singular values in float32, by products alone. X is driven towards the orthogonal factor of the
 * matrix by odd polynomials of degree five, each the best there is for the interval that the singular values lie in by
 * then (Amsel et al. 2025, arXiv 2505.16932); the sum is then ⟨M, X⟩. A singular value below the interval loses part of
 * itself, never more: the error is at most the interval's lower end a value, and in practice far less.
 */
import { breathe } from './call.js';
import { gemm } from './gemm.js';
import { largestOf, powerBelow } from './matrix.js';

/** Singular values of less than this share of the bound above them are taken for small. */
const LOWEST = 1e-3;
/** Two steps whose sums differ by less than this share have converged. */
const CONVERGED = 1e-6;
const MOST_STEPS = 24;

/** a·x + b·x³ + c·x⁵, and how far from 1 it stays on the interval. */
interface Quintic {
  a: number;
  b: number;
  c: number;
  error: number;
}

/** The odd quintic nearest to 1 on [low, 1], by Remez exchange: the error has equal size at four points. */
export function bestQuintic(low: number): Quintic {
  // So close to 1 that the exchange would divide by what cancels: Newton and Schulz's polynomial.
  if (low > 1 - 1e-5) return { a: 15 / 8, b: -10 / 8, c: 3 / 8, error: 0 };
  let [q, r] = [(3 * low + 1) / 4, (low + 3) / 4];
  let found: Quintic = { a: 0, b: 0, c: 0, error: Infinity };
  for (let round = 0; round < 50; round++) {
    const rows = [low, q, r, 1].map((x, i) => [x, x ** 3, x ** 5, i % 2 === 0 ? 1 : -1, 1]);
    const [a, b, c, error] = solve(rows);
    const settled = Math.abs(error - found.error) <= 1e-14;
    found = { a, b, c, error };
    if (settled) break;
    const root = Math.sqrt(9 * b * b - 20 * a * c);
    [q, r] = [Math.sqrt((-3 * b - root) / (10 * c)), Math.sqrt((-3 * b + root) / (10 * c))];
  }
  return found;
}

/** Gaussian elimination with row exchange; each row ends with its right-hand side. */
function solve(rows: number[][]): number[] {
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (let i = k + 1; i < n; i++) {
      const f = rows[i][k] / rows[k][k];
      for (let j = k; j <= n; j++) rows[i][j] -= f * rows[k][j];
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k][n];
    for (let j = k + 1; j < n; j++) sum -= rows[k][j] * x[j];
    x[k] = sum / rows[k][k];
  }
  return x;
}

function inner(a: Float32Array, b: Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= a.length; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + s2 + s3;
}

/**
 * Σ of the singular values of m [p × q], p ≤ q (else it is given transposed). About 1e-5 of the largest a value; the same
 * bits for the same matrix. `lowest`: a guess of the smallest singular value, which only saves steps.
 * @throws RangeError on p > q and on entries that are not finite
 */
export async function nuclearNorm(given: Float32Array, p: number, q: number, lowest = 0): Promise<number> {
  if (p > q) throw new RangeError(`nuclearNorm takes p ≤ q but got ${p} × ${q}; give the transposed matrix`);
  if (given.length === 0) return 0;
  const scale = powerBelow(largestOf(given));
  const m = new Float32Array(given.length);
  for (let i = 0; i < m.length; i++) m[i] = given[i] / scale;
  let R: Float32Array = gemm(m, m, p, p, q, { transB: true });
  const size = Math.sqrt(inner(R, R));
  if (size === 0) return 0;
  if (!Number.isFinite(size))
    throw new RangeError(`nuclearNorm: the ${p} × ${q} matrix has entries that are not finite`);
  let R2: Float32Array = gemm(R, R, p, p, p);
  // (Σ σ⁸)^⅛ is above every σ, and rarely far above; a little more, since it was rounded.
  let unit = 1.001 * Math.sqrt(Math.sqrt(Math.sqrt(inner(R2, R2))));
  let X: Float32Array = m;
  let low = Math.max(LOWEST, Math.min(0.9, (0.7 * lowest) / unit));
  let before = 0;
  for (let step = 0; step < MOST_STEPS; step++) {
    const quintic = bestQuintic(low);
    // Scaled so that the interval ends at 1 again.
    const top = 1 + Math.max(quintic.error, 1e-6);
    X = gemm(polynomial(quintic, R, R2, p, unit, top), X, p, q, p);
    low = Math.max(low, (1 - quintic.error) / top);
    unit = 1;
    const sum = inner(m, X);
    if (low > 1 - 1e-3 && Math.abs(sum - before) <= CONVERGED * sum) return sum * scale;
    before = sum;
    await breathe();
    R = gemm(X, X, p, p, q, { transB: true, out: R });
    R2 = gemm(R, R, p, p, p, { out: R2 });
  }
  return before * scale;
}

/** (a·I + b·R/unit² + c·R2/unit⁴) / (unit · top), in the place of R2. */
function polynomial(
  { a, b, c }: Quintic,
  R: Float32Array,
  R2: Float32Array,
  p: number,
  unit: number,
  top: number,
): Float32Array {
  const [one, two, four] = [a / (unit * top), b / (unit ** 3 * top), c / (unit ** 5 * top)];
  for (let i = 0; i < R2.length; i++) R2[i] = two * R[i] + four * R2[i];
  for (let i = 0; i < p; i++) R2[i * p + i] += one;
  return R2;
}
