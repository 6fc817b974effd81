import { beforeAll, describe, expect, it } from 'vitest';
import golden from '#test/goldens/similarity.json' with { type: 'json' };
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { normals } from '#test/kit/numbers.js';
import { similarityScores, type MetricName, type ScoreOptions } from '#kernel/correlation/scores.js';
import { METRICS } from '#kernel/correlation/usual.js';

beforeAll(initGemm);

const normal = (n: number, d: number, seed: number): Matrix =>
  matrix(n, d, new Random(seed).normals(new Float32Array(n * d)));

const rowsInOrder = (x: Matrix, order: ArrayLike<number>): Matrix => {
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < x.rows; i++) data.set(row(x, order[i]), i * x.cols);
  return matrix(x.rows, x.cols, data);
};

/** x times a random rotation: Gram-Schmidt on normal columns. */
function rotated(x: Matrix, seed: number): Matrix {
  const d = x.cols;
  const q = new Random(seed).normals(new Float32Array(d * d));
  const axes: number[][] = [];
  for (let i = 0; i < d; i++) {
    let v = Array.from(q.subarray(i * d, (i + 1) * d));
    for (let round = 0; round < 2; round++) {
      for (const a of axes) {
        const dot = a.reduce((s, w, k) => s + w * v[k], 0);
        v = v.map((w, k) => w - dot * a[k]);
      }
    }
    const norm = Math.hypot(...v);
    axes.push(v.map((w) => w / norm));
  }
  const data = new Float32Array(x.rows * d);
  for (let i = 0; i < x.rows; i++) {
    for (let j = 0; j < d; j++) data[i * d + j] = axes[j].reduce((s, a, k) => s + a * x.data[i * d + k], 0);
  }
  return matrix(x.rows, d, data);
}

async function one(metric: MetricName, x: Matrix, y: Matrix, options: Partial<ScoreOptions> = {}) {
  const [score] = await similarityScores(x, y, { metrics: [metric], nulls: 0, ...options });
  return score;
}

describe('scores against numpy, scipy and scikit-learn', () => {
  const x = matrix(golden.n, golden.dx, Float32Array.from(golden.x));
  const y = matrix(golden.n, golden.dy, Float32Array.from(golden.y));
  it.each([...METRICS])('%s', async (metric) => {
    expect((await one(metric, x, y)).value).toBeCloseTo(golden.paired[metric], 7);
    expect((await one(metric, x, rowsInOrder(y, golden.order))).value).toBeCloseTo(golden.shuffled[metric], 7);
  });

  it('reports the components SVCCA kept', async () => {
    expect((await one('svcca', x, y)).variant).toBe(`corrected, 99 % variance: kX = ${golden.kx}, kY = ${golden.ky}`);
    expect((await one('svcca-published', x, y)).variant).toMatch(/published .*kX = kY = 1/);
  });
});

