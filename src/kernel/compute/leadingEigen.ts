/**
 * Leading eigenpairs of a large symmetric matrix by block Krylov iteration with Rayleigh-Ritz (Golub and Underwood 1977),
 * every basis vector kept and orthogonalised twice, in float64.
 */
import { breathe, checkAborted, type CallOptions } from './call.js';
import { requireFinite, symmetricEigen } from './linalg.js';
import { Random } from './random.js';

export interface LeadingEigen {
  /** [k], descending. */
  values: Float64Array;
  /** k × d: row c is the unit eigenvector of values[c], its sign as it came. */
  vectors: Float64Array;
}

/** ‖A v − λ v‖ at most this, relative to the largest eigenvalue; eigenvalues are then exact to rounding. */
const RESIDUAL = 1e-10;

function dot(a: Float64Array, p: number, b: Float64Array, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < n; i += 4) {
    s0 += a[p + i] * b[i];
    s1 += a[p + i + 1] * b[i + 1];
    s2 += a[p + i + 2] * b[i + 2];
    s3 += a[p + i + 3] * b[i + 3];
  }
  for (; i < n; i++) s0 += a[p + i] * b[i];
  return s0 + s1 + (s2 + s3);
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

  /** Adds the part of `start` that is new; where none is, a random direction, which finds repeated eigenvalues. */
  add(start: Float64Array): void {
    const { basis, d } = this;
    for (let v: Float64Array = start.slice(); ; v = this.randomVector()) {
      const before = Math.sqrt(dot(v, 0, v, d));
      for (let pass = 0; pass < 2; pass++) for (const b of basis) addScaled(v, -dot(v, 0, b, d), b);
      const length = Math.sqrt(dot(v, 0, v, d));
      if (!(length > 1e-10 * before)) continue;
      for (let i = 0; i < d; i++) v[i] /= length;
      basis.push(v);
      const image = Float64Array.from({ length: d }, (_, i) => dot(this.a, i * d, v, d));
      this.images.push(image);
      this.#projection.push(Float64Array.from(basis, (b) => dot(image, 0, b, d)));
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
      residual = Math.max(residual, Math.sqrt(dot(rest, 0, rest, d)));
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
  call: CallOptions = {},
): Promise<LeadingEigen> {
  requireFinite('symmetric matrix', a, d, d);
  if (!Number.isInteger(k) || k < 1 || k > d)
    throw new RangeError(`leading eigenpairs: k must be 1 to ${d} but is ${k}`);
  const space = new Krylov(a, d);
  // More than k at a time, so that eigenvalues that are equal or nearly so are all met.
  const block = Math.min(d, k + 2);
  for (let check = 8 * block; ;) {
    const last = space.images.slice(-block);
    for (let i = 0; i < block && space.basis.length < d; i++) space.add(last[i] ?? space.randomVector());
    const size = space.basis.length;
    if (size >= check || size === d) {
      const { values, vectors, residual } = space.ritz(k);
      if (size === d || residual <= RESIDUAL * Math.abs(values[0])) return { values, vectors };
      check = Math.ceil(1.3 * size);
    }
    checkAborted(call.signal, 'eigenvectors');
    await breathe();
  }
}
