/**
 * Leading eigenpairs of a large symmetric matrix by block Krylov iteration with Rayleigh-Ritz (Golub and Underwood
 * 1977), every basis vector kept and orthogonalised twice, in float64.
 */
import { pushAll } from '../../protocol/lists.js';
import { breathe, checkAborted, type CallOptions } from './call.js';
import { dot } from './dot.js';
import { requireFinite, symmetricEigen } from './linalg.js';
import { Random } from './random.js';

export interface LeadingEigen {
  /** [k], descending. */
  values: Float64Array;
  /** k × d: row c is the unit eigenvector of values[c], its sign as it came. */
  vectors: Float64Array;
}

export interface LeadingEigenOptions extends CallOptions {
  /**
   * ‖A v − λ v‖ at most this, relative to the largest eigenvalue; default 1e-10. Eigenvalues err by about its square,
   * vectors by it over the relative gap to the next eigenvalue.
   */
  residual?: number;
}

/**
 * A times up to four vectors: two rows of A pass at once for all of them, half the time of one vector after another.
 */
function timesFour(a: Float64Array, d: number, vectors: readonly Float64Array[]): Float64Array[] {
  const v = new Float64Array(4 * d);
  vectors.forEach((from, c) => {
    for (let j = 0; j < d; j++) v[4 * j + c] = from[j];
  });
  const out = new Float64Array(4 * d);
  for (let i = 0; i < d; i += 2) {
    const p = i * d;
    const next = Math.min(i + 1, d - 1);
    const p2 = next * d;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let t0 = 0;
    let t1 = 0;
    let t2 = 0;
    let t3 = 0;
    for (let j = 0, q = 0; j < d; j++, q += 4) {
      const s = a[p + j];
      const t = a[p2 + j];
      const x0 = v[q];
      const x1 = v[q + 1];
      const x2 = v[q + 2];
      const x3 = v[q + 3];
      s0 += s * x0;
      s1 += s * x1;
      s2 += s * x2;
      s3 += s * x3;
      t0 += t * x0;
      t1 += t * x1;
      t2 += t * x2;
      t3 += t * x3;
    }
    out.set([s0, s1, s2, s3], 4 * i);
    out.set([t0, t1, t2, t3], 4 * next);
  }
  return vectors.map((_, c) => Float64Array.from({ length: d }, (_value, i) => out[4 * i + c]));
}

const addScaled = (to: Float64Array, s: number, from: Float64Array): void => {
  for (let i = 0; i < to.length; i++) to[i] += s * from[i];
};

/** Basis of the Krylov space, its images under A, and the projection of A onto it. */
class Krylov {
  readonly basis: Float64Array[] = [];
  readonly images: Float64Array[] = [];
  /** Row i holds the products of image i with basis vectors 0 … i. */
  readonly #projection: Float64Array[] = [];
  readonly #random = new Random(1);

  constructor(
    private readonly a: Float64Array,
    private readonly d: number,
  ) {}

  randomVector(): Float64Array {
    return Float64Array.from({ length: this.d }, () => this.#random.normal());
  }

  /** Adds the new parts of some vectors to the basis, with their images. */
  add(starts: readonly Float64Array[]): void {
    const { basis, images, a, d } = this;
    const old = basis.length;
    for (const start of starts) if (basis.length < d) this.#extend(start);
    for (let from = old; from < basis.length; from += 4) pushAll(images, timesFour(a, d, basis.slice(from, from + 4)));
    for (let i = old; i < basis.length; i++)
      this.#projection.push(Float64Array.from(basis.slice(0, i + 1), (b) => dot(images[i], 0, b, 0, d)));
  }

  /**
   * Adds the part of `start` that is orthogonal to the basis; where nothing is left of it, a random direction, which
   * finds repeated eigenvalues.
   */
  #extend(start: Float64Array): void {
    const { basis, d } = this;
    for (let v: Float64Array = start.slice(); ; v = this.randomVector()) {
      const before = Math.sqrt(dot(v, 0, v, 0, d));
      for (let pass = 0; pass < 2; pass++) for (const b of basis) addScaled(v, -dot(v, 0, b, 0, d), b);
      const length = Math.sqrt(dot(v, 0, v, 0, d));
      if (!(length > 1e-10 * before)) continue;
      for (let i = 0; i < d; i++) v[i] /= length;
      basis.push(v);
      return;
    }
  }

  /** The k best eigenpairs within the space, and the largest residual of theirs. */
  ritz(k: number): LeadingEigen & { residual: number } {
    const { basis, images, d } = this;
    const m = basis.length;
    const small = new Float64Array(m * m);
    for (const [i, row] of this.#projection.entries()) small.set(row, i * m); // the lower triangle is enough
    const { values, vectors } = symmetricEigen(small, m);
    const out = new Float64Array(k * d);
    let residual = 0;
    for (let c = 0; c < k; c++) {
      const v = out.subarray(c * d, (c + 1) * d);
      const rest = new Float64Array(d);
      for (let i = 0; i < m; i++) {
        addScaled(v, vectors[i * m + c], basis[i]);
        addScaled(rest, vectors[i * m + c], images[i]);
      }
      addScaled(rest, -values[c], v);
      residual = Math.max(residual, Math.sqrt(dot(rest, 0, rest, 0, d)));
    }
    return { values: values.slice(0, k), vectors: out, residual };
  }
}

/**
 * The k largest eigenvalues of a symmetric positive semidefinite d × d matrix (both triangles given) and their vectors.
 * Cheaper than symmetricEigen() where k is small and d in the hundreds or more: some 100 to 300 products of A with a
 * vector.
 *
 * @throws RangeError on a wrong length, an entry that is not finite, or k not in 1 … d
 */
export async function leadingEigen(
  a: Float64Array,
  d: number,
  k: number,
  { residual: most = 1e-10, ...call }: LeadingEigenOptions = {},
): Promise<LeadingEigen> {
  requireFinite('symmetric matrix', a, d, d);
  if (!Number.isInteger(k) || k < 1 || k > d)
    throw new RangeError(`leading eigenpairs: k must be 1 to ${d} but is ${k}`);
  const space = new Krylov(a, d);
  // More than k at a time, so that equal or nearly equal eigenvalues are all found.
  const block = Math.min(d, k + 2);
  for (let check = 8 * block; ;) {
    const last = space.images.slice(-block);
    space.add(Array.from({ length: block }, (_, i) => last[i] ?? space.randomVector()));
    const size = space.basis.length;
    if (size >= check || size === d) {
      const { values, vectors, residual } = space.ritz(k);
      if (size === d || residual <= most * Math.abs(values[0])) return { values, vectors };
      check = Math.ceil(1.3 * size);
    }
    checkAborted(call.signal, 'eigenvectors');
    await breathe();
  }
}
