/** Labels by mass, of features and of pairs, against float64 loops over dense activations, and traps for the old rule. */
import { describe, expect, it } from 'vitest';
import { topExamples } from '#kernel/activations/examples.js';
import { featureLabels, peakTokens } from '#kernel/activations/labels.js';
import { sumPairs, type RowSums } from '#kernel/activations/pairSums.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { massLabels, TokenColumns } from '#kernel/activations/tokenMass.js';
import { tokenStatistics } from '#kernel/activations/tokenStatistics.js';
import { Random } from '#kernel/compute/random.js';
import { pairLabels } from '#kernel/correlation/pairLabels.js';
import {
  isPunctuation,
  isSpecialToken,
  labelLine,
  normalizeToken,
  shareText,
  type TokenShare,
} from '#protocol/tokens.js';
import { fromDense, randomRows, sparse, toDense } from '#test/kit/rows.js';

/** Token ids by text; texts that are given twice have two ids. */
function vocabulary(...texts: string[]) {
  return { piece: (id: number) => texts[id], id: (text: string) => texts.indexOf(text) };
}

/** The definition, spelled out: words by share, ties to the lower id of the heaviest spelling. */
function byShare(mass: ReadonlyMap<number, number>, piece: (id: number) => string): TokenShare[] {
  const total = [...mass.values()].reduce((s, v) => s + v, 0);
  const words = new Map<string, Array<[id: number, mass: number]>>();
  for (const entry of [...mass].sort(([a], [b]) => a - b)) {
    const word = normalizeToken(piece(entry[0]));
    words.set(word, [...(words.get(word) ?? []), entry]);
  }
  const all = [...words.values()].map((spellings) => {
    const best = spellings.reduce((x, y) => (y[1] > x[1] ? y : x));
    return { id: best[0], mass: spellings.reduce((s, [, m]) => s + m, 0) };
  });
  all.sort((a, b) => b.mass - a.mass || a.id - b.id);
  return all
    .slice(0, 5)
    .filter((word) => word.mass >= 0.1 * all[0].mass)
    .map((word) => ({ token: piece(word.id), share: word.mass / total }));
}

const added = (mass: Map<number, number>, id: number, value: number) => mass.set(id, (mass.get(id) ?? 0) + value);

function close(found: readonly TokenShare[][], expected: readonly TokenShare[][]): void {
  expect(found.map((label) => label.map(({ token }) => token))).toEqual(
    expected.map((label) => label.map(({ token }) => token)),
  );
  found.forEach((label, f) => label.forEach(({ share }, i) => expect(share).toBeCloseTo(expected[f][i].share, 12)));
}

/** A random store cut into shards, with two ids that read alike and one feature that is dead. */
function randomStore(seed: number, cuts: readonly number[], levels = Infinity) {
  const [tokens, features] = [600, 12];
  const random = new Random(seed);
  const texts = Array.from({ length: 30 }, (_, i) => (i < 15 ? ` w${i}` : i < 20 ? `W${i - 15}` : ` v${i}`));
  const { piece } = vocabulary(...texts);
  const tokenIds = Int32Array.from({ length: tokens }, () => random.int(texts.length));
  const dense = toDense(randomRows(tokens, features, 0.3, seed)).map((v, i) =>
    i % features === 7 ? 0 : levels === Infinity ? v : Math.ceil(v * levels),
  );
  const blocks = cuts.map((from, i) => {
    const to = cuts[i + 1] ?? tokens;
    return fromDense(dense.subarray(from * features, to * features), to - from, features);
  });
  return { dense, features, tokenIds, piece, store: memoryActivations(blocks, { tokenIds, context: 20, piece }) };
}

/** Σ over tokens of what `value` gives, by token id. */
function massOf(tokenIds: Int32Array, value: (t: number) => number): Map<number, number> {
  const mass = new Map<number, number>();
  tokenIds.forEach((id, t) => value(t) > 0 && added(mass, id, value(t)));
  return mass;
}

