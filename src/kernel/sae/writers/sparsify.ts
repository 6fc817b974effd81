/** sparsify: cfg.json and sae.safetensors; its SAEs subtract b_dec unless they are transcoders. */
import { architectureOf } from '../architectures/index.js';
import type { Sae } from '../types.js';
import { matrixTensor, refuse, shiftedBias, vectorTensor, withoutRescaling, type SaeOutput } from './tensors.js';

export function sparsifyFiles(sae: Sae): SaeOutput {
  const { architecture, dIn, dOut = dIn, dSae, k, transcoder = false, applyBDecToInput } = sae.config;
  const { saved } = architectureOf(architecture);
  if (!saved.sparsify) refuse(sae, 'sparsify', `${architecture} SAE`);
  if (sae.config.normalizeActivations !== 'none') refuse(sae, 'sparsify', 'normalisation of the input');
  if (dOut !== dIn) refuse(sae, 'sparsify', 'output of another width');
  const weights = withoutRescaling(sae);
  return {
    config: {
      name: 'cfg.json',
      json: {
        activation: saved.sparsify.activation,
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
        'encoder.bias': vectorTensor(transcoder || applyBDecToInput ? weights.b_enc : shiftedBias(weights, 1)),
        W_dec: matrixTensor(weights.W_dec),
        b_dec: vectorTensor(weights.b_dec),
        ...(sae.W_skip ? { W_skip: matrixTensor(sae.W_skip) } : {}),
      },
    },
  };
}
