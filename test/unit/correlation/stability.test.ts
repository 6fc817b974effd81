/** Stability over seeds: planted partners and subspaces, references of scipy and brute force, nulls that stay level. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { initDevice } from '#kernel/compute/device.js';
import { row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { bootstrapMean } from '#kernel/correlation/bootstrap.js';
import { procrustes } from '#kernel/correlation/procrustes.js';
import { stability } from '#kernel/correlation/stability.js';
import { orthonormal, spanMatch } from '#kernel/correlation/subspace.js';
import { fromUniform, placed } from '#test/kit/numbers.js';
import { fromRows } from '#test/kit/rows.js';
import { directions, matrixOf } from '#test/kit/world.js';

await initDevice({ device: 'cpu' });

const goldens = JSON.parse(fs.readFileSync(path.resolve(import.meta.dirname, '../../goldens/spans.json'), 'utf8')) as {
  procrustes: Array<{ seed: number; n: number; d: number; rotation: number[] }>;
  angles: Array<{ seed: number; p: number; q: number; d: number; meanSquare: number }>;
};

/** The rows of spans.py. */
function rowsOf(seed: number, n: number, d: number): Matrix {
  let state = BigInt(seed);
  const next = (): number => {
    state = (1103515245n * state + 12345n) % 2n ** 31n;
    return Number(state) / 2 ** 30 - 1;
  };
  return matrixOf(Array.from({ length: n }, () => Array.from({ length: d }, next)));
}

const list = (m: Matrix) => Array.from({ length: m.rows }, (_, i) => row(m, i));

/** Unit rows near those of another matrix. */
function noisy(of: Matrix, ids: readonly number[], noise: number, seed: number): number[][] {
  const random = new Random(seed);
  return ids.map((i) => [...row(of, i)].map((v) => v + noise * random.normal()));
}

describe('spans', () => {
  it('are turned and compared as scipy does', () => {
    for (const { seed, n, d, rotation } of goldens.procrustes)
      procrustes(rowsOf(seed, n, d), rowsOf(seed + 100, n, d)).data.forEach((v, i) =>
        expect(v).toBeCloseTo(rotation[i], 5),
      );
    for (const { seed, p, q, d, meanSquare } of goldens.angles)
      expect(spanMatch(orthonormal(list(rowsOf(seed, p, d))), orthonormal(list(rowsOf(seed + 100, q, d))))).toBeCloseTo(meanSquare, 6); // prettier-ignore
  });

  it('repeated and zero rows add nothing', () => {
    const rows = list(rowsOf(1, 3, 6));
    expect(orthonormal([...rows, rows[0], new Float32Array(6), rows[2].map((v) => 1e20 * v)])).toHaveLength(3);
    expect(orthonormal([new Float32Array(6)])).toEqual([]);
  });
});

describe('bootstrap', () => {
  it('of a mean is as wide as its standard error says', () => {
    const random = new Random(1);
    const values = Float64Array.from({ length: 400 }, () => 3 + 2 * random.normal());
    const { low, high, level, runs } = bootstrapMean(values, new Random(2));
    expect([level, runs]).toEqual([0.95, 500]);
    expect((high - low) / 2).toBeCloseTo((1.96 * 2) / 20, 1);
    expect(low).toBeLessThan(3);
    expect(high).toBeGreaterThan(3);
    expect(bootstrapMean(values, new Random(2))).toEqual({ low, high, level, runs });
    expect(bootstrapMean([], random)).toEqual({ low: NaN, high: NaN, level: 0.95, runs: 0 });
  });
});

