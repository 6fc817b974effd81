/** A namespace of `fg`: the verbs of a room under one name. */
import type { Environment } from './environment.js';
import { helped } from './help.js';
import type { Schema } from './option.js';
import type { Call, Verb } from './verb.js';

/** Any verb, for code that only reads its declaration. */
export type AnyVerb = Omit<Verb<never, Schema, unknown>, 'types'>;

export interface Namespace<V> {
  /** "mapper" for fg.mapper; "fg" for verbs of fg itself. */
  readonly name: string;
  /** Folder of the room that declares it, where it differs from the name. */
  readonly room?: string;
  /** What it is for: a paragraph. */
  readonly doc: string;
  /** A cell that runs as it is, with results in seconds. */
  readonly example: string;
  readonly verbs: V;
}

/** Declares a namespace. */
export function namespace<const V extends Readonly<Record<string, AnyVerb>>>(declared: Namespace<V>): Namespace<V> {
  return declared;
}

/** A namespace as cells see it. */
export type Bound<N> = N extends Namespace<infer V> ? { readonly [K in keyof V]: Call<V[K]> } : never;

/** "fg.mapper" */
const nameOf = ({ name }: { readonly name: string }): string => (name === 'fg' ? 'fg' : `fg.${name}`);

/** The verbs of a namespace, bound to a session. */
export function bind<N extends Namespace<Readonly<Record<string, AnyVerb>>>>(env: Environment, of: N): Bound<N> {
  const bound = Object.entries(of.verbs).map(([name, verb]) => {
    const full = `${nameOf(of)}.${name}`;
    return [name, helped(verb.bind(env, full), full, verb)];
  });
  return Object.fromEntries(bound) as Bound<N>;
}
