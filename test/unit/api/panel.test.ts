import { describe, expect, it } from 'vitest';
import { matrix } from '#kernel/compute/matrix.js';
import type { LanguageModel } from '#kernel/models/types.js';
import type { Sae } from '#kernel/sae/types.js';
import type {
  InterventionsCard,
  InterventionsDescriptor,
  InterventionsGeneration,
  InterventionsHit,
  InterventionSpec,
  InterventionsResult,
} from '#protocol/interventions.js';
import { MIME } from '#protocol/mime.js';
import type { Json } from '#protocol/notebook.js';
import { labelWords } from '#protocol/tokens.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg, hook, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const prompt = '3 17 5 22 9 30 1';
const T = 7;
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });

/** Shows a panel; what it shows, and its handler as a view asks it. */
async function panel(options: object = {}) {
  world.context.shown.length = 0;
  await world.fg.interventions.panel(lmA, saeA, { prompt, tokens: 4, ...options });
  const lab = shownJson<InterventionsDescriptor>(world.context, MIME.interventions);
  const handler = world.context.views.get(lab.view)!;
  const ask = async <R>(method: string, params: object): Promise<R> =>
    (await handler(method, params as Json, new AbortController().signal)) as unknown as R;
  const run = async (current: Partial<InterventionSpec>): Promise<InterventionsResult['runs'][number]> => {
    const all = { feature: 8, kind: 'steer', value: 1, positions: 'all', ...current };
    return (await ask<InterventionsResult>('run', { prompt, interventions: [all] })).runs[0];
  };
  return { lab, ask, run };
}

/** What fires, dense [T, features], with the activation at the hook changed by hand. */
function byHand(model: LanguageModel, sae: Sae, change?: (x: Float32Array) => void) {
  const ids = model.tokenizer.encode(prompt);
  const clean = model.forward(ids, 1, { capture: [hook], stopAt: hook }).captured.get(hook)!;
  const x = (clean.dataSync() as Float32Array).slice();
  change?.(x);
  const rows = sae.encode(matrix(T, x.length / T, x));
  const dense = new Float64Array(T * sae.config.dSae);
  for (let t = 0; t < T; t++)
    for (let e = rows.indptr[t]; e < rows.indptr[t + 1]; e++)
      dense[t * sae.config.dSae + rows.indices[e]] = rows.values[e];
  return dense;
}

