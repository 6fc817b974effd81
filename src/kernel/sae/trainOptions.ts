/** What training takes: SAELens's options and defaults, in camelCase. */
import { TRAINED } from './architectures/index.js';
import { checkConfig } from './sae.js';
import type { LearningRateSchedule } from './schedule.js';
import type { StepShape } from './step.js';
import type { SaeConfig } from './types.js';

export interface SaeTrainOptions {
  /** Default 'standard'. */
  architecture?: 'standard' | 'topk';
  /** Features, default 16 × the width of the activations. */
  dSae?: number;
  /** topk: features kept per token, default 100. */
  k?: number;
  /** standard: λ, default 1. */
  l1Coefficient?: number;
  /** Steps over which λ grows linearly from 0; default 0. */
  l1WarmUpSteps?: number;
  /** topk: weight of the auxiliary loss of dead features, default 1; 0 turns it off. */
  auxLossCoefficient?: number;
  /** topk: true adds b_dec to the auxiliary reconstruction, as SAELens 6.18 published it; default false, as the paper. */
  auxIncludesBDec?: boolean;
  /** topk: select by z · ‖W_dec row‖, default true; folded into the weights at the end (decoder rows get norm 1). */
  rescaleActsByDecoderNorm?: boolean;
  /** Subtract b_dec from the input before encoding, default true. */
  applyBDecToInput?: boolean;
  /**
   * 'expected_average_only_in' scales activations by s = √d_in / mean ‖x‖, estimated before training and folded into the
   * weights at the end. Default 'none'.
   */
  normalizeActivations?: 'none' | 'expected_average_only_in';
  /** Batches over which mean ‖x‖ is estimated (at most one epoch, at most `steps`); default 1,000. */
  nBatchesForNormEstimate?: number;
  /** Training steps; default 2,000,000 tokens' worth. */
  steps?: number;
  /** Tokens of a batch, default 4,096. */
  trainBatchSizeTokens?: number;
  /** Rows of the shuffle buffer; default 81,920, at least two batches, at most one epoch and 1 GiB. */
  bufferTokens?: number;
  /** Default 3e-4. */
  lr?: number;
  /** Default 'constant'. */
  lrScheduler?: 'constant' | 'cosine';
  /** Default 0. */
  lrWarmUpSteps?: number;
  /** Last steps over which the rate falls linearly to 0; default 0. */
  lrDecaySteps?: number;
  /** Where a cosine ends, default lr / 10. */
  lrEnd?: number;
  /** Adam's decay of the mean gradient, default 0.9. */
  adamBeta1?: number;
  /** Adam's decay of the squared gradient, default 0.999. */
  adamBeta2?: number;
  /** Added to the root of the squared gradient, default 1e-8. */
  adamEps?: number;
  /** Largest gradient norm, default 1; null = no clipping. */
  maxGradNorm?: number | null;
  /** Norm of the decoder rows at the start, default 0.1. */
  decoderInitNorm?: number;
  /** A feature is dead after this many steps without firing, default 1,000. */
  deadFeatureWindow?: number;
  /** Default 0. */
  seed?: number;
  /** Steps between rows of the history; default steps/1,000, at least 1. The first and last step are always there. */
  logEvery?: number;
  /**
   * Writes the training state to `folder` every `every` steps (default steps/10) and when training is cancelled; training
   * that finds a state there goes on from it, to the same result bit for bit on the same device. `report` is told when a
   * damaged state is set aside.
   */
  checkpoint?: { folder: string; every?: number; report?: (message: string) => void };
}

/** Options with every default filled in. */
export type ResolvedOptions = Required<Omit<SaeTrainOptions, 'checkpoint'>> & LearningRateSchedule & StepShape;

const DEFAULT_BUFFER_TOKENS = 81_920;
const BUFFER_BYTES = 2 ** 30;

