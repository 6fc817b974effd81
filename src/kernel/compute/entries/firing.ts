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

/** Looks through rows one after the other: gives how many entries row i has, which then lie in the memory's lists. */
export type RowFinder = (i: number) => number;

/** What finds the entries of a rule in rows of a memory, in the order of features. */
export function finderOf(rule: RowRule, memory: EntryMemory): RowFinder {
  switch (rule.kind) {
    case 'largest':
      return largest(rule, memory);
    case 'above':
      return (i) => memory.above(i, rule.bound);
    case 'touched':
      return (i) => memory.touched(i);
    case 'positive':
      memory.setLeast(new Float32Array(memory.cols));
      return (i) => memory.beyond(i);
    case 'jump':
      return jump(rule, memory);
  }
}

function largest({ k, absolute }: RowRule & { kind: 'largest' }, memory: EntryMemory): RowFinder {
  let guess = 0;
  return (i) => {
    let count = memory.above(i, guess, absolute);
    if (count < k && guess > 0) count = memory.above(i, 0, absolute);
    const bound = count > k ? memory.kth(count, k, absolute) : 0;
    guess = BOUND_SHARE * bound;
    return keepLargest(memory.which, memory.values, count, k, bound);
  };
}

/**
 * Keeps of the first `count` entries those of size above `bound`, and of those of that size as many as k leaves, in order;
 * returns how many.
 */
export function keepLargest(which: Int32Array, values: Float32Array, count: number, k: number, bound: number): number {
  if (count <= k) return count;
  let ties = k;
  for (let n = 0; n < count; n++) if (Math.abs(values[n]) > bound) ties--;
  let kept = 0;
  for (let n = 0; n < count; n++) {
    const size = Math.abs(values[n]);
    if (size < bound || (size === bound && ties-- <= 0)) continue;
    which[kept] = which[n];
    values[kept++] = values[n];
  }
  return kept;
}

function jump({ theta, band }: RowRule & { kind: 'jump' }, memory: EntryMemory): RowFinder {
  const { which, values } = memory;
  // Bounds in float32 are below those in float64, which decide.
  memory.setLeast(theta.map((t) => below(t - band)));
  return (i) => {
    const count = memory.beyond(i);
    let kept = 0;
    for (let n = 0; n < count; n++) {
      const f = which[n];
      const value = values[n];
      // NaN stays.
      if (value <= theta[f] - band) continue;
      which[kept] = f;
      values[kept++] = value <= theta[f] ? -0 : value;
    }
    return kept;
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
  for (let i = 0, at = 0; i < rows; i++) {
    const count = find(i);
    while (at + count > values.length) [features, values] = [grown(features), grown(values)];
    putEntries(memory, count, features, values, at, scale);
    at += count;
    indptr[i + 1] = at;
  }
  return { rows, indptr, features, values };
}

/** Copies the entries that were found last to place `at` of two arrays; `scale` is divided out of the values. */
export function putEntries(
  { which, values: found }: Pick<EntryMemory, 'which' | 'values'>,
  count: number,
  features: Int32Array,
  values: Float32Array,
  at: number,
  scale: Float64Array | undefined,
): void {
  features.set(which.subarray(0, count), at);
  if (scale) for (let n = 0; n < count; n++) values[at + n] = found[n] / scale[which[n]];
  else values.set(found.subarray(0, count), at);
}

function grown<A extends Int32Array | Float32Array>(array: A): A {
  const more = new (array.constructor as new (length: number) => A)(2 * array.length + 64);
  more.set(array);
  return more;
}
