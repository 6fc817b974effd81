/** Relations between words: planted ones found in two spaces that share no axis, Gram matrices by hand, level nulls. */
import { describe, expect, it } from 'vitest';
import type { Occurrences } from '#kernel/activations/occurrences.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { initDevice } from '#kernel/compute/device.js';
import { gemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { orthonormalRows } from '#kernel/compute/orthonormal.js';
import { Random } from '#kernel/compute/random.js';
import { correlate } from '#kernel/correlation/map.js';
import type { Interval } from '#kernel/correlation/bootstrap.js';
import { relations } from '#kernel/correlation/relations.js';
import { drawnScores, gramInterval, neighbourDraws, relationDraws, relationGram, type DrawnScores } from '#kernel/correlation/relationScores.js'; // prettier-ignore
import type { PairedMap } from '#kernel/correlation/types.js';
import { fromUniform, normals, placed } from '#test/kit/numbers.js';
import { fromRows } from '#test/kit/rows.js';
import { directions, matrixOf } from '#test/kit/world.js';

await initDevice({ device: 'cpu' });

const WORDS = [
  'king',
  'queen',
  'prince',
  'princess',
  'duke',
  'duchess',
  'lord',
  'lady',
  'boy',
  'girl',
  'son',
  'daughter',
];
const PAIRS = [0, 2, 4, 6, 8, 10].map((i) => [WORDS[i], WORDS[i + 1]] as const);
const STEPS = [0, 2, 4, 6, 8, 10].map((i) => [i, i + 1] as const);

const scoresOf = async (drawn: readonly DrawnScores[], runs: number) => (await drawnScores(drawn, { runs })).flat();

/** Words at random places, the second of each pair a step away: three steps of one kind and three of another. */
function planted(seed: number, d: number): Matrix {
  const [places, steps] = [directions(12, d, seed), directions(2, d, seed + 1)];
  return matrixOf(
    Array.from({ length: 12 }, (_, w) => {
      const base = w - (w % 2);
      const step = w % 2 === 0 ? 0 : 2;
      return Array.from({ length: d }, (_, j) => places.data[base * d + j] + step * steps.data[(w < 6 ? 0 : d) + j] + 0.1 * places.data[w * d + j]); // prettier-ignore
    }),
  );
}

const times = (x: Matrix, q: Matrix): Matrix => matrix(x.rows, q.cols, gemm(x.data, q.data, x.rows, q.cols, x.cols));

/** A text in which every word comes up, and features that fire on one word each, or on those of `of`. */
function storeOf(of: ReadonlyArray<readonly string[]>, id: string) {
  const random = new Random(4);
  const vocabulary = [...WORDS.map((w) => ` ${w}`), ' the'];
  const ids = Int32Array.from({ length: 600 }, () => random.int(vocabulary.length));
  const dense = Array.from(ids, (i) =>
    of.map((words) => (words.includes(vocabulary[i].trim()) ? 1 + random.next() : 0)),
  );
  return memoryActivations(fromRows(dense), { tokenIds: ids, context: 20, id, piece: (i) => vocabulary[i], meta: { tokenSet: { id: 'one', tokenizer: 'none' } } }); // prettier-ignore
}

async function mapOf(a: ReadonlyArray<readonly string[]>, b: ReadonlyArray<readonly string[]>): Promise<PairedMap> {
  const stores = { a: storeOf(a, 'a'), b: storeOf(b, 'b') };
  return { ...(await correlate(stores.a, stores.b, {})), ...stores };
}

describe('relations between words', () => {
  it('planted relation: finds those in two turned spaces of different widths, and none where the words of B are mismatched', async () => {
    const single = WORDS.map((w) => [w]);
    // B has its features in the opposite order.
    const map = await mapOf(single, [...single].reverse());
    const a = planted(1, 20);
    const b = times(a, orthonormalRows(20, 24, new Random(3)));
    const reversed = matrixOf(Array.from({ length: 12 }, (_, f) => [...b.data.slice((11 - f) * 24, (12 - f) * 24)]));
    const found = await relations({ map, decoders: { a, b: reversed }, pairs: PAIRS });
    expect(found.notes).toEqual([]);
    const [near, shuffled, mismatched] = found.scores;
    expect(near).toMatchObject({ metric: 'neighbours', value: 1, n: 12, p: 1 / 1000 });
    expect(shuffled).toMatchObject({ metric: 'relations', n: 6, seed: 0, null: { kind: 'relations of B shuffled', runs: 999 } }); // prettier-ignore
    expect(shuffled.value).toBeCloseTo(1, 6);
    // Two kinds of three: 36 of 720 orders keep the kinds, and those tie all but by the noise.
    expect(shuffled.p).toBeLessThan(0.12);
    expect(mismatched).toMatchObject({ null: { kind: 'mismatched words in B' } });
    expect(mismatched.p).toBeLessThan(0.02);
    for (const { value, interval } of found.scores) {
      expect(interval).toMatchObject({ level: 0.95, runs: 500 });
      expect(interval!.low).toBeLessThanOrEqual(value + 1e-9);
      expect(interval!.high).toBeGreaterThanOrEqual(value - 1e-9);
    }
    const king = found.words[0];
    expect(king).toMatchObject({ word: 'king', a: { feature: 0, own: true, ofOccurrences: 1, ofMass: 1 }, b: { feature: 11, own: true }, jaccard: 1 }); // prettier-ignore
    expect(king.r).toBeGreaterThan(0.8);
    expect(king.nearA).toEqual(king.nearB);
    const wrong = await relations({ map, decoders: { a, b: directions(12, 24, 8) }, pairs: PAIRS });
    expect(Math.abs(wrong.scores[1].value)).toBeLessThan(0.9);
  });

  it('Gram matrices are cosines of differences, in float64', () => {
    const m = directions(12, 7, 2);
    const at = (w: number, j: number) => m.data[w * 7 + j];
    const gram = relationGram(m, STEPS);
    const difference = ([x, y]: readonly [number, number]) => Array.from({ length: 7 }, (_, j) => at(y, j) - at(x, j));
    STEPS.forEach((x, i) =>
      STEPS.forEach((y, k) => {
        const [u, v] = [difference(x), difference(y)];
        const dot = u.reduce((s, c, j) => s + c * v[j], 0);
        expect(gram[i * 6 + k]).toBeCloseTo(dot / Math.hypot(...u) / Math.hypot(...v), 10);
      }),
    );
  });

  it('words of one feature in B leave every null run of mismatched words an r: no relation of length 0 is drawn', () => {
    const [a, places] = [directions(6, 8, 1), directions(6, 8, 2)];
    // "he" and "boy" are one feature of B, of relations that each have a length.
    const b = matrixOf([0, 1, 0, 3, 4, 5].map((w) => Array.from(places.data.subarray(8 * w, 8 * w + 8))));
    const { draw, scores } = relationDraws({ vectors: 'rows', a, b }, [[0, 1], [2, 3], [4, 5]], 0); // prettier-ignore
    const runs = Array.from({ length: 60 }, () => draw()());
    const of = (i: number): Float64Array => Float64Array.from(runs, (run) => Number(run[i]));
    expect(of(1).every(Number.isFinite)).toBe(true);
    expect(new Set(of(1)).size).toBeGreaterThan(20);
    const [, mismatched] = scores([of(0), of(1)], undefined);
    expect(Number.isFinite(mismatched.null.mean) && mismatched.null.std > 0).toBe(true);
  });

  it('intervals of relations are as wide as r spreads over other relations of the kind, by the seed, and none of three', async () => {
    const m = 14;
    /** Relations of A, and of B that keep them but for noise. */
    const world = (seed: number) => {
      const next = normals(seed);
      const a = Array.from({ length: m }, () => Array.from({ length: 8 }, next));
      const b = a.map((v) => v.map((x) => x + 0.6 * next()));
      const words = (rows: number[][]) => matrixOf(rows.flatMap((v) => [v.map(() => 0), v]));
      return { vectors: 'rows', a: words(a), b: words(b) };
    };
    const steps = Array.from({ length: m }, (_, i) => [2 * i, 2 * i + 1] as const);
    const of = async (seed: number, s = 0) => (await scoresOf([relationDraws(world(seed), steps, s)], 1))[0];
    const values: number[] = [];
    for (let seed = 0; seed < 120; seed++) values.push((await of(seed)).value);
    const truth = values.reduce((s, v) => s + v, 0) / values.length;
    const spread = Math.sqrt(values.reduce((s, v) => s + (v - truth) ** 2, 0) / values.length);
    const found: Interval[] = [];
    for (let i = 0; i < 60; i++) found.push((await of(1000 + i)).interval!);
    const width = found.reduce((s, { low, high }) => s + (high - low) / (2 * 1.96), 0) / found.length;
    expect(width / spread).toBeGreaterThan(0.8);
    expect(width / spread).toBeLessThan(1.5);
    const held = found.filter(({ low, high }) => low <= truth && truth <= high).length;
    expect(held).toBeGreaterThanOrEqual(51);
    expect(await of(7)).toEqual(await of(7));
    expect((await of(7, 1)).interval).not.toEqual((await of(7)).interval);
    const [three] = await scoresOf([relationDraws(world(7), steps.slice(0, 3), 0)], 1);
    expect(three.interval).toBeUndefined();
    // Every cosine 1: r does not exist, nor does its interval.
    const flat = new Float64Array(25).fill(1);
    expect(gramInterval(flat, flat, 5, new Random(1))).toMatchObject({ low: NaN, high: NaN });
  });

  it('names words that share a feature, do not occur or have no feature, and leaves them out: no NaN', async () => {
    const a = [['king', 'queen'], ...WORDS.slice(2, 10).map((w) => [w])];
    const b = WORDS.slice(0, 10).map((w) => [w]);
    const map = await mapOf(a, b);
    const found = await relations({ map, decoders: { a: directions(9, 8, 1), b: directions(10, 8, 2) }, pairs: [...PAIRS.slice(0, 5), ['son', 'daughter'], ['boy', 'wizard']] }); // prettier-ignore
    expect(found.notes).toEqual([
      'nothing fires on “son” in A and B: it is left out',
      'nothing fires on “daughter” in A and B: it is left out',
      '“wizard” does not occur in the text and is left out',
      'king → queen has no decoder rows to compare: both words are one feature in A #0',
      'king, queen share feature #0 of A',
    ]);
    expect(found.grams.map((g) => g.pairs)).toEqual([PAIRS.slice(1, 5)]);
    for (const { value, p } of found.scores) {
      expect(Number.isFinite(value)).toBe(true);
      expect(p).toBeGreaterThan(0);
    }
    // Activations tell king and queen apart although they share a feature.
    const vectors = planted(1, 20);
    const residual = (words: readonly Occurrences[]) => {
      const rows = words.map(({ query }) => WORDS.findIndex((w) => query === `“${w}”`));
      const of = matrixOf(rows.map((w) => [...vectors.data.slice(w * 20, (w + 1) * 20)]));
      return Promise.resolve({ vectors: 'mean activations', a: of, b: times(of, orthonormalRows(20, 20, new Random(1))) }); // prettier-ignore
    };
    const both = await relations({ map, decoders: { a: directions(9, 8, 1), b: directions(10, 8, 2) }, pairs: PAIRS, residual }); // prettier-ignore
    expect(both.grams.map((g) => g.pairs)).toEqual([PAIRS.slice(1, 5), PAIRS]);
    expect(both.scores.at(-1)).toMatchObject({ variant: 'r of the cosines between relations in A and in B, mean activations', n: 6 }); // prettier-ignore
    expect(both.scores.at(-1)!.value).toBeCloseTo(1, 6);
    const few = await relations({ map, decoders: { a: directions(9, 8, 1), b: directions(10, 8, 2) }, pairs: [['boy', 'girl']] }); // prettier-ignore
    expect(few.notes).toEqual([
      '1 relations are left for decoder rows; 3 are needed to compare how they stand to each other',
    ]);
    expect(few.scores).toEqual([]);
  });

  it(
    'p is uniform over 1,000 seeds where the two models have nothing in common, and least where they do',
    { timeout: 60_000 },
    async () => {
      const p: number[][] = [[], [], []];
      let power = 0;
      for (let seed = 0; seed < 1000; seed++) {
        const of = {
          vectors: 'rows',
          a: directions(12, 6, 10_000 + 2 * seed),
          b: directions(12, 6, 10_001 + 2 * seed),
        };
        const s = { neighbors: 3, runs: 19, seed };
        const scores = await scoresOf([neighbourDraws(of, s).draws, relationDraws(of, STEPS, seed)], s.runs);
        scores.forEach((score, i) => p[i].push(placed(score.p, 19, seed)));
        if (seed >= 20) continue;
        const a = directions(12, 6, seed);
        const b = times(a, orthonormalRows(6, 6, new Random(seed)));
        const rotated = await scoresOf([relationDraws({ vectors: 'rows', a, b }, STEPS, seed)], s.runs);
        power += rotated.filter((one) => one.p <= 0.05).length;
      }
      // A mean of a few Jaccard indices often ties with its null, which counts against it: p may only be too large.
      for (const level of [0.05, 0.1, 0.2, 0.5])
        expect(p[0].filter((v) => v <= level).length / 1000).toBeLessThan(level + 0.05);
      for (const values of p.slice(1)) expect(fromUniform(values)).toBeLessThan(1);
      expect(power).toBeGreaterThanOrEqual(36);
    },
  );
});
