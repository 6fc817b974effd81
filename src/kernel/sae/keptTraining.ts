/** Trainings as they are kept: the same call loads what it made, a stopped run goes on. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { JsonObject } from '../../protocol/notebook.js';
import { asParameters } from '../artifacts/parameters.js';
import type { ArtifactKey } from '../artifacts/types.js';
import type { CallOptions } from '../compute/call.js';
import { graphDevice } from '../compute/graphs/current.js';
import { readJson, writeFileAtomic } from '../io/files.js';
import { count, withSummary } from '../present/items.js';
import { liveItems, trainingItems } from '../present/training.js';
import type { Environment } from '../verb/environment.js';
import type { Given } from '../verb/option.js';
import { LiveTraining } from './liveTraining.js';
import { loadSae } from './load.js';
import { TrainingLog } from './logs.js';
import { saveSae } from './save.js';
import type { ActivationSource } from './source.js';
import { shownArchitecture } from './title.js';
import { trainSae, type HistoryRow } from './train.js';
import { deviceParameter, placeOf } from './trainOnDevice.js';
import { TRAIN, type SaeTrainOptions } from './trainOptions.js';
import type { Sae } from './types.js';

/** An SAE with the history of its training. */
export type TrainedSae = Sae & {
  /** Logged steps: loss, L0, explained variance, dead features. */
  readonly history: readonly HistoryRow[];
};

/** An SAE in a line. */
export function describeSae(sae: Sae): string {
  const { dIn, dSae, k, hookName, modelName } = sae.config;
  const where = [hookName, modelName].filter(Boolean).join(' of ');
  return `${sae.name}: ${shownArchitecture(sae.config)}${k === undefined ? '' : ` k ${k}`}, d_in ${dIn} → ${count(dSae)} features${where ? `, ${where}` : ''}`;
}

/** Raised when the same call trains another SAE. */
const CODE_VERSION = 5;
export const HISTORY = 'history.json';

/** What an SAE is trained on: the identities that go into its key, and where the activations come from. */
export interface TrainingData {
  title: string;
  inputs: Record<string, string>;
  source: () => ActivationSource;
  /** Warning about the data, printed before training on it. */
  warning?: () => Promise<string | undefined>;
}

/** Options that decide what the result is; `fresh` alone does not, and trains again from the first step. */
export type KeptTraining = Given<typeof TRAIN> & {
  readonly hook?: string;
  /** What a transcoder predicts. */
  readonly hookOut?: string;
  /** Where activations were rounded on their way, to what. */
  readonly cache?: 'bf16';
  /** What is left out besides padding (ignoringParameters). */
  readonly ignoring?: JsonObject;
  readonly fresh?: boolean;
  /** Folder for metrics.jsonl and TensorBoard's events of the run. */
  readonly logs?: string;
};

/** An SAE that was trained here, from its artifact. */
export async function loadTrained(folder: string): Promise<TrainedSae> {
  const sae = await loadSae(folder);
  const rows = (await readJson(path.join(folder, HISTORY))) as HistoryRow[];
  // JSON has no NaN, which the explained variance of a batch without variance is.
  const history = rows.map((row) => ({ ...row, explainedVariance: row.explainedVariance ?? NaN }));
  return Object.assign(sae, { history });
}

/** What tells one run from another in titles. */
function runTitle({ architecture, k, features, steps, baseline }: KeptTraining): string {
  const said = [
    baseline ?? '',
    architecture ?? TRAIN.architecture.usual,
    k === undefined ? '' : `k ${k}`,
    features === undefined ? '' : `${features} features`,
    steps === undefined ? '' : `${steps} steps`,
  ].filter(Boolean);
  return said.length > 0 ? `: ${said.join(', ')}` : '';
}

/** Name of a run's folder among others: what it is, and its identity. */
const folderOf = (options: KeptTraining, id: string): string =>
  `${runTitle(options)
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-/, '')}-${id.slice(0, 8)}`.replace(/^-/, '');

/** The settings of a run as they were given, without what changes no result. */
export const settingsOf = ({ ignoring, fresh: _, logs: __, from, ...own }: KeptTraining): JsonObject => ({
  ...asParameters(own),
  ...(from ? { from: from.id } : {}),
  ...ignoring,
});

/** The device of a run, where its result depends on it. */
export const deviceOf = (options: Omit<KeptTraining, 'hook' | 'ignoring'>): JsonObject =>
  deviceParameter(placeOf(options, graphDevice('training')));

/** The identity of a run's result. */
export function keyOf({ inputs }: TrainingData, options: KeptTraining): ArtifactKey {
  const parameters = { seed: 0, ...settingsOf(options), ...deviceOf(options) };
  return { kind: 'sae', parameters, inputs, codeVersion: CODE_VERSION };
}