describe('fg.interventions.panel', () => {
  it('shows a panel whose first state is in the output, and answers under its id', async () => {
    const { lab, ask } = await panel({ feature: 8, value: 2 });
    expect(lab.snapshot.result.tokens).toHaveLength(T);
    expect(lab.snapshot.result.runs[0].intervention).toEqual({ feature: 8, kind: 'steer', value: 2, positions: 'all' });
    expect(lab.meta.sae).toEqual({ id: saeA.id, name: saeA.name, features: 24, hook });
    expect(await ask('hello', {})).toEqual({ id: lab.view });
    await expect(ask('nonsense', {})).rejects.toThrow(/no method "nonsense"/);
  });

  it('α = 0 and a factor of 1 change nothing, to the last bit', async () => {
    const { run } = await panel();
    for (const nothing of [
      { kind: 'steer', value: 0 },
      { kind: 'scale', value: 1 },
    ] as const) {
      const result = await run(nothing);
      expect([result.kl, result.next, result.features]).toEqual([0, [], []]);
      expect(result.after).toEqual(result.before);
    }
  });

  it('positions from the end are those from the front', async () => {
    const { run } = await panel();
    const { intervention: _, description: __, ...back } = await run({ value: 3, positions: [-3, -1] });
    const { intervention: ___, description: ____, ...front } = await run({ value: 3, positions: [4, 6] });
    expect(back).toEqual(front);
    expect(back.n).toBe(3);
    expect(back.features.length).toBeGreaterThan(0);
  });

  it('activations before and after are those that the SAE reads from the activation, changed by hand', async () => {
    const { run } = await panel();
    const F = saeA.config.dSae;
    const d = saeA.config.dIn;
    const before = byHand(lmA, saeA);
    const after = byHand(lmA, saeA, (x) => x.forEach((v, i) => (x[i] = v + 1.5 * saeA.W_dec.data[8 * d + (i % d)])));
    const result = await run({ value: 1.5 });
    for (let t = 0; t < T; t++) {
      expect(result.before[t]).toBeCloseTo(before[t * F + 8], 4);
      expect(result.after[t]).toBeCloseTo(after[t * F + 8], 4);
    }
    const mean = (dense: Float64Array, f: number) =>
      Array.from({ length: T }, (_, t) => dense[t * F + f]).reduce((s, v) => s + v, 0) / T;
    expect(result.n).toBe(T);
    const moved = Array.from({ length: F }, (_, f) => Math.abs(mean(after, f) - mean(before, f)));
    expect(result.features[0].feature).toBe(moved.indexOf(Math.max(...moved)));
    for (const { feature, before: b, after: a } of result.features) {
      expect(b).toBeCloseTo(mean(before, feature), 4);
      expect(a).toBeCloseTo(mean(after, feature), 4);
    }
  });

  it('next-token probabilities and their divergence are those of fg.interventions.compare', async () => {
    const { run } = await panel();
    const { fg } = world;
    const result = await run({ kind: 'clamp', value: 6, positions: [2, 6] });
    const clamp = fg.interventions.clamp(lmA, saeA, 8, { value: 6, positions: [2, 6] });
    const reference = await fg.interventions.compare(lmA, clamp, prompt, { tokens: 1, top: 1000 });
    let kl = 0;
    for (const { before, after } of reference.tokens!) kl += before * Math.log(before / after);
    expect(result.kl).toBeCloseTo(kl, 4);
    expect(result.kl).toBeGreaterThan(1e-4);
    expect(result.n).toBe(T - 2);
    result.next.forEach((token, i) => {
      expect(token.before).toBeCloseTo(reference.tokens![i].before, 5);
      expect(token.after).toBeCloseTo(reference.tokens![i].after, 5);
    });
  });

  it('texts are those of model.generate with the same seed', async () => {
    const { ask } = await panel();
    const sampling = { tokens: 6, temperature: 0.8, seed: 5 };
    const interventions = [
      { feature: 8, kind: 'steer', value: 9, positions: 'all' },
      { feature: 8, kind: 'ablate', value: 0, positions: 'last' },
    ];
    const made = await ask<InterventionsGeneration>('generate', { prompt, interventions, sampling });
    const { fg } = world;
    const push = fg.interventions.steerFeature(lmA, saeA, 8, { scale: 9 });
    expect(made.before).toBe(await lmA.generate(prompt, sampling));
    expect(made.after).toHaveLength(2);
    expect(made.after[0]).toBe(await lmA.generate(prompt, { ...sampling, edits: new Map([[push.hook, [push.edit]]]) }));
  });

  it('finds features by id and by the words of their labels, and shows their card', async () => {
    const activations = await world.fg.activations.save(lmA, saeA, data());
    const { ask, lab } = await panel({ activations });
    const labels = await world.fg.activations.labels(activations);
    const feature = labels.findIndex(({ tokens }) => tokens.length > 0);
    const word = labels[feature].tokens[0].token.trim();
    const found = await ask<InterventionsHit[]>('search', { text: ` ${word} `, prompt });
    expect(found.map((hit) => hit.feature)).toContain(feature);
    // A word that is a number is an id too, which comes first.
    for (const hit of found)
      expect(hit.feature === Number(word) || labelWords(hit.label).some((token) => token.includes(word))).toBe(true);
    expect((await ask<InterventionsHit[]>('search', { text: '#7', prompt }))[0].feature).toBe(7);
    expect(await ask('search', { text: 'zzz', prompt })).toEqual([]);
    expect(await ask('search', { text: '', prompt: '' })).toEqual([]);
    const card = await ask<InterventionsCard>('card', { feature, prompt });
    expect(card.max).toBeGreaterThanOrEqual(activations.statistics.max[feature]);
    expect(card.firingRate).toBeCloseTo(activations.statistics.firings[feature] / activations.meta.tokens, 12);
    expect(card.examples.length).toBeGreaterThan(0);
    expect(lab.meta.examples).toBe(true);
    const dead = await ask<InterventionsCard>('card', { feature: 0, prompt });
    expect([dead.max, dead.label, dead.examples]).toEqual([null, { tokens: [], peaks: [] }, []]);
  });

  it('lists features of SAEs downstream, with labels where their activations are given', async () => {
    const { fg } = world;
    const sibling = randomSae(13, 20, lmA.id);
    const activations = await fg.activations.save(lmA, sibling, data());
    const labels = await fg.activations.labels(activations);
    const bare = await panel({ downstream: [sibling] });
    const { lab, run } = await panel({ downstream: { sae: sibling, activations } });
    expect(lab.meta.downstream).toEqual([{ id: sibling.id, name: sibling.name, features: 20, hook }]);
    const change = { value: 6 };
    const moved = (await run(change)).features;
    const theirs = moved.filter(({ sae }) => sae === 1);
    expect(theirs.length).toBeGreaterThan(0);
    for (const { feature, label } of theirs) expect(label).toEqual(labels[feature]);
    expect(theirs.some(({ label }) => labelWords(label).length > 0)).toBe(true);
    expect((await bare.run(change)).features).toEqual(moved.map((d) => ({ ...d, label: [] })));
    const given = (downstream: object) => fg.interventions.panel(lmA, saeA, { prompt, downstream } as never);
    await expect(given({ sae: saeA, activations })).rejects.toThrow(/another SAE/);
    await expect(given({ sae: sibling })).rejects.toThrow(
      /downstream\.activations is missing; expected what fg.activations.save/,
    );
    await expect(given({ sae: sibling, activations, labels: [] })).rejects.toThrow(/no option "labels"/);
  });

  it('changes the counterpart in model B, and says where there is none', async () => {
    const { fg } = world;
    const a = await fg.activations.save(lmA, saeA, data());
    const map = await fg.correlation.map(a, await fg.activations.save(lmB, saeB, data()), { minFirings: 1 });
    const { run } = await panel({ second: { model: lmB, sae: saeB, map } });
    const feature = Array.from({ length: 24 }, (_, f) => f).find((f) => map.bestBofA[f * map.counterparts] >= 0)!;
    const { second } = await run({ feature, value: 2 });
    if (!second || 'missing' in second) throw new Error('no second');
    expect(second.effect.feature).toBe(map.bestBofA[feature * map.counterparts]);
    expect(second.effect.kl).toBeGreaterThan(0);
    expect((await run({ feature: 0 })).second).toEqual({
      missing: expect.stringContaining('no counterpart') as string,
    });
  });

  it('refuses what cannot be, by name', async () => {
    const { run, ask } = await panel();
    await expect(run({ feature: 24 })).rejects.toThrow(/feature 24 is outside/);
    await expect(run({ value: NaN })).rejects.toThrow(/NaN/);
    await expect(run({ positions: [T] })).rejects.toThrow(/position 7/);
    await expect(run({ positions: [] })).rejects.toThrow(/position/);
    await expect(run({ kind: 'burn' as never })).rejects.toThrow(/kind is "burn"; expected 'steer'/);
    const interventions = [{ feature: 8, kind: 'steer', value: 1, positions: 'all' }];
    await expect(ask('run', { prompt: '', interventions })).rejects.toThrow(/no tokens/);
    await expect(ask('run', { prompt: '1 '.repeat(500), interventions })).rejects.toThrow(/shorten it/);
    await expect(ask('run', { prompt, interventions: [] })).rejects.toThrow(/1 to 5 interventions/);
    const sampling = { tokens: 1000, temperature: 0, seed: 0 };
    await expect(ask('generate', { prompt, interventions, sampling })).rejects.toThrow(/1 to 200/);
    const { fg } = world;
    await expect(fg.interventions.panel(lmA, saeA, { prompt, promt: '' } as never)).rejects.toThrow(
      /no option "promt"/,
    );
    const pins = [{ feature: 8, kind: 'steer', vlaue: 1 }];
    await expect(fg.interventions.panel(lmA, saeA, { prompt, interventions: pins } as never)).rejects.toThrow(
      /interventions\[0\] has no option "vlaue"/,
    );
    await expect(fg.interventions.panel(lmA, saeB, { prompt })).rejects.toThrow(/another model/);
    const other = await fg.activations.save(lmB, saeB, data());
    await expect(fg.interventions.panel(lmA, saeA, { prompt, activations: other })).rejects.toThrow(/another SAE/);
  });
});
