/** Which features fire in a block of pre-activations. */
import { topKRows } from '../compute/topk.js';
import type { Block } from './block.js';
import type { RowEntries } from './sparseGradient.js';

/**
 * The positive ones among the k largest of each row, or with `absolute` those of largest |z| that are not 0; values are
 * pre-activations with the rescaling divided out.
 */
export function topKEntries(
  block: Block,
  dSae: number,
  k: number,
  norms: Float64Array | undefined,
  absolute = false,
): RowEntries {
  const top = topKRows(absolute ? block.z.map(Math.abs) : block.z, block.rows, dSae, k);
  const indptr = new Uint32Array(block.rows + 1);
  const features = new Int32Array(block.rows * k);
  const values = new Float32Array(block.rows * k);
  let at = 0;
  for (let i = 0; i < block.rows; i++) {
    for (let n = i * k; n < (i + 1) * k && top.values[n] > 0; n++) {
      const f = top.indices[n];
      features[at] = f;
      const value = absolute ? block.z[i * dSae + f] : top.values[n];
      values[at++] = norms ? value / norms[f] : value;
    }
    indptr[i + 1] = at;
  }
  return { rows: block.rows, indptr, features, values };
}

/** ReLU in place; returns how many entries are not 0. */
export function rectify(z: Float32Array): number {
  let count = 0;
  for (let i = 0; i < z.length; i++) {
    if (z[i] <= 0) z[i] = 0;
    else count++; // NaN stays, so that the loss shows it
  }
  return count;
}

/**
 * Whether gradients pass an entry: all but +0 do. −0 stands for a feature that does not fire and still has a gradient, as
 * one just below the threshold of a JumpReLU has; it decodes to nothing.
 */
export const touched = (value: number): boolean => !Object.is(value, 0);

/** The touched entries of a block of features. */
export function touchedEntries(block: Block, dSae: number, count: number): RowEntries {
  const indptr = new Uint32Array(block.rows + 1);
  const features = new Int32Array(count);
  const values = new Float32Array(count);
  let at = 0;
  for (let i = 0; i < block.rows; i++) {
    for (let f = 0; f < dSae; f++) {
      const value = block.z[i * dSae + f];
      if (touched(value)) {
        features[at] = f;
        values[at++] = value;
      }
    }
    indptr[i + 1] = at;
  }
  return { rows: block.rows, indptr, features, values };
}

/** Writes entries over block.z: features where they fire, zero elsewhere. */
export function scatterEntries(entries: RowEntries, z: Float32Array, dSae: number): void {
  z.fill(0);
  for (let i = 0; i < entries.rows; i++) {
    for (let e = entries.indptr[i]; e < entries.indptr[i + 1]; e++)
      z[i * dSae + entries.features[e]] = entries.values[e];
  }
}