/** How a cell calls what was trained, and how it lies in a folder. */
export interface KeptAs {
  readonly what: string;
  /** The verb that loads the folder. */
  readonly loads: string;
  save(made: TrainedSae, folder: string): Promise<void>;
}

/** An SAE with its history. */
export const KEPT_SAE: KeptAs = {
  what: 'SAE',
  loads: 'fg.sae.load',
  async save(made, folder) {
    await saveSae(made, folder);
    await writeFileAtomic(path.join(folder, HISTORY), JSON.stringify(made.history));
  },
};

/** Keeps what a training that ended early made beside its state, and says where. */
async function keepStopped(
  env: Environment,
  kept: KeptAs,
  made: TrainedSae,
  step: number,
  folder: string,
  print: (said: string) => void,
): Promise<void> {
  await kept.save(made, folder);
  print(
    `The ${kept.what} of step ${count(step)} is kept: ${kept.loads}(${JSON.stringify(env.relative(folder))}); the same call goes on`,
  );
}

/** Who looks at a training while it runs. */
export interface Watched {
  /** What it is called beside the others of its call: what it says begins with it. */
  readonly name?: string;
  /** Called with the history whenever a step was logged. */
  readonly watch?: (history: readonly HistoryRow[]) => void;
}

/** Trains and saves into `folder`, from the state in `checkpoint` where there is one. Prints warnings and notes. */
export async function trainInto(
  env: Environment,
  folder: string,
  {
    kept = KEPT_SAE,
    ...data
  }: Pick<TrainingData, 'source' | 'warning'> & {
    kept?: KeptAs;
    /** What is trained around the architecture's own loss. */
    around?: SaeTrainOptions['around'];
  },
  { hook: _, hookOut: _out, cache: _cache, ignoring: __, features, fresh, logs: ___, ...rest }: KeptTraining,
  checkpoint: string,
  { watch, name, ...call }: CallOptions & Watched,
): Promise<TrainedSae> {
  const print = (said: string): void => env.context.print(name === undefined ? said : `SAE ${name}: ${said}`);
  if (fresh) await fs.rm(checkpoint, { recursive: true, force: true });
  const warning = await data.warning?.();
  if (warning) env.context.print(`Warning: ${warning}`);
  let logged: readonly HistoryRow[] = [];
  const { sae, history } = await trainSae(data.source(), {
    ...rest,
    ...call,
    dSae: features,
    around: data.around,
    device: graphDevice('training'),
    checkpoint: { folder: checkpoint },
    report: print,
    onLog: (rows) => {
      logged = rows;
      watch?.(rows);
    },
    onStopped: (stopped, step) =>
      keepStopped(
        env,
        kept,
        Object.assign(stopped, { history: [...logged] }),
        step,
        path.join(checkpoint, 'sae'),
        print,
      ),
  });
  const made = Object.assign(sae, { history });
  await kept.save(made, folder);
  return made;
}

/** Where the figures of a run go while it trains; undefined where nobody asked for them. */
export const logOf = (env: Environment, options: KeptTraining, id: string): TrainingLog | undefined =>
  options.logs === undefined
    ? undefined
    : new TrainingLog(path.join(env.resolve(options.logs), folderOf(options, id)), (message) =>
        env.context.print(message),
      );

/**
 * Trains on any source of activations, or loads what the same call trained before; a stopped run goes on. Prints
 * warnings and notes but shows no outputs.
 */
export async function trainQuietly(
  env: Environment,
  data: TrainingData,
  options: KeptTraining,
  { watch, ...call }: CallOptions & Watched,
): Promise<TrainedSae> {
  const { fresh } = options;
  const key = keyOf(data, options);
  const checkpoint = path.join(env.context.artifactFolder, 'unfinished', `sae-${env.store.idOf(key).slice(0, 16)}`);
  const log = logOf(env, options, env.store.idOf(key));
  const told = (history: readonly HistoryRow[]): void => {
    log?.write(history);
    watch?.(history);
  };
  const { value, cached, record } = await env.store.compute(key, {
    fresh,
    title: `${data.title}${runTitle(options)}`,
    unfinished: checkpoint,
    make: async (folder) => (await trainInto(env, folder, data, options, checkpoint, { ...call, watch: told })).id,
    load: loadTrained,
  });
  // Kept results too: the folder then holds all runs of the call.
  log?.write(value.history);
  await log?.finished();
  env.tellCached(value.name, cached, record);
  return withSummary(value, () => describeSae(value));
}

/** trainQuietly, with curves, end figures and settings left in the cell. */
export async function trainKept(
  env: Environment,
  data: TrainingData,
  options: KeptTraining,
  call: CallOptions,
): Promise<TrainedSae> {
  const live = new LiveTraining(env, 1, ([history]) => liveItems([history]));
  const trained = await trainQuietly(env, data, options, { ...call, watch: (history) => live.take(0, history) });
  live.end(trainingItems(trained, trained.history, settingsOf(options)));
  return trained;
}
