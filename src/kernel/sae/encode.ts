/**
 * Encoding and decoding, for every architecture alike:
 *
 *   x̃ = norm(x) − b_dec · applyBDecToInput
 *   f = architecture(x̃ · W_enc)                                     [N, d_sae], sparse
 *   x̂ = norm⁻¹(f · W_dec + b_dec) (+ W_skip · x)                    [N, d_out]
 *
 * Features are sparse rows: most SAEs fire on 0.1-3 % of their features, and a dense [N, d_sae] never leaves a block.
 */
import { gemm } from '../compute/gemm.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { Architecture } from './architectures/architecture.js';
import { indexArray, type Entries } from './architectures/select.js';
import { denormalize, normalizeInput, type InputNorm } from './normalize.js';
import type { EncodedRows, RowOrigin, SaeConfig, SaeWeights } from './types.js';

/** Floats of one block of pre-activations: 64 MB. */
const BLOCK_FLOATS = 1 << 24;
/** Multiply-adds of one native call, about 0.2 s on two cores. */
const BLOCK_FLOPS = 3e10;

/** An SAE as encoding and decoding see it. */
export interface Coder {
  config: SaeConfig;
  weights: SaeWeights;
  architecture: Architecture;
  /** ‖W_dec row‖, when activations are rescaled by it. */
  norms: Float64Array | undefined;
}

/** Index of the first NaN or infinity, -1 when all are finite. */
export function firstNonFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

function requireInput(config: SaeConfig, x: Matrix): void {
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
}

/** Rows of a block: as many as fit the memory and the time of one native call. */
function blockRows(dIn: number, dSae: number): number {
  return Math.max(1, Math.floor(Math.min(BLOCK_FLOATS / dSae, BLOCK_FLOPS / (2 * dIn * dSae))));
}

/**
 * Feature activations of rows x [n × d_in] as CSR [n × d_sae], in blocks that fit the memory. SAEs that normalise each
 * row, or have a skip connection, add what decoding needs of the rows (`origin`).
 * @throws RangeError for another width, NaN or infinity; Error for an SAE that cannot encode
 */
