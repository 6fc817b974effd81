/** Filters of a map as data: each against the rule written by hand on planted features. */
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { massLabels } from '#kernel/activations/tokenMass.js';
import { peakTokens } from '#kernel/activations/labels.js';
import { topExamples } from '#kernel/activations/examples.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { correlate } from '#kernel/correlation/map.js';
import { requireFilters, RESTRICTION, restrictMap, type Filters } from '#kernel/correlation/restrict.js';
import type { PairedMap } from '#kernel/correlation/types.js';
import { fromRows } from '#test/kit/rows.js';

const CONTEXT = 10;
const SEQUENCES = 30;
const WORDS = ['<|endoftext|>', ' king', ' queen', ' looking', '.', ' the', ' dog', ' cat', '\n', ' old'];
/** Token t of a sequence is WORDS[t]: position and token are known, but the second half of the sequences is turned. */
const tokenIds = Int32Array.from({ length: CONTEXT * SEQUENCES }, (_, i) => {
  const [s, t] = [Math.floor(i / CONTEXT), i % CONTEXT];
  return t === 0 ? 0 : 1 + ((t - 1 + (s % 9)) % 9);
});

type Fires = (token: number, position: number, sequence: number) => number;
const on =
  (word: number, every = 1): Fires =>
  (token, _, s) =>
    token === word && s % every === 0 ? 1 + (s % 3) : 0;

/** The features that both sides have, by number: what each fires on. */
const FEATURES: readonly Fires[] = [
  on(0), // 0: BOS alone, the planted artefact
  on(1), // 1: " king"
  on(3), // 2: " looking", which holds "king" as letters
  on(4), // 3: "."
  on(6, 15), // 4: rare
  () => 0, // 5: never
  (_, position, s) => (position === 5 && s % 2 === 0 ? 2 : 0), // 6: one position, many tokens
  on(2), // 7: " queen"
];

function side(noise: number): SparseActivations {
  const rows = [...tokenIds].map((token, i) =>
    FEATURES.map((fires, f) => {
      const [s, t] = [Math.floor(i / CONTEXT), i % CONTEXT];
      const value = fires(token, t, s);
      return value > 0 && (s + f) % noise !== 0 ? value : f === 0 ? value : 0;
    }),
  );
  return memoryActivations(fromRows(rows), { tokenIds, context: CONTEXT, piece: (id) => WORDS[id] });
}

async function mapped(options = {}): Promise<PairedMap> {
  const [a, b] = [side(100), side(7)];
  return { ...(await correlate(a, b, { minFirings: 1, ...options })), a, b };
}

async function restricted(map: PairedMap, ...steps: Filters[]) {
  const labels = async (of: 'mass' | 'peaks') => {
    const each = async (store: SparseActivations) =>
      of === 'mass'
        ? (await massLabels(store)).map((tokens) => tokens.map(({ token }) => token))
        : peakTokens(await topExamples(store, {}));
    return [await each(map.a), await each(map.b)] as const;
  };
  return restrictMap({ map, labels, of: 'peaks' }, requireFilters('restrict', steps));
}

const kept = async (map: PairedMap, ...steps: Filters[]): Promise<number[]> => [
  ...(await restricted(map, ...steps)).pairs.b,
];

