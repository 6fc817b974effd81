import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm, transposed } from '#kernel/compute/gemm.js';
import { bestOdd } from '#kernel/compute/bestOdd.js';
import { nuclearNorm } from '#kernel/compute/nuclearNorm.js';
import { Random } from '#kernel/compute/random.js';
import { svdThin } from '#kernel/compute/svd.js';

beforeAll(initGemm);

const normals = (n: number, seed: number): Float32Array => new Random(seed).normals(new Float32Array(n));

/** The sum of the singular values by one-sided Jacobi in float64. */
const exact = (m: Float32Array, p: number, q: number): number =>
  svdThin(Float64Array.from(p <= q ? m : transposed(m, p, q)), Math.min(p, q), Math.max(p, q)).S.reduce(
    (sum, s) => sum + s,
    0,
  );

/** p × q with these singular values, between the orthonormal factors of normal matrices. */
function withValues(values: readonly number[], q: number, seed: number): Float32Array {
  const p = values.length;
  const left = svdThin(Float64Array.from(normals(p * p, seed)), p, p).U;
  const right = svdThin(Float64Array.from(normals(q * p, seed + 1)), q, p).U;
  const m = new Float32Array(p * q);
  for (let i = 0; i < p; i++)
    for (let j = 0; j < q; j++)
      m[i * q + j] = values.reduce((sum, s, k) => sum + left[i * p + k] * s * right[j * p + k], 0);
  return m;
}

describe('nuclearNorm', () => {
  it.each([
    ['wide', 40, 60],
    ['square, with values down to zero', 48, 48],
    ['tall', 60, 40],
    ['one row', 1, 30],
    ['one entry', 1, 1],
  ])('is the sum of the singular values: %s', async (_, p, q) => {
    const m = normals(p * q, p + q);
    const sum = exact(m, p, q);
    expect(Math.abs((await nuclearNorm(m, p, q)) - sum) / sum).toBeLessThan(1e-5);
  });

  it.each<[string, number[]]>([
    ['all equal', Array.from({ length: 20 }, () => 0.3)],
    ['one large beside many small', [1, ...Array.from({ length: 19 }, () => 0.01)]],
    ['of rank 3', [0.9, 0.5, 0.2, ...Array.from({ length: 17 }, () => 0)]],
    ['over six decades', Array.from({ length: 20 }, (_, i) => 10 ** (-i / 3))],
  ])('with singular values %s', async (_, values) => {
    const sum = values.reduce((s, v) => s + v, 0);
    expect(Math.abs((await nuclearNorm(withValues(values, 30, 5), 20, 30)) - sum) / sum).toBeLessThan(2e-4);
  });

  it('takes matrices of any scale, and a guess of the smallest value that is far too high', async () => {
    const m = normals(20 * 30, 3);
    const sum = exact(m, 20, 30);
    for (const scale of [1e-25, 1e25])
      expect(
        (await nuclearNorm(
          m.map((v) => v * scale),
          20,
          30,
        )) /
          scale /
          sum,
      ).toBeCloseTo(1, 5);
    expect((await nuclearNorm(m, 20, 30, 10)) / sum).toBeCloseTo(1, 5);
  });

  it('is 0 of zeros and of nothing, and refuses what is not finite', async () => {
    expect(await nuclearNorm(new Float32Array(12), 3, 4)).toBe(0);
    expect(await nuclearNorm(new Float32Array(0), 0, 4)).toBe(0);
    await expect(nuclearNorm(Float32Array.of(1, NaN, 0, 1), 2, 2)).rejects.toThrow(/not finite/);
  });

  it('goes by polynomials whose error is equal at one point more than they have terms, and nowhere larger', () => {
    for (const low of [1e-3, 0.05, 0.5, 0.9])
      for (const terms of [3, 4, 5]) {
        const { coefficients, error } = bestOdd(low, terms);
        const off = (x: number): number => 1 - coefficients.reduce((sum, c, i) => sum + c * x ** (2 * i + 1), 0);
        const peaks: number[] = [];
        for (let i = 0; i <= 2000; i++) {
          const e = off(low + ((1 - low) * i) / 2000);
          // Between the points of the exchange the error is larger by less than this share.
          expect(Math.abs(e)).toBeLessThan(1.002 * error + 1e-12);
          if (Math.abs(e) > 0.99 * error && Math.sign(e) !== Math.sign(peaks[peaks.length - 1] ?? 0)) peaks.push(e);
        }
        expect(peaks).toHaveLength(terms + 1);
      }
  });

  it('close to 1 goes by Taylor polynomials, whose error is below float32', () => {
    for (const terms of [3, 4, 5]) {
      const low = 1 - 0.9 * 10 ** (-9 / terms);
      const { coefficients, error } = bestOdd(low, terms);
      const off = 1 - coefficients.reduce((sum, c, i) => sum + c * low ** (2 * i + 1), 0);
      expect(Math.abs(off)).toBeLessThan(error);
      expect(error).toBeLessThan(6e-8);
    }
  });
});
