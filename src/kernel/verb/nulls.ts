/** Null runs of a call as the functions of rooms take them. */
import { membersGiven } from './option.js';

/** Options under the names that a function of a room has for them: `Renamed<…, { samples: 'sequences' }>`. */
export type Renamed<O, Names extends Readonly<Record<string, string>>> = {
  [K in keyof O as K extends keyof Names ? Names[K] : K]: O[K];
};

/** The same at run time. */
export function renamed<O extends object, const Names extends Readonly<Record<string, string>>>(
  options: O,
  names: Names,
): Renamed<O, Names> {
  return Object.fromEntries(Object.entries(options).map(([name, v]) => [names[name] ?? name, v])) as never;
}

interface WithNulls {
  readonly nulls?: object | number;
}

type MembersOf<O extends WithNulls> = Exclude<O['nulls'], number | undefined>;

/** Options with the members of `nulls` beside the others, under their own names. */
export type NullsInline<O extends WithNulls> = Omit<O, 'nulls'> & MembersOf<O>;

/** The same at run time, without what was not given. */
export function nullsInline<O extends WithNulls>({ nulls, ...rest }: O): NullsInline<O> {
  const all = { ...rest, ...membersGiven<Record<string, unknown>>(nulls as never, 'runs') };
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as never;
}

/** The members of `nulls`; the seed is `nullSeed` beside options that have a seed of their own. */
type Apart<O extends WithNulls> = Renamed<
  MembersOf<O>,
  { runs: 'nulls'; kind: 'null'; seed: 'seed' extends keyof O ? 'nullSeed' : 'seed' }
>;

/** Options with the members of `nulls` beside the others: of `nulls: { kind, runs, seed }` null, nulls and seed. */
export type NullsApart<O extends WithNulls> = Omit<O, 'nulls'> & Apart<O>;

/**
 * Puts the members of `nulls` beside the other options.
 * @param own whether the options have a seed of their own, so that the one of the nulls is `nullSeed`
 */
export function nullsApart<O extends WithNulls>(
  given: O,
  ...[own]: 'seed' extends keyof O ? [own: 'own seed'] : []
): NullsApart<O> {
  const { nulls, ...rest } = given;
  const { kind, runs, seed, ...others } = membersGiven<Record<string, unknown>>(nulls as never, 'runs');
  return {
    ...rest,
    ...others,
    ...(kind === undefined ? {} : { null: kind }),
    ...(runs === undefined ? {} : { nulls: runs }),
    ...(seed === undefined ? {} : { [own === undefined ? 'seed' : 'nullSeed']: seed }),
  } as never;
}
