/** BatchTopK at inference: its selection over a batch is replaced by the threshold that training kept, for all features. */
import type { Architecture } from './architecture.js';
import { jumprelu } from './jumprelu.js';

export const batchtopk: Architecture<'batchtopk'> = {
  ...jumprelu,
  name: 'batchtopk',
  formula: 'f = ReLU(z) · [z > θ], θ of training in place of the selection over a batch',
  fields: { k: 'allowed', rescaleActsByDecoderNorm: 'allowed' },
  // SAELens saves it for inference as jumprelu.
  saelens: undefined,
};
