/** Standard: f = ReLU(z), or tanh(ReLU(z)) for the 'tanh-relu' of SAELens before version 6. */
import { plainSlope, type Architecture } from './architecture.js';
import { addBias, selectPositive } from './select.js';

export const standard: Architecture = {
  name: 'standard',
  formula: 'f = ReLU(z); tanh(ReLU(z)) with activation tanh-relu',
  tensors: {},
  fields: { activation: 'allowed' },
  firesAbove0: true,
  slope: (config, weights, feature) =>
    config.activation === 'tanh-relu' ? undefined : plainSlope(config, weights, feature),
  encode(block) {
    addBias(block, block.weights.b_enc);
    const entries = selectPositive(block);
    if (block.config.activation === 'tanh-relu')
      for (let e = 0; e < entries.values.length; e++) entries.values[e] = Math.tanh(entries.values[e]);
    return entries;
  },
  saelens: {},
};