export function encodeRows(coder: Coder, given: Matrix): EncodedRows {
  const { config, weights, architecture } = coder;
  const { dIn, dSae } = config;
  if (architecture.cannotEncode) throw new Error(architecture.cannotEncode(config));
  requireInput(config, given);
  const normalized = normalizeInput(given, config.normalizeActivations as InputNorm);
  const x = normalized.x;
  const step = blockRows(dIn, dSae);
  const indptr = new Uint32Array(x.rows + 1);
  const parts: Entries[] = [];
  const z = new Float32Array(Math.min(step, x.rows) * dSae);
  let nonZeros = 0;
  for (let first = 0; first < x.rows; first += step) {
    const rows = Math.min(step, x.rows - first);
    const block = z.subarray(0, rows * dSae);
    const input = product(coder, x.data.subarray(first * dIn, (first + rows) * dIn), rows, block);
    const counts = indptr.subarray(first + 1, first + 1 + rows);
    const part = architecture.encode({ config, weights, input, norms: coder.norms, z: block, rows, counts });
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
  const features = { rows: x.rows, cols: dSae, indptr, indices, values };
  const origin = originOf(coder, given, normalized);
  return origin ? { ...features, origin } : features;
}

/** What decoding needs of the rows themselves; undefined for most SAEs. */
function originOf({ weights }: Decoding, x: Matrix, { scale, shift }: RowOrigin): RowOrigin | undefined {
  if (!scale && !weights.W_skip) return undefined;
  return {
    ...(scale ? { scale } : {}),
    ...(shift ? { shift } : {}),
    ...(weights.W_skip ? { input: x } : {}),
  };
}

/** x̃ of normalised rows. */
export function encoderInput({ config, weights }: Decoding, x: Float32Array): Float32Array {
  if (!config.applyBDecToInput) return x;
  const input = new Float32Array(x.length);
  for (let at = 0; at < x.length;) for (let j = 0; j < config.dIn; j++, at++) input[at] = x[at] - weights.b_dec[j];
  return input;
}

/** x̃ · W_enc of one block of rows, into `out`; returns x̃. */
function product(coder: Coder, x: Float32Array, rows: number, out: Float32Array): Float32Array {
  const { dIn, dSae } = coder.config;
  const input = encoderInput(coder, x);
  gemm(input, coder.weights.W_enc.data, rows, dSae, dIn, { out });
  return input;
}

/**
 * Reconstructions [n × d_in] of feature activations. `x`: the rows that were encoded, for SAEs that need them when the
 * features do not carry their `origin`.
 * @throws RangeError for another number of features; Error where such an SAE gets neither
 */
export function decodeRows(coder: Coder, features: EncodedRows, x: Matrix | undefined): Matrix {
  const origin = requireFeatures(coder, features, x);
  return finishDecoding(coder, sumRows(coder, features), origin);
}

/** What of a coder decoding needs besides the sums. */
type Decoding = Pick<Coder, 'config' | 'weights'>;

/** Checks what is decoded; gives what is needed of the rows that were encoded. @throws as decodeRows() */
export function requireFeatures(coder: Decoding, features: EncodedRows, x: Matrix | undefined): RowOrigin | undefined {
  const { config, weights } = coder;
  if (features.cols !== config.dSae) {
    throw new RangeError(
      `SAE has ${config.dSae} features but these activations have ${features.cols}; decode with the SAE that encoded them`,
    );
  }
  for (let i = 0; i < features.rows; i++)
    for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++)
      if (features.indices[e] >= config.dSae)
        throw new RangeError(
          `feature ${features.indices[e]} in row ${i} is outside the SAE, which has features 0 to ${config.dSae - 1}`,
        );
  const normalizes = config.normalizeActivations !== 'none';
  if (!normalizes && !weights.W_skip) return undefined;
  const origin = x ? originOfInput(coder, features, x) : features.origin;
  if (!origin || (normalizes && !origin.scale) || (weights.W_skip && !origin.input)) {
    const why = normalizes
      ? `normalises each row (${config.normalizeActivations}), so decoding needs the rows' own scale`
      : 'has a skip connection, so decoding needs the rows themselves';
    throw new Error(
      `this SAE ${why}, and these features do not carry it: decode what sae.encode(x) returned, or give x as the second argument, sae.decode(features, x)`,
    );
  }
  return origin;
}

/** f · W_dec + b_dec in the units of the activations, in place. */
export function finishDecoding({ weights }: Decoding, out: Matrix, origin: RowOrigin | undefined): Matrix {
  if (!origin) return out;
  denormalize(out, { x: out, scale: origin.scale, shift: origin.shift });
  if (weights.W_skip) addSkip(weights.W_skip, origin.input!, out);
  return out;
}

function originOfInput(coder: Decoding, features: EncodedRows, x: Matrix): RowOrigin {
  requireInput(coder.config, x);
  if (x.rows !== features.rows)
    throw new RangeError(
      `x has ${x.rows} rows but the features have ${features.rows}; give the rows that were encoded`,
    );
  return originOf(coder, x, normalizeInput(x, coder.config.normalizeActivations as InputNorm)) ?? {};
}

/** f · W_dec + b_dec; each row is summed in float64. */
function sumRows({ weights: { W_dec, b_dec }, norms }: Coder, features: EncodedRows): Matrix {
  const width = W_dec.cols;
  const out = matrix(features.rows, width);
  const sum = new Float64Array(width);
  for (let i = 0; i < features.rows; i++) {
    for (let j = 0; j < width; j++) sum[j] = b_dec[j];
    for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++) {
      const f = features.indices[e];
      const value = norms ? features.values[e] / norms[f] : features.values[e];
      const at = f * width;
      for (let j = 0; j < width; j++) sum[j] += value * W_dec.data[at + j];
    }
    out.data.set(sum, i * width);
  }
  return out;
}

/** out += x · W_skipᵀ */
function addSkip(W_skip: Matrix, x: Matrix, out: Matrix): void {
  const added = gemm(x.data, W_skip.data, x.rows, W_skip.rows, W_skip.cols, { transB: true });
  for (let i = 0; i < added.length; i++) out.data[i] += added[i];
}
