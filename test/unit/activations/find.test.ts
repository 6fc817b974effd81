/** Features of words, against dense loops over the text as written, and the traps of part-words and words of many tokens. */
import { describe, expect, it } from 'vitest';
import { findFeatures } from '#kernel/activations/find.js';
import { occurrencesOf, type WordQuery } from '#kernel/activations/occurrences.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { foundText } from '#kernel/present/activations.js';
import { DISPLAY, type Displayed } from '#kernel/present/items.js';
import type { TableDescriptor } from '#protocol/display.js';
import { Random } from '#kernel/compute/random.js';
import { fromDense, fromRows } from '#test/kit/rows.js';
import { freshFg, hook, lmA, saeA, texts } from '#test/kit/fg.js';

/** A store whose tokens are these texts, one sequence a row; features fire as `dense` says. */
function storeOf(rows: readonly (readonly string[])[], dense: readonly (readonly number[])[], ignored?: Uint8Array) {
  const vocabulary = [...new Set(rows.flat())];
  const tokenIds = Int32Array.from(rows.flat(), (text) => vocabulary.indexOf(text));
  return memoryActivations(fromRows(dense), {
    tokenIds,
    context: rows[0].length,
    piece: (id) => vocabulary[id],
    ...(ignored ? { ignored } : {}),
  });
}

const fires = (tokens: number, ...features: ReadonlyArray<readonly number[]>): number[][] =>
  Array.from({ length: tokens }, (_, t) => features.map((at) => (at.includes(t) ? 1 : 0)));

describe('occurrences of words', () => {
  const marks = async (rows: readonly (readonly string[])[], query: WordQuery, ignored?: Uint8Array) => {
    const store = storeOf(rows, fires(rows.flat().length, []), ignored);
    return [...(await occurrencesOf(store, [query]))[0].at];
  };

  it('the substring trap: “king” is not in “looking”, nor in pieces of it', async () => {
    expect(await marks([['The', ' king', ' looking', ' loo', 'king', ' KING', '.']], 'king')).toEqual([
      -1, 0, -1, -1, -1, 1, -1,
    ]);
  });

  it('a word of several tokens is one occurrence, also beside punctuation and in a phrase', async () => {
    expect(await marks([['"', 'prin', 'cess', '!', ' Prin', 'cess', 'es']], 'princess')).toEqual([-1, 0, 0, -1, -1, -1, -1]); // prettier-ignore
    expect(await marks([['Once', ' upon', '  a', ' time', ' once', '\nupon']], 'once upon')).toEqual([0, 0, -1, -1, 1, 1]); // prettier-ignore
  });

  it('do not reach over the end of a sequence, nor into rows that are ignored', async () => {
    expect(await marks([['prin', 'cess'], ['cess', 'prin']], 'princess')).toEqual([0, 0, -1, -1]); // prettier-ignore
    expect(await marks([['a', 'prin'], ['cess', 'b']], 'princess')).toEqual([-1, -1, -1, -1]); // prettier-ignore
    expect(await marks([[' king', ' king']], 'king', Uint8Array.of(1, 0))).toEqual([-1, 0]);
  });

  it('several words count as one, the longer first; punctuation and patterns are looked for as such', async () => {
    const row = [' king', ' kings', ' queen', '.', ' 12', ' x9'];
    expect(await marks([row], ['king', 'queen', 'kings'])).toEqual([0, 1, 2, -1, -1, -1]);
    expect(await marks([row], '.')).toEqual([-1, -1, -1, 0, -1, -1]);
    expect(await marks([row], /\d+/y)).toEqual([-1, -1, -1, -1, 0, 1]);
    expect(await marks([row], /x*/)).toEqual([-1, -1, -1, -1, -1, 0]);
  });
});

