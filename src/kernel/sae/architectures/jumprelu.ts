/** JumpReLU: f = ReLU(z) where z > θ, a threshold for each feature. */
import { plainSlope, type Architecture } from './architecture.js';
import { addBias, selectPositive } from './select.js';

export const jumprelu: Architecture<'jumprelu'> = {
  name: 'jumprelu',
  formula: 'f = ReLU(z) · [z > θ]',
  tensors: { threshold: 'needed' },
  // A BatchTopK SAE is saved as a JumpReLU one; its k is the L0 that it should have.
  fields: { k: 'allowed' },
  firesAbove0: true,
  slope: plainSlope,
  encode(block) {
    addBias(block, block.weights.b_enc);
    return selectPositive(block, block.weights.threshold);
  },
  // SAELens's own jumprelu has no k.
  saelens: {},
};
