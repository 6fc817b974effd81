import { describe, expect, it } from 'vitest';
import { toF16 } from '#kernel/io/half.js';

/** The value of a half, by the definition of IEEE 754: (−1)^s · 2^(e − 15) · 1.m, or 2^−14 · 0.m. */
function valueOf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = (half & 0x3ff) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction));
}

describe('float to half', () => {
  it('gives each of the 65,536 halves back; NaN stays NaN', () => {
    const wrong: number[] = [];
    for (let half = 0; half < 0x10000; half++) {
      const value = valueOf(half);
      const back = toF16(value);
      // Every NaN is one: which bits it has is not kept.
      if (Number.isNaN(value) ? !Number.isNaN(valueOf(back)) : back !== half) wrong.push(half);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest, ties to even, between all neighbours', () => {
    const wrong: number[] = [];
    for (let half = 0; half < 0x7bff; half++) {
      const [low, high] = [valueOf(half), valueOf(half + 1)];
      const middle = (low + high) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      const step = (high - low) / 1024;
      const rounded = [toF16(middle), toF16(middle - step), toF16(middle + step), toF16(-middle)];
      if (rounded.join() !== [even, half, half + 1, even | 0x8000].join()) wrong.push(half);
    }
    expect(wrong).toEqual([]);
  });

  it('overflows to infinity from the middle between the largest half and the next power of two', () => {
    expect(toF16(65504)).toBe(0x7bff);
    expect(toF16(65519.996)).toBe(0x7bff);
    expect(toF16(65520)).toBe(0x7c00);
    expect(toF16(-65520)).toBe(0xfc00);
    expect(toF16(3e38)).toBe(0x7c00);
    expect(toF16(1e300)).toBe(0x7c00);
    expect(toF16(-Infinity)).toBe(0xfc00);
  });

  it('rounds what is at most half of the smallest subnormal to a zero of its sign', () => {
    expect(toF16(2 ** -24)).toBe(1);
    expect(toF16(2 ** -25)).toBe(0);
    expect(toF16(2 ** -25 * (1 + 2 ** -20))).toBe(1);
    expect(toF16(3 * 2 ** -25)).toBe(2);
    expect(toF16(-(2 ** -26))).toBe(0x8000);
    expect(toF16(-0)).toBe(0x8000);
    expect(toF16(2 ** -149)).toBe(0);
  });
});