/** Fills in defaults and checks them, given the width and the rows of one epoch of the source. */
export function resolveOptions(o: SaeTrainOptions, width: number, sourceRows?: number): ResolvedOptions {
  const trainBatchSizeTokens = o.trainBatchSizeTokens ?? 4096;
  const steps = o.steps ?? Math.ceil(2_000_000 / trainBatchSizeTokens);
  const lr = o.lr ?? 3e-4;
  const architecture = o.architecture ?? 'standard';
  const wanted = Math.min(DEFAULT_BUFFER_TOKENS, sourceRows ?? Infinity, Math.floor(BUFFER_BYTES / (4 * width)));
  const resolved: ResolvedOptions = {
    architecture,
    dSae: o.dSae ?? 16 * width,
    k: o.k ?? 100,
    l1Coefficient: o.l1Coefficient ?? 1,
    l1WarmUpSteps: o.l1WarmUpSteps ?? 0,
    auxLossCoefficient: o.auxLossCoefficient ?? 1,
    auxIncludesBDec: o.auxIncludesBDec ?? false,
    rescaleActsByDecoderNorm: architecture === 'topk' && (o.rescaleActsByDecoderNorm ?? true),
    applyBDecToInput: o.applyBDecToInput ?? true,
    normalizeActivations: o.normalizeActivations ?? 'none',
    nBatchesForNormEstimate: o.nBatchesForNormEstimate ?? 1000,
    steps,
    trainBatchSizeTokens,
    bufferTokens: o.bufferTokens ?? Math.max(2 * trainBatchSizeTokens, wanted),
    lr,
    lrScheduler: o.lrScheduler ?? 'constant',
    lrWarmUpSteps: o.lrWarmUpSteps ?? 0,
    lrDecaySteps: o.lrDecaySteps ?? 0,
    lrEnd: o.lrEnd ?? lr / 10,
    adamBeta1: o.adamBeta1 ?? 0.9,
    adamBeta2: o.adamBeta2 ?? 0.999,
    adamEps: o.adamEps ?? 1e-8,
    maxGradNorm: o.maxGradNorm === undefined ? 1 : o.maxGradNorm,
    decoderInitNorm: o.decoderInitNorm ?? 0.1,
    deadFeatureWindow: o.deadFeatureWindow ?? 1000,
    seed: o.seed ?? 0,
    logEvery: o.logEvery ?? Math.max(1, Math.floor(steps / 1000)),
  };
  checkOptions(resolved, width);
  return resolved;
}

function checkOptions(o: ResolvedOptions, width: number): void {
  if (!TRAINED.some(({ name }) => name === o.architecture))
    throw new Error(
      `SAEs of architecture "${String(o.architecture)}" are not trained here; trained are ${TRAINED.map(({ name }) => name).join(', ')}`,
    );
  const { steps, lrWarmUpSteps, lrDecaySteps } = o;
  const counts = [
    'steps',
    'trainBatchSizeTokens',
    'bufferTokens',
    'logEvery',
    'deadFeatureWindow',
    'nBatchesForNormEstimate',
  ] as const;
  for (const name of counts) {
    if (!Number.isInteger(o[name]) || o[name] < 1)
      throw new RangeError(`${name} must be a positive integer but is ${o[name]}`);
  }
  for (const name of ['lrWarmUpSteps', 'lrDecaySteps', 'l1WarmUpSteps'] as const) {
    if (!Number.isInteger(o[name]) || o[name] < 0)
      throw new RangeError(`${name} must be a whole number but is ${o[name]}`);
  }
  if (lrWarmUpSteps + lrDecaySteps > steps) {
    throw new RangeError(`warm-up (${lrWarmUpSteps}) and decay (${lrDecaySteps}) take more than the ${steps} steps`);
  }
  for (const name of ['lr', 'lrEnd', 'l1Coefficient', 'auxLossCoefficient', 'decoderInitNorm', 'adamEps'] as const) {
    if (!Number.isFinite(o[name]) || o[name] < 0)
      throw new RangeError(`${name} must be a number of at least 0 but is ${o[name]}`);
  }
  if (o.bufferTokens < o.trainBatchSizeTokens) {
    throw new RangeError(`bufferTokens ${o.bufferTokens} is less than a batch of ${o.trainBatchSizeTokens}`);
  }
  checkConfig(configOf(o, width, { hookName: '', modelName: '' }));
}

/** The config of the SAE in training terms: activation scaling counts as folded. */
export function configOf(
  o: ResolvedOptions,
  width: number,
  source: { hookName: string; modelName: string; modelId?: string; contextSize?: number },
): SaeConfig {
  return {
    architecture: o.architecture,
    dIn: width,
    dSae: o.dSae,
    ...(o.architecture === 'topk' ? { k: o.k } : {}),
    applyBDecToInput: o.applyBDecToInput,
    normalizeActivations: 'none',
    hookName: source.hookName,
    modelName: source.modelName,
    ...(source.modelId === undefined ? {} : { modelId: source.modelId }),
    ...(source.contextSize === undefined ? {} : { contextSize: source.contextSize }),
    metadata: {},
  };
}
