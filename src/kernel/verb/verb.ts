/**
 * A verb of `fg` is one declaration in the room that owns it. Every call runs through here, in this order: check the
 * arguments, the options and the conditions between them; connect cancellation and progress; load the kept result or do
 * the work; show it.
 */
import type { JsonObject, OutputItem } from '../../protocol/notebook.js';
import type { ArtifactKey } from '../artifacts/types.js';
import type { CallOptions } from '../compute/call.js';
import { setDisplay } from '../present/items.js';
import { besideCalls, withoutBaselines, type Beside } from './beside.js';
import { CALL, type Arg } from './common.js';
import type { Environment } from './environment.js';
import { keptResult, type Checked } from './kept.js';
import { parseOptions, rowsRead, written, type Given, type Parsed, type Schema } from './option.js';
import { noteMade, noteVerb } from './recipe.js';
import type { Remember } from './remember.js';
import { countOf, noteMemory, noteSplit, type CLUSTER, type Pieces, type ShardFolder, type Spread } from './split.js';
import { splitCallOf } from './splitCall.js';

export type Args = ReadonlyArray<Arg<unknown, unknown>>;
export type GivenArgs<A extends Args> = { -readonly [I in keyof A]: A[I] extends Arg<infer G, unknown> ? G : never };
type ParsedArgs<A extends Args> = { [I in keyof A]: Awaited<ReturnType<A[I]['parse']>> };

/** What the function of a verb is given to work with. */
export interface Work<S extends Schema> {
  readonly env: Environment;
  /** Checked, with defaults. */
  readonly options: Parsed<S>;
  /** The cell's cancel signal and progress line, joined with the caller's own. */
  readonly call: Required<CallOptions>;
  /** Gives the value of a run; with `keep.resume`, the finished runs of a stopped call are not made again. */
  readonly remember: Remember;
}

/** How a result that took work is kept as an artifact: the same call again loads it. */
export interface Keep<A extends Args, S extends Schema, T, K extends string = string> {
  readonly kind: K;
  /** Code version: raised when the same call would give another result. */
  readonly version: number;
  /** A name such as "Mapper graph", with which the line about a loaded result begins. */
  readonly what: string;
  /** Identities of the inputs; undefined entries are left out. */
  inputs(options: Parsed<S>, ...args: ParsedArgs<A>): Record<string, string | undefined>;
  /** Further parts of the identity; default: the given options, without those that change no result. */
  parameters?(options: { given: Given<S>; parsed: Parsed<S> }, ...args: ParsedArgs<A>): JsonObject;
  /** Title in the record of the artifact; default `what`. */
  title?(...args: ParsedArgs<A>): string;
  /** True: a stopped call goes on after the runs that it remembers. */
  readonly resume?: boolean;
  /** Default: saves plain objects, numbers and typed arrays. */
  save?(folder: string, value: NoInfer<T>): Promise<void>;
  load?(folder: string, ...args: ParsedArgs<A>): Promise<NoInfer<T>>;
}

export interface Declared<A extends Args, S extends Schema> {
  /** What it does, gives and refuses: a paragraph whose first sentence can stand alone. */
  readonly doc: string;
  readonly args: readonly [...A];
  readonly options?: S;
  /** Errors besides those that arguments and options have by their declaration, for docs/api. */
  readonly errors?: readonly string[];
  /** Kinds of artifacts that the room keeps by functions of its own; `keep` says its kind itself. */
  readonly kinds?: readonly string[];
  /**
   * Bytes that a call holds at once, without the kernel itself, for verbs that do not split: fg.cluster.each states it
   * of its calls.
   */
  memory?(options: Parsed<S>, ...args: ParsedArgs<A>): number;
  /** Checks the conditions between options and arguments. @throws RangeError or TypeError */
  check?(options: Parsed<S>, ...args: ParsedArgs<A>): void;
}

/**
 * How a call splits (split.ts). With named runs and without `make` and `merge`, shards are made and merged through
 * `remember`: the work asks for all of its runs before it looks at any.
 */
export interface Split<A extends Args, S extends Schema, T> {
  /** Name of the pieces, such as "sequences", where there is a choice by the options. */
  readonly unit: string | ((options: Parsed<S>) => string);
  /** Raised when the shards of the same call hold something else. */
  readonly version: number;
  pieces(options: Parsed<S>, ...args: ParsedArgs<A>): Pieces | Promise<Pieces>;
  /** For verbs that keep their result by functions of their own: its identity. */
  key?(options: Parsed<S>, ...args: ParsedArgs<A>): ArtifactKey;
  /** For verbs that keep nothing: identities of the inputs. The merged result is kept as kind "merged". */
  inputs?(options: Parsed<S>, ...args: ParsedArgs<A>): Record<string, string | undefined>;
  /** Makes a shard; state for a later resume goes to `resume`. */
  make?(work: Work<S> & ShardFolder & { readonly resume: string }, ...args: ParsedArgs<A>): Promise<void>;
  /** Does the work of `run` with the shards' files. */
  merge?(work: Work<S> & { readonly shards: readonly ShardFolder[] }, ...args: ParsedArgs<A>): Promise<NoInfer<T>>;
}

