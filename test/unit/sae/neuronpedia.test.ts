/** Neuronpedia's feature JSON, read back by Python (test/goldens/read-neuronpedia.py) and compared with loops over the store. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFg, hook, lmA, lmB, randomSae, saeB, texts } from '#test/kit/fg.js';
import { CONFIGS, randomWeights } from '#test/kit/model.js';

const world = freshFg();
const PYTHON = '/usr/bin/python3';
const python = spawnSync(PYTHON, ['-c', '']).status === 0;
if (!python) console.warn(`Neuronpedia's JSON by a second reader: skipped, there is no ${PYTHON}`);
/** Two batches: 128 features and 12 more. */
const sae = randomSae(21, 140, lmA.id, 3);

interface Feature {
  frac_nonzero: number;
  freq_hist_data_bar_heights: number[];
  pos_str: string[];
  pos_values: number[];
  neg_values: number[];
  activations: Array<{ values: number[]; tokens: string[]; qualifying_token_index: number }>;
  vector: number[];
}

it.skipIf(!python)('holds what the store and the model say of every feature', async () => {
  const data = await world.fg.datasets.fromTexts(texts, { context: 10 });
  const activations = await world.fg.activations.save(lmA, sae, data, { hook });
  const folder = await world.fg.sae.save(sae, 'neuronpedia', { layout: 'neuronpedia', activations, model: lmA });
  const run = spawnSync(PYTHON, [join(import.meta.dirname, '../../goldens/read-neuronpedia.py'), folder], {
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  const features = JSON.parse(run.stdout) as Feature[];
  expect(features.length).toBe(140);
  const values = features.map((): number[] => []);
  for await (const { rows } of activations.shards()) rows.indices.forEach((f, e) => values[f].push(rows.values[e]));
  const unembed = randomWeights(CONFIGS['GPT-2'], 1).get('transformer.wte.weight')!;
  const d = sae.W_dec.cols;
  for (const [f, feature] of features.entries()) {
    expect(feature.vector).toEqual([...sae.W_dec.data.subarray(f * d, (f + 1) * d)]);
    expect(feature.frac_nonzero).toBeCloseTo(values[f].length / activations.meta.tokens, 12);
    expect(feature.freq_hist_data_bar_heights.reduce((a, b) => a + b, 0)).toBe(values[f].length);
    const logits = Array.from({ length: unembed.shape[0] }, (_, t) => feature.vector.reduce((sum, v, j) => sum + v * unembed.data[t * d + j], 0)).sort((a, b) => b - a); // prettier-ignore
    feature.pos_values.forEach((v, i) => expect(Math.abs(v - logits[i])).toBeLessThan(1e-5 * Math.abs(logits[0])));
    feature.neg_values.forEach((v, i) => expect(Math.abs(v - logits.at(-1 - i)!)).toBeLessThan(1e-5 * Math.abs(logits[0]))); // prettier-ignore
    expect(feature.pos_str.length).toBe(10);
    if (values[f].length === 0) expect(feature.activations).toEqual([]);
    else {
      const [best] = feature.activations;
      expect(best.values[best.qualifying_token_index]).toBe(values[f].reduce((a, b) => Math.max(a, b)));
    }
  }
  expect(values.filter((v) => v.length === 0).length).toBeGreaterThanOrEqual(3);
  expect(values.filter((v) => v.length > 0).length).toBeGreaterThan(50);
});

it('refuses what does not belong together', async () => {
  const data = await world.fg.datasets.fromTexts(texts, { context: 10 });
  const activations = await world.fg.activations.save(lmB, saeB, data, { hook });
  const save = (options: object) => world.fg.sae.save(sae, 'x', options);
  await expect(save({ layout: 'neuronpedia', activations })).rejects.toThrow(/these activations are of another SAE/);
  await expect(save({ layout: 'neuronpedia' })).rejects.toThrow(/give \{ activations \}/);
  await expect(save({ activations })).rejects.toThrow(/are for layout 'neuronpedia'/);
});
