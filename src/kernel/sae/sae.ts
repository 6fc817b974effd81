/**
 * A sparse autoencoder, inference only, in one canonical form:
 *
 *   z = (norm(x) − b_dec · applyBDecToInput) · W_enc + b_enc        [N, d_sae]
 *   f = ReLU(z)                     standard
 *   f = ReLU(top-k of z)            topk (rescaled: of z · ‖W_dec row‖, and decode divides it out again)
 *   x̂ = f · W_dec + b_dec                                           [N, d_in]
 *
 * Features are sparse rows: most SAEs fire on 0.1-3 % of their features, and a dense [N, d_sae] never leaves a block.
 */
import { gemm } from '../compute/gemm.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import { topKRows } from '../compute/topk.js';
import { rowNorms } from '../compute/rows.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { denormalize, normalizeInput, type InputNorm, type NormalizedInput } from './normalize.js';
import type { Sae, SaeArchitecture, SaeConfig } from './types.js';

export const ARCHITECTURES: readonly SaeArchitecture[] = ['standard', 'topk'];

/** Floats of one block of pre-activations: 64 MB. */
const BLOCK_FLOATS = 1 << 24;
/** Multiply-adds of one native call, about 0.2 s on two cores. */
const BLOCK_FLOPS = 3e10;

export interface SaeWeights {
  /** [d_in, d_sae] */
  W_enc: Matrix;
  /** [d_sae] */
  b_enc: Float32Array;
  /** [d_sae, d_in] */
  W_dec: Matrix;
  /** [d_in] */
  b_dec: Float32Array;
}

/**
 * Makes an SAE of a config and its weights (kept, not copied). Throws on shapes that do not fit, weights that are not
 * finite, an unknown architecture, a k outside 1 … d_sae, and activation scaling that was not folded in yet.
 */
export function createSae(config: SaeConfig, weights: SaeWeights): Sae {
  checkConfig(config);
  checkWeights(config, weights);
  const { W_enc, b_enc, W_dec, b_dec } = weights;
  const decoderNorms = config.rescaleActsByDecoderNorm ? rowNorms(W_dec) : undefined;
  return {
    name: [config.modelName, config.hookName, config.architecture, String(config.dSae)].filter(Boolean).join(' '),
    id: identityOf(config, weights),
    config,
    W_enc,
    b_enc,
    W_dec,
    b_dec,
    decoder: W_dec,
    encode: (x) => encodeRows(config, weights, decoderNorms, normalizedInput(config, x).x),
    decode: (features) => decodeRows(config, weights, decoderNorms, features),
  };
}

/**
 * x → features → x̂ in the units of x. The same as decode(encode(x)) unless the SAE normalises its input by row
 * ('layer_norm', 'constant_norm_rescale'): decode alone cannot know a row's scale and stays in normalised units.
 */
export function reconstruct(sae: Sae, x: Matrix): { features: SparseRows; reconstruction: Matrix } {
  const features = sae.encode(x);
  const reconstruction = sae.decode(features);
  if (sae.config.normalizeActivations === 'none') return { features, reconstruction };
  return { features, reconstruction: denormalize(reconstruction, normalizedInput(sae.config, x)) };
}

/**
 * Folds the scale s of 'expected_average_only_in' (s = √d_in / mean ‖x‖) into the weights, so that the SAE takes
 * unscaled activations: W_enc ← s·W_enc, W_dec ← W_dec/s, b_dec ← b_dec/s, b_enc as it is. In place.
 */
export function foldActivationScale(weights: SaeWeights, s: number): void {
  if (!(s > 0) || !Number.isFinite(s)) throw new RangeError(`activation scale must be a positive number but got ${s}`);
  const { W_enc, W_dec, b_dec } = weights;
  for (let i = 0; i < W_enc.data.length; i++) W_enc.data[i] *= s;
  for (let i = 0; i < W_dec.data.length; i++) W_dec.data[i] /= s;
  for (let i = 0; i < b_dec.length; i++) b_dec[i] /= s;
}

/**
 * Folds decoder norms n into the weights: W_enc column · n, b_enc · n, W_dec row / n. Afterwards decoder rows have norm 1
 * and a plain top-k selects what the rescaled one did. Norms are taken as at least 1e-8, as SAELens does. In place.
 */
export function foldDecoderNorm(weights: SaeWeights): void {
  const { W_enc, b_enc, W_dec } = weights;
  const norms = rowNorms(W_dec).map((n) => Math.max(n, 1e-8));
  for (let f = 0; f < W_dec.rows; f++) {
    b_enc[f] *= norms[f];
    for (let j = f * W_dec.cols; j < (f + 1) * W_dec.cols; j++) W_dec.data[j] /= norms[f];
  }
  for (let j = 0; j < W_enc.rows; j++) {
    const at = j * W_enc.cols;
    for (let f = 0; f < W_enc.cols; f++) W_enc.data[at + f] *= norms[f];
  }
}

