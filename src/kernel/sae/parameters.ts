/**
 * Parameters in training: one flat array, so that the gradient norm and Adam are one pass each.
 *
 *   W_encT [d_sae, d_in] | W_dec [d_sae, d_out] | b_enc [d_sae] | b_dec [d_out] | those of the architecture
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
  /** Width of what is predicted; dIn but for transcoders. */
  readonly dOut: number;
  readonly flat: Float32Array;
  readonly W_encT: Float32Array;
  readonly W_dec: Float32Array;
  readonly b_enc: Float32Array;
  readonly b_dec: Float32Array;
  /** What the architecture trains beyond these, by name. */
  readonly extra: Readonly<Record<string, Float32Array>>;
}

/** Sizes beyond d_in and d_sae. */
export interface ParameterShape {
  /** Default d_in. */
  dOut?: number;
  /** Name → length of the architecture's own. */
  extra?: Readonly<Record<string, number>>;
}

export function parameterCount(dIn: number, dSae: number, { dOut = dIn, extra = {} }: ParameterShape = {}): number {
  return (dIn + dOut) * dSae + dSae + dOut + Object.values(extra).reduce((sum, length) => sum + length, 0);
}

/** Views on a flat array (zeros by default); gradients and moments have the same form. */
export function parameters(dIn: number, dSae: number, flat?: Float32Array, shape: ParameterShape = {}): Parameters {
  const { dOut = dIn } = shape;
  const all = flat ?? new Float32Array(parameterCount(dIn, dSae, shape));
  let at = 0;
  const next = (length: number): Float32Array => all.subarray(at, (at += length));
  const [W_encT, W_dec, b_enc, b_dec] = [dSae * dIn, dSae * dOut, dSae, dOut].map(next);
  const extra = Object.fromEntries(
    Object.entries(shape.extra ?? {}).map(([name, length]) => [name, next(length)] as const),
  );
  return { dIn, dSae, dOut, flat: all, W_encT, W_dec, b_enc, b_dec, extra };
}

/** Zeros in the form of `p`. */
export function likeParameters(p: Parameters): Parameters {
  const extra = Object.fromEntries(Object.entries(p.extra).map(([name, values]) => [name, values.length]));
  return parameters(p.dIn, p.dSae, undefined, { dOut: p.dOut, extra });
}

/**
 * SAELens 6's start: decoder rows uniform in every direction of a cube (kaiming_uniform), then scaled to norm
 * `decoderInitNorm`; the encoder is the decoder's transpose; biases are 0.
 */
export function initialParameters(
  dIn: number,
  dSae: number,
  decoderInitNorm: number,
  seed: number,
  extra: Readonly<Record<string, Float32Array>> = {},
): Parameters {
  const lengths = Object.fromEntries(Object.entries(extra).map(([name, values]) => [name, values.length]));
  const p = parameters(dIn, dSae, undefined, { extra: lengths });
  for (const [name, values] of Object.entries(extra)) p.extra[name].set(values);
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
    W_dec: matrix(p.dSae, p.dOut, p.W_dec.slice()),
    b_dec: p.b_dec.slice(),
  };
}
