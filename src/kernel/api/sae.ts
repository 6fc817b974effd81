/** fg.sae: train, load, save and evaluate sparse autoencoders. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { OutputItem } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import { requireModelOfSae } from '../interventions/intervention.js';
import { readJson, safeJoin, writeFileAtomic } from '../io/files.js';
import { resolveRepo, type RepoOptions } from '../io/hub.js';
import { tellConformance } from '../sae/conformance.js';
import { evaluateSae, type EvaluateOptions, type SaeEvaluation } from '../sae/evaluate.js';
import { loadSae, type LoadSaeOptions } from '../sae/load.js';
import { logitLens, type LogitLensOptions, type PromotedToken } from '../sae/logitLens.js';
import { saveSae } from '../sae/save.js';
import { modelSource, type ActivationSource } from '../sae/source.js';
import { trainSae, type HistoryRow } from '../sae/train.js';
import type { SaeTrainOptions } from '../sae/trainOptions.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { count, tableItems, tableOf, withDisplay, withSummary, type Displayed } from '../present/items.js';

export interface TrainSaeOptions extends Omit<SaeTrainOptions, 'checkpoint' | 'dSae'>, CallOptions {
  /** TransformerLens hook name, such as 'blocks.0.hook_mlp_out'; model.hooks lists them. */
  hook: string;
  /** Features; default 16 × the width at the hook. */
  features?: number;
  /** Train again from the first step, even when the same SAE is in the artifact folder or a run of it was stopped. */
  fresh?: boolean;
}

export interface LoadSaeFromOptions
  extends LoadSaeOptions, CallOptions, Pick<RepoOptions, 'revision' | 'token' | 'endpoint' | 'cacheFolder'> {
  /** Hub id of the repository that holds the file or folder, such as 'jbloom/GPT2-Small-SAEs-Reformatted'. */
  repo?: string;
}

/** An SAE with the history of its training. */
export type TrainedSae = Sae & {
  /** Logged steps: loss, L0, explained variance, dead features. */
  readonly history: readonly HistoryRow[];
};

export const TRAIN_OPTIONS: OptionNames<TrainSaeOptions> = {
  hook: true,
  architecture: true,
  features: true,
  k: true,
  steps: true,
  trainBatchSizeTokens: true,
  bufferTokens: true,
  lr: true,
  lrScheduler: true,
  lrWarmUpSteps: true,
  lrDecaySteps: true,
  lrEnd: true,
  l1Coefficient: true,
  l1WarmUpSteps: true,
  auxLossCoefficient: true,
  auxIncludesBDec: true,
  rescaleActsByDecoderNorm: true,
  applyBDecToInput: true,
  normalizeActivations: true,
  nBatchesForNormEstimate: true,
  adamBeta1: true,
  adamBeta2: true,
  adamEps: true,
  maxGradNorm: true,
  decoderInitNorm: true,
  deadFeatureWindow: true,
  seed: true,
  logEvery: true,
  fresh: true,
  ...CALL,
};
const LOAD_OPTIONS: OptionNames<LoadSaeFromOptions> = {
  architecture: true,
  k: true,
  applyBDecToInput: true,
  hookName: true,
  modelName: true,
  modelId: true,
  normScalingFactor: true,
  repo: true,
  revision: true,
  token: true,
  endpoint: true,
  cacheFolder: true,
  ...CALL,
};
const EVALUATE_OPTIONS: OptionNames<EvaluateSaeOptions> = {
  hook: true,
  sequences: true,
  batchTokens: true,
  ignoreTokens: true,
  interventions: true,
  conformance: true,
  allowOtherModel: true,
  ...CALL,
};
const LENS_OPTIONS: OptionNames<SaeLogitLensOptions> = { top: true, allowOtherModel: true, ...CALL };

const CODE_VERSION = 1;
const HISTORY = 'history.json';

