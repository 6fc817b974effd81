/** Float64 linear algebra under the similarity scores: one side of the pairs, its principal coordinates, products. */
import { breathe } from '../compute/call.js';
import { gemm, transposed } from '../compute/gemm.js';
import { symmetricEigen, symmetricEigenvalues } from '../compute/linalg.js';
import { largestOf, powerBelow, type Matrix } from '../compute/matrix.js';
import { once } from '../compute/work.js';

/** Directions of less variance than this share of the largest (1e-6 of its standard deviation) are taken for none. */
const RANK_TOLERANCE = 1e-12;

/** n rows of r orthonormal columns, and the singular value of each: X − mean = U · diag(S) · Vᵀ. */
export interface Principal {
  rank: number;
  /** n × rank. */
  U: Float64Array;
  /** [rank], descending. */
  S: Float64Array;
}

/** One side of the pairs: rows in float64, their columns centred, and what the metrics share. */
export class Side {
  readonly n: number;
  readonly d: number;
  /** n × d as given. */
  readonly rows: Float64Array;
  /** n × d, each column minus its mean, in units of a power of two: the largest entry is near 1, whatever it was. */
  readonly centred: Float64Array;

  /** Throws on NaN or infinite entries, fewer than 3 rows, and rows that are all alike; `name` begins the message. */
  constructor(name: string, x: Matrix) {
    const { rows: n, cols: d, data } = x;
    if (n < 3) throw new RangeError(`${name} has ${n} rows; similarity scores need at least 3 pairs`);
    for (let i = 0; i < data.length; i++) {
      if (!Number.isFinite(data[i])) {
        throw new RangeError(
          `${name}: row ${Math.floor(i / d)}, column ${i % d} is ${data[i]}; leave such pairs out first`,
        );
      }
    }
    this.n = n;
    this.d = d;
    this.rows = Float64Array.from(data);
    const centred = centreColumns(this.rows, n, d);
    const unit = powerBelow(largestOf(centred));
    this.centred = centred.map((v) => v / unit);
    if (this.centred.every((v) => v === 0))
      throw new RangeError(`${name}: all ${n} rows are equal; a comparison needs rows that differ`);
  }

  /** Principal coordinates, computed once. */
  readonly principal = once(() => principal(this.centred, this.n, this.d));

  /**
   * An orthonormal basis of the columns, each taken at length one, so that no column is lost for being small beside
   * another. A Gram matrix halves the digits of weak directions; a second round on U, which is nearly orthonormal,
   * restores them. S belongs to the columns at length one.
   */
  readonly basis = once(async (): Promise<Principal> => {
    const { U, S, rank } = await principal(unitColumns(this.centred, this.d), this.n, this.d);
    const again = await principal(U, this.n, rank);
    return { U: again.U, S, rank: again.rank };
  });
}

/** Columns divided by their lengths; columns of zeros stay. */
function unitColumns(x: Float64Array, d: number): Float64Array {
  const size = new Float64Array(d);
  for (let i = 0; i < x.length; i++) size[i % d] = Math.max(size[i % d], Math.abs(x[i]));
  const unit = size.map(powerBelow);
  const squares = new Float64Array(d);
  for (let i = 0; i < x.length; i++) squares[i % d] += (x[i] / unit[i % d]) ** 2;
  const length = squares.map((v, j) => (v > 0 ? Math.sqrt(v) * unit[j] : 1));
  return x.map((v, i) => v / length[i % d]);
}

function centreColumns(x: Float64Array, n: number, d: number): Float64Array {
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j] += x[i * d + j] / n;
  // A constant column must come out as zeros, not as the rounding of its mean.
  for (let j = 0; j < d; j++) {
    let constant = true;
    for (let i = 1; i < n && constant; i++) constant = x[i * d + j] === x[j];
    if (constant) mean[j] = x[j];
  }
  return x.map((v, i) => v - mean[i % d]);
}

async function principal(x: Float64Array, n: number, d: number): Promise<Principal> {
  const tall = n > d;
  const size = tall ? d : n;
  const gram = tall ? await innerProduct(x, n, d) : await outerProduct(x, n, d);
  const { values, vectors } = symmetricEigen(gram, size);
  let rank = 0;
  while (rank < size && values[rank] > RANK_TOLERANCE * values[0]) rank++;
  const S = values.slice(0, rank).map(Math.sqrt);
  const U = new Float64Array(n * rank);
  if (!tall) {
    for (let i = 0; i < n; i++) for (let k = 0; k < rank; k++) U[i * rank + k] = vectors[i * n + k];
    return { rank, U, S };
  }
  for (let from = 0; from < rank; from += TILE) {
    await project({ x, n, d, U, rank }, vectors, from, Math.min(rank, from + TILE));
  }
  for (let i = 0; i < U.length; i++) U[i] /= S[i % rank];
  return { rank, U, S };
}

