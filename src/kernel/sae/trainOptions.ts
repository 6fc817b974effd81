/** What training takes: SAELens's options and defaults, in camelCase. */
import { usually } from '../verb/filled.js';
import { filled } from '../verb/filled.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { choice, flag, parseOptions, real, value, whole, type Given } from '../verb/option.js';
import {
  ARCHITECTURE_OPTIONS,
  takersOf,
  TRAINED_NAMES,
  TRANSCODERS,
  trainingOf,
  type TrainedName,
} from './architectures/trained.js';
import type { TrainingRun } from './architectures/training.js';
import type { DeviceTraining } from './architectures/trainingOnDevice.js';
import { B_DEC_INIT_METHODS, type BDecInitMethod } from './bDecInit.js';
import { requireStart } from './fineTune.js';
import { FROZEN } from './frozen.js';
import type { TrainedShape } from './parameters.js';
import { checkConfig } from './sae.js';
import type { ActivationSource } from './source.js';
import type { HistoryRow } from './train.js';
import type { Sae, SaeConfig } from './types.js';

/** SAELens's options, in camelCase, with SAELens's defaults. */
export const TRAIN = {
  architecture: choice(TRAINED_NAMES, { doc: 'Of the SAE.', usual: 'standard' }),
  features: whole({ doc: 'Features.', min: 1, fallback: '16 × the width of the activations' }),
  expansion: real({
    doc: 'Features as a multiple of the width of the activations, in place of `features`.',
    min: 0,
    usual: 16,
  }),
  ...ARCHITECTURE_OPTIONS,
  steps: whole({ doc: 'Training steps.', min: 1, fallback: "2,000,000 tokens' worth" }),
  trainBatchSizeTokens: whole({ doc: 'Tokens of a batch.', min: 1, usual: 4096 }),
  bufferTokens: whole({
    doc: 'Rows of the shuffle buffer.',
    min: 1,
    fallback: '81,920, at least two batches, at most one epoch and 1 GiB',
  }),
  lr: real({ doc: 'Learning rate.', min: 0, usual: 3e-4 }),
  lrScheduler: choice(['constant', 'cosine'], { doc: 'How the learning rate goes on.', usual: 'constant' }),
  lrWarmUpSteps: whole({ doc: 'First steps over which the rate grows linearly from 0.', min: 0, usual: 0 }),
  lrDecaySteps: whole({ doc: 'Last steps over which the rate falls linearly to 0.', min: 0, usual: 0 }),
  lrEnd: real({ doc: 'Where a cosine ends.', min: 0, fallback: 'lr / 10' }),
  applyBDecToInput: flag({
    doc: 'Subtract b_dec from the input before encoding.',
    fallback: 'true, and false of transcoders, which cannot',
  }),
  normalizeActivations: choice(['none', 'expected_average_only_in'], {
    doc: "'expected_average_only_in' scales activations by s = √d_in / mean ‖x‖, estimated before training and folded into the weights at the end; of a transcoder what it reads, not what it predicts.",
    usual: 'none',
  }),
  nBatchesForNormEstimate: whole({
    doc: 'Batches over which mean ‖x‖ is estimated (at most one epoch, at most `steps`).',
    min: 1,
    usual: 1000,
  }),
  adamBeta1: real({ doc: "Adam's decay of the mean gradient.", min: 0, below: 1, usual: 0.9 }),
  adamBeta2: real({ doc: "Adam's decay of the squared gradient.", min: 0, below: 1, usual: 0.999 }),
  adamEps: real({ doc: 'Added to the root of the squared gradient.', min: 0, usual: 1e-8 }),
  maxGradNorm: usually(
    value<number | null>(
      'a number, or null for no clipping',
      { doc: 'Largest gradient norm.' },
      (v) => v === null || (typeof v === 'number' && !Number.isNaN(v)),
    ),
    1,
  ),
  bDecInitMethod: choice(B_DEC_INIT_METHODS, {
    doc: "Where the decoder's bias begins: at 0, or at the mean or the geometric median of the first 16,384 activations.",
    fallback:
      "'zeros', but 'geometric_median' where the mean is at least twice the spread, √(mean ‖x − mean‖²), of the first 4,096; the cell says so",
  }),
  decoderInitNorm: real({
    doc: 'Norm of the decoder rows at the start.',
    min: 0,
    fallback: '0.1; always 1 of matching_pursuit',
  }),
  deadFeatureWindow: whole({
    doc: 'A feature is dead after this many steps without firing.',
    min: 1,
    usual: 1000,
  }),
  seed: whole({ doc: 'Of weights and of the order of tokens.', usual: 0 }),
  from: value<Sae>(
    'what fg.sae.train or fg.sae.load returned',
    {
      doc: 'An SAE whose weights training begins with, in place of random ones: of the same architecture and size. Learning rate, steps and the rest are those of this call.',
      fallback: 'random weights by the seed',
    },
    (v) => typeof v === 'object' && v !== null && 'W_enc' in v && 'config' in v,
  ),
  baseline: choice(FROZEN, {
    doc: "Trains a baseline of the SAE in its place (docs/training.md): 'frozenDecoder' and 'frozenEncoder' leave these weights at their random start, 'softFrozenDecoder' keeps the cosine of every decoder row with its start at .8 or more. fg.sae.baselines makes all of them.",
    fallback: 'none: everything is trained',
  }),
  logEvery: whole({
    doc: 'Steps between rows of the history; the first and last step are always there.',
    min: 1,
    fallback: 'steps/1,000, at least 1',
  }),
} as const;

