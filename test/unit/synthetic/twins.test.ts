import { describe, expect, it } from 'vitest';
import { matrix, row } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { scorePairs, wilson } from '#kernel/synthetic/calibration/pairs.js';
import { calibrateTwins } from '#kernel/synthetic/calibration/pipeline.js';
import { scoreResponse } from '#kernel/synthetic/calibration/response.js';
import { latentRelations, relations, relationsOf } from '#kernel/synthetic/twins/truth.js';
import { orthonormalRows } from '#kernel/compute/orthonormal.js';
import { createTwins, type TwinOptions } from '#kernel/synthetic/twins/twins.js';
import type { World } from '#kernel/synthetic/types.js';
import { handSae } from '#test/kit/sae.js';
import { directions, handWorld, independent } from '#test/kit/world.js';

const base = (features = 60, dim = 12, p = 0.1): World =>
  handWorld({ dictionary: directions(features, dim, 1), codes: independent(features, p) });

const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, v, j) => sum + v * y[j], 0);

async function codesOf(
  world: World,
  n: number,
  o: { seed?: number; batch?: number } = {},
): Promise<Map<number, number>[]> {
  const rows: Map<number, number>[] = [];
  for await (const { codes } of world.sample(n, o)) rows.push(...asMaps(codes));
  return rows;
}

const asMaps = (codes: SparseRows): Map<number, number>[] =>
  Array.from({ length: codes.rows }, (_, i) => {
    const map = new Map<number, number>();
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) map.set(codes.indices[p], codes.values[p]);
    expect(map.size).toBe(codes.indptr[i + 1] - codes.indptr[i]);
    return map;
  });

const everything: TwinOptions = { features: 30, shared: 0.6, splits: 3, absorptions: 2, dimA: 14, dimB: 20, seed: 4 };

describe('orthonormalRows', () => {
  it('makes rows that keep every length and angle', () => {
    const q = orthonormalRows(6, 9, new Random(1));
    for (let i = 0; i < 6; i++)
      for (let k = 0; k < 6; k++) expect(dot(row(q, i), row(q, k))).toBeCloseTo(i === k ? 1 : 0, 6);
    expect(() => orthonormalRows(4, 3, new Random(1))).toThrow('do not fit');
  });
});

