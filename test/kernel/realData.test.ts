/** The road on text and SAEs as they are published: samples of ours, and what nobody here wrote, where it is. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { crossKnn } from '#kernel/compute/knn.js';
import { initDevice } from '#kernel/compute/device.js';
import { row } from '#kernel/compute/matrix.js';
import type { TableDescriptor } from '#protocol/display.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { loadSae } from '#kernel/sae/load.js';
import { trustworthiness } from '#kernel/maps/trustworthiness.js';
import { matrix } from '#kernel/compute/matrix.js';
import { collectingContext, shownJson, type CollectedContext } from '#test/kit/context.js';
import { CHECKPOINTS, shared, STORIES } from '#test/kit/samples.js';

const root = path.resolve(import.meta.dirname, '../..');
const models = path.join(root, 'examples/models');

let context: CollectedContext;
afterEach(() => context?.remove());
beforeAll(async () => void (await initDevice({ device: 'cpu' })));

const TEXTS = [
  { name: 'own stories', file: STORIES },
  { name: 'the TinyStories sample', file: path.join(shared, 'tinystories-sample.txt') },
].map((text) => ({ ...text, there: existsSync(text.file) }));
for (const { file, there } of TEXTS) if (!there) console.warn(`skipped: no ${file}`);

describe.each(TEXTS)('the road on $name', ({ file, there }) => {
  it.skipIf(!there)(
    'runs from end to end: SAEs, activations, correlation, scores, maps, examples, steering',
    async () => {
      context = collectingContext(root);
      const fg = await createFg(context);
      const lmA = await fg.models.load(path.join(models, 'tiny-stories-1L'));
      const lmB = await fg.models.load(path.join(models, 'tiny-stories-2L'));
      const text = await fg.datasets.load(file, {
        context: 64,
        splitAt: 'blank-lines',
      });
      expect(text.texts.length).toBeGreaterThan(50);
      const hook = 'blocks.0.hook_mlp_out';
      const common = { hook, features: 256, steps: 150, trainBatchSizeTokens: 1024, lr: 2e-3, seed: 1 };
      const saeA = await fg.sae.train(lmA, text, { ...common, architecture: 'topk', k: 12 });
      const saeB = await fg.sae.train(lmB, text, {
        ...common,
        architecture: 'standard',
        l1Coefficient: 1,
        normalizeActivations: 'expected_average_only_in',
      });
      const actsA = await fg.activations.save(lmA, saeA, text);
      const actsB = await fg.activations.save(lmB, saeB, text);
      expect(actsA.meta.tokens).toBe(actsB.meta.tokens);
      expect(actsA.meta.nonZeros / actsA.meta.tokens).toBeLessThanOrEqual(12);

      const map = await fg.correlation.map(actsA, actsB, { counterparts: 3, minFirings: 10, match: 'mutual' });
      expect(map.pairs.r.length).toBeGreaterThan(10);
      for (const r of map.pairs.r) expect(Math.abs(r)).toBeLessThanOrEqual(1);
      actsA.statistics.firings.forEach((firings, f) => {
        if (firings < 10) expect(map.bestBofA[3 * f]).toBe(-1);
      });
      const scores = await fg.correlation.scores(saeA, saeB, map, { nulls: 20 });
      expect(scores.map((s) => s.metric)).toEqual(['svcca', 'cca', 'rsa', 'cka']);
      for (const s of scores) expect(s.n).toBe(map.pairs.r.length);

      await fg.show([await fg.maps.pca(saeA.decoder), await fg.maps.umap(saeB.decoder, { nEpochs: 50 })], { map });
      const descriptor = shownJson<MapDescriptor>(context, MIME.map);
      expect(existsSync(path.join(context.outputFolder, descriptor.path, 'columns.safetensors'))).toBe(true);
      const lines = readFileSync(path.join(context.outputFolder, descriptor.path, '0.examples.jsonl'), 'utf8')
        .trim()
        .split('\n');
      expect(lines).toHaveLength(256);
      const [first] = lines.map((line) => JSON.parse(line) as unknown[]).filter((list) => list.length > 0);
      expect(first[0]).toHaveProperty('tokens');

      const same = await fg.correlation.sameToken(map, { nulls: 50 });
      expect(same.shared.value).toBeGreaterThan(same.shared.null.mean);
      const push = fg.interventions.steerFeature(lmA, saeA, map.pairs.a[0], { scale: 8 });
      const effect = await fg.interventions.compare(lmA, push, 'One day, a little girl', { tokens: 8 });
      expect(effect.tokens![0].before).not.toBe(effect.tokens![0].after);

      // The same calls again load what is there.
      const before = context.printed.length;
      const again = await fg.sae.train(lmA, text, { ...common, architecture: 'topk', k: 12 });
      expect(again.id).toBe(saeA.id);
      expect(context.printed.slice(before).join('\n')).toContain('loaded from cache');
      await fg.show([{ a: 1 }], { title: 'one' });
      const tables = context.shown.flat().filter(({ mime }) => mime === MIME.table);
      expect((tables.at(-1)?.json as TableDescriptor | undefined)?.rows).toEqual([{ a: 1 }]);
    },
  );

  it.skipIf(!there)('refuses an SAE on another model and activations of other tokens, naming both', async () => {
    context = collectingContext(root);
    const fg = await createFg(context);
    const lmA = await fg.models.load(path.join(models, 'tiny-stories-1L'));
    const lmB = await fg.models.load(path.join(models, 'tiny-stories-2L'));
    const text = await fg.datasets.load(file, { context: 32, samples: 64 });
    const other = text.with({ samples: 65 });
    const sae = await fg.sae.train(lmA, text, {
      hook: 'blocks.0.hook_mlp_out',
      features: 64,
      steps: 5,
      trainBatchSizeTokens: 256,
      architecture: 'topk',
      k: 4,
    });
    await expect(fg.activations.save(lmB, sae, text)).rejects.toThrow(/tiny-stories-2L/);
    const a = await fg.activations.save(lmA, sae, text);
    const b = await fg.activations.save(lmA, sae, other);
    await expect(fg.correlation.map(a, b)).rejects.toThrow(b.meta.tokenSet.id.slice(0, 8));
  });
});

describe.each(CHECKPOINTS)('$name', ({ folder, there, small: few, large: many, d }) => {
  it.skipIf(!there)(
    'are mapped at two widths: PCA, UMAP, and the nearest feature of the wide one for each of the narrow',
    async () => {
      context = collectingContext();
      const small = await loadSae(path.join(folder, `sae_${few}_4.pt`));
      const large = await loadSae(path.join(folder, `sae_${many}_4.pt`));
      expect([small.config.dSae, large.config.dSae, large.config.dIn, large.config.k]).toEqual([few, many, d, 4]);
      const fg = await createFg(context);
      const pca = await fg.maps.pca(large.decoder);
      expect(pca.explainedVarianceRatio![0]).toBeGreaterThan(pca.explainedVarianceRatio![1]);
      const umap = await fg.maps.umap(large.decoder, { metric: 'cosine', seed: 0 });
      expect(umap.excluded).toBe(0);
      const trust = await trustworthiness(large.decoder, matrix(many, 2, umap.coordinates), {
        k: 10,
        metric: 'cosine',
      });
      const trustPca = await trustworthiness(large.decoder, matrix(many, 2, pca.coordinates), {
        k: 10,
        metric: 'cosine',
      });
      expect(trust).toBeGreaterThan(trustPca + 0.05);

      const nearest = await crossKnn(small.decoder, large.decoder, 1, { metric: 'cosine' });
      const cosine = (f: number, g: number): number => {
        const [a, b] = [row(small.decoder, f), row(large.decoder, g)];
        return a.reduce((s, x, i) => s + x * b[i], 0) / (Math.hypot(...a) * Math.hypot(...b));
      };
      for (let f = 0; f < few; f++) {
        let best = 0;
        for (let g = 1; g < many; g++) if (cosine(f, g) > cosine(f, best)) best = g;
        expect(nearest.indices[f]).toBe(best);
        expect(nearest.distances[f]).toBeCloseTo(1 - cosine(f, best), 5);
      }
    },
  );

  it.skipIf(!there)(
    'split from the narrow to the wide one, the trained ones far more than turned at random',
    async () => {
      context = collectingContext();
      const fg = await createFg(context, { device: 'cpu' });
      const small = await fg.sae.load(path.join(folder, `sae_${few}_4.pt`));
      const large = await fg.sae.load(path.join(folder, `sae_${many}_4.pt`));
      const found = await fg.correlation.splitting(small, large, { nulls: 19 });
      const [coverage, nearest] = found.scores;
      for (const score of folder.startsWith(shared) ? [coverage, nearest] : []) {
        expect(score.p).toBe(1 / 20);
        expect(score.value).toBeGreaterThan(score.null.max);
      }
      // Every child is listed with the one parent that it has, and the parents together hold them all.
      const children = found.parents.flatMap((p) => p.children.map(({ child }) => [child, p.parent]));
      expect(children.length).toBe(found.parentOf.filter((p) => p >= 0).length);
      for (const [child, parent] of children) expect(found.parentOf[child]).toBe(parent);
      if (folder.startsWith(shared)) expect(children.length).toBeGreaterThan(few / 4);
    },
  );
});
