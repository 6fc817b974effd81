/** sparsify: cfg.json and sae.safetensors; top-k and group max alone, which subtract b_dec unless they are transcoders. */
import type { Sae } from '../types.js';
import { matrixTensor, refuse, vectorTensor, withoutRescaling, type SaeOutput } from './tensors.js';

export function sparsifyFiles(sae: Sae): SaeOutput {
  const { architecture, dIn, dOut = dIn, dSae, k, transcoder = false, applyBDecToInput } = sae.config;
  if (architecture !== 'topk' && architecture !== 'groupmax') refuse(sae, 'sparsify', `${architecture} SAE`);
  if (sae.config.normalizeActivations !== 'none') refuse(sae, 'sparsify', 'normalisation of the input');
  if (dOut !== dIn) refuse(sae, 'sparsify', 'output of another width');
  const weights = withoutRescaling(sae);
  return {
    config: {
      name: 'cfg.json',
      json: {
        activation: architecture,
        expansion_factor: Math.ceil(dSae / dIn),
        normalize_decoder: true,
        num_latents: dSae,
        k: k!,
        multi_topk: false,
        skip_connection: sae.W_skip !== undefined,
        transcode: transcoder,
        d_in: dIn,
      },
    },
    weights: {
      name: 'sae.safetensors',
      tensors: {
        'encoder.weight': matrixTensor(weights.W_enc, true),
        'encoder.bias': vectorTensor(encoderBias(sae, weights.W_enc, weights.b_enc, !transcoder && !applyBDecToInput)),
        W_dec: matrixTensor(weights.W_dec),
        b_dec: vectorTensor(weights.b_dec),
        ...(sae.W_skip ? { W_skip: matrixTensor(sae.W_skip) } : {}),
      },
    },
  };
}

/** Where b_dec is not subtracted the library subtracts it all the same: b_enc + b_dec·W_enc makes up for that. */
export function encoderBias(sae: Sae, W_enc: Sae['W_enc'], b_enc: Float32Array, makeUp: boolean): Float32Array {
  if (!makeUp) return b_enc;
  const sum = Float64Array.from(b_enc);
  for (let j = 0; j < W_enc.rows; j++)
    for (let f = 0; f < W_enc.cols; f++) sum[f] += sae.b_dec[j] * W_enc.data[j * W_enc.cols + f];
  return Float32Array.from(sum);
}
