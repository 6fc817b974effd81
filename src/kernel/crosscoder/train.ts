/** Training a crosscoder, kept: the same call loads it, a stopped run goes on. */
import path from 'node:path';
import { asParameters } from '../artifacts/parameters.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import { crosscoderTrainingItems } from '../present/crosscoder.js';
import { liveItems } from '../present/training.js';
import { deviceOf, KEPT_SAE, logOf, trainInto, type KeptAs, type KeptTraining } from '../sae/keptTraining.js';
import { LiveTraining } from '../sae/liveTraining.js';
import type { HistoryRow } from '../sae/train.js';
import type { Environment } from '../verb/environment.js';
import { crosscoderOf, joinedFolder, loadCrosscoder, offsetsOf, saveSides } from './crosscoder.js';
import { aroundSides } from './run.js';
import { joinedSource, scalesOf, sidesOf, type Sources } from './source.js';
import type { Crosscoder, Side } from './types.js';

/** Raised when the same call trains another crosscoder. */
const CODE_VERSION = 4;

export interface CrosscoderData {
  title: string;
  inputs: Record<string, string>;
  sources: () => Sources;
  /** What else of the call decides the result. */
  parameters: JsonObject;
}

export type CrosscoderTraining = Omit<KeptTraining, 'hook' | 'ignoring'> & {
  /** Share of the features that is dedicated to each side, in their order. */
  readonly dedicated?: readonly number[];
};

/** Features dedicated to each side. @throws RangeError where they are not one share a side, or more than all */
export function dedicatedFeatures(shares: readonly number[] | undefined, sides: number, features: number): number[] {
  if (shares === undefined) return Array.from({ length: sides }, () => 0);
  if (shares.length !== sides)
    throw new RangeError(
      `dedicated has ${shares.length} shares but there are ${sides} sides; give one share for each, such as { dedicated: [${Array.from({ length: sides }, () => 0.05).join(', ')}] }`,
    );
  const counts = shares.map((share) => Math.round(share * features));
  const all = counts.reduce((a, b) => a + b, 0);
  if (all > features)
    throw new RangeError(
      `dedicated [${shares.join(', ')}] takes ${all} of ${features} features; give shares that add up to at most 1`,
    );
  return counts;
}

/** Joined weights with their sides, as a crosscoder lies on disk. */
const keptAs = (sides: readonly Side[]): KeptAs => ({
  what: 'crosscoder',
  loads: 'fg.crosscoder.load',
  async save(joined, folder) {
    await KEPT_SAE.save(joined, joinedFolder(folder));
    await saveSides(folder, sides);
  },
});

/** Trains a crosscoder with its curves in the cell, or loads the one that the same call trained before. */
export async function trainCrosscoder(
  env: Environment,
  data: CrosscoderData,
  { dedicated, fresh, logs, ...options }: CrosscoderTraining,
  call: CallOptions,
): Promise<Crosscoder> {
  const live = new LiveTraining(env, 1, ([history]) => liveItems([history]));
  const key = {
    kind: 'crosscoder',
    parameters: {
      seed: 0,
      ...asParameters({ ...options, ...(dedicated === undefined ? {} : { dedicated: [...dedicated] }) }),
      ...data.parameters,
      ...deviceOf(options),
    },
    inputs: data.inputs,
    codeVersion: CODE_VERSION,
  };
  const log = logOf(env, { ...options, logs }, env.store.idOf(key));
  const watch = (history: readonly HistoryRow[]): void => {
    log?.write(history);
    live.take(0, history);
  };
  const checkpoint = path.join(
    env.context.artifactFolder,
    'unfinished',
    `crosscoder-${env.store.idOf(key).slice(0, 16)}`,
  );
  const { value, cached, record } = await env.store.compute(key, {
    fresh,
    title: data.title,
    unfinished: checkpoint,
    async make(folder) {
      const sources = data.sources();
      const scales = await scalesOf(sources, call);
      const features = options.features ?? 16 * sources.reduce((sum, { width }) => sum + width, 0);
      const counts = dedicatedFeatures(dedicated, sources.length, features);
      const sides: Side[] = sidesOf(sources).map((side, m) => ({ ...side, scale: scales[m], dedicated: counts[m] }));
      const around = aroundSides({ offsets: offsetsOf(sides), dedicated: counts });
      const kept = keptAs(sides);
      const joined = await trainInto(
        env,
        folder,
        { source: () => joinedSource(sources, sides), around, kept },
        { ...options, features, fresh },
        checkpoint,
        { ...call, watch },
      );
      return crosscoderOf(joined, sides).id;
    },
    load: loadCrosscoder,
  });
  // A kept result too: the folder then holds all runs of the notebook.
  log?.write(value.joined.history);
  await log?.finished();
  env.tellCached(value.name, cached, record);
  live.end(crosscoderTrainingItems(value));
  return value;
}
