/** Training, as fg.sae.train and others call it: options, the kept result, and what a cell keeps of it. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { CallOptions } from '../compute/call.js';
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { readJson, writeFileAtomic } from '../io/files.js';
import { unlikelyText } from '../models/tokenLoss.js';
import type { LanguageModel } from '../models/types.js';
import { count, withSummary } from '../present/items.js';
import { trainingItems } from '../present/training.js';
import { KEPT, thing } from '../verb/common.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { choice, flag, only, real, required, text, value, whole, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { loadSae } from './load.js';
import { saveSae } from './save.js';
import { modelSource, type ActivationSource } from './source.js';
import { trainSae, type HistoryRow } from './train.js';
import type { Sae } from './types.js';

/** An SAE with the history of its training. */
export type TrainedSae = Sae & {
  /** Logged steps: loss, L0, explained variance, dead features. */
  readonly history: readonly HistoryRow[];
};

/** An SAE in a line. */
export function describeSae(sae: Sae): string {
  const { architecture, dIn, dSae, k, hookName, modelName } = sae.config;
  const where = [hookName, modelName].filter(Boolean).join(' of ');
  return `${sae.name}: ${architecture}${k === undefined ? '' : ` k ${k}`}, d_in ${dIn} → ${count(dSae)} features${where ? `, ${where}` : ''}`;
}

/** SAELens's options, in camelCase, with SAELens's defaults. */
export const TRAIN = {
  architecture: choice(['standard', 'topk'], { doc: 'Of the SAE.', fallback: "'standard'" }),
  features: whole({ doc: 'Features.', min: 1, fallback: '16 × the width of the activations' }),
  k: whole({ doc: 'Of topk: features kept per token.', min: 1, fallback: '100' }),
  steps: whole({ doc: 'Training steps.', min: 1, fallback: "2,000,000 tokens' worth" }),
  trainBatchSizeTokens: whole({ doc: 'Tokens of a batch.', min: 1, fallback: '4,096' }),
  bufferTokens: whole({
    doc: 'Rows of the shuffle buffer.',
    min: 1,
    fallback: '81,920, at least two batches, at most one epoch and 1 GiB',
  }),
  lr: real({ doc: 'Learning rate.', min: 0, fallback: '3e-4' }),
  lrScheduler: choice(['constant', 'cosine'], { doc: 'How the learning rate goes on.', fallback: "'constant'" }),
  lrWarmUpSteps: whole({ doc: 'First steps over which the rate grows linearly from 0.', min: 0, fallback: '0' }),
  lrDecaySteps: whole({ doc: 'Last steps over which the rate falls linearly to 0.', min: 0, fallback: '0' }),
  lrEnd: real({ doc: 'Where a cosine ends.', min: 0, fallback: 'lr / 10' }),
  l1Coefficient: real({ doc: 'Of standard: λ.', min: 0, fallback: '1' }),
  l1WarmUpSteps: whole({ doc: 'Steps over which λ grows linearly from 0.', min: 0, fallback: '0' }),
  auxLossCoefficient: real({
    doc: 'Of topk: weight of the auxiliary loss of dead features; 0 turns it off.',
    min: 0,
    fallback: '1',
  }),
  auxIncludesBDec: flag({
    doc: 'Of topk: true adds b_dec to the auxiliary reconstruction, as SAELens 6.18 published it; false is the paper.',
    fallback: 'false',
  }),
  rescaleActsByDecoderNorm: flag({
    doc: 'Of topk: select by z · ‖W_dec row‖; folded into the weights at the end (decoder rows get norm 1).',
    fallback: 'true',
  }),
  applyBDecToInput: flag({ doc: 'Subtract b_dec from the input before encoding.', fallback: 'true' }),
  normalizeActivations: choice(['none', 'expected_average_only_in'], {
    doc: "'expected_average_only_in' scales activations by s = √d_in / mean ‖x‖, estimated before training and folded into the weights at the end.",
    fallback: "'none'",
  }),
  nBatchesForNormEstimate: whole({
    doc: 'Batches over which mean ‖x‖ is estimated (at most one epoch, at most `steps`).',
    min: 1,
    fallback: '1,000',
  }),
  adamBeta1: real({ doc: "Adam's decay of the mean gradient.", fallback: '0.9' }),
  adamBeta2: real({ doc: "Adam's decay of the squared gradient.", fallback: '0.999' }),
  adamEps: real({ doc: 'Added to the root of the squared gradient.', min: 0, fallback: '1e-8' }),
  maxGradNorm: value<number | null>(
    'a number, or null for no clipping',
    { doc: 'Largest gradient norm.', fallback: '1' },
    (v) => v === null || (typeof v === 'number' && !Number.isNaN(v)),
  ),
  decoderInitNorm: real({ doc: 'Norm of the decoder rows at the start.', min: 0, fallback: '0.1' }),
  deadFeatureWindow: whole({
    doc: 'A feature is dead after this many steps without firing.',
    min: 1,
    fallback: '1,000',
  }),
  seed: whole({ doc: 'Of weights and of the order of tokens.', fallback: '0' }),
  logEvery: whole({
    doc: 'Steps between rows of the history; the first and last step are always there.',
    min: 1,
    fallback: 'steps/1,000, at least 1',
  }),
} as const;