/** Columns of U made at once: so many of the eigenvectors stay in the cache. */
const TILE = 64;

/** Columns from … to of U = x · vectors, four terms of the sum at a time: a quarter of the loads and stores of U. */
async function project(
  { x, n, d, U, rank }: { x: Float64Array; n: number; d: number; U: Float64Array; rank: number },
  vectors: Float64Array,
  from: number,
  to: number,
): Promise<void> {
  const width = to - from;
  // The columns from … to as one block; three rows of zeros follow, since the sum takes four terms at a time.
  const tile = new Float64Array((d + 3) * width);
  for (let j = 0; j < d; j++) tile.set(vectors.subarray(j * d + from, j * d + to), j * width);
  const perPiece = Math.max(1, Math.floor(PIECE / (d * width)));
  for (let i = 0; i < n; i++) {
    const out = U.subarray(i * rank + from, i * rank + to);
    for (let j = 0; j < d; j += 4) {
      const at = i * d + j;
      const v0 = x[at];
      const v1 = j + 1 < d ? x[at + 1] : 0;
      const v2 = j + 2 < d ? x[at + 2] : 0;
      const v3 = j + 3 < d ? x[at + 3] : 0;
      const [t0, t1, t2, t3] = [j * width, (j + 1) * width, (j + 2) * width, (j + 3) * width];
      for (let k = 0; k < width; k++)
        out[k] += v0 * tile[t0 + k] + v1 * tile[t1 + k] + v2 * tile[t2 + k] + v3 * tile[t3 + k];
    }
    if (i % perPiece === perPiece - 1) await breathe();
  }
}

/** Multiply-adds between two breaths, about 0.1 s. */
const PIECE = 1e8;

/** aᵀ · b over n rows, [p × q]: Σ_i a[i, :]ᵀ b[order[i], :]; float64. */
export async function crossProduct(
  a: Float64Array,
  p: number,
  b: Float64Array,
  q: number,
  n: number,
  order?: Uint32Array,
): Promise<Float64Array> {
  const out = new Float64Array(p * q);
  const rows = 4 * Math.max(1, Math.floor(PIECE / (4 * p * q)));
  for (let from = 0; from < n; from += rows) {
    if (from > 0) await breathe();
    addCrossProduct(out, a, p, b, q, from, Math.min(n, from + rows), order);
  }
  return out;
}

/** Four rows at a time: a quarter of the loads and stores of the result. */
function addCrossProduct(
  out: Float64Array,
  a: Float64Array,
  p: number,
  b: Float64Array,
  q: number,
  from: number,
  to: number,
  order: Uint32Array | undefined,
): void {
  const at = (i: number): number => (order ? order[i] : i) * q;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const [b0, b1, b2, b3] = [at(i), at(i + 1), at(i + 2), at(i + 3)];
    for (let j = 0; j < p; j++) {
      const a0 = a[i * p + j];
      const a1 = a[(i + 1) * p + j];
      const a2 = a[(i + 2) * p + j];
      const a3 = a[(i + 3) * p + j];
      const o = j * q;
      for (let k = 0; k < q; k++) out[o + k] += a0 * b[b0 + k] + a1 * b[b1 + k] + a2 * b[b2 + k] + a3 * b[b3 + k];
    }
  }
  for (; i < to; i++) {
    const b0 = at(i);
    for (let j = 0; j < p; j++) {
      const a0 = a[i * p + j];
      for (let k = 0; k < q; k++) out[j * q + k] += a0 * b[b0 + k];
    }
  }
}

/**
 * Beyond this many multiply-adds a null run uses the float32 product; its error, 1e-6, is far below the null's spread.
 */
const EXACT_UP_TO = 1e6;

/** Whether a null run of this size takes float32 products. */
export const isLargeNull = (n: number, p: number, q: number): boolean => n * p * q > EXACT_UP_TO;

/** Float32 copies of the operands of null runs, which many runs share: as they lie, and turned. */
const plains = new WeakMap<Float64Array, Float32Array>();
const turnedOnes = new WeakMap<Float64Array, Float32Array>();

/** x in float32. */
export function single(x: Float64Array): Float32Array {
  let copy = plains.get(x);
  if (!copy) plains.set(x, (copy = Float32Array.from(x)));
  return copy;
}

