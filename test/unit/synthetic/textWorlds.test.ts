import { describe, expect, it } from 'vitest';
import { topExamples } from '#kernel/activations/examples.js';
import { memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { Random } from '#kernel/compute/random.js';
import type { TokenSet } from '#kernel/models/types.js';
import { conceptScores } from '#kernel/synthetic/stories/concepts.js';
import { labelScores } from '#kernel/synthetic/stories/labels.js';
import { fromRows } from '#test/kit/rows.js';

const CONTEXT = 10;

/** Tokens with concepts, and a feature matrix by token. */
function world(
  n: number,
  concept: (t: number) => number,
  fires: (t: number, c: number) => number[],
  type: (t: number) => number = (t) => t % 50,
): { tokens: TokenSet; activations: SparseActivations } {
  const ids = Uint8Array.from({ length: n }, (_, t) => concept(t));
  const types = Int32Array.from({ length: n }, (_, t) => type(t));
  const tokens = {
    id: 'tokens',
    tokens: types,
    sequences: n / CONTEXT,
    context: CONTEXT,
    tokenizer: {} as TokenSet['tokenizer'],
    source: {},
    concepts: { names: ['none', 'animal', 'colour', 'rare'], ids },
  };
  const activations = memoryActivations(fromRows(Array.from({ length: n }, (_, t) => fires(t, ids[t]))), {
    tokenIds: types,
    context: CONTEXT,
    meta: { tokenSet: { id: 'tokens', tokenizer: 'x' } },
  });
  return { tokens, activations };
}

const random = new Random(1);
const drawn = Array.from({ length: 4000 }, () => (random.next() < 0.1 ? 1 : random.next() < 0.1 ? 2 : 0));
const noise = Array.from({ length: 4000 }, () => random.next());

describe('features against concepts', () => {
  // Feature 0 = animal exactly; 1 = half of the animals; 2 = colour and some of nothing; 3 = chance; 4 = too rare; 5 = dead.
  const { tokens, activations } = world(
    4000,
    (t) => drawn[t],
    (t, c) => [
      c === 1 ? 2 : 0,
      c === 1 && t % 2 ? 1 : 0,
      c === 2 || (c === 0 && noise[t] < 0.05) ? 1 : 0,
      noise[t] > 0.9 ? 1 : 0,
      c === 1 && t < 60 ? 1 : 0,
      0,
    ],
  );
  const sum = (test: (t: number) => boolean): number => drawn.filter((_, t) => test(t)).length;

  it('precision, recall and F1 are those of the counts; the best are found', async () => {
    const result = await conceptScores(activations, tokens, { nulls: 30, minFirings: 20 });
    expect(result.names).toEqual(['animal', 'colour']);
    const colours = sum((t) => drawn[t] === 2);
    const fired = colours + sum((t) => drawn[t] === 0 && noise[t] < 0.05);
    const [animal, colour] = result.concepts;
    expect(animal).toMatchObject({ concept: 'animal', feature: 0, precision: 1, recall: 1, f1: 1 });
    expect(colour).toMatchObject({ concept: 'colour', feature: 2, tokens: colours, firings: fired, recall: 1 });
    expect(colour.precision).toBeCloseTo(colours / fired, 10);
    expect(colour.f1).toBeCloseTo((2 * colours) / (colours + fired), 10);
    // By chance a feature that fires on a tenth finds a tenth.
    expect(animal.nullMean).toBeGreaterThan(0.05);
    expect(animal.nullMax).toBeLessThan(0.25);
    expect(animal.p).toBeCloseTo(1 / 31, 10);
    expect([...result.ofFeature.concept]).toEqual([0, 0, 1, expect.any(Number), -1, -1]);
    expect(result.ofFeature.recall[1]).toBeCloseTo(sum((t) => drawn[t] === 1 && t % 2 === 1) / animal.tokens, 6);
    expect(result.usable).toBe(4);
    expect(result.scores.map((s) => [s.metric, s.n])).toEqual([['best F1 of concepts', 2], ['best F1 of features', 4]]); // prettier-ignore
  });

  it('the confusion view has what the best feature of a row fires on', async () => {
    const { confusion } = await conceptScores(activations, tokens, { nulls: 0, minFirings: 20 });
    const none = sum((t) => drawn[t] === 0);
    const strays = sum((t) => drawn[t] === 0 && noise[t] < 0.05);
    expect([...confusion].map((v) => v.toFixed(5))).toEqual([1, 0, 0, 0, 1, strays / none].map((v) => v.toFixed(5)));
  });

  it('a threshold is a share of the largest activation', async () => {
    const weak = world(
      400,
      (t) => (t % 8 === 0 ? 1 : 0),
      (t, c) => [c === 1 ? 1 : t % 3 === 0 ? 0.4 : 0],
    );
    const at = async (threshold: number) =>
      (await conceptScores(weak.activations, weak.tokens, { threshold, nulls: 0 })).concepts[0].precision;
    expect(await at(0)).toBeLessThan(0.5);
    expect(await at(0.5)).toBe(1);
  });

  it('chance stays chance: p of features that know nothing is not small', async () => {
    const blind = world(
      4000,
      (t) => drawn[t],
      (t) => [noise[t] > 0.9 ? 1 : 0, noise[t] < 0.2 ? 1 : 0, noise[(t + 7) % 4000] < 0.1 ? 1 : 0],
    );
    for (const kind of ['rotate', 'types'] as const) {
      const { scores, concepts } = await conceptScores(blind.activations, blind.tokens, {
        nulls: 60,
        null: kind,
        seed: 3,
      });
      if (kind === 'rotate') expect(scores[0].p).toBeGreaterThan(0.02);
      for (const row of concepts) expect(row.f1).toBeLessThan(0.25);
    }
  });

  it("the null 'types' knows features of one word: a concept of one word is no finding", async () => {
    // Words 0 … 19, one feature each; concept 1 is the single word 3, concept 2 the words 5, 6, 7, with a feature of its own.
    const word = (t: number): number => (t * 7) % 20;
    const single = world(
      2000,
      (t) => (word(t) === 3 ? 1 : [5, 6, 7].includes(word(t)) ? 2 : 0),
      (t) => [...Array.from({ length: 20 }, (_, w) => (w === word(t) ? 1 : 0)), [5, 6, 7].includes(word(t)) ? 1 : 0],
      word,
    );
    const row = async (kind: 'rotate' | 'types', concept: string) =>
      (await conceptScores(single.activations, single.tokens, { nulls: 80, null: kind, seed: 1 })).concepts.find(
        (c) => c.concept === concept,
      )!;
    expect((await row('types', 'animal')).f1).toBe(1);
    expect((await row('types', 'animal')).p).toBe(1);
    expect((await row('types', 'colour')).f1).toBe(1);
    expect((await row('types', 'colour')).p).toBeLessThan(0.1);
  });

  it('is the same for the same seed, and refuses what does not fit', async () => {
    const nulls = async (seed: number) =>
      (await conceptScores(activations, tokens, { nulls: 5, seed })).concepts.map((c) => c.nullMean);
    expect(await nulls(1)).toEqual(await nulls(1));
    expect(await nulls(1)).not.toEqual(await nulls(2));
    await expect(conceptScores(activations, { ...tokens, id: 'others' })).rejects.toThrow('others');
    await expect(conceptScores(activations, { ...tokens, concepts: undefined })).rejects.toThrow('carry no concepts');
    await expect(conceptScores(activations, tokens, { minTokens: 5000 })).rejects.toThrow('no concept has 5000');
  });
});

describe('labels from dataset examples', () => {
  it('name the concept, or claim one where there is none, and are compared with shuffled labels', async () => {
    // Features 0 and 1 detect; 2 fires anywhere, but hardest on animals; 3 fires anywhere and evenly.
    const { tokens, activations } = world(
      4000,
      (t) => drawn[t],
      (t, c) => [
        c === 1 ? 1 + noise[t] : 0,
        c === 2 ? 1 + noise[t] : 0,
        noise[t] < 0.3 ? (c === 1 ? 9 : 1) : 0,
        c === 0 && t % 4 === 0 ? 1 + noise[t] : 0,
      ],
      (t) => t,
    );
    const scores = await conceptScores(activations, tokens, { nulls: 0 });
    const labels = labelScores(scores, tokens, await topExamples(activations), { nulls: 200 });
    expect([...labels.named]).toEqual([0, 1, 0, -1]);
    expect([...labels.agreement]).toEqual([1, 1, 1, 1]);
    expect([labels.features, labels.withConcept, labels.without]).toEqual([4, 2, 2]);
    expect(labels.score.value).toBe(1);
    expect(labels.score.null.mean).toBeLessThan(0.6);
    // Feature 2 is the illusion: pure at the peaks, a tenth over all firings.
    expect(labels.falseNames).toBe(0.5);
    expect(labels.peakPurity).toBe(1);
    expect(labels.firingPurity).toBeLessThan(0.8);
    expect(() => labelScores(scores, tokens, [], {})).toThrow('examples of 0 features');
  });
});
