/** Null data: as the points, without the shape that a Mapper graph or a barcode is tested for. */
import { maxOf } from '../../protocol/lists.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm, transposed, initGemm } from '../compute/gemm.js';
import { symmetricEigenvalues } from '../compute/linalg.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { Random } from '../compute/random.js';
import { columnMeans } from '../compute/rows.js';
import { choleskyInPlace } from '../compute/cholesky.js';

/**
 * rotated: the centred rows keep their singular values, their singular vectors are drawn from the Haar measure (left
 * ones orthogonal to the constant), the mean is kept. shuffled: every column in an order of its own. gaussian: normal
 * rows with the mean and the covariance of the data.
 */
export type NullKind = 'rotated' | 'shuffled' | 'gaussian';

export const NULL_KINDS: readonly NullKind[] = ['rotated', 'shuffled', 'gaussian'];

export const NULL_NAMES: Readonly<Record<NullKind, string>> = {
  rotated: 'rotated singular vectors, same spectrum',
  shuffled: 'shuffled coordinates',
  gaussian: 'Gaussian, same covariance',
};

/** Multiplications up to which products are summed in float64 (about a second). */
const EXACT = 1e9;

/** Subtracts the column means in place. */
function centre(x: Matrix): Matrix {
  const mean = columnMeans(x);
  for (let i = 0, at = 0; i < x.rows; i++) for (let j = 0; j < x.cols; j++) x.data[at++] -= mean[j];
  return x;
}

/**
 * xᵀx of n × d rows in float64: summed in float64 up to 1e9 multiplications and for matrices that are nearly square,
 * whose small singular values would drown otherwise, else by float32 GEMM in blocks (relative error about 1e-6).
 */
async function gram(x: Matrix, call: CallOptions): Promise<Float64Array> {
  const { rows: n, cols: d, data } = x;
  const out = new Float64Array(d * d);
  const exact = n * d * d <= EXACT || n < 4 * d;
  const block = Math.max(1, exact ? Math.floor(2e8 / (d * d)) : Math.floor(2 ** 23 / d));
  for (let first = 0; first < n; first += block) {
    checkAborted(call.signal, 'null data');
    const rows = Math.min(block, n - first);
    if (exact) {
      for (let i = first; i < first + rows; i++)
        for (let p = 0; p < d; p++) {
          const v = data[i * d + p];
          for (let q = p, at = i * d + p, to = p * d + p; q < d; q++) out[to++] += v * data[at++];
        }
    } else {
      const piece = data.subarray(first * d, (first + rows) * d);
      const product = gemm(piece, piece, d, d, rows, { transA: true });
      for (let e = 0; e < out.length; e++) out[e] += product[e];
    }
    await breathe();
  }
  for (let p = 0; p < d; p++) for (let q = 0; q < p; q++) out[p * d + q] = out[q * d + p];
  return out;
}

/** Singular values of centred n × d rows, the r = min(n − 1, d) largest, descending. */
async function spectrum(x: Matrix, call: CallOptions): Promise<Float64Array> {
  const centred = centre(matrix(x.rows, x.cols, x.data.slice()));
  const side = x.rows < x.cols ? matrix(x.cols, x.rows, transposed(centred.data, x.rows, x.cols)) : centred;
  const values = symmetricEigenvalues(await gram(side, call), side.cols).slice();
  values.sort().reverse();
  return values.subarray(0, Math.min(x.rows - 1, x.cols)).map((v) => Math.sqrt(Math.max(0, v)));
}

/**
 * Pivoted Cholesky of a covariance: the r × d factor L with LᵀL = c, r its numerical rank (Higham 2002, Accuracy and
 * stability of numerical algorithms, section 10.3).
 */
async function covarianceFactor(c: Float64Array, d: number, call: CallOptions): Promise<Matrix> {
  const left = Float64Array.from({ length: d }, (_, j) => c[j * d + j]);
  const tolerance = 1e-12 * maxOf(left) * d;
  const rows: Float64Array[] = [];
  for (let step = 0; step < d; step++) {
    let pivot = 0;
    for (let j = 1; j < d; j++) if (left[j] > left[pivot]) pivot = j;
    if (!(left[pivot] > tolerance)) break;
    const root = Math.sqrt(left[pivot]);
    const row = Float64Array.from(c.subarray(pivot * d, (pivot + 1) * d));
    for (const before of rows) {
      const v = before[pivot];
      for (let j = 0; j < d; j++) row[j] -= v * before[j];
    }
    for (let j = 0; j < d; j++) {
      row[j] /= root;
      left[j] -= row[j] * row[j];
    }
    left[pivot] = -Infinity;
    rows.push(row);
    if (step % 64 === 0) {
      checkAborted(call.signal, 'null data');
      await breathe();
    }
  }
  const out = matrix(rows.length, d);
  rows.forEach((row, i) => out.data.set(row, i * d));
  return out;
}

/**
 * diag(s)·Vᵀ with V a Haar-distributed d × r orthonormal matrix: rows of the identity through d random Householder
 * reflections and random signs (Stewart 1980, "The efficient generation of random orthogonal matrices").
 */