describe('scores in closed form', () => {
  it.each(METRICS.filter((m) => m !== 'rsa'))('%s of X and a rotation of X is 1', async (metric) => {
    const x = normal(80, 10, 1);
    expect((await one(metric, x, rotated(x, 2))).value).toBeCloseTo(1, metric === 'jaccard' ? 1 : 4);
  });

  it('RSA of X with itself, shifted and scaled by row, is 1', async () => {
    const x = normal(50, 10, 1);
    const y = matrix(
      50,
      10,
      x.data.map((v, i) => v * (1 + Math.floor(i / 10)) + Math.floor(i / 10)),
    );
    expect((await one('rsa', x, x)).value).toBeCloseTo(1, 10);
    expect((await one('rsa', x, y)).value).toBeCloseTo(1, 3);
  });

  it('CCA sees through any invertible map of the columns', async () => {
    const x = normal(80, 6, 1);
    const data = x.data.map((v, i) => v * [1, 10, 0.1, 3, 5, 7][i % 6] + (i % 6 ? x.data[i - 1] : 0));
    expect((await one('cca', x, matrix(80, 6, data))).value).toBeCloseTo(1, 5);
  });

  it('a wide X gives the same CKA from n × n as from d × d', async () => {
    const wide = normal(20, 50, 1);
    const y = normal(20, 5, 2);
    const k = (m: Matrix) => {
      const mean = Array.from(
        { length: m.cols },
        (_, j) => Array.from({ length: m.rows }, (_, i) => m.data[i * m.cols + j]).reduce((s, v) => s + v, 0) / m.rows,
      );
      const c = Array.from(m.data, (v, i) => v - mean[i % m.cols]);
      return Array.from({ length: m.rows ** 2 }, (_, i) => {
        const [r, s] = [Math.floor(i / m.rows), i % m.rows];
        let dot = 0;
        for (let j = 0; j < m.cols; j++) dot += c[r * m.cols + j] * c[s * m.cols + j];
        return dot;
      });
    };
    const [kx, ky] = [k(wide), k(y)];
    const dot = (u: number[], v: number[]) => u.reduce((s, w, i) => s + w * v[i], 0);
    expect((await one('cka', wide, y)).value).toBeCloseTo(dot(kx, ky) / Math.sqrt(dot(kx, kx) * dot(ky, ky)), 10);
  });
});

describe('nulls of scores', () => {
  it('published SVCCA of unrelated rows has a null near √(2/πn)', async () => {
    const n = 200;
    const score = await one('svcca-published', normal(n, 12, 1), normal(n, 12, 2), { nulls: 400 });
    expect(Math.abs(score.null.mean / Math.sqrt(2 / (Math.PI * n)) - 1)).toBeLessThan(0.12);
  });

  it.each([...METRICS])(
    '%s: a shuffle run is the score of rows paired that way, whichever way it is computed',
    async (metric) => {
      const x = normal(40, 6, 1);
      const y = matrix(
        40,
        6,
        x.data.map((v, i) => v + 0.5 * Math.sin(i)),
      );
      const score = await one(metric, x, y, { nulls: 3, seed: 5 });
      const random = new Random(5).fork(metric);
      const values = [];
      for (let run = 0; run < 3; run++)
        values.push((await one(metric, x, rowsInOrder(y, random.permutation(40)))).value);
      expect(score.null.mean).toBeCloseTo(values.reduce((s, v) => s + v) / 3, 6);
      expect(score.null.max).toBeCloseTo(Math.max(...values), 6);
      expect(score.null).toMatchObject({ kind: 'shuffle', runs: 3 });
    },
  );

  it('debiased CKA and RSA of unrelated rows are 0 on average', async () => {
    const [x, y] = [normal(60, 30, 1), normal(60, 30, 2)];
    for (const metric of ['cka-debiased', 'rsa'] as const) {
      const {
        null: { mean, std, runs },
      } = await one(metric, x, y, { nulls: 200 });
      expect(Math.abs(mean)).toBeLessThan((4 * std) / Math.sqrt(runs));
    }
    expect((await one('cka', x, y, { nulls: 20 })).null.mean).toBeGreaterThan(0.2);
  });

  it('k-NN Jaccard of unrelated rows has the null of drawing k neighbours at random', async () => {
    const score = await one('jaccard', normal(76, 20, 1), normal(76, 20, 2), { nulls: 200 });
    // Hypergeometric overlap of two draws of 10 of 75, through |∩| / (20 − |∩|).
    expect(score.null.mean).toBeGreaterThan(0.068);
    expect(score.null.mean).toBeLessThan(0.084);
  });

  it('related rows are significant, unrelated ones are not; p = (k + 1) / (R + 1)', async () => {
    const x = normal(100, 8, 1);
    const y = matrix(
      100,
      8,
      rotated(x, 3).data.map((v, i) => v + 0.5 * Math.sin(i * 1.7)),
    );
    const related = await similarityScores(x, y, {
      metrics: METRICS.filter((m) => m !== 'svcca-published'),
      nulls: 49,
    });
    for (const score of related) expect(score.p, score.metric).toBe(1 / 50);
    const unrelated = await similarityScores(x, normal(100, 8, 9), { metrics: [...METRICS], nulls: 49 });
    for (const score of unrelated) expect(score.p, score.metric).toBeGreaterThan(0.02);
  });

  it('same seed, same null; another metric beside it changes nothing', async () => {
    const [x, y] = [normal(40, 6, 1), normal(40, 6, 2)];
    const alone = await one('cka', x, y, { nulls: 10, seed: 3 });
    const [, beside] = await similarityScores(x, y, { metrics: ['rsa', 'cka'], nulls: 10, seed: 3 });
    expect(beside).toEqual(alone);
    expect((await one('cka', x, y, { nulls: 10, seed: 4 })).null.mean).not.toBe(alone.null.mean);
  });

  it('random features are drawn from the pools, without repeats', async () => {
    const [x, y] = [normal(30, 4, 1), normal(30, 4, 2)];
    const options = { null: 'random-features', nulls: 20 } as const;
    const score = await one('cca', x, y, { ...options, pools: { x: normal(100, 4, 3), y: normal(100, 4, 4) } });
    expect(score.null).toMatchObject({ kind: 'random-features', runs: 20 });
    expect(score.null.std).toBeGreaterThan(0);
    // From a pool of exactly these rows the null is a shuffle: X and X paired at random score far below 1.
    const self = await one('cca', x, x, { ...options, pools: { x, y: x } });
    expect(self.value).toBeCloseTo(1, 10);
    expect(self.p).toBe(1 / 21);
    await expect(one('cca', x, y, options)).rejects.toThrow(/pools/);
    await expect(one('cca', x, y, { ...options, pools: { x, y: normal(10, 4, 1) } })).rejects.toThrow(
      /pool y is 10 × 4/,
    );
  });
});

