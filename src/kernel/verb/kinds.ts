/**
 * Options that are objects of several kinds, such as a cover or a law of firing: each kind declared once, checked at
 * every depth. The value is passed on unchanged, since identities of results are made from it; rows of numbers alone are
 * brought into one form.
 */
import { types } from 'node:util';
import { nearName } from '../compute/words.js';
import {
  holdsRows,
  parseOptions,
  requireKnown,
  rowsRead,
  written,
  type Given,
  type Option,
  type Schema,
} from './option.js';

/** One kind of an object, identified by its member `kind`. */
export interface Kind<S extends Schema = Schema> {
  /** What the kind is. */
  readonly doc: string;
  /** Its members besides `kind`. */
  readonly members: S;
}

/** Kinds by name. */
export type KindTable = Readonly<Record<string, Kind>>;

/** Objects of several kinds; `Unnamed` is the kind of an object without `kind`. */
export interface Kinds<K extends KindTable = KindTable, Unnamed extends string = string> {
  /** Name of the derived type, which docs/api and the editor show written out. */
  readonly type: string;
  readonly table: K;
  readonly unnamed?: Unnamed;
  /** True: members hold rows of numbers. */
  readonly rows?: true;
  /**
   * Checks an object; what it returns is the same object, unless rows of numbers in it were given in another form.
   * @param at begins messages: "cover"
   * @throws TypeError for a value that is no object or has unknown members, RangeError for an unknown kind and for
   *   values outside their range
   */
  read(value: unknown, at: string): unknown;
}

type Flat<T> = { readonly [M in keyof T]: T[M] };
type Named<N, Unnamed> = N extends Unnamed ? { readonly kind?: N } : { readonly kind: N };

/** An object of one of the kinds, as cells write it. */
export type OneOf<T> =
  T extends Kinds<infer K, infer Unnamed>
    ? { [N in keyof K]: Flat<Named<N, Unnamed> & Given<K[N]['members']>> }[keyof K]
    : never;

/** An object of one given kind. */
export type OfKind<T, N extends string> =
  T extends Kinds<infer K, infer Unnamed> ? Flat<Named<N, Unnamed> & Given<K[N]['members']>> : never;

/** The member that says the kind, in a schema. */
const KIND: Option<string> = { doc: '', expected: 'a kind', telling: false, identity: true, parse: String };

const listed = (names: readonly string[]): string => {
  const quoted = names.map((name) => `'${name}'`);
  return quoted.length > 1 ? `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}` : quoted[0];
};

