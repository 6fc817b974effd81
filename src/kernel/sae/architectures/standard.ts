/**
 * Standard: f = ReLU(z), or tanh(ReLU(z)) for the 'tanh-relu' of SAELens before version 6. Trained, as ReLU, with
 *
 *   loss = mse + λ/B Σ_b Σ_i f_bi ‖W_dec,i‖
 *
 * or, in place of this L1 norm of f_bi ‖W_dec,i‖ over i, its L_p norm, or Σ_i tanh(c f_bi ‖W_dec,i‖) (sparsity.ts).
 */
import { linearTensors, vectorTensor } from '../writers/tensors.js';
import { plainSlope } from './architecture.js';
import { biased } from './onDevice.js';
import { addBias, selectPositive } from './select.js';
import { sparseRun, SPARSITY_OPTIONS } from './sparsity.js';
import { sparseOnDevice } from './sparsityOnDevice.js';
import type { TrainedArchitecture } from './training.js';

export const standard: TrainedArchitecture<'standard', typeof SPARSITY_OPTIONS> = {
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
  onDevice: {
    keeps: 'all',
    fire(block) {
      const z = biased(block);
      return block.config.activation === 'tanh-relu' ? block.g.op('Tanh', [z]) : z;
    },
  },
  saved: {
    saelens: {},
    dictionaryLearning(sae, weights) {
      const bias = vectorTensor(weights.b_dec);
      const linear = linearTensors(weights);
      const encoderBias = vectorTensor(weights.b_enc);
      return sae.config.applyBDecToInput
        ? { name: 'AutoEncoder', tensors: { bias, ...linear, 'encoder.bias': encoderBias } }
        : { name: 'AutoEncoderNew', tensors: { ...linear, 'encoder.bias': encoderBias, 'decoder.bias': bias } };
    },
  },
  training: {
    options: SPARSITY_OPTIONS,
    start: sparseRun,
    onDevice: sparseOnDevice,
  },
};
