/**
 * The whole road on a real language model that nobody here wrote: stories260K, of Llama's architecture with a SentencePiece
 * tokenizer, and real text, read in place.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '../../src/kernel/compute/device.js';
import { toFloat64, toInt32 } from '../../src/kernel/io/ndarray.js';
import { SafetensorsFile } from '../../src/kernel/io/safetensors.js';
import { loadModel } from '../../src/kernel/models/load.js';

const root = path.resolve(import.meta.dirname, '../..');
const data = path.resolve(root, '../shared/data');
const folder = path.join(data, 'stories260K');
const there = existsSync(folder);
if (!there) console.warn(`skipped: no real model at ${folder}`);

beforeAll(async () => void (await initDevice({ device: 'cpu' })));

function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let [error, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    error += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(error / size);
}

describe.skipIf(!there)('stories260K', () => {
  it('has the float64 logits and activations of its reference at every hook', async () => {
    const model = await loadModel(folder);
    const expected = await SafetensorsFile.open(path.join(folder, 'expected.safetensors'));
    const ids = toInt32(await expected.read('ids'));
    const hooks = expected.names().filter((name) => name !== 'ids' && name !== 'logits');
    const { logits, captured } = model.forward(ids, 1, { capture: hooks });
    for (const hook of hooks) {
      const x = captured.get(hook)!;
      expect(relative(x.dataSync(), toFloat64(await expected.read(hook))), hook).toBeLessThan(1e-5);
      x.dispose();
    }
    expect(relative(logits!.dataSync(), toFloat64(await expected.read('logits')))).toBeLessThan(1e-5);
    logits!.dispose();
    await expected.close();
    model.dispose();
  });

  it('reads text as the published encoder, and a story greedily as its README states', async () => {
    const model = await loadModel(folder);
    const texts = JSON.parse(readFileSync(path.join(folder, 'tokens-expected.json'), 'utf8')) as Array<{
      text: string;
      ids: number[];
    }>;
    expect(model.tokenizer.addsBos).toBe(true);
    for (const { text, ids } of texts) expect([1, ...model.tokenizer.encode(text)], text).toEqual(ids);
    expect('Once upon a time' + (await model.generate('Once upon a time', { tokens: 60 }))).toMatch(
      /^Once upon a time, there was a little girl named Lily\. She loved to play outside in the park\./,
    );
    model.dispose();
  });
});
