import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import type { MapDescriptor } from '#protocol/map.js';
import type { ChartDescriptor, TableDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { DISPLAY } from '#kernel/present/items.js';
import { normals } from '#test/kit/numbers.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';
import { tinySae } from '#test/kit/sae.js';

const world = freshFg();
const data = () => world.fg.datasets.fromTexts(texts, { context: 8 });
const push = () => world.fg.interventions.steerFeature(lmA, saeA, 5, { scale: 2 });
const shown = async (value: object): Promise<TableDescriptor> =>
  (await (value as { [DISPLAY]: () => OutputItem[] | Promise<OutputItem[]> })[DISPLAY]()).find(
    (i) => i.mime === MIME.table,
  )!.json as unknown as TableDescriptor;

const late = tinySae(
  'blocks.1.hook_resid_post',
  lmA.config.dModel,
  24,
  { applyBDecToInput: false, modelId: lmA.id },
  { next: normals(77), scale: { b_enc: 1, b_dec: 1 } },
);

describe('fg.interventions: effects', () => {
  it('are artifacts: the same call again loads them, to the same table', async () => {
    const { fg, context } = world;
    const options = { samples: 6, top: 5 };
    const first = await fg.interventions.effects(lmA, push(), [saeA, late], data(), options);
    // Random weights explain nothing, which is said; nothing else is.
    expect(context.printed.filter((text) => !text.startsWith('Warning: SAE'))).toEqual([]);
    const again = await fg.interventions.effects(lmA, push(), [saeA, late], data(), options);
    expect(context.printed.join()).toContain('Effects on features: loaded from cache');
    expect(again).toEqual(first);
    expect(await shown(again)).toEqual(await shown(first));
    expect((await shown(first)).note).toContain('Tests are paired over 6 sequences');
    expect((await shown(first)).columns.map((c) => c.title)).toContain('hook');
    // Another scale is another result.
    await fg.interventions.effects(
      lmA,
      fg.interventions.steerFeature(lmA, saeA, 5, { scale: 3 }),
      saeA,
      data(),
      options,
    );
    expect(context.printed.filter((text) => !text.startsWith('Warning: SAE'))).toHaveLength(1);
    expect((await fg.artifacts.list()).filter((a) => a.kind === 'effects')).toHaveLength(2);
  });

  it('take nulls with the sign-flip test alone, whose patterns they are', async () => {
    const { interventions } = world.fg;
    const call = (options: object) => interventions.effects(lmA, push(), saeA, data(), { samples: 2, ...options });
    for (const nulls of [9, { runs: 9 }, { seed: 1 }])
      await expect(call({ nulls })).rejects.toThrow("give test: 'signFlip' with them");
    expect((await call({ test: 'signFlip', nulls: 9 })).length).toBeGreaterThan(0);
  });

  it('of densities have one row per layer', async () => {
    const table = await shown(
      await world.fg.interventions.densities(lmA, push(), [saeA, late], data(), { samples: 5 }),
    );
    expect(table.rows.map((r) => r.hook)).toEqual(['blocks.0.hook_mlp_out', 'blocks.1.hook_resid_post']);
  });

  it('on logits print the null of random directions, and keep their arrays', async () => {
    const { fg } = world;
    const run = () =>
      fg.interventions.logitEffects(lmA, push(), ['3 4 5', '7 8'], { tokens: ['7', '9'], nulls: { runs: 4, seed: 1 } });
    const first = await run();
    expect(first.perToken.kl).toBeInstanceOf(Float64Array);
    const again = await run();
    expect(again).toEqual(first);
    expect(again.perToken.lossBefore[0]).toBeNaN();
    expect((await shown(first)).note).toMatch(
      /Σ Δ p of the chosen tokens .*beside random directions of the same norm \(drawn from n = \d+\): .*two-sided p = .*4 runs, seed 1; beside differences of two tokens' activations of the same norm \(drawn from n = \d+\): .*two-sided p = .*4 runs, seed 1; beside other decoder rows of the same norm .*4 runs, seed 1/,
    );
    const overText = await fg.interventions.logitEffects(lmA, push(), data(), { samples: 3, nulls: 0 });
    expect((await shown(overText)).note).toContain('nats over');
  });

  it('of several SAEs say what the tests of each are over', async () => {
    const { fg } = world;
    const both = [
      fg.interventions.steerFeature(lmA, saeA, 5, { scale: 2, positions: 'last' }),
      fg.interventions.steerFeature(lmA, late, 3, { scale: 2 }),
    ];
    const { note } = await shown(await fg.interventions.effects(lmA, both, [saeA, late], data(), { samples: 3 }));
    expect(note).toContain(`${saeA.config.hookName} (${saeA.name}): means over 3 tokens; 21 untouched`);
    expect(note).toContain(`${late.config.hookName} (${late.name}): means over 24 tokens.`);
  });

  it('of nothing say why', async () => {
    const none = await world.fg.interventions.effects(lmA, [], saeA, data(), { samples: 2 });
    expect(none).toEqual([]);
    expect((await shown(none)).note).toContain('no feature moved');
    const silent = await world.fg.interventions.logitEffects(lmA, [], data(), { samples: 2, nulls: 1 });
    expect((await shown(silent)).note).toContain('nothing was touched');
  });
});

describe('fg.interventions: effects on the map', () => {
  it('draw tokens before and after in one embedding with the null beside, from an artifact', async () => {
    const { fg, context } = world;
    const run = (seed = 0) =>
      fg.interventions.jointMap(lmA, push(), data(), {
        hook: 'blocks.1.hook_resid_post',
        samples: 4,
        nulls: 3,
        seed,
      });
    const map = await run();
    expect(await run()).toEqual(map);
    expect(context.printed.join()).toContain('Joint map: loaded from cache');
    expect((await run(1)).id).not.toBe(map.id);
    const own = await (map as unknown as { [DISPLAY]: () => Promise<OutputItem[]> })[DISPLAY]();
    await fg.show(map);
    expect(own).toEqual(context.shown[0]);
    const { meta, path: at } = context.shown[0].find((i) => i.mime === MIME.map)!.json as unknown as MapDescriptor;
    expect(meta.sets.map((s) => [s.name, s.points])).toEqual([
      ['Δ', 32],
      ['null', 32],
    ]);
    expect(meta.shift).toMatchObject({ unit: 'token', before: 'before', after: 'after' });
    expect(meta.shift!.note).toMatch(
      /32 tokens touched, 0 untouched left out.*random directions of the same norm .*3 runs.*differences of two tokens' activations .*3 runs/,
    );
    const file = await SafetensorsFile.open(path.join(context.outputFolder, at, 'columns.safetensors'));
    const column = async (name: string) => Array.from((await file.read(name)).data as Float32Array);
    expect(await column('0.x')).toEqual(await column('1.x'));
    expect(await column('0.x2')).toEqual(Array.from(map.token, (_, i) => map.after[2 * i]));
    expect(await column('1.y2')).toEqual(Array.from(map.token, (_, i) => map.nullAfter[2 * i + 1]));
    expect(await column('0.delta')).toEqual(Array.from(map.token, (t) => map.delta[t]));
    expect(await column('0.feature')).toEqual(Array.from(map.token));
    await file.close();
    await fg.show(map, { beside: false, title: 'alone' });
    const alone = context.shown[1].find((i) => i.mime === MIME.map)!.json as unknown as MapDescriptor;
    expect(alone.meta).toMatchObject({ title: 'alone', sets: [{ name: 'Δ' }] });
  });
});

describe('fg.interventions: attribution, transfer, circuits', () => {
  it('attribute a logit difference with the check against true ablation in the note', async () => {
    const { fg } = world;
    const run = () => fg.interventions.attribution(lmA, saeA, '3 4 5 6', { token: '7', minus: '8' }, { verify: 8 });
    const first = await run();
    expect(await run()).toEqual(first);
    expect(first.agreement!.n).toBeGreaterThan(1);
    const { note, title } = await shown(first);
    expect(title).toContain('logit of "7" − logit of "8" after token 3');
    expect(note).toMatch(/true ablation, half of it .*: Spearman .* n = \d+, one-sided p = .*999 shuffles, seed 0/);
    expect(note).toMatch(/over the drawn half alone.*: Spearman .* n = \d+, one-sided p = /);
    const overText = await fg.interventions.attribution(lmA, saeA, data(), 'loss', { samples: 2, verify: 0 });
    expect(overText.sequences).toBe(2);
  });

  it('transfer between two models through their correlation map', async () => {
    const { fg } = world;
    const [a, b] = [await fg.activations.save(lmA, saeA, data()), await fg.activations.save(lmB, saeB, data())];
    const map = await fg.correlation.map(a, b, { minFirings: 1, match: 'argmax' });
    const result = await fg.interventions.transfer({ model: lmA, sae: saeA }, { model: lmB, sae: saeB }, data(), map, {
      pairs: 6,
      nulls: 49,
      samples: 8,
    });
    expect(result.pairs).toHaveLength(6);
    expect((await shown(result)).note).toMatch(
      /Warning: features are watched at the hook that is changed.*transfer score \(mean cosine, encoded again at the same hook\) .*shuffled pairs: .*49 runs, seed 0/,
    );
  });

  it('draw shuffles by a seed of their own where one is given', async () => {
    const { interventions } = world.fg;
    const call = (options: object) =>
      interventions.attribution(lmA, saeA, '3 4 5 6', 'loss', { verify: 8, seed: 2, ...options });
    const [own, same, other] = [await call({}), await call({ nulls: { seed: 2 } }), await call({ nulls: { seed: 5 } })];
    expect([own, same, other].map(({ agreement }) => agreement!.seed)).toEqual([2, 2, 5]);
    expect(same.agreement).toEqual(own.agreement);
    // The features of the check are drawn by the other seed.
    expect(other.all.ablation).toEqual(own.all.ablation);
  });

  it('draw a circuit as a chart with its table', async () => {
    const { fg, context } = world;
    const found = await fg.interventions.circuit(lmA, saeA, late, '3 4 5 6', { targets: 3, sources: 4 });
    expect(found.edges).toHaveLength(12);
    await fg.show(found, { edges: 5 });
    const [chart, table] = context.shown;
    const { spec, vegaLite, title } = chart.find((i) => i.mime === MIME.chart)!.json as unknown as ChartDescriptor;
    expect(title).toBe('Circuit at token 3 of "3 4 5 6"');
    const layers = (vegaLite as unknown as { layer: Array<{ data: { values: unknown[] } }> }).layer;
    expect(layers[0].data.values).toHaveLength(5);
    expect(layers[1].data.values).toHaveLength(7);
    expect(JSON.stringify(spec)).toContain('verified');
    expect(table.some((i) => i.mime === MIME.table)).toBe(true);
    expect((await shown(found)).note).toContain(
      'All edges of the sources shown, which are those of largest attribution: Spearman',
    );
  });

  it('refuse misspelt options and what is no object, by name', async () => {
    const { interventions } = world.fg;
    const wrong = { wrong: 1 } as object;
    const calls: Array<[string, () => Promise<unknown>]> = [
      ['fg.interventions.effects', () => interventions.effects(lmA, push(), saeA, data(), wrong)],
      ['fg.interventions.densities', () => interventions.densities(lmA, push(), saeA, data(), wrong)],
      ['fg.interventions.logitEffects', () => interventions.logitEffects(lmA, push(), 'a', wrong)],
      ['fg.interventions.attribution', () => interventions.attribution(lmA, saeA, '3', 'loss', wrong)],
      ['fg.interventions.circuit', () => interventions.circuit(lmA, saeA, late, '3', wrong)],
    ];
    for (const [name, call] of calls) await expect(call()).rejects.toThrow(`${name} has no option "wrong"`);
    await expect(interventions.attribution(lmA, saeA, [3] as never, 'loss')).rejects.toThrow(
      'data[0] is 3; expected text',
    );
    await expect(interventions.circuit(lmA, saeA, late, 3 as never)).rejects.toThrow('prompt is number; expected text');
    await expect(interventions.effects(undefined as never, [], saeA, data())).rejects.toThrow('model is undefined');
    await expect(
      interventions.transfer({ model: lmA } as never, { model: lmB, sae: saeB }, data(), {} as never),
    ).rejects.toThrow('a.sae is undefined');
  });
});
