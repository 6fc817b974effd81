/** Training, as fg.sae.train and others call it: options, the kept result, and what a cell keeps of it. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { asParameters } from '../artifacts/parameters.js';
import type { CallOptions } from '../compute/call.js';
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { readJson, writeFileAtomic } from '../io/files.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { ignoringOf, ignoringParameters } from '../models/ignored.js';
import { unlikelyText } from '../models/tokenLoss.js';
import type { LanguageModel } from '../models/types.js';
import { count, withSummary } from '../present/items.js';
import { trainingItems } from '../present/training.js';
import { KEPT, thing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { numbers, only, required, text, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { loadSae } from './load.js';
import { saveSae } from './save.js';
import { modelSource, type ActivationSource } from './source.js';
import { trainSae, type HistoryRow } from './train.js';
import { MARKS } from './trainedOn.js';
import { TRAIN } from './trainOptions.js';
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

/** Raised when the same call trains another SAE. */
const CODE_VERSION = 2;
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
export type KeptTraining = Given<typeof TRAIN> & {
  readonly hook?: string;
  /** What is left out besides padding (ignoringParameters). */
  readonly ignoring?: JsonObject;
  readonly fresh?: boolean;
};

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
    architecture ?? '',
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
  const { ignoring, fresh, ...own } = options;
  const { hook: _, features, ...rest } = own;
  const parameters = { ...asParameters(own), ...ignoring };
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
        checkpoint: { folder: checkpoint },
        report: (message) => env.context.print(message),
      });
      await saveSae(trained.sae, folder);
      await writeFileAtomic(path.join(folder, HISTORY), JSON.stringify(trained.history));
      return trained.sae.id;
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
    ignoreTokens: numbers({
      doc: 'Token ids whose activations are left out of training, as padding always is; [] for none.',
      min: 0,
      repeats: true,
      empty: true,
      fallback: MARKS,
    }),
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
    const { ignoreTokens } = options;
    const ignoring = ignoringParameters(ignoringOf(tokens, ignoreTokens));
    return trainKept(
      env,
      {
        title: `SAE of ${model.name} ${hook}`,
        inputs: { model: model.id, tokens: tokens.id },
        source: () => modelSource(model, tokens, hook, { ignoreTokens }),
        warning: () => unlikelyText(model, tokens, call),
      },
      { hook, ignoring, ...only(TRAIN, options), fresh },
      call,
    );
  },
});
