/** Small SAEs: of given weights, of random ones, or with features made by hand. */
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { createSae, type SaeWeights } from '#kernel/sae/sae.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { normals } from './numbers.js';

/** An SAE of these weights; unless `config` says otherwise a standard one that subtracts b_dec and rescales nothing. */
export function saeOf(weights: SaeWeights, config: Partial<SaeConfig>): Sae {
  return createSae(
    {
      architecture: 'standard',
      dIn: weights.W_dec.cols,
      dSae: weights.W_dec.rows,
      applyBDecToInput: true,
      normalizeActivations: 'none',
      hookName: '',
      modelName: 'odd',
      metadata: {},
      ...config,
    },
    weights,
  );
}

export interface TinyWeights {
  /** Gives the weights in the order W_enc, b_enc, W_dec, b_dec. Default: normals of seed 31. */
  next?: () => number;
  /** Deviation of each; default 1 for the matrices and 0.3 for the biases. */
  scale?: Partial<Record<'W_enc' | 'b_enc' | 'W_dec' | 'b_dec', number>>;
}

/** An SAE of random weights: W_enc [dIn, dSae], W_dec [dSae, dIn]. */
export function tinySae(
  hookName: string,
  dIn: number,
  dSae: number,
  config: Partial<SaeConfig> = {},
  { next = normals(31), scale = {} }: TinyWeights = {},
): Sae {
  const random = (n: number, by: number): Float32Array => Float32Array.from({ length: n }, () => by * next());
  const weights = {
    W_enc: matrix(dIn, dSae, random(dIn * dSae, scale.W_enc ?? 1)),
    b_enc: random(dSae, scale.b_enc ?? 0.3),
    W_dec: matrix(dSae, dIn, random(dSae * dIn, scale.W_dec ?? 1)),
    b_dec: random(dIn, scale.b_dec ?? 0.3),
  };
  return saeOf(weights, { hookName, ...config });
}

/** Every way in which an SAE may differ that changes what an intervention on it does. */
export const SAE_KINDS: Record<string, Partial<SaeConfig>> = {
  standard: {},
  'standard, b_dec not subtracted': { applyBDecToInput: false },
  'standard, layer_norm': { normalizeActivations: 'layer_norm' },
  'standard, constant_norm_rescale': { normalizeActivations: 'constant_norm_rescale' },
  topk: { architecture: 'topk', k: 4 },
  'topk, rescaled': { architecture: 'topk', k: 4, rescaleActsByDecoderNorm: true },
  'topk, rescaled, layer_norm': {
    architecture: 'topk',
    k: 4,
    rescaleActsByDecoderNorm: true,
    normalizeActivations: 'layer_norm',
  },
};

/** A standard SAE with these decoder rows and, by default, the same directions as encoder. */
export function handSae(decoder: Matrix, o: { encoder?: Matrix; bias?: number[] } = {}): Sae {
  const { rows: dSae, cols: dIn } = decoder;
  const encoder = o.encoder ?? decoder;
  const W_enc = matrix(dIn, dSae);
  for (let f = 0; f < dSae; f++) for (let j = 0; j < dIn; j++) W_enc.data[j * dSae + f] = encoder.data[f * dIn + j];
  const b_enc = Float32Array.from(o.bias ?? new Array<number>(dSae).fill(0));
  const weights = { W_enc, b_enc, W_dec: decoder, b_dec: new Float32Array(dIn) };
  return saeOf(weights, { modelName: 'hand', applyBDecToInput: false });
}
