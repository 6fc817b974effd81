import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  averageRanks,
  centredSquares,
  cosine,
  mean,
  meanAndStd,
  median,
  moments,
  pearson,
  spearman,
} from '#kernel/compute/statistics.js';

interface Case {
  a: number[];
  b: number[];
  ranks: number[];
  pearson: number | null;
  spearman: number | null;
  mean: number;
  std: number;
  median: number;
}
const { cases } = JSON.parse(readFileSync(new URL('../../goldens/ranks.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};
const close = (value: number, expected: number | null): void => {
  if (expected === null) expect(value).toBeNaN();
  else expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-12 * Math.abs(expected) + 1e-300);
};

describe('means, ranks and correlations', () => {
  it('agree with numpy and scipy, with ties and at scales of 1e-9 and 1e12', () => {
    for (const { a, b, ranks, ...expected } of cases) {
      expect(Array.from(averageRanks(a))).toEqual(ranks);
      close(pearson(a, b), expected.pearson);
      close(spearman(a, b), expected.spearman);
      close(mean(a), expected.mean);
      close(median(a), expected.median);
      const varies = new Set(a).size > 1;
      if (varies) close(meanAndStd(a).std, expected.std);
      else expect(meanAndStd(a).std).toBe(0);
    }
  });

  it('give equal values exactly no variance, at every length and value: what is constant correlates with nothing', () => {
    for (let n = 1; n < 60; n++)
      for (const value of [0.1, 1 / 3, -7.3e-12, 1e15 / 7, (n + 1) / 2, 0]) {
        const same = new Array<number>(n).fill(value);
        const other = same.map((_, i) => i);
        expect(moments(same)).toEqual({ n, mean: value, squares: 0 });
        expect(pearson(same, same)).toBeNaN();
        expect(pearson(same, other)).toBeNaN();
        expect(spearman(other, same)).toBeNaN();
      }
  });

  it('keep their digits where squares overflow or vanish', () => {
    const [a, b] = [
      [1, 2, 4, 3],
      [2, 1, 5, 3],
    ];
    const r = pearson(a, b);
    for (const scale of [1e-300, 1e-160, 1e-80, 1e80, 1e160, 1e300])
      expect(
        Math.abs(
          pearson(
            a.map((v) => v * scale),
            b,
          ) - r,
        ),
      ).toBeLessThan(1e-12);
    expect(cosine([1e-200, 0], [1e-200, 1e-200])).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it('are NaN of NaN, infinity, zeros and nothing, and refuse two lengths', () => {
    expect(pearson([1, NaN, 3], [1, 2, 3])).toBeNaN();
    expect(pearson([1, Infinity, 3], [1, 2, 3])).toBeNaN();
    expect(spearman([1, NaN, 3], [1, 2, 3])).toBeNaN();
    expect(cosine([0, 0], [1, 2])).toBeNaN();
    expect(pearson([], [])).toBeNaN();
    expect(mean([])).toBeNaN();
    expect(meanAndStd([])).toEqual({ mean: NaN, std: NaN });
    expect(median([])).toBeNaN();
    expect(median([1, NaN])).toBeNaN();
    expect(() => pearson([1, 2, 3], [1, 2])).toThrow('a correlation is of pairs but got 3 and 2 values');
  });

  it('take the mean of the two middle values as the median of an even count', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([3, 1, 2])).toBe(2);
  });
});

describe('centred squares from sums', () => {
  it('are 0 for a value that never changes, and the sum of squares about the mean else', () => {
    for (const value of [0.1, 0.7, 3.3e4, 1e-6])
      for (const n of [3, 1000, 64_000]) {
        let [sum, squares] = [0, 0];
        for (let i = 0; i < n; i++) {
          sum += value;
          squares += value * value;
        }
        expect(centredSquares(sum, squares, n)).toBe(0);
      }
    expect(centredSquares(6, 14, 3)).toBe(2);
    expect(centredSquares(0, 0, 5)).toBe(0);
  });
});
