/** fg.show.feature: what its bundle holds, against what the rooms say of the same features. */
import path from 'node:path';
import { assert, describe, expect, it } from 'vitest';
import type { Json } from '#protocol/notebook.js';
import { editsOf } from '#kernel/interventions/intervention.js';
import { ablate } from '#kernel/interventions/clamp.js';
import { tokensOfStore } from '#kernel/interventions/storeTokens.js';
import { lossPerToken } from '#kernel/models/tokenLoss.js';
import { FEATURE_BUNDLE, isAblatedLoss, isAbout, type FeatureDescriptor } from '#protocol/feature.js';
import { MIME } from '#protocol/mime.js';
import { FeatureModel, type FeatureSource } from '#webviews/feature/model.js';
import { narrowed } from '#webviews/feature/contexts.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { diskFiles } from '#test/kit/bundleFiles.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();

async function stores() {
  const { fg } = world;
  const text = fg.datasets.fromTexts(texts, { context: 10 });
  return {
    a: await fg.activations.save(lmA, saeA, text),
    b: await fg.activations.save(lmB, saeB, text),
  };
}

function shownPage(): { descriptor: FeatureDescriptor; source: FeatureSource } {
  const descriptor = shownJson<FeatureDescriptor>(world.context, MIME.feature);
  const files = diskFiles(path.join(world.context.outputFolder, descriptor.path));
  return { descriptor, source: new BundleReader(FEATURE_BUNDLE, files, descriptor.path) };
}

describe('fg.show.feature', () => {
  it.each([
    [['cosine'], ['cosine of its counterpart']],
    [['pearson'], ['r of its counterpart']],
    [
      ['pearson', 'phi'],
      ['r, map 1', 'phi, map 2'],
    ],
  ] as const)(
    'calls the figures of its maps by their measure, in the orders of its features too: %s',
    async (by, labels) => {
      // prettier-ignore
      const { fg } = world;
      const { a, b } = await stores();
      const map = [];
      for (const one of by) map.push(await fg.correlation.map(a, b, { minFirings: 1, by: one }));
      await fg.show.feature(a, 5, { map });
      const model = await FeatureModel.load(shownPage().source, null);
      expect(model.orders.map(({ label }) => label).slice(4)).toEqual(labels);
    },
  );

  it('carries what the rooms say: contexts, histogram, tokens, lens, neighbors, company, counterparts, places', async () => {
    const { fg } = world;
    const { a, b } = await stores();
    const map = await fg.correlation.map(a, b, { minFirings: 1 });
    const layout = await fg.maps.pca(saeA.W_dec);
    const id = 5;
    await fg.show.feature(a, id, { sae: saeA, model: lmA, map, layouts: layout, notes: { 5: 'a note' } });
    const { descriptor, source } = shownPage();
    expect(descriptor.meta).toMatchObject({ feature: id, hook: a.meta.hook, lens: lmA.name, notes: { 5: 'a note' } });
    expect(descriptor.meta.sets.map(({ points }) => points)).toEqual([24, 16]);
    const columns = await source.columns(0);
    expect([...columns.firings]).toEqual([...a.statistics.firings]);
    expect(columns.mean[id]).toBeCloseTo(a.statistics.sum[id] / a.statistics.firings[id], 5);
    expect(columns.x[0][id]).toBeCloseTo(layout.coordinates[2 * id], 5);
    expect(columns.partner[0][id]).toBe(map.bestBofA[id * map.counterparts]);
    const about: unknown = await source.line('about', 0, id);
    assert(isAbout(about));
    expect(about.histogram.reduce((s, n) => s + n, 0)).toBe(a.statistics.firings[id]);
    const [tokens] = await fg.activations.tokens(a, { features: [id] });
    expect(about.tokens[0].token).toBe(tokens.tokens[0].token);
    expect(about.tokens[0].share).toBeCloseTo(tokens.tokens[0].share, 3);
    const cosine = (f: number) => {
      const d = saeA.W_dec.cols;
      const row = (i: number) => saeA.W_dec.data.subarray(i * d, (i + 1) * d);
      const dot = (x: Float32Array, y: Float32Array) => x.reduce((s, v, i) => s + v * y[i], 0);
      return dot(row(id), row(f)) / Math.sqrt(dot(row(id), row(id)) * dot(row(f), row(f)));
    };
    const others = Array.from({ length: 24 }, (_, f) => f).filter((f) => f !== id);
    const nearest = others.sort((f, g) => cosine(g) - cosine(f)).slice(0, 8);
    expect(about.nearest!.map(({ feature }) => feature)).toEqual(nearest);
    expect(about.promoted![0].logit).toBeGreaterThan(about.suppressed![0].logit);
    expect(about.counterparts[0].map(({ feature }) => feature)).toEqual(
      [...map.bestBofA.slice(id * map.counterparts, (id + 1) * map.counterparts)].filter((f) => f >= 0),
    );
    for (const { feature } of about.counterparts[0])
      expect((await source.examples(1, feature)).length).toBeGreaterThan(0);
    const examples = await source.examples(0, id);
    expect(examples[0].value).toBeCloseTo(a.statistics.max[id], 2);
    expect(examples.some(({ band }) => band?.from === 0 && band.firings === a.statistics.firings[id])).toBe(true);
  });

  it('is bounded: of features that it does not carry it has label and figures, and the session answers for the rest', async () => {
    const { fg, context } = world;
    const { a } = await stores();
    await fg.show.feature(a, 7, { carried: 4 });
    const { descriptor, source } = shownPage();
    const { carried } = await source.columns(0);
    expect(carried.reduce((s, n) => s + n, 0)).toBe(4);
    expect(carried[7]).toBe(1);
    const left = carried.findIndex((n, f) => n === 0 && a.statistics.firings[f] > 0);
    const handler = context.views.get(descriptor.meta.live)!;
    const alone = await FeatureModel.load(source, null);
    expect(await alone.known(left)).toBeNull();
    const live = await FeatureModel.load(source, {
      call: ({ method, params }) => handler(method, params, new AbortController().signal),
      state: () => Promise.resolve('idle'),
    });
    const known = await live.known(left);
    expect(known!.examples[0].value).toBeCloseTo(a.statistics.max[left], 2);
    await expect(handler('about', { feature: 24 }, new AbortController().signal)).rejects.toThrow('feature 24 does not exist'); // prettier-ignore
    await expect(handler('run', { feature: 1 }, new AbortController().signal)).rejects.toThrow('no method "run"');
  });

  it('goes through its features by every order and finds them by number and word; dead ones come last', async () => {
    const { fg } = world;
    const { a } = await stores();
    await fg.show.feature(a, 0);
    const model = await FeatureModel.load(shownPage().source, null);
    const { firings } = a.statistics;
    const byRate = model.orders.find(({ id }) => id === 'firings')!.features;
    byRate.forEach((f, i) => expect(firings[f]).toBeLessThanOrEqual(i === 0 ? Infinity : firings[byRate[i - 1]]));
    expect([...byRate.slice(-3)]).toEqual([0, 1, 2]);
    expect(model.find('#12', 5)).toEqual([12]);
    expect(model.find('#24', 5)).toEqual([]);
    const word = model.own.columns.labels[10][0].trim();
    expect(model.find(word, 24)).toContain(10);
    expect(model.find('7', 24)[0]).toBe(7);
    // A dead feature has a page all the same.
    expect((await model.known(0))?.examples).toEqual([]);
  });

  it('refuses what is no feature, and things of another SAE', async () => {
    const { fg } = world;
    const { a, b } = await stores();
    await expect(fg.show.feature(a, 24)).rejects.toThrow(/feature 24 does not exist: .* has features 0 to 23/);
    await expect(fg.show.feature(a, 1.5)).rejects.toThrow('feature is 1.5; expected a whole number of at least 0');
    await expect(fg.show.feature(a, 1, { sae: saeB })).rejects.toThrow('these activations are of another SAE');
    await expect(fg.show.feature(a, 1, { layouts: await fg.maps.pca(saeB.W_dec) })).rejects.toThrow(
      /a layout has 16 points but .* has 24 features/,
    );
    const map = await fg.correlation.map(b, b, { minFirings: 1 });
    await expect(fg.show.feature(a, 1, { map })).rejects.toThrow('the map was not made from these activations');
  });

  it('a context is narrow around its peak until it is opened', () => {
    const tokens = Array.from({ length: 40 }, (_, i) => String(i));
    const example = { sequence: 0, position: 20, value: 20, tokens, peak: 20, activations: tokens.map(Number) };
    const narrow = narrowed(example);
    expect(narrow.tokens[narrow.peak]).toBe('20');
    expect(narrow.activations[narrow.peak]).toBe(20);
    expect(narrow.tokens).toHaveLength(16);
  });
});

