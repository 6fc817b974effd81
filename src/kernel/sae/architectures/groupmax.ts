/** Group max (sparsify): features in k contiguous groups; of each group the largest, if it is positive. */
import { plainSlope, type Architecture } from './architecture.js';
import { biased } from './onDevice.js';
import { addBias, indexArray, requireK } from './select.js';

export const groupmax: Architecture<'groupmax'> = {
  name: 'groupmax',
  formula: 'f = ReLU(the largest z of each of k contiguous groups)',
  tensors: { W_skip: 'allowed' },
  fields: { k: 'needed', transcoder: 'allowed' },
  firesAbove0: true,
  slope: plainSlope,
  check({ k, dSae }) {
    requireK('groupmax', k, dSae);
    if (dSae % k! !== 0)
      throw new RangeError(
        `a groupmax SAE needs groups of one size, but ${dSae} features are not a multiple of k = ${k}`,
      );
  },
  encode(block) {
    addBias(block, block.weights.b_enc);
    const { z, rows, counts } = block;
    const cols = block.config.dSae;
    const k = block.config.k!;
    const size = cols / k;
    const indices = indexArray(cols, rows * k);
    const values = new Float32Array(rows * k);
    let at = 0;
    for (let i = 0; i < rows; i++) {
      const before = at;
      for (let first = 0; first < cols; first += size) {
        let best = first;
        for (let f = first + 1; f < first + size; f++) if (z[i * cols + f] > z[i * cols + best]) best = f;
        if (!(z[i * cols + best] > 0)) continue;
        indices[at] = best;
        values[at++] = z[i * cols + best];
      }
      counts[i] = at - before;
    }
    return { indices: indices.subarray(0, at), values: values.subarray(0, at) };
  },
  onDevice: { keeps: 'each group', fire: biased },
  saved: { sparsify: { activation: 'groupmax' } },
};
