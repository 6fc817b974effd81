/** fg.sae.baselines, compare and grid: on one pass, kept, beside their SAE. */
import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { BASELINES } from '#kernel/sae/baselines.js';
import { freshFg, hook, lmA, saeA, texts } from '#test/kit/fg.js';

const world = freshFg();
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const options = {
  ...{ hook, features: 32, k: 4, steps: 30, trainBatchSizeTokens: 40, lr: 1e-2 },
  architecture: 'topk',
} as const;
const shown = (value: object): string => JSON.stringify((value as unknown as Record<symbol, () => unknown>)[DISPLAY]());

/** The model, with a count of the sequences that it runs. */
function counting(): { lm: LanguageModel; ran: () => number } {
  let sequences = 0;
  const lm = new Proxy(lmA, {
    get(model, name, receiver) {
      if (name !== 'forward') return Reflect.get(model, name, receiver) as unknown;
      return (ids: Int32Array, batch: number, how: object) => {
        sequences += batch;
        return model.forward(ids, batch, how);
      };
    },
  });
  return { lm, ran: () => sequences };
}

describe('fg.sae.baselines', () => {
  it('are made on one pass, kept, and stand beside their SAE', async () => {
    const { fg, context } = world;
    const { lm, ran } = counting();
    const text = data();
    const sae = await fg.sae.train(lm, text, options);
    await expect(fg.sae.evaluate(lm, sae, text, { baselines: true })).rejects.toThrow(/no baselines of .* were made/);
    const before = ran();
    const baselines = await fg.sae.baselines(lm, sae, text);
    expect(Object.keys(baselines)).toEqual([...BASELINES]);
    expect(ran() - before).toBeLessThanOrEqual(2 * text.tokens(lm).sequences);
    const after = ran();
    const again = await fg.sae.baselines(lm, sae, text);
    expect(Object.values(again).map(({ id }) => id)).toEqual(Object.values(baselines).map(({ id }) => id));
    expect(ran()).toBe(after);

    const alone = await fg.sae.evaluate(lm, sae, text);
    const beside = await fg.sae.evaluate(lm, sae, text, { baselines: true });
    expect(Object.keys(beside.baselines!)).toEqual([...BASELINES]);
    expect({ ...beside, baselines: undefined }).toEqual({ ...alone, baselines: undefined });
    expect(beside.baselines!.pca).toEqual(await fg.sae.evaluate(lm, baselines.pca!, text));
    expect(beside.baselines!.frozenDecoder.explainedVariance).toBeLessThan(alone.explainedVariance);
    for (const kind of BASELINES) expect(shown(beside)).toContain(kind);

    const compared = await fg.sae.compare(lm, [sae], text, { baselines: true });
    expect(compared.saes.map(({ baseline }) => baseline)).toEqual([null, ...BASELINES]);
    expect(compared.groups).toHaveLength(6);
    expect(compared.saes[0].evaluation).toEqual(alone);
    shown(compared);
    expect(JSON.stringify(context.shown)).toContain('L0 against what is kept');
  });

  it('refuses another text than that of the training, and an SAE that does not say its training', async () => {
    const { fg } = world;
    const sae = await fg.sae.train(lmA, data(), options);
    const other = fg.datasets.fromTexts(texts.slice(1), { context: 10 });
    await expect(fg.sae.baselines(lmA, sae, other)).rejects.toThrow(/was trained on token set .*give the text of its/);
    await expect(fg.sae.baselines(lmA, saeA, data())).rejects.toThrow(/does not say how it was trained/);
  });
});

describe('fg.sae.grid', () => {
  it('has every combination, the last value changing fastest, and trains as a list', async () => {
    const { fg } = world;
    const list = fg.sae.grid({ ...options, steps: 10, ignoreTokens: [1, 2], k: [2, 4], seed: [0, 1] });
    expect(list.map(({ k, seed, ignoreTokens }) => [k, seed, ignoreTokens])).toEqual(
      [[2, 0], [2, 1], [4, 0], [4, 1]].map((pair) => [...pair, [1, 2]]), // prettier-ignore
    );
    const saes = await fg.sae.train(lmA, data(), list);
    const compared = await fg.sae.compare(lmA, saes, data());
    expect(compared.groups.map(({ group, seeds }) => [group, seeds])).toEqual([['k 2', 2], ['k 4', 2]]); // prettier-ignore
    expect(compared.differences.filter(({ figure }) => figure === 'l0')).toHaveLength(1);
  });

  it('refuses what is no grid', () => {
    const { fg } = world;
    expect(() => fg.sae.grid({ hook, k: [] })).toThrow(/k has no values/);
    expect(() => fg.sae.grid({ hook, seed: Array.from({ length: 2000 }, (_, i) => i) })).toThrow(/2000 combinations/);
    expect(() => fg.sae.grid([] as never)).toThrow(/expected an object of options/);
  });
});