/** What is trained around an architecture's own loss, as typed-array code and as a graph. */
export interface Around {
  run(run: TrainingRun): TrainingRun;
  onDevice(training: DeviceTraining): DeviceTraining;
}

/** Options of training by its own name of the features. */
export interface SaeTrainOptions extends Omit<Given<typeof TRAIN>, 'features'> {
  /** Features, default 16 × the width of the activations. */
  readonly dSae?: number;
  /**
   * Writes the training state to `folder` every `every` steps (default steps/10, fewer where states are large:
   * CheckpointPace) and when training is cancelled; training that finds a state there goes on from it, to the same
   * result bit for bit on the same device.
   */
  readonly checkpoint?: { folder: string; every?: number };
  /** What is trained around the architecture's own loss, such as a crosscoder's. */
  readonly around?: Around;
  /** Where the steps run, if they can; default the CPU. */
  readonly device?: GraphDevice;
  /** Called with what the user should know: a damaged state that was set aside, a start of b_dec that the activations asked for. */
  readonly report?: (message: string) => void;
  /** Called with the history so far whenever a step was logged, and when a stopped run goes on. */
  readonly onLog?: (history: readonly HistoryRow[]) => void;
  /**
   * Called when training ends before its last step, with the SAE of the last whole step where it was cancelled, and that
   * of the last checkpoint where it diverged.
   */
  readonly onStopped?: (sae: Sae, step: number) => Promise<void>;
}

/** Options that are handed on under another name, or as something else. */
type Resolved = 'features' | 'expansion' | 'from' | 'bDecInitMethod' | 'baseline';
type Every = Omit<Given<typeof TRAIN>, keyof typeof ARCHITECTURE_OPTIONS>;

/** Options that every architecture has, with their defaults filled in. `baseline` is absent for an SAE. */
type CommonOptions = Required<Omit<Every, Resolved>> &
  Pick<Every, 'baseline'> & {
    readonly dSae: number;
    /** null: as the activations have it. */
    readonly bDecInitMethod: BDecInitMethod | null;
    /** Identity of the SAE that training began with; absent for a random start. */
    readonly startedFrom?: string;
  };

export interface ResolvedOptions {
  common: CommonOptions;
  /** What the architecture's own options make. */
  run: TrainingRun;
  /** All of them by name: what the SAE and a checkpoint keep. */
  settings: JsonObject;
  shape: TrainedShape;
  /** What training begins with, in place of random weights. */
  from?: Sae;
}

const DEFAULT_BUFFER_TOKENS = 81_920;
const BUFFER_BYTES = 2 ** 30;

