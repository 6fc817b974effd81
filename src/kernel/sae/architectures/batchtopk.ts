/** BatchTopK at inference: its selection over a batch is replaced by the threshold that training kept, for all features. */
import type { Sae, SaeConfig, SaeWeights } from '../types.js';
import {
  linearTensors,
  scalarTensor,
  shiftedBias,
  single,
  vectorTensor,
  wholeTensor,
  withoutRescaling,
} from '../writers/tensors.js';
import type { Architecture } from './architecture.js';
import { jumprelu } from './jumprelu.js';

export const batchtopk: Architecture<'batchtopk'> = {
  ...jumprelu,
  name: 'batchtopk',
  formula: 'f = ReLU(z) · [z > θ], θ of training in place of the selection over a batch',
  fields: { k: 'allowed', rescaleActsByDecoderNorm: 'allowed' },
  saved: {
    saelensForm: asJumpRelu,
    dictionaryLearning: (sae, weights) => ({
      name: 'BatchTopKSAE',
      tensors: {
        ...linearTensors(weights),
        'encoder.bias': vectorTensor(sae.config.applyBDecToInput ? weights.b_enc : shiftedBias(weights, 1)),
        b_dec: vectorTensor(weights.b_dec),
        // Where k is not known: its encoding by threshold does not use it.
        k: wholeTensor(sae.config.k ?? 1),
        threshold: scalarTensor(
          single(
            sae.threshold!,
            `${sae.name} has a threshold for each feature, and BatchTopKSAE has one for all; save it with layout 'saelens'`,
          ),
        ),
      },
    }),
  },
};

/** SAELens has a BatchTopK SAE for inference as a JumpReLU one, decoder norms folded in. */
export function asJumpRelu(sae: Sae): { config: SaeConfig; weights: SaeWeights } {
  const { architecture, rescaleActsByDecoderNorm: _, k, ...config } = sae.config;
  const metadata = { ...config.metadata, trained_as: architecture, ...(k === undefined ? {} : { trained_k: k }) };
  return { config: { ...config, architecture: 'jumprelu', metadata }, weights: withoutRescaling(sae) };
}