/** Throws on a config that cannot be computed, saying what is supported. */
export function checkConfig(config: SaeConfig): void {
  const { architecture, dIn, dSae, k } = config;
  if (!ARCHITECTURES.includes(architecture)) {
    throw new Error(
      `SAE architecture "${String(architecture)}" is not supported; supported are ${ARCHITECTURES.join(', ')}`,
    );
  }
  for (const [name, value] of Object.entries({ d_in: dIn, d_sae: dSae })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} must be a positive integer but is ${value}`);
  }
  if (architecture === 'topk' && !(Number.isInteger(k) && k! >= 1 && k! <= dSae)) {
    throw new RangeError(`a topk SAE needs an integer k from 1 to d_sae = ${dSae} but got ${String(k)}; give { k }`);
  }
  if (config.rescaleActsByDecoderNorm && architecture !== 'topk') {
    throw new Error(`rescaleActsByDecoderNorm is for topk SAEs, not ${architecture}`);
  }
  if (config.normalizeActivations === 'expected_average_only_in') {
    throw new Error(
      'normalizeActivations "expected_average_only_in" is a scale of the training data that is not in the weights yet; ' +
        'load with { normScalingFactor } (√d_in / mean ‖x‖ of the training activations; 1 if it was folded already)',
    );
  }
  if (config.normalizeActivations === 'layer_norm' && dIn < 2)
    throw new RangeError('layer_norm needs d_in of at least 2');
}

function checkWeights(config: SaeConfig, { W_enc, b_enc, W_dec, b_dec }: SaeWeights): void {
  const { dIn, dSae } = config;
  const shapes: Array<[string, number[], number[], Float32Array]> = [
    ['W_enc', [W_enc.rows, W_enc.cols], [dIn, dSae], W_enc.data],
    ['b_enc', [b_enc.length], [dSae], b_enc],
    ['W_dec', [W_dec.rows, W_dec.cols], [dSae, dIn], W_dec.data],
    ['b_dec', [b_dec.length], [dIn], b_dec],
  ];
  for (const [name, got, expected, data] of shapes) {
    if (got.join() !== expected.join()) {
      throw new RangeError(
        `${name} must be [${expected.join(', ')}] for d_in ${dIn}, d_sae ${dSae} but is [${got.join(', ')}]`,
      );
    }
    const bad = firstNonFinite(data);
    if (bad >= 0)
      throw new RangeError(`${name} holds ${data[bad]} at element ${bad}; the SAE's file or training is broken`);
  }
}

/** Index of the first NaN or infinity, -1 when all are finite. */
export function firstNonFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

/** What changes numbers is in the identity; metadata and names of training runs are not. */
function identityOf(config: SaeConfig, { W_enc, b_enc, W_dec, b_dec }: SaeWeights): string {
  const { architecture, dIn, dSae, k, applyBDecToInput, normalizeActivations, hookName, modelName } = config;
  const rescale = config.rescaleActsByDecoderNorm ?? false;
  const kept = {
    architecture,
    dIn,
    dSae,
    k: k ?? null,
    applyBDecToInput,
    normalizeActivations,
    hookName,
    modelName,
    rescale,
  };
  return sha256(['sae 1', canonicalJson(kept), W_enc.data, b_enc, W_dec.data, b_dec]);
}

function normalizedInput(config: SaeConfig, x: Matrix): NormalizedInput {
  if (x.cols !== config.dIn) {
    const where = [config.hookName, config.modelName].filter(Boolean).join(' of ');
    throw new RangeError(
      `SAE expects activations of width ${config.dIn}${where ? ` (${where})` : ''} but got ${x.cols}; ` +
        'load the SAE trained on this hook or change { hook }',
    );
  }
  const bad = firstNonFinite(x.data);
  if (bad >= 0)
    throw new RangeError(
      `activations hold ${x.data[bad]} in row ${Math.floor(bad / x.cols)}; an SAE cannot encode that`,
    );
  return normalizeInput(x, config.normalizeActivations as InputNorm);
}

/** Rows of a block: as many as fit the memory and the time of one native call. */
function blockRows(dIn: number, dSae: number): number {
  return Math.max(1, Math.floor(Math.min(BLOCK_FLOATS / dSae, BLOCK_FLOPS / (2 * dIn * dSae))));
}

