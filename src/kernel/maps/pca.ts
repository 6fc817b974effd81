/** Principal components of rows: the first two axes of the centred data. */
import { checkAborted, breathe, type CallOptions } from '../compute/call.js';
import { gemm, initGemm } from '../compute/gemm.js';
import { leadingEigen } from '../compute/leadingEigen.js';
import { symmetricEigen } from '../compute/linalg.js';
import { largestOf, powerBelow, type Matrix } from '../compute/matrix.js';
import { sha256 } from '../io/hash.js';
import { finiteRows, spread } from './rows.js';
import type { Layout } from './types.js';

export interface PrincipalAxes {
  /** k × d, rows are unit axes; the largest loading of each is positive. */
  axes: Float64Array;
  /** Variances (n − 1) along the axes. */
  variances: Float64Array;
  totalVariance: number;
  mean: Float64Array;
}

/** The eigenproblem is solved whole up to this width; above it the leading axes alone are looked for. */
const WHOLE = 320;
/** Multiplications up to which the covariance is summed in float64 (about a second); above, by float32 GEMM. */
const EXACT = 1e9;
/** Accepted residual of eigenvectors of a float32 product, whose own error moves them by more (about 1e-7 / gap). */
const PRODUCT_RESIDUAL = 1e-8;

/** Columns of the covariance that one product makes: blocks below the diagonal are left out. */
const PANEL = 256;
/** Side of the tiles in which rows are turned into columns. */
const TILE = 32;

/** The mean of the rows. */
function meanOf({ data, rows: n, cols: d }: Matrix): Float64Array {
  const mean = new Float64Array(d);
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const p = i * d;
    const q = p + d;
    const r = q + d;
    const s = r + d;
    for (let j = 0; j < d; j++) mean[j] += data[p + j] + data[q + j] + (data[r + j] + data[s + j]);
  }
  for (; i < n; i++) for (let j = 0; j < d; j++) mean[j] += data[i * d + j];
  for (let j = 0; j < d; j++) mean[j] /= n;
  return mean;
}

/** Some centred rows in units of `unit`, turned: d × rows. */
function centredColumns(
  x: Matrix,
  mean: Float64Array,
  unit: number,
  first: number,
  rows: number,
  out: Float32Array,
): Float32Array {
  const { data, cols: d } = x;
  // Exact: the unit is a power of two.
  const factor = 1 / unit;
  for (let r0 = 0; r0 < rows; r0 += TILE) {
    const r1 = Math.min(rows, r0 + TILE);
    for (let c0 = 0; c0 < d; c0 += TILE) {
      const c1 = Math.min(d, c0 + TILE);
      for (let c = c0; c < c1; c++) {
        const m = mean[c];
        const to = c * rows;
        for (let r = r0; r < r1; r++) out[to + r] = (data[(first + r) * d + c] - m) * factor;
      }
    }
  }
  return out.subarray(0, d * rows);
}

/** Adds Σ centredᵀ centred of some rows to the upper triangle of a d × d float64 matrix, summed in float64. */
function addExact(covariance: Float64Array, columns: Float32Array, rows: number, d: number): void {
  for (let p = 0; p < d; p++)
    for (let q = p; q < d; q++) {
      let s0 = 0;
      let s1 = 0;
      let i = 0;
      for (; i + 1 < rows; i += 2) {
        s0 += columns[p * rows + i] * columns[q * rows + i];
        s1 += columns[p * rows + i + 1] * columns[q * rows + i + 1];
      }
      if (i < rows) s0 += columns[p * rows + i] * columns[q * rows + i];
      covariance[p * d + q] += s0 + s1;
    }
}

/** Adds the same sums by float32 products. */
function addProducts(covariance: Float64Array, columns: Float32Array, rows: number, d: number): void {
  for (let p0 = 0; p0 < d; p0 += PANEL) {
    const p1 = Math.min(d, p0 + PANEL);
    const width = d - p0;
    const right = columns.subarray(p0 * rows);
    const product = gemm(columns.subarray(p0 * rows, p1 * rows), right, p1 - p0, width, rows, { transB: true });
    for (let p = p0, at = 0; p < p1; p++, at += width)
      for (let q = p; q < d; q++) covariance[p * d + q] += product[at + q - p0];
  }
}

/** Scales the upper triangle of a d × d matrix and copies it to the lower one, in tiles that stay in the cache. */
function scaledWhole(a: Float64Array, d: number, scaled: (v: number) => number): void {
  for (let p0 = 0; p0 < d; p0 += TILE)
    for (let q0 = p0; q0 < d; q0 += TILE)
      for (let p = p0; p < Math.min(d, p0 + TILE); p++)
        for (let q = Math.max(p, q0); q < Math.min(d, q0 + TILE); q++)
          a[p * d + q] = a[q * d + p] = scaled(a[p * d + q]);
}

/**
 * The first k principal axes of n × d rows (n ≥ 2). The covariance is exact to float64 sums of float32 centred rows
 * while n·d² ≤ 1e9, beyond that by float32 GEMM in blocks (relative error about 1e-6); eigenvectors are float64.
 */
