/**
 * Symmetric eigenproblem in float64, row-major, for sizes up to about 2,048: Householder reduction to tridiagonal form
 * and implicit QL, after EISPACK's tred2 and tql2 (Wilkinson and Reinsch 1971), with every inner loop along rows.
 */
import { dot } from './dot.js';
import { largestOf, powerBelow } from './matrix.js';

export interface Eigen {
  /** [n], descending. */
  values: Float64Array;
  /** n × n, row-major: column j is the unit eigenvector of values[j]. */
  vectors: Float64Array;
}

/** Throws on a wrong length and on NaN or infinity, naming the entry. */
export function requireFinite(what: string, a: Float64Array, rows: number, cols: number): void {
  if (!Number.isInteger(rows) || !Number.isInteger(cols) || rows < 0 || cols < 0 || a.length !== rows * cols) {
    throw new RangeError(`${what} of ${rows} × ${cols} needs ${rows * cols} values but got ${a.length}`);
  }
  for (let i = 0; i < a.length; i++) {
    if (!Number.isFinite(a[i])) {
      throw new RangeError(
        `${what}: entry [${Math.floor(i / cols)}, ${i % cols}] is ${a[i]}; leave such rows out first`,
      );
    }
  }
}

/** What counts as zero beside entries near 1: smaller numbers and their products lose digits to underflow. */
const TINY = Number.MIN_VALUE / Number.EPSILON ** 2;

/**
 * Reduces symmetric `a` (destroyed; entries near 1 at most) to tridiagonal form: d = diagonal, e[1…] = subdiagonal. The
 * reflectors' vectors stay in the rows of `a`, row i reaching columns 0 … i-1, scaled so that H = I - u uᵀ / h[i].
 */
function tridiagonalize(a: Float64Array, n: number, d: Float64Array, e: Float64Array, h: Float64Array): void {
  const p = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const row = i * n;
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(a[row + k]);
    h[i] = 0;
    if (i === 1 || scale < TINY) {
      e[i] = scale < TINY ? 0 : a[row + i - 1];
      continue;
    }
    let norm = 0;
    for (let k = 0; k < i; k++) {
      a[row + k] /= scale;
      norm += a[row + k] * a[row + k];
    }
    const f = a[row + i - 1];
    const g = f > 0 ? -Math.sqrt(norm) : Math.sqrt(norm);
    e[i] = scale * g;
    h[i] = norm - f * g;
    a[row + i - 1] = f - g;
    // p = A u / h from the lower triangle alone, row by row: each entry serves its row and its column.
    p.fill(0, 0, i);
    for (let j = 0; j < i; j++) {
      const at = j * n;
      const u = a[row + j];
      let sum = a[at + j] * u;
      for (let k = 0; k < j; k++) {
        sum += a[at + k] * a[row + k];
        p[k] += a[at + k] * u;
      }
      p[j] += sum;
    }
    let dot = 0;
    for (let j = 0; j < i; j++) {
      p[j] /= h[i];
      dot += p[j] * a[row + j];
    }
    const half = dot / (2 * h[i]);
    for (let j = 0; j < i; j++) p[j] -= half * a[row + j];
    for (let j = 0; j < i; j++) {
      const at = j * n;
      const u = a[row + j];
      const q = p[j];
      for (let k = 0; k <= j; k++) a[at + k] -= u * p[k] + q * a[row + k];
    }
  }
  for (let i = 0; i < n; i++) d[i] = a[i * n + i];
}

/** Qᵀ, the transposed product of the reflectors, accumulated from the smallest. */
function accumulate(a: Float64Array, n: number, h: Float64Array): Float64Array {
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  for (let i = 1; i < n; i++) {
    if (h[i] === 0) continue;
    const row = i * n;
    // q holds Qᵀ; the leading i × i block is all that is not the identity.
    for (let r = 0; r < i; r++) {
      const at = r * n;
      const g = dot(q, at, a, row, i) / h[i];
      for (let k = 0; k < i; k++) q[at + k] -= g * a[row + k];
    }
  }
  return q;
}

/** Rotations of neighbouring rows, collected and applied by column tiles that stay in the cache. */
class Rotations {
  #rows = new Int32Array(1 << 15);
  #c = new Float64Array(1 << 15);
  #s = new Float64Array(1 << 15);
  #count = 0;

  constructor(
    private readonly z: Float64Array,
    private readonly n: number,
  ) {}