describe('twin worlds', () => {
  it('share what was asked for, in geometry that a rotation relates', async () => {
    const { a, b, truth, sharedFraction } = await createTwins(base(), everything);
    expect(sharedFraction).toBe(0.6);
    expect([a.features, b.features, a.dim, b.dim]).toEqual([30, 33, 14, 20]);
    // 18 shared: 3 split, 4 in absorptions, 11 one to one.
    expect(truth.pairs.a).toHaveLength(11);
    expect([truth.splits.length, truth.absorptions.length]).toEqual([3, 2]);
    for (let f = 0; f < b.features; f++) expect(dot(row(b.dictionary, f), row(b.dictionary, f))).toBeCloseTo(1, 5);
    // Cosines between shared features agree, coordinates do not; B's order is its own.
    const { pairs } = truth;
    for (let i = 0; i < 11; i++)
      for (let k = 0; k < i; k++)
        expect(dot(row(a.dictionary, pairs.a[i]), row(a.dictionary, pairs.a[k]))).toBeCloseTo(
          dot(row(b.dictionary, pairs.b[i]), row(b.dictionary, pairs.b[k])),
          5,
        );
    expect([...pairs.b]).not.toEqual([...pairs.b].sort((x, y) => x - y));
    for (const split of truth.splits) {
      const [u, v] = split.b.map((f) => row(b.dictionary, f));
      // Each at 0.9 with the whole, on opposite sides: 0.9² − (1 − 0.9²) between them.
      expect(dot(u, v)).toBeCloseTo(2 * 0.81 - 1, 5);
    }
    for (const { parent, child } of truth.absorptions) {
      expect(b.parents[child.b]).toBe(parent.b);
      expect(a.parents[child.a]).toBe(parent.a);
      const lean = dot(row(b.dictionary, parent.b), row(b.dictionary, child.b));
      expect(lean).toBeGreaterThan(dot(row(a.dictionary, parent.a), row(a.dictionary, child.a)));
      expect(lean).toBeGreaterThan(0.3);
    }
  });

  it('see the same events: shared features fire alike, splits take turns, absorbed parents step aside', async () => {
    const { a, b, truth } = await createTwins(base(), everything);
    const [rowsA, rowsB] = [await codesOf(a, 400, { seed: 8 }), await codesOf(b, 400, { seed: 8, batch: 37 })];
    const seen = { split: [0, 0], child: 0, parent: 0, own: 0 };
    for (let i = 0; i < 400; i++) {
      const [x, y] = [rowsA[i], rowsB[i]];
      truth.pairs.a.forEach((f, k) => expect(y.get(truth.pairs.b[k])).toBe(x.get(f)));
      for (const split of truth.splits) {
        const halves = split.b.map((f) => y.get(f));
        expect(halves.filter((v) => v !== undefined)).toEqual(x.has(split.a) ? [x.get(split.a)] : []);
        halves.forEach((v, h) => void (v !== undefined && seen.split[h]++));
      }
      for (const { parent, child } of truth.absorptions) {
        expect(y.get(child.b)).toBe(x.get(child.a));
        if (x.has(child.a)) expect(x.has(parent.a)).toBe(true);
        expect(y.get(parent.b)).toBe(x.has(child.a) ? undefined : x.get(parent.a));
        if (x.has(child.a)) seen.child++;
        if (x.has(parent.a)) seen.parent++;
      }
    }
    expect(Math.min(...seen.split)).toBeGreaterThan(30);
    // 0.3 of the parents' firings, within 4 standard errors.
    expect(Math.abs(seen.child / seen.parent - 0.3)).toBeLessThan(4 * Math.sqrt(0.21 / seen.parent));
  });

  it('are worlds: x is codes · dictionary, the same in any batches, other with another seed', async () => {
    const { b } = await createTwins(base(), everything);
    const collect = async (batch: number, seed: number): Promise<number[]> => {
      const all: number[] = [];
      for await (const { first, x, codes } of b.sample(50, { batch, seed })) {
        expect(all).toHaveLength(first * b.dim);
        asMaps(codes).forEach((map, i) => {
          for (let j = 0; j < b.dim; j++) {
            let sum = 0;
            for (const [f, v] of map) sum += v * b.dictionary.data[f * b.dim + j];
            expect(x.data[i * b.dim + j]).toBeCloseTo(sum, 5);
          }
        });
        all.push(...x.data);
      }
      return all;
    };
    expect(await collect(50, 1)).toEqual(await collect(7, 1));
    expect(await collect(50, 1)).not.toEqual(await collect(50, 2));
  });

  it('with noise differ from codes · dictionary by its standard deviation, each in its own way', async () => {
    const quiet = await createTwins(base(), everything);
    const loud = await createTwins(base(), { ...everything, noise: 0.2 });
    const xs = async (w: World): Promise<Float32Array> => {
      const parts: number[] = [];
      for await (const { x } of w.sample(300, { seed: 3 })) parts.push(...x.data);
      return Float32Array.from(parts);
    };
    const [x, y] = [await xs(quiet.b), await xs(loud.b)];
    const sd = Math.sqrt(x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0) / x.length);
    expect(Math.abs(sd - 0.2)).toBeLessThan((4 * 0.2) / Math.sqrt(2 * x.length));
  });

  it('refuse what cannot be, saying what can', async () => {
    const world = base();
    await expect(createTwins(world, { features: 40, shared: 0 })).rejects.toThrow(
      'need 80 events but the base world has 60',
    );
    await expect(createTwins(world, { dimB: 5 })).rejects.toThrow('at least 12');
    await expect(createTwins(world, { features: 10, shared: 0.2, splits: 3 })).rejects.toThrow('there are 2');
    expect((await createTwins(world, { features: 60, shared: 1 })).truth.pairs.a).toHaveLength(60);
    expect((await createTwins(world, { shared: 0 })).truth.pairs.a).toHaveLength(0);
  });
});

