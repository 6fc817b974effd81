import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { filterPairs, minRFilter, nonConceptFilter, sharedTokenFilter } from '#kernel/correlation/filters.js';
import { besideNull } from '#kernel/correlation/nulls.js';
import { sameTokenScore } from '#kernel/correlation/sameToken.js';
import { normalizeToken } from '#protocol/tokens.js';

describe('besideNull', () => {
  const about = { metric: 'm', variant: 'v', n: 3, seed: 0, kind: 'shuffle' };
  it('counts runs that reach the value: p = (k + 1) / (R + 1)', () => {
    const score = besideNull(2, [1, 2, 3, 0], about);
    expect(score.p).toBe(3 / 5);
    expect(score.null).toEqual({ kind: 'shuffle', runs: 4, mean: 1.5, std: Math.sqrt(1.25), max: 3 });
  });
  it('takes a difference in the last bits for a tie, and NaN runs against the score', () => {
    expect(besideNull(1, [1 - 1e-15, 1 - 1e-15], about).p).toBe(1);
    expect(besideNull(1, [NaN, 0], about).p).toBe(2 / 3);
  });
  it('without runs claims nothing', () => {
    expect(besideNull(1, [], about).p).toBe(1);
  });
});

describe('sameTokenScore', () => {
  it('counts common tokens, Jaccard, equal tops, and the raw variant', async () => {
    const a = [['Once', ' upon'], [' king', ' queen'], [' a'], []];
    const b = [[' once', ' time'], [' cat'], [' a', ' b', ' c'], [' d']];
    const pairs = { a: [0, 1, 2, 3], b: [0, 1, 2, 3] };
    const s = await sameTokenScore(a, b, pairs, { nulls: 5 });
    expect([s.pairs, s.excluded]).toEqual([3, 1]);
    expect(s.shared.value).toBeCloseTo(2 / 3, 12);
    expect(s.jaccard.value).toBeCloseTo((1 / 3 + 0 + 1 / 3) / 3, 12);
    expect(s.top.value).toBeCloseTo(2 / 3, 12);
    expect(s.raw.value).toBeCloseTo(1 / 3, 12);
    expect(s.shared.n).toBe(3);
  });

  it('tells matched from shuffled pairs, the same way for the same seed', async () => {
    const words = Array.from({ length: 200 }, (_, i) => [` w${i}`, ` v${i % 20}`]);
    const ids = Int32Array.from(words.keys());
    const matched = await sameTokenScore(words, words, { a: ids, b: ids }, { nulls: 50, seed: 3 });
    expect(matched.jaccard.value).toBe(1);
    expect(matched.jaccard.p).toBe(1 / 51);
    // Shuffled: v is shared by 10 of 200 features, so a pair shares a token with probability 1/20.
    expect(matched.shared.null.mean).toBeCloseTo(0.05, 1);
    expect(await sameTokenScore(words, words, { a: ids, b: ids }, { nulls: 50, seed: 3 })).toEqual(matched);
    const random = await sameTokenScore(words, words, { a: ids, b: new Random(1).permutation(200) }, { nulls: 50 });
    expect(random.shared.p).toBeGreaterThan(0.02);
  });

  it('has an interval over the pairs by the seed, as wide as its standard error says, and the same score with and without', async () => {
    const words = Array.from({ length: 400 }, (_, i) => [` w${i % 2 === 0 ? i : i - 1}`]);
    const ids = Int32Array.from(words.keys());
    const other = ids.map((i) => (i % 4 < 2 ? i : (i + 2) % 400));
    const of = (seed: number, intervals?: number) =>
      sameTokenScore(words, words, { a: ids, b: other }, { nulls: 5, seed, ...(intervals === undefined ? {} : { intervals }) }); // prettier-ignore
    const found = await of(1);
    // Every second pair of features shares its word.
    expect(found.shared.value).toBe(0.5);
    for (const { interval } of [found.shared, found.jaccard, found.top, found.raw]) {
      expect(interval).toMatchObject({ level: 0.95, runs: 500 });
      expect((interval!.high - interval!.low) / 2).toBeCloseTo(1.96 * Math.sqrt(0.25 / 400), 2);
    }
    expect(await of(1)).toEqual(found);
    expect((await of(2)).shared.interval).not.toEqual(found.shared.interval);
    const { interval, ...plain } = found.shared;
    expect(interval!.low).toBeLessThan(0.5);
    expect((await of(1, 0)).shared).toEqual(plain);
  });

  it('has no value without living pairs, and refuses pairs outside the labels', async () => {
    const s = await sameTokenScore([[]], [[' a']], { a: [0], b: [0] }, { nulls: 3 });
    expect(s.shared).toMatchObject({ value: NaN, p: 1, n: 0, warning: expect.stringMatching(/no pair/) as string });
    await expect(sameTokenScore([[]], [[]], { a: [1], b: [0] })).rejects.toThrow(/pair 0/);
  });

  it('normalises case, spaces and width, but keeps a space token', () => {
    expect([' King', 'ＫＩＮＧ', 'king '].map(normalizeToken)).toEqual(['king', 'king', 'king']);
    expect(normalizeToken('\n')).toBe('\n');
  });
});

describe('filterPairs', () => {
  const pairs = { a: Int32Array.of(0, 1, 2, 3), b: Int32Array.of(0, 1, 2, 3), r: Float32Array.of(0.5, 0.75, 0.25, 1) };
  const a = [[' once', ' upon'], [' king'], [' cat'], [' dog', ' .']];
  const b = [['Once'], [' queen'], [' cat'], [' dog']];

  it('applies each filter to what the one before left, and counts', () => {
    const { pairs: kept, counts } = filterPairs(pairs, [
      nonConceptFilter(a, b),
      sharedTokenFilter(a, b),
      minRFilter(0.3),
    ]);
    expect([...kept.a]).toEqual([0]);
    expect(counts).toEqual([
      { step: 'matched', pairs: 4, meanR: 0.625 },
      { step: 'no non-concept token', pairs: 3, meanR: 0.5 },
      { step: 'a common peak token', pairs: 2, meanR: 0.375 },
      { step: 'r ≥ 0.3', pairs: 1, meanR: 0.5 },
    ]);
  });

  it('the raw rule keeps case and spaces apart', () => {
    expect([...filterPairs(pairs, [sharedTokenFilter(a, b, { raw: true })]).pairs.a]).toEqual([2, 3]);
  });

  it('leaves no pairs and a mean of NaN where a filter takes all', () => {
    expect(filterPairs(pairs, [minRFilter(2)]).counts[1]).toEqual({ step: 'r ≥ 2', pairs: 0, meanR: NaN });
  });
});
