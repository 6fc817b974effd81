/** What writers of SAE files share. */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { NdArray } from '../../io/ndarray.js';
import type { Matrix } from '../../compute/matrix.js';
import { foldDecoderNorm } from '../fold.js';
import type { Sae, SaeWeights } from '../types.js';

/** Files of a saved SAE: the config, and weights as tensors (safetensors) or as bytes. */
export interface SaeOutput {
  config: { name: string; json: JsonObject };
  weights: { name: string; tensors: Record<string, NdArray>; bytes?: Uint8Array };
}

export function matrixTensor(m: Matrix, transpose = false): NdArray {
  if (!transpose) return { dtype: 'F32', shape: [m.rows, m.cols], data: m.data };
  const data = new Float32Array(m.data.length);
  for (let i = 0; i < m.rows; i++) for (let j = 0; j < m.cols; j++) data[j * m.rows + i] = m.data[i * m.cols + j];
  return { dtype: 'F32', shape: [m.cols, m.rows], data };
}

export function vectorTensor(data: Float32Array): NdArray {
  return { dtype: 'F32', shape: [data.length], data };
}

/**
 * The weights with decoder norms folded in where activations are rescaled by them: the same features, and decoder rows of
 * norm 1. Copies; the SAE's own otherwise.
 */
export function withoutRescaling(sae: Sae): SaeWeights {
  if (!sae.config.rescaleActsByDecoderNorm) return sae;
  const { W_enc, b_enc, W_dec, b_dec } = sae;
  const copy: SaeWeights = {
    W_enc: { ...W_enc, data: W_enc.data.slice() },
    b_enc: b_enc.slice(),
    W_dec: { ...W_dec, data: W_dec.data.slice() },
    b_dec,
  };
  // Thresholds are of rescaled activations already.
  foldDecoderNorm(copy);
  return sae.threshold ? { ...copy, threshold: sae.threshold } : copy;
}

/** The two matrices as the weights of nn.Linear layers. */
export const linearTensors = ({ W_enc, W_dec }: SaeWeights): Record<string, NdArray> => ({
  'encoder.weight': matrixTensor(W_enc, true),
  'decoder.weight': matrixTensor(W_dec, true),
});

export const wholeTensor = (value: number): NdArray => ({ dtype: 'I32', shape: [], data: Int32Array.of(value) });
export const scalarTensor = (value: number): NdArray => ({ dtype: 'F32', shape: [], data: Float32Array.of(value) });

/** `sign` · b_dec·W_enc added to b_enc: makes up for a library that subtracts b_dec (1) where the SAE does not, or -1. */
export function shiftedBias({ W_enc, b_enc, b_dec }: SaeWeights, sign: 1 | -1): Float32Array {
  const sum = Float64Array.from(b_enc);
  for (let j = 0; j < W_enc.rows; j++)
    for (let f = 0; f < W_enc.cols; f++) sum[f] += sign * b_dec[j] * W_enc.data[j * W_enc.cols + f];
  return Float32Array.from(sum);
}

/** The one value of a vector. @throws when there are several, saying why that matters. */
export function single(values: Float32Array, why: string): number {
  if (values.some((v) => v !== values[0])) throw new Error(why);
  return values[0];
}

/** Refuses what a layout cannot hold. */
export function refuse(sae: Sae, layout: string, what: string): never {
  throw new Error(`${layout} has no ${what}, so ${sae.name} is not saved in that layout; choose another { layout }`);
}