/** x [n × k] turned to k × n, in float32: products with it are faster by a third. */
export function singleTurned(x: Float64Array, n: number, k: number): Float32Array {
  let copy = turnedOnes.get(x);
  if (!copy) turnedOnes.set(x, (copy = transposed(Float32Array.from(x), n, k)));
  return copy;
}

/** As crossProduct, for null runs: float32 where float64 would take long. */
export async function crossProductOfNull(
  a: Float64Array,
  p: number,
  b: Float64Array,
  q: number,
  n: number,
  order: Uint32Array,
): Promise<Float64Array> {
  if (!isLargeNull(n, p, q)) return crossProduct(a, p, b, q, n, order);
  const right = single(b);
  const shuffled = new Float32Array(n * q);
  for (let i = 0; i < n; i++) shuffled.set(right.subarray(order[i] * q, (order[i] + 1) * q), i * q);
  await breathe();
  return Float64Array.from(gemm(singleTurned(a, n, p), shuffled, p, q, n));
}

/** xᵀ · x, d × d, float64: the lower triangle, four rows of x at a time, and its mirror. */
async function innerProduct(x: Float64Array, n: number, d: number): Promise<Float64Array> {
  const out = new Float64Array(d * d);
  const rows = 4 * Math.max(1, Math.floor(PIECE / (2 * d * d)));
  for (let from = 0; from < n; from += rows) {
    if (from > 0) await breathe();
    addInnerProduct(out, x, d, from, Math.min(n, from + rows));
  }
  for (let j = 0; j < d; j++) for (let k = 0; k < j; k++) out[k * d + j] = out[j * d + k];
  return out;
}

function addInnerProduct(out: Float64Array, x: Float64Array, d: number, from: number, to: number): void {
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const [i0, i1, i2, i3] = [i * d, (i + 1) * d, (i + 2) * d, (i + 3) * d];
    for (let j = 0; j < d; j++) {
      const [a0, a1, a2, a3] = [x[i0 + j], x[i1 + j], x[i2 + j], x[i3 + j]];
      const o = j * d;
      for (let k = 0; k <= j; k++) out[o + k] += a0 * x[i0 + k] + a1 * x[i1 + k] + a2 * x[i2 + k] + a3 * x[i3 + k];
    }
  }
  for (; i < to; i++)
    for (let j = 0; j < d; j++) for (let k = 0; k <= j; k++) out[j * d + k] += x[i * d + j] * x[i * d + k];
}

/** x · xᵀ, n × n, float64, both triangles. */
export async function outerProduct(x: Float64Array, n: number, d: number): Promise<Float64Array> {
  const out = new Float64Array(n * n);
  const perPiece = Math.max(1, Math.floor(PIECE / (n * d)));
  for (let i = 0; i < n; i++) {
    addOuterRow(out, x, n, d, i);
    if (i % perPiece === perPiece - 1) await breathe();
  }
  return out;
}

/** Row i up to the diagonal, mirrored; four columns at a time, whose sums do not wait for each other. */
function addOuterRow(out: Float64Array, x: Float64Array, n: number, d: number, i: number): void {
  const xi = i * d;
  for (let j = 0; j <= i; j += 4) {
    // Columns beyond the diagonal are computed again on the last one and not stored.
    const x0 = j * d;
    const x1 = Math.min(i, j + 1) * d;
    const x2 = Math.min(i, j + 2) * d;
    const x3 = Math.min(i, j + 3) * d;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0; k < d; k++) {
      const v = x[xi + k];
      s0 += v * x[x0 + k];
      s1 += v * x[x1 + k];
      s2 += v * x[x2 + k];
      s3 += v * x[x3 + k];
    }
    const sums = [s0, s1, s2, s3];
    for (let c = 0; c < 4 && j + c <= i; c++) {
      out[i * n + j + c] = sums[c];
      out[(j + c) * n + i] = sums[c];
    }
  }
}

/**
 * Singular values of m [p × q], descending, padded with zeros to p, and their left singular vectors [p × p], as
 * columns.
 */
export async function leftSingular(
  m: Float64Array,
  p: number,
  q: number,
): Promise<{ values: Float64Array; vectors: Float64Array }> {
  const { values, vectors } = symmetricEigen(await outerProduct(m, p, q), p);
  return { values: values.map((v) => Math.sqrt(Math.max(0, v))), vectors };
}

/** The min(p, q) singular values of m [p × q], descending. */
export async function singularValues(m: Float64Array, p: number, q: number): Promise<Float64Array> {
  const gram = p <= q ? await outerProduct(m, p, q) : await crossProduct(m, q, m, q, p);
  return symmetricEigenvalues(gram, Math.min(p, q)).map((v) => Math.sqrt(Math.max(0, v)));
}
