/** Scales and norms folded into weights, in place. */
import type { Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import type { SaeWeights } from './types.js';

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
 * The same of a transcoder, whose input alone was scaled: W_enc ← s·W_enc; what it predicts is in its own units. In place.
 */
export function foldInputScale({ W_enc }: SaeWeights, s: number): void {
  scaleAll(W_enc.data, s);
}

/**
 * Folds decoder norms n into the weights: W_enc column · n, b_enc, b_mag and threshold · n, W_dec row / n. Afterwards decoder
 * rows have norm 1 and a plain top-k selects what the rescaled one did. Norms are taken as at least 1e-8, as SAELens does.
 * In place.
 */
export function foldDecoderNorm(weights: SaeWeights): void {
  const { W_enc, W_dec } = weights;
  const norms = rowNorms(W_dec).map((n) => Math.max(n, 1e-8));
  for (const vector of [weights.b_enc, weights.b_mag, weights.threshold])
    if (vector) for (let f = 0; f < W_dec.rows; f++) vector[f] *= norms[f];
  for (let f = 0; f < W_dec.rows; f++)
    for (let j = f * W_dec.cols; j < (f + 1) * W_dec.cols; j++) W_dec.data[j] /= norms[f];
  for (let j = 0; j < W_enc.rows; j++) {
    const at = j * W_enc.cols;
    for (let f = 0; f < W_enc.cols; f++) W_enc.data[at + f] *= norms[f];
  }
}

/** Row i times factor[i]. */
export function scaleRows(m: Matrix, factor: ArrayLike<number>): void {
  for (let i = 0; i < m.rows; i++) for (let j = i * m.cols; j < (i + 1) * m.cols; j++) m.data[j] *= factor[i];
}

export function scaleAll(data: Float32Array, factor: number): void {
  for (let i = 0; i < data.length; i++) data[i] *= factor;
}