  /** Row i+1 becomes s·row i + c·row i+1, and row i becomes c·row i - s·row i+1. */
  add(i: number, c: number, s: number): void {
    if (this.#count === this.#rows.length) this.flush();
    this.#rows[this.#count] = i;
    this.#c[this.#count] = c;
    this.#s[this.#count++] = s;
  }

  flush(): void {
    const { z, n } = this;
    const TILE = 64;
    for (let from = 0; from < n; from += TILE) {
      const to = Math.min(n, from + TILE);
      for (let r = 0; r < this.#count; r++) {
        const c = this.#c[r];
        const s = this.#s[r];
        const low = this.#rows[r] * n;
        const high = low + n;
        for (let k = from; k < to; k++) {
          const f = z[high + k];
          const v = z[low + k];
          z[high + k] = s * v + c * f;
          z[low + k] = c * v - s * f;
        }
      }
    }
    this.#count = 0;
  }
}

/** One implicit QL sweep from m down to l. */
function sweep(d: Float64Array, e: Float64Array, l: number, m: number, rotations: Rotations | undefined): void {
  let g = (d[l + 1] - d[l]) / (2 * e[l]);
  let r = Math.hypot(g, 1);
  g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r));
  let s = 1;
  let c = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i];
    const b = c * e[i];
    r = Math.sqrt(f * f + g * g);
    // The squares of tiny entries vanish; hypot is exact there and slow elsewhere.
    if (r < 1e-150) r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r < TINY) {
      e[i + 1] = 0;
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    rotations?.add(i, c, s);
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

/**
 * Steps an eigenvalue may take by the strict test for zero, which keeps the small eigenvalues of graded matrices
 * accurate to their own last digits. Matrices of full rank need 2, and 5 at most. Where the rank is lower, an
 * off-diagonal entry can be the rounding of larger ones further down: each sweep makes it anew, and beside its small
 * neighbours it never counts as zero.
 */
const STRICT_STEPS = 8;

/** Largest |d| + |e| of rows l … m: entries below its rounding are zero (EISPACK's tst1, over one unreduced block). */
function blockSize(d: Float64Array, e: Float64Array, l: number, m: number): number {
  let size = 0;
  for (let i = l; i <= m; i++) size = Math.max(size, Math.abs(d[i]) + (i < m ? Math.abs(e[i]) : 0));
  return size;
}

/**
 * Implicit QL on the tridiagonal (d, e); rotations are applied to the rows of z, if given, which become eigenvectors.
 */
function implicitQl(d: Float64Array, e: Float64Array, n: number, z?: Float64Array): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i];
  if (n > 0) e[n - 1] = 0;
  const rotations = z && new Rotations(z, n);
  // What counts as zero in the rest of a block that the strict test did not solve.
  let zero = 0;
  let blockEnd = 0;
  for (let l = 0; l < n; l++) {
    if (l >= blockEnd) zero = 0;
    for (let iteration = 0; ; iteration++) {
      let m = l;
      for (; m < n - 1; m++) {
        if (Math.abs(e[m]) <= Math.max(zero, Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1])))) break;
      }
      if (m === l) break;
      if (iteration === STRICT_STEPS && zero === 0) {
        zero = Math.max(TINY, Number.EPSILON * blockSize(d, e, l, m));
        blockEnd = m;
        continue;
      }
      if (iteration === 60) throw new Error(`eigenvalue ${l} of ${n} did not converge in 60 steps`);
      sweep(d, e, l, m, rotations);
    }
  }
  rotations?.flush();
}

/** A copy of `a` times a power of two, so that its largest entry is near 1: squares neither overflow nor vanish. */
function scaled(a: Float64Array): { work: Float64Array; unit: number } {
  const unit = powerBelow(largestOf(a));
  const work = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) work[i] = a[i] / unit;
  return { work, unit };
}

/** Indices that sort `values` descending. */
export function descending(values: Float64Array): number[] {
  return Array.from(values.keys()).sort((i, j) => values[j] - values[i] || i - j);
}

/**
 * Eigenvalues and orthonormal eigenvectors of a symmetric n × n matrix. Only the lower triangle is read. The sign of
 * each vector is fixed: its entry of largest size is positive.
 *
 * @throws RangeError on a wrong length or an entry that is not finite
 */
export function symmetricEigen(a: Float64Array, n: number): Eigen {
  requireFinite('symmetric matrix', a, n, n);
  const { work, unit } = scaled(a);
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  const h = new Float64Array(n);
  tridiagonalize(work, n, d, e, h);
  // Row j of z becomes eigenvector j.
  const z = accumulate(work, n, h);
  implicitQl(d, e, n, z);
  const order = descending(d);
  const values = new Float64Array(n);
  const vectors = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    const from = order[j] * n;
    values[j] = d[order[j]] * unit;
    let most = 0;
    for (let k = 1; k < n; k++) if (Math.abs(z[from + k]) > Math.abs(z[from + most])) most = k;
    const sign = z[from + most] < 0 ? -1 : 1;
    for (let k = 0; k < n; k++) vectors[k * n + j] = sign * z[from + k];
  }
  return { values, vectors };
}

/**
 * Only the eigenvalues, descending: the same numbers as symmetricEigen() gives, in about a fifth of its time.
 *
 * @throws RangeError on a wrong length or an entry that is not finite
 */
export function symmetricEigenvalues(a: Float64Array, n: number): Float64Array {
  requireFinite('symmetric matrix', a, n, n);
  const { work, unit } = scaled(a);
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  tridiagonalize(work, n, d, e, new Float64Array(n));
  implicitQl(d, e, n);
  return d
    .map((v) => v * unit)
    .sort()
    .reverse();
}
