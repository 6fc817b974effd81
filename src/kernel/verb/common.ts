/** Options that many verbs share, and their usual arguments. */
import { types } from 'node:util';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { USUAL_SEED } from '../compute/random.js';
import { asMatrix, asMatrixNow, MATRIX_FORMS, type MatrixInput } from '../io/matrixInput.js';
import { choice, flag, group, type Option, required, type UsualOption, value, whole } from './option.js';

const isFunction = (v: unknown): boolean => typeof v === 'function';

/** Options of every call that takes time. */
export const CALL = {
  signal: value<NonNullable<CallOptions['signal']>>(
    'an AbortSignal',
    { doc: 'Aborting it cancels the call, as interrupting the cell does.', identity: false, telling: false },
    (v) => v instanceof AbortSignal,
  ),
  onProgress: value<NonNullable<CallOptions['onProgress']>>(
    'a function',
    {
      doc: 'Called often with { label, done, total }, besides the progress line of the cell.',
      identity: false,
      telling: false,
    },
    isFunction,
  ),
} as const;

/** Options of every call whose result is kept in the artifact folder. */
export const KEPT = {
  fresh: flag({
    doc: 'Compute again even when the result is in the artifact folder.',
    default: false,
    identity: false,
  }),
  ...CALL,
} as const;

/** The seed of random draws. */
export const seed = (doc: string): Option<number, number> & { readonly usual: number } =>
  whole({ doc, default: USUAL_SEED });

export interface NullWords {
  /** How the data are changed, and what is compared. */
  doc: string;
  /** Default number of runs; absent: the verb decides, as `fallback` says. */
  runs?: number;
  /** Least number of runs; default 0. */
  min?: number;
  /** In words, where the default depends on other options. */
  fallback?: string;
  /** Seed when none is given, in words, where it is not 0. */
  seed?: string;
  /** What the seed draws, where run i is not drawn with seed + i. */
  draws?: string;
}

/** Number of runs and seed; those that the words give a value have it as their usual one. */
export type NullRuns<W extends NullWords> = {
  readonly runs: W extends { readonly runs: number } ? UsualOption<number> : Option<number>;
  readonly seed: W extends { readonly seed: string } ? Option<number> : UsualOption<number>;
};

function nullRuns<W extends NullWords>(words: W): NullRuns<W> {
  const { runs, min = 0, seed: from, draws = 'Run i is drawn with seed + i.' } = words;
  const doc = 'Null runs; the least p is 1/(runs + 1).';
  return {
    runs: runs === undefined ? whole({ doc, min }) : whole({ doc, min, usual: runs }),
    seed: from === undefined ? whole({ doc: draws, usual: USUAL_SEED }) : whole({ doc: draws, fallback: from }),
    // Which of the two it is, the compiler does not follow.
  } as NullRuns<W>;
}

/** How many null runs are made: `nulls: 20`, or `nulls: { runs, seed }`. The room's function fills the defaults in. */
export const nulls = <const W extends NullWords>(words: W) => group(nullRuns(words), { ...words, short: 'runs' });

/** The same with a choice of null data, the default first: `nulls: { kind, runs, seed }`. */
export const nullsOf = <const K extends string, const W extends NullWords>(kinds: readonly K[], words: W) =>
  group(
    { kind: choice<K>(kinds, { doc: 'How null data is made.', usual: kinds[0] }), ...nullRuns(words) },
    { ...words, short: 'runs' },
  );

/** An argument of a verb: what cells pass (Given), and what the verb works with (Parsed). */
export interface Arg<Given, Parsed = Given> {
  readonly name: string;
  /** What it is, with shape and unit. */
  readonly doc: string;
  readonly parse: (value: unknown, at: string) => Parsed | Promise<Parsed>;
  /** Only a type: what cells may pass. */
  readonly given?: Given;
}

/**
 * Refuses a value that is no object, such as an undefined variable, and the promise of a call that was not awaited.
 * @throws TypeError that names the argument and says what to do
 */
export function requireThing(value: unknown, at: string): object {
  if (types.isPromise(value)) throw new TypeError(`${at} is a promise: write "await" before the call that made it`);
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${at} is ${value === null ? 'null' : typeof value}: pass the object that fg returned`);
  return value;
}

/** An object: a result of fg, or data of the same form. `parse` only sees objects. */
export function thing<Given, Parsed = Given>(
  name: string,
  doc: string,
  // Without `parse`, Parsed is Given.
  parse: (value: Given, at: string) => Parsed = (value) => value as unknown as Parsed,
): Arg<Given, Parsed> {
  return { name, doc, parse: (value, at) => parse(requireThing(value, at) as Given, at) };
}

/** Rows of numbers in every form that a cell may have (io/matrixInput.ts). For verbs that take time. */
export const rowsArg = (name: string, doc: string): Arg<MatrixInput, Matrix> => ({
  name,
  doc,
  parse: (value, at) => asMatrix(value as MatrixInput, at),
});

/** The same as an option. */
export const rowsOption = (words: { doc: string; identity?: boolean }): Option<MatrixInput, Matrix | undefined> => ({
  ...value<MatrixInput>(MATRIX_FORMS, words),
  rows: true,
  parse: (given, name) => (given === undefined ? undefined : asMatrixNow(given as MatrixInput, name)),
});

/** Text, such as a path, a hook or a prompt. */
export function words(name: string, doc: string): Arg<string> {
  return {
    name,
    doc,
    parse: (value, at) => {
      if (typeof value !== 'string')
        throw new TypeError(`${at} is ${value === null ? 'null' : typeof value}; expected text`);
      return value;
    },
  };
}

/** An argument that is checked like an option. */
export function argOf<G>(name: string, of: Option<G>): Arg<G, G> {
  const { parse } = required(of);
  return {
    name,
    doc: of.doc,
    parse: (value, at) => {
      if (types.isPromise(value)) throw new TypeError(`${at} is a promise: write "await" before the call that made it`);
      return parse(value, at) as G;
    },
  };
}

/** A value that the verb checks itself. */
export function anything<Given>(name: string, doc: string): Arg<Given> {
  return {
    name,
    doc,
    parse: (value, at) => {
      if (types.isPromise(value)) throw new TypeError(`${at} is a promise: write "await" before the call that made it`);
      return value as Given;
    },
  };
}
