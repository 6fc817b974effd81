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

/** A copy of `p`, or zeros in its form, in memory that workers share. */
export function sharedParameters(p: Parameters, values: 'copied' | 'zeros'): Parameters {
  const extra = Object.fromEntries(Object.entries(p.extra).map(([name, { length }]) => [name, length]));
  const flat = sharedArray(p.flat.length);
  if (values === 'copied') flat.set(p.flat);
  return parameters(p.dIn, p.dSae, flat, { dOut: p.dOut, extra });
}

/** Zeros in memory that workers share. */
export const sharedArray = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));

/** Sizes of an SAE in training. */
export interface TrainedShape {
  readonly dIn: number;
  readonly dSae: number;
  /** Of a transcoder, the width of what it predicts; absent where x itself is reconstructed. */
  readonly dOut?: number;
}

/**
 * SAELens 6's start: decoder rows uniform in every direction of a cube (kaiming_uniform), then scaled to norm
 * `decoderInitNorm`; the encoder is the decoder's transpose; biases are 0. The encoder of a transcoder, whose decoder
 * lies in another space, gets directions of its own, of the same norm.
 */
export function initialParameters(
  { dIn, dSae, dOut }: TrainedShape,
  decoderInitNorm: number,
  seed: number,
  extra: Readonly<Record<string, Float32Array>> = {},
): Parameters {
  const lengths = Object.fromEntries(Object.entries(extra).map(([name, values]) => [name, values.length]));
  const p = parameters(dIn, dSae, undefined, { dOut, extra: lengths });
  for (const [name, values] of Object.entries(extra)) p.extra[name].set(values);
  randomRows(p.W_dec, p.dOut, decoderInitNorm, new Random(seed).fork('initial weights'));
  if (dOut === undefined) p.W_encT.set(p.W_dec);
  else randomRows(p.W_encT, dIn, decoderInitNorm, new Random(seed).fork('initial encoder'));
  return p;
}

/** Rows of width d in random directions of a cube, of this norm. */
function randomRows(rows: Float32Array, d: number, norm: number, random: Random): void {
  for (let first = 0; first < rows.length; first += d) {
    let square = 0;
    for (let j = first; j < first + d; j++) {
      const value = 2 * random.next() - 1;
      rows[j] = value;
      square += value * value;
    }
    const factor = norm / Math.sqrt(square);
    for (let j = first; j < first + d; j++) rows[j] *= factor;
  }
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