describe('pairs against truth', () => {
  const truth = relations([[0, 0, 'one-to-one'], [1, 1, 'one-to-one'], [2, 2, 'split'], [2, 3, 'split']], 5, 6); // prettier-ignore
  const pairs = {
    a: Int32Array.of(0, 4, 2, 0, 3),
    b: Int32Array.of(0, 1, 2, 3, 5),
    r: Float32Array.of(0.95, 0.9, 0.7, 0.2, 0.1),
  };

  it('have precision and recall as found by hand at every threshold', () => {
    const { thresholds, summary } = scorePairs(pairs, truth, 'argmax', { thresholds: [0, 0.5, 0.92, 0.99], nulls: 50 });
    expect(thresholds.map((t) => [t.pairs, t.correct, t.precision, t.recall])).toEqual([
      [5, 2, 2 / 5, 2 / 4],
      [3, 2, 2 / 3, 2 / 4],
      [1, 1, 1, 1 / 4],
      [0, 0, NaN, 0],
    ]);
    // Average precision: 1/4 · 1 at the first true pair, 1/4 · 2/3 at the second.
    expect(summary.averagePrecision).toBeCloseTo(1 / 4 + (1 / 4) * (2 / 3), 10);
    expect(summary.bestThreshold).toBeCloseTo(0.7, 6);
    expect(summary.found).toEqual([
      { kind: 'one-to-one', found: 1, of: 2 },
      { kind: 'split', found: 1, of: 2 },
      { kind: 'absorbed', found: 0, of: 0 },
    ]);
  });

  it('gives each bin of r its share of true pairs, with an interval', () => {
    const { reliability } = scorePairs(pairs, truth, 'argmax', { bin: 0.5, nulls: 1 });
    expect(reliability.map((b) => [b.from, b.to, b.pairs, b.share])).toEqual([
      [0, 0.5, 2, 0],
      [0.5, 1, 3, 2 / 3],
    ]);
    expect(reliability.reduce((n, b) => n + b.pairs, 0)).toBe(5);
    // Wilson's interval for 2 of 3 and for 0 of 10, as scipy's binomtest gives it.
    expect([wilson(2, 3).low, wilson(2, 3).high].map((v) => v.toFixed(4))).toEqual(['0.2077', '0.9385']);
    expect([wilson(0, 10).low, wilson(0, 10).high].map((v) => v.toFixed(4))).toEqual(['0.0000', '0.2775']);
  });

  it('reaches chance, and no more, for pairs at random', () => {
    const n = 300;
    const whole = relations(
      Array.from({ length: n }, (_, i) => [i, i, 'one-to-one'] as const),
      n,
      n,
    );
    const random = new Random(2);
    const made = {
      a: Int32Array.from(random.permutation(n)),
      b: Int32Array.from({ length: n }, (_, i) => i),
      r: Float32Array.from({ length: n }, () => random.next()),
    };
    const [row] = scorePairs(made, whole, 'argmax', { thresholds: [0], nulls: 99 }).thresholds;
    expect(row.correct).toBeLessThan(6);
    expect(row.nullPrecision).toBeLessThan(3 / n);
    expect(row.p).toBeGreaterThan(0.01);
    const right = scorePairs({ ...made, a: made.b }, whole, 'argmax', { thresholds: [0], nulls: 99 }).thresholds[0];
    expect([right.precision, right.recall, right.p]).toEqual([1, 1, 0.01]);
    // One pair left: its B side has a random A side, not its own.
    const top = Math.max(...made.r);
    const one = scorePairs({ ...made, a: made.b }, whole, 'argmax', { thresholds: [top], nulls: 99 }).thresholds[0];
    expect(one.pairs).toBe(1);
    expect(one.nullPrecision).toBeLessThan(0.05);
    expect(one.p).toBeLessThan(0.06);
  });

  it('passes truth on to latents that hold a feature, and to all of them', () => {
    const held = (feature: number[], cosine: number[]) => ({
      feature: Int32Array.from(feature),
      cosine: Float32Array.from(cosine),
    });
    const latents = latentRelations(
      truth,
      held([2, 0, 2, 1], [0.9, 0.9, -0.8, 0.3]),
      held([3, 0, 1], [0.9, 0.9, 1]),
      0.7,
    );
    expect([...latents.findable]).toEqual([0, 1]);
    expect([...latents.counterparts(0).keys()].sort()).toEqual([0, 2]);
    expect(latents.kind(1, 1)).toBe('one-to-one');
    // Latent 3 of A holds feature 1 too weakly.
    expect(latents.kind(3, 2)).toBeUndefined();
  });
});