export interface Declaration<A extends Args, S extends Schema, T, K extends string = string> extends Declared<A, S> {
  /** Runs first in every call, whether or not its result is kept already: for checks and messages. */
  before?(work: Omit<Work<S>, 'remember'>, ...args: ParsedArgs<A>): Promise<void>;
  run(work: Work<S>, ...args: ParsedArgs<A>): Promise<T>;
  /** By kind, what stands for the arguments in the calls whose results stand beside this one (beside.ts). */
  beside?(work: Pick<Work<S>, 'env' | 'options'>, ...args: ParsedArgs<A>): Beside<ParsedArgs<A>, Parsed<S>>;
  readonly keep?: Keep<A, S, T, K>;
  /** Makes calls splittable; the options of such a verb have `...CLUSTER`. */
  readonly split?: Split<A, S, T>;
  readonly show?: Show<A, S, T>;
}

/** The items that a cell shows of a result as its last expression. */
type Show<A extends Args, S extends Schema, T> = (
  value: NoInfer<T>,
  work: Pick<Work<S>, 'env' | 'options'>,
  ...args: ParsedArgs<A>
) => OutputItem[] | Promise<OutputItem[]>;

interface SyncDeclaration<A extends Args, S extends Schema, T> extends Declared<A, S> {
  run(work: Pick<Work<S>, 'env' | 'options'>, ...args: ParsedArgs<A>): T;
  readonly show?: Show<A, S, T>;
}

/**
 * A declared verb; `Result` is what a call returns: a promise, except for synchronous verbs. `Kind` is the artifact
 * kind of the result.
 */
export interface Verb<A extends readonly unknown[], S extends Schema, Result, Kind extends string = never> {
  readonly doc: string;
  readonly args: Args;
  readonly options: S;
  readonly errors: readonly string[];
  readonly keep?: { readonly kind: string; readonly version: number };
  /** Kinds of artifacts that calls make. */
  readonly kinds: readonly string[];
  readonly sync: boolean;
  /** Whether calls can be split into shards (option `cluster`). */
  readonly splits: boolean;
  /** The function that cells call. `name` is "fg.mapper.graph". */
  bind(env: Environment, name: string): (...given: unknown[]) => unknown;
  /** Only for types. */
  readonly types?: { given: A; options: Given<S>; result: Result; kind: Kind };
}

/** A verb whose option `kind` decides the type of the result; without that option the type is the union of all. */
export interface ByKind<Of> {
  readonly byKind: { readonly of?: Of };
}

/** The same verb, typed by its option `kind`. */
export const byKind =
  <Of>() =>
  <V>(of: V): V & ByKind<Of> => ({ ...of, byKind: {} });

/** A verb that also takes a list of options: it gives one result for each, made together or, spread, each by itself. */
export interface Listed {
  readonly listed: true;
}

/** A verb as cells call it: arguments first, then one options object. */
export type Call<V> =
  V extends Verb<infer A, infer S, infer Result, string>
    ? V extends Listed
      ? {
          (
            ...args: [...A, options: ReadonlyArray<Given<S>>, how?: Given<typeof CLUSTER>]
          ): Promise<Array<Awaited<Result>>>;
          (...args: [...A, options: Given<S>]): Result;
        }
      : V extends ByKind<infer Of>
        ? <K extends keyof Of = keyof Of>(...args: [...A, options?: Given<S> & { readonly kind?: K }]) => Promise<Of[K]>
        : keyof S extends never
          ? (...args: A) => Result
          : object extends Given<S>
            ? (...args: [...A, options?: Given<S>]) => Result
            : (...args: [...A, options: Given<S>]) => Result
    : never;

/** The arguments; those that take time to read, such as the values of a tensor, as promises. */
export function readArgs(
  name: string,
  { args: expected, options: schema }: Declared<Args, Schema>,
  given: readonly unknown[],
): unknown[] {
  const last = Object.keys(schema ?? {}).length > 0 ? ['options'] : [];
  const most = expected.length + last.length;
  const signature = `(${[...expected.map((a) => a.name), ...last].join(', ')})`;
  if (given.length > most)
    throw new TypeError(
      `${name} takes ${signature} but got ${given.length} arguments, the last ${written(given.at(-1))}; ${last.length > 0 ? 'all options go into one object' : 'it has no options'}`,
    );
  return expected.map((arg, i) => arg.parse(given[i], `${name}: ${arg.name}`));
}

/** Checks what follows the arguments: the options, then the conditions between both. */
export function checked(
  name: string,
  declared: Declared<Args, Schema>,
  given: readonly unknown[],
  args: unknown[],
): Checked {
  const last = given[declared.args.length];
  const schema = declared.options ?? {};
  const options = parseOptions(name, last, schema);
  declared.check?.(options, ...args);
  return { options, args, given: last ? rowsRead(last, options, schema) : undefined };
}

