/** Top-k: f = ReLU of the k largest z of a token; with rescaling, of z·‖W_dec row‖, which decoding divides out again. */
import { plainSlope, type Architecture } from './architecture.js';
import { addBias, requireK, selectTopK } from './select.js';

export const topk: Architecture = {
  name: 'topk',
  formula: 'f = ReLU(the k largest z)',
  tensors: { W_skip: 'allowed' },
  fields: { k: 'needed', rescaleActsByDecoderNorm: 'allowed', transcoder: 'allowed' },
  firesAbove0: true,
  slope: plainSlope,
  check: ({ k, dSae }) => requireK('topk', k, dSae),
  encode(block) {
    addBias(block, block.weights.b_enc);
    return selectTopK(block, block.z);
  },
  saelens: {
    cfg: ({ k, rescaleActsByDecoderNorm }) => ({
      k: k!,
      rescale_acts_by_decoder_norm: rescaleActsByDecoderNorm ?? false,
    }),
  },
};
