/**
 * Baselines of a result: the same call once more for each, with something else in the place of what it was given. A
 * verb declares by `beside` what stands there; the further results lie in `baselines` of its result, by kind.
 */
import type { Checked } from './kept.js';
import type { Schema } from './option.js';
import type { Args, Declaration, Work } from './verb.js';

/** What stands in the place of the arguments, and of some options, of a call. */
export interface BesideCall<A, O> {
  readonly args: A;
  /** Options that differ; undefined: as if it had not been given. */
  readonly options?: { readonly [K in keyof O]?: O[K] | undefined };
}

/** Calls by kind of baseline. */
export type Beside<A, O> = Readonly<Record<string, BesideCall<A, O>>>;

/** A call for each kind of what stands in the place of something. */
export const forEach = <T, A, O>(
  of: Readonly<Record<string, T | undefined>>,
  call: (one: T, kind: string) => BesideCall<A, O>,
): Beside<A, O> =>
  Object.fromEntries(
    Object.entries(of).flatMap(([kind, one]) => (one === undefined ? [] : [[kind, call(one, kind)] as const])),
  );

/** The option that asks for baselines. It is no part of the call that makes the result itself. */
const OPTION = 'baselines';

/** Arguments of a call without that option. */
export const withoutBaselines = (given: readonly unknown[]): readonly unknown[] =>
  given.map((arg, i) =>
    i === given.length - 1 && typeof arg === 'object' && arg !== null && OPTION in arg
      ? { ...arg, [OPTION]: undefined }
      : arg,
  );

/** The further calls that a call asks for. They are checked before any work: what is missing ends the call. */
export function besideCalls<T>(
  declared: Declaration<Args, Schema, T>,
  work: Pick<Work<Schema>, 'env' | 'options'>,
  { args, given }: Checked,
): Array<[kind: string, call: Checked]> {
  return Object.entries(declared.beside?.(work, ...args) ?? {}).map(([kind, other]) => {
    const changed = { ...other.options, [OPTION]: undefined };
    const options = { ...work.options, ...changed };
    declared.check?.(options, ...(other.args as unknown[]));
    return [kind, { options, args: [...(other.args as unknown[])], given: { ...given, ...changed } }];
  });
}
