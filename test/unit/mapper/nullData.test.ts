import { describe, expect, it } from 'vitest';
import { svdThin } from '#kernel/compute/svd.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { NullData } from '#kernel/mapper/nullData.js';

/** Rows with unequal axes and a mean. */
function sample(n: number, d: number, seed: number): Matrix {
  const random = new Random(seed);
  const x = matrix(n, d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) x.data[i * d + j] = 3 - j + random.normal() / (1 + j);
  return x;
}

function means(x: Matrix): number[] {
  return Array.from({ length: x.cols }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < x.rows; i++) sum += x.data[i * x.cols + j];
    return sum / x.rows;
  });
}

function singularValues(x: Matrix): number[] {
  const mean = means(x);
  const centred = Float64Array.from(x.data, (v, e) => v - mean[e % x.cols]);
  // The thin SVD of the wide way round is that of the transpose.
  const [n, d] = [x.rows, x.cols];
  const tall = n >= d ? centred : Float64Array.from(centred, (_, e) => centred[(e % n) * d + Math.floor(e / n)]);
  return [...svdThin(tall, Math.max(n, d), Math.min(n, d)).S];
}

const close = (a: readonly number[], b: readonly number[], by: number): void => {
  expect(a.length).toBe(b.length);
  a.forEach((v, i) => expect(Math.abs(v - b[i])).toBeLessThan(by));
};

describe('NullData', () => {
  it.each([
    [60, 7],
    [8, 8],
    [6, 11],
  ])('rotated: %i × %i rows keep mean and singular values, and no direction', async (n, d) => {
    const x = sample(n, d, 1);
    const y = await new NullData(x, 'rotated').draw(5);
    close(means(y), means(x), 1e-5);
    close(singularValues(y), singularValues(x), 1e-4);
    expect(Math.max(...y.data.map((v, e) => Math.abs(v - x.data[e])))).toBeGreaterThan(0.1);
  });

  it('rotated: directions are uniform', async () => {
    // One axis carries everything; its direction's squared entries average 1/d, and its sign is free.
    const d = 4;
    const x = matrix(30, d);
    for (let i = 0; i < 30; i++) x.data[i * d] = Math.sin(i);
    const source = new NullData(x, 'rotated');
    const squares = new Float64Array(d);
    let positive = 0;
    const runs = 300;
    for (let run = 0; run < runs; run++) {
      const y = await source.draw(run);
      const m = means(y);
      const axis = Array.from({ length: d }, (_, j) => y.data[j] - m[j]);
      const length = Math.hypot(...axis);
      axis.forEach((v, j) => (squares[j] += (v / length) ** 2 / runs));
      if (axis[d - 1] > 0) positive++;
    }
    // Standard error of a squared entry of a uniform direction in 4 dimensions: √(1/16/300·…) below 0.015.
    for (const s of squares) expect(Math.abs(s - 1 / d)).toBeLessThan(0.06);
    expect(Math.abs(positive / runs - 0.5)).toBeLessThan(0.12);
  });

  it('shuffled: every column keeps its values, rows fall apart', async () => {
    const x = sample(50, 3, 2);
    const y = await new NullData(x, 'shuffled').draw(1);
    const column = (m: Matrix, j: number): number[] => Array.from({ length: 50 }, (_, i) => m.data[3 * i + j]);
    for (let j = 0; j < 3; j++) {
      expect(column(y, j).sort()).toEqual(column(x, j).sort());
      expect(column(y, j)).not.toEqual(column(x, j));
    }
    const placeOf = (j: number): number[] => column(y, j).map((v) => column(x, j).indexOf(v));
    expect(placeOf(0)).not.toEqual(placeOf(1));
  });

  it('gaussian: mean and covariance are those of the data, to sampling error', async () => {
    const x = sample(400, 3, 4);
    // Correlated, and of rank 3 in 4 columns.
    const wide = matrix(400, 4);
    for (let i = 0; i < 400; i++) {
      const [a, b, c] = x.data.subarray(3 * i, 3 * i + 3);
      wide.data.set([a, a + b, c, a - c], 4 * i);
    }
    const covariance = (m: Matrix): number[] => {
      const mean = means(m);
      return Array.from({ length: 16 }, (_, e) => {
        let sum = 0;
        for (let i = 0; i < m.rows; i++)
          sum += (m.data[4 * i + (e >> 2)] - mean[e >> 2]) * (m.data[4 * i + (e & 3)] - mean[e & 3]);
        return sum / (m.rows - 1);
      });
    };
    const source = new NullData(wide, 'gaussian');
    const total = new Float64Array(16);
    for (let run = 0; run < 40; run++) covariance(await source.draw(run)).forEach((v, e) => (total[e] += v / 40));
    close([...total], covariance(wide), 0.06);
    const y = await source.draw(0);
    for (let i = 0; i < 400; i++) expect(y.data[4 * i] - y.data[4 * i + 2]).toBeCloseTo(y.data[4 * i + 3], 4);
  });

  it('is the same for the same seed and another for another', async () => {
    const x = sample(20, 4, 3);
    for (const kind of ['rotated', 'shuffled', 'gaussian'] as const) {
      const draw = async (seed: number): Promise<number[]> => [...(await new NullData(x, kind).draw(seed)).data];
      expect(await draw(1)).toEqual(await draw(1));
      expect(await draw(1)).not.toEqual(await draw(2));
    }
  });

  it('is defined for equal rows, and refuses one row', async () => {
    const same = matrix(5, 2, new Float32Array(10).fill(2));
    for (const kind of ['rotated', 'shuffled', 'gaussian'] as const)
      expect([...(await new NullData(same, kind).draw(0)).data]).toEqual([...same.data]);
    expect(() => new NullData(matrix(1, 2), 'rotated')).toThrow(/2 points/);
  });
});
