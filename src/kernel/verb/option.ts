/**
 * Options of a verb, each declared once: its check, type, default and documentation come from here. A builder says in
 * words what it expects; the same words stand in the error, the editor and docs/api.
 */
import { isTypedArray } from '../../protocol/objects.js';
import { types } from 'node:util';
import { nearName } from '../compute/words.js';
import type { Kinds } from './kinds.js';

/** How an option is described to people; where `types` is absent, they are taken from the TypeScript type. */
export interface Described {
  /** What it means, with its unit. */
  readonly doc: string;
  /** Such as "a whole number of at least 1", as the end of "cubes is 0; expected …". */
  readonly expected: string;
  /** False: the type says as much as `expected` does. */
  readonly telling: boolean;
  /** The default, in words for people. */
  readonly fallback?: string;
  /** The default itself, where it is the same in every call (`filled`). */
  readonly usual?: unknown;
  /** True: the verb cannot be called without it. */
  readonly required?: boolean;
  /** False: it does not change the result, so it is not part of the result's identity. */
  readonly identity: boolean;
  /** Options inside this one; the value of the member `short` alone may stand for the group. */
  readonly members?: Schema;
  readonly short?: string;
  /** Objects of several kinds that may stand for the option or in it. */
  readonly kinds?: readonly Kinds[];
  /** True: it is, or holds, rows of numbers in any of their forms (io/matrixInput.ts); what is parsed holds one form. */
  readonly rows?: true;
}

/** An option: what cells may write (Given), and what the verb works with (Parsed). */
export interface Option<Given, Parsed = Given | undefined> extends Described {
  /** The value to work with. @throws TypeError or RangeError that begins with the option's name. */
  readonly parse: (value: unknown, name: string) => Parsed;
  /** Only for the type: what cells may write. */
  readonly given?: Given;
}

/** An option whose default stands in the schema: functions of the room fill it in by `filled`. */
export type UsualOption<T> = Option<T> & { readonly usual: T };

/** An option that must be given. */
export type RequiredOption<Given, Parsed = Given> = Option<Given, Parsed> & { readonly required: true };

/** Options by name. */
export type Schema = Readonly<Record<string, Option<unknown, unknown>>>;

type RequiredNames<S extends Schema> = {
  [K in keyof S]: S[K] extends { readonly required: true } ? K : never;
}[keyof S];
export type GivenOf<O> = O extends Option<infer Given, unknown> ? Given : never;

/** Options as cells write them. */
export type Given<S extends Schema> = {
  readonly [K in keyof S as K extends RequiredNames<S> ? never : K]?: GivenOf<S[K]>;
} & { readonly [K in RequiredNames<S>]: GivenOf<S[K]> };

/** Options after the check, with the defaults that the verb fills in. */
export type Parsed<S extends Schema> = { readonly [K in keyof S]: ReturnType<S[K]['parse']> };

