/**
 * Results that took work: kept as artifacts under the identity of their call, and loaded when the same call comes
 * again.
 */
import { asParameters } from '../artifacts/parameters.js';
import { loadResult, saveResult } from '../artifacts/result.js';
import type { ArtifactKey } from '../artifacts/types.js';
import { identityOf, type Parsed, type Schema } from './option.js';
import type { Remember } from './remember.js';
import { resumable, unfinishedFile } from './resume.js';
import type { Args, Declaration, Keep, Work } from './verb.js';

/** A call whose arguments and options are checked. */
export interface Checked {
  options: Parsed<Schema>;
  args: unknown[];
  given: object | undefined;
}

/** Runs everything and keeps nothing. */
const plainly: Remember = Object.assign(<T>(_: string, make: () => Promise<T>): Promise<T> => make(), { plain: true });

/** The identity of a kept result. */
export function keyOf<T>(keep: Keep<Args, Schema, T>, schema: Schema, { options, args, given }: Checked): ArtifactKey {
  const inputs = keep.inputs(options, ...args);
  return {
    kind: keep.kind,
    parameters:
      keep.parameters?.({ given: given ?? {}, parsed: options }, ...args) ?? asParameters(identityOf(given, schema)),
    inputs: Object.fromEntries(Object.entries(inputs).filter((e): e is [string, string] => e[1] !== undefined)),
    codeVersion: keep.version,
  };
}

/** Makes the result, or loads it when the same call made it before. `merge`: makes it from shards instead. */
export async function keptResult<T>(
  declared: Pick<Declaration<Args, Schema, T>, 'options' | 'keep' | 'run'>,
  checked: Checked,
  work: Omit<Work<Schema>, 'remember'>,
  merge?: () => Promise<T>,
): Promise<T> {
  const { keep, run } = declared;
  const { options, args } = checked;
  if (!keep) return merge ? merge() : run({ ...work, remember: plainly }, ...args);
  const { env } = work;
  const key = keyOf(keep, declared.options ?? {}, checked);
  const fresh = (options as { fresh?: boolean }).fresh;
  const unfinished = keep.resume ? unfinishedFile(env, `${keep.kind}-${env.store.idOf(key).slice(0, 16)}`) : undefined;
  const make = (): Promise<T> => {
    if (merge) return merge();
    return unfinished === undefined
      ? run({ ...work, remember: plainly }, ...args)
      : resumable(env, unfinished, fresh, (remember) => run({ ...work, remember }, ...args));
  };
  const { value, cached, record } = await env.store.compute<T>(key, {
    fresh: fresh && !merge,
    title: keep.title?.(...args) ?? keep.what,
    unfinished,
    make: async (folder) => {
      const made = await make();
      await (keep.save ? keep.save(folder, made) : saveResult(folder, made as T & object));
      return ownId(made);
    },
    load: (folder) => (keep.load ? keep.load(folder, ...args) : (loadResult(folder) as Promise<T>)),
  });
  env.tellCached(keep.what, cached, record);
  return value;
}

/** A result with an identity of its own, such as a layout or a graph, can be found by that one too. */
function ownId(made: unknown): string | undefined {
  const id = typeof made === 'object' && made !== null && 'id' in made ? made.id : undefined;
  return typeof id === 'string' && /^[0-9a-f]{64}$/.test(id) ? id : undefined;
}
