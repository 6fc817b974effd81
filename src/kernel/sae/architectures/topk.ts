/**
 * Top-k: f = ReLU of the k largest z of a token; with rescaling, of z·‖W_dec row‖, which decoding divides out again, so
 * that it changes which features are selected and nothing else: no gradient passes through the norms. Trained with
 *
 *   loss = mse + the auxiliary loss of dead features               (../auxK.ts)
 */
import type { Value } from '../../compute/graphs/graph.js';
import { matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import { flag, whole, type Given } from '../../verb/option.js';
import { AUX_OPTIONS, revival } from '../auxK.js';
import { revivalGraph, revivalStep } from '../auxOnDevice.js';
import { foldDecoderNorm } from '../fold.js';
import { linearTensors, scalarTensor, shiftedBias, vectorTensor, wholeTensor } from '../writers/tensors.js';
import { plainSlope } from './architecture.js';
import { biased } from './onDevice.js';
import { TIED_OPTIONS, tiedRun } from './tied.js';
import { addBias, requireK, selectionCfg, selectTopK } from './select.js';
import type { TrainedArchitecture, TrainingBatch, TrainingRun } from './training.js';
import type { DeviceTraining, StepBlock } from './trainingOnDevice.js';

/** Options of BatchTopK too. */
export const TOPK_OPTIONS = {
  k: whole({ doc: 'Features kept per token, or per token of a batch on average.', min: 1, usual: 100 }),
  ...AUX_OPTIONS,
  rescaleActsByDecoderNorm: flag({
    doc: 'Select by z · ‖W_dec row‖; folded into the weights at the end (decoder rows get norm 1).',
    usual: true,
  }),
  ...TIED_OPTIONS,
} as const;

export const topk: TrainedArchitecture<'topk', typeof TOPK_OPTIONS> = {
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
  training: {
    options: TOPK_OPTIONS,
    start: (given) => topKRun(given, false),
    onDevice: (given) => topKOnDevice(given, false),
  },
};

export type TopKSettings = Required<Omit<Given<typeof TOPK_OPTIONS>, keyof typeof TIED_OPTIONS>>;

/** With every default filled in. */
export const topKSettings = (given: Given<typeof TOPK_OPTIONS>): TopKSettings => ({
  k: given.k ?? TOPK_OPTIONS.k.usual,
  auxLossCoefficient: given.auxLossCoefficient ?? AUX_OPTIONS.auxLossCoefficient.usual,
  auxIncludesBDec: given.auxIncludesBDec ?? AUX_OPTIONS.auxIncludesBDec.usual,
  rescaleActsByDecoderNorm: given.rescaleActsByDecoderNorm ?? TOPK_OPTIONS.rescaleActsByDecoderNorm.usual,
});

/** ‖W_dec row‖ where features are selected by it. */
export const selectionNorms = (
  { p }: TrainingBatch,
  { rescaleActsByDecoderNorm }: TopKSettings,
): Float64Array | undefined => (rescaleActsByDecoderNorm ? rowNorms(matrix(p.dSae, p.dOut, p.W_dec)) : undefined);

/** A run of topk, or of abstopk: by |z|. */
export function topKRun(given: Given<typeof TOPK_OPTIONS>, absolute: boolean): TrainingRun {
  const settings = topKSettings(given);
  const { k, rescaleActsByDecoderNorm } = settings;
  const run: TrainingRun = {
    settings: { ...settings },
    config: { k },
    loss(batch) {
      const norms = selectionNorms(batch, settings);
      const revive = revival(batch, { ...settings, absolute }, norms);
      return {
        scale: norms,
        fires: { kind: 'largest', k, absolute },
        ...revive.hooks,
        terms: () => ({ added: revive.value(), aux: revive.value() }),
      };
    },
    finish: rescaleActsByDecoderNorm ? foldDecoderNorm : undefined,
  };
  return given.tied ? tiedRun(run) : run;
}

/** What features are selected by [N, F]: z, times decoder norms where these count. */
export const selectionOrder = (
  { g, z, vector }: Pick<StepBlock, 'g' | 'z' | 'vector'>,
  { rescaleActsByDecoderNorm }: TopKSettings,
): Value => (rescaleActsByDecoderNorm ? g.mul(z, vector('norms')) : z);

/** The same run as a graph. */
export function topKOnDevice(given: Given<typeof TOPK_OPTIONS>, absolute: boolean): DeviceTraining {
  const settings = topKSettings(given);
  const { k, rescaleActsByDecoderNorm, auxIncludesBDec } = settings;
  return {
    key: `topk ${k} ${absolute} ${rescaleActsByDecoderNorm} ${auxIncludesBDec}`,
    tied: given.tied,
    fire(block) {
      const { g, z } = block;
      const order = selectionOrder(block, settings);
      const by = absolute ? g.op('Abs', [order]) : order;
      const zero = g.number(0);
      const { values, indices } = g.topK(by, g.whole(k), 1);
      const picked = g.where(g.op('Greater', [values, zero]), g.op('GatherElements', [z, indices], { axis: 1 }), zero);
      // z − z is 0, and NaN where z is not finite, which the loss then shows.
      const f = g.op('ScatterElements', [g.sub(z, z), indices, picked], { axis: 1 });
      const isIn = g.op('Greater', [g.op('Abs', [f]), zero]);
      return {
        f,
        back: (toF) => ({ toZ: g.where(isIn, toF, zero) }),
        again: revivalGraph(block, by, settings, rescaleActsByDecoderNorm),
      };
    },
    begin: (batch) => revivalStep(batch, settings),
  };
}