export async function principalAxes(x: Matrix, k: number, call: CallOptions = {}): Promise<PrincipalAxes> {
  const { rows: n, cols: d } = x;
  if (n < 2) throw new Error(`PCA needs at least 2 rows but got ${n}`);
  const mean = meanOf(x);
  await initGemm();
  const exact = n * d * d <= EXACT;
  // A power of two: float32 products of tiny or huge entries would vanish or overflow, and digits stay.
  const unit = powerBelow(largestOf(x.data));
  const covariance = new Float64Array(d * d);
  const block = Math.min(n, Math.max(1024, Math.floor(2 ** 22 / d)));
  const kept = new Float32Array(block * d);
  for (let first = 0; first < n; first += block) {
    checkAborted(call.signal, 'PCA');
    const rows = Math.min(block, n - first);
    const columns = centredColumns(x, mean, unit, first, rows, kept);
    if (exact) addExact(covariance, columns, rows, d);
    else addProducts(covariance, columns, rows, d);
    call.onProgress?.({ label: 'PCA', done: first + rows, total: n, unit: 'rows' });
    await breathe();
  }
  scaledWhole(covariance, d, (sum) => (sum * unit * unit) / (n - 1));
  let totalVariance = 0;
  for (let j = 0; j < d; j++) totalVariance += covariance[j * d + j];
  const wanted = Math.min(k, d);
  const { values, axes } = await eigenpairs(covariance, d, wanted, exact ? 1e-10 : PRODUCT_RESIDUAL, call);
  for (let c = 0; c < wanted; c++) {
    let largest = 0;
    for (let j = 0; j < d; j++) if (Math.abs(axes[c * d + j]) > Math.abs(largest)) largest = axes[c * d + j];
    if (largest < 0) for (let j = 0; j < d; j++) axes[c * d + j] = -axes[c * d + j];
  }
  return { axes, variances: values.slice(0, wanted).map((v) => Math.max(0, v)), totalVariance, mean };
}

/** The k largest eigenvalues (or more) and their vectors, k × d. */
async function eigenpairs(
  covariance: Float64Array,
  d: number,
  k: number,
  residual: number,
  call: CallOptions,
): Promise<{ values: Float64Array; axes: Float64Array }> {
  if (d > WHOLE) {
    const { values, vectors } = await leadingEigen(covariance, d, k, { ...call, residual });
    return { values, axes: vectors };
  }
  const { values, vectors } = symmetricEigen(covariance, d);
  const axes = new Float64Array(k * d);
  for (let c = 0; c < k; c++) for (let j = 0; j < d; j++) axes[c * d + j] = vectors[j * d + c];
  return { values, axes };
}

/** Coordinates of rows along the axes, n × k float64 sums stored as float32; 0 along axes beyond those found. */
export function project(x: Matrix, { axes, mean }: PrincipalAxes, k: number): Float32Array {
  const { rows: n, cols: d, data } = x;
  const out = new Float32Array(n * k);
  const available = Math.min(k, axes.length / d);
  // Two axes at a time, so that rows are read half as often; x · axis − mean · axis, in float64, has no less precision.
  for (let c = 0; c < available; c += 2) {
    const other = Math.min(c + 1, available - 1);
    const [p, q] = [c * d, other * d];
    const [a0, b0] = [along(mean, axes, p), along(mean, axes, q)];
    for (let i = 0; i < n; i++) {
      const at = i * d;
      let a = 0;
      let b = 0;
      for (let j = 0; j < d; j++) {
        const v = data[at + j];
        a += v * axes[p + j];
        b += v * axes[q + j];
      }
      out[i * k + c] = a - a0;
      out[i * k + other] = b - b0;
    }
  }
  return out;
}

function along(mean: Float64Array, axes: Float64Array, p: number): number {
  return mean.reduce((sum, v, j) => sum + v * axes[p + j], 0);
}

/**
 * A two-dimensional PCA layout. Rows with NaN or infinity are left out and counted; their coordinates are NaN.
 * @throws Error with fewer than 2 finite rows.
 */
export async function pca(x: Matrix, call: CallOptions = {}): Promise<Layout> {
  const kept = finiteRows(x);
  const axes = await principalAxes(kept.matrix, 2, call);
  const ratio = axes.variances.map((v) => (axes.totalVariance > 0 ? v / axes.totalVariance : 0));
  const percent = [...ratio].map((r) => `${(100 * r).toFixed(1)} %`).join(' and ');
  return {
    id: sha256(['pca 1', `${x.rows} ${x.cols}`, x.data]),
    coordinates: spread(project(kept.matrix, axes, 2), kept.index, x.rows),
    points: x.rows,
    method: 'pca',
    description: `PCA, ${percent} of variance`,
    parameters: {},
    excluded: x.rows - kept.index.length,
    explainedVarianceRatio: ratio,
  };
}
