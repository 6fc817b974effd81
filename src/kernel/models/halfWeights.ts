/** Weights kept in 16 bits (bfloat16) outside the device's memory, and widened to float32 when a layer runs. */
import { tf } from '../compute/tf.js';
import { fromBf16 } from '../io/ndarray.js';

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