/** Sparse autoencoders: train, load, save, evaluate. */
export interface SaeApi {
  /**
   * Trains an SAE on activations of a model, or loads the one that the same call trained before (`sae.history` holds its
   * logged steps). A run that was stopped or killed goes on from its last checkpoint when called again, to the same SAE.
   * Options are SAELens's, in camelCase, with SAELens's defaults.
   */
  train(model: LanguageModel, data: Tokens, options: TrainSaeOptions): Promise<TrainedSae>;
  /**
   * Loads a SAELens folder, or a plain state dict (.pt, .pth, .bin, .safetensors, .npz), by a path relative to the notebook
   * or, with `repo`, from the hub: fg.sae.load('blocks.8.hook_resid_pre', { repo: 'jbloom/GPT2-Small-SAEs-Reformatted' }).
   */
  load(fileOrFolder: string, options?: LoadSaeFromOptions): Promise<Sae>;
  /** Writes SAELens's layout, cfg.json and sae_weights.safetensors, into a folder relative to the notebook; returns its path. */
  save(sae: Sae, folder: string): Promise<string>;
  /**
   * Runs the model as it is, with the SAE's reconstruction at the hook, and with zeros there: L0, explained variance, MSE,
   * cross-entropy (nats) and its share recovered, KL, dead features. An SAE of another model is refused.
   */
  evaluate(
    model: LanguageModel,
    sae: Sae,
    data: Tokens,
    options?: EvaluateSaeOptions,
  ): Promise<Displayed<SaeEvaluation>>;
  /**
   * By feature id: the tokens whose logits its decoder row raises most, best first; the direct path alone. An SAE of
   * another model, or of a hook that does not write to the residual stream, is refused.
   */
  logitLens(model: LanguageModel, sae: Sae, options?: SaeLogitLensOptions): Promise<PromotedToken[][]>;
}

interface OtherModelOption {
  /** Take an SAE that was trained on another model (a fine-tuned sibling, say). Default: refused. */
  allowOtherModel?: boolean;
}

export interface EvaluateSaeOptions extends EvaluateOptions, OtherModelOption {
  /** Look once whether the SAE fits these activations, and warn when it does not; default true. */
  conformance?: boolean;
}
export interface SaeLogitLensOptions extends LogitLensOptions, OtherModelOption {}

function describe(sae: Sae): string {
  const { architecture, dIn, dSae, k, hookName, modelName } = sae.config;
  const where = [hookName, modelName].filter(Boolean).join(' of ');
  return `${sae.name}: ${architecture}${k === undefined ? '' : ` k ${k}`}, d_in ${dIn} → ${count(dSae)} features${where ? `, ${where}` : ''}`;
}

/** What an SAE is trained on: the identities that go into its key, and where the activations come from. */
interface TrainingData {
  title: string;
  inputs: Record<string, string>;
  source: () => ActivationSource;
}

/** An SAE that was trained here, from its artifact. */
export async function loadTrained(folder: string): Promise<TrainedSae> {
  const sae = await loadSae(folder);
  const rows = (await readJson(path.join(folder, HISTORY))) as HistoryRow[];
  // JSON has no NaN: the explained variance of a batch without variance.
  const history = rows.map((row) => ({ ...row, explainedVariance: row.explainedVariance ?? NaN }));
  return Object.assign(sae, { history });
}

/** What tells one run from another. */
function runTitle({ architecture, k, features, steps }: Omit<TrainSaeOptions, 'hook'>): string {
  const said = [
    architecture ?? (k === undefined ? '' : 'topk'),
    k === undefined ? '' : `k ${k}`,
    features === undefined ? '' : `${features} features`,
    steps === undefined ? '' : `${steps} steps`,
  ].filter(Boolean);
  return said.length > 0 ? `: ${said.join(', ')}` : '';
}

