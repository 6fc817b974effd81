import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { landmarks, PointDistances } from '#kernel/mapper/landmarks.js';
import { describeSample, ripsPersistence } from '#kernel/mapper/ripsSample.js';

function circle(n: number, noise: number, seed: number, d = 2): Matrix {
  const random = new Random(seed);
  const x = matrix(n, d);
  for (let i = 0; i < n; i++) {
    const t = 2 * Math.PI * random.next();
    for (let j = 0; j < d; j++)
      x.data[i * d + j] = (j === 0 ? Math.cos(t) : j === 1 ? Math.sin(t) : 0) + noise * random.normal();
  }
  return x;
}

describe('landmarks', () => {
  it('maxmin takes the farthest point again and again, and reports the covering radius', async () => {
    const x = matrix(6, 1, Float32Array.of(0, 1, 2, 10, 11, 30));
    const points = new PointDistances(x, 'euclidean');
    const { ids, coveringRadius } = await landmarks(points, 3, 'maxmin', 1);
    const brute = Math.max(...[0, 1, 2, 3, 4, 5].map((i) => Math.min(...[...ids].map((l) => points.between(i, l)))));
    expect(coveringRadius).toBe(brute);
    expect(brute).toBeLessThanOrEqual(2);
    expect(ids).toContain(5);
    expect(await landmarks(points, 3, 'maxmin', 1)).toEqual({ ids, coveringRadius });
  });

  it('random: covering radius of a plain sample; all points when there are no more', async () => {
    const x = circle(40, 0.1, 2);
    const points = new PointDistances(x, 'euclidean');
    const { ids, coveringRadius } = await landmarks(points, 7, 'random', 3);
    expect(new Set(ids).size).toBe(7);
    const all = Array.from({ length: 40 }, (_, i) => i);
    expect(coveringRadius).toBe(Math.max(...all.map((i) => Math.min(...[...ids].map((l) => points.between(i, l))))));
    expect((await landmarks(points, 40, 'random', 3)).coveringRadius).toBe(0);
  });

  it('stops when every point equals a landmark', async () => {
    const points = new PointDistances(matrix(5, 1, Float32Array.of(1, 1, 2, 2, 2)), 'euclidean');
    const { ids, coveringRadius } = await landmarks(points, 4, 'maxmin', 0);
    expect([ids.length, coveringRadius]).toEqual([2, 0]);
  });

  it('cosine distances: one minus the cosine, zero rows at 1', () => {
    const points = new PointDistances(matrix(4, 2, Float32Array.of(1, 0, 3, 3, 0, 0, -2, 0)), 'cosine');
    expect(points.between(0, 1)).toBeCloseTo(1 - Math.SQRT1_2, 12);
    expect(points.between(0, 3)).toBeCloseTo(2, 12);
    expect([points.between(0, 2), points.between(2, 2)]).toEqual([1, 0]);
  });
});

describe('ripsPersistence', () => {
  it('finds the loop of a noisy circle in 10 dimensions, beyond every null run', async () => {
    const r = await ripsPersistence(circle(120, 0.04, 5, 10), { landmarks: 60, nulls: 19, seed: 4 });
    const [first, second] = [0, 1].map((i) => r.dims[1].deaths[i] - r.dims[1].births[i]);
    expect(first).toBeGreaterThan(0.8);
    expect(second).toBeLessThan(0.3);
    expect(r.dims[1].p[0]).toBe(1 / 20);
    expect(r.dims[1].nullLongest.length).toBe(19);
    expect(r.errorBound).toBe(2 * r.coveringRadius);
    expect(describeSample(r)).toMatch(/60 landmarks of 120 points \(maxmin, seed 4\); covering radius 0\.\d+/);
  });

  it('landmarks move the ends of long bars by no more than the bound', async () => {
    const x = circle(150, 0.02, 6);
    const all = await ripsPersistence(x, { nulls: 0 });
    const some = await ripsPersistence(x, { nulls: 0, landmarks: 50 });
    expect(all.errorBound).toBe(0);
    expect(Math.abs(all.dims[1].births[0] - some.dims[1].births[0])).toBeLessThanOrEqual(some.errorBound);
    expect(Math.abs(all.dims[1].deaths[0] - some.dims[1].deaths[0])).toBeLessThanOrEqual(some.errorBound);
  });

  it('p of the longest loop of data without shape is spread over its range', async () => {
    const ps: number[] = [];
    for (let seed = 0; seed < 12; seed++) {
      const random = new Random(1000 + seed);
      const x = matrix(40, 3);
      random.normals(x.data);
      const r = await ripsPersistence(x, { nulls: 9, null: 'gaussian', seed: 50 * seed });
      ps.push(r.dims[1].p[0]);
    }
    // Uniform on 0.1 … 1: 12 values at or below 0.2 six times or more has probability 0.02 under p = 0.2.
    expect(ps.filter((p) => p <= 0.2).length).toBeLessThan(7);
    expect(ps.filter((p) => p >= 0.5).length).toBeGreaterThan(2);
  });

  it('takes distances, counts rows with NaN, and is defined for none and one', async () => {
    const d = matrix(3, 3, Float32Array.of(0, 1, 4, 1, 0, 2, 4, 2, 0));
    const r = await ripsPersistence(d, { precomputed: true });
    expect([...r.dims[0].deaths]).toEqual([Infinity, 2, 1]);
    expect(r.null.runs).toBe(0);
    const holed = await ripsPersistence(matrix(3, 1, Float32Array.of(0, NaN, 2)), { nulls: 0 });
    expect([holed.points, holed.excluded, [...holed.landmarks]]).toEqual([3, 1, [0, 2]]);
    expect((await ripsPersistence(matrix(0, 2))).dims[0].births.length).toBe(0);
    expect((await ripsPersistence(matrix(1, 2))).dims[0].births.length).toBe(1);
  });

  it('refuses what it cannot mean', async () => {
    const x = matrix(3, 3, Float32Array.of(0, 1, 4, 2, 0, 2, 4, 2, 0));
    await expect(ripsPersistence(x, { precomputed: true })).rejects.toThrow(/\[1, 0\] and \[0, 1\] are 2 and 1/);
    await expect(ripsPersistence(x, { precomputed: true, nulls: 5 })).rejects.toThrow(/null data/);
  });
});