function encodeRows(config: SaeConfig, weights: SaeWeights, norms: Float64Array | undefined, x: Matrix): SparseRows {
  const { dIn, dSae } = config;
  const step = blockRows(dIn, dSae);
  const indptr = new Uint32Array(x.rows + 1);
  const parts: Array<{ indices: Uint16Array | Int32Array; values: Float32Array }> = [];
  const z = new Float32Array(Math.min(step, x.rows) * dSae);
  let nonZeros = 0;
  for (let first = 0; first < x.rows; first += step) {
    const count = Math.min(step, x.rows - first);
    const block = z.subarray(0, count * dSae);
    preActivations(config, weights, norms, x.data.subarray(first * dIn, (first + count) * dIn), count, block);
    const counts = indptr.subarray(first + 1, first + 1 + count);
    const part =
      config.architecture === 'topk'
        ? selectTopK(block, count, dSae, config.k!, counts)
        : selectPositive(block, count, dSae, counts);
    nonZeros += part.values.length;
    parts.push(part);
  }
  for (let i = 0; i < x.rows; i++) indptr[i + 1] += indptr[i];
  const indices = indexArray(dSae, nonZeros);
  const values = new Float32Array(nonZeros);
  let at = 0;
  for (const part of parts) {
    indices.set(part.indices, at);
    values.set(part.values, at);
    at += part.values.length;
  }
  return { rows: x.rows, cols: dSae, indptr, indices, values };
}

function indexArray(dSae: number, length: number): Uint16Array | Int32Array {
  return dSae <= 65_536 ? new Uint16Array(length) : new Int32Array(length);
}

/** z of one block of rows, into `out`. */
function preActivations(
  config: SaeConfig,
  { W_enc, b_enc, b_dec }: SaeWeights,
  norms: Float64Array | undefined,
  x: Float32Array,
  rows: number,
  out: Float32Array,
): void {
  const { dIn, dSae } = config;
  let input = x;
  if (config.applyBDecToInput) {
    input = new Float32Array(x.length);
    for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < dIn; j++, at++) input[at] = x[at] - b_dec[j];
  }
  gemm(input, W_enc.data, rows, dSae, dIn, { out });
  for (let i = 0; i < rows; i++) {
    const at = i * dSae;
    if (norms) for (let f = 0; f < dSae; f++) out[at + f] = (out[at + f] + b_enc[f]) * norms[f];
    else for (let f = 0; f < dSae; f++) out[at + f] += b_enc[f];
  }
}

/** The positive entries; `counts` gets the entries of each row. */
function selectPositive(z: Float32Array, rows: number, cols: number, counts: Uint32Array) {
  for (let i = 0; i < rows; i++) {
    let n = 0;
    for (let j = i * cols; j < (i + 1) * cols; j++) if (z[j] > 0) n++;
    counts[i] = n;
  }
  const total = counts.reduce((sum, n) => sum + n, 0);
  const indices = indexArray(cols, total);
  const values = new Float32Array(total);
  for (let i = 0, at = 0; i < rows; i++) {
    for (let f = 0; f < cols; f++) {
      const value = z[i * cols + f];
      if (value > 0) {
        indices[at] = f;
        values[at++] = value;
      }
    }
  }
  return { indices, values };
}

/** The positive ones among the k largest of each row (ties: lower feature first), by ascending feature. */
function selectTopK(z: Float32Array, rows: number, cols: number, k: number, counts: Uint32Array) {
  const top = topKRows(z, rows, cols, k);
  const indices = indexArray(cols, rows * k);
  const values = new Float32Array(rows * k);
  let at = 0;
  for (let i = 0; i < rows; i++) {
    let n = 0;
    while (n < k && top.values[i * k + n] > 0) n++;
    counts[i] = n;
    const kept = top.indices.subarray(i * k, i * k + n).sort();
    for (let j = 0; j < n; j++) {
      indices[at] = kept[j];
      values[at++] = z[i * cols + kept[j]];
    }
  }
  return { indices: indices.subarray(0, at), values: values.subarray(0, at) };
}

/** x̂ of sparse features; each row is summed in float64. */
function decodeRows(
  config: SaeConfig,
  { W_dec, b_dec }: SaeWeights,
  norms: Float64Array | undefined,
  features: SparseRows,
): Matrix {
  if (features.cols !== config.dSae) {
    throw new RangeError(
      `SAE has ${config.dSae} features but these activations have ${features.cols}; decode with the SAE that encoded them`,
    );
  }
  const { dIn } = config;
  const out = matrix(features.rows, dIn);
  const sum = new Float64Array(dIn);
  const weights = W_dec.data;
  for (let i = 0; i < features.rows; i++) {
    for (let j = 0; j < dIn; j++) sum[j] = b_dec[j];
    for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++) {
      const f = features.indices[e];
      const value = norms ? features.values[e] / norms[f] : features.values[e];
      const at = f * dIn;
      for (let j = 0; j < dIn; j++) sum[j] += value * weights[at + j];
    }
    out.data.set(sum, i * dIn);
  }
  return out;
}
