/** fg.sae: train, load, save and evaluate sparse autoencoders. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { CallOptions } from '../compute/call.js';
import { evaluateSae, type EvaluateOptions, type SaeEvaluation } from '../sae/evaluate.js';
import { loadSae, type LoadSaeOptions } from '../sae/load.js';
import { saveSae } from '../sae/save.js';
import { modelSource } from '../sae/source.js';
import { trainSae, type HistoryRow } from '../sae/train.js';
import type { SaeTrainOptions } from '../sae/trainOptions.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import { parametersOf, type Environment } from './environment.js';

export interface TrainSaeOptions extends Omit<SaeTrainOptions, 'checkpoint' | 'dSae'>, CallOptions {
  /** TransformerLens hook name, such as 'blocks.0.hook_mlp_out'. */
  hook: string;
  /** Features; default 16 × the width at the hook. */
  features?: number;
  /** Train again even when the same SAE is in the artifact folder. */
  fresh?: boolean;
}

/** An SAE with the history of its training. */
export type TrainedSae = Sae & { readonly history: readonly HistoryRow[] };

const CODE_VERSION = 1;
const HISTORY = 'history.json';

export interface SaeApi {
  /**
   * Trains an SAE on activations of a model, or loads the one that the same call trained before. A run that was stopped
   * or killed goes on from its last checkpoint.
   */
  train(model: LanguageModel, data: Tokens, options: TrainSaeOptions): Promise<TrainedSae>;
  /** A SAELens folder, or a plain state dict (.pt, .safetensors, .npz). */
  load(fileOrFolder: string, options?: LoadSaeOptions): Promise<Sae>;
  /** Writes SAELens's layout: cfg.json and sae_weights.safetensors. */
  save(sae: Sae, folder: string): Promise<string>;
  evaluate(model: LanguageModel, sae: Sae, data: Tokens, options?: EvaluateOptions): Promise<SaeEvaluation>;
}

async function train(
  env: Environment,
  model: LanguageModel,
  data: Tokens,
  options: TrainSaeOptions,
): Promise<TrainedSae> {
  const tokens = tokenSet(data, model);
  const { hook, features, fresh, ...rest } = options;
  const key = {
    kind: 'sae',
    parameters: { seed: 0, ...parametersOf(options) },
    inputs: { model: model.id, tokens: tokens.id },
    codeVersion: CODE_VERSION,
  };
  const checkpoint = path.join(env.context.artifactFolder, 'unfinished', `sae-${env.store.idOf(key).slice(0, 16)}`);
  const result = await env.call(options, (call) =>
    env.store.compute(key, {
      fresh,
      title: `SAE of ${model.name} ${hook}`,
      async make(folder) {
        const source = modelSource(model, tokens, hook);
        const trained = await trainSae(source, {
          ...rest,
          ...call,
          dSae: features,
          checkpoint: { folder: checkpoint },
        });
        await saveSae(trained.sae, folder);
        await fs.writeFile(path.join(folder, HISTORY), JSON.stringify(trained.history));
      },
      async load(folder): Promise<TrainedSae> {
        const sae = await loadSae(folder);
        return Object.assign(sae, {
          history: JSON.parse(await fs.readFile(path.join(folder, HISTORY), 'utf8')) as HistoryRow[],
        });
      },
    }),
  );
  env.tellCached(result.value.name, result.cached, result.record);
  return result.value;
}

export function saeApi(env: Environment): SaeApi {
  return {
    train: (model, data, options) => train(env, model, data, options),
    load: (fileOrFolder, options) => loadSae(env.resolve(fileOrFolder), options),
    async save(sae, folder) {
      const to = env.resolve(folder);
      await saveSae(sae, to);
      return to;
    },
    evaluate: (model, sae, data, options) =>
      env.call(options, (call) => evaluateSae(model, sae, tokenSet(data, model), { ...options, ...call })),
  };
}
