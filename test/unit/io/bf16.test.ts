/** bfloat16 by its definition: of all its numbers the nearest, and of two as near the one whose last bit is 0. */
import { expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { toBf16 } from '#kernel/io/half.js';
import { toFloat32 } from '#kernel/io/ndarray.js';

const back = (bits: Uint16Array): Float32Array => toFloat32({ dtype: 'BF16', shape: [bits.length], data: bits });

it('rounds to the nearest bfloat16, ties to even', () => {
  const random = new Random(1);
  const values = Float32Array.from({ length: 2000 }, () => random.normal() * 2 ** Math.round(40 * random.normal()));
  const bits = toBf16(values);
  const here = back(bits);
  const [below, above] = [-1, 1].map((step) => back(bits.map((b) => b + step)));
  values.forEach((value, i) => {
    const distance = Math.abs(value - here[i]);
    expect(distance).toBeLessThanOrEqual(Math.min(Math.abs(value - below[i]), Math.abs(value - above[i])));
  });
  const ties = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8, 3 * 2 ** -134);
  expect([...back(toBf16(ties))]).toEqual([1, 1 + 2 ** -6, -1, 2 ** -132]);
});

it('keeps zeros with their sign, infinities and NaN, and rounds what is too large to an infinity', () => {
  const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
  expect([...back(toBf16(nan))]).toEqual([NaN, NaN]);
  const values = Float32Array.of(0, -0, Infinity, -Infinity, 3.4e38);
  expect([...back(toBf16(values))]).toEqual([0, -0, Infinity, -Infinity, Infinity]);
});
