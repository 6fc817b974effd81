/** Gated: a feature fires where x̃·W_enc + b_gate > 0, with ReLU(x̃·(W_enc ⊙ e^r_mag) + b_mag). */
import { linearTensors, refuse, vectorTensor } from '../writers/tensors.js';
import type { Architecture } from './architecture.js';
import { indexArray } from './select.js';

export const gated: Architecture<'gated'> = {
  name: 'gated',
  formula: 'f = [x̃·W_enc + b_gate > 0] · ReLU(x̃·(W_enc ⊙ e^r_mag) + b_mag)',
  tensors: { r_mag: 'needed', b_mag: 'needed' },
  fields: {},
  firesAbove0: true,
  slope: (_, { r_mag, b_mag }, feature) => ({ scale: Math.exp(r_mag![feature]), bias: b_mag![feature] }),
  encode({ weights, config, z, rows, counts }) {
    const cols = config.dSae;
    const { b_enc: gate, r_mag, b_mag } = weights;
    const scale = Float64Array.from(r_mag!, Math.exp);
    let total = 0;
    for (let i = 0; i < rows; i++) {
      let n = 0;
      for (let f = 0, at = i * cols; f < cols; f++, at++) {
        const magnitude = z[at] * scale[f] + b_mag![f];
        z[at] = z[at] + gate[f] > 0 && magnitude > 0 ? magnitude : 0;
        if (z[at] > 0) n++;
      }
      counts[i] = n;
      total += n;
    }
    const indices = indexArray(cols, total);
    const values = new Float32Array(total);
    for (let i = 0, at = 0; i < rows; i++) {
      for (let f = 0; f < cols; f++) {
        if (!(z[i * cols + f] > 0)) continue;
        indices[at] = f;
        values[at++] = z[i * cols + f];
      }
    }
    return { indices, values };
  },
  onDevice: {
    keeps: 'all',
    fire({ g, z, vector }) {
      const magnitude = g.add(g.mul(z, vector('r_scale')), vector('b_mag'));
      const open = g.op('Greater', [g.add(z, vector('b_enc')), g.number(0)]);
      return g.where(open, magnitude, g.number(0));
    },
  },
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
