/** The largest positive entries of a whole batch: what BatchTopK keeps. */
import type { Block } from './block.js';
import { entriesBy, type RowEntries } from '../compute/entries/firing.js';

/** Bins of positive float32 numbers by the upper half of their bits, which order as the numbers do. */
const BINS = 0x8000;
/** The bin of infinity; those after it are NaN. */
const INFINITE = 0x7f80;

export interface BatchTopK {
  entries: RowEntries;
  /** The least entry kept, in the units of block.z; undefined where nothing is positive. */
  least: number | undefined;
}

/** Values of z that a first guess of the bound is made of; it affects no result. */
const SAMPLE = 2 ** 16;
/** How many more than wanted the guess should leave. */
const SPARE = 1.25;

/**
 * The `count` largest positive entries of block.z (of equal ones the first by row and feature), by row and ascending
 * feature; all positive ones where there are fewer. Values have `norms` divided out.
 */
export function batchTopKEntries(block: Block, count: number, norms: Float64Array | undefined): BatchTopK {
  const guess = guessOf(block, count);
  const above = (bound: number): RowEntries =>
    entriesBy({ kind: 'above', bound }, block.memory, block.rows, undefined, 2 * count);
  let candidates = above(guess);
  if (guess > 0 && candidates.indptr[block.rows] < count) candidates = above(0);
  return largestOf(candidates, count, norms);
}

/** The `count` largest of positive entries. */
export function largestOf(candidates: RowEntries, count: number, norms: Float64Array | undefined): BatchTopK {
  const { rows, indptr: from } = candidates;
  const { bound, ties } = boundOf(candidates.values.subarray(0, from[rows]), count);
  const total = Math.min(count, from[rows]);
  const indptr = new Uint32Array(rows + 1);
  const features = new Int32Array(total);
  const values = new Float32Array(total);
  let at = 0;
  let left = ties;
  let least = Infinity;
  for (let i = 0; i < rows; i++) {
    for (let e = from[i]; e < from[i + 1]; e++) {
      const value = candidates.values[e];
      if (value < bound || (value === bound && left-- <= 0)) continue;
      if (value < least) least = value;
      const f = candidates.features[e];
      features[at] = f;
      values[at++] = norms ? value / norms[f] : value;
    }
    indptr[i + 1] = at;
  }
  return { entries: { rows, indptr, features, values }, least: total > 0 ? least : undefined };
}

/** A bound that rows of the block, evenly spread, say somewhat more than `count` entries are above. */
function guessOf({ z, rows, memory: { cols: dSae } }: Block, count: number): number {
  const step = Math.max(1, Math.floor((rows * dSae) / SAMPLE));
  // Whole rows: features differ, tokens resemble each other.
  const sample = new Float32Array(Math.ceil(rows / step) * dSae);
  for (let i = 0, at = 0; i < rows; i += step, at += dSae) sample.set(z.subarray(i * dSae, (i + 1) * dSae), at);
  return boundOf(sample, Math.ceil((SPARE * count * sample.length) / (rows * dSae))).bound;
}

/** The count-th largest positive value, and how many equal to it are among the first `count`; 0 where there are fewer. */
function boundOf(z: Float32Array, count: number): { bound: number; ties: number } {
  const bits = new Uint32Array(z.buffer, z.byteOffset, z.length);
  const bins = new Uint32Array(BINS);
  // NaN and negative numbers have other bits; +0 lies in bin 0, whose numbers are looked at one by one.
  for (let i = 0; i < bits.length; i++) {
    const bin = bits[i] >>> 16;
    if (bin <= INFINITE) bins[bin]++;
  }
  bins[0] = 0;
  for (let i = 0; i < z.length; i++) if (bits[i] >>> 16 === 0 && z[i] > 0) bins[0]++;
  const positive = bins.reduce((sum, n) => sum + n, 0);
  if (positive <= count) return { bound: 0, ties: 0 };
  let above = 0;
  let bin = BINS - 1;
  while (above + bins[bin] < count) above += bins[bin--];
  const candidates = new Float32Array(bins[bin]);
  let at = 0;
  for (let i = 0; i < z.length; i++) if (bits[i] >>> 16 === bin && z[i] > 0) candidates[at++] = z[i];
  candidates.sort();
  const bound = candidates[candidates.length - (count - above)];
  const equal = candidates.reduce((sum, value) => sum + (value === bound ? 1 : 0), 0);
  const larger = above + candidates.reduce((sum, value) => sum + (value > bound ? 1 : 0), 0);
  return { bound, ties: Math.min(equal, count - larger) };
}
