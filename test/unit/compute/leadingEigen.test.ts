import { describe, expect, it } from 'vitest';
import { leadingEigen } from '#kernel/compute/leadingEigen.js';
import { symmetricEigen } from '#kernel/compute/linalg.js';
import { Random } from '#kernel/compute/random.js';

/** Q diag(values) Qᵀ with Q a product of reflections, and the columns of Q. */
function withSpectrum(values: readonly number[], seed: number): { a: Float64Array; q: Float64Array } {
  const d = values.length;
  const random = new Random(seed);
  const q = new Float64Array(d * d);
  for (let i = 0; i < d; i++) q[i * d + i] = 1;
  for (let r = 0; r < 3; r++) {
    const u = Float64Array.from({ length: d }, () => random.normal());
    const square = u.reduce((sum, x) => sum + x * x, 0);
    for (let i = 0; i < d; i++) {
      let along = 0;
      for (let j = 0; j < d; j++) along += q[i * d + j] * u[j];
      for (let j = 0; j < d; j++) q[i * d + j] -= (2 * along * u[j]) / square;
    }
  }
  const a = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += values[c] * q[i * d + c] * q[j * d + c];
      a[i * d + j] = a[j * d + i] = sum;
    }
  return { a, q };
}

/** Largest part of the rows of `vectors` that lies outside the first `k` columns of q. */
function outside(vectors: Float64Array, q: Float64Array, d: number, k: number): number {
  let worst = 0;
  for (let c = 0; c < vectors.length / d; c++) {
    let inside = 0;
    for (let p = 0; p < k; p++) {
      let dot = 0;
      for (let i = 0; i < d; i++) dot += vectors[c * d + i] * q[i * d + p];
      inside += dot * dot;
    }
    worst = Math.max(worst, Math.abs(1 - inside));
  }
  return worst;
}

describe('leadingEigen', () => {
  it.each([
    ['falls slowly', (i: number) => 100 - i * 0.2],
    ['falls fast', (i: number) => 1e6 * 0.3 ** i],
    ['is nearly flat behind the first', (i: number) => (i === 0 ? 1000 : 1 + 0.001 * (300 - i))],
  ])('finds values and vectors where the spectrum %s', async (_name, value) => {
    const values = Array.from({ length: 300 }, (_, i) => value(i));
    const { a, q } = withSpectrum(values, 5);
    const found = await leadingEigen(a, 300, 3);
    found.values.forEach((v, c) => expect(Math.abs(v - values[c])).toBeLessThan(1e-12 * values[0]));
    for (let c = 0; c < 3; c++)
      expect(outside(found.vectors.subarray(c * 300, (c + 1) * 300), q, 300, c + 1)).toBeLessThan(1e-9);
  });

  it('finds a value that is there several times, as often as it is there', async () => {
    const values = Array.from({ length: 200 }, (_, i) => (i < 4 ? 7 : 1 / i));
    const { a, q } = withSpectrum(values, 6);
    const found = await leadingEigen(a, 200, 5);
    [7, 7, 7, 7, 1 / 4].forEach((v, c) => expect(found.values[c]).toBeCloseTo(v, 11));
    expect(outside(found.vectors.subarray(0, 4 * 200), q, 200, 4)).toBeLessThan(1e-12);
  });

  it('takes the identity, zeros and one entry', async () => {
    const identity = new Float64Array(400).map((_, i) => (i % 21 === 0 ? 1 : 0));
    for (const v of (await leadingEigen(identity, 20, 2)).values) expect(v).toBeCloseTo(1, 14);
    expect([...(await leadingEigen(new Float64Array(81), 9, 2)).values]).toEqual([0, 0]);
    expect([...(await leadingEigen(Float64Array.of(3), 1, 1)).values]).toEqual([3]);
  });

  it('gives all pairs when all are asked for', async () => {
    const { a } = withSpectrum([5, 4, 3, 2, 1, 0.5], 7);
    const found = await leadingEigen(a, 6, 6);
    symmetricEigen(a, 6).values.forEach((v, c) => expect(found.values[c]).toBeCloseTo(v, 12));
  });

  it('refuses NaN, a wrong length and a wrong k, and stops when aborted', async () => {
    await expect(leadingEigen(Float64Array.of(1, NaN, NaN, 1), 2, 1)).rejects.toThrow('entry [0, 1] is NaN');
    await expect(leadingEigen(new Float64Array(5), 2, 1)).rejects.toThrow('needs 4 values but got 5');
    await expect(leadingEigen(new Float64Array(4), 2, 3)).rejects.toThrow('k must be 1 to 2 but is 3');
    const { a } = withSpectrum(
      Array.from({ length: 300 }, (_, i) => 300 - i),
      8,
    );
    await expect(leadingEigen(a, 300, 2, { signal: AbortSignal.abort() })).rejects.toThrow('cancelled');
  });
});
