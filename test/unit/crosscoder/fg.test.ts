import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import type { Crosscoder } from '#kernel/crosscoder/types.js';
import { captureActivations } from '#kernel/models/capture.js';
import type { LanguageModel, TokenSet } from '#kernel/models/types.js';
import { freshFg, lmA, lmB, texts } from '#test/kit/fg.js';

const world = freshFg();
const hooks = ['blocks.0.hook_mlp_out', 'blocks.0.hook_resid_post'];
const SMALL = { features: 24, k: 4, steps: 12, trainBatchSizeTokens: 32, lr: 3e-3 };

async function twinsOf(features = 24) {
  const base = await world.fg.synthetic.world({ features: 2 * features, dim: 20, l0: 4, seed: 0 });
  return world.fg.synthetic.twins(base, { features, shared: 0.5, noise: 0.02 });
}
async function captured(model: LanguageModel, tokens: TokenSet): Promise<Matrix> {
  const blocks: Matrix[] = [];
  for await (const { x } of captureActivations(model, tokens, hooks[0])) blocks.push(x);
  const x = matrix(
    blocks.reduce((sum, { rows }) => sum + rows, 0),
    blocks[0].cols,
  );
  let at = 0;
  for (const block of blocks) {
    x.data.set(block.data, at);
    at += block.data.length;
  }
  return x;
}
const text = () => world.fg.datasets.fromTexts(texts, { context: 10 });

