/** Weights kept in 16 bits (bfloat16) outside the device's memory, and widened to float32 when a layer runs. */
import { tf } from '../compute/tf.js';
import type { InPieces } from '../io/hash.js';
import { fromBf16, toBf16, toFloat32, type NdArray } from '../io/ndarray.js';

export interface HalfWeight {
  shape: number[];
  /** bfloat16: the upper half of a float32. */
  bits: Uint16Array;
}

/** The whole weight as a tensor of the caller's tidy. */
export const widen = ({ shape, bits }: HalfWeight): tf.Tensor => tf.tensor(fromBf16(bits), shape, 'float32');

/** Rows of a table [V, d] by id: [N, d]. */
export function widenRows({ shape, bits }: HalfWeight, ids: Int32Array): tf.Tensor2D {
  const width = shape[1];
  const rows = new Uint16Array(ids.length * width);
  for (let n = 0; n < ids.length; n++) rows.set(bits.subarray(ids[n] * width, (ids[n] + 1) * width), n * width);
  return tf.tensor2d(fromBf16(rows), [ids.length, width]);
}

/** Values widened at once by productByBlocks: 64 MB of float32. */
const BLOCK = 2 ** 24;

/** x [N, d] · tableᵀ → [N, V], a block of the table's rows at a time. */
export function productByBlocks(x: tf.Tensor2D, { shape: [rows, width], bits }: HalfWeight): tf.Tensor2D {
  const step = Math.max(1, Math.floor(BLOCK / width));
  const parts: tf.Tensor2D[] = [];
  for (let from = 0; from < rows; from += step) {
    const to = Math.min(rows, from + step);
    const part = fromBf16(bits.subarray(from * width, to * width));
    parts.push(tf.tidy(() => tf.matMul(x, tf.tensor2d(part, [to - from, width]), false, true)));
  }
  return parts.length === 1 ? parts[0] : tf.concat(parts, 1);
}

/** Values that are float32 at a time while a weight is read and hashed: 4 MB. */
const PIECE = 2 ** 20;

/** The first place whose value is not finite; -1 where all are. */
export function firstNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/**
 * A weight as a file has it (floats of any width) in 16 bits: bfloat16 stays the memory it was read into, others are
 * rounded piece by piece, so that no float32 copy of the whole is made.
 * @throws what `refuse` makes of the first value that is not finite, or too large for 16 bits, and its place
 */
export function narrow({ dtype, data }: NdArray, refuse: (value: number, at: number) => Error): Uint16Array {
  // A view of more than its own tensor would keep all of that alive.
  const whole = data.byteLength === data.buffer.byteLength;
  const stored = dtype === 'BF16' ? ((whole ? data : data.slice()) as Uint16Array) : undefined;
  const bits = stored ?? new Uint16Array(data.length);
  for (let from = 0; from < bits.length; from += PIECE) {
    const part = data.subarray(from, from + PIECE);
    const values = toFloat32({ dtype, shape: [part.length], data: part });
    let bad = firstNonFinite(values);
    if (bad < 0 && !stored) {
      bits.set(toBf16(values), from);
      bad = firstNonFinite(fromBf16(bits.subarray(from, from + part.length)));
    }
    if (bad >= 0) throw refuse(values[bad], from + bad);
  }
  return bits;
}

/** The float32 values of 16 bits, for a hash, a piece in memory at a time. */
export function widenedPieces(bits: Uint16Array): InPieces {
  return {
    byteLength: 4 * bits.length,
    pieces: (function* () {
      for (let from = 0; from < bits.length; from += PIECE) yield fromBf16(bits.subarray(from, from + PIECE));
    })(),
  };
}