describe('labels by mass', () => {
  it.each([Infinity, 2])('equal a float64 loop over dense activations of %s levels', async (levels) => {
    for (const seed of [1, 2, 3]) {
      const { dense, features, tokenIds, piece, store } = randomStore(seed, [0, 200, 240], levels);
      const expected = Array.from({ length: features }, (_, f) =>
        byShare(
          massOf(tokenIds, (t) => dense[t * features + f]),
          piece,
        ),
      );
      const found = await massLabels(store);
      close(found, expected);
      expect(found[7]).toEqual([]);
    }
  });

  it('are the same in one pass and in many, and in any cut into shards', async () => {
    const whole = await massLabels(randomStore(5, [0]).store);
    let passes = 0;
    const { store } = randomStore(5, [0, 20, 300]);
    const counted = { ...store, shards: () => (passes++, store.shards()) };
    expect(await massLabels(counted, { limit: 60 })).toEqual(whole);
    expect(passes).toBeGreaterThan(2);
    passes = 0;
    expect(await massLabels(counted)).toEqual(whole);
    expect(passes).toBe(1);
  });

  it('call a feature by what holds its activation, where its peaks say something else', async () => {
    const { piece, id } = vocabulary(' the', ' enormous', ' a');
    // Weak on 1,000 " the", strong on 4 " enormous".
    const ids = Int32Array.from({ length: 1100 }, (_, t) =>
      t % 250 === 7 ? id(' enormous') : t < 1004 ? id(' the') : id(' a'),
    );
    const rows = Array.from(ids, (token): Array<[number, number]> =>
      piece(token) === ' the' ? [[0, 0.25]] : piece(token) === ' enormous' ? [[0, 8]] : [],
    );
    const store = memoryActivations(sparse(2, rows), { tokenIds: ids, context: 11, piece });
    const [strong, weak] = [
      ids.filter((t) => t === 1).length,
      ids.filter((t, i) => t === 0 && rows[i].length > 0).length,
    ];
    const [label, dead] = featureLabels(await massLabels(store), await topExamples(store, { dedupe: false }));
    const total = 8 * strong + 0.25 * weak;
    expect(label).toEqual({
      tokens: [
        { token: ' the', share: (0.25 * weak) / total },
        { token: ' enormous', share: (8 * strong) / total },
      ],
      peaks: Array.from({ length: 5 }, () => ' enormous'),
    });
    expect(label.tokens[0].share).toBeGreaterThan(0.8);
    expect(dead).toEqual({ tokens: [], peaks: [] });
  });

  it('take spellings of one word together, and two ids of one text, written as the heaviest', async () => {
    const { piece } = vocabulary('The', ' the', 'ＴＨＥ', ' the', ' then');
    const rows = sparse(1, [[[0, 1]], [[0, 2]], [[0, 1]], [[0, 1]], [[0, 5]]]);
    const store = memoryActivations(rows, { tokenIds: Int32Array.of(0, 1, 2, 3, 4), piece });
    expect(await massLabels(store)).toEqual([
      [
        { token: ' the', share: 0.5 },
        { token: ' then', share: 0.5 },
      ],
    ]);
  });

  it('leave out what holds less than a tenth of the first, and more than five words', async () => {
    const store = (...values: number[]) =>
      memoryActivations(
        sparse(
          1,
          values.map((v) => [[0, v] as const]),
        ),
        { piece: (t) => ` w${t}` },
      );
    expect((await massLabels(store(100, 10, 9.99)))[0].map(({ token }) => token)).toEqual([' w0', ' w1']);
    expect((await massLabels(store(1, 1, 1, 1, 1, 1, 1)))[0]).toEqual(
      [0, 1, 2, 3, 4].map((t) => ({ token: ` w${t}`, share: 1 / 7 })),
    );
  });

  it('hold at extreme scales, and a store refuses NaN and infinity before anything is labelled', async () => {
    const tiny = memoryActivations(
      sparse(2, [
        [
          [0, 1e-45],
          [1, 3e38],
        ],
        [
          [0, 3e-45],
          [1, 3e38],
        ],
      ]),
      { piece: (t) => ` w${t}` },
    );
    const labels = await massLabels(tiny);
    expect(labels[0].map(({ token }) => token)).toEqual([' w1', ' w0']);
    expect(labels[0][0].share).toBeCloseTo(2 / 3, 12);
    expect(labels[1].map(({ share }) => share)).toEqual([0.5, 0.5]);
    const both = await pairLabels(tiny, tiny, { a: [0, 1, 0], b: [0, 1, 1] });
    expect(both[0][0].share).toBeCloseTo(0.8, 12);
    expect(both[1].map(({ share }) => share)).toEqual([0.5, 0.5]);
    expect(both[2][0].share).toBeCloseTo(2 / 3, 12);
    for (const bad of [NaN, Infinity, -1]) expect(() => memoryActivations(sparse(1, [[[0, bad]]]))).toThrow(/token 0/);
  });

  it('of nothing are nothing, and a cancelled call stops', async () => {
    const empty = memoryActivations(sparse(3, []));
    expect(await massLabels(empty)).toEqual([[], [], []]);
    expect(await tokenStatistics(empty, { features: [] })).toEqual([]);
    const { store } = randomStore(1, [0]);
    await expect(massLabels(store, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    await expect(pairLabels(store, store, { a: [0], b: [0] }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('labels of pairs', () => {
  it('equal a float64 loop, in one pass and in many, whatever the cuts into shards', async () => {
    const a = randomStore(11, [0, 100, 140], 3);
    const b = randomStore(12, [0, 260]);
    const other = memoryActivations(fromDense(b.dense, 600, b.features), { ...a, context: 20 });
    const pairs = { a: [0, 3, 3, 7, 11, 0], b: [5, 5, 2, 1, 7, 5] };
    const expected = pairs.a.map((f, i) =>
      byShare(
        massOf(a.tokenIds, (t) => a.dense[t * a.features + f] * b.dense[t * b.features + pairs.b[i]]),
        a.piece,
      ),
    );
    const found = await pairLabels(a.store, other, pairs);
    close(found, expected);
    // Dead features fire together with nothing.
    expect([found[3], found[4]]).toEqual([[], []]);
    expect(await pairLabels(a.store, other, pairs, { limit: 20 })).toEqual(found);
  });

  it('name the one token on which two features of other labels meet', async () => {
    const { piece } = vocabulary(' the', ' short', ' he');
    const [tokens, ids] = [300, Int32Array.from({ length: 300 }, (_, t) => t % 3)];
    // A is strongest on " short", B on " he"; both fire on " the" alone.
    const a = sparse(
      1,
      Array.from({ length: tokens }, (_, t) => (t % 3 === 0 ? [[0, 1]] : t % 3 === 1 ? [[0, 9]] : [])),
    );
    const b = sparse(
      1,
      Array.from({ length: tokens }, (_, t) => (t % 3 === 0 ? [[0, 1]] : t % 3 === 2 ? [[0, 9]] : [])),
    );
    const [storeA, storeB] = [a, b].map((rows) => memoryActivations(rows, { tokenIds: ids, piece }));
    expect((await massLabels(storeA))[0][0].token).toBe(' short');
    expect((await massLabels(storeB))[0][0].token).toBe(' he');
    expect(await pairLabels(storeA, storeB, { a: [0], b: [0] })).toEqual([[{ token: ' the', share: 1 }]]);
  });

  it('refuse pairs outside the stores', async () => {
    const store = memoryActivations(sparse(2, [[[0, 1]]]));
    await expect(pairLabels(store, store, { a: [0], b: [2] })).rejects.toThrow(
      'pair 0 (0, 2) is outside 0 to 1 and 0 to 1',
    );
    await expect(pairLabels(store, store, { a: [0, 1], b: [0] })).rejects.toThrow(
      '2 features of A do not pair with 1 of B',
    );
  });
});

describe('the published rule', () => {
  it('are the peak tokens, repeats kept; what was drawn from bands is no peak, and a dead feature has none', async () => {
    const rows = sparse(2, [[[0, 1]], [[0, 3]], [[0, 2]]]);
    const examples = await topExamples(memoryActivations(rows, { piece: (t) => ` w${t}` }), { before: 0, after: 0 });
    expect(peakTokens(examples)).toEqual([[' w1', ' w2', ' w0'], []]);
    expect(peakTokens(examples, 1)).toEqual([[' w1'], []]);
    const [best, ...rest] = examples[0];
    const drawn = rest.map((e) => ({ ...e, band: { from: 0, to: 2, firings: 2 } }));
    expect(peakTokens([[best, ...drawn]])).toEqual([[' w1']]);
  });
});

describe('token statistics', () => {
  it('equal loops over dense activations: tokens, positions, and shares of special tokens and punctuation', async () => {
    const texts = [' a', ' b', '.', ' “', '<|endoftext|>', '\n', ' c'];
    const { piece } = vocabulary(...texts);
    const random = new Random(4);
    const [tokens, features, context] = [400, 6, 8];
    const tokenIds = Int32Array.from({ length: tokens }, () => random.int(texts.length));
    const dense = toDense(randomRows(tokens, features, 0.4, 8)).map((v, i) => (i % features === 2 ? 0 : v));
    const store = memoryActivations([fromDense(dense, tokens, features)], { tokenIds, context, piece });
    for (const limit of [undefined, 9]) {
      const found = await tokenStatistics(store, { features: [5, 0, 2, 5], limit });
      expect(found.map(({ feature }) => feature)).toEqual([5, 0, 2, 5]);
      expect(found[3]).toEqual(found[0]);
      for (const f of [5, 0]) {
        const own = found.find(({ feature }) => feature === f)!;
        const value = (t: number) => dense[t * features + f];
        const sum = (keep: (t: number) => boolean) =>
          [...tokenIds.keys()].filter(keep).reduce((s, t) => s + value(t), 0);
        const mass = sum(() => true);
        const fires = (t: number) => value(t) > 0;
        expect(own.mass).toBeCloseTo(mass, 10);
        expect(own.firings).toBe([...tokenIds.keys()].filter(fires).length);
        expect(own.first).toBeCloseTo(sum((t) => t % context === 0) / mass, 12);
        expect(own.special).toBeCloseTo(sum((t) => tokenIds[t] === 4) / mass, 12);
        expect(own.punctuation).toBeCloseTo(sum((t) => [2, 3, 5].includes(tokenIds[t])) / mass, 12);
        expect(own.distinct).toBe(texts.length);
        expect(own.tokens).toHaveLength(7);
        expect(own.positions.reduce((s, p) => s + p.share, 0)).toBeCloseTo(1, 12);
        for (const each of own.tokens) {
          const id = texts.indexOf(each.token);
          const at = [...tokenIds.keys()].filter((t) => tokenIds[t] === id);
          const firing = at.filter(fires);
          expect(each.share).toBeCloseTo(sum((t) => tokenIds[t] === id) / mass, 12);
          expect([each.firings, each.occurrences]).toEqual([firing.length, at.length]);
          expect(each.mean).toBeCloseTo(sum((t) => tokenIds[t] === id) / firing.length, 12);
        }
        for (const { position, share, firings } of own.positions) {
          expect(share).toBeCloseTo(sum((t) => t % context === position) / mass, 12);
          expect(firings).toBe([...tokenIds.keys()].filter((t) => t % context === position && fires(t)).length);
        }
        const shares = own.tokens.map(({ share }) => share);
        expect(shares).toEqual([...shares].sort((x, y) => y - x));
      }
      expect(found[2]).toMatchObject({
        feature: 2,
        firings: 0,
        mass: 0,
        tokens: [],
        positions: [],
        first: NaN,
        special: NaN,
      });
    }
    await expect(tokenStatistics(store, { features: [6] })).rejects.toThrow(
      'feature 6 does not exist: features are 0 to 5',
    );
  });

  it('a feature of the first position shows itself as one', async () => {
    const rows = sparse(
      1,
      Array.from({ length: 40 }, (_, t) => (t % 10 === 0 ? [[0, 2] as const] : [])),
    );
    const [found] = await tokenStatistics(memoryActivations(rows, { context: 10 }));
    expect(found.first).toBe(1);
    expect(found.positions).toEqual([{ position: 0, share: 1, firings: 4 }]);
  });
});

describe('kinds of tokens', () => {
  it('special tokens are told from punctuation and from words that only look like them', () => {
    for (const token of ['<|endoftext|>', '<bos>', '</s>', '<s>', '<pad>', '[CLS]', '<end_of_turn>', '|bos|', ''])
      expect([token, isSpecialToken(token), isPunctuation(token)]).toEqual([token, true, false]);
    for (const token of ['.', ' ,', '\n', ' ', '…', '"', ' $', '<', '<|', '👍'])
      expect([token, isSpecialToken(token), isPunctuation(token)]).toEqual([token, false, true]);
    for (const token of [' king', 'a.', '3', ' <b>', 's', '日', '\uFFFD'])
      expect([token, isSpecialToken(token), isPunctuation(token)]).toEqual([token, false, false]);
  });

  it('shares read well', () => {
    expect([1, 0.972, 0.0996, 0.0994, 0.021, 0.0098, 0.0042, 0.00094, 0].map(shareText)).toEqual([
      '100 %',
      '97 %',
      '10 %',
      '9.9 %',
      '2.1 %',
      '1 %',
      '0.4 %',
      '0.1 %',
      '<0.1 %',
    ]);
    expect(
      labelLine({
        tokens: [
          { token: ' the', share: 0.97 },
          { token: '\n', share: 0.03 },
        ],
        peaks: [],
      }),
    ).toBe('the 97 %, ↵ 3 %');
    expect(labelLine([' once', 'once', ' \n', ' ', '.'])).toBe('once, ␣↵, ␣, “.”');
    expect(labelLine({ tokens: [], peaks: [] })).toBe('');
  });
});

describe('sums over pairs', () => {
  it('equal a map of maps, whatever the limit', async () => {
    const random = new Random(3);
    const values = Array.from({ length: 20_000 }, () => ({
      row: random.int(50),
      column: random.int(400),
      value: random.next() + 0.1,
    }));
    const expected = Array.from({ length: 60 }, () => new Map<number, [sum: number, count: number]>());
    for (const { row, column, value } of values) {
      const [sum, count] = expected[row].get(column) ?? [0, 0];
      expected[row].set(column, [sum + value, count + 1]);
    }
    for (const limit of [undefined, 5000, 1000, 10]) {
      const found: Array<RowSums> = [];
      let passes = 0;
      await sumPairs(
        60,
        (add) => {
          passes++;
          for (const { row, column, value } of values) add(row, column, value);
          return Promise.resolve();
        },
        (row, sums) => {
          expect(row).toBe(found.length);
          found.push(sums);
        },
        limit,
      );
      expect(passes === 1).toBe(limit === undefined);
      expect(
        found.map(({ columns, sums, counts }) => Array.from(columns, (column, i) => [column, [sums[i], counts[i]]])),
      ).toEqual(expected.map((row) => [...row].sort(([a], [b]) => a - b)));
    }
  });

  it('words of a label are those of its columns', () => {
    const columns = new TokenColumns(Int32Array.of(9, 4, 9, 2), (id) => ` t${id}`);
    expect([...columns.at]).toEqual([2, 1, 2, 0]);
    expect(columns.pieces).toEqual([' t2', ' t4', ' t9']);
    expect(columns.shares({ columns: Int32Array.of(0, 2), sums: Float64Array.of(1, 3) })).toEqual([
      { token: ' t9', share: 0.75 },
      { token: ' t2', share: 0.25 },
    ]);
  });
});
