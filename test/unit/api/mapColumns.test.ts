/** Columns that fg.show adds to maps: colours and columns of a table, such as the stability of features over seeds. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import type { PointColumns } from '#kernel/maps/pointColumns.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();

async function maps() {
  const { fg } = world;
  const text = fg.datasets.fromTexts(texts, { context: 10 });
  const a = await fg.activations.save(lmA, saeA, text);
  const b = await fg.activations.save(lmB, saeB, text);
  const map = await fg.correlation.map(a, b, { minFirings: 3 });
  return { a, map, layouts: [await fg.maps.pca(saeA.decoder), await fg.maps.pca(saeB.decoder)] as const };
}

async function written(): Promise<{ meta: MapDescriptor['meta']; id: string; column(name: string): Promise<unknown> }> {
  const { meta, id, path: folder } = shownJson<MapDescriptor>(world.context, MIME.map);
  const column = async (name: string) => {
    const file = await SafetensorsFile.open(path.join(world.context.outputFolder, folder, 'columns.safetensors'));
    try {
      return (await file.read(name)).data;
    } finally {
      await file.close();
    }
  };
  world.context.shown.length = 0;
  return { meta, id, column };
}

describe('columns added to maps', () => {
  it('of stability over seeds lie in the bundle, value by value, of the side that they were given for', async () => {
    const { fg } = world;
    const { map, layouts } = await maps();
    const [a, b] = await Promise.all(
      [saeA, saeB].map((sae, s) =>
        fg.correlation.stability([sae, randomSae(50 + s, sae.decoder.rows)], {
          least: 0.6,
          nulls: 1,
        }),
      ),
    );
    expect(a.columns.subspace.some((v) => Number.isNaN(v))).toBe(true);
    await fg.show([...layouts], { map, columns: [a.columns, b.columns] });
    const { meta, column } = await written();
    const names = ['stability', 'best', 'subspace'] as const;
    for (const [s, of] of [a, b].entries()) {
      expect(meta.sets[s].columns).toEqual(names.map((name) => ({ name })));
      for (const [k, name] of names.entries()) expect(await column(`${s}.column.${k}`)).toEqual(of.columns[name]);
    }
    await fg.show([...layouts], { map, columns: a.columns });
    expect((await written()).meta.sets.map(({ columns }) => columns?.length)).toEqual([3, undefined]);
  });

  it('of texts are classes, of any picture of features; they change its id, and none leave it as it was', async () => {
    const { fg } = world;
    const { a, layouts } = await maps();
    const ids: string[] = [];
    const kinds = Array.from({ length: 24 }, (_, f) => ['verb', 'noun', ''][f % 3]);
    const given: Array<PointColumns | undefined> = [undefined, {}, { kind: kinds }, { kind: [...kinds].reverse() }];
    for (const columns of given) {
      await fg.show(layouts[0], { activations: a, columns });
      ids.push((await written()).id);
    }
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
    await fg.show(saeA, { columns: { kind: kinds } });
    const { meta, column } = await written();
    expect(meta.sets[0].columns).toEqual([{ name: 'kind', classes: ['noun', 'verb'] }]);
    expect(await column('0.column.0')).toEqual(Float32Array.from(kinds, (kind) => ['noun', 'verb'].indexOf(kind)).map((c) => (c < 0 ? NaN : c))); // prettier-ignore
  });

  it('of another size, or of a map that there is not, are refused', async () => {
    const { fg } = world;
    const { map, layouts } = await maps();
    const show = (columns: unknown) => fg.show([...layouts], { map, columns: columns as never });
    await expect(show({ age: [1, 2] })).rejects.toThrow('column "age" has 2 values but map A has 24 points');
    await expect(show([{}, { age: [1, 2] }])).rejects.toThrow('column "age" has 2 values but map B has 16 points');
    await expect(show({ age: 7 })).rejects.toThrow('column "age" must be an array with one value per point');
    await expect(show([{}, {}, {}])).rejects.toThrow('columns has 3 objects but the picture has two maps');
  });
});
