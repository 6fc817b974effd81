/** Rows of pre-activations to entries: what several architectures share. */
import type { JsonObject } from '../../../protocol/notebook.js';
import { topKRows } from '../../compute/topk.js';
import type { SaeConfig } from '../types.js';
import type { Block } from './architecture.js';

/** Entries of some rows, by row and ascending feature. */
export interface Entries {
  indices: Uint16Array | Int32Array;
  values: Float32Array;
}

/** What SAELens's cfg.json says of a selection of the k largest. */
export const selectionCfg = ({ k, rescaleActsByDecoderNorm }: SaeConfig): JsonObject => ({
  k: k!,
  rescale_acts_by_decoder_norm: rescaleActsByDecoderNorm ?? false,
});

export function indexArray(dSae: number, length: number): Uint16Array | Int32Array {
  return dSae <= 65_536 ? new Uint16Array(length) : new Int32Array(length);
}

/** z ← (z + bias), times decoder norms when activations are rescaled by these. */
export function addBias({ z, rows, norms }: Block, bias: Float32Array): void {
  const cols = bias.length;
  for (let i = 0; i < rows; i++) {
    const at = i * cols;
    if (norms) for (let f = 0; f < cols; f++) z[at + f] = (z[at + f] + bias[f]) * norms[f];
    else for (let f = 0; f < cols; f++) z[at + f] += bias[f];
  }
}

/** The entries above 0, and above θ of their feature when thresholds are given. */
export function selectPositive({ z, rows, counts, config }: Block, threshold?: Float32Array): Entries {
  const cols = config.dSae;
  const fires = (value: number, f: number): boolean => value > 0 && (threshold === undefined || value > threshold[f]);
  let total = 0;
  for (let i = 0; i < rows; i++) {
    let n = 0;
    for (let f = 0, at = i * cols; f < cols; f++, at++) if (fires(z[at], f)) n++;
    counts[i] = n;
    total += n;
  }
  const indices = indexArray(cols, total);
  const values = new Float32Array(total);
  for (let i = 0, at = 0; i < rows; i++) {
    for (let f = 0; f < cols; f++) {
      const value = z[i * cols + f];
      if (fires(value, f)) {
        indices[at] = f;
        values[at++] = value;
      }
    }
  }
  return { indices, values };
}

/**
 * The k largest of each row by `order` (ties: lower feature first) that are above 0 there, with their values in z, by
 * ascending feature. `order` may be z itself.
 */
export function selectTopK({ z, rows, counts, config }: Block, order: Float32Array): Entries {
  const cols = config.dSae;
  const k = config.k!;
  const top = topKRows(order, rows, cols, k);
  const indices = indexArray(cols, rows * k);
  const values = new Float32Array(rows * k);
  let at = 0;
  for (let i = 0; i < rows; i++) {
    let n = 0;
    while (n < k && top.values[i * k + n] > 0) n++;
    counts[i] = n;
    const kept = top.indices.subarray(i * k, i * k + n).sort();
    for (let j = 0; j < n; j++) {
      indices[at] = kept[j];
      values[at++] = z[i * cols + kept[j]];
    }
  }
  return { indices: indices.subarray(0, at), values: values.subarray(0, at) };
}

/** Refuses a k that is no whole number from 1 to d_sae. */
export function requireK(architecture: string, k: number | undefined, dSae: number): void {
  if (Number.isInteger(k) && k! >= 1 && k! <= dSae) return;
  throw new RangeError(
    `a ${architecture} SAE needs an integer k from 1 to d_sae = ${dSae} but got ${String(k)}${k === undefined ? '; give { k }' : ''}`,
  );
}
