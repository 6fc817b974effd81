/** Numbers of features in tables: every table says of which SAE they are, and the session names those it has met. */
import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import type { TableDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { labelWords } from '#protocol/tokens.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();

async function tableOf(value: unknown): Promise<TableDescriptor> {
  const items = await (value as { [DISPLAY](): OutputItem[] | Promise<OutputItem[]> })[DISPLAY]();
  return items.find(({ mime }) => mime === MIME.table)!.json as unknown as TableDescriptor;
}

const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const columns = (table: TableDescriptor) =>
  table.columns.filter(({ type }) => type === 'feature').map(({ key, sae }) => [key, sae]);

describe('features in tables', () => {
  it('are named by the store of their SAE: label, rate, and examples of the first', async () => {
    const { fg } = world;
    const store = await fg.activations.save(lmA, saeA, data());
    const table = await tableOf(await fg.activations.tokens(store, { features: [5, 7, 0] }));
    expect(columns(table)).toEqual([['feature', saeA.id]]);
    const { name, features } = table.saes![saeA.id];
    expect([name, Object.keys(features)]).toEqual([saeA.name, ['0', '5', '7']]);
    const labels = await fg.activations.labels(store);
    expect(labelWords(features[5].label)).toEqual(labels[5].tokens.map(({ token }) => token));
    expect(features[5].firings).toBe(store.statistics.firings[5]);
    expect(features[5].examples!.length).toBeGreaterThan(0);
    expect(features[0]).toMatchObject({ firings: 0, firingRate: 0 });
    expect(features[0].examples).toBeUndefined();
  });

  it('keep their names where a smaller sample of the same SAE is saved later, and take those of a larger one', async () => {
    const { fg } = world;
    const store = await fg.activations.save(lmA, saeA, data());
    const words = async () => {
      const { features } = (await tableOf(await fg.activations.tokens(store))).saes![saeA.id];
      return Object.fromEntries(Object.entries(features).map(([f, { label, firings }]) => [f, { label, firings }]));
    };
    const before = await words();
    const few = await fg.activations.save(lmA, saeA, fg.datasets.fromTexts(texts.slice(0, 2), { context: 10 }));
    expect([...few.statistics.firings]).not.toEqual([...store.statistics.firings]);
    expect(await words()).toEqual(before);
    const more = await fg.activations.save(lmA, saeA, fg.datasets.fromTexts([...texts, ...texts], { context: 10 }));
    const f = before[5];
    expect((await words())[5].firings).toBe(more.statistics.firings[5]);
    expect(more.statistics.firings[5]).toBeGreaterThan(f.firings);
  });

  it('say their SAE in pairs, effects, attribution and transfer, each side its own', async () => {
    const { fg } = world;
    const [a, b] = [await fg.activations.save(lmA, saeA, data()), await fg.activations.save(lmB, saeB, data())];
    const map = await fg.correlation.map(a, b, { minFirings: 1 });
    const pairs = await tableOf(await fg.correlation.associations(map));
    expect(columns(pairs)).toEqual([['A', saeA.id], ['B', saeB.id]]); // prettier-ignore
    expect(Object.keys(pairs.saes!).sort()).toEqual([saeA.id, saeB.id].sort());
    const hubs = await tableOf(await fg.correlation.hubs(map, { least: 2 }));
    expect(hubs.rows.length).toBeGreaterThan(0);
    expect(columns(hubs)).toEqual([['feature', { key: 'SAE identity' }]]);
    expect(hubs.columns.map(({ key }) => key)).not.toContain('SAE identity');
    const edit = fg.interventions.ablate(lmA, saeA, 5);
    const effects = await tableOf(await fg.interventions.effects(lmA, edit, saeA, data(), { allowOtherModel: true }));
    expect(effects.rows[0]['SAE identity']).toBe(saeA.id);
    expect(effects.saes![saeA.id].features).toHaveProperty(String(effects.rows[0].feature));
    const attributed = await fg.interventions.attribution(lmA, saeA, texts[0], { token: 4 }, { verify: 0 });
    expect(columns(await tableOf(attributed))).toEqual([['feature', saeA.id]]);
    const sides = [{ model: lmA, sae: saeA }, { model: lmB, sae: saeB }] as const; // prettier-ignore
    const moved = await fg.interventions.transfer(...sides, data(), map, { pairs: 3, samples: 2, nulls: 3 });
    expect(columns(await tableOf(moved))).toEqual([['feature of A', saeA.id], ['feature of B', saeB.id]]); // prettier-ignore
  });

  it('stay numbers where the session has met no store of their SAE', async () => {
    const { fg } = world;
    const attributed = await fg.interventions.attribution(lmA, saeA, texts[0], { token: 4 }, { verify: 0 });
    const table = await tableOf(attributed);
    expect(table.saes).toBeUndefined();
    expect(typeof table.rows[0].feature).toBe('number');
  });
});