describe('the session behind a feature page', () => {
  const ask = (view: string, params: Json) =>
    world.context.views.get(view)!('ablate', params, new AbortController().signal);

  it('says what ablating a feature does to the loss, as two passes of the model over the same tokens say', async () => {
    const { a } = await stores();
    const { statistics } = a;
    const feature = statistics.firings.indexOf(statistics.firings.reduce((m, n) => Math.max(m, n), 0));
    await world.fg.show.feature(a, feature, { sae: saeA, model: lmA });
    const { meta } = shownPage().descriptor;
    expect(meta.ablates).toBe(true);
    const answer: unknown = await ask(meta.live, { feature });
    assert(isAblatedLoss(answer));
    const tokens = (await tokensOfStore(a, lmA.tokenizer))!;
    const sequences = Math.min(32, tokens.sequences);
    const mean = async (edits?: ReturnType<typeof editsOf>): Promise<number> => {
      const losses = await lossPerToken(lmA, tokens, { sequences, ...(edits && { edits }) });
      const known = losses.filter((_, i) => tokens.padding?.[Math.floor(i / (tokens.context - 1)) * tokens.context + (i % (tokens.context - 1)) + 1] !== 1); // prettier-ignore
      expect(known).toHaveLength(answer.n);
      return known.reduce((sum, loss) => sum + loss, 0) / known.length;
    };
    expect(answer.sequences).toBe(sequences);
    expect(answer.before).toBeCloseTo(await mean(), 5);
    expect(answer.after).toBeCloseTo(await mean(editsOf([ablate(lmA, saeA, feature)])), 5);
    expect(answer.after).not.toBe(answer.before);
    expect(answer.p).toBeGreaterThan(0);
    await expect(ask(meta.live, { feature: 24 })).rejects.toThrow('feature 24 does not exist');
  });

  it('cannot ablate without SAE and model, and says so', async () => {
    const { a } = await stores();
    await world.fg.show.feature(a, 5);
    const { meta } = shownPage().descriptor;
    expect(meta.ablates).toBeUndefined();
    await expect(ask(meta.live, { feature: 5 })).rejects.toThrow('needs { sae, model }');
    expect(isAblatedLoss({ before: 1, after: null })).toBe(false);
  });
});