describe('features of a word', () => {
  it('equal a dense count, for any cut into sequences, and rank by the harmonic mean of both shares', async () => {
    const random = new Random(3);
    const [tokens, features] = [400, 9];
    const words = [' day', ' night', 'time', ' Day', 'dayly'];
    const row = Array.from({ length: tokens }, () => words[random.int(words.length)]);
    const dense = Array.from({ length: tokens }, () =>
      Array.from({ length: features }, (_, f) => (f > 0 && random.next() < f / 20 ? 0.1 + random.next() : 0)),
    );
    const store = memoryActivations(fromDense(dense.flat(), tokens, features), {
      tokenIds: Int32Array.from(row, (text) => words.indexOf(text)),
      context: 8,
      piece: (id) => words[id],
    });
    // "time" and "dayly" begin without a space and lengthen the word before them, where a sequence does not begin.
    const alone = (t: number): boolean =>
      row[t].trim().toLowerCase() === 'day' && (t % 8 === 7 || row[t + 1].startsWith(' '));
    const at = row.map((_, t) => t).filter(alone);
    const value = (t: number, f: number): number => Math.fround(dense[t][f]);
    const expected = Array.from({ length: features }, (_, feature) => {
      const all = row.map((_, t) => value(t, feature)).reduce((s, v) => s + v, 0);
      const ofOccurrences = at.filter((t) => value(t, feature) > 0).length / at.length;
      const ofMass = at.reduce((s, t) => s + value(t, feature), 0) / all;
      return { feature, ofOccurrences, ofMass, rank: (2 * ofOccurrences * ofMass) / (ofOccurrences + ofMass) };
    })
      .filter(({ ofOccurrences }) => ofOccurrences > 0)
      .sort((x, y) => y.rank - x.rank);
    const found = await findFeatures(store, 'day', { top: 20 });
    expect(found.occurrences).toBe(at.length);
    expect(at.length).toBeGreaterThan(30);
    expect(found.features.map(({ feature }) => feature)).toEqual(expected.map(({ feature }) => feature));
    found.features.forEach((f, i) => {
      expect(f.ofOccurrences).toBeCloseTo(expected[i].ofOccurrences, 12);
      expect(f.ofMass).toBeCloseTo(expected[i].ofMass, 12);
    });
    expect((await findFeatures(store, 'day', { top: 2 })).features).toEqual(found.features.slice(0, 2));
  });

  it('says “no feature of its own” where the best holds 3 %, and names the one that there is', async () => {
    const row = Array.from({ length: 200 }, (_, t) => (t < 6 ? ' years' : t < 100 ? ' the' : ' of'));
    // #0 fires on everything: it has all years and 3 % of its activation lies there. #1 fires on “of” alone.
    const everywhere = Array.from({ length: 200 }, (_, t) => t);
    const store = storeOf([row], fires(200, everywhere, everywhere.slice(100)));
    const years = await findFeatures(store, 'years');
    expect(years.own).toBe(-1);
    expect(years.features).toEqual([{ feature: 0, ofOccurrences: 1, ofMass: 0.03, firings: 200 }]);
    expect(foundText(years)).toBe(
      'No feature of its own for “years”: the best, #0 fires on 100 % of 6 occurrences, and 3 % of its activation lies on them',
    );
    expect(foundText(await findFeatures(store, 'of'))).toMatch(/^“of” has a feature of its own: #1 fires on 100 %/);
    expect((await findFeatures(store, 'years', { least: 0.02 })).own).toBe(0);
  });

  it('says when the word does not occur, or nothing fires on it', async () => {
    const store = storeOf([[' a', ' b']], fires(2, [1]));
    expect(foundText(await findFeatures(store, 'king'))).toBe('“king” does not occur in this text');
    expect(foundText(await findFeatures(store, 'a'))).toBe('No feature fires on “a” (1 occurrences)');
  });
});

describe('fg.activations.find', () => {
  const world = freshFg();

  it('shows the features of a word with their labels, and refuses what is no word', async () => {
    const { fg } = world;
    const text = fg.datasets.fromTexts(texts, { context: 8 });
    const store = await fg.activations.save(lmA, saeA, text, { hook });
    const found = await fg.activations.find(store, /7/);
    expect(found.occurrences).toBeGreaterThan(0);
    const [table] = await (found as unknown as Displayed<object>)[DISPLAY]();
    const { title, columns, rows } = table.json as unknown as TableDescriptor;
    expect(title).toContain('that fire on /7/');
    expect(columns.map(({ key }) => key)).toEqual(['feature', '% of occurrences', '% of its activation', 'firings', 'label']); // prettier-ignore
    expect(rows.map(({ feature }) => feature)).toEqual(found.features.map(({ feature }) => feature));
    for (const { label } of rows) expect(label).toMatch(/ %/);
    for (const empty of ['', ' ', [], [''], 7])
      await expect(fg.activations.find(store, empty as string)).rejects.toThrow(
        /word is .*; expected a word, an array of words or a regular expression/,
      );
  });
});
