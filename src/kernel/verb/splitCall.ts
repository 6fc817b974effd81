/** Builds what engines run from a call of a verb that splits: the declaration joined with the call's arguments. */
import path from 'node:path';
import { asParameters } from '../artifacts/parameters.js';
import type { CallOptions } from '../compute/call.js';
import { readJson, writeFileAtomic } from '../io/files.js';
import type { Environment } from './environment.js';
import { keptResult, keyOf, type Checked } from './kept.js';
import { identityOf, type Schema } from './option.js';
import { recipeOf } from './recipe.js';
import type { Remember } from './remember.js';
import { resumable } from './resume.js';
import { rememberShard, ShardDone, type ShardFolder, type SplitCall } from './split.js';
import type { Args, Declaration, Keep, Split, Work } from './verb.js';

interface Bound<T> {
  readonly declared: Declaration<Args, Schema, T>;
  readonly name: string;
  readonly env: Environment;
}

/** File in a shard's folder with the values of its runs. */
const RUNS = 'runs.json';

/** How the merged result is kept where the verb itself does not keep results. */
function mergedKeep<T>(split: Split<Args, Schema, T>, name: string, schema: Schema): Keep<Args, Schema, T> {
  const { inputs } = split;
  if (!inputs) throw new Error(`${name} splits but says neither how its result is kept nor what goes into it`);
  return {
    kind: 'merged',
    version: split.version,
    what: name,
    inputs,
    parameters: ({ given }) => ({ verb: name, options: asParameters(identityOf(given, schema)) }),
  };
}

/** @param given the arguments as they were passed */
export async function splitCallOf<T>(
  { declared, name, env }: Bound<T>,
  checked: Checked,
  given: readonly unknown[],
): Promise<SplitCall> {
  const { options, args } = checked;
  const split = declared.split!;
  const schema = declared.options ?? {};
  const keep = declared.keep ?? (split.key ? undefined : mergedKeep(split, name, schema));
  const key = keep ? keyOf(keep, schema, checked) : split.key!(options, ...args);
  const work = (call: Required<CallOptions>, remember: Remember = (_, make) => make()): Work<Schema> => ({
    ...{ env, options, call, remember },
  });
  const pieces = await split.pieces(options, ...args);
  const merge = (shards: readonly ShardFolder[], call: Required<CallOptions>): Promise<T> =>
    split.merge
      ? split.merge({ ...work(call), shards }, ...args)
      : merged(shards, (remember) => declared.run(work(call, remember), ...args));
  return {
    ...{ name, key, pieces, version: split.version },
    unit: typeof split.unit === 'string' ? split.unit : split.unit(options),
    ...{ store: env.store, notebookFolder: env.context.notebookFolder },
    title: keep?.title?.(...args) ?? keep?.what ?? name,
    recipe: () => recipeOf(name, given),
    kept: async () => typeof (await env.store.keptRecord(key)) === 'object',
    async make(at, call) {
      if (split.make) return split.make({ ...work(call), ...at }, ...args);
      const { pieces: names } = pieces;
      if (typeof names === 'number') throw new Error(`${name} splits but neither names its runs nor makes shards`);
      await madeRuns(env, { ...at, names }, (remember) => declared.run(work(call, remember), ...args));
    },
    merge: (shards, call) =>
      keptResult({ options: schema, run: declared.run, keep }, checked, { env, options, call }, () =>
        merge(shards, call),
      ),
  };
}

/** Makes the runs of a shard and writes their values; runs that a stopped call finished are used. */
async function madeRuns(
  env: Environment,
  at: ShardFolder & { names: readonly string[]; resume: string },
  work: (remember: Remember) => Promise<unknown>,
): Promise<void> {
  const runs = await resumable(env, at.resume, false, async (keep) => {
    const shard = rememberShard(at.names, at, keep);
    try {
      await work(shard.remember);
    } catch (error) {
      if (!(error instanceof ShardDone)) throw error;
    }
    return shard.runs;
  });
  if (runs.length !== at.to - at.from)
    throw new Error(
      `${runs.length} of the shard's ${at.to - at.from} runs were asked for: the plan and the work disagree`,
    );
  await writeFileAtomic(path.join(at.folder, RUNS), `${JSON.stringify(runs)}\n`);
}

/** Does the work with the values of all shards' runs. */
async function merged<T>(shards: readonly ShardFolder[], work: (remember: Remember) => Promise<T>): Promise<T> {
  const known = new Map<string, unknown>();
  for (const { folder, from, to } of shards) {
    const file = path.join(folder, RUNS);
    const runs = (await readJson(file)) as Array<[string, unknown]>;
    if (!Array.isArray(runs) || runs.length !== to - from || runs.some((run) => !Array.isArray(run)))
      throw new Error(`${file} does not hold the ${to - from} runs of its shard`);
    for (const [run, value] of runs) known.set(run, value);
  }
  return work(<V>(run: string): Promise<V> => {
    if (!known.has(run)) throw new Error(`run "${run}" is in no shard: the plan and the work disagree`);
    return Promise.resolve(known.get(run) as V);
  });
}