/** Checks options and fills in defaults, given d_in and the rows of one epoch of the source, and what a transcoder predicts. */
export function resolveOptions(
  given: SaeTrainOptions,
  width: number,
  sourceRows?: number,
  target?: ActivationSource['target'],
): ResolvedOptions {
  const { dSae, around, checkpoint: _, report: __, onLog: ___, onStopped: ____, device: _____, ...rest } = given;
  const named = withFeatures({ ...rest, features: dSae }, width);
  const { architecture } = filled(TRAIN, named);
  const training = trainingOf(architecture);
  const o = parseOptions('SAE training', named, TRAIN);
  requireTaken(o, architecture);
  if ((o.tied || training.tied) && o.baseline)
    throw new RangeError(
      `baseline '${o.baseline}' holds one of two matrices, which are one in ${o.tied ? 'a tied SAE; leave { tied } out of baselines' : `a ${architecture} SAE`}`,
    );
  requireTarget(architecture, target !== undefined);
  const norm = training.decoderInitNorm;
  if (norm !== undefined && o.decoderInitNorm !== undefined && o.decoderInitNorm !== norm)
    throw new RangeError(
      `decoderInitNorm ${o.decoderInitNorm}: decoder rows of a ${architecture} SAE begin at norm ${norm}; leave it out`,
    );
  const common = withDefaults(o, width, { sourceRows, transcoder: target !== undefined, norm });
  const shape = { dIn: width, dSae: common.dSae, ...(target ? { dOut: target.width } : {}) };
  const started = training.start(o, shape);
  const run = around ? around.run(started) : started;
  checkTogether(common);
  const resolved = { common, run, settings: { ...common, ...run.settings }, shape, from: o.from };
  const config = configOf(resolved, { hookName: '', modelName: '' });
  checkConfig(config);
  if (o.from) requireStart(o.from, config);
  return resolved;
}

/**
 * `expansion` as the `features` that it means, so that both make the same SAE.
 * @throws RangeError where both are given, or where it means no feature
 */
export function withFeatures<O extends { features?: number; expansion?: number }>(
  { expansion, ...options }: O,
  width: number,
): Omit<O, 'expansion'> {
  if (expansion === undefined) return options;
  if (options.features !== undefined)
    throw new RangeError(`features ${options.features} and expansion ${expansion} both say how many; give one of them`);
  const features = Math.round(expansion * width);
  if (features < 1)
    throw new RangeError(`expansion ${expansion} of width ${width} is no feature; give at least ${1 / width}`);
  return { ...options, features };
}

/** @throws TypeError for an option that only other architectures have: it would be ignored. */
function requireTaken(o: Given<typeof TRAIN>, architecture: TrainedName): void {
  for (const name of Object.keys(ARCHITECTURE_OPTIONS) as Array<keyof typeof ARCHITECTURE_OPTIONS>) {
    const takers = takersOf(name);
    if (o[name] === undefined || takers.includes(architecture)) continue;
    throw new TypeError(
      `${name} means nothing to a ${architecture} SAE: it is an option of ${takers.join(', ')}; leave it out, or give { architecture: '${takers[0]}' }`,
    );
  }
}

/** @throws RangeError where a transcoder has nothing to predict, or another SAE has something */
function requireTarget(architecture: TrainedName, given: boolean): void {
  const needed = TRANSCODERS.includes(architecture);
  if (needed && !given)
    throw new RangeError(
      `a ${architecture} reads one activation and predicts another: give fg.sae.train the hook of the other, { hookOut }`,
    );
  if (!needed && given)
    throw new RangeError(
      `a ${architecture} SAE reconstructs what it reads; leave { hookOut } out, or give { architecture } as one of ${TRANSCODERS.join(', ')}`,
    );
}

interface OfSource {
  sourceRows?: number;
  transcoder: boolean;
  /** Default of decoderInitNorm. */
  norm?: number;
}

