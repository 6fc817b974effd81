/** fg.correlation.grid: every layer of one model against every layer of another, stopped and resumed, seen as heat maps. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '#kernel/activations/types.js';
import { createFg } from '#kernel/api/index.js';
import { gatherRows } from '#kernel/compute/rows.js';
import { sideNames, type LayerGrid } from '#kernel/correlation/grid.js';
import { similarityScores } from '#kernel/correlation/scores.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { DISPLAY } from '#kernel/present/items.js';
import type { Sae } from '#kernel/sae/types.js';
import type { ChartDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { collectingContext } from '#test/kit/context.js';
import { freshFg, lmA, lmB, randomSae, texts } from '#test/kit/fg.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';
import { shared } from '#test/kit/samples.js';

const world = freshFg();

const at = (sae: Sae, layer: number): Sae => Object.assign(Object.create(Object.getPrototypeOf(sae) as object) as Sae, sae, { config: { ...sae.config, hookName: `blocks.${layer}.hook_mlp_out` } }); // prettier-ignore
const sides = () => ({
  a: { model: lmA, saes: [at(randomSae(21, 24, lmA.id), 0), at(randomSae(22, 20, lmA.id), 1)] },
  b: { model: lmB, saes: [at(randomSae(23, 18, lmB.id), 0), at(randomSae(24, 22, lmB.id), 1)] },
});
/** A model that reads one digit a token, where the others read one number. */
const digitsModel = () =>
  modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 5), false, {
    id: 'digits',
    vocabSize: 10,
    eosId: 0,
    bosId: undefined,
    encode: (text) => Int32Array.from(text.replace(/\D/g, ''), Number),
    decode: (ids) => Array.from(ids).join(''),
    piece: String,
  });

const there = ['gpt2', 'stories260K', 'tinystories-sample.txt'].every((name) => existsSync(join(shared, name)));
if (!there) console.warn(`skipped: GPT-2's tokenizer, stories260K and the sample of TinyStories are not at ${shared}`);

const OPTIONS = { minFirings: 2, metrics: ['cka', 'rsa'] as const, nulls: { runs: 9, seed: 3 }, conformance: false };

