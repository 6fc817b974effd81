/**
 * A namespace that is itself callable: `fg.show(x, options)`. The kind of x decides which of its verbs runs. It may
 * also have verbs with names: `fg.show.feature(x, id)`.
 */
import { requireThing } from './common.js';
import type { Environment } from './environment.js';
import { helped } from './help.js';
import { bind, type AnyVerb, type Bound, type Namespace } from './namespace.js';
import { written } from './option.js';
import type { Call } from './verb.js';

/** One kind of value that the call takes: the first argument of its verb. */
export interface Form<Name extends string, V extends AnyVerb> {
  readonly name: Name;
  readonly verb: V;
  /** Whether x is of that kind. */
  readonly is: (x: object) => boolean;
}

type Forms = ReadonlyArray<Form<string, AnyVerb>>;
type VerbsOf<F extends Forms> = { readonly [K in F[number] as K['name']]: K['verb'] };
/** One overload for each form, in their order. */
type Overloads<F> = F extends readonly [infer First extends Form<string, AnyVerb>, ...infer Rest]
  ? Call<First['verb']> & Overloads<Rest>
  : unknown;

type Members = Readonly<Record<string, AnyVerb>>;

export interface CalledNamespace<F extends Forms, M extends Members> extends Namespace<VerbsOf<F> & M> {
  /** Verbs that are called by their names. */
  readonly members: M;
  /** The first form that fits is taken. */
  readonly forms: F;
  /** What x may be, in words: the end of "x is …; expected …". */
  readonly expected: string;
}

/** The function that cells call. */
export type BoundCall<N> = N extends CalledNamespace<infer F, infer M> ? Overloads<F> & Bound<Namespace<M>> : never;

/** Declares a form. */
export const form = <const Name extends string, V extends AnyVerb>(
  name: Name,
  is: (x: object) => boolean,
  verb: V,
): Form<Name, V> => ({ name, is, verb });

/** Declares a namespace that is called. @throws Error for two verbs of one name, of which one would be lost */
export function calledNamespace<const F extends Forms, const M extends Members>(
  declared: Omit<CalledNamespace<F, M>, 'verbs'>,
): CalledNamespace<F, M> {
  const names = [...declared.forms.map(({ name }) => name), ...Object.keys(declared.members)];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`fg.${declared.name} declares "${twice}" twice`);
  const verbs = Object.fromEntries(declared.forms.map(({ name, verb }) => [name, verb]));
  return { ...declared, verbs: { ...verbs, ...declared.members } as VerbsOf<F> & M };
}

/** The function, bound to a session. @throws TypeError for a value that none of the forms takes */
export function bindCall<F extends Forms, M extends Members>(
  env: Environment,
  of: CalledNamespace<F, M>,
): BoundCall<CalledNamespace<F, M>> {
  const bound = of.forms.map(({ name, is, verb }) => ({ is, call: verb.bind(env, `fg.${of.name}(${name})`) }));
  const called = (...given: unknown[]): unknown => {
    const x = requireThing(given[0], `fg.${of.name}: x`);
    const fitting = bound.find(({ is }) => is(x));
    if (!fitting) throw new TypeError(`fg.${of.name}: x is ${written(x)}; expected ${of.expected}`);
    return fitting.call(...given);
  };
  const told = { doc: of.doc, args: [{ name: 'x', doc: of.expected }], options: {} };
  const whole = Object.assign(called, bind(env, { ...of, verbs: of.members }));
  return helped(whole, `fg.${of.name}`, told) as BoundCall<CalledNamespace<F, M>>;
}
