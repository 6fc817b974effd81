/** Interventions on an example model, on the kernels that run it. */
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { captureActivations } from '#kernel/models/capture.js';
import { initDevice } from '#kernel/compute/device.js';
import { row } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { clamp, scale } from '#kernel/interventions/clamp.js';
import { logitEffects } from '#kernel/interventions/logitEffects.js';
import { patch, patchFeatures } from '#kernel/interventions/patch.js';
import { run } from '#kernel/interventions/run.js';
import { steer } from '#kernel/interventions/steer.js';
import { loadModel } from '#kernel/models/load.js';
import type { LanguageModel, TokenSet } from '#kernel/models/types.js';
import { generateStories } from '#kernel/synthetic/stories/generate.js';
import { SAE_KINDS, tinySae } from '#test/kit/sae.js';

const hook = 'blocks.1.hook_resid_pre';
const prompt = 'Once upon a time there was a queen. “She” lived in a café with a king, and she had a dog';
const bits = (x: Float32Array): Int32Array => new Int32Array(x.buffer, x.byteOffset, x.length);
let model: LanguageModel;

beforeAll(async () => {
  await initDevice({ device: 'cpu' });
  model = await loadModel(path.resolve(import.meta.dirname, '../../examples/models/tiny-stories-2L'));
});

describe('an example model', () => {
  it.each(['standard', 'topk, rescaled'])('does not change by a bit where nothing is asked for (%s)', async (kind) => {
    const clean = await run(model, [], prompt, { capture: [hook] });
    const sae = tinySae(hook, model.config.dModel, 2048, {
      ...SAE_KINDS[kind],
      ...(kind === 'standard' ? {} : { k: 16 }),
    });
    const { indptr, indices, values } = sae.encode(clean.captured[hook]);
    const at = indptr[5];
    for (const one of [
      patch(model, hook, { prompt }),
      patchFeatures(model, sae, 'all', { prompt }),
      patchFeatures(model, sae, [1, 5, 8], { prompt }),
      clamp(model, sae, indices[at], { value: values[at], positions: 5 }),
      scale(model, sae, 'all', { by: 1 }),
    ]) {
      const { logits } = await run(model, [one], prompt);
      expect(bits(logits.data), one.description).toEqual(bits(clean.logits.data));
    }
  });

  it('is changed at the tokens that a pattern over the text touches, of parts of characters too', async () => {
    const clean = (await run(model, [], prompt, { capture: [hook] })).captured[hook];
    const v = new Float32Array(clean.cols).fill(1);
    for (const [regex, expected] of [
      [/queen|king|she\b/i, [' queen', 'S', 'he', ' king', ' she']],
      [/é/, ['\ufffd', '\ufffd']],
      [/“/, ['\ufffd', '\ufffd', '\ufffd']],
    ] as const) {
      const push = steer(model, hook, v, { scale: 1, positions: { regex } });
      const { captured, pieces } = await run(model, [push], prompt, { capture: [hook] });
      const moved = pieces.filter((_, t) => captured[hook].data[t * v.length] !== clean.data[t * v.length]);
      expect(moved).toEqual(expected);
    }
  });
});

describe('a push that means nothing, on the trained model', () => {
  it('beats isotropic directions far more often than chance, and differences of activations as often as chance', async () => {
    const at = 'blocks.0.hook_resid_post';
    const text = generateStories({ stories: 12, seed: 3 }).map((story) => story.text).join(' '); // prettier-ignore
    const ids = model.tokenizer.encode(text).slice(0, 2 * 24);
    const tokens: TokenSet = {
      ...{ id: 'stories', tokens: ids, sequences: 2, context: 24 },
      ...{ tokenizer: model.tokenizer, source: {} },
    };
    const rows: Float32Array[] = [];
    for await (const { x } of captureActivations(model, tokens, at, {}))
      for (let i = 0; i < x.rows; i++) rows.push(row(x, i).slice());
    const random = new Random(5);
    const trials = 20;
    const reached: Record<string, number> = { isotropic: 0, differences: 0 };
    const all: number[] = [];
    for (let trial = 0; trial < trials; trial++) {
      const [i, j] = random.permutation(rows.length);
      const push = steer(model, at, rows[i].map((v, k) => v - rows[j][k]), { scale: 3, normalize: 'unit' }); // prettier-ignore
      const { kl } = await logitEffects(model, [push], tokens, { nulls: 19, seed: trial });
      for (const { kind, p } of kl.nulls) if (p <= 0.05) reached[kind]++;
      all.push(kl.nulls.find(({ kind }) => kind === 'differences')!.p);
    }
    expect(reached.isotropic / trials).toBeGreaterThan(0.4);
    // 20 trials at 5 %: more than 5 in a thousandth of all cases.
    expect(reached.differences).toBeLessThanOrEqual(5);
    const below = (p: number): number => all.filter((v) => v <= p + 1e-9).length / trials;
    for (let k = 1; k <= 20; k++) expect(Math.abs(below(k / 20) - k / 20)).toBeLessThan(1.95 / Math.sqrt(trials));
  });
});
