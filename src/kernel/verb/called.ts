/** A namespace that is itself called: `fg.show(x, options)`. What x is says which of its verbs answers. */
import { requireThing } from './common.js';
import type { Environment } from './environment.js';
import type { AnyVerb, Namespace } from './namespace.js';
import { written } from './option.js';
import type { Call } from './verb.js';

/** One of the things that it takes: its verb's first argument. */
export interface Form<Name extends string, V extends AnyVerb> {
  readonly name: Name;
  readonly verb: V;
  /** Whether x is that thing. */
  readonly is: (x: object) => boolean;
}

type Forms = ReadonlyArray<Form<string, AnyVerb>>;
type VerbsOf<F extends Forms> = { readonly [K in F[number] as K['name']]: K['verb'] };
/** One overload for each form, in their order. */
type Overloads<F> = F extends readonly [infer First extends Form<string, AnyVerb>, ...infer Rest]
  ? Call<First['verb']> & Overloads<Rest>
  : unknown;

export interface CalledNamespace<F extends Forms> extends Namespace<VerbsOf<F>> {
  /** Asked in this order. */
  readonly forms: F;
  /** What x may be, in words: the end of "x is …; expected …". */
  readonly expected: string;
}

/** Its function, as cells see it. */
export type BoundCall<N> = N extends CalledNamespace<infer F> ? Overloads<F> : never;

/** Declares a form. */
export const form = <const Name extends string, V extends AnyVerb>(
  name: Name,
  is: (x: object) => boolean,
  verb: V,
): Form<Name, V> => ({ name, is, verb });

/** Declares a namespace that is called. */
export function calledNamespace<const F extends Forms>(
  declared: Omit<CalledNamespace<F>, 'verbs'>,
): CalledNamespace<F> {
  const verbs = Object.fromEntries(declared.forms.map(({ name, verb }) => [name, verb]));
  return { ...declared, verbs: verbs as VerbsOf<F> };
}

/** Its function, bound to a session. @throws TypeError for what none of its verbs takes */
export function bindCall<F extends Forms>(env: Environment, of: CalledNamespace<F>): BoundCall<CalledNamespace<F>> {
  const bound = of.forms.map(({ name, is, verb }) => ({ is, call: verb.bind(env, `fg.${of.name}(${name})`) }));
  const called = (...given: unknown[]): unknown => {
    const x = requireThing(given[0], `fg.${of.name}: x`);
    const fitting = bound.find(({ is }) => is(x));
    if (!fitting) throw new TypeError(`fg.${of.name}: x is ${written(x)}; expected ${of.expected}`);
    return fitting.call(...given);
  };
  return called as BoundCall<CalledNamespace<F>>;
}