describe('fg.crosscoder', () => {
  it('finds the shared and the exclusive features of twins, and unmasks exclusives that a small shared part makes false', async () => {
    const { fg } = world;
    const twins = await twinsOf();
    // 12 of 24 features are shared, but only 6 of 36 features may read both: the others hold shared ones for one twin alone.
    const dedicated = [0.42, 0.42];
    const crosscoder = await fg.crosscoder.train(twins, 10_000, { features: 36, k: 5, dedicated, steps: 600, trainBatchSizeTokens: 256, lr: 4e-3 }); // prettier-ignore
    expect(crosscoder.sides.map((side) => side.dedicated)).toEqual([15, 15]);
    const evaluation = await fg.crosscoder.evaluate(crosscoder, twins, 4000);
    for (const side of evaluation.sides) expect(side.explainedVariance).toBeGreaterThan(0.8);
    const { found } = await fg.crosscoder.recovery(crosscoder, twins, evaluation);
    const [before, after] = found;
    expect(before.falseExclusive).toBeGreaterThanOrEqual(4);
    expect(after.rate).toBeLessThan(0.5 * before.rate);
    expect(after.p).toBeLessThan(0.05);
    expect(after.recovered).toBeGreaterThan(0.7);
  });

  it('is loaded by the same call, by its id, and goes on after a stop to the same weights', async () => {
    const { fg, context } = world;
    const data = text();
    const how = { ...SMALL, hooks: hooks[0] };
    const stop = new AbortController();
    let seen = 0;
    const stopped = fg.crosscoder.train([lmA, lmB], data, {
      ...how,
      signal: stop.signal,
      onProgress: ({ label }) => void (label === 'training SAE' && ++seen === 1 && stop.abort()),
    });
    await expect(stopped).rejects.toThrow(/cancel/i);
    const resumed = await fg.crosscoder.train([lmA, lmB], data, how);
    const anew = await fg.crosscoder.train([lmA, lmB], data, { ...how, fresh: true });
    expect(anew.id).toBe(resumed.id);
    expect(anew.joined.W_dec.data).toEqual(resumed.joined.W_dec.data);
    const again = await fg.crosscoder.train([lmA, lmB], data, how);
    expect(context.printed.join('\n')).toContain('loaded from cache');
    const [record] = await fg.artifacts.list({ kind: 'crosscoder' });
    const loaded = (await fg.artifacts.load(record.id)) as Crosscoder;
    expect([again.id, loaded.id]).toEqual([resumed.id, resumed.id]);
    expect(loaded.decoders.map(({ rows, cols }) => [rows, cols])).toEqual([
      [24, 15],
      [24, 15],
    ]);
  });

  it('reads several hooks of one model, and what its decoders are goes into cosines', async () => {
    const { fg } = world;
    const crosscoder = await fg.crosscoder.train(lmA, text(), { ...SMALL, hooks });
    expect(crosscoder.sides.map(({ name, hook }) => [name, hook])).toEqual([
      ['A', hooks[0]],
      ['B', hooks[1]],
    ]);
    const evaluation = await fg.crosscoder.evaluate(crosscoder, lmA, text(), { nulls: 3 });
    expect(evaluation.settings.runs).toBe(3);
    const sum = Array.from({ length: 24 }, (_, f) => crosscoder.shares.data[2 * f] + crosscoder.shares.data[2 * f + 1]);
    for (const each of sum) expect(each).toBeCloseTo(1, 5);
    await fg.maps.pca(crosscoder.decoders[0]);
  });

  it('trains by batchtopk too: its threshold gives about k features a token on other events', async () => {
    const { fg } = world;
    const twins = await twinsOf();
    const crosscoder = await fg.crosscoder.train(twins, 6000, { features: 48, k: 5, architecture: 'batchtopk', topkThresholdLr: 0.1, steps: 150, trainBatchSizeTokens: 256, lr: 4e-3 }); // prettier-ignore
    const { l0, sides } = await fg.crosscoder.evaluate(crosscoder, twins, 2000, { nulls: 0 });
    expect(l0).toBeGreaterThan(4);
    expect(l0).toBeLessThan(6);
    for (const side of sides) expect(side.explainedVariance).toBeGreaterThan(0.6);
  });

  it('writes the activations of its features on every token, padding and marks as empty rows', async () => {
    const { fg } = world;
    const padded = fg.datasets.fromTexts(texts.slice(0, 6), { context: 12, pack: 'each', pad: true });
    const crosscoder = await fg.crosscoder.train([lmA, lmB], text(), { ...SMALL, hooks: hooks[0] });
    const store = await fg.crosscoder.activations(crosscoder, [lmA, lmB], padded, { side: 'B' });
    const saved = await Promise.all([lmA, lmB].map((lm) => captured(lm, padded.tokens(lm))));
    expect(store.meta.tokens).toBe(saved[0].rows);
    expect(store.meta.ignored).toBeGreaterThan(0);
    const all = crosscoder.encode(saved);
    const { padding } = padded.tokens(lmA);
    let entries = 0;
    for (let i = 0; i < all.rows; i++) if (padding![i] !== 1) entries += all.indptr[i + 1] - all.indptr[i];
    expect(store.meta.nonZeros).toBe(entries);
    expect(await fg.activations.tokens(store)).toHaveLength(24);
    await expect(fg.crosscoder.activations(crosscoder, [lmA, lmB], padded, { side: 'C' })).rejects.toThrow("expected 'A' or 'B'"); // prettier-ignore
  });

  it.each([
    [
      'one hook of one model',
      () => world.fg.crosscoder.train(lmA, text(), { hooks: hooks[0] }),
      /1 hook of 1 model do not make sides/,
    ],
    ['no hooks', () => world.fg.crosscoder.train([lmA, lmB], text(), {}), /hooks is missing/],
    [
      'an unknown hook',
      () => world.fg.crosscoder.train([lmA, lmB], text(), { hooks: 'blocks.0.hook_mlp' }),
      /hook_mlp/,
    ],
    ['events for models', () => world.fg.crosscoder.train([lmA, lmB], 100, { hooks: hooks[0] }), /not a number/],
    [
      'shares beyond 1',
      async () => world.fg.crosscoder.train(await twinsOf(), 100, { dedicated: [0.6, 0.6], features: 10 }),
      /takes 12 of 10 features/,
    ],
    [
      'shares of one side',
      async () => world.fg.crosscoder.train(await twinsOf(), 100, { dedicated: [0.6], features: 10 }),
      /1 shares but there are 2 sides/,
    ],
    [
      'hooks of twins',
      async () => world.fg.crosscoder.train(await twinsOf(), 100, { hooks: hooks[0] }),
      /twins have no hooks/,
    ],
    ['what is no model', () => world.fg.crosscoder.train({} as never, text(), {}), /no model and no twins/],
    [
      'an option of another architecture',
      async () => world.fg.crosscoder.train(await twinsOf(), 100, { l0Target: 3 } as never),
      /no option "l0Target"/,
    ],
    ['an array of nothing', () => world.fg.crosscoder.train([], text(), {}), /empty array/],
  ])('refuses %s with the reason', async (_, call, message) => {
    await expect((async () => call())()).rejects.toThrow(message);
  });
});