describe('stability', () => {
  it('is the share of SAEs with a partner: planted in all, in one, in none', async () => {
    const own = directions(5, 32, 1);
    const alone = directions(6, 32, 2);
    const first = matrixOf([...noisy(own, [0, 1], 0.02, 3), ...list(alone).map((r) => [...r])]);
    const second = matrixOf([
      ...list(alone)
        .slice(1)
        .map((r) => [...r]),
      ...noisy(own, [0], 0.02, 4),
    ]);
    const s = await stability({ decoders: [own, first, second] });
    expect([...s.columns.stability]).toEqual([1, 0.5, 0, 0, 0]);
    expect([...s.partners]).toEqual([0, 5, 1, -1, -1, -1, -1, -1, -1, -1]);
    // A partner everywhere: no question of subspaces.
    expect(Number.isNaN(s.columns.subspace[0])).toBe(true);
    expect(s.columns.subspace[1]).toBeGreaterThan(0);
    const [mean, mmcs] = s.scores;
    expect(mean).toMatchObject({ metric: 'stability', value: 0.3, n: 5, p: 1 / 20, null: { runs: 19, mean: 0 } });
    expect(mean.interval!.low).toBeLessThan(0.3);
    expect(mean.interval!.high).toBeGreaterThan(0.3);
    const best = (f: number, m: Matrix) => Math.max(...list(m).map((r) => r.reduce((d, v, j) => d + v * own.data[f * 32 + j], 0) / Math.hypot(...r))); // prettier-ignore
    const expected = [0, 1, 2, 3, 4].map((f) => (best(f, first) + best(f, second)) / 2);
    expect(mmcs.value).toBeCloseTo(expected.reduce((x, y) => x + y, 0) / 5, 6);
  });

  it('MMCS of a dictionary with itself is 1', async () => {
    const own = directions(20, 12, 5);
    const s = await stability({ decoders: [own, own] });
    expect(s.scores[1].value).toBeCloseTo(1, 6);
    expect(s.scores[2]).toMatchObject({ metric: 'subspace', n: 0, value: NaN, p: 1 });
  });

  it('unstable features in a subspace that comes back: other directions of one plane match, random ones do not', async () => {
    const d = 48;
    const axes = directions(4, d, 6);
    const random = new Random(7);
    const inPlane = () => {
      const angle = 2 * Math.PI * random.next();
      return [...row(axes, 0)].map((v, j) => Math.cos(angle) * v + Math.sin(angle) * axes.data[d + j]);
    };
    const unit = (v: number[]) => v.map((x) => x / Math.hypot(...v));
    // Twelve directions of a plane in each; the others are anywhere.
    const side = (seed: number) => matrixOf([...Array.from({ length: 12 }, () => unit(inPlane())), ...list(directions(20, d, seed)).map((r) => [...r])]); // prettier-ignore
    const s = await stability({ decoders: [side(8), side(9)] }, { least: 0.99999, neighbors: 1 });
    const columns = [...s.columns.subspace];
    const plane = columns.slice(0, 12);
    const others = columns.slice(12);
    expect(Math.min(...plane)).toBeGreaterThan(0.8);
    expect(others.reduce((x, y) => x + y, 0) / others.length).toBeLessThan(0.3);
    expect(s.scores[2].p).toBe(1 / 20);
  });

  it('by activations, partners are those of largest r; dead and rare features take no part', async () => {
    const random = new Random(10);
    const dense = Array.from({ length: 400 }, () =>
      [0, 1, 2, 3].map((f) => (random.next() < 0.2 ? f + random.next() : 0)),
    );
    const other = dense.map(([a, b]) => [random.next() < 0.2 ? 1 : 0, 2 * a, b > 0 && random.next() < 0.3 ? b : 0]);
    const store = (rows: number[][], id: string) => memoryActivations(fromRows(rows), { context: 4, id, meta: { tokenSet: { id: 'one', tokenizer: 'none' } } }); // prettier-ignore
    dense.forEach((r, t) => {
      r[3] = 0;
      if (t > 4) r[2] = 0;
    });
    const input = {
      decoders: [directions(4, 8, 1), directions(3, 8, 2)],
      activations: [store(dense, 'a'), store(other, 'b')],
    };
    const s = await stability(input, { least: 0.8 });
    expect(s.by).toBe('r');
    expect([...s.partners]).toEqual([1, -1, -1, -1]);
    expect([...s.columns.stability]).toEqual([1, 0, NaN, NaN]);
    expect(s.scores[0]).toMatchObject({ n: 2, value: 0.5, p: 1 / 20 });
    expect(s).toEqual(await stability(input, { least: 0.8 }));
    await expect(stability({ ...input, activations: [input.activations[0]] })).rejects.toThrow('activations 1 have not been given'); // prettier-ignore
  });

  it('refuses one SAE alone, other widths and NaN', async () => {
    await expect(stability({ decoders: [directions(3, 4, 1)] })).rejects.toThrow('2 or more SAEs but got 1');
    await expect(stability({ decoders: [directions(3, 4, 1), directions(3, 5, 1)] })).rejects.toThrow('SAE 1 is of width 5 but SAE 0 of 4'); // prettier-ignore
    const broken = directions(3, 4, 1);
    broken.data[5] = NaN;
    await expect(stability({ decoders: [directions(3, 4, 2), broken] })).rejects.toThrow('row 1 of the dictionary of SAE 1 holds NaN'); // prettier-ignore
  });

  it(
    'p is uniform over 200 seeds where the SAEs have nothing in common, and least where they do',
    { timeout: 120_000 },
    async () => {
      const p: number[][] = [[], [], []];
      let power = 0;
      for (let seed = 0; seed < 200; seed++) {
        const own = directions(8, 6, 2 * seed);
        const s = await stability({ decoders: [own, directions(10, 6, 2 * seed + 1)] }, { seed, least: 0.8, neighbors: 1 }); // prettier-ignore
        [1, 2].forEach((i) => p[i].push(placed(s.scores[i].p, 19, seed)));
        if (seed >= 20) continue;
        const twin = matrixOf(noisy(own, [0, 1, 2, 3, 4, 5, 6, 7], 0.1, seed));
        power += Number((await stability({ decoders: [own, twin] }, { seed })).scores[1].p <= 0.05);
      }
      expect(fromUniform(p[1])).toBeLessThan(1);
      expect(fromUniform(p[2])).toBeLessThan(1);
      expect(power).toBe(20);
    },
  );

  /** Most of n that a chance of .1 passes in all but one of a thousand trials, by the binomial law. */
  const mostOf = (n: number): number => Math.ceil(0.1 * n + 3.1 * Math.sqrt(0.1 * 0.9 * n));

  it(
    'the share with a partner: p is uniform over 200 seeds where the SAEs have nothing in common, and least where half of them is planted',
    { timeout: 120_000 },
    async () => {
      const p: number[] = [];
      const shares: number[] = [];
      for (let seed = 0; seed < 200; seed++) {
        const own = directions(60, 5, 2 * seed);
        // A threshold that about half of the features reach by chance, so that the share takes many values.
        const s = await stability(
          { decoders: [own, directions(14, 5, 2 * seed + 1)] },
          { seed, least: 0.72, neighbors: 0, runs: 9 },
        );
        shares.push(s.scores[0].value);
        p.push(placed(s.scores[0].p, 9, seed));
      }
      const mean = shares.reduce((x, y) => x + y, 0) / 200;
      expect(Math.abs(mean - 0.5)).toBeLessThan(0.2);
      expect(fromUniform(p)).toBeLessThan(1);
      expect(p.filter((v) => v <= 0.1).length).toBeLessThanOrEqual(mostOf(200));
      for (let seed = 0; seed < 20; seed++) {
        const own = directions(40, 16, seed);
        const planted = Array.from({ length: 20 }, (_, f) => f);
        const twin = matrixOf([
          ...noisy(own, planted, 0.1, seed),
          ...list(directions(20, 16, 900 + seed)).map((r) => [...r]),
        ]);
        const [share] = (await stability({ decoders: [own, twin] }, { seed, least: 0.8 })).scores;
        expect([seed, share.p]).toEqual([seed, 1 / 20]);
        expect(Math.abs(share.value - 0.5)).toBeLessThan(0.1);
      }
    },
  );

  it(
    'the share with a partner by activations: p is uniform over 200 seeds of features that fire apart, and least for twins',
    { timeout: 120_000 },
    async () => {
      const [features, tokens] = [48, 100];
      const store = (rows: number[][], id: string) => memoryActivations(fromRows(rows), { context: 2, id, meta: { tokenSet: { id: 'one', tokenizer: 'none' } } }); // prettier-ignore
      const firing = (random: Random) => Array.from({ length: tokens }, () => Array.from({ length: features }, () => (random.next() < 0.25 ? 0.2 + random.next() : 0))); // prettier-ignore
      const p: number[] = [];
      let power = 0;
      for (let seed = 0; seed < 200; seed++) {
        const random = new Random(seed);
        const [a, b] = [firing(random), firing(random)];
        const decoders = [directions(features, 6, 1), directions(features, 6, 2)];
        const of = (other: number[][], least: number) => stability({ decoders, activations: [store(a, 'a'), store(other, 'b')] }, { seed, least, neighbors: 0, runs: 9 }); // prettier-ignore
        p.push(placed((await of(b, 0.22)).scores[0].p, 9, seed));
        if (seed >= 20) continue;
        power += Number((await of(a.map((row) => row.map((v) => (random.next() < 0.1 ? 0 : v))), 0.6)).scores[0].p === 1 / 10); // prettier-ignore
      }
      expect(fromUniform(p)).toBeLessThan(1);
      expect(p.filter((v) => v <= 0.1).length).toBeLessThanOrEqual(mostOf(200));
      expect(power).toBe(20);
    },
  );
});