describe('what means little is flagged', () => {
  it('CCA with n ≤ d is 1 for random rows, with p = 1 and a warning', async () => {
    const score = await one('cca', normal(20, 30, 1), normal(20, 40, 2), { nulls: 10 });
    expect(score.value).toBeCloseTo(1, 8);
    expect(score.p).toBe(1);
    expect(score.warning).toMatch(/20 pairs are too few.*all canonical correlations are 1/);
  });

  it('says how many correlations are forced to 1 when n is between', async () => {
    const score = await one('cca', normal(20, 12, 1), normal(20, 12, 2));
    expect(score.warning).toMatch(/5 of 12/);
    expect((await one('cca', normal(50, 12, 1), normal(50, 12, 2))).warning).toBeUndefined();
  });

  it('warns of many neighbours among few pairs', async () => {
    expect((await one('jaccard', normal(16, 5, 1), normal(16, 5, 2))).warning).toMatch(/k = 10 is not small/);
    await expect(one('jaccard', normal(10, 5, 1), normal(10, 5, 2))).rejects.toThrow(/10 neighbours.*10 pairs/);
  });
});

describe('RSA on many rows', () => {
  it('samples rows with the seed, says so, and comes near the full score', async () => {
    const x = normal(300, 8, 1);
    const y = matrix(
      300,
      8,
      x.data.map((v, i) => v + 0.7 * Math.sin(i * 1.3)),
    );
    const full = await one('rsa', x, y);
    const some = await one('rsa', x, y, { rsaRows: 150, nulls: 20 });
    expect(some.variant).toMatch(/150 of 300 rows sampled \(seed 0\)/);
    expect(Math.abs(some.value - full.value)).toBeLessThan(0.05);
    expect(some.p).toBe(1 / 21);
    expect(Math.abs(some.null.mean)).toBeLessThan(0.05);
  });

  it('a score of few distinct similarities uses average ranks', async () => {
    const x = matrix(4, 2, Float32Array.of(1, 0, 2, 0, 0, 1, 0, 2));
    const y = matrix(4, 2, Float32Array.of(1, 0, 0, 1, 2, 0, 3, 0));
    // Similarities are ±1: X pairs (01, 02, 03, 12, 13, 23) = + − − − − +, Y = − + + − − +; phi of the two splits.
    expect((await one('rsa', x, y)).value).toBeCloseTo(
      (1 / 6 - (2 / 6) * (3 / 6)) / Math.sqrt((8 / 36) * (9 / 36)),
      10,
    );
  });
});