/** Trains on any source of activations, or loads what the same call trained before; a stopped run goes on. */
export async function trainOn(
  env: Environment,
  data: TrainingData,
  options: Omit<TrainSaeOptions, 'hook'> & { hook?: string },
): Promise<TrainedSae> {
  const { hook: _, features, fresh, ...rest } = options;
  const key = {
    kind: 'sae',
    parameters: { seed: 0, ...parametersOf(options) },
    inputs: data.inputs,
    codeVersion: CODE_VERSION,
  };
  const checkpoint = path.join(env.context.artifactFolder, 'unfinished', `sae-${env.store.idOf(key).slice(0, 16)}`);
  const result = await env.call(options, (call) =>
    env.store.compute(key, {
      fresh,
      title: `${data.title}${runTitle(options)}`,
      unfinished: checkpoint,
      async make(folder) {
        if (fresh) await fs.rm(checkpoint, { recursive: true, force: true });
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
    }),
  );
  env.tellCached(result.value.name, result.cached, result.record);
  return withSummary(result.value, () => describe(result.value));
}

async function train(
  env: Environment,
  model: LanguageModel,
  data: Tokens,
  options: TrainSaeOptions,
): Promise<TrainedSae> {
  requireGiven({ model, data, options });
  requireOptions('fg.sae.train', options, TRAIN_OPTIONS);
  const tokens = tokenSet(data, model);
  const { hook } = options;
  return trainOn(
    env,
    {
      title: `SAE of ${model.name} ${hook}`,
      inputs: { model: model.id, tokens: tokens.id },
      source: () => modelSource(model, tokens, hook),
    },
    options,
  );
}

/** Brings an SAE's files from the hub; the path of its folder or file in the cache. */
async function download(file: string, repo: string, options: RepoOptions): Promise<string> {
  const inside = path.posix.normalize(file).replace(/\/$/, '');
  const isFile = /\.(?:safetensors|pt|pth|bin|npz)$/i.test(inside);
  const folder = isFile ? path.posix.dirname(inside) : inside;
  const beside = (name: string): string => path.posix.join(folder, name);
  const root = await resolveRepo(repo, {
    ...options,
    files: isFile ? [inside] : [beside('cfg.json'), beside('sae_weights.safetensors')],
    optional: [beside('cfg.json'), beside('activation_scaler.json')],
  });
  return safeJoin(root, inside);
}

/** Figures of an evaluation, one a row. */
function evaluationTable(sae: Sae, e: SaeEvaluation): OutputItem[] {
  const rows: Array<[figure: string, value: number]> = [
    ['L0', e.l0],
    ['explained variance', e.explainedVariance],
    ['MSE per token, summed over dims', e.mseSumPerToken],
    ['cosine of x and reconstruction', e.cosineSimilarity],
    ['CE loss (nats)', e.ceClean],
    ['CE loss with SAE', e.ceSae],
    ['CE loss with zeros', e.ceZero],
    ['CE loss recovered', e.ceLossRecovered],
    ['KL with SAE (nats)', e.klSae],
    ['dead features', e.dead],
  ];
  return tableItems({
    ...tableOf(
      rows.map(([figure, value]) => ({ figure, value })),
      `Evaluation of ${sae.name}`,
    ),
    note: `${count(e.tokens)} tokens, ${count(e.sequences)} sequences`,
  });
}

export function saeApi(env: Environment): SaeApi {
  return {
    train: (model, data, options) => train(env, model, data, options),
    load: (fileOrFolder, options = {}) =>
      env.call(options, async (call) => {
        requireOptions('fg.sae.load', options, LOAD_OPTIONS);
        const { repo, ...rest } = options;
        const at =
          repo === undefined
            ? env.resolve(fileOrFolder)
            : await download(fileOrFolder, repo, { ...env.withCacheFolder(rest), ...call });
        const sae = await loadSae(at, rest);
        return withSummary(sae, () => describe(sae));
      }),
    async save(sae, folder) {
      requireGiven({ sae });
      const to = env.resolve(folder);
      await saveSae(sae, to);
      return to;
    },
    async evaluate(model, sae, data, options) {
      requireGiven({ model, sae, data });
      requireOptions('fg.sae.evaluate', options, EVALUATE_OPTIONS);
      requireModelOfSae(sae, model, options?.allowOtherModel);
      const tokens = tokenSet(data, model);
      const { conformance = true, ...rest } = options ?? {};
      const evaluation = await env.call(options, async (call) => {
        if (conformance) await tellConformance(env, { model, sae, tokens, hook: rest.hook }, call);
        return evaluateSae(model, sae, tokens, { ...rest, ...call });
      });
      return withDisplay(evaluation, () => evaluationTable(sae, evaluation));
    },
    async logitLens(model, sae, options) {
      requireGiven({ model, sae });
      requireOptions('fg.sae.logitLens', options, LENS_OPTIONS);
      requireModelOfSae(sae, model, options?.allowOtherModel);
      // All heads together are as wide as the residual stream, but their directions are others.
      if (/\.(attn|mlp)\.hook_/.test(sae.config.hookName))
        throw new Error(
          `the logit lens reads directions of the residual stream, but ${sae.name} is of ${sae.config.hookName}; use an SAE of hook_resid_*, hook_mlp_out or hook_attn_out`,
        );
      return env.call(options, (call) => logitLens(model, sae, { ...options, ...call }));
    },
  };
}
