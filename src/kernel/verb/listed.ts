/** Verbs whose options may be a list: one result for each, made together or, spread over shards, each by itself. */
import type { CallOptions } from '../compute/call.js';
import { each } from './each.js';
import type { Environment } from './environment.js';
import { parseOptions, type Schema } from './option.js';
import { noteMade, noteVerb, verbOf } from './recipe.js';
import { CLUSTER, memoryOfCall, noteMemory, noteSplit, splitCall } from './split.js';
import {
  checked,
  readArgs,
  verb,
  type Args,
  type Declaration,
  type GivenArgs,
  type Listed,
  type Verb,
  type Work,
} from './verb.js';

/** A declaration of a verb that also takes a list of options. */
interface ListedDeclaration<A extends Args, S extends Schema, T, K extends string> extends Declaration<A, S, T, K> {
  /** The results of a list of options, in its order. */
  each(
    works: ReadonlyArray<Omit<Work<S>, 'remember'>>,
    ...args: { [I in keyof A]: Awaited<ReturnType<A[I]['parse']>> }
  ): Promise<T[]>;
}

/** Declares a verb whose options may be a list; { cluster } may follow the list. */
export function listedVerb<const A extends Args, const S extends Schema, T, const K extends string = never>(
  declaration: ListedDeclaration<A, S, T, K>,
): Verb<GivenArgs<A>, S, Promise<T>, K> & Listed {
  const one = verb<A, S, T, K>(declaration);
  // As in verb().
  const declared = declaration as unknown as ListedDeclaration<Args, Schema, T, K>;
  const count = declared.args.length;
  const together = async (env: Environment, name: string, given: unknown[], list: readonly unknown[]): Promise<T[]> => {
    const args = await Promise.all(readArgs(name, declared, given));
    const calls = list.map((options, i) =>
      checked(`${name}, options ${i + 1} of ${list.length}`, declared, [...given, options], args),
    );
    return env.call(joined(calls.map(({ options }) => options as CallOptions)), async (call) => {
      const works = calls.map(({ options }) => ({ env, options, call }));
      for (const work of works) await declared.before?.(work, ...args);
      return declared.each(works, ...args);
    });
  };
  return {
    ...one,
    listed: true,
    bind: (env, name) => {
      const single = one.bind(env, name);
      const apart = each.bind(env, 'fg.cluster.each');
      const called = async (...given: unknown[]): Promise<unknown> => {
        const list = given[count];
        if (!Array.isArray(list)) return single(...given);
        if (list.length === 0)
          throw new TypeError(`${name}: the list of options is empty; give an object for each result`);
        const asked = parseOptions(`${name}, behind the list`, given[count + 1], CLUSTER);
        const anew = list.some((options: { fresh?: unknown } | null) => options?.fresh === true);
        const cluster = asked.cluster ?? (anew ? undefined : env.context.cluster);
        const args = given.slice(0, count);
        const calls = list.map((options: unknown) => [...args, options]);
        if (cluster) return apart(called, calls, { cluster });
        const made = await together(env, name, args, list);
        made.forEach((result, i) => noteMade(result, name, calls[i]));
        return made;
      };
      noteVerb(called, name, verbOf(single)!.keeps);
      noteMemory(called, (given) => memoryOfCall(single, given));
      noteSplit(called, (given) => {
        const list = given[count];
        if (!Array.isArray(list) || list.length === 0)
          throw new TypeError(`${name} splits over a list of options, of which each is a piece; give [{ … }, { … }]`);
        return splitCall(apart, [called, list.map((options: unknown) => [...given.slice(0, count), options])]);
      });
      return called;
    },
  };
}

/** One call for several: cancelled with any of them; progress goes to all. */
function joined(calls: readonly CallOptions[]): CallOptions {
  const signals = calls.flatMap(({ signal }) => signal ?? []);
  const told = calls.flatMap(({ onProgress }) => onProgress ?? []);
  return {
    ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    ...(told.length > 0 ? { onProgress: (progress) => told.forEach((tell) => tell(progress)) } : {}),
  };
}