describe('bad input of scores', () => {
  const x = normal(10, 3, 1);
  it.each([...METRICS])('%s refuses NaN with its place', async (metric) => {
    const bad = matrix(
      10,
      3,
      x.data.map((v, i) => (i === 13 ? NaN : v)),
    );
    await expect(one(metric, x, bad)).rejects.toThrow(/Y: row 4, column 1 is NaN/);
  });

  it('refuses fewer than 3 pairs, unpaired rows, equal rows, constant rows, unknown metrics, bad counts', async () => {
    await expect(one('cka', normal(2, 3, 1), normal(2, 3, 2))).rejects.toThrow(/at least 3 pairs/);
    await expect(one('cka', x, normal(9, 3, 2))).rejects.toThrow(/X has 10 and Y has 9/);
    await expect(one('cka', x, matrix(10, 3, new Float32Array(30).fill(0.1)))).rejects.toThrow(/all 10 rows are equal/);
    const flat = matrix(
      10,
      3,
      x.data.map((v, i) => (i < 3 ? 0.3 : v)),
    );
    await expect(one('rsa', x, flat)).rejects.toThrow(/row 0 is constant/);
    await expect(one('cka-debiased', normal(3, 3, 1), normal(3, 3, 2))).rejects.toThrow(/at least 4/);
  });

  it('no run goes on once it is aborted', async () => {
    const run = one('cka', x, x, { signal: AbortSignal.abort() });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('a column without variance changes nothing', async () => {
    const wide = matrix(
      10,
      4,
      Float32Array.from({ length: 40 }, (_, i) => (i % 4 === 3 ? 7 : x.data[Math.floor(i / 4) * 3 + (i % 4)])),
    );
    const y = normal(10, 3, 2);
    for (const metric of ['svcca', 'cca', 'pwcca', 'cka', 'cka-debiased'] as const) {
      expect((await one(metric, wide, y)).value).toBeCloseTo((await one(metric, x, y)).value, 10);
    }
  });
});

describe('a change of scale', () => {
  const scaledBy = (x: Matrix, factor: (column: number) => number): Matrix =>
    matrix(
      x.rows,
      x.cols,
      x.data.map((v, i) => v * factor(i % x.cols)),
    );
  const pair = (n: number, d: number): [Matrix, Matrix] => {
    const x = normal(n, d, 21);
    const noise = normal(n, d, 23).data;
    return [x, matrix(n, d, rotated(x, 22).data.map((v, i) => v + noise[i]))]; // prettier-ignore
  };
  /** Large enough for null runs by float32 products. */
  const LARGE = [400, 60] as const;

  it.each(METRICS.filter((m) => m !== 'jaccard'))('of all rows changes nothing: %s and its null', async (metric) => {
    for (const [n, d] of metric === 'rsa' ? [[60, 8]] : [[60, 8], LARGE]) {
      // prettier-ignore
      const [x, y] = pair(n, d);
      const plain = await one(metric, x, y, { nulls: 5 });
      for (const scale of [2 ** 60, 2 ** -100, 1e30, 1e-30]) {
        const score = await one(metric, scaledBy(x, () => scale), scaledBy(y, () => 1 / scale), { nulls: 5 }); // prettier-ignore
        // Float32 rows times a power of ten are rounded anew.
        expect(score.value, `${n} rows at ${scale}`).toBeCloseTo(plain.value, 5);
        expect(score.null.mean, `${n} rows at ${scale}`).toBeCloseTo(plain.null.mean, 5);
        expect(score.p).toBe(plain.p);
        if (Math.log2(scale) % 1 === 0) expect(score).toEqual(plain);
      }
    }
  });

  it('of columns leaves CCA as it is', async () => {
    const [x, y] = pair(80, 8);
    const plain = await one('cca', x, y, { nulls: 5 });
    for (const factor of [
      (j: number) => 10 ** ((j % 3) * 30 - 30),
      (j: number) => 2 ** (20 * j - 80),
      (j: number) => (j % 2 ? 1e-8 : 3),
    ]) {
      for (const [a, b] of [
        [scaledBy(x, factor), y],
        [x, scaledBy(y, factor)],
        [scaledBy(x, factor), scaledBy(y, factor)],
      ]) {
        // prettier-ignore
        const score = await one('cca', a, b, { nulls: 5 });
        expect(score.variant).toBe(plain.variant);
        expect(score.value).toBeCloseTo(plain.value, 6);
        expect(score.null.mean).toBeCloseTo(plain.null.mean, 6);
      }
    }
  });

  it('of unrelated rows leaves p spread evenly over its range', async () => {
    for (const scale of [1e-30, 1e30]) {
      for (const metric of ['cka', 'cca'] as const) {
        const p: number[] = [];
        for (let seed = 0; seed < 40; seed++) {
          const [x, y] = [normal(150, 90, 100 + seed), normal(150, 90, 500 + seed)];
          p.push(
            (
              await one(
                metric,
                scaledBy(x, () => scale),
                scaledBy(y, () => scale),
                { nulls: 19, seed },
              )
            ).p,
          );
        }
        const low = p.filter((v) => v <= 0.25).length;
        // 40 draws of 1/4: 10 ± 2.7; and of a mean of 0.525 ± 0.29 / √40.
        expect(low, `${metric} at ${scale}`).toBeGreaterThanOrEqual(2);
        expect(low, `${metric} at ${scale}`).toBeLessThanOrEqual(19);
        expect(Math.abs(p.reduce((s, v) => s + v) / 40 - 0.525)).toBeLessThan(0.16);
      }
    }
  }, 60_000);
});

describe('intervals', () => {
  const pairsOf = (seed: number, n: number): [Matrix, Matrix] => {
    const next = normals(seed);
    const x = Array.from({ length: n }, () => Array.from({ length: 3 }, next));
    const y = x.map((r) => r.map((v) => v + 1.5 * next()));
    const of = (rows: number[][]): Matrix => ({ rows: n, cols: 3, data: Float32Array.from(rows.flat()) });
    return [of(x), of(y)];
  };

  it(
    'over half-samples are as wide as the score spreads over samples, and add nothing to the score',
    { timeout: 60_000 },
    async () => {
      for (const metric of ['cca', 'cka', 'rsa'] as const) {
        const values: number[] = [];
        for (let seed = 0; seed < 60; seed++)
          values.push((await similarityScores(...pairsOf(seed, 60), { metrics: [metric], nulls: 0 }))[0].value);
        const centre = values.reduce((s, v) => s + v, 0) / 60;
        const spread = Math.sqrt(values.reduce((s, v) => s + (v - centre) ** 2, 0) / 60);
        const widths: number[] = [];
        for (let seed = 100; seed < 110; seed++) {
          const [x, y] = pairsOf(seed, 60);
          const [score] = await similarityScores(x, y, { metrics: [metric], nulls: 0, intervals: 60 });
          const { low, high, level, runs } = score.interval!;
          expect([level, runs]).toEqual([0.95, 60]);
          widths.push((high - low) / (2 * 1.96));
          const { interval, ...plain } = score;
          expect((await similarityScores(x, y, { metrics: [metric], nulls: 0 }))[0]).toEqual(plain);
          expect(interval!.low).toBeLessThan(score.value);
        }
        const width = widths.reduce((s, v) => s + v, 0) / widths.length;
        expect(width / spread, metric).toBeGreaterThan(0.6);
        expect(width / spread, metric).toBeLessThan(1.6);
      }
    },
  );
});
