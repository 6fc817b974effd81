/** Principal components of rows: the first two axes of the centred data. */
import { checkAborted, breathe, type CallOptions } from '../compute/call.js';
import { gemm, initGemm } from '../compute/gemm.js';
import { leadingEigen } from '../compute/leadingEigen.js';
import { symmetricEigen } from '../compute/linalg.js';
import type { Matrix } from '../compute/matrix.js';
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

/** Adds Σ centredᵀ centred of some rows to the upper triangle of a d × d float64 matrix. */
function addProducts(covariance: Float64Array, centred: Float32Array, rows: number, d: number, exact: boolean): void {
  if (!exact) {
    const product = gemm(centred, centred, d, d, rows, { transA: true });
    for (let e = 0; e < product.length; e++) covariance[e] += product[e];
    return;
  }
  for (let i = 0; i < rows; i++) {
    const at = i * d;
    for (let p = 0; p < d; p++) {
      const v = centred[at + p];
      if (v === 0) continue;
      for (let q = p; q < d; q++) covariance[p * d + q] += v * centred[at + q];
    }
  }
}

/**
 * The first k principal axes of n × d rows (n ≥ 2). The covariance is exact to float64 sums of float32 centred rows while
 * n·d² ≤ 1e9, beyond that by float32 GEMM in blocks (relative error about 1e-6); eigenvectors are float64.
 */
export async function principalAxes(x: Matrix, k: number, call: CallOptions = {}): Promise<PrincipalAxes> {
  const { rows: n, cols: d } = x;
  if (n < 2) throw new Error(`PCA needs at least 2 rows but got ${n}`);
  const mean = new Float64Array(d);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j] += x.data[at++];
  for (let j = 0; j < d; j++) mean[j] /= n;
  await initGemm();
  const exact = n * d * d <= EXACT;
  const covariance = new Float64Array(d * d);
  const block = Math.max(1, Math.min(n, Math.floor(2 ** 22 / d)));
  for (let first = 0; first < n; first += block) {
    checkAborted(call.signal, 'PCA');
    const rows = Math.min(block, n - first);
    const centred = new Float32Array(rows * d);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < d; j++) centred[i * d + j] = x.data[(first + i) * d + j] - mean[j];
    addProducts(covariance, centred, rows, d, exact);
    call.onProgress?.({ label: 'PCA', done: first + rows, total: n, unit: 'rows' });
    await breathe();
  }
  for (let p = 0; p < d; p++)
    for (let q = p; q < d; q++) covariance[p * d + q] = covariance[q * d + p] = covariance[p * d + q] / (n - 1);
  let totalVariance = 0;
  for (let j = 0; j < d; j++) totalVariance += covariance[j * d + j];
  const wanted = Math.min(k, d);
  const { values, axes } = await eigenpairs(covariance, d, wanted, call);
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
  call: CallOptions,
): Promise<{ values: Float64Array; axes: Float64Array }> {
  if (d > WHOLE) {
    const { values, vectors } = await leadingEigen(covariance, d, k, call);
    return { values, axes: vectors };
  }
  const { values, vectors } = symmetricEigen(covariance, d);
  const axes = new Float64Array(k * d);
  for (let c = 0; c < k; c++) for (let j = 0; j < d; j++) axes[c * d + j] = vectors[j * d + c];
  return { values, axes };
}

/** Coordinates of rows along the axes, n × k float64 sums stored as float32. */
export function project(x: Matrix, { axes, mean }: PrincipalAxes, k: number): Float32Array {
  const { rows: n, cols: d, data } = x;
  const out = new Float32Array(n * k);
  const available = axes.length / d;
  for (let i = 0; i < n; i++)
    for (let c = 0; c < Math.min(k, available); c++) {
      const p = i * d;
      const q = c * d;
      // Four sums at once: one alone would wait for every addition.
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let j = 0;
      for (; j + 3 < d; j += 4) {
        s0 += (data[p + j] - mean[j]) * axes[q + j];
        s1 += (data[p + j + 1] - mean[j + 1]) * axes[q + j + 1];
        s2 += (data[p + j + 2] - mean[j + 2]) * axes[q + j + 2];
        s3 += (data[p + j + 3] - mean[j + 3]) * axes[q + j + 3];
      }
      for (; j < d; j++) s0 += (data[p + j] - mean[j]) * axes[q + j];
      out[i * k + c] = s0 + s1 + (s2 + s3);
    }
  return out;
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
