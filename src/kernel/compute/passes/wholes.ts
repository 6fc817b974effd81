/** The encoder where a pass reads it, as it is and as 8-bit integers: what estimates of products are made of (largest.ts). */
import { kernelsOf, type SharedMemory } from '../shared/memory.js';
import { inFours, TURNED } from '../shared/knnFields.js';
import type { Phase } from '../shared/pieces.js';
import { SIGNED, toWhole, turn, type Whole } from '../shared/wholes.js';
import { benchOf, TILE, type Bench, type PassShape } from './memory.js';

export interface WholesParameters {
  readonly shape: PassShape;
  /** [features × d_in] */
  readonly encoder: Float32Array;
  /** [features × d_out] */
  readonly decoder: Float32Array;
  /** Largest size of the unsigned integers of rows; 0: none are made. */
  readonly whole: number;
}

export interface Row extends Whole {
  length: number;
}

/** A row at an address as integers, in place `slot` of the thread's own and, unsigned, in `unsigned`. */
export function rowAsWhole(memory: SharedMemory, bench: Bench, d: number) {
  const kernels = kernelsOf(memory);
  const { row, quantised, unsigned, wholeSums } = bench.own;
  return (at: number, most: number, slot: number): Row => {
    const square = kernels.shift(at, d, bench.none.byteOffset, 1, row.byteOffset);
    const q = quantised.byteOffset + slot * inFours(d);
    const given = { d, square, most, zero: most + 1 };
    return {
      ...toWhole(kernels, row, given, q, unsigned.byteOffset, wholeSums),
      length: Math.sqrt(square),
    };
  };
}

export function wholes(memory: SharedMemory, { shape, encoder, decoder, whole }: WholesParameters): Phase {
  const bench = benchOf(memory, shape);
  const { dIn, dOut, features } = shape;
  const asWhole = rowAsWhole(memory, bench, dIn);
  return {
    control: bench.control,
    pieces: Math.ceil(features / TILE),
    work(tile) {
      const from = tile * TILE;
      const width = Math.min(TILE, features - from);
      bench.decoder.set(decoder.subarray(from * dOut, (from + width) * dOut), from * dOut);
      bench.encoder.set(encoder.subarray(from * dIn, (from + width) * dIn), from * dIn);
      for (let first = 0; first < width; first += TURNED) {
        const some = Math.min(TURNED, width - first);
        for (let slot = 0; slot < some; slot++) {
          const f = from + first + slot;
          const { scale, error, sum, length } = asWhole(bench.encoder.byteOffset + 4 * f * dIn, SIGNED, slot);
          bench.scales[f] = scale;
          bench.ratios[f] = length > 0 ? error / length : length;
          bench.zeros[f] = (whole + 1) * sum;
          bench.lengths[f] = length;
        }
        if (whole) turn(bench.own.quantised, inFours(dIn), some, bench.wholes, from * dIn + first, dIn, width);
      }
    },
  };
}
