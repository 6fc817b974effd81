/** Examples of bands of activations, against sorting every firing. */
import { describe, expect, it } from 'vitest';
import { bandEnds } from '#kernel/activations/bands.js';
import type { BandOptions } from '#kernel/activations/options.js';
import { allExamples, bandedExamples, topExamples } from '#kernel/activations/examples.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { Random } from '#kernel/compute/random.js';
import type { FeatureExample } from '#protocol/bundle.js';
import { fromDense, randomRows, sparse, toDense } from '#test/kit/rows.js';

const [TOKENS, FEATURES, CONTEXT] = [600, 8, 20];
const piece = (t: number) => ` w${t}`;

/** Few tokens and values: many equal contexts and ties. Feature 7 is dead. */
function store(seed: number, cuts: readonly number[] = [0, 200, 220], levels = 6) {
  const random = new Random(seed);
  const tokenIds = Int32Array.from({ length: TOKENS }, () => random.int(3));
  const dense = toDense(randomRows(TOKENS, FEATURES, 0.4, seed)).map((v, i) =>
    i % FEATURES === 7 ? 0 : Math.ceil(v * levels) / levels,
  );
  const blocks = cuts.map((from, i) => {
    const to = cuts[i + 1] ?? TOKENS;
    return fromDense(dense.subarray(from * FEATURES, to * FEATURES), to - from, FEATURES);
  });
  return { dense, store: memoryActivations(blocks, { tokenIds, context: CONTEXT, piece }) };
}

/** numpy.quantile(values, (i + 1) / count, method='inverted_cdf'), or equal widths. */
function endsOf(values: readonly number[], { count, by }: Pick<BandOptions, 'count' | 'by'>): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const max = sorted.at(-1)!;
  return Array.from({ length: count }, (_, i) => {
    if (by === 'range') return (max * (i + 1)) / count;
    return sorted.find((v) => sorted.filter((other) => other <= v).length * count >= (i + 1) * sorted.length)!;
  });
}

const contextOf = (e: FeatureExample): string => `${e.peak} ${e.tokens.join()}`;

describe.each(['quantile', 'range'] as const)('bands by %s', (by) => {
  it.each([1, 3, 4, 10])('of %i end where sorting says, and count every firing once', async (count) => {
    const { dense, store: activations } = store(3);
    const banded = await bandedExamples(activations, { count, by, perBand: 2 });
    for (let f = 0; f < FEATURES; f++) {
      const values = Array.from({ length: TOKENS }, (_, t) => dense[t * FEATURES + f]).filter((v) => v > 0);
      const { bands } = banded[f];
      if (values.length === 0) {
        expect(bands).toEqual([]);
        continue;
      }
      const ends = endsOf(values, { count, by });
      expect(bands.map(({ to }) => to)).toEqual([...ends].reverse());
      expect(bands.map(({ from }) => from)).toEqual([0, ...ends.slice(0, -1)].reverse());
      // Where two bands end alike, the lower one holds the firings.
      const of = (v: number) => ends.findIndex((end) => v <= end);
      expect(bands.map(({ firings }) => firings).reverse()).toEqual(
        ends.map((_, i) => values.filter((v) => of(v) === i).length),
      );
      expect(bands.reduce((n, { firings }) => n + firings, 0)).toBe(activations.statistics.firings[f]);
    }
  });

  it('draw from each as many different contexts as it has, none that is shown besides', async () => {
    const { dense, store: activations } = store(5);
    for (const perBand of [1, 4, 200]) {
      const options = { count: 3, by, perBand, before: 1, after: 0, top: 3 };
      const banded = await bandedExamples(activations, options);
      const top = await topExamples(activations, options);
      for (let f = 0; f < 7; f++) {
        expect(banded[f].top).toEqual(top[f]);
        const shown = allExamples(banded[f]).map(contextOf);
        expect(new Set(shown).size).toBe(shown.length);
        const taken = new Set(top[f].map(contextOf));
        for (const { from, to, examples } of banded[f].bands) {
          const inBand = new Set<string>();
          for (let t = 0; t < TOKENS; t++) {
            const v = dense[t * FEATURES + f];
            if (!(v > from && v <= to)) continue;
            const start = Math.max(t - (t % CONTEXT), t - 1);
            const ids = await activations.tokenIds();
            inBand.add(`${t - start} ${Array.from(ids.subarray(start, t + 1), piece).join()}`);
          }
          const free = [...inBand].filter((context) => !taken.has(context));
          expect(examples.length).toBe(Math.min(perBand, free.length));
          for (const e of examples) {
            expect(free).toContain(contextOf(e));
            expect(e.value > from && e.value <= to).toBe(true);
            expect(e.value).toBe(dense[(e.sequence * CONTEXT + e.position) * FEATURES + f]);
            expect(e.band).toEqual({ from, to, firings: expect.any(Number) as number });
            taken.add(contextOf(e));
          }
          const values = examples.map(({ value }) => value);
          expect(values).toEqual([...values].sort((x, y) => y - x));
        }
      }
    }
  });

  it('draw the same in any cut into shards and in any number of passes, and others by another seed', async () => {
    const options = { count: 3, by, perBand: 2, seed: 4 };
    const drawn = await bandedExamples(store(9, [0]).store, options);
    expect(await bandedExamples(store(9, [0, 20, 400, 580]).store, options)).toEqual(drawn);
    expect(await bandedExamples(store(9).store, { ...options, seed: 5 })).not.toEqual(drawn);
    const wanted = new Uint8Array(FEATURES).fill(1);
    const all = await bandEnds(store(9).store, wanted, options, {});
    expect(await bandEnds(store(9).store, wanted, options, {}, 100)).toEqual(all);
  });
});

