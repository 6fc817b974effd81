/** What padding does downstream: nothing before it changes, and it is no row of training. */
import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tokenizeTexts } from '#kernel/models/datasets.js';
import { ignoredPositions } from '#kernel/models/ignored.js';
import { loadModel } from '#kernel/models/load.js';
import { lossWarning, unlikelyText } from '#kernel/models/tokenLoss.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { modelSource } from '#kernel/sae/source.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';
import { LLAMAS } from '#test/kit/samples.js';

beforeAll(() => initDevice({ device: 'cpu' }));

async function logitsOf(model: LanguageModel, ids: Int32Array, batch: number): Promise<Float32Array> {
  const { logits } = model.forward(ids, batch);
  try {
    return (await logits!.data()) as Float32Array;
  } finally {
    logits!.dispose();
  }
}

/** Largest difference between logits of padded sequences and of each text alone, over the largest logit. */
async function differenceFromAlone(model: LanguageModel, texts: Int32Array[], context: number, pad: number) {
  const padded = new Int32Array(texts.length * context).fill(pad);
  texts.forEach((ids, i) => padded.set(ids, i * context));
  const together = await logitsOf(model, padded, texts.length);
  const vocab = model.config.vocab;
  let [largest, size] = [0, 0];
  for (const [i, ids] of texts.entries()) {
    const alone = await logitsOf(model, ids, 1);
    const start = i * context * vocab;
    alone.forEach((value, j) => {
      largest = Math.max(largest, Math.abs(value - together[start + j]));
      size = Math.max(size, Math.abs(value));
    });
  }
  return largest / size;
}

describe('padding on the right', () => {
  const textsOf = (lengths: number[], vocab: number): Int32Array[] =>
    lengths.map((n, s) => Int32Array.from({ length: n }, (_, i) => (7 * i * i + 3 * n + s) % vocab));

  it.each(Object.keys(CONFIGS))('changes no bit of what is before it: %s', async (family) => {
    const config = CONFIGS[family];
    const model = modelOf(config, randomWeights(config, 3));
    expect(await differenceFromAlone(model, textsOf([2, 3, 5, 8, 12], config.vocab), 12, 0)).toBe(0);
    // A pass of 512 rows or more, and one of a single row, take other products than a short text alone does.
    const many = Array.from({ length: 48 }, (_, s) => 1 + (s % 12));
    const large = await differenceFromAlone(model, textsOf(many, config.vocab), 12, 0);
    expect(large).toBeLessThan(1e-6);
    model.dispose();
  });

  it.for(LLAMAS)(
    'changes no bit of what is before it, and rounding alone in large passes: $name',
    async ({ folder, there }, { skip }) => {
      if (!there) skip();
      const model = await loadModel(folder);
      const { vocab } = model.config;
      expect(await differenceFromAlone(model, textsOf([2, 5, 12, 24], vocab), 24, 2)).toBe(0);
      const many = Array.from({ length: 32 }, (_, s) => 1 + (s % 24));
      const large = await differenceFromAlone(model, textsOf(many, vocab), 24, 2);
      expect(large).toBeLessThan(1e-6);
      model.dispose();
    },
  );

  it.for(LLAMAS)(
    'changes no logit before it, and trains nothing: $name',
    async ({ folder, there, vocab }, { skip }) => {
      if (!there) skip();
      const model = await loadModel(folder);
      const stories = ['Once upon a time', 'The cat sat on the mat and was very happy.', 'Lily'];
      const tokens = tokenizeTexts(stories, model.tokenizer, { context: 24, pack: 'each', pad: true, source: {} });
      expect(tokens.sequences).toBe(3);
      const { padding } = tokens;
      const lengths = stories.map((story) => model.tokenizer.encode(story).length + (model.tokenizer.addsBos ? 1 : 0));
      const texts = lengths.map((n, i) => tokens.tokens.slice(i * 24, i * 24 + n));
      expect(await differenceFromAlone(model, texts, 24, tokens.tokens[23])).toBe(0);
      expect(padding?.reduce((sum, one) => sum + one, 0)).toBe(72 - lengths.reduce((a, b) => a + b));

      const source = modelSource(model, tokens, 'blocks.0.hook_mlp_out', { batchTokens: 24, cacheBytes: 0 });
      expect(source.rows).toBe(lengths.reduce((a, b) => a + b));
      const pieces = [];
      for await (const piece of source.batches()) pieces.push(piece.rows);
      expect(pieces).toEqual(lengths);
      const later = [];
      for await (const piece of source.batches(lengths[0])) later.push(piece.rows);
      expect(later).toEqual(lengths.slice(1));

      expect(await unlikelyText(model, tokens)).toBeUndefined();
      const noise = tokenizeTexts(['ζλξ #@! ζζ qzx ## 9871 ξξ'], model.tokenizer, { context: 16, source: {} });
      expect(await unlikelyText(model, noise)).toMatch(
        new RegExp(`mean loss of ${basename(folder)} on this text is .* above ln ${vocab}`),
      );
      model.dispose();
    },
  );
});

describe('ignored positions', () => {
  it('are padding, and the ids that are asked for', () => {
    const tokens = Int32Array.of(1, 5, 2, 2);
    expect(ignoredPositions({ tokens })).toBeUndefined();
    expect([...(ignoredPositions({ tokens, padding: Uint8Array.of(0, 0, 0, 1) }) ?? [])]).toEqual([0, 0, 0, 1]);
    expect([...(ignoredPositions({ tokens }, [1]) ?? [])]).toEqual([1, 0, 0, 0]);
    expect(() => ignoredPositions({ tokens }, [0.5])).toThrow(/ignoreTokens has 0.5/);
  });
});

it('a loss below ln V is no reason for a word', () => {
  const model = { name: 'm', config: { vocab: 10 } } as LanguageModel;
  expect(lossWarning(Math.log(10) - 0.01, model)).toBeUndefined();
  expect(lossWarning(Math.log(10) + 0.01, model)).toMatch(/2\.31 nats, above ln 10 = 2\.30/);
});