async function rotatedSpectrum(s: Float64Array, d: number, random: Random, call: CallOptions): Promise<Float64Array> {
  const r = s.length;
  const reflections = Array.from({ length: d - 1 }, (_, k) => {
    const v = Float64Array.from({ length: d - k }, () => random.normal());
    const sign = v[0] < 0 ? -1 : 1;
    v[0] += sign * Math.hypot(...v);
    const scale = Math.SQRT2 / Math.hypot(...v);
    return { v: v.map((e) => e * scale), sign: -sign };
  });
  const lastSign = random.int(2) === 0 ? 1 : -1;
  const out = new Float64Array(r * d);
  for (let i = 0; i < r; i++) {
    const row = out.subarray(i * d, (i + 1) * d);
    row[i] = s[i] * (i === d - 1 ? lastSign : reflections[i].sign);
    // Reflections beyond i leave this row of the identity alone.
    for (let k = Math.min(i, d - 2); k >= 0; k--) {
      const { v } = reflections[k];
      let dot = 0;
      for (let j = k; j < d; j++) dot += v[j - k] * row[j];
      for (let j = k; j < d; j++) row[j] -= dot * v[j - k];
    }
    if (i % 64 === 0) {
      checkAborted(call.signal, 'null data');
      await breathe();
    }
  }
  return out;
}

/** Solves R m = a in place of a; R upper triangular r × r, a r × d. */
async function backSubstitute(upper: Float64Array, a: Float64Array, r: number, d: number): Promise<void> {
  for (let i = r - 1; i >= 0; i--) {
    const row = a.subarray(i * d, (i + 1) * d);
    for (let k = i + 1; k < r; k++) {
      const v = upper[i * r + k];
      for (let j = 0, at = k * d; j < d; j++) row[j] -= v * a[at++];
    }
    const pivot = upper[i * r + i];
    for (let j = 0; j < d; j++) row[j] /= pivot;
    if (i % 32 === 0) await breathe();
  }
}

/** Draws null data; what depends on the data alone is computed once. */
export class NullData {
  readonly #mean: Float64Array;
  #spectrum?: Float64Array;
  #factor?: Matrix;

  /**
   * @param x finite rows, at least two
   * @throws RangeError for fewer than two rows
   */
  constructor(
    private readonly x: Matrix,
    readonly kind: NullKind,
  ) {
    if (x.rows < 2) throw new RangeError(`null data needs at least 2 points but got ${x.rows}`);
    this.#mean = columnMeans(x);
  }

  /** n × d rows; the same seed gives the same rows. */
  async draw(seed: number, call: CallOptions = {}): Promise<Matrix> {
    const { x, kind } = this;
    checkAborted(call.signal, 'null data');
    requireMemory(`null data of ${x.rows} × ${x.cols}`, 8 * x.rows * x.cols + 24 * x.cols ** 2);
    await initGemm();
    const random = new Random(seed).fork(`mapper null ${kind}`);
    if (kind === 'shuffled') return this.#shuffled(random, call);
    return kind === 'rotated' ? this.#rotated(random, call) : this.#gaussian(random, call);
  }

  #shuffled(random: Random, call: CallOptions): Matrix {
    const { rows, cols, data } = this.x;
    const out = matrix(rows, cols);
    for (let j = 0; j < cols; j++) {
      checkAborted(call.signal, 'null data');
      const order = random.permutation(rows);
      for (let i = 0; i < rows; i++) out.data[i * cols + j] = data[order[i] * cols + j];
    }
    return out;
  }

  async #rotated(random: Random, call: CallOptions): Promise<Matrix> {
    const { rows: n, cols: d } = this.x;
    const s = (this.#spectrum ??= await spectrum(this.x, call));
    const r = s.length;
    const g = matrix(n, r);
    random.normals(g.data);
    // Q of G = QR is Haar-distributed among the frames orthogonal to the constant, so the rows' mean stays.
    const upper = await gram(centre(g), call);
    await choleskyInPlace(upper, r, call.signal);
    // n − 1 ≥ r random rows are singular with probability 0: only a fault of the program would end here.
    if (!(upper[r * r - 1] > 0)) throw new Error('a random matrix was singular: this does not happen');
    const m = await rotatedSpectrum(s, d, random, call);
    await backSubstitute(upper, m, r, d);
    return this.#plusMean(g, matrix(r, d, Float32Array.from(m)));
  }

  async #gaussian(random: Random, call: CallOptions): Promise<Matrix> {
    const { rows: n, cols: d, data } = this.x;
    if (!this.#factor) {
      const c = await gram(centre(matrix(n, d, data.slice())), call);
      this.#factor = await covarianceFactor(
        c.map((v) => v / (n - 1)),
        d,
        call,
      );
    }
    const g = matrix(n, this.#factor.rows);
    random.normals(g.data);
    return this.#plusMean(g, this.#factor);
  }

  #plusMean(g: Matrix, m: Matrix): Matrix {
    const d = this.x.cols;
    const out = matrix(g.rows, d, g.cols > 0 ? gemm(g.data, m.data, g.rows, d, g.cols) : undefined);
    for (let i = 0, at = 0; i < g.rows; i++) for (let j = 0; j < d; j++) out.data[at++] += this.#mean[j];
    return out;
  }
}