function withDefaults(
  o: Given<typeof TRAIN>,
  width: number,
  { sourceRows = Infinity, transcoder, norm = 0.1 }: OfSource,
): CommonOptions {
  const trainBatchSizeTokens = o.trainBatchSizeTokens ?? TRAIN.trainBatchSizeTokens.usual;
  const steps = o.steps ?? Math.ceil(2_000_000 / trainBatchSizeTokens);
  const lr = o.lr ?? TRAIN.lr.usual;
  const wanted = Math.min(DEFAULT_BUFFER_TOKENS, sourceRows, Math.floor(BUFFER_BYTES / (4 * width)));
  return {
    architecture: o.architecture ?? TRAIN.architecture.usual,
    dSae: o.features ?? 16 * width,
    applyBDecToInput: o.applyBDecToInput ?? !transcoder,
    normalizeActivations: o.normalizeActivations ?? TRAIN.normalizeActivations.usual,
    nBatchesForNormEstimate: o.nBatchesForNormEstimate ?? TRAIN.nBatchesForNormEstimate.usual,
    steps,
    trainBatchSizeTokens,
    bufferTokens: o.bufferTokens ?? Math.max(2 * trainBatchSizeTokens, wanted),
    lr,
    lrScheduler: o.lrScheduler ?? TRAIN.lrScheduler.usual,
    lrWarmUpSteps: o.lrWarmUpSteps ?? TRAIN.lrWarmUpSteps.usual,
    lrDecaySteps: o.lrDecaySteps ?? TRAIN.lrDecaySteps.usual,
    lrEnd: o.lrEnd ?? lr / 10,
    adamBeta1: o.adamBeta1 ?? TRAIN.adamBeta1.usual,
    adamBeta2: o.adamBeta2 ?? TRAIN.adamBeta2.usual,
    adamEps: o.adamEps ?? TRAIN.adamEps.usual,
    maxGradNorm: o.maxGradNorm === undefined ? 1 : o.maxGradNorm,
    bDecInitMethod: o.bDecInitMethod ?? null,
    decoderInitNorm: o.decoderInitNorm ?? norm,
    deadFeatureWindow: o.deadFeatureWindow ?? TRAIN.deadFeatureWindow.usual,
    seed: o.seed ?? TRAIN.seed.usual,
    logEvery: o.logEvery ?? Math.max(1, Math.floor(steps / 1000)),
    ...(o.baseline === undefined ? {} : { baseline: o.baseline }),
    ...(o.from === undefined ? {} : { startedFrom: o.from.id }),
  };
}

function checkTogether({
  steps,
  lrWarmUpSteps,
  lrDecaySteps,
  bufferTokens,
  trainBatchSizeTokens,
}: CommonOptions): void {
  if (lrWarmUpSteps + lrDecaySteps > steps)
    throw new RangeError(
      `warm-up (${lrWarmUpSteps}) and decay (${lrDecaySteps}) take more than the ${steps} steps; lower them, or raise { steps }`,
    );
  if (bufferTokens < trainBatchSizeTokens)
    throw new RangeError(
      `bufferTokens ${bufferTokens} is less than a batch of ${trainBatchSizeTokens}; give at least { bufferTokens: ${trainBatchSizeTokens} }`,
    );
}

/** The config of the SAE in training terms: activation scaling counts as folded. */
export function configOf(
  { common, run, shape: { dIn, dOut } }: ResolvedOptions,
  source: Pick<ActivationSource, 'hookName' | 'modelName' | 'modelId' | 'contextSize' | 'target'>,
): SaeConfig {
  return {
    architecture: common.architecture,
    dIn,
    dSae: common.dSae,
    ...run.config,
    applyBDecToInput: common.applyBDecToInput,
    normalizeActivations: 'none',
    ...(dOut === undefined ? {} : { transcoder: true, ...(dOut === dIn ? {} : { dOut }) }),
    hookName: source.hookName,
    ...(source.target ? { hookNameOut: source.target.hookName } : {}),
    modelName: source.modelName,
    ...(source.modelId === undefined ? {} : { modelId: source.modelId }),
    ...(source.contextSize === undefined ? {} : { contextSize: source.contextSize }),
    metadata: {},
  };
}
