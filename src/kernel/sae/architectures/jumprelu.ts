/** JumpReLU: f = ReLU(z) where z > θ, a threshold for each feature. */
import { matrixTensor, shiftedBias, vectorTensor } from '../writers/tensors.js';
import { plainSlope, type Architecture } from './architecture.js';
import { biased } from './onDevice.js';
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
  onDevice: {
    keeps: 'all',
    fire(block) {
      const z = biased(block);
      const { g } = block;
      return g.where(g.op('Greater', [z, block.vector('threshold')]), z, g.number(0));
    },
  },
  saved: {
    // SAELens's own jumprelu has no k.
    saelens: {},
    // This class never subtracts b_dec: b_enc − b_dec·W_enc makes up for an SAE that does.
    dictionaryLearning: ({ config }, weights) => ({
      name: 'JumpReluAutoEncoder',
      tensors: {
        W_enc: matrixTensor(weights.W_enc),
        b_enc: vectorTensor(config.applyBDecToInput ? shiftedBias(weights, -1) : weights.b_enc),
        W_dec: matrixTensor(weights.W_dec),
        b_dec: vectorTensor(weights.b_dec),
        threshold: vectorTensor(weights.threshold!),
      },
    }),
  },
};