/** @throws RangeError "cover: kind is …; expected 'cubes' or …" */
export function refuseKind(at: string, kind: unknown, names: readonly string[]): never {
  const near = typeof kind === 'string' ? nearName(kind, names) : undefined;
  const meant = near === undefined ? '' : ` (did you mean '${near}'?)`;
  throw new RangeError(`${at}: kind is ${written(kind)}${meant}; expected ${listed(names)}`);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/**
 * Declares objects of several kinds.
 * @param type name of the type `OneOf<typeof …>` that is exported beside it
 */
export function kinds<const K extends KindTable, const Unnamed extends keyof K & string = never>(
  type: string,
  table: K,
  unnamed?: Unnamed,
): Kinds<K, Unnamed> {
  const names = Object.keys(table);
  const read = (value: unknown, at: string): unknown => {
    if (types.isPromise(value)) throw new TypeError(`${at} is a promise: write "await" before the call that made it`);
    if (!isObject(value))
      throw new TypeError(`${at} is ${written(value)}; expected an object of kind ${listed(names)}`);
    const { kind = unnamed, ...members } = value;
    if (typeof kind !== 'string' || !Object.hasOwn(table, kind)) refuseKind(at, kind, names);
    const schema = table[kind].members;
    const parsed = parseOptions(`${at} of kind '${kind}'`, members, schema, {}, at);
    return rowsRead(value, parsed, { kind: KIND, ...schema });
  };
  const rows = Object.assign({}, ...Object.values(table).map(({ members }) => holdsRows(members))) as { rows?: true };
  return { type, table, ...(unnamed === undefined ? {} : { unnamed }), ...rows, read };
}

interface Words {
  /** What it means. */
  doc: string;
  /** What is expected, as the end of "cover is …; expected …". */
  expected: string;
  /** The default in words, where it depends on the input. */
  fallback?: string;
}

/** An option that is an object of one of several kinds. */
export function ofKind<T extends Kinds>(of: T, words: Words): Option<OneOf<T>> {
  return formed(words, (value, at) => of.read(value, at), of);
}

/**
 * An option with a check of its own, which passes on the value unchanged unless the check returns another.
 * @param of kinds that it names, for docs/api
 */
export function formed<G>(
  words: Words,
  check: (value: unknown, at: string) => unknown,
  ...of: ReadonlyArray<Kinds | undefined>
): Option<G> {
  const named = of.filter((each) => each !== undefined);
  return {
    doc: words.doc,
    expected: words.expected,
    telling: true,
    identity: true,
    kinds: named,
    ...(named.some(({ rows }) => rows) ? { rows: true } : {}),
    ...(words.fallback === undefined ? {} : { fallback: words.fallback }),
    parse(value, at) {
      if (value === undefined) return undefined;
      return (check(value, at) ?? value) as G;
    },
  };
}

/** The same option, or several in an array. @param least of the array */
export function oneOrSeveral<G>(of: Option<G>, least = 1): Option<G | readonly G[]> {
  const { given: _, ...rest } = of;
  const list = listOf(of, least);
  return {
    ...rest,
    expected: `${of.expected}, or an array of these`,
    parse: (value, at) => (Array.isArray(value) ? list.parse(value, at) : of.parse(value, at)),
  };
}

/** An array of the same option, with at least so many. */
export function listOf<G>(of: Option<G>, least = 0): Option<readonly G[]> {
  const { given: _, members: __, ...rest } = of;
  const expected = `an array${least > 0 ? ` of at least ${least === 1 ? 'one' : least}` : ''}, each ${of.expected}`;
  return {
    ...rest,
    telling: true,
    expected,
    parse(value, at) {
      if (value === undefined) return undefined;
      if (!Array.isArray(value)) throw new TypeError(`${at} is ${written(value)}; expected ${expected}`);
      if (value.length < least) throw new RangeError(`${at} is ${written(value)}; expected ${expected}`);
      const read = value.map((each: unknown, i) => {
        if (each === undefined) throw new TypeError(`${at}[${i}] is undefined; expected ${of.expected}`);
        return of.parse(each, `${at}[${i}]`);
      });
      return (of.rows ? read : value) as readonly G[];
    },
  };
}

/** An object with these members, checked and passed on unchanged. */
export function form<S extends Schema>(
  members: S,
  words: Omit<Words, 'expected'> & { expected?: string },
): Option<Given<S>> {
  const { doc, expected = `{ ${Object.keys(members).join(', ')} }` } = words;
  return {
    doc,
    expected,
    telling: false,
    identity: true,
    members,
    ...holdsRows(members),
    ...(words.fallback === undefined ? {} : { fallback: words.fallback }),
    parse(value, at) {
      if (value === undefined) return undefined;
      const parsed = parseOptions(at, value, members);
      return rowsRead(value as Given<S>, parsed, members);
    },
  };
}

type GivenBy<O> = O extends Option<infer G, unknown> ? G : never;

/** @throws TypeError "positions is …; expected …" */
function refuseForm(at: string, value: unknown, expected: string): never {
  throw new TypeError(`${at} is ${written(value)}; expected ${expected}`);
}

interface ByType {
  /** A regular expression. */
  pattern?: Option<RegExp>;
  /** `true` itself. */
  yes?: true;
  /** The texts that are allowed, or 'any'. */
  texts?: readonly string[] | 'any';
  number?: Option<unknown, unknown>;
  array?: Option<unknown, unknown>;
  object?: Option<unknown, unknown>;
}
type TextOf<T> = T extends { texts: readonly (infer W)[] } ? W : T extends { texts: 'any' } ? string : never;
type Formed = 'number' | 'array' | 'object' | 'pattern';
type FormOf<T> = T extends { readonly [K in Formed]?: unknown } ? { [K in Formed]: GivenBy<T[K]> }[Formed] : never;
type YesOf<T> = T extends { yes: true } ? true : never;

/** The declaration of a value by what it is. */
function formOf(value: unknown, { number, array, object, pattern }: ByType): Option<unknown, unknown> | undefined {
  if (typeof value === 'number') return number;
  if (Array.isArray(value)) return array;
  if (value instanceof RegExp) return pattern;
  return isObject(value) ? object : undefined;
}

/** An option that may be a text, a number, an array, an object …: each is checked by its own declaration. */
export function byType<const T extends ByType>(of: T, words: Words): Option<TextOf<T> | FormOf<T> | YesOf<T>> {
  const { texts, number, array, object, pattern, yes } = of;
  return formed(words, (value, at) => {
    if (typeof value === 'string' && (texts === 'any' || texts?.includes(value))) return undefined;
    if (yes && value === true) return undefined;
    const form = formOf(value, { number, array, object, pattern });
    if (!form) refuseForm(at, value, words.expected);
    form.parse(value, at);
    return undefined;
  });
}

/**
 * An object in one of several forms, distinguished by their members: { token } or { from, to }.
 * @param otherwise what to do instead of giving two at once: "make two interventions"
 */
export function oneForm<const F extends readonly Schema[]>(
  forms: F,
  words: Words & { otherwise: string },
): Option<Given<F[number]>> {
  const { expected, otherwise } = words;
  const names = forms.flatMap((form) => Object.keys(form));
  return formed(words, (value, at) => {
    if (!isObject(value)) refuseForm(at, value, expected);
    requireKnown(at, value, names);
    const given = forms.map((form) => Object.keys(form).filter((name) => value[name] !== undefined));
    const [form, ...others] = forms.filter((_, i) => given[i].length > 0);
    if (!form) refuseForm(at, value, expected);
    if (others.length > 0)
      throw new TypeError(`${at} is given in one way, not by ${given.flat().join(' and ')}: ${otherwise}`);
    parseOptions(at, value, form);
  });
}
