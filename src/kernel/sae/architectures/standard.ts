/**
 * Standard: f = ReLU(z), or tanh(ReLU(z)) for the 'tanh-relu' of SAELens before version 6. Trained, as ReLU, with
 *
 *   loss = mse + λ/B Σ_b Σ_i f_bi ‖W_dec,i‖
 */
import { matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import { real, whole } from '../../verb/option.js';
import { coefficientAt } from '../schedule.js';
import { rectify } from '../selectFiring.js';
import { linearTensors, vectorTensor } from '../writers/tensors.js';
import { plainSlope } from './architecture.js';
import { biased } from './onDevice.js';
import { addBias, selectPositive } from './select.js';
import { penalizeDecoder } from './sparsity.js';
import type { TrainedArchitecture, TrainingRun } from './training.js';

const OPTIONS = {
  l1Coefficient: real({ doc: 'λ.', min: 0, fallback: '1' }),
  l1WarmUpSteps: whole({ doc: 'Steps over which λ grows linearly from 0.', min: 0, fallback: '0' }),
} as const;

export const standard: TrainedArchitecture<'standard', typeof OPTIONS> = {
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
    options: OPTIONS,
    start: ({ l1Coefficient = 1, l1WarmUpSteps = 0 }) => run(l1Coefficient, l1WarmUpSteps),
  },
};

function run(l1Coefficient: number, l1WarmUpSteps: number): TrainingRun {
  return {
    settings: { l1Coefficient, l1WarmUpSteps },
    loss({ p, g, rows, step }) {
      const lambda = coefficientAt(step, l1Coefficient, l1WarmUpSteps);
      const norms = rowNorms(matrix(p.dSae, p.dOut, p.W_dec));
      return {
        penalty: lambda > 0 ? norms.map((n) => (lambda / rows) * n) : undefined,
        select: (block) => ({ count: rectify(block.z) }),
        terms([{ features }]) {
          const l1 = penalizeDecoder(p, g, norms, features, lambda / rows) / rows;
          return { added: lambda * l1, l1 };
        },
      };
    },
  };
}
