import { describe, expect, it } from 'vitest';
import golden from '#test/goldens/pearson.json' with { type: 'json' };
import { memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { Random } from '#kernel/compute/random.js';
import { leastMemory } from '#kernel/correlation/lists.js';
import { correlate } from '#kernel/correlation/map.js';
import type { CorrelateOptions } from '#kernel/correlation/options.js';
import { bestPartners, featureSums } from '#kernel/correlation/pearson.js';
import { pairedSpans } from '#kernel/correlation/spans.js';
import { fromDense, randomRows, sparse, toDense } from '#test/kit/rows.js';

/** The same tokens cut into shards of the given lengths. */
function store(
  dense: ArrayLike<number>,
  features: number,
  cuts: number[],
  context = 1,
  id?: string,
): SparseActivations {
  const data = Float32Array.from(dense);
  let at = 0;
  const blocks = cuts.map((rows) => {
    const block = fromDense(data.subarray(at * features, (at + rows) * features), rows, features);
    at += rows;
    return block;
  });
  return memoryActivations(blocks, { context, ...(id ? { id } : {}) });
}

/** Pearson by its definition, from float64 deviations. NaN where a side has no variance. */
function pearson(x: number[], y: number[]): number {
  const mean = (v: number[]) => v.reduce((s, e) => s + e, 0) / v.length;
  const mx = mean(x);
  const my = mean(y);
  const dot = (u: number[], v: number[]) => u.reduce((s, e, i) => s + e * v[i], 0);
  const dx = x.map((v) => v - mx);
  const dy = y.map((v) => v - my);
  return dot(dx, dy) / Math.sqrt(dot(dx, dx) * dot(dy, dy));
}

function column(dense: ArrayLike<number>, features: number, f: number): number[] {
  return Array.from({ length: dense.length / features }, (_, t) => dense[t * features + f]);
}

describe('bestPartners', () => {
  const { tokens, featuresA, featuresB } = golden;
  const a = store(golden.a, featuresA, [tokens]);
  const b = store(golden.b, featuresB, [100, 150, 50]);
  const all = (n: number) => new Uint8Array(n).fill(1);
  const sumsA = featureSums(a.statistics, tokens, all(featuresA));
  const sumsB = featureSums(b.statistics, tokens, all(featuresB));

  it.each([
    ['few partners, one block', 3, 1000],
    ['all partners', featuresA, 1000],
    ['blocks of one feature', 3, 1],
    ['blocks of two features', featuresA, 2],
    ['more partners than features, by sorting', 70, 1000],
    ['blocks of 32 tokens', featuresA, 5, 32],
  ])('agrees with numpy to 1e-12: %s', async (_name, n, rows, blockTokens?: number) => {
    const { index, r } = await bestPartners(sumsB, sumsA, () => pairedSpans(b, a, { blockTokens }), { n, rows });
    for (let f = 0; f < featuresB; f++) {
      const expected = golden.r
        .map((row, i) => [i, row[f]] as const)
        .filter((e): e is readonly [number, number] => e[1] !== null && ![3].includes(e[0]) && ![5, 6].includes(f))
        .sort((x, y) => (Math.abs(y[1] - x[1]) < 1e-13 ? x[0] - y[0] : y[1] - x[1]))
        .slice(0, n);
      const got = Array.from(index.slice(f * n, f * n + n)).filter((i) => i >= 0);
      expect(got).toEqual(expected.map((e) => e[0]));
      // Feature 9 of A fires everywhere around 3.005 ± 0.003: six digits of Σ x² cancel, and as many of r with it.
      expected.forEach(([i, value], rank) =>
        expect(Math.abs(r[f * n + rank] - value)).toBeLessThan(i === 9 ? 1e-9 : 1e-12),
      );
      expect(Array.from(r.slice(f * n + got.length, (f + 1) * n)).every(Number.isNaN)).toBe(true);
    }
  });

  it('answers for chosen queries in their order', async () => {
    const spans = () => pairedSpans(b, a);
    const every = await bestPartners(sumsB, sumsA, spans, { n: 2 });
    const some = await bestPartners(sumsB, sumsA, spans, { n: 2, queries: Int32Array.of(11, 5, 0) });
    for (const [i, f] of [11, 5, 0].entries()) {
      expect(some.index.slice(2 * i, 2 * i + 2)).toEqual(every.index.slice(2 * f, 2 * f + 2));
      expect(some.r.slice(2 * i, 2 * i + 2)).toEqual(every.r.slice(2 * f, 2 * f + 2));
    }
  });
});

describe('correlate', () => {
  const options: CorrelateOptions = { minFirings: 1 };

  it('gives the same map from memory and streamed in blocks, in both directions', async () => {
    const rows = toDense(randomRows(400, 30, 0.1, 1));
    const other = toDense(randomRows(400, 25, 0.2, 2));
    const a = store(rows, 30, [150, 250], 1, 'a');
    const b = store(other, 25, [400], 1, 'b');
    const map = await correlate(a, b, options);
    expect(await correlate(a, b, { ...options, memoryBytes: leastMemory(a.meta, b.meta) })).toEqual(map);
    const turned = await correlate(b, a, options);
    expect(turned.bestAofB).toEqual(map.bestBofA);
    expect(turned.rBofA).toEqual(map.rAofB);
    for (let f = 0; f < 25; f++) {
      const r = Array.from({ length: 30 }, (_, g) => pearson(column(rows, 30, g), column(other, 25, f)));
      const order = [...r.keys()].sort((x, y) => r[y] - r[x]).slice(0, 3);
      expect([...map.bestAofB.slice(3 * f, 3 * f + 3)]).toEqual(order);
      order.forEach((g, i) => expect(map.rAofB[3 * f + i]).toBeCloseTo(r[g], 6));
    }
  });

  it('a dead feature has no counterpart and is nobody’s', async () => {
    const a = memoryActivations(sparse(3, [[[1, 1]], [[2, 2]], [[1, 3]], []]), { context: 1 });
    const b = memoryActivations(sparse(2, [[[1, 1]], [], [[1, 2]], []]), { context: 1 });
    const map = await correlate(a, b, options);
    expect([...map.bestAofB]).toEqual([-1, -1, -1, 1, 2, -1]);
    expect([...map.rAofB.slice(0, 3)]).toEqual([NaN, NaN, NaN]);
    expect([...map.bestBofA.slice(0, 3)]).toEqual([-1, -1, -1]);
    expect([...map.pairs.b]).toEqual([1]);
  });

  it('features below minFirings take no part, on either side', async () => {
    const a = memoryActivations(sparse(2, [[[0, 1]], [[1, 2]], [[0, 3]], []]), { context: 1 });
    const b = memoryActivations(sparse(2, [[[0, 1]], [[1, 2]], [[0, 2]], []]), { context: 1 });
    const map = await correlate(a, b, { minFirings: 2, counterparts: 1 });
    expect([...map.bestAofB]).toEqual([0, -1]);
    expect([...map.bestBofA]).toEqual([0, -1]);
  });

  it('a feature that always fires with one value has no counterpart', async () => {
    const constant = Array.from({ length: 500 }, (_, t) => [[0, 0.7] as const, ...(t % 3 ? [] : [[1, 1] as const])]);
    const a = memoryActivations(sparse(2, constant), { context: 1 });
    const map = await correlate(a, a, { minFirings: 1, counterparts: 2 });
    expect([...map.bestAofB]).toEqual([-1, -1, 1, -1]);
  });

  it('keeps r within [-1, 1], exactly 1 for equal features, ties to the lower index', async () => {
    const random = new Random(4);
    const rows = Array.from({ length: 300 }, () => {
      const v = 1e-3 + random.next();
      return random.next() < 0.3 ? [0, 1, 2].map((f) => [f, f === 1 ? 3 * v : v] as const) : [];
    });
    const a = memoryActivations(sparse(3, rows), { context: 1 });
    const map = await correlate(a, a, { counterparts: 3 });
    expect([...map.rAofB].every((r) => r <= 1 && r > 0.9999999)).toBe(true);
    expect(map.bestAofB[0]).toBe(0);
    expect(map.bestAofB[6]).toBe(0);
  });

  it('fills up with the least anticorrelated of the features that never fire together', async () => {
    const rows = sparse(4, [[[0, 1]], [[1, 1]], [[2, 1]], [[2, 1]], [[3, 1]], [[3, 2]], [], []]);
    const a = memoryActivations(rows, { context: 1 });
    const map = await correlate(a, a, { minFirings: 1, counterparts: 4 });
    const dense = toDense(rows);
    const r = [0, 1, 2, 3].map((f) => pearson(column(dense, 4, f), column(dense, 4, 0)));
    expect([...map.bestAofB.slice(0, 4)]).toEqual([...r.keys()].sort((x, y) => r[y] - r[x] || x - y));
  });

  it('refuses stores over different tokens, with both identities', async () => {
    const a = memoryActivations(sparse(2, [[[0, 1]], []]), { meta: { tokenSet: { id: 'tokens-1', tokenizer: 't' } } });
    const b = memoryActivations(sparse(2, [[[0, 1]], []]), { meta: { tokenSet: { id: 'tokens-2', tokenizer: 't' } } });
    await expect(correlate(a, b)).rejects.toMatchObject({
      name: 'MismatchError',
      message: expect.stringMatching(/tokens-1.*tokens-2/) as string,
    });
  });

  it('refuses nonsense options and a single token, and stops when aborted', async () => {
    const a = memoryActivations(sparse(2, [[[0, 1]], []]), { context: 1 });
    await expect(correlate(a, a, { counterparts: 0 })).rejects.toThrow(/counterparts/);
    await expect(correlate(a, a, { match: 'best' as 'mutual' })).rejects.toThrow(/match is "best"; expected 'argmax'/);
    await expect(correlate(a, a, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    const one = memoryActivations(sparse(2, [[[0, 1]]]));
    await expect(correlate(one, one)).rejects.toThrow(/at least 2 tokens/);
  });
});

describe('matching features into pairs', () => {
  const a = store(toDense(randomRows(300, 40, 0.15, 7)), 40, [300]);
  const b = store(toDense(randomRows(300, 50, 0.15, 8)), 50, [300]);

  async function allPairs(): Promise<Array<[number, number, number]>> {
    const { index, r, n } = await bestPartners(
      featureSums(b.statistics, 300, new Uint8Array(50).fill(1)),
      featureSums(a.statistics, 300, new Uint8Array(40).fill(1)),
      () => pairedSpans(b, a),
      { n: 40 },
    );
    return Array.from(index, (g, i) => [g, Math.floor(i / n), r[i]]);
  }

  it('argmax takes the best A of every B', async () => {
    const map = await correlate(a, b, { counterparts: 2 });
    expect([...map.pairs.b]).toEqual([...Array(50).keys()]);
    expect([...map.pairs.a]).toEqual([...map.bestAofB].filter((_, i) => i % 2 === 0));
  });

  it('mutual keeps those that are each other’s best', async () => {
    const map = await correlate(a, b, { match: 'mutual' });
    expect(map.pairs.a.length).toBeGreaterThan(5);
    expect(new Set(map.pairs.a).size).toBe(map.pairs.a.length);
    map.pairs.a.forEach((g, i) => expect(map.bestBofA[3 * g]).toBe(map.pairs.b[i]));
  });

  it.each([1, 3, 40])('one-to-one is greedy by r over all positive pairs (lists of %i)', async (counterparts) => {
    const usedA = new Set<number>();
    const usedB = new Set<number>();
    const expected = (await allPairs())
      .filter(([, , r]) => r > 0)
      .sort((x, y) => y[2] - x[2] || x[1] - y[1] || x[0] - y[0])
      .filter(([g, f]) => !usedA.has(g) && !usedB.has(f) && usedA.add(g) && usedB.add(f))
      .sort((x, y) => x[1] - y[1]);
    const { pairs } = await correlate(a, b, { match: 'one-to-one', counterparts });
    expect([...pairs.b]).toEqual(expected.map((p) => p[1]));
    expect([...pairs.a]).toEqual(expected.map((p) => p[0]));
  });

  it('drops pairs below minR from the pairs, not from the lists', async () => {
    const loose = await correlate(a, b);
    const strict = await correlate(a, b, { minR: 0.15 });
    expect(strict.bestAofB).toEqual(loose.bestAofB);
    expect([...strict.pairs.r]).toEqual([...loose.pairs.r].filter((r) => r >= 0.15));
    expect(strict.pairs.r.length).toBeLessThan(loose.pairs.r.length);
  });
});

describe('the BOS artefact', () => {
  const context = 16;
  const rows = (seed: number) => {
    const random = new Random(seed);
    return sparse(
      3,
      Array.from({ length: 32 * context }, (_, t) => [
        ...(t % context === 0 ? [[0, 5] as const] : []),
        ...(random.next() < 0.2 ? [[1, random.next() + 0.1] as const] : []),
        ...(random.next() < 0.2 ? [[2, random.next() + 0.1] as const] : []),
      ]),
    );
  };
  const a = memoryActivations(rows(1), { context });
  const b = memoryActivations(rows(2), { context });

  it('features of the first position correlate at 1 and fire once per sequence', async () => {
    const map = await correlate(a, b, { counterparts: 1 });
    expect(map.bestAofB[0]).toBe(0);
    expect(map.rAofB[0]).toBe(1);
    expect(a.statistics.firings[0]).toBe(a.meta.sequences);
  });

  it('features of the first position are gone with maxShareAtOnePosition', async () => {
    const map = await correlate(a, b, { counterparts: 1, maxShareAtOnePosition: 0.9 });
    expect(map.bestAofB[0]).toBe(-1);
    expect([...map.bestAofB.slice(1)].every((g) => g > 0)).toBe(true);
    expect(Math.max(...map.pairs.r)).toBeLessThan(0.3);
  });
});
