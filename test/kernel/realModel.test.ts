/**
 * The whole road on language models of Llama's architecture with a SentencePiece tokenizer: a sample, and stories260K,
 * which nobody here wrote, on real text.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { initDevice } from '#kernel/compute/device.js';
import { toFloat64, toInt32 } from '#kernel/io/ndarray.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { loadModel } from '#kernel/models/load.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { collectingContext, shownJson, type CollectedContext } from '#test/kit/context.js';
import { relativeError } from '#test/kit/numbers.js';
import { LLAMAS, shared, STORIES } from '#test/kit/samples.js';

const root = path.resolve(import.meta.dirname, '../..');
let context: CollectedContext | undefined;
afterEach(() => {
  context?.remove();
  context = undefined;
});
beforeAll(async () => void (await initDevice({ device: 'cpu' })));

/** The real one continues as its README states. */
const real = {
  prompt: 'Once upon a time',
  tokens: 60,
  text: ', there was a little girl named Lily. She loved to play outside in the park.',
};
const TEXTS: Record<string, { story: typeof real; text: string; features: number }> = {
  'the sample Llama': {
    story: JSON.parse(readFileSync(path.join(LLAMAS[0].folder, 'greedy.json'), 'utf8')) as typeof real,
    text: STORIES,
    features: 128,
  },
  stories260K: { story: real, text: path.join(shared, 'tinystories-sample.txt'), features: 256 },
};

describe.each(LLAMAS)('$name', ({ name, folder, there, layers }) => {
  const { story, text: textFile, features } = TEXTS[name];
  it.skipIf(!there)('has the float64 logits and activations of its reference at every hook', async () => {
    const model = await loadModel(folder);
    const expected = await SafetensorsFile.open(path.join(folder, 'expected.safetensors'));
    const ids = toInt32(await expected.read('ids'));
    const hooks = expected.names().filter((name) => name !== 'ids' && name !== 'logits');
    const { logits, captured } = model.forward(ids, 1, { capture: hooks });
    for (const hook of hooks) {
      const x = captured.get(hook)!;
      expect(relativeError(x.dataSync(), toFloat64(await expected.read(hook))), hook).toBeLessThan(1e-5);
      x.dispose();
    }
    expect(relativeError(logits!.dataSync(), toFloat64(await expected.read('logits')))).toBeLessThan(1e-5);
    logits!.dispose();
    await expected.close();
    model.dispose();
  });

  it.skipIf(!there)('reads text as the reference encoder, and continues a story greedily as it must', async () => {
    const model = await loadModel(folder);
    const texts = JSON.parse(readFileSync(path.join(folder, 'tokens-expected.json'), 'utf8')) as Array<{
      text: string;
      ids: number[];
    }>;
    expect(model.tokenizer.addsBos).toBe(true);
    for (const { text, ids } of texts) expect([1, ...model.tokenizer.encode(text)], text).toEqual(ids);
    const said = await model.generate(story.prompt, { tokens: story.tokens });
    expect(said.slice(0, story.text.length)).toBe(story.text);
    model.dispose();
  });

  it.skipIf(!there)(
    'goes the whole road: two SAEs on real text, activations, correlation between layers, labels, a twin map',
    async () => {
      context = collectingContext(root);
      const fg = await createFg(context);
      const lm = await fg.models.load(folder);
      const text = await fg.datasets.load(textFile, {
        context: 128,
        samples: 160,
        splitAt: 'blank-lines',
      });
      const set = text.tokens(lm);
      // Sequences begin with the begin token, as the model was trained.
      expect(set.tokens[0]).toBe(lm.tokenizer.bosId);
      expect(set.tokens[128]).toBe(lm.tokenizer.bosId);

      const common = {
        features,
        steps: 300,
        trainBatchSizeTokens: 1024,
        lr: 2e-3,
        architecture: 'topk',
        k: 8,
      } as const;
      const [low, high] =
        layers > 2
          ? ['blocks.1.hook_resid_post', 'blocks.3.hook_resid_post']
          : ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post'];
      const saeA = await fg.sae.train(lm, text, { ...common, hook: low, seed: 0 });
      const saeB = await fg.sae.train(lm, text, { ...common, hook: high, seed: 1 });
      const quality = await fg.sae.evaluate(lm, saeA, text);
      expect(quality.explainedVariance).toBeGreaterThan(0.7);

      const actsA = await fg.activations.save(lm, saeA, text);
      const actsB = await fg.activations.save(lm, saeB, text);
      const map = await fg.correlation.map(actsA, actsB, { counterparts: 1, minFirings: 20 });
      expect(map.pairs.r.length).toBeGreaterThan(20);
      expect(map.pairs.r.reduce((a, r) => Math.max(a, r), -1)).toBeGreaterThan(0.6);

      await fg.show(
        [await fg.maps.umap(saeA.decoder, { nEpochs: 50 }), await fg.maps.umap(saeB.decoder, { nEpochs: 50 })],
        { map },
      );
      const descriptor = shownJson<MapDescriptor>(context, MIME.map);
      const lines = readFileSync(path.join(context.outputFolder, descriptor.path, '0.examples.jsonl'), 'utf8')
        .trim()
        .split('\n');
      const tokens = lines.flatMap((line) =>
        (JSON.parse(line) as Array<{ tokens: string[] }>).flatMap((e) => e.tokens),
      );
      // Pieces of text, not of the vocabulary file: spaces are spaces.
      expect(tokens.some((t) => /^ [a-z]+$/.test(t))).toBe(true);
      expect(tokens.some((t) => t.includes('▁'))).toBe(false);
      lm.dispose();
    },
  );
});