function displayed<T>(
  value: T,
  show: Show<Args, Schema, T> | undefined,
  env: Environment,
  { options, args }: Checked,
): T {
  if (show && typeof value === 'object' && value !== null)
    setDisplay(value, () => {
      const items = show(value as NoInfer<T>, { env, options }, ...args);
      return items instanceof Promise ? items.then((made) => env.features.name(made)) : env.features.name(items);
    });
  return value;
}

/** Declares an asynchronous verb: it returns a promise, can be cancelled and shows progress. */
export function verb<const A extends Args, const S extends Schema, T, const K extends string = never>(
  declaration: Declaration<A, S, T, K>,
): Verb<GivenArgs<A>, S, Promise<T>, K> {
  // Inside, arguments and options have general types: the type of the verb checks its callers.
  const declared = { options: CALL, ...declaration } as unknown as Declaration<Args, Schema, T>;
  return {
    ...about(declared, declared.keep && [declared.keep.kind]),
    ...(declared.keep ? { keep: { kind: declared.keep.kind, version: declared.keep.version } } : {}),
    sync: false,
    splits: declared.split !== undefined,
    bind: (env, name) => bound(declared, env, name),
  };
}

function bound<T>(declared: Declaration<Args, Schema, T>, env: Environment, name: string) {
  const read = async (given: readonly unknown[]): Promise<Checked> =>
    checked(name, declared, given, await Promise.all(readArgs(name, declared, given)));
  const called = async (...given: unknown[]): Promise<T> => {
    const call = await read(given);
    const recipe = declared.beside ? withoutBaselines(given) : given;
    const { cluster, fresh } = call.options as { cluster?: Spread; fresh?: boolean };
    if (cluster && fresh)
      throw new TypeError(
        `${name}: { fresh: true } and { cluster } do not go together, since tasks take what is kept; delete the kept result (fg.artifacts.prune) and leave out fresh`,
      );
    const spread = declared.split && !fresh ? (cluster ?? env.context.cluster) : undefined;
    const value = await env.call(call.options as CallOptions, async (own) => {
      const work = { env, options: call.options, call: own };
      const others = besideCalls(declared, work, call);
      await declared.before?.(work, ...call.args);
      const split = spread && (await splitCallOf({ declared, name, env }, call, recipe));
      const made =
        split && countOf(split) > 0
          ? await (env.spread(split, spread, own) as Promise<T>)
          : await keptResult(declared, call, work);
      const baselines: Record<string, T> = {};
      for (const [kind, other] of others) {
        const beside = await keptResult(declared, other, { ...work, options: other.options });
        baselines[kind] = displayed(beside, declared.show, env, other);
      }
      // What only draws has no result to hang them on.
      if (others.length > 0 && typeof made === 'object' && made !== null) Object.assign(made, { baselines });
      return made;
    });
    noteMade(value, name, recipe);
    return displayed(value, declared.show, env, call);
  };
  // Besides its own result, a verb may keep a conformance report of a pairing.
  const kept = about(declared, declared.keep && [declared.keep.kind]).kinds.some((kind) => kind !== 'conformance');
  noteVerb(called, name, kept);
  if (declared.split) {
    const prepare = async (given: readonly unknown[]) =>
      splitCallOf({ declared, name, env }, await read(given), declared.beside ? withoutBaselines(given) : given);
    noteSplit(called, prepare);
    noteMemory(called, async (given) => (await prepare(given)).pieces.memory);
  } else if (declared.memory) {
    noteMemory(called, async (given) => {
      const { options, args } = await read(given);
      return declared.memory!(options, ...args);
    });
  }
  return called;
}

/** Declares a synchronous verb: it returns its result at once. */
export function syncVerb<const A extends Args, const S extends Schema, T>(
  declaration: SyncDeclaration<A, S, T>,
): Verb<GivenArgs<A>, S, T> {
  // As in verb().
  const declared = declaration as unknown as SyncDeclaration<Args, Schema, T>;
  return {
    ...about(declared),
    sync: true,
    splits: false,
    bind:
      (env, name) =>
      (...given) => {
        const call = checked(name, declared, given, readArgs(name, declared, given));
        const value = declared.run({ env, options: call.options }, ...call.args);
        noteMade(value, name, given);
        return displayed(value, declared.show, env, call);
      },
  };
}

function about<S extends Schema>(
  declared: Declared<Args, Schema>,
  kept: readonly string[] = [],
): Pick<Verb<never, S, never>, 'doc' | 'args' | 'options' | 'errors' | 'kinds'> {
  const { doc, args, options = {}, errors = [], kinds = [] } = declared;
  // S is the type of these options, which `declared` lost.
  return { doc, args, options: options as unknown as S, errors, kinds: [...kept, ...kinds] };
}
