/**
 * Parameters in training: one flat array, so that the gradient norm and Adam are one pass each.
 *
 *   W_encT [d_sae, d_in] | W_dec [d_sae, d_in] | b_enc [d_sae] | b_dec [d_in]
 *
 * The encoder lies transposed while it trains: a feature's encoder direction is then one row, next to which its gradient
 * can be summed from the few tokens on which it fires.
 */
import { matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { transposed } from '../compute/gemm.js';
import type { SaeWeights } from './types.js';

export interface Parameters {
  readonly dIn: number;
  readonly dSae: number;
  readonly flat: Float32Array;
  readonly W_encT: Float32Array;
  readonly W_dec: Float32Array;
  readonly b_enc: Float32Array;
  readonly b_dec: Float32Array;
}

export const parameterCount = (dIn: number, dSae: number): number => 2 * dIn * dSae + dSae + dIn;

/** Views on a flat array (zeros by default); gradients and moments have the same form. */
export function parameters(dIn: number, dSae: number, flat?: Float32Array): Parameters {
  const size = dIn * dSae;
  const all = flat ?? new Float32Array(parameterCount(dIn, dSae));
  return {
    dIn,
    dSae,
    flat: all,
    W_encT: all.subarray(0, size),
    W_dec: all.subarray(size, 2 * size),
    b_enc: all.subarray(2 * size, 2 * size + dSae),
    b_dec: all.subarray(2 * size + dSae),
  };
}

/**
 * SAELens 6's start: decoder rows uniform in every direction of a cube (kaiming_uniform), then scaled to norm
 * `decoderInitNorm`; the encoder is the decoder's transpose; biases are 0.
 */
export function initialParameters(dIn: number, dSae: number, decoderInitNorm: number, seed: number): Parameters {
  const p = parameters(dIn, dSae);
  const random = new Random(seed).fork('initial weights');
  for (let f = 0; f < dSae; f++) {
    let square = 0;
    for (let j = f * dIn; j < (f + 1) * dIn; j++) {
      const value = 2 * random.next() - 1;
      p.W_dec[j] = value;
      square += value * value;
    }
    const factor = decoderInitNorm / Math.sqrt(square);
    for (let j = f * dIn; j < (f + 1) * dIn; j++) p.W_dec[j] *= factor;
  }
  p.W_encT.set(p.W_dec);
  return p;
}

/** The weights as an SAE has them; copies. */
export function weightsOf(p: Parameters): SaeWeights {
  return {
    W_enc: matrix(p.dIn, p.dSae, transposed(p.W_encT, p.dSae, p.dIn)),
    b_enc: p.b_enc.slice(),
    W_dec: matrix(p.dSae, p.dIn, p.W_dec.slice()),
    b_dec: p.b_dec.slice(),
  };
}
