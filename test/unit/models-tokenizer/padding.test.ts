/** What padding does downstream: nothing before it changes, and it is no row of training. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tokenizeTexts } from '#kernel/models/datasets.js';
import { ignoredPositions } from '#kernel/models/ignored.js';
import { loadModel } from '#kernel/models/load.js';
import { lossWarning, unlikelyText } from '#kernel/models/tokenLoss.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { modelSource } from '#kernel/sae/source.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';

const folder = resolve(import.meta.dirname, '../../../../shared/data/stories260K');
const there = existsSync(join(folder, 'config.json'));
if (!there) console.warn(`skipped: no stories260K in ${folder}`);

beforeAll(() => initDevice({ device: 'cpu' }));

async function logitsOf(model: LanguageModel, ids: Int32Array, batch: number): Promise<Float32Array> {
  const { logits } = model.forward(ids, batch);
  try {
    return (await logits!.data()) as Float32Array;
  } finally {
    logits!.dispose();
  }
}

/** Largest difference between logits of padded sequences and of each text alone. */
async function differenceFromAlone(model: LanguageModel, texts: Int32Array[], context: number, pad: number) {
  const padded = new Int32Array(texts.length * context).fill(pad);
  texts.forEach((ids, i) => padded.set(ids, i * context));
  const together = await logitsOf(model, padded, texts.length);
  const vocab = model.config.vocab;
  let largest = 0;
  for (const [i, ids] of texts.entries()) {
    const alone = await logitsOf(model, ids, 1);
    const start = i * context * vocab;
    alone.forEach((value, j) => (largest = Math.max(largest, Math.abs(value - together[start + j]))));
  }
  return largest;
}

describe('padding on the right', () => {
  it.each(Object.keys(CONFIGS).slice(0, 2))('changes no logit before it: %s', async (family) => {
    const config = CONFIGS[family];
    const model = modelOf(config, randomWeights(config, 3));
    const texts = [3, 5, 8].map((n) => Int32Array.from({ length: n }, (_, i) => (7 * i + n) % config.vocab));
    expect(await differenceFromAlone(model, texts, 8, 0)).toBeLessThan(1e-6);
    model.dispose();
  });

  it.skipIf(!there)('changes no logit before it, and trains nothing: stories260K', async () => {
    const model = await loadModel(folder);
    const stories = ['Once upon a time', 'The cat sat on the mat and was very happy.', 'Lily'];
    const tokens = tokenizeTexts(stories, model.tokenizer, { context: 24, pack: 'each', pad: true, source: {} });
    expect(tokens.sequences).toBe(3);
    const { padding } = tokens;
    const lengths = stories.map((story) => model.tokenizer.encode(story).length + (model.tokenizer.addsBos ? 1 : 0));
    const texts = lengths.map((n, i) => tokens.tokens.slice(i * 24, i * 24 + n));
    expect(await differenceFromAlone(model, texts, 24, tokens.tokens[23])).toBeLessThan(1e-5);
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
    expect(await unlikelyText(model, noise)).toMatch(/mean loss of stories260K on this text is .* above ln 512/);
    model.dispose();
  });
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
