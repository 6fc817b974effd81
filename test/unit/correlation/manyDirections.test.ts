import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { disposePool, openPool } from '#kernel/compute/pool.js';
import { Random } from '#kernel/compute/random.js';
import { poolNulls } from '#kernel/correlation/poolNulls.js';
import { similarityScores, type MetricName, type ScoreOptions } from '#kernel/correlation/scores.js';
import { poolBundle } from '#test/kit/poolBundle.js';

beforeAll(initGemm);

const normal = (n: number, d: number, seed: number): Matrix =>
  matrix(n, d, new Random(seed).normals(new Float32Array(n * d)));

const rowsInOrder = (x: Matrix, order: ArrayLike<number>): Matrix => {
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < x.rows; i++) data.set(row(x, order[i]), i * x.cols);
  return matrix(x.rows, x.cols, data);
};

async function one(metric: MetricName, x: Matrix, y: Matrix, options: Partial<ScoreOptions> = {}) {
  const [score] = await similarityScores(x, y, { metrics: [metric], nulls: 0, ...options });
  return score;
}

describe('null runs of many directions', () => {
  it.each([
    [600, 130, 150],
    [600, 150, 130],
    // The bases meet: correlations of 1.
    [250, 130, 140],
    [400, 140, 140],
  ])('are those of float64 singular values: %i rows of %i and %i', async (n, dx, dy) => {
    const runs = 4;
    const [x, y] = [normal(n, dx, 1), normal(n, dy, 2)];
    const fast = await one('cca', x, y, { nulls: runs, seed: 3 });
    const random = new Random(3).fork('cca');
    const exact: number[] = [];
    for (let run = 0; run < runs; run++) exact.push((await one('cca', x, rowsInOrder(y, random.permutation(n)))).value);
    const mean = exact.reduce((s, v) => s + v, 0) / runs;
    expect(Math.abs(fast.null.mean - mean)).toBeLessThan(1e-6);
    expect(Math.abs(fast.null.max - Math.max(...exact))).toBeLessThan(2e-6);
  });

  it(
    'come to the same bits from workers, in the same order, and end with the signal',
    { timeout: 60_000 },
    async () => {
      const { bundle, remove } = await poolBundle();
      await openPool({ bundle, size: 1 });
      try {
        const [x, y] = [normal(700, 140, 1), normal(700, 150, 2)];
        const options = { nulls: 19, seed: 3 };
        const counts: number[] = [];
        const shared = await one('svcca', x, y, {
          ...options,
          shareNulls: poolNulls,
          onProgress: ({ done }) => counts.push(done),
        });
        expect(shared).toEqual(await one('svcca', x, y, options));
        expect(counts).toHaveLength(3);
        expect(Math.max(...counts)).toBe(19);
        for (let round = 0; round < 5; round++) {
          const stop = new AbortController();
          const stopped = one('svcca', x, y, {
            nulls: 400,
            shareNulls: poolNulls,
            signal: stop.signal,
            onProgress: () => stop.abort(),
          });
          await expect(stopped).rejects.toThrow(/cancelled/);
        }
      } finally {
        await disposePool();
        remove();
      }
    },
  );
});
