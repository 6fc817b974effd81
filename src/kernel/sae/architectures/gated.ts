/**
 * Gated: a feature fires where π = x̃·W_enc + b_gate > 0, with ReLU(x̃·(W_enc ⊙ e^r_mag) + b_mag). Trained (Rajamanoharan et
 * al. 2024, as in SAELens 6.18, which lets the auxiliary loss change the decoder; the paper does not) with
 *
 *   loss = mse + λ/B Σ_b Σ_i ReLU(π_bi) ‖W_dec,i‖ + 1/B Σ_b ‖ReLU(π_b)·W_dec + b_dec − x_b‖²
 *
 * The gate itself is a step: no gradient passes it, so that π learns from the penalty and the auxiliary loss alone.
 */
import { matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import type { Given } from '../../verb/option.js';
import type { Block } from '../block.js';
import { coefficientAt } from '../schedule.js';
import { linearTensors, refuse, vectorTensor } from '../writers/tensors.js';
import { gatedOnDevice } from './gatedOnDevice.js';
import { selectPositive } from './select.js';
import { L1_OPTIONS, penalizeDecoder } from './sparsity.js';
import type { BatchLoss, TrainedArchitecture, TrainingBatch, TrainingRun } from './training.js';

export const gated: TrainedArchitecture<'gated', typeof L1_OPTIONS> = {
  name: 'gated',
  formula: 'f = [x̃·W_enc + b_gate > 0] · ReLU(x̃·(W_enc ⊙ e^r_mag) + b_mag)',
  tensors: { r_mag: 'needed', b_mag: 'needed' },
  fields: {},
  firesAbove0: true,
  slope: (_, { r_mag, b_mag }, feature) => ({ scale: Math.exp(r_mag![feature]), bias: b_mag![feature] }),
  encode(block) {
    const { weights, config, z, rows } = block;
    const cols = config.dSae;
    const { b_enc: gate, r_mag, b_mag } = weights;
    const scale = Float64Array.from(r_mag!, Math.exp);
    for (let i = 0; i < rows; i++)
      for (let f = 0, at = i * cols; f < cols; f++, at++) {
        const magnitude = z[at] * scale[f] + b_mag![f];
        z[at] = z[at] + gate[f] > 0 && magnitude > 0 ? magnitude : 0;
      }
    return selectPositive(block);
  },
  onDevice: {
    keeps: 'all',
    fire({ g, z, vector }) {
      const magnitude = g.add(g.mul(z, vector('r_scale')), vector('b_mag'));
      const open = g.op('Greater', [g.add(z, vector('b_enc')), g.number(0)]);
      return g.where(open, magnitude, g.number(0));
    },
  },
  training: { options: L1_OPTIONS, start: (given, { dSae }) => run(given, dSae), onDevice: gatedOnDevice },
  saved: {
    saelens: { names: { b_enc: 'b_gate' } },
    dictionaryLearning(sae, weights) {
      if (!sae.config.applyBDecToInput) refuse(sae, 'dictionary_learning', 'gated SAE that does not subtract b_dec');
      return {
        name: 'GatedAutoEncoder',
        tensors: {
          decoder_bias: vectorTensor(weights.b_dec),
          ...linearTensors(weights),
          r_mag: vectorTensor(sae.r_mag!),
          gate_bias: vectorTensor(weights.b_enc),
          mag_bias: vectorTensor(sae.b_mag!),
        },
      };
    },
  },
};

function run(
  {
    l1Coefficient = L1_OPTIONS.l1Coefficient.usual,
    l1WarmUpSteps = L1_OPTIONS.l1WarmUpSteps.usual,
  }: Given<typeof L1_OPTIONS>,
  dSae: number,
): TrainingRun {
  return {
    settings: { l1Coefficient, l1WarmUpSteps },
    parameters: { r_mag: new Float32Array(dSae), b_mag: new Float32Array(dSae) },
    loss: (batch) => lossOf(batch, coefficientAt(batch.step, l1Coefficient, l1WarmUpSteps)),
    finish(weights, { extra }) {
      weights.r_mag = extra.r_mag.slice();
      weights.b_mag = extra.b_mag.slice();
    },
  };
}

function lossOf({ p, g, rows }: TrainingBatch, lambda: number): BatchLoss {
  const { r_mag, b_mag } = p.extra;
  const growth = Float64Array.from(r_mag, Math.exp);
  const norms = rowNorms(matrix(p.dSae, p.dOut, p.W_dec));
  // The magnitude path reads x̃·W_enc without b_gate: its Σ dL/dz reaches b_dec, not b_gate.
  const bias = new Float32Array(p.dSae);
  const toR = new Float64Array(p.dSae);
  const toB = new Float64Array(p.dSae);
  return {
    select: (block) => ({ count: magnitudes(block, p.b_enc, growth, b_mag) }),
    bias,
    through(gradient, f, value) {
      toB[f] += gradient;
      toR[f] += gradient * (value - b_mag[f]);
      return gradient * growth[f];
    },
    further: [
      {
        fires: { kind: 'positive' },
        penalty: norms.map((n) => (lambda / rows) * n),
      },
    ],
    terms([, gate]) {
      for (let f = 0; f < p.dSae; f++) {
        g.extra.r_mag[f] += toR[f];
        g.extra.b_mag[f] += toB[f];
      }
      const l1 = penalizeDecoder(p, g, norms, gate.features, lambda / rows) / rows;
      const aux = gate.squaredErrors[0] / rows;
      return { added: lambda * l1 + aux, l1, aux };
    },
  };
}

/** Features over block.z = π; returns how many fire. */
function magnitudes({ z }: Block, gate: Float32Array, growth: Float64Array, b_mag: Float32Array): number {
  let count = 0;
  for (let at = 0; at < z.length;) {
    for (let f = 0; f < growth.length; f++, at++) {
      if (z[at] > 0) {
        const magnitude = growth[f] * (z[at] - gate[f]) + b_mag[f];
        z[at] = magnitude > 0 ? magnitude : 0;
        if (magnitude > 0) count++;
      } else if (z[at] <= 0) z[at] = 0;
      else count++; // NaN stays, so that the loss shows it
    }
  }
  return count;
}
