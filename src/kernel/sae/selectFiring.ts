/** Which features fire in a block of pre-activations. */
import type { Block } from './block.js';
import type { RowEntries } from './sparseGradient.js';

/** Of the bound of the row before, the share that a row's search begins at: too high, and it must look again. */
const BOUND_SHARE = 0.8;

/**
 * The positive ones among the k largest of each row, or with `absolute` those of largest |z| that are not 0 (ties: lower
 * feature first), by row and ascending feature; values are pre-activations with the rescaling divided out.
 */
export function topKEntries(
  { rows, memory }: Block,
  k: number,
  norms: Float64Array | undefined,
  absolute = false,
): RowEntries {
  const indptr = new Uint32Array(rows + 1);
  const features = new Int32Array(rows * k);
  const values = new Float32Array(rows * k);
  const { which, values: found } = memory;
  let at = 0;
  let guess = 0;
  for (let i = 0; i < rows; i++) {
    let count = memory.above(i, guess, absolute);
    if (count < k && guess > 0) count = memory.above(i, 0, absolute);
    const bound = count > k ? memory.kth(count, k, absolute) : 0;
    guess = BOUND_SHARE * bound;
    let ties = k;
    if (count > k) for (let n = 0; n < count; n++) if (Math.abs(found[n]) > bound) ties--;
    for (let n = 0; n < count; n++) {
      const size = Math.abs(found[n]);
      if (size < bound || (size === bound && ties-- <= 0)) continue;
      features[at] = which[n];
      values[at++] = norms ? found[n] / norms[which[n]] : found[n];
    }
    indptr[i + 1] = at;
  }
  return { rows, indptr, features, values };
}

/** ReLU of a block in place; returns how many entries are not 0. NaN stays, so that the loss shows it. */
export const rectify = ({ memory, z }: Block): number => memory.rectify(z.length);

/**
 * Whether gradients pass an entry: all but +0 do. −0 stands for a feature that does not fire and still has a gradient, as
 * one just below the threshold of a JumpReLU has; it decodes to nothing.
 */
export const touched = (value: number): boolean => !Object.is(value, 0);

/** The touched entries of a block of features. */
export const touchedEntries = (block: Block, count: number): RowEntries =>
  foundEntries(block, count, (row) => block.memory.touched(row));

/**
 * The entries that `find` finds row by row in a block's memory.
 * @param expected room for so many; more is made where they are more
 */
export function foundEntries({ rows, memory }: Block, expected: number, find: (row: number) => number): RowEntries {
  const indptr = new Uint32Array(rows + 1);
  let features = new Int32Array(expected);
  let values = new Float32Array(expected);
  for (let i = 0; i < rows; i++) {
    const found = find(i);
    const end = (indptr[i + 1] = indptr[i] + found);
    if (end > values.length) [features, values] = [grown(features, 2 * end), grown(values, 2 * end)];
    features.set(memory.which.subarray(0, found), indptr[i]);
    values.set(memory.values.subarray(0, found), indptr[i]);
  }
  return { rows, indptr, features, values };
}

function grown<A extends Int32Array | Float32Array>(array: A, length: number): A {
  const more = new (array.constructor as new (length: number) => A)(length);
  more.set(array);
  return more;
}

/** Writes entries over block.z: features where they fire, zero elsewhere. */
export function scatterEntries(entries: RowEntries, z: Float32Array, dSae: number): void {
  z.fill(0);
  for (let i = 0; i < entries.rows; i++) {
    for (let e = entries.indptr[i]; e < entries.indptr[i + 1]; e++)
      z[i * dSae + entries.features[e]] = entries.values[e];
  }
}
