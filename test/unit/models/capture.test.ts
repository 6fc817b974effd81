import { describe, expect, it } from 'vitest';
import { capturedWidth, captureActivations, type CaptureOptions } from '#kernel/models/capture.js';
import type { LanguageModel, TokenSet } from '#kernel/models/types.js';
import { fakeModel, tokenizer, fakeTokens } from '#test/kit/fakeModel.js';

const hook = 'blocks.0.hook_mlp_out';

async function collect(model: LanguageModel, tokens: TokenSet, options?: CaptureOptions) {
  const blocks = [];
  for await (const block of captureActivations(model, tokens, hook, options)) blocks.push(block);
  return blocks;
}

describe('captureActivations', () => {
  it('yields every token once, in order, in blocks of whole sequences', async () => {
    const model = fakeModel();
    const tokens = fakeTokens(5, 6);
    const blocks = await collect(model, tokens, { batchTokens: 13 });
    expect(blocks.map((b) => b.firstToken)).toEqual([0, 12, 24]);
    expect(model.batches).toEqual([2, 2, 1]);
    expect(model.stops).toEqual([hook, hook, hook]);
    const all = blocks.flatMap((b) => [...b.x.data]);
    const expected = [...tokens.tokens].flatMap((t, i) =>
      [0, 1, 2, 3].map((j) => Math.fround(t + (i % 6) / 10 + j / 100)),
    );
    expect(all).toEqual(expected);
  });

  it('runs at least one sequence when a sequence is longer than batchTokens', async () => {
    expect(await collect(fakeModel(), fakeTokens(2, 6), { batchTokens: 1 })).toHaveLength(2);
  });

  it('disposes every captured tensor', async () => {
    const model = fakeModel();
    await collect(model, fakeTokens(5, 6), { batchTokens: 6 });
    expect(model.live).toBe(0);
  });

  it('flattens heads head-major', async () => {
    const model = fakeModel([2, 3], (_t, _p, j) => j);
    const z = 'blocks.0.attn.hook_z';
    expect(capturedWidth(model, z)).toBe(6);
    const { value: block } = await captureActivations(model, fakeTokens(1, 2), z).next();
    expect(block.x.cols).toBe(6);
    expect([...block.x.data]).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
  });

  it('refuses an activation of another shape than the hook promises', async () => {
    const model = { ...fakeModel([4]), hookWidth: () => 5 };
    await expect(collect(model, fakeTokens(1, 2))).rejects.toThrow(/\[1, 2, 4\].*\[1, 2, 5\]/);
  });

  it('runs a range of sequences and refuses one outside the set', async () => {
    const blocks = await collect(fakeModel(), fakeTokens(5, 6), { firstSequence: 3, sequences: 1 });
    expect(blocks.map((b) => [b.firstToken, b.x.rows])).toEqual([[18, 6]]);
    await expect(collect(fakeModel(), fakeTokens(5, 6), { firstSequence: 3, sequences: 3 })).rejects.toThrow(
      /token set of 5 has/,
    );
  });

  it('refuses attention patterns, which have no row per token', async () => {
    const run = captureActivations(fakeModel(), fakeTokens(1, 2), 'blocks.0.attn.hook_pattern').next();
    await expect(run).rejects.toThrow(/not a row per token/);
  });

  it('refuses tokens of another tokenizer and names both', async () => {
    const tokens = { ...fakeTokens(1, 2), tokenizer: { ...tokenizer, id: 'tokenizer-B' } };
    await expect(collect(fakeModel(), tokens)).rejects.toThrow(/tokenizer-B.*tokenizer-A/);
  });

  it('stops with AbortError and reports progress', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const run = collect(fakeModel(), fakeTokens(5, 6), {
      batchTokens: 6,
      signal: controller.signal,
      onProgress: (p) => {
        seen.push(p.done);
        if (p.done === 12) controller.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toEqual([6, 12]);
  });
});
