/** Which entries of rows of values count, by rules that any thread can apply to any rows. */
import type { EntryMemory } from './memory.js';

/** Entries (row, feature, value) grouped by row: those of row i are indptr[i] … indptr[i + 1] − 1. */
export interface RowEntries {
  rows: number;
  indptr: Uint32Array | Int32Array;
  features: Int32Array;
  values: Float32Array;
}

/** Rules that look at one row at a time. */
export type RowRule =
  /** The positive ones among the k largest, or with `absolute` those of largest size that are not 0; ties: lower feature. */
  | { readonly kind: 'largest'; readonly k: number; readonly absolute: boolean }
  /** Those above `bound`, 0 or more. */
  | { readonly kind: 'above'; readonly bound: number }
  /** Those that are not +0. */
  | { readonly kind: 'touched' }
  /** Those above 0, and NaN. */
  | { readonly kind: 'positive' }
  /** Those above θ of their feature; as −0 those below it by less than `band`; and NaN. */
  | { readonly kind: 'jump'; readonly theta: Float64Array; readonly band: number };

/** Of the bound of the row before, the share that a row's search begins at: too high, and it must look again. */
const BOUND_SHARE = 0.8;

/** Looks through rows one after the other: gives how many entries row i has and leaves them to `take`. */
export type RowFinder = (i: number, take: (feature: number, value: number) => void) => void;

/** What finds the entries of a rule in rows of a memory, in the order of features. */
export function finderOf(rule: RowRule, memory: EntryMemory): RowFinder {
  const { which, values } = memory;
  const all =
    (find: (i: number) => number): RowFinder =>
    (i, take) => {
      const count = find(i);
      for (let n = 0; n < count; n++) take(which[n], values[n]);
    };
  switch (rule.kind) {
    case 'largest':
      return largest(rule, memory);
    case 'above':
      return all((i) => memory.above(i, rule.bound));
    case 'touched':
      return all((i) => memory.touched(i));
    case 'positive':
      memory.setLeast(new Float32Array(memory.cols));
      return all((i) => memory.beyond(i));
    case 'jump':
      return jump(rule, memory);
  }
}

function largest({ k, absolute }: RowRule & { kind: 'largest' }, memory: EntryMemory): RowFinder {
  const { which, values } = memory;
  let guess = 0;
  return (i, take) => {
    let count = memory.above(i, guess, absolute);
    if (count < k && guess > 0) count = memory.above(i, 0, absolute);
    const bound = count > k ? memory.kth(count, k, absolute) : 0;
    guess = BOUND_SHARE * bound;
    takeLargest(which, values, count, k, bound, take);
  };
}

/** Of the first `count` entries those of size above `bound`, and of those of that size as many as k leaves, in order. */
export function takeLargest(
  which: ArrayLike<number>,
  values: Float32Array,
  count: number,
  k: number,
  bound: number,
  take: (feature: number, value: number) => void,
): void {
  let ties = k;
  if (count > k) for (let n = 0; n < count; n++) if (Math.abs(values[n]) > bound) ties--;
  for (let n = 0; n < count; n++) {
    const size = Math.abs(values[n]);
    if (size < bound || (size === bound && ties-- <= 0)) continue;
    take(which[n], values[n]);
  }
}

function jump({ theta, band }: RowRule & { kind: 'jump' }, memory: EntryMemory): RowFinder {
  const { which, values } = memory;
  // Bounds in float32 are below those in float64, which decide.
  memory.setLeast(theta.map((t) => below(t - band)));
  return (i, take) => {
    const count = memory.beyond(i);
    for (let n = 0; n < count; n++) {
      const f = which[n];
      const value = values[n];
      if (value > theta[f]) take(f, value);
      else if (value > theta[f] - band) take(f, -0);
      else if (!(value <= theta[f])) take(f, value);
    }
  };
}

/** A float32 number below x. */
const below = (x: number): number => Math.fround(x) - (Math.abs(x) + 1e-30) * 2 ** -22;

/** The entries of rows 0 … rows − 1 of a memory; `scale` is divided out of their values where it is given. */
export function entriesBy(
  rule: RowRule,
  memory: EntryMemory,
  rows: number,
  scale: Float64Array | undefined,
  expected: number,
): RowEntries {
  const find = finderOf(rule, memory);
  const indptr = new Uint32Array(rows + 1);
  let features = new Int32Array(expected);
  let values = new Float32Array(expected);
  let at = 0;
  const take = (feature: number, value: number): void => {
    if (at === values.length) [features, values] = [grown(features), grown(values)];
    features[at] = feature;
    values[at++] = scale ? value / scale[feature] : value;
  };
  for (let i = 0; i < rows; i++) {
    find(i, take);
    indptr[i + 1] = at;
  }
  return { rows, indptr, features, values };
}

function grown<A extends Int32Array | Float32Array>(array: A): A {
  const more = new (array.constructor as new (length: number) => A)(2 * array.length + 64);
  more.set(array);
  return more;
}
