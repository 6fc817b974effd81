/**
 * A corpus that was tokenized already (an `input_ids` column, with attention_mask), from parquet and from lines of JSON,
 * by the whole road: the same SAE and activations as from the texts that it was made of, padding left out of both.
 */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { initDevice } from '#kernel/compute/device.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { parquetFile } from '#test/kit/parquetFile.js';

const model = path.resolve(import.meta.dirname, '../../examples/models/tiny-stories-1L');
let context: CollectedContext;
beforeAll(async () => {
  await initDevice({ device: 'cpu' });
  context = collectingContext();
});
afterAll(() => context.remove());

it('input_ids of a file train an SAE and are encoded by it, as the same texts are', async () => {
  const fg = await createFg(context);
  const lm = await fg.models.load(model);
  const texts = fg.datasets
    .stories({ stories: 60, seed: 4 })
    .texts.map((text, i) => (i % 3 ? text : text.slice(0, 60)));
  const ours = fg.datasets.fromTexts(texts, { context: 48, pack: 'each', pad: true });
  const set = ours.tokens(lm);
  const padding = set.padding as Uint8Array;
  expect(padding.includes(1)).toBe(true);
  const rows = Array.from({ length: set.sequences }, (_, s) => [...set.tokens.subarray(48 * s, 48 * s + 48)]);
  const masks = rows.map((row, s) => row.map((_, p) => 1 - padding[48 * s + p]));
  const write = (name: string, content: string | Uint8Array): string => {
    fs.writeFileSync(path.join(context.notebookFolder, name), content);
    return name;
  };
  const big = (lists: number[][]): bigint[][] => lists.map((list) => list.map(BigInt));
  const files = [
    write('ids.jsonl', rows.map((ids, s) => JSON.stringify({ input_ids: ids, attention_mask: masks[s] })).join('\n')),
    write(
      'ids.parquet',
      parquetFile([
        { name: 'input_ids', lists: big(rows) },
        { name: 'attention_mask', lists: big(masks) },
      ]),
    ),
  ];
  const hook = 'blocks.0.hook_mlp_out';
  const road = async (data: typeof ours) => {
    const sae = await fg.sae.train(lm, data, {
      ...{ hook, architecture: 'topk', k: 8, features: 128, steps: 30, trainBatchSizeTokens: 256, lr: 2e-3 },
      fresh: true,
    });
    const store = await fg.activations.save(lm, sae, data, { fresh: true });
    return { sae, store, quality: await fg.sae.evaluate(lm, sae, data) };
  };
  const expected = await road(ours);
  const words = padding.filter((p) => p === 0).length;
  expect(expected.store.meta).toMatchObject({ tokens: set.tokens.length, ignored: set.tokens.length - words });
  for (const file of files) {
    const data = await fg.datasets.load(file);
    const found = data.tokens(lm);
    expect(found.id, file).toBe(set.id);
    expect(found.padding).toEqual(padding);
    const { sae, store, quality } = await road(data);
    expect(sae.id, file).toBe(expected.sae.id);
    expect(store.id).toBe(expected.store.id);
    expect(await store.ignored()).toEqual(padding);
    expect(quality.tokens).toBe(words);
    expect(quality.explainedVariance).toBe(expected.quality.explainedVariance);
  }
  // Padding before a text would shift its positions.
  const left = JSON.stringify({ input_ids: [0, 1, 2], attention_mask: [0, 1, 1] });
  await expect(fg.datasets.load(write('left.jsonl', left))).rejects.toThrow(/only rows padded on the right are read/);
  // Fewer and shorter rows, and ids of a larger vocabulary.
  expect((await fg.datasets.load(files[1], { context: 16, samples: 5 })).tokens(lm).tokens).toHaveLength(80);
  const foreign = await fg.datasets.load(write('foreign.jsonl', JSON.stringify({ input_ids: [1, 2, 50_000] })));
  expect(() => foreign.tokens(lm)).toThrow(
    /token id 50000 \(position 2\) is outside the tokenizer's vocabulary of 4096/,
  );
  await expect(fg.datasets.load(files[0], { bos: true })).rejects.toThrow(/\{ bos \} is for texts/);
});

it('a text that the model was not made for is told of when training, saving and evaluating', async () => {
  const fg = await createFg(context);
  const lm = await fg.models.load(model);
  // Rare tokens in an order that no text has.
  const ids = Array.from({ length: 12 }, (_, s) =>
    Array.from({ length: 32 }, (_, p) => 4000 - ((s * 31 + p * 97) % 900)),
  );
  const lines = ids.map((row) => JSON.stringify({ input_ids: row })).join('\n');
  fs.writeFileSync(path.join(context.notebookFolder, 'noise.jsonl'), lines);
  const noise = await fg.datasets.load('noise.jsonl');
  const hook = 'blocks.0.hook_mlp_out';
  const told = async (run: () => Promise<unknown>): Promise<string[]> => {
    const before = context.printed.length;
    await run();
    return context.printed.slice(before).filter((line) => line.includes('mean loss'));
  };
  const options = { hook, features: 32, steps: 2, trainBatchSizeTokens: 64 };
  const sae = await fg.sae.train(lm, fg.datasets.stories({ stories: 20, context: 32 }), options);
  const warning = /Warning: the mean loss of tiny-stories-1L on this text is \d+\.\d+ nats, above ln 4096 = 8\.32/;
  for (const run of [
    () => fg.sae.train(lm, noise, options),
    () => fg.activations.save(lm, sae, noise),
    () => fg.sae.evaluate(lm, sae, noise),
  ]) {
    const [line, ...more] = await told(run);
    expect(line).toMatch(warning);
    expect(more).toEqual([]);
  }
  const own = fg.datasets.stories({ stories: 30, seed: 1, context: 32 });
  expect(await told(() => fg.sae.train(lm, own, options))).toEqual([]);
});
