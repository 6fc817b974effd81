/** Rows of float32 as multiples of rows of 8-bit integers, of which ONNX Runtime makes exact products of uint8 and int8. */
import { openSession, type NativeSession } from '../ort.js';
import { inFours } from './knnFields.js';
import type { Kernels } from './memory.js';

/** Largest size of the right integers, which have a sign. */
export const SIGNED = 127;
/** Beyond this many columns, sums of products of 8 bits could overflow 32. */
export const MOST_COLUMNS = 60_000;

/** A row as integers: its scale, the length of its error, and the sum of the integers. */
export interface Whole {
  scale: number;
  error: number;
  sum: number;
}

/**
 * The nearest multiple of a row of integers. The scale is the least-squares one, so that the error has no part along the
 * row itself, which would not be random among its neighbours.
 *
 * @param row as the kernel `shift` wrote it: filled up to a full four, its largest size behind that
 * @param given `square`: its squared length; `most`: the largest integer; `zero`: what is added for the unsigned ones
 * @param q address of the integers; `left` that of the unsigned ones
 */
export function toWhole(
  kernels: Kernels,
  row: Float32Array,
  given: { d: number; square: number; most: number; zero: number },
  q: number,
  left: number,
  sums: Float64Array,
): Whole {
  const { d, square, most, zero } = given;
  const largest = row[inFours(d)];
  kernels.whole(row.byteOffset, d, largest > 0 ? most / largest : 0, q, left, zero, sums.byteOffset);
  const [vq, qq, sum] = sums;
  if (qq === 0) return { scale: 1, error: 0, sum };
  const scale = Math.fround(vq / qq);
  return { scale, error: Math.sqrt(Math.max(0, square - 2 * scale * vq + scale * scale * qq)), sum };
}

/** Writes `count` rows of `wholes`, each in fours, as columns of a matrix of `width` columns from `to` on. */
export function turn(
  wholes: Int8Array,
  wide: number,
  count: number,
  to: Int8Array,
  at: number,
  d: number,
  width: number,
): void {
  for (let j = 0; j < d; j++, at += width)
    for (let slot = 0, from = j; slot < count; slot++, from += wide) to[at + slot] = wholes[from];
}

/** C = A · B of uint8 and int8, or A · Bᵀ of float32, on one thread. */
export function openTileProduct(whole: boolean): NativeSession {
  const [inputs, output] = [['a', 'b'], 'c'];
  if (whole) {
    const types = { a: 'uint8', b: 'int8', c: 'int32' } as const;
    return openSession({ nodes: [{ op: 'MatMulInteger', inputs, output }], inputs, outputs: [output], types }, 1);
  }
  const attributes = { transA: 0, transB: 1 };
  const node = { op: 'FusedMatMul', inputs, output, attributes, domain: 'com.microsoft' } as const;
  return openSession({ nodes: [node], inputs, outputs: [output] }, 1);
}

let whole: number | undefined;

/**
 * Largest size of the left integers. Processors without VNNI add pairs of products in 16 bits, which 8-bit factors
 * overflow; 0 where even 7 bits are multiplied wrongly.
 */
export function largestWhole(): number {
  if (whole !== undefined) return whole;
  const product = openTileProduct(true);
  try {
    whole = [127, 63].find((most) => {
      const c = new Int32Array(64 * 64);
      const a = new Uint8Array(64 * 64).fill(2 * most + 1);
      product.run({ a: [a, [64, 64]], b: [new Int8Array(64 * 64).fill(127), [64, 64]] }, { c: [c, [64, 64]] });
      return c.every((v) => v === 64 * (2 * most + 1) * 127);
    });
  } finally {
    product.close();
  }
  return (whole ??= 0);
}
