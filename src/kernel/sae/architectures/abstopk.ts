/** Signed top-k: the k values of largest |z| of a token, with their signs. */
import { plainSlope, type Architecture } from './architecture.js';
import { biased } from './onDevice.js';
import { addBias, requireK, selectionCfg, selectTopK } from './select.js';

export const abstopk: Architecture<'abstopk'> = {
  name: 'abstopk',
  formula: 'f = the k values z of largest |z|, with their signs',
  tensors: { W_skip: 'allowed' },
  fields: { k: 'needed', rescaleActsByDecoderNorm: 'allowed', transcoder: 'allowed' },
  firesAbove0: false,
  slope: plainSlope,
  check: ({ k, dSae }) => requireK('abstopk', k, dSae),
  encode(block) {
    addBias(block, block.weights.b_enc);
    return selectTopK(block, block.z.map(Math.abs));
  },
  onDevice: { keeps: 'k', fire: biased, signed: true },
  saved: { saelens: { cfg: selectionCfg } },
};
