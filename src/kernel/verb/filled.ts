/** Defaults of options as the functions of a room fill them in: their values stand in the schema alone. */
import { defaultOf, type GivenOf, type Option, type Schema, type UsualOption } from './option.js';

type UsualNames<S extends Schema> = {
  [K in keyof S]: S[K] extends { readonly usual: unknown } ? K : never;
}[keyof S];

/** Options with a value for every one that has a usual value. */
export type Filled<S extends Schema, O> = Omit<O, UsualNames<S>> & {
  readonly [K in UsualNames<S>]: Exclude<GivenOf<S[K]>, undefined>;
};

/**
 * The options with the values of the schema where none is given. Verbs hand on what was given, since identities of
 * results are made of it; who works with it fills it in.
 */
export function filled<S extends Schema, O extends object>(schema: S, options: O): Filled<S, O> {
  const all = { ...options } as Record<string, unknown>;
  for (const [name, { usual }] of Object.entries(schema))
    if (all[name] === undefined && usual !== undefined) all[name] = usual;
  return all as Filled<S, O>;
}

/** An option with a form of its own, and its usual value. */
export const usually = <G>(of: Option<G>, value: G): UsualOption<G> => ({ ...of, ...defaultOf(value), usual: value });
