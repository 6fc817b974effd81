/**
 * Top-k: f = ReLU of the k largest z of a token; with rescaling, of z·‖W_dec row‖, which decoding divides out again, so
 * that it changes which features are selected and nothing else: no gradient passes through the norms. Trained with
 *
 *   loss = mse + the auxiliary loss of dead features               (../auxK.ts)
 */
import { matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import { flag, real, whole, type Given } from '../../verb/option.js';
import { addAuxLoss, gatherDead, type DeadActivations } from '../auxK.js';
import { foldDecoderNorm } from '../fold.js';
import { topKEntries } from '../selectFiring.js';
import { linearTensors, scalarTensor, shiftedBias, vectorTensor, wholeTensor } from '../writers/tensors.js';
import { plainSlope } from './architecture.js';
import { biased } from './onDevice.js';
import { addBias, requireK, selectionCfg, selectTopK } from './select.js';
import type { BatchLoss, TrainedArchitecture, TrainingBatch, TrainingRun } from './training.js';

const OPTIONS = {
  k: whole({ doc: 'Features kept per token.', min: 1, fallback: '100' }),
  auxLossCoefficient: real({
    doc: 'Weight of the auxiliary loss of dead features; 0 turns it off.',
    min: 0,
    fallback: '1',
  }),
  auxIncludesBDec: flag({
    doc: 'True adds b_dec to the auxiliary reconstruction, as SAELens 6.18 published it; false is the paper.',
    fallback: 'false',
  }),
  rescaleActsByDecoderNorm: flag({
    doc: 'Select by z · ‖W_dec row‖; folded into the weights at the end (decoder rows get norm 1).',
    fallback: 'true',
  }),
} as const;

export const topk: TrainedArchitecture<'topk', typeof OPTIONS> = {
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
  onDevice: { keeps: 'k', fire: biased },
  saved: {
    saelens: { cfg: selectionCfg },
    sparsify: { activation: 'topk' },
    dictionaryLearning: ({ config: { k, applyBDecToInput } }, weights) => ({
      name: 'AutoEncoderTopK',
      tensors: {
        ...linearTensors(weights),
        'encoder.bias': vectorTensor(applyBDecToInput ? weights.b_enc : shiftedBias(weights, 1)),
        b_dec: vectorTensor(weights.b_dec),
        k: wholeTensor(k!),
        // Unset: its encoding by top-k does not use one.
        threshold: scalarTensor(-1),
      },
    }),
  },
  training: { options: OPTIONS, start: run },
};

interface Settings {
  k: number;
  auxLossCoefficient: number;
  auxIncludesBDec: boolean;
  rescaleActsByDecoderNorm: boolean;
}

function run({
  k = 100,
  auxLossCoefficient = 1,
  auxIncludesBDec = false,
  rescaleActsByDecoderNorm = true,
}: Given<typeof OPTIONS>): TrainingRun {
  const settings = { k, auxLossCoefficient, auxIncludesBDec, rescaleActsByDecoderNorm };
  return {
    settings,
    config: { k },
    loss: (batch) => lossOf(batch, settings),
    finish: rescaleActsByDecoderNorm ? foldDecoderNorm : undefined,
  };
}

function lossOf({ p, g, dead, breakAt }: TrainingBatch, settings: Settings): BatchLoss {
  const norms = settings.rescaleActsByDecoderNorm ? rowNorms(matrix(p.dSae, p.dIn, p.W_dec)) : undefined;
  let revive: DeadActivations | undefined;
  let aux = 0;
  return {
    scale: norms,
    select(block) {
      // Now: features may be written over block.z.
      revive = dead && settings.auxLossCoefficient > 0 ? gatherDead(block, p.dSae, dead) : undefined;
      const entries = topKEntries(block, p.dSae, settings.k, norms);
      return { count: entries.indptr[block.rows], entries };
    },
    async addBlock(block) {
      if (revive) aux += await addAuxLoss(p, g, block, revive, norms, settings, breakAt);
    },
    terms: () => ({ added: aux, aux }),
  };
}
