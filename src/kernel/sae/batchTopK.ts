/** The largest positive entries of a whole batch: what BatchTopK keeps. */
import type { Block } from './block.js';
import type { RowEntries } from './sparseGradient.js';

/** Bins of positive float32 numbers by the upper half of their bits, which order as the numbers do. */
const BINS = 0x8000;

export interface BatchTopK {
  entries: RowEntries;
  /** The least entry kept, in the units of block.z; undefined where nothing is positive. */
  least: number | undefined;
}

/**
 * The `count` largest positive entries of block.z (of equal ones the first by row and feature), by row and ascending
 * feature; all positive ones where there are fewer. Values have `norms` divided out.
 */
export function batchTopKEntries(
  block: Block,
  dSae: number,
  count: number,
  norms: Float64Array | undefined,
): BatchTopK {
  const { z, rows } = block;
  const { bound, positive, ties } = boundOf(z, count);
  const total = Math.min(count, positive);
  const indptr = new Uint32Array(rows + 1);
  const features = new Int32Array(total);
  const values = new Float32Array(total);
  let at = 0;
  let left = ties;
  let least = Infinity;
  for (let i = 0; i < rows; i++) {
    for (let f = 0, from = i * dSae; f < dSae; f++, from++) {
      const value = z[from];
      if (!(value >= bound) || !(value > 0)) continue;
      if (value === bound && left-- <= 0) continue;
      if (value < least) least = value;
      features[at] = f;
      values[at++] = norms ? value / norms[f] : value;
    }
    indptr[i + 1] = at;
  }
  return { entries: { rows, indptr, features, values }, least: total > 0 ? least : undefined };
}

/** The count-th largest positive value, how many are positive at all, and how many equal to it are among the first `count`. */
function boundOf(z: Float32Array, count: number): { bound: number; positive: number; ties: number } {
  const bits = new Uint32Array(z.buffer, z.byteOffset, z.length);
  const bins = new Uint32Array(BINS);
  // NaN and negative numbers have other bits; +0 lies in bin 0, whose numbers are looked at one by one.
  for (let i = 0; i < bits.length; i++) {
    const bin = bits[i] >>> 16;
    if (bin < 0x7f80) bins[bin]++;
  }
  bins[0] = 0;
  for (let i = 0; i < z.length; i++) if (bits[i] >>> 16 === 0 && z[i] > 0) bins[0]++;
  const positive = bins.reduce((sum, n) => sum + n, 0);
  if (positive <= count) return { bound: 0, positive, ties: 0 };
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
  return { bound, positive, ties: Math.min(equal, count - larger) };
}
