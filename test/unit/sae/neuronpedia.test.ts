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
  /** bin_min, bin_max, bin_contains and how many examples. */
  groups: Array<[number, number, number, number]>;
  neuron_alignment_indices: number[];
  neuron_alignment_values: number[];
  neuron_alignment_l1: number[];
  freq_hist_data_bar_values: number[];
  logits_hist_data_bar_heights: number[];
  logits_hist_data_bar_values: number[];
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
    maxBuffer: 2 ** 26,
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
    // As numpy.histogram(logits, 50) counts: the last bin holds its upper end.
    const [low, high] = [logits.at(-1)!, logits[0]];
    const step = (high - low) / 50;
    expect(feature.logits_hist_data_bar_heights.reduce((a, b) => a + b, 0)).toBe(logits.length);
    const edges = Array.from({ length: 51 }, (_, i) => low + i * step);
    feature.logits_hist_data_bar_values.forEach((v, i) => expect(v).toBeCloseTo((edges[i] + edges[i + 1]) / 2, 5));
    // Logits at an edge may round into either bin: sums from the left are held between counts on both sides of it.
    let sum = 0;
    feature.logits_hist_data_bar_heights.slice(0, -1).forEach((n, i) => {
      sum += n;
      const below = (edge: number): number => logits.filter((l) => l < edge).length;
      expect(sum).toBeGreaterThanOrEqual(below(edges[i + 1] - 1e-5));
      expect(sum).toBeLessThanOrEqual(below(edges[i + 1] + 1e-5));
    });
    const order = feature.vector.map((v, j) => [v, j]).sort((a, b) => b[0] - a[0]);
    const l1 = feature.vector.reduce((total, v) => total + Math.abs(v), 0);
    expect(feature.neuron_alignment_indices).toEqual(order.slice(0, 3).map(([, j]) => j));
    expect(feature.neuron_alignment_values).toEqual(order.slice(0, 3).map(([v]) => v));
    feature.neuron_alignment_l1.forEach((share, i) => expect(share).toBeCloseTo(Math.abs(order[i][0]) / l1, 6));
    if (values[f].length === 0) expect(feature.activations).toEqual([]);
    else {
      const [best] = feature.activations;
      const max = values[f].reduce((a, b) => Math.max(a, b));
      expect(best.values[best.qualifying_token_index]).toBe(max);
      const [top, ...intervals] = feature.groups;
      expect(top.slice(0, 3)).toEqual([-1, max, -1]);
      expect(intervals.map(([from]) => from)).toEqual(intervals.map(([from]) => from).sort((a, b) => b - a));
      // Of all tokens, the silent ones in the lowest interval, as SAEDashboard counts them.
      const silent = activations.meta.tokens - values[f].length;
      for (const [from, to, contains, examples] of intervals) {
        const inside = values[f].filter((v) => v > from && v <= to).length;
        expect(contains).toBeCloseTo((inside + (from === 0 ? silent : 0)) / activations.meta.tokens, 12);
        expect(examples).toBeLessThanOrEqual(5);
      }
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
