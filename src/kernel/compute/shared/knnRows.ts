/**
 * Rows for the search of neighbours (knn.ts beside this), in two phases: sums and bounds of their columns; then their
 * squared lengths and, where `whole` is not 0, 8-bit integers.
 */
import { powerBelow } from '../matrix.js';
import {
  factorOf,
  inFours,
  knnFields,
  SEATS,
  SUMS,
  TILE,
  TURNED,
  type KnnParameters,
  type KnnViews,
} from './knnFields.js';
import { kernelsOf, viewsOf, type Kernels, type SharedMemory } from './memory.js';
import type { Phase } from './pieces.js';
import { toWhole, turn, SIGNED, type Whole } from './wholes.js';

/** Sums and bounds of the columns, tile by tile. */
export function measure(memory: SharedMemory, p: KnnParameters): Phase {
  const m = viewsOf(memory, knnFields(p));
  const kernels = kernelsOf(memory);
  const wide = inFours(p.d);
  return {
    control: m.control,
    pieces: Math.ceil(p.n / TILE),
    work(tile) {
      const rows = Math.min(TILE, p.n - tile * TILE);
      const at = wide * tile;
      m.columnLeast.fill(Infinity, at, at + wide);
      m.columnMost.fill(-Infinity, at, at + wide);
      const [least, most] = [m.columnLeast.byteOffset + 4 * at, m.columnMost.byteOffset + 4 * at];
      kernels.columns(m.x.byteOffset + 4 * tile * TILE * p.d, rows, p.d, m.columnSums.byteOffset + 8 * at, least, most);
    },
  };
}

/**
 * Means of the columns, and a power of two near the largest difference from them; undefined where an entry is no finite
 * number, of which there is no finite sum.
 */
export function measured(m: KnnViews, { n, d }: KnnParameters): { mean: Float64Array; unit: number } | undefined {
  const mean = new Float64Array(d);
  const wide = inFours(d);
  let largest = 0;
  for (let j = 0; j < d; j++) {
    let [least, most] = [Infinity, -Infinity];
    for (let at = j; at < m.columnSums.length; at += wide) {
      mean[j] += m.columnSums[at];
      least = Math.min(least, m.columnLeast[at]);
      most = Math.max(most, m.columnMost[at]);
    }
    if (!Number.isFinite(mean[j])) return undefined;
    mean[j] /= n;
    largest = Math.max(largest, mean[j] - least, most - mean[j]);
  }
  return { mean, unit: powerBelow(largest) };
}

/** Squares of the rows; as integers, unsigned around whole + 1 (left) and signed (right, turned, tile by tile). */
class Quantiser {
  readonly #m: KnnViews;
  readonly #kernels: Kernels;
  readonly #wide: number;
  /** Integers of some rows. */
  readonly #wholes: Int8Array;
  readonly #row: Float32Array;
  readonly #unsigned: Uint8Array;
  readonly #sums: Float64Array;

  constructor(
    memory: SharedMemory,
    m: KnnViews,
    private readonly p: KnnParameters,
  ) {
    this.#m = m;
    this.#kernels = kernelsOf(memory);
    const seat = Atomics.add(m.control, SEATS, 1);
    const part = <A extends { subarray(from: number, to: number): A }>(all: A, length: number): A =>
      all.subarray(seat * length, (seat + 1) * length);
    const wide = (this.#wide = inFours(p.d));
    this.#wholes = part(m.wholes, TURNED * wide);
    this.#row = part(m.row, wide + 4);
    this.#unsigned = part(m.unsigned, wide);
    this.#sums = part(m.sums, SUMS);
  }

  /** Puts row r, shifted and in units, into `row`. */
  #prepare(r: number): void {
    const { d, metric } = this.p;
    const m = this.#m;
    const at = m.x.byteOffset + 4 * r * d;
    if (metric === 'cosine') {
      this.#kernels.exact(at, at, at, d, 1, this.#sums.byteOffset);
      m.lengths[r] = Math.sqrt(this.#sums[0]);
    }
    const factor = factorOf(m, this.p, r);
    const square = this.#kernels.shift(at, d, m.shift.byteOffset, factor, this.#row.byteOffset);
    m.squares[r] = metric === 'cosine' && square === 0 ? 1 : square;
    m.squares32[r] = m.squares[r];
    m.limits[r] = Infinity;
    m.scaleLeft[r] = m.scaleRight[r] = 1;
  }

  #toWhole(r: number, most: number, zero: number, slot: number): Whole {
    const [q, left] = [this.#wholes.byteOffset + slot * this.#wide, this.#unsigned.byteOffset];
    return toWhole(this.#kernels, this.#row, { d: this.p.d, square: this.#m.squares[r], most, zero }, q, left, this.#sums); // prettier-ignore
  }

  #asWhole(r: number, slot: number): void {
    const m = this.#m;
    const { d, whole } = this.p;
    const left = this.#toWhole(r, whole, whole + 1, slot);
    m.left.set(this.#unsigned.subarray(0, d), r * d);
    const right = whole === SIGNED ? left : this.#toWhole(r, SIGNED, 0, slot);
    [m.scaleLeft[r], m.errorLeft[r]] = [left.scale, left.error];
    [m.scaleRight[r], m.errorRight[r]] = [right.scale, right.error];
    m.zero[r] = (whole + 1) * right.sum;
  }

  /** Rows from … from + width − 1, which are a tile. */
  tile(from: number, width: number): void {
    const { d, whole } = this.p;
    for (let first = 0; first < width; first += TURNED) {
      const some = Math.min(TURNED, width - first);
      for (let slot = 0; slot < some; slot++) {
        this.#prepare(from + first + slot);
        if (whole) this.#asWhole(from + first + slot, slot);
      }
      if (!whole) continue;
      turn(this.#wholes, this.#wide, some, this.#m.right, from * d + first, d, width);
    }
  }
}

export function quantise(memory: SharedMemory, p: KnnParameters): Phase {
  const m = viewsOf(memory, knnFields(p));
  let own: Quantiser | undefined;
  return {
    control: m.control,
    pieces: Math.ceil(p.n / TILE),
    work(tile) {
      own ??= new Quantiser(memory, m, p);
      own.tile(tile * TILE, Math.min(TILE, p.n - tile * TILE));
    },
  };
}