describe('draws from a band', () => {
  it('are uniform among different contexts, however often each occurs', async () => {
    // Token 0 occurs 90 times, tokens 1 to 10 once each: a context is its token.
    const ids = Int32Array.from({ length: 100 }, (_, t) => (t < 90 ? 0 : t - 89));
    const rows = sparse(
      1,
      Array.from(ids, () => [[0, 1]]),
    );
    const activations = memoryActivations(rows, { tokenIds: ids, context: 1 });
    const counts = new Uint32Array(11);
    const seeds = 1100;
    for (let seed = 0; seed < seeds; seed++) {
      const [{ bands }] = await bandedExamples(activations, { top: 0, count: 1, perBand: 1, seed });
      counts[ids[bands[0].examples[0].sequence]]++;
    }
    // χ² of 10 degrees of freedom: 29.6 is passed by chance once in 1,000.
    const chi = counts.reduce((s, n) => s + (n - seeds / 11) ** 2 / (seeds / 11), 0);
    expect(chi).toBeLessThan(29.6);
  });

  it('show what a feature does besides its peaks', async () => {
    // Strong on 6 different contexts of token 9, weak on 200 of others.
    const random = new Random(1);
    const ids = Int32Array.from({ length: 1000 }, (_, t) => (t % 160 === 3 ? 9 : random.int(9)));
    const rows = sparse(
      1,
      Array.from(ids, (id, t) => (id === 9 ? [[0, 8 + t / 1000]] : t % 5 === 0 ? [[0, 0.1 + t / 1e5]] : [])),
    );
    const [{ top, bands }] = await bandedExamples(memoryActivations(rows, { tokenIds: ids, context: 40, piece }));
    expect(new Set(top.map((e) => e.tokens[e.peak]))).toEqual(new Set([' w9']));
    expect(bands.slice(1).map(({ examples }) => examples.map((e) => e.value < 1))).toEqual([[true], [true], [true]]);
  });

  it('are none of features that were not asked for, of none bands, and of a store without tokens', async () => {
    const { store: activations } = store(2);
    const some = await bandedExamples(activations, { features: [1] });
    expect(some.map(({ top, bands }) => [top.length > 0, bands.length])).toEqual(
      Array.from({ length: FEATURES }, (_, f) => [f === 1, f === 1 ? 4 : 0]),
    );
    const none = await bandedExamples(activations, { count: 0 });
    expect(none.map(({ top, bands }) => ({ top, bands }))).toEqual(
      (await topExamples(activations)).map((top) => ({ top, bands: [] })),
    );
    expect(await bandedExamples(memoryActivations(sparse(2, [])))).toEqual(
      [0, 1].map((feature) => ({ feature, top: [], bands: [] })),
    );
    await expect(bandedExamples(activations, { features: [8] })).rejects.toThrow(/feature 8.*0 to 7/);
    const stopped = bandedExamples(activations, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
  });
});
