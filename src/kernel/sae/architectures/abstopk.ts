/**
 * Signed top-k: the k values of largest |z| of a token, with their signs, so that one feature can stand for both ends of an
 * axis. Trained as topk is; dead features are chosen by |z| in the auxiliary loss too.
 */
import { plainSlope } from './architecture.js';
import { biased } from './onDevice.js';
import { addBias, requireK, selectionCfg, selectTopK } from './select.js';
import { TOPK_OPTIONS, topKOnDevice, topKRun } from './topk.js';
import type { TrainedArchitecture } from './training.js';

export const abstopk: TrainedArchitecture<'abstopk', typeof TOPK_OPTIONS> = {
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
  training: {
    options: TOPK_OPTIONS,
    start: (given) => topKRun(given, true),
    onDevice: (given) => topKOnDevice(given, true),
  },
  saved: { saelens: { cfg: selectionCfg } },
};