const CODE_VERSION = 1;
const HISTORY = 'history.json';

/** What an SAE is trained on: the identities that go into its key, and where the activations come from. */
export interface TrainingData {
  title: string;
  inputs: Record<string, string>;
  source: () => ActivationSource;
  /** Something to say of the data before training on it. */
  warning?: () => Promise<string | undefined>;
}

/** Options as they make the result what it is; `fresh` trains again from the first step. */
export type KeptTraining = Given<typeof TRAIN> & { readonly hook?: string; readonly fresh?: boolean };

/** An SAE that was trained here, from its artifact. */
export async function loadTrained(folder: string): Promise<TrainedSae> {
  const sae = await loadSae(folder);
  const rows = (await readJson(path.join(folder, HISTORY))) as HistoryRow[];
  // JSON has no NaN: the explained variance of a batch without variance.
  const history = rows.map((row) => ({ ...row, explainedVariance: row.explainedVariance ?? NaN }));
  return Object.assign(sae, { history });
}

/** What tells one run from another. */
function runTitle({ architecture, k, features, steps }: KeptTraining): string {
  const said = [
    architecture ?? (k === undefined ? '' : 'topk'),
    k === undefined ? '' : `k ${k}`,
    features === undefined ? '' : `${features} features`,
    steps === undefined ? '' : `${steps} steps`,
  ].filter(Boolean);
  return said.length > 0 ? `: ${said.join(', ')}` : '';
}

/**
 * Trains on any source of activations, or loads what the same call trained before; a stopped run goes on. Curves, end
 * figures and settings are left in the cell.
 */
export async function trainKept(
  env: Environment,
  data: TrainingData,
  options: KeptTraining,
  call: CallOptions,
): Promise<TrainedSae> {
  const { hook: _, features, fresh, ...rest } = options;
  const parameters = parametersOf(options);
  const key = { kind: 'sae', parameters: { seed: 0, ...parameters }, inputs: data.inputs, codeVersion: CODE_VERSION };
  const checkpoint = path.join(env.context.artifactFolder, 'unfinished', `sae-${env.store.idOf(key).slice(0, 16)}`);
  const { value, cached, record } = await env.store.compute(key, {
    fresh,
    title: `${data.title}${runTitle(options)}`,
    unfinished: checkpoint,
    async make(folder) {
      if (fresh) await fs.rm(checkpoint, { recursive: true, force: true });
      const warning = await data.warning?.();
      if (warning) env.context.print(`Warning: ${warning}`);
      const trained = await trainSae(data.source(), {
        ...rest,
        ...call,
        dSae: features,
        checkpoint: { folder: checkpoint, report: (message) => env.context.print(message) },
      });
      await saveSae(trained.sae, folder);
      await writeFileAtomic(path.join(folder, HISTORY), JSON.stringify(trained.history));
    },
    load: loadTrained,
  });
  env.tellCached(value.name, cached, record);
  for (const items of trainingItems(value, value.history, parameters)) env.context.display(items);
  return withSummary(value, () => describeSae(value));
}

export const train = verb({
  doc: "Trains an SAE on activations of a model, or loads the one that the same call trained before (`sae.history` holds its logged steps). A run that was stopped or killed goes on from its last checkpoint when called again, to the same SAE. Curves, end figures and settings are left in the cell. Options are SAELens's, in camelCase, with SAELens's defaults.",
  args: [thing<LanguageModel>('model', 'What fg.models.load returned.'), tokensArg],
  options: {
    hook: required(
      text({ doc: "TransformerLens hook name, such as 'blocks.0.hook_mlp_out'; `model.hooks` lists them." }),
    ),
    ...TRAIN,
    ...KEPT,
  },
  errors: [
    'A hook that the model lacks, tokens of another tokenizer and options that do not fit together are refused.',
  ],
  kinds: ['sae'],
  async run({ env, options, call }, model, data) {
    const tokens = tokenSet(data, model);
    const { hook, fresh } = options;
    return trainKept(
      env,
      {
        title: `SAE of ${model.name} ${hook}`,
        inputs: { model: model.id, tokens: tokens.id },
        source: () => modelSource(model, tokens, hook),
        warning: () => unlikelyText(model, tokens, call),
      },
      { hook, ...only(TRAIN, options), fresh },
      call,
    );
  },
});
