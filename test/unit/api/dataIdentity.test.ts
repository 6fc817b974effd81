/**
 * Identities of token sets, of stored activations and of trained SAEs as they were before the verbs that make them were
 * declared: an artifact that was made then is found now.
 */
import { describe, expect, it } from 'vitest';
import { steer } from '#kernel/interventions/steer.js';
import { freshFg, hook, lmA, lmB, saeA, texts } from '#test/kit/fg.js';
import { letters } from '#test/kit/model.js';

const world = freshFg();
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });

async function identity(of: () => Promise<unknown>): Promise<string> {
  const known = new Set((await world.fg.artifacts.list()).map((r) => r.id));
  await of();
  const made = (await world.fg.artifacts.list()).filter((r) => !known.has(r.id) && r.kind !== 'conformance');
  expect(made.length).toBe(1);
  return `${made[0].kind} ${made[0].id.slice(0, 16)}`;
}

describe('identities of data', () => {
  it('of token sets are those that they were', () => {
    const { datasets } = world.fg;
    const of = (set: { id: string }): string => set.id.slice(0, 16);
    expect(of(data().tokens(lmA))).toBe('b9afbf4dce8f54ac');
    expect(of(data().with({ samples: 3, pack: 'each', bos: true }).tokens({ tokenizer: letters }))).toBe(
      '174fe991e2b1c91e',
    );
    expect(
      of(datasets.stories({ stories: 4, seed: 2, context: 16, separator: 'none' }).tokens({ tokenizer: letters })),
    ).toBe('83ca4dcc88a2779c');
    expect(of(datasets.stories({ stories: 2, samples: 2 }).tokens({ tokenizer: letters }))).toBe('74815a0d062861db');
  });

  it('of activations are those that they were', async () => {
    const { activations } = world.fg;
    const push = steer(lmA, hook, new Float32Array(lmA.config.dModel).fill(0.5), { scale: 2 });
    expect(await identity(() => activations.save(lmA, saeA, data()))).toBe('activations 0ad4b34cc9377cea');
    expect(
      await identity(() =>
        activations.save(lmB, saeA, data().with({ samples: 4 }), { hook, batchTokens: 20, allowOtherModel: true }),
      ),
    ).toBe('activations aa14f6adc7c5d554');
    expect(await identity(() => activations.save(lmA, saeA, data(), { interventions: [push], fresh: true }))).toBe(
      'activations c2c3105c85781e0b',
    );
  });

  it('of trained SAEs are those that they were', async () => {
    const { sae, synthetic } = world.fg;
    const small = { features: 12, steps: 2, trainBatchSizeTokens: 16, bufferTokens: 64 };
    expect(await identity(() => sae.train(lmA, data(), { hook, ...small }))).toBe('sae 9255b4da361ca23f');
    expect(
      await identity(() =>
        sae.train(lmA, data(), {
          ...small,
          hook,
          architecture: 'topk',
          k: 3,
          seed: 1,
          maxGradNorm: null,
          lrScheduler: 'cosine',
          normalizeActivations: 'expected_average_only_in',
          logEvery: 1,
          fresh: true,
        }),
      ),
    ).toBe('sae c2942523367c6f71');
    const of = await synthetic.world({ features: 8, dim: 5, seed: 1 });
    expect(await identity(() => synthetic.train(of, { ...small, samples: 200, seed: 0, k: undefined }))).toBe(
      'sae 5d132877e263b4c5',
    );
  });
});
