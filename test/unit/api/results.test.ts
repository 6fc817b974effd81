import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OutputItem } from '#protocol/notebook.js';
import type { TableDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import { DISPLAY } from '#kernel/present/items.js';
import { row } from '#kernel/compute/matrix.js';
import { correlate } from '#kernel/correlation/map.js';
import { evaluateSae } from '#kernel/sae/evaluate.js';
import { FakeHub } from '#test/kit/hub.js';
import { freshFg, hook, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const printed = (): string => world.context.printed.join('\n');
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const shown = (value: object): OutputItem[] => (value as { [DISPLAY](): OutputItem[] })[DISPLAY]();
const textOf = (value: object): string => [shown(value).find((i) => i.mime === MIME.text)?.text ?? []].flat().join('');
const cached = 'loaded from cache';

async function stores() {
  const { fg } = world;
  const text = data();
  return { a: await fg.activations.save(lmA, saeA, text), b: await fg.activations.save(lmB, saeB, text) };
}

describe('fg.activations', () => {
  it('saves once; the same call again loads and says so, fresh makes it again', async () => {
    const { fg, context } = world;
    const first = await fg.activations.save(lmA, saeA, data());
    expect(printed()).toContain(`× ${saeA.name}: ${first.meta.tokens} tokens`);
    expect(printed()).not.toContain(cached);
    const progress = context.progressed.filter((p) => p !== null);
    expect(progress.at(-1)).toMatchObject({ done: first.meta.tokens, total: first.meta.tokens, unit: 'tokens' });
    expect(context.progressed.at(-1)).toBeNull();

    context.progressed.length = 0;
    const again = await fg.activations.save(lmA, saeA, data());
    expect(again.id).toBe(first.id);
    expect(printed()).toMatch(/Activations of .*: loaded from cache \([0-9a-f]{8}\); \{ fresh: true \}/);
    expect(context.progressed).toEqual([null]);

    // The new folder is written beside the old one: another file.
    const file = () => fs.statSync(path.join(first.folder, 'artifact.json')).ino;
    const before = file();
    context.printed.length = 0;
    await fg.activations.save(lmA, saeA, data(), { fresh: true });
    expect(printed()).not.toContain(cached);
    expect(context.progressed.filter((p) => p?.unit === 'tokens').length).toBeGreaterThan(0);
    expect(file()).not.toBe(before);
    // The example model is untrained: its loss is above ln V, and that is said first.
    expect(context.printed[0]).toMatch(/^Warning: the mean loss of odd on this text is/);
    expect(textOf(again)).toBe(context.printed.at(-1));
  });

  it('refuses the SAE of another model, before any forward pass', async () => {
    await expect(world.fg.activations.save(lmB, saeA, data())).rejects.toThrow(lmA.id);
    expect(world.context.progressed).toEqual([null]);
    expect(await world.fg.artifacts.list()).toEqual([]);
  });

  it('interrupted stops, clears the progress line and leaves no artifact', async () => {
    const { fg, context } = world;
    const onProgress = (): void => context.interrupt();
    const run = fg.activations.save(lmA, saeA, data(), { batchTokens: 10, onProgress });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(context.progressed.at(-1)).toBeNull();
    expect((await fg.artifacts.list()).filter(({ kind }) => kind !== 'conformance')).toEqual([]);
    expect((await fg.activations.save(lmA, saeA, data())).meta.sequences).toBe(data().tokens(lmA).sequences);
  });

  it('finds examples once however often they are asked for; dead features have none', async () => {
    const { fg } = world;
    const { a } = await stores();
    const examples = await fg.activations.examples(a);
    expect(await fg.activations.examples(a)).toBe(examples);
    const labels = await fg.activations.labels(a);
    expect(labels.map(({ tokens }) => tokens.length === 0)).toEqual(Array.from(a.statistics.firings, (n) => n === 0));
    expect(labels[5].peaks).toEqual(examples[5].map((e) => e.tokens[e.peak]));
    const two = await fg.activations.examples(a, { features: [5], top: 2 });
    expect(two[5]).toEqual(examples[5].slice(0, 2));
    expect(two[6]).toEqual([]);
  });
});

describe('fg.correlation', () => {
  it('maps, loads the same map again, and computes it again when asked', async () => {
    const { fg } = world;
    const { a, b } = await stores();
    const map = await fg.correlation.map(a, b, { minFirings: 2 });
    const direct = await correlate(a, b, { minFirings: 2 });
    expect([map.bestAofB, map.rAofB, map.pairs]).toEqual([direct.bestAofB, direct.rAofB, direct.pairs]);
    expect([map.a, map.b]).toEqual([a, b]);
    expect(printed()).not.toContain('Correlation map');
    const again = await fg.correlation.map(a, b, { minFirings: 2 });
    expect(again.pairs).toEqual(map.pairs);
    expect(printed()).toContain(`Correlation map: ${cached}`);
    world.context.printed.length = 0;
    const fresh = await fg.correlation.map(a, b, { minFirings: 2, fresh: true });
    expect(printed()).not.toContain(cached);
    expect(fresh.id).toBe(map.id);
    expect(textOf(fresh)).toMatch(
      /^A .* ↔ B .*:\n\d+ pairs of \d+ features of A and \d+ of B, mean r .* over \d+ tokens\n\(Pearson r/,
    );
  });

  it('of stores over other tokens is refused, naming both', async () => {
    const { fg } = world;
    const a = await fg.activations.save(lmA, saeA, data());
    const b = await fg.activations.save(lmB, saeB, data().with({ samples: 5 }));
    await expect(fg.correlation.map(a, b)).rejects.toThrow(new RegExp(`${a.meta.tokenSet.id}.*${b.meta.tokenSet.id}`));
  });

  it('scores the decoder rows of the pairs, and refuses SAEs that the map was not made with', async () => {
    const { fg } = world;
    const { a, b } = await stores();
    const map = await fg.correlation.map(a, b, { minFirings: 2 });
    const scores = await fg.correlation.scores(saeA, saeB, map, {
      metrics: ['cka', 'rsa'],
      nulls: { runs: 5, seed: 3 },
    });
    expect(scores.map((s) => [s.metric, s.n, s.null.runs, s.seed])).toEqual([
      ['cka', map.pairs.r.length, 5, 3],
      ['rsa', map.pairs.r.length, 5, 3],
    ]);
    const [table] = shown(scores);
    expect((table.json as unknown as TableDescriptor).rows.map((r) => r.value)).toEqual(scores.map((s) => s.value));
    await expect(fg.correlation.scores(saeB, saeA, map)).rejects.toThrow("the map's side A was made with another SAE");
    const other = randomSae(99, 16, lmB.id);
    await expect(fg.correlation.scores(saeA, other, map)).rejects.toThrow(
      new RegExp(`side B.*${saeB.id}.*${other.id}`),
    );
  });

  it('shows the same-token score as a table beside its null', async () => {
    const { fg } = world;
    const { a, b } = await stores();
    const same = await fg.correlation.sameToken(await fg.correlation.map(a, b, { minFirings: 2 }), { nulls: 7 });
    expect(same.shared.null.runs).toBe(7);
    const table = shown(same)[0].json as unknown as TableDescriptor;
    expect(table.rows.map((r) => r.value)).toEqual([same.shared, same.jaccard, same.top, same.raw].map((s) => s.value));
  });
});

describe('fg.maps', () => {
  it('loads a layout again bit for bit, NaN rows included, and tells layouts of other rows and options apart', async () => {
    const { fg } = world;
    const rows = { ...saeA.decoder, data: saeA.decoder.data.slice() };
    rows.data[3] = NaN;
    const first = await fg.maps.pca(rows);
    const again = await fg.maps.pca(rows);
    expect(printed()).toContain(cached);
    expect(again).toEqual(first);
    expect(first.excluded).toBe(1);
    expect(textOf(first)).toContain('24 points, 1 left out (NaN)');
    const options = { seed: 1, nEpochs: 5, nNeighbors: 4 };
    const umap = await fg.maps.umap(saeA.decoder, options);
    expect(umap.coordinates).not.toEqual((await fg.maps.umap(saeA.decoder, { ...options, seed: 2 })).coordinates);
    world.context.printed.length = 0;
    expect(await fg.maps.umap(saeA.decoder, { ...options, fresh: true })).toEqual(umap);
    expect(printed()).toBe('');
    await expect(fg.maps.pca(fg.maps.pca(rows) as never)).rejects.toThrow('x is a promise');
  });
});

describe('fg.sae', () => {
  it('saves and loads relative to the notebook, and describes itself', async () => {
    const { fg, context } = world;
    const to = await fg.sae.save(saeA, 'saes/a');
    expect(to).toBe(path.join(context.notebookFolder, 'saes/a'));
    const loaded = await fg.sae.load('saes/a');
    expect(loaded.id).toBe(saeA.id);
    expect(textOf(loaded)).toBe(`${saeA.name}: standard, d_in 15 → 24 features, ${hook} of odd`);
    await expect(fg.sae.load('saes/b')).rejects.toThrow(path.join(context.notebookFolder, 'saes/b'));
  });

  it('loads from a repository on the hub: a folder, a file, or its root', async () => {
    const { fg, context } = world;
    const folder = await fg.sae.save(saeA, 'made');
    const read = (name: string) => ({ data: new Uint8Array(fs.readFileSync(path.join(folder, name))) });
    const files = { 'cfg.json': read('cfg.json'), 'sae_weights.safetensors': read('sae_weights.safetensors') };
    const hub = new FakeHub();
    await hub.start();
    try {
      const inFolder = Object.fromEntries(Object.entries(files).map(([name, file]) => [`layers/0/${name}`, file]));
      const repo = { type: 'model' as const, commit: 'a'.repeat(40), revisions: ['main'] };
      hub.repos = [
        { ...repo, id: 'someone/saes', files: inFolder },
        { ...repo, id: 'someone/one', files },
      ];
      const from = { endpoint: hub.endpoint, cacheFolder: 'cache' };
      for (const name of ['layers/0', 'layers/0/', 'layers/0/sae_weights.safetensors'])
        expect((await fg.sae.load(name, { ...from, repo: 'someone/saes' })).id).toBe(saeA.id);
      expect((await fg.sae.load('.', { ...from, repo: 'someone/one' })).id).toBe(saeA.id);
      expect(fs.existsSync(path.join(context.notebookFolder, 'cache'))).toBe(true);
      await expect(fg.sae.load('layers/1', { ...from, repo: 'someone/saes' })).rejects.toThrow(
        'lacks layers/1/sae_weights.safetensors',
      );
    } finally {
      await hub.stop();
    }
  });

  it('evaluates, shows the figures as a table, and refuses the SAE of another model', async () => {
    const { fg } = world;
    const text = data();
    const evaluation = await fg.sae.evaluate(lmA, saeA, text, { samples: 3 });
    const direct = await evaluateSae(lmA, saeA, text.tokens(lmA), { samples: 3 });
    expect({ ...evaluation }).toEqual(direct);
    const { rows, note } = shown(evaluation)[0].json as unknown as TableDescriptor;
    const figures = Object.fromEntries(rows.map((r) => [r.figure, r.value]));
    expect(figures).toMatchObject({ L0: direct.l0, 'CE loss (nats)': direct.ceClean, 'dead features': direct.dead });
    expect(note).toBe(`${direct.tokens} tokens, 3 sequences`);
    await expect(fg.sae.evaluate(lmB, saeA, text)).rejects.toThrow(lmB.id);
    expect((await fg.sae.evaluate(lmB, saeA, text, { samples: 1, allowOtherModel: true })).sequences).toBe(1);
  });
});

describe('fg.sae.logitLens', () => {
  it('lists the tokens of W_dec · W_U, best first', async () => {
    const lens = await world.fg.sae.logitLens(lmA, saeA, { top: 3 });
    expect(lens).toHaveLength(24);
    const unembed = lmA.parameters().get('transformer.wte.weight')!.dataSync();
    const d = lmA.config.dModel;
    for (const f of [0, 9, 23]) {
      const logits = Array.from({ length: lmA.config.vocab }, (_, t) =>
        row(saeA.W_dec, f).reduce((sum, w, j) => sum + w * unembed[t * d + j], 0),
      );
      const best = [...logits.keys()].sort((s, t) => logits[t] - logits[s]).slice(0, 3);
      expect(lens[f].map((p) => Number(p.token))).toEqual(best);
      lens[f].forEach((p, i) => expect(p.logit).toBeCloseTo(logits[best[i]], 4));
    }
  });

  it('refuses SAEs of another model, and of hooks whose directions are not the residual stream', async () => {
    const { fg } = world;
    await expect(fg.sae.logitLens(lmB, saeA)).rejects.toThrow(lmB.id);
    expect(await fg.sae.logitLens(lmB, saeA, { top: 1, allowOtherModel: true })).toHaveLength(24);
    const heads = { ...saeA, config: { ...saeA.config, hookName: 'blocks.0.attn.hook_z' } };
    await expect(fg.sae.logitLens(lmA, heads)).rejects.toThrow(/residual stream, but .* is of blocks\.0\.attn\.hook_z/);
  });
});

describe('options of a verb', () => {
  it('that a function does not have are refused instead of ignored, with those it has', async () => {
    const { fg } = world;
    const text = data();
    const wrong = { dSae: 64 } as never;
    await expect(fg.sae.train(lmA, text, wrong)).rejects.toThrow(
      /^fg\.sae\.train has no option "dSae"; it has hook, hookOut, ignoreTokens, architecture, features, expansion, l1Coefficient/,
    );
    const { a, b } = await stores();
    const map = await fg.correlation.map(a, b, { minFirings: 2 });
    const calls: Array<[string, () => unknown]> = [
      ['fg.sae.load', () => fg.sae.load('x', wrong)],
      ['fg.sae.evaluate', () => fg.sae.evaluate(lmA, saeA, text, wrong)],
      ['fg.sae.logitLens', () => fg.sae.logitLens(lmA, saeA, wrong)],
      ['fg.models.load', () => fg.models.load('x', wrong)],
      ['fg.datasets.load', () => fg.datasets.load('x', wrong)],
      ['fg.datasets.fromTexts', () => fg.datasets.fromTexts(texts, wrong)],
      ['fg.datasets.stories', () => fg.datasets.stories(wrong)],
      ['Dataset.with', () => text.with(wrong)],
      ['fg.activations.save', () => fg.activations.save(lmA, saeA, text, wrong)],
      ['fg.activations.examples', () => fg.activations.examples(a, wrong)],
      ['fg.correlation.map', () => fg.correlation.map(a, b, wrong)],
      ['fg.correlation.scores', () => fg.correlation.scores(saeA, saeB, map, wrong)],
      ['fg.correlation.sameToken', () => fg.correlation.sameToken(map, wrong)],
      ['fg.maps.pca', () => fg.maps.pca(saeA.decoder, wrong)],
      ['fg.maps.umap', () => fg.maps.umap(saeA.decoder, wrong)],
      ['fg.interventions.steer', () => fg.interventions.steer(lmA, hook, new Float32Array(15), wrong)],
      ['fg.interventions.steerFeature', () => fg.interventions.steerFeature(lmA, saeA, 1, wrong)],
      ['fg.interventions.compare', () => fg.interventions.compare(lmA, [], '3', wrong)],
      ['fg.interventions.effects', () => fg.interventions.effects(lmA, [], saeA, text, wrong)],
    ];
    for (const [name, call] of calls)
      await expect((async () => await call())(), name).rejects.toThrow(
        new RegExp(`^${name.replaceAll('.', '\\.')} has no option "dSae"( \\(did you mean "\\w+"\\?\\))?; it has `),
      );
    await expect(fg.maps.pca(saeA.decoder, 5 as never)).rejects.toThrow('options are an object such as');
  });
});

describe('fg', () => {
  it('lists and finds artifacts, says the device, and passes key figures on', async () => {
    const { fg, context } = world;
    const { a } = await stores();
    expect((await fg.artifacts.list()).map((r) => r.kind).sort()).toEqual([
      'activations',
      'activations',
      'conformance',
      'conformance',
    ]);
    expect((await fg.artifacts.find(a.id.slice(0, 8)))?.folder).toBe(a.folder);
    expect(path.dirname(a.folder)).toBe(fg.artifacts.folder());
    expect(await fg.artifacts.prune({ unusedDays: 0, kinds: ['sae'] })).toEqual([]);
    expect(fg.device.info().device).toBe('cpu');
    fg.keyFigure('L0', 3);
    fg.keyFigure('L0', 4);
    expect([...context.figures]).toEqual([['L0', '4']]);
  });

  it('steers, compares and measures effects in the running cell', async () => {
    const { fg, context } = world;
    const push = fg.interventions.steerFeature(lmA, saeA, 6, { scale: 5 });
    const effect = await fg.interventions.compare(lmA, push, '3 4', { tokens: 3 });
    expect(shown(effect).map((i) => i.mime)).toEqual([MIME.comparison, MIME.text]);
    const moved = await fg.interventions.effects(lmA, [push], saeA, data(), { samples: 2, top: 4 });
    expect((shown(moved)[0].json as unknown as TableDescriptor).title).toContain(push.description);
    expect(context.progressed.at(-1)).toBeNull();
    const other = fg.interventions.steer(lmA, hook, new Float32Array(15).fill(1), { scale: 1, name: 'ones' });
    expect(other.description).toContain('1 × ones');
    expect(() => fg.interventions.steerFeature(lmA, saeA, 6, undefined as never)).toThrow(
      'scale is missing; expected a finite number',
    );
    await expect(fg.interventions.compare(lmA, undefined as never, '3')).rejects.toThrow('interventions is undefined');
  });
});