/** How an error message writes a value. */
export function written(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  if (Array.isArray(value) && value.length <= 8 && value.every((v) => typeof v !== 'object'))
    return `[${value.map(written).join(', ')}]`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** @throws RangeError "name is …; expected …" */
function refuse(name: string, value: unknown, expected: string): never {
  throw new RangeError(`${name} is ${written(value)}; expected ${expected}`);
}

interface Words {
  /** What it means, with its unit. */
  doc: string;
  /** The default in words, where it depends on the input: 'the median distance to the 15th neighbour'. */
  fallback?: string;
  /** False: it does not change the result. */
  identity?: boolean;
}

interface Kind<T> {
  expected: string;
  telling?: boolean;
  accepts(value: unknown): value is T;
}

/**
 * A default by its value: `default` is filled in before the verb sees the options, `usual` by the function of the room
 * (`filled`), where identities are made of what was given.
 */
interface Value<T> {
  default?: T;
  usual?: T;
}

/** A default for people: 20,000; 'rotated'; { kind: 'pca', components: 2 }. */
function inWords(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value.toLocaleString('en-US');
  if (Array.isArray(value)) return `[${value.map(inWords).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{ ${Object.entries(value)
    .map(([name, v]) => `${name}: ${inWords(v)}`)
    .join(', ')} }`;
}

/** What a description says about the default. @param value where it is a value */
export function defaultOf(value: unknown, words?: string): Pick<Described, 'fallback' | 'usual'> {
  if (value === undefined) return words === undefined ? {} : { fallback: words };
  return { fallback: words ?? inWords(value), usual: value };
}

function option<T>({ expected, accepts, telling = true }: Kind<T>, words: Words & Value<T>): Option<T, never> {
  const { doc, identity = true } = words;
  return {
    doc,
    expected,
    telling,
    identity,
    ...defaultOf(words.default ?? words.usual, words.fallback),
    parse: (value, name) => {
      if (value === undefined) return words.default as never;
      return accepts(value) ? (value as never) : refuse(name, value, expected);
    },
  };
}

/** Builds options of one kind: with `default`, the verb never sees undefined. */
interface Builder<T, Range> {
  (words: Words & Range & { default: T }): Option<T, T> & { readonly usual: T };
  (words: Words & Range & { usual: T }): UsualOption<T>;
  (words: Words & Range): Option<T>;
}

interface Bounds {
  /** Least value allowed. */
  min?: number;
  /** Greatest value allowed. */
  max?: number;
}

/** A whole number: of samples, neighbours, epochs. */
export const whole = ((words: Words & Bounds & Value<number>) => {
  const { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = words;
  const low = words.min === undefined ? '' : ` of at least ${min}`;
  const range = words.max === undefined ? low : words.min === undefined ? ` up to ${max}` : ` from ${min} to ${max}`;
  const accepts = (v: unknown): v is number => Number.isSafeInteger(v) && Number(v) >= min && Number(v) <= max;
  return option({ expected: `a whole number${range}`, accepts }, words);
}) as Builder<number, Bounds>;

interface RealBounds extends Bounds {
  /** Bounds that are not allowed themselves. */
  above?: number;
  below?: number;
  /** True: Infinity is allowed too. */
  infinite?: boolean;
}

/** A number, finite unless `infinite`. */
export const real = ((words: Words & RealBounds & Value<number>) => {
  const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity, infinite = false } = words;
  const range = [
    words.min !== undefined && `at least ${min}`,
    words.above !== undefined && `above ${above}`,
    words.max !== undefined && `at most ${max}`,
    words.below !== undefined && `below ${below}`,
  ].filter((s) => s !== false);
  const accepts = (v: unknown): v is number =>
    (Number.isFinite(v) && Number(v) >= min && Number(v) <= max && Number(v) > above && Number(v) < below) ||
    (infinite && v === Infinity);
  const expected = range.length > 0 ? `a number ${range.join(' and ')}` : 'a finite number';
  return option({ expected: infinite ? `${expected}, or Infinity` : expected, accepts }, words);
}) as Builder<number, RealBounds>;

/** true or false. */
export const flag = ((words: Words & Value<boolean>) =>
  option(
    { expected: 'true or false', telling: false, accepts: (v): v is boolean => typeof v === 'boolean' },
    words,
  )) as Builder<boolean, object>;

/** Text. */
export const text = ((words: Words & Value<string>) =>
  option({ expected: 'text', telling: false, accepts: (v): v is string => typeof v === 'string' }, words)) as Builder<
  string,
  object
>;

interface Choice {
  <const T extends string | number>(
    of: readonly T[],
    words: Words & { default: NoInfer<T> },
  ): Option<T, T> & { readonly usual: T };
  <const T extends string | number>(of: readonly T[], words: Words & { usual: NoInfer<T> }): UsualOption<T>;
  <const T extends string | number>(of: readonly T[], words: Words): Option<T>;
}

/** One of a few words or numbers. */
export const choice = ((of: readonly unknown[], words: Words & Value<unknown>) => {
  const named = of.map((v) => (typeof v === 'string' ? `'${v}'` : String(v)));
  const expected = named.length > 1 ? `${named.slice(0, -1).join(', ')} or ${named.at(-1)}` : named[0];
  return option({ expected, telling: false, accepts: (v): v is unknown => of.includes(v) }, words);
}) as Choice;

interface ListBounds extends Bounds {
  /** Bound that is not allowed itself. */
  below?: number;
  /** True: whole numbers alone. */
  whole?: boolean;
  repeats?: boolean;
  empty?: boolean;
}

/** Finite numbers, at least one unless `empty`, none twice unless `repeats`. */
export const numbers = ((words: Words & ListBounds & Value<readonly number[]>) => {
  const { min = -Infinity, max = Infinity, below = Infinity, whole = false, repeats = false, empty = false } = words;
  const low = words.min === undefined ? '' : words.max === undefined ? ` of at least ${min}` : ` from ${min} to ${max}`;
  const range = words.below === undefined ? low : `${low} and below ${below}`;
  const accepted = (n: unknown): boolean =>
    (whole ? Number.isSafeInteger(n) : Number.isFinite(n)) && Number(n) >= min && Number(n) <= max && Number(n) < below;
  const kind = `${repeats ? '' : 'different '}${whole ? 'whole ' : ''}numbers`;
  return option<readonly number[]>(
    {
      expected: `an array of ${kind}${range}${empty ? '' : ', at least one'}`,
      accepts: (v): v is readonly number[] =>
        Array.isArray(v) && (empty || v.length > 0) && v.every(accepted) && (repeats || new Set(v).size === v.length),
    },
    words,
  );
}) as Builder<readonly number[], ListBounds>;

/** Ids of features, in an array or a typed array. */
export const featureIds = (words: Words): Option<ArrayLike<number>> =>
  value('an array of feature ids', words, (v) => {
    if (!Array.isArray(v) && !isTypedArray(v)) return false;
    return Array.from(v as ArrayLike<unknown>).every((id) => Number.isSafeInteger(id) && Number(id) >= 0);
  });

/** A regular expression. @param such an example, as the end of "a regular expression such as" */
export const pattern = (such: RegExp, words: Words): Option<RegExp> =>
  option(
    { expected: `a regular expression such as ${such}`, accepts: (v): v is RegExp => v instanceof RegExp },
    words,
  ) as Option<RegExp>;

/** A word or phrase: text that is not blank. */
export const word = (words: Words): Option<string> =>
  option(
    {
      expected: 'a word',
      telling: false,
      accepts: (v): v is string => typeof v === 'string' && v.trim() !== '',
    },
    words,
  ) as Option<string>;

/** Some of a few words, in an array. */
export function several<const T extends string>(
  of: readonly T[],
  words: Words & { usual: readonly NoInfer<T>[] },
): UsualOption<readonly T[]>;
export function several<const T extends string>(of: readonly T[], words: Words): Option<readonly T[]>;
export function several<const T extends string>(
  of: readonly T[],
  words: Words & Value<readonly T[]>,
): Option<readonly T[]> {
  const expected = `an array of some of ${of.map((name) => `'${name}'`).join(', ')}`;
  const accepts = (v: unknown): v is readonly T[] =>
    Array.isArray(v) && v.length > 0 && v.every((each) => of.includes(each as T));
  return option<readonly T[]>({ expected, accepts }, words);
}

/** An option with a form of its own, such as values by name, or a result of fg. The room checks its contents. */
export function value<T>(
  expected: string,
  words: Words & { telling?: boolean },
  accepts: (value: unknown) => boolean = isThing,
): Option<T> {
  const { telling = true } = words;
  return option<T>({ expected, telling, accepts: accepts as (value: unknown) => value is T }, words);
}

const isThing = (value: unknown): boolean => value !== null;

/** The same option, made required. */
export function required<G, P>(of: Option<G, P>): RequiredOption<G, NonNullable<P>> {
  return {
    ...of,
    required: true,
    parse: (value, name) => {
      if (value === undefined) throw new TypeError(`${name} is missing; expected ${of.expected}`);
      return of.parse(value, name) as NonNullable<P>;
    },
  };
}

/** An option with members, whose schemas functions of the room may fill in by. */
type Group<S extends Schema, Short extends keyof S> = Omit<
  Option<Given<S> | (Short extends never ? never : GivenOf<S[Short]>), Parsed<S>>,
  'members'
> & { readonly members: S };

/**
 * Options in an object as one option; with `short`, the value of that member alone stands for the group: `nulls: 20`.
 */
export function group<S extends Schema, Short extends keyof S & string = never>(
  members: S,
  words: Words & { short?: Short },
): Group<S, Short> {
  const { doc, short, identity = true } = words;
  const names = `{ ${Object.keys(members).join(', ')} }`;
  const fallback = words.fallback ?? (short === undefined ? undefined : members[short].fallback);
  return {
    doc,
    telling: short !== undefined && members[short].telling,
    expected: short === undefined ? names : `${members[short].expected}, or ${names}`,
    identity,
    members,
    ...(short === undefined ? {} : { short }),
    ...(fallback === undefined ? {} : { fallback }),
    parse: (value, name) => {
      const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (short !== undefined && value !== undefined && !isGroup)
        return parseOptions(name, { [short]: value }, members, { [short]: name });
      return parseOptions(name, value, members);
    },
  };
}

/** The same option, or false to leave its part out. */
export function orFalse<G, P>(of: Option<G, P>): Option<G | false, P | false> {
  const parse = (value: unknown, name: string): P | false => (value === false ? false : of.parse(value, name));
  return { ...of, telling: true, expected: `${of.expected}, or false`, parse } as Option<G | false, P | false>;
}

/** @throws TypeError that names unknown options, which would silently leave a default in force */
export function requireKnown(what: string, given: object, names: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  if (unknown.length === 0) return;
  const said = unknown.map((name) => {
    const near = nearName(name, names);
    return `"${name}"${near === undefined ? '' : ` (did you mean "${near}"?)`}`;
  });
  throw new TypeError(
    `${what} has no option ${said.join(', ')}; ${names.length > 0 ? `it has ${names.join(', ')}` : 'it has none'}`,
  );
}

/**
 * Checks options and fills in their defaults: unknown names first, then each option in the order of the schema.
 * @param what owner of the options: "fg.mapper.graph", or the name of an option with members
 * @param as names of options in messages, where they differ from `what: name`
 * @param at begins the names of options in messages, where it differs from `what`
 * @throws TypeError for a value that is no object, an unknown option, or a promise; RangeError outside a range
 */
export function parseOptions<S extends Schema>(
  what: string,
  given: unknown,
  schema: S,
  as: Readonly<Record<string, string>> = {},
  at = what,
): Parsed<S> {
  const names = Object.keys(schema);
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given)))
    throw new TypeError(`${what}: options are an object such as { ${names[0]}: … } but got ${written(given)}`);
  if (types.isPromise(given))
    throw new TypeError(`${what}: options are a promise: write "await" before the call that made it`);
  const values = (given ?? {}) as Record<string, unknown>;
  requireKnown(what, values, names);
  const parsed = names.map((name) => {
    const full = as[name] ?? `${at}${at.includes(': ') ? '.' : ': '}${name}`;
    if (types.isPromise(values[name]))
      throw new TypeError(`${full} is a promise: write "await" before the call that made it`);
    return [name, schema[name].parse(values[name], full)] as const;
  });
  return Object.fromEntries(parsed) as Parsed<S>;
}