describe('the pipeline on twins', () => {
  it('finds every true pair from the true codes, and with nothing shared finds nothing', async () => {
    const twins = await createTwins(base(), everything);
    const result = await calibrateTwins(twins, { samples: 3000, nulls: 20 });
    expect(result.findable).toBe(relationsOf(twins.truth, 30, 33).findable.length);
    const argmax = result.summaries.find((s) => s.method === 'argmax')!;
    expect([argmax.recall, argmax.precision]).toEqual([1, 1]);
    // One-to-one matchers can give a split feature of A to one half alone.
    for (const { method, found } of result.summaries)
      expect(found.find((k) => k.kind === 'split')!.found, method).toBe(method === 'argmax' ? 6 : 3);
    const strangers = await calibrateTwins(await createTwins(base(), { features: 30, shared: 0 }), { samples: 3000 });
    expect(strangers.findable).toBe(0);
    for (const row of strangers.thresholds) expect(row.correct).toBe(0);
    expect(strangers.thresholds.filter((t) => t.threshold >= 0.3).every((t) => t.pairs === 0)).toBe(true);
  });

  it('finds true pairs through SAEs; latents that hold nothing are no true pairs', async () => {
    const dictionary = matrix(20, 20);
    for (let i = 0; i < 20; i++) dictionary.data[i * 21] = 1;
    const world = handWorld({ dictionary, codes: independent(20, 0.1) });
    const twins = await createTwins(world, { features: 10, shared: 1, dimB: 24 });
    const saes = { a: handSae(twins.a.dictionary), b: handSae(twins.b.dictionary) };
    const result = await calibrateTwins(twins, { saes, samples: 2000, nulls: 10, methods: ['mutual'] });
    expect(result.findable).toBe(10);
    expect(result.summaries[0].recall).toBe(1);
    expect(result.summaries[0].precision).toBe(1);
    const blind = handSae(directions(10, 24, 77));
    const poor = await calibrateTwins(twins, { saes: { a: saes.a, b: blind }, samples: 2000, methods: ['mutual'] });
    expect(poor.findable).toBeLessThan(3);
    await expect(calibrateTwins(twins, { saes: { a: saes.b, b: saes.a } })).rejects.toThrow(
      'in the order of the twins',
    );
  });
});

describe('response of scores to the shared fraction', () => {
  it('rises from the null to 1, with the same n throughout', async () => {
    const { rows } = await scoreResponse(base(160, 10), {
      fractions: [0, 0.5, 1],
      metrics: ['cka-debiased', 'cca'],
      nulls: 19,
      twins: { features: 80, dimB: 16 },
    });
    for (const metric of ['cka-debiased', 'cca']) {
      const of = rows.filter((r) => r.metric === metric);
      expect(of.map((r) => [r.shared, r.truePairs, r.n])).toEqual([[0, 0, 80], [0.5, 0.5, 80], [1, 1, 80]]); // prettier-ignore
      expect(of[0].p).toBeGreaterThan(0.05);
      expect(of[1].value).toBeGreaterThan(of[1].null.max);
      expect(of[2].value).toBeCloseTo(1, 6);
      expect(of[0].value).toBeLessThan(of[1].value);
    }
  });

  it('pairs by the pipeline where asked, and says what share of those pairs is true', async () => {
    const { rows } = await scoreResponse(base(80, 10), {
      fractions: [0.5],
      metrics: ['cka'],
      nulls: 5,
      pairing: 'mutual',
      samples: 3000,
      twins: { features: 40 },
    });
    expect(rows[0].truePairs).toBeGreaterThan(0.5);
    expect(rows[0].truePairs).toBeLessThanOrEqual(1);
  });
});