describe('restrictMap', () => {
  it('planted BOS artefact: r = 1 between features of BOS alone, which `without: junk` and the position rule both take out', async () => {
    const map = await mapped();
    const i = map.pairs.b.indexOf(0);
    expect([map.pairs.a[i], map.pairs.r[i]]).toEqual([0, 1]);
    expect(map.a.statistics.firings[0]).toBe(SEQUENCES);
    expect(await kept(map)).toEqual([0, 1, 2, 3, 4, 6, 7]);
    expect(await kept(map, { without: 'junk' })).toEqual([1, 2, 4, 6, 7]);
    expect(await kept(map, { maxShareAtOnePosition: 0.9 })).toEqual([1, 2, 3, 4, 7]);
    expect(await kept(map, { without: ['King', 'the'] })).toEqual([0, 2, 3, 4, 6, 7]);
  });

  it('dead column: no partner in any list, whatever is filtered, and rare features go by their firings', async () => {
    const map = await mapped();
    for (const made of [map, await restricted(map, { minFirings: 1 }), await restricted(map, { minFirings: 10 })]) {
      expect([...made.bestAofB.subarray(5 * 3, 6 * 3), ...made.bestBofA.subarray(5 * 3, 6 * 3)]).toEqual([-1, -1, -1, -1, -1, -1]); // prettier-ignore
      expect([...made.pairs.a, ...made.pairs.b]).not.toContain(5);
    }
    expect(await kept(map, { minFirings: 10 })).toEqual([0, 1, 2, 3, 6, 7]);
  });

  it('substring trap: the word king finds the feature of " king" and not that of " looking"', async () => {
    const map = await mapped();
    // Feature 6 fires on whatever stands at its position, the king among it.
    expect(await kept(map, { words: ['king'] })).toEqual([1, 6]);
    expect(await kept(map, { words: ['KING ', 'queen'], wordsIn: 'both' })).toEqual([1, 6, 7]);
    expect(await kept(map, { words: /king/g })).toEqual([1, 2, 6]);
    expect(await kept(map, { words: /^king$/ })).toEqual([1, 6]);
  });

  it('looks for words in the label of A, of B, of either or of both', async () => {
    const { a, b, ...rest } = await mapped();
    // The " king" of A with the " queen" of B, and the other way round.
    const pairs = { a: Int32Array.of(1, 7, 3), b: Int32Array.of(7, 1, 3), r: Float32Array.of(0.5, 0.25, 1) };
    const map = { ...rest, a, b, pairs };
    const counts = async (wordsIn?: Filters['wordsIn']) => kept(map, { words: ['king'], ...(wordsIn && { wordsIn }) });
    expect(await counts()).toEqual([7, 1]);
    expect(await counts('a')).toEqual([7]);
    expect(await counts('b')).toEqual([1]);
    expect(await counts('both')).toEqual([]);
  });

  it('keeps chosen features of a side, and names one that there is not', async () => {
    const map = await mapped();
    expect(await kept(map, { features: { b: Int32Array.of(7, 2) } })).toEqual([2, 7]);
    expect(await kept(map, { features: { a: [1, 2], b: [2, 3] } })).toEqual([2]);
    await expect(restricted(map, { features: { a: [8] } })).rejects.toThrow('A has no feature 8; it has 0 to 7');
  });

  it('each feature once: the best r first, or the first pair as published; and each other’s best', async () => {
    const map = await mapped({ counterparts: 1 });
    const pairs = {
      a: Int32Array.of(1, 1, 2, 3),
      b: Int32Array.of(1, 2, 2, 3),
      r: Float32Array.of(0.5, 0.75, 0.625, 0.25),
    };
    const crowd = { ...map, pairs };
    expect([...(await restricted(crowd, { oneToOne: 'best' })).pairs.r]).toEqual([0.75, 0.25]);
    expect([...(await restricted(crowd, { oneToOne: 'first' })).pairs.r]).toEqual([0.5, 0.625, 0.25]);
    expect([...(await restricted(crowd, { mutual: true })).pairs.b]).toEqual([1, 2, 3]);
    expect([...(await restricted(crowd, { mutual: true })).pairs.a]).toEqual([1, 2, 3]);
  });

  it('applies steps in their order, with pairs and mean r after each, and lists no pair that went', async () => {
    const map = await mapped({ match: 'argmax' });
    const ways = [
      [{ minR: 0.97 }, { oneToOne: 'best' }],
      [{ oneToOne: 'best' }, { minR: 0.97 }],
    ] as const;
    const made = [await restricted(map, ...ways[0]), await restricted(map, ...ways[1])];
    expect(made[0].counts.map(({ step }) => step)).toEqual(['matched', 'r ≥ 0.97', 'each feature once, best r first']);
    expect(made[1].counts.map(({ step }) => step)).toEqual(['matched', 'each feature once, best r first', 'r ≥ 0.97']);
    expect(made[0].id).not.toBe(made[1].id);
    for (const { pairs, counts, bestAofB, bestBofA, rAofB } of made) {
      expect(counts[0].pairs).toBe(map.pairs.r.length);
      expect(counts.at(-1)).toMatchObject({ pairs: pairs.r.length });
      expect(counts.at(-1)!.meanR).toBeCloseTo(pairs.r.reduce((s, r) => s + r, 0) / pairs.r.length, 12);
      const listed = [...bestAofB.keys()].filter((i) => bestAofB[i] >= 0);
      expect(listed.map((i) => [bestAofB[i], Math.floor(i / 3), rAofB[i]])).toEqual(
        [...pairs.b.keys()].map((i) => [pairs.a[i], pairs.b[i], pairs.r[i]]),
      );
      expect(bestBofA.filter((b) => b >= 0)).toHaveLength(pairs.r.length);
    }
  });

  it('refuses a step without filters, and wordsIn without words', () => {
    expect(() => requireFilters('f', [{}])).toThrow('f: no filter is given; give one of features, words, minFirings');
    expect(() => requireFilters('f', [{ minR: 0 }, { wordsIn: 'a' }])).toThrow('wordsIn says where `words` are');
    expect(() => requireFilters('f', [{ features: {} }])).toThrow('features names no side; expected { a: [...] }');
    expect(() => RESTRICTION.steps.parse([{ minR: 0 }, { minr: 0.5 }], 'f: steps')).toThrow(
      'f: steps[1] has no option "minr"',
    );
    expect(() => RESTRICTION.steps.parse([{ minR: 2 }], 'f: steps')).toThrow('a number at least -1 and at most 1');
  });
});