/**
 * Those options of `options` that the schema declares, without undefined ones: the arguments of a function of the room.
 */
export function only<S extends Schema>(schema: S, options: Readonly<Record<string, unknown>>): Given<S> {
  const entries = Object.keys(schema).map((name) => [name, options[name]] as const);
  return Object.fromEntries(entries.filter(([, v]) => v !== undefined)) as Given<S>;
}

/** A group as an object of its members: `20` with the short member `runs` becomes `{ runs: 20 }`. */
export function membersGiven<G extends object>(given: G | number | undefined, short: keyof G): G {
  return typeof given === 'object' ? given : ((given === undefined ? {} : { [short]: given }) as G);
}

/** Options as given, but with rows of numbers in the one form in which they are read. */
export function rowsRead<G extends object>(given: G, parsed: Readonly<Record<string, unknown>>, schema: Schema): G {
  const names = Object.entries(given).flatMap(([name, v]) => (v !== undefined && schema[name].rows ? [name] : []));
  const changed = names.filter((name) => parsed[name] !== (given as Record<string, unknown>)[name]);
  return changed.length === 0
    ? given
    : { ...given, ...Object.fromEntries(changed.map((name) => [name, parsed[name]])) };
}

/** The mark of options some of which hold rows. */
export const holdsRows = (schema: Schema): Pick<Described, 'rows'> =>
  Object.values(schema).some(({ rows }) => rows) ? { rows: true } : {};

/** The given options that change the result, as artifact parameters. */
export function identityOf(given: object | undefined, schema: Schema): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given ?? {}).filter(([name, v]) => v !== undefined && schema[name].identity),
  );
}
