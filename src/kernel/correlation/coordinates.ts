/** Float64 linear algebra under the similarity scores: one side of the pairs, its principal coordinates, products. */
import { breathe } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { symmetricEigen } from '../compute/linalg.js';
import type { Matrix } from '../compute/matrix.js';

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
  /** n × d, each column minus its mean. */
  readonly centred: Float64Array;
  private factors: Promise<Principal> | undefined;
  private orthonormal: Promise<Principal> | undefined;

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
    this.centred = centreColumns(this.rows, n, d);
    if (this.centred.every((v) => v === 0))
      throw new RangeError(`${name}: all ${n} rows are equal, nothing to compare`);
  }

  /** Principal coordinates, computed once. */
  principal(): Promise<Principal> {
    return (this.factors ??= principal(this.centred, this.n, this.d));
  }

  /**
   * As principal(), with U orthonormal to rounding in the weakest directions too: the Gram matrix halves the digits of
   * a direction, and a second round on U, which is nearly orthonormal, restores them.
   */
  basis(): Promise<Principal> {
    return (this.orthonormal ??= this.principal().then(async ({ U, S, rank }) => {
      const again = await principal(U, this.n, rank);
      return { U: again.U, S, rank: again.rank };
    }));
  }
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
  const gram = tall ? await crossProduct(x, d, x, d, n) : await outerProduct(x, n, d);
  const { values, vectors } = symmetricEigen(gram, size);
  let rank = 0;
  while (rank < size && values[rank] > RANK_TOLERANCE * values[0]) rank++;
  const S = values.slice(0, rank).map(Math.sqrt);
  const U = new Float64Array(n * rank);
  if (!tall) {
    for (let i = 0; i < n; i++) for (let k = 0; k < rank; k++) U[i * rank + k] = vectors[i * n + k];
    return { rank, U, S };
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < d; j++) {
      const v = x[i * d + j];
      for (let k = 0; k < rank; k++) U[i * rank + k] += v * vectors[j * d + k];
    }
    for (let k = 0; k < rank; k++) U[i * rank + k] /= S[k];
    if (i % 256 === 255) await breathe();
  }
  return { rank, U, S };
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
  const perPiece = Math.max(1, Math.floor(PIECE / (p * q)));
  for (let i = 0; i < n; i++) {
    const from = (order ? order[i] : i) * q;
    for (let j = 0; j < p; j++) {
      const v = a[i * p + j];
      if (v === 0) continue;
      const to = j * q;
      for (let k = 0; k < q; k++) out[to + k] += v * b[from + k];
    }
    if (i % perPiece === perPiece - 1) await breathe();
  }
  return out;
}

/** Beyond this many multiply-adds a null run uses the float32 product: its error, 1e-6, is far below the null's spread. */
const EXACT_UP_TO = 5e7;

/** As crossProduct, for null runs: float32 where float64 would take long. */
export async function crossProductOfNull(
  a: Float64Array,
  p: number,
  b: Float64Array,
  q: number,
  n: number,
  order: Uint32Array,
): Promise<Float64Array> {
  if (n * p * q <= EXACT_UP_TO) return crossProduct(a, p, b, q, n, order);
  const shuffled = new Float32Array(n * q);
  for (let i = 0; i < n; i++) shuffled.set(b.subarray(order[i] * q, (order[i] + 1) * q), i * q);
  await breathe();
  return Float64Array.from(gemm(Float32Array.from(a), shuffled, p, q, n, { transA: true }));
}

/** x · xᵀ, n × n, float64, both triangles. */
export async function outerProduct(x: Float64Array, n: number, d: number): Promise<Float64Array> {
  const out = new Float64Array(n * n);
  const perPiece = Math.max(1, Math.floor(PIECE / (n * d)));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < d; k++) dot += x[i * d + k] * x[j * d + k];
      out[i * n + j] = dot;
      out[j * n + i] = dot;
    }
    if (i % perPiece === perPiece - 1) await breathe();
  }
  return out;
}

/** Singular values of m [p × q], descending, padded with zeros to p, and their left singular vectors [p × p], as columns. */
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
  if (p <= q) return (await leftSingular(m, p, q)).values;
  const gram = await crossProduct(m, q, m, q, p);
  return symmetricEigen(gram, q).values.map((v) => Math.sqrt(Math.max(0, v)));
}
