/** fg.sae.probe on a model that carries the label in its activations. */
import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import { freshFg, lmA, saeA, texts } from '#test/kit/fg.js';

const world = freshFg();
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const even = { even: (token: string) => Number(token) % 2 === 0 };
const options = { labels: even, minTokens: 10, k: [4, 1] };

describe('fg.sae.probe', () => {
  it('reads labels from a test of tokens and from values alike, and shows them in a table', async () => {
    const { fg } = world;
    const found = await fg.sae.probe(lmA, saeA, data(), options);
    const tokens = data().tokens(lmA);
    const values = Uint8Array.from(tokens.tokens, (id) => (even.even(lmA.tokenizer.decode([id])) ? 1 : 0));
    expect(await fg.sae.probe(lmA, saeA, data(), { ...options, labels: { even: values } })).toEqual(found);
    const [{ sparse, features, trained, tested }] = found.labels;
    expect(sparse.map(({ k }) => k)).toEqual([1, 4]);
    expect(features).toHaveLength(4);
    expect(Math.min(trained, tested)).toBeGreaterThanOrEqual(10);
    const text = JSON.stringify((found as unknown as Record<symbol, () => unknown>)[DISPLAY]());
    expect(text).toContain('Sparse probes of');
    expect(text).toContain('.5 is chance');
  });

  it('refuses what cannot be probed, saying what to do', async () => {
    const { fg } = world;
    const probe = (more: object) => fg.sae.probe(lmA, saeA, data(), more);
    await expect(probe({})).rejects.toThrow(/carries no concepts: give \{ labels/);
    await expect(probe({ ...options, labels: {} })).rejects.toThrow(/labels is empty/);
    await expect(probe({ ...options, labels: { short: [1, 0] } })).rejects.toThrow(
      /labels.short has 2 values; expected/,
    );
    await expect(probe({ ...options, minTokens: 1000 })).rejects.toThrow(/no label has 1000 tokens/);
    await expect(probe({ ...options, k: [99] })).rejects.toThrow(/k has 99, but .* has 24 features/);
    await expect(probe({ ...options, k: [1.5] })).rejects.toThrow(/different whole numbers of at least 1/);
  });
});
