import { describe, expect, it } from 'vitest';
import { sha256 } from '#kernel/io/hash.js';
import { fromBf16, ndarray, toBf16, type NdArray } from '#kernel/io/ndarray.js';
import { toF16 } from '#kernel/io/half.js';
import { narrow, widenedPieces } from '#kernel/models/halfWeights.js';
import { normals } from '#test/kit/numbers.js';

const next = normals(5);
/** More than two pieces. */
const values = Float32Array.from({ length: 2.5 * 2 ** 20 }, next);
const shape = [5, values.length / 5];
const refuse = (value: number, at: number): Error => new Error(`${value} at ${at}`);

const same = (a: Uint16Array, b: Uint16Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

const STORED: Record<string, [NdArray, Float32Array]> = {
  F32: [ndarray('F32', shape, values), values],
  F64: [ndarray('F64', shape, Float64Array.from(values)), values],
  F16: [
    ndarray('F16', shape, Uint16Array.from(values, toF16)),
    Float32Array.from(values, (v) => {
      // Halves are exact in float32: the nearest of 11 bits of mantissa.
      const unit = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(v)))) - 10);
      const steps = Math.abs(v) / unit;
      const even = 2 * Math.round(steps / 2);
      return Math.sign(v) * unit * (steps % 1 === 0.5 ? even : Math.round(steps));
    }),
  ],
};

describe('weights in 16 bits', () => {
  it.each(Object.keys(STORED))('of %s are the nearest bfloat16, over all pieces', (dtype) => {
    const [stored, exact] = STORED[dtype];
    expect(same(narrow(stored, refuse), toBf16(exact))).toBe(true);
  });

  it('of bfloat16 are the memory that was read, unless that holds more', () => {
    const bits = toBf16(values);
    expect(narrow(ndarray('BF16', shape, bits), refuse) === bits).toBe(true);
    const larger = new Uint16Array(bits.length + 100);
    larger.set(bits, 50);
    const own = narrow(ndarray('BF16', shape, larger.subarray(50, 50 + bits.length)), refuse);
    expect(same(own, bits)).toBe(true);
    expect(own.buffer.byteLength).toBe(2 * bits.length);
  });

  it.each([
    ['F32', NaN],
    ['F32', Infinity],
    // Infinite in 16 bits.
    ['F32', 3.4e38],
    ['F64', -Infinity],
    ['BF16', NaN],
    ['BF16', -Infinity],
  ] as const)('of %s with %d are refused with its place', (dtype, bad) => {
    const at = 2 ** 20 + 7;
    const given = Float32Array.from(values);
    given[at] = bad;
    // Rounding would make a number of NaN's lowest bits: its own pattern.
    const bits = toBf16(given);
    if (Number.isNaN(bad)) bits[at] = 0x7fc0;
    const data = dtype === 'BF16' ? bits : dtype === 'F64' ? Float64Array.from(given) : given;
    expect(() => narrow(ndarray(dtype, shape, data), refuse)).toThrow(/^(NaN|-?Infinity|3\.39\d+e\+38) at 1048583$/);
  });

  it('hash as their float32 values do whole', () => {
    const bits = toBf16(values);
    expect(sha256(['w', widenedPieces(bits)])).toBe(sha256(['w', fromBf16(bits)]));
    expect(sha256([widenedPieces(new Uint16Array(0))])).toBe(sha256([new Float32Array(0)]));
  });
});
