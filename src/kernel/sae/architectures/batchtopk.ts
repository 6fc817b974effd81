/**
 * BatchTopK (Bussmann et al. 2024): in training the k·B largest z of a batch fire, times decoder norms as in topk, so that
 * a token takes as many features as it needs. At inference a threshold of all features replaces the selection: the moving
 * mean over steps of the least value that fired, θ ← (1 − r)·θ + r·min, from 0. Trained with
 *
 *   loss = mse + the auxiliary loss of dead features               (../auxK.ts)
 */
import { real, type Given } from '../../verb/option.js';
import { revival } from '../auxK.js';
import { revivalGraph, revivalStep } from '../auxOnDevice.js';
import { foldDecoderNorm } from '../fold.js';
import type { Sae, SaeConfig, SaeWeights } from '../types.js';
import {
  linearTensors,
  scalarTensor,
  shiftedBias,
  single,
  vectorTensor,
  wholeTensor,
  withoutRescaling,
} from '../writers/tensors.js';
import { jumprelu } from './jumprelu.js';
import { requireK } from './select.js';
import { selectionNorms, selectionOrder, TOPK_OPTIONS, topKSettings, type TopKSettings } from './topk.js';
import { tiedRun } from './tied.js';
import type { BatchLoss, PassSums, TrainedArchitecture, TrainingBatch, TrainingRun } from './training.js';
import type { DeviceTraining } from './trainingOnDevice.js';
import type { TrainedShape } from '../parameters.js';

export const BATCHTOPK_OPTIONS = {
  ...TOPK_OPTIONS,
  topkThresholdLr: real({
    doc: 'r: share of a step in the moving mean that becomes the threshold.',
    min: 0,
    max: 1,
    usual: 0.01,
  }),
} as const;

export const batchtopk: TrainedArchitecture<'batchtopk', typeof BATCHTOPK_OPTIONS> = {
  ...jumprelu,
  name: 'batchtopk',
  formula: 'f = ReLU(z) · [z > θ], θ of training in place of the selection over a batch',
  fields: { k: 'allowed', rescaleActsByDecoderNorm: 'allowed' },
  training: {
    options: BATCHTOPK_OPTIONS,
    start: (given, shape) => batchTopKRun(given, shape),
    onDevice: (given) => batchTopKOnDevice(given),
  },
  saved: {
    saelensForm: asJumpRelu,
    dictionaryLearning: (sae, weights) => ({
      name: 'BatchTopKSAE',
      tensors: {
        ...linearTensors(weights),
        'encoder.bias': vectorTensor(sae.config.applyBDecToInput ? weights.b_enc : shiftedBias(weights, 1)),
        b_dec: vectorTensor(weights.b_dec),
        // Where k is not known: its encoding by threshold does not use it.
        k: wholeTensor(sae.config.k ?? 1),
        threshold: scalarTensor(
          single(
            sae.threshold!,
            `${sae.name} has a threshold for each feature, and BatchTopKSAE has one for all; save it with layout 'saelens'`,
          ),
        ),
      },
    }),
  },
};

/** SAELens has a BatchTopK SAE for inference as a JumpReLU one, decoder norms folded in. */
export function asJumpRelu(sae: Sae): { config: SaeConfig; weights: SaeWeights } {
  const { architecture, rescaleActsByDecoderNorm: _, k, ...config } = sae.config;
  const metadata = { ...config.metadata, trained_as: architecture, ...(k === undefined ? {} : { trained_k: k }) };
  return { config: { ...config, architecture: 'jumprelu', metadata }, weights: withoutRescaling(sae) };
}

/** A run of BatchTopK, with nested groups where their widths are given. */
export function batchTopKRun(
  given: Given<typeof BATCHTOPK_OPTIONS>,
  { dSae }: TrainedShape,
  matryoshkaWidths?: number[],
): TrainingRun {
  const settings = topKSettings(given);
  // Here, since a config without k is one too: at inference it says nothing.
  requireK('batchtopk', settings.k, dSae);
  const topkThresholdLr = given.topkThresholdLr ?? BATCHTOPK_OPTIONS.topkThresholdLr.usual;
  // θ in float64: in float32 a small r would add nothing to it.
  const memory = Float64Array.of(0);
  const leave = (least: number): void => {
    memory[0] = (1 - topkThresholdLr) * memory[0] + topkThresholdLr * least;
  };
  const run: TrainingRun = {
    settings: { ...settings, topkThresholdLr, ...(matryoshkaWidths ? { matryoshkaWidths } : {}) },
    config: { k: settings.k },
    memory,
    leave,
    loss: (batch) => lossOf(batch, settings, matryoshkaWidths, leave),
    finish(weights, { scale }) {
      if (settings.rescaleActsByDecoderNorm) foldDecoderNorm(weights);
      // θ is of z times decoder norms, which are in units of the scaled activations until here.
      const theta = settings.rescaleActsByDecoderNorm ? memory[0] / scale : memory[0];
      weights.threshold = new Float32Array(weights.b_enc.length).fill(theta);
    },
  };
  return given.tied ? tiedRun(run) : run;
}

function lossOf(
  batch: TrainingBatch,
  settings: TopKSettings,
  widths: readonly number[] | undefined,
  tell: (least: number) => void,
): BatchLoss {
  const norms = selectionNorms(batch, settings);
  const revive = revival(batch, settings, norms);
  let least: number | undefined;
  return {
    wholeBatch: true,
    scale: norms,
    widths,
    fires: { kind: 'batch', count: settings.k * batch.rows, tell: (value) => void (least = value) },
    ...revive.hooks,
    terms(sums) {
      // At the end of the step: one that is cut off leaves θ as it was.
      if (least !== undefined) tell(least);
      return { added: innerErrors(sums) / batch.rows + revive.value(), aux: revive.value() };
    },
  };
}

const innerErrors = ([{ squaredErrors }]: readonly PassSums[]): number =>
  squaredErrors.subarray(0, -1).reduce((sum, error) => sum + error, 0);

/** BatchTopK as a graph, with nested groups where their widths are given. */
export function batchTopKOnDevice(
  given: Given<typeof BATCHTOPK_OPTIONS>,
  widths?: DeviceTraining['widths'],
): DeviceTraining {
  const settings = topKSettings(given);
  const { k, rescaleActsByDecoderNorm, auxIncludesBDec } = settings;
  return {
    key: `batchtopk ${rescaleActsByDecoderNorm} ${auxIncludesBDec}`,
    tied: given.tied,
    widths,
    ofBatch: { count: (rows) => k * rows, order: (block) => selectionOrder(block, settings) },
    fire(block) {
      const { g, z } = block;
      const order = selectionOrder(block, settings);
      const zero = g.number(0);
      const f = g.where(g.op('Greater', [block.selected(order), zero]), z, g.sub(z, z));
      return {
        f,
        back: (toF) => ({ toZ: g.where(g.op('Greater', [f, zero]), toF, zero) }),
        again: revivalGraph(block, order, settings, rescaleActsByDecoderNorm),
      };
    },
    begin(batch) {
      const step = revivalStep(batch, settings);
      return {
        ...step,
        end(sums) {
          const { added, ...terms } = step.end(sums);
          return { ...terms, added: added + (sums.rows.inner ?? 0) / batch.rows };
        },
      };
    },
  };
}