describe('fg.correlation.grid', () => {
  it('has in every cell what map and scores give for the two SAEs', async () => {
    const { fg } = world;
    const { a, b } = sides();
    const data = fg.datasets.fromTexts(texts, { context: 10 });
    const grid = await fg.correlation.grid(a, b, data, OPTIONS);
    expect(grid.cells.map((cell) => [cell.a, cell.b])).toEqual([[0, 0], [0, 1], [1, 0], [1, 1]]); // prettier-ignore
    expect(grid.a).toEqual(['blocks.0.hook_mlp_out', 'blocks.1.hook_mlp_out']);
    for (const { a: i, b: j, pairs, meanR, scores } of grid.cells) {
      const stores = [
        await fg.activations.save(lmA, a.saes[i], data, { conformance: false }),
        await fg.activations.save(lmB, b.saes[j], data, { conformance: false }),
      ] as const;
      const map = await fg.correlation.map(...stores, { minFirings: 2 });
      expect(pairs).toBe(map.pairs.r.length);
      expect(meanR).toBeCloseTo(map.pairs.r.reduce((s, r) => s + r, 0) / pairs, 12);
      const X = gatherRows(a.saes[i].decoder, map.pairs.a);
      const Y = gatherRows(b.saes[j].decoder, map.pairs.b);
      expect(scores).toEqual(await similarityScores(X, Y, { metrics: OPTIONS.metrics, nulls: 9, seed: 3 }));
    }
    expect(new Set(grid.cells.map(({ meanR }) => meanR)).size).toBe(4);
  });

  it('goes on behind its last finished pair of SAEs, and gives what an undisturbed call gives', async () => {
    const { fg, context } = world;
    const { a, b } = sides();
    const data = fg.datasets.fromTexts(texts, { context: 10 });
    const stop = new AbortController();
    const onProgress = ({ label, done }: { label: string; done: number }) => {
      if (label === 'layer grid' && done === 2) stop.abort();
    };
    await expect(fg.correlation.grid(a, b, data, { ...OPTIONS, signal: stop.signal, onProgress })).rejects.toThrow();
    const resumed = await fg.correlation.grid(a, b, data, OPTIONS);
    expect(context.printed.join('\n')).toContain('going on after 2 finished runs');
    const other = collectingContext();
    try {
      const fresh = await createFg(other, { device: 'cpu' });
      const whole = await fresh.correlation.grid(a, b, fresh.datasets.fromTexts(texts, { context: 10 }), OPTIONS);
      expect(resumed).toEqual(whole);
    } finally {
      other.remove();
    }
    expect(await fg.correlation.grid(a, b, data, OPTIONS)).toEqual(resumed);
    expect(context.printed.join('\n')).toContain('Layer grid: loaded from cache');
  });

  it('shows a heat map of each score with null and p in every cell, one of mean r, and every score in its text', async () => {
    const { fg } = world;
    const { a, b } = sides();
    const grid = await fg.correlation.grid(a, b, fg.datasets.fromTexts(texts, { context: 10 }), OPTIONS);
    const [chart, text] = await (grid as LayerGrid & { [DISPLAY](): OutputItem[] })[DISPLAY]();
    expect([chart.mime, text.mime]).toEqual([MIME.chart, MIME.text]);
    const { concat } = (chart.json as unknown as ChartDescriptor).vegaLite as { concat: Array<{ title: string; encoding: Record<'x' | 'y', { sort: string[] }>; data: { values: Array<Record<string, unknown>> } }> }; // prettier-ignore
    expect(concat.map(({ title }) => title)).toEqual(['cka of decoder rows, beside 9 nulls', 'rsa of decoder rows, beside 9 nulls', 'mean r']); // prettier-ignore
    grid.cells.forEach(({ scores, meanR, pairs }, i) => {
      expect(scores).toHaveLength(2);
      scores.forEach(({ value, null: beside, p }, k) => {
        expect(concat[k].data.values[i]).toMatchObject({ value, 'null mean': beside.mean, p });
        expect(concat[k].data.values[i].beside).toMatch(/^null −?\d\.\d{3}, p [01](\.\d+)?$/);
      });
      expect(concat[2].data.values[i]).toMatchObject({ value: meanR, beside: `${pairs} pairs` });
    });
    expect(concat[0].encoding.x.sort).toEqual(['0 · mlp_out', '1 · mlp_out']);
    expect(concat[0].encoding.y.sort).toEqual(['1 · mlp_out', '0 · mlp_out']);
    expect(text.text!.join('')).toContain('rsa null mean');
  });

  it('joins models with different tokenizers by spans of characters: what align, map and scores give, each store once, on behind what is finished', async () => {
    const { fg, context } = world;
    const { a } = sides();
    const lmDigits = digitsModel();
    const b = { model: lmDigits, saes: [at(randomSae(23, 18, lmDigits.id), 0), at(randomSae(24, 22, lmDigits.id), 1)] };
    const data = fg.datasets.fromTexts(texts, { context: 12, separator: 'none' });
    const stop = new AbortController();
    const onProgress = ({ label, done }: { label: string; done: number }) => {
      if (label === 'layer grid' && done === 1) stop.abort();
    };
    await expect(fg.correlation.grid(a, b, data, { ...OPTIONS, signal: stop.signal, onProgress })).rejects.toThrow();
    const grid = await fg.correlation.grid(a, b, data, OPTIONS);
    expect(context.printed.join('\n')).toContain('going on after 1 finished run');
    const saved = (await fg.artifacts.list()).filter(({ kind }) => kind === 'activations');
    // Four stores, and each once by spans.
    expect(saved).toHaveLength(8);
    const own = { a: [] as SparseActivations[], b: [] as SparseActivations[] };
    for (const sae of a.saes) own.a.push(await fg.activations.save(lmA, sae, data, { conformance: false }));
    for (const sae of b.saes) own.b.push(await fg.activations.save(lmDigits, sae, data, { conformance: false }));
    for (const { a: i, b: j, pairs, meanR, scores } of grid.cells) {
      const aligned = await fg.activations.align(own.a[i], own.b[j]);
      expect(grid.tokens).toBe(aligned.spans);
      expect(grid.aligned).toEqual(aligned.shares);
      const map = await fg.correlation.map(aligned.a, aligned.b, { minFirings: 2 });
      expect(pairs).toBe(map.pairs.r.length);
      expect(meanR).toBeCloseTo(map.pairs.r.reduce((s, r) => s + r, 0) / pairs, 12);
      const [X, Y] = [gatherRows(a.saes[i].decoder, map.pairs.a), gatherRows(b.saes[j].decoder, map.pairs.b)];
      expect(scores).toEqual(await similarityScores(X, Y, { metrics: OPTIONS.metrics, nulls: 9, seed: 3 }));
    }
    expect(await fg.artifacts.list()).toHaveLength(8 + 4 + 1);
    const [chart] = await (grid as LayerGrid & { [DISPLAY](): OutputItem[] })[DISPLAY]();
    expect(JSON.stringify(chart.json)).toMatch(/over [\d,]+ spans of text.*100 % of the tokens of odd/);
    // By means other values are correlated; and what has no meaning here is refused.
    const mean = await fg.correlation.grid(a, b, data, { ...OPTIONS, combine: 'mean' });
    expect(mean.cells.map(({ meanR }) => meanR)).not.toEqual(grid.cells.map(({ meanR }) => meanR));
    await expect(fg.correlation.grid(a, b, data, { ...OPTIONS, maxShareAtOnePosition: 0.5 })).rejects.toThrow('spans of text have no positions'); // prettier-ignore
    await expect(fg.correlation.grid(a, sides().b, data, { ...OPTIONS, combine: 'mean' })).rejects.toThrow('both models read the same tokens'); // prettier-ignore
  });

  it.skipIf(!there)(
    'joins stories260K, of 512 tokens, and a model of GPT-2’s 50,257 on the same real text',
    async () => {
      const { fg } = world;
      const small = await fg.models.load(join(shared, 'stories260K'));
      const config = { ...CONFIGS['GPT-2'], vocab: 50_257, context: 64 };
      const other = modelOf(config, randomWeights(config, 3), false, await loadTokenizer(join(shared, 'gpt2')));
      const random = (seed: number, dSae: number, model: LanguageModel, layer: number) => at(randomSae(seed, dSae, model.id, 0, model.config.dModel), layer); // prettier-ignore
      const data = fg.datasets.fromTexts(readFileSync(join(shared, 'tinystories-sample.txt'), 'utf8').slice(0, 6000).split(/\n\s*\n/), { context: 64, separator: 'none', bos: false }); // prettier-ignore
      const grid = await fg.correlation.grid(
        { model: small, saes: [0, 1].map((layer) => random(31 + layer, 24, small, layer)) },
        { model: other, saes: [random(33, 20, other, 0)] },
        data,
        { ...OPTIONS, metrics: ['cka'] },
      );
      expect(grid.cells).toHaveLength(2);
      const { tokensA, tokensB, charactersA, charactersB } = grid.aligned!;
      expect(Math.min(tokensA, tokensB, charactersA, charactersB)).toBeGreaterThan(0.95);
      console.log(`${grid.tokens} spans; ${JSON.stringify(grid.aligned)}`);
      for (const { pairs, scores } of grid.cells) {
        expect(pairs).toBeGreaterThan(2);
        expect(scores[0].null.runs).toBe(9);
      }
    },
  );

  it('planted wrong SAE: one of the other model is refused before anything runs, and so are sides that are none', async () => {
    const { fg } = world;
    const { a, b } = sides();
    const data = fg.datasets.fromTexts(texts, { context: 10 });
    const wrong = { model: lmB, saes: [b.saes[0], a.saes[0]] };
    await expect(fg.correlation.grid(a, wrong, data, { ...OPTIONS, conformance: true })).rejects.toThrow(
      /another model/,
    );
    await expect(fg.correlation.grid(a, wrong, data, OPTIONS)).rejects.toThrow(/another model/);
    await expect(fg.correlation.grid({ model: lmA, saes: [] }, b, data)).rejects.toThrow('at least one SAE');
    await expect(fg.correlation.grid(a, { model: lmB, saes: [{}] } as never, data)).rejects.toThrow(
      'saes[0] is no SAE',
    );
  });

  it('names SAEs by their hooks, or by themselves where two share one', () => {
    const [first, second] = [at(randomSae(1, 4), 0), at(randomSae(2, 4), 0)];
    expect(sideNames([first, at(second, 1)])).toEqual(['blocks.0.hook_mlp_out', 'blocks.1.hook_mlp_out']);
    expect(new Set(sideNames([first, second])).size).toBe(2);
  });
});
