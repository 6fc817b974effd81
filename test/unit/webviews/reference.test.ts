/** Maps in the reference tool's JSON: opened as they stand, written back the same; what is none is refused in words. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAP_BUNDLE, type MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { readReferenceMap, type ReferenceMap } from '#protocol/referenceMap.js';
import { computeLit, groupCounts, NO_FILTERS } from '#webviews/map/filter.js';
import { loadModel, type MapModel } from '#webviews/map/model.js';
import { referenceOf } from '#webviews/map/reference.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg } from '#test/kit/fg.js';
import { shared } from '#test/kit/samples.js';

const world = freshFg();

/** The shape of the tool's own files: r on B's points alone, several points of B may name one of A. */
function sample(n = 40): ReferenceMap {
  const point = (id: number, mapped: number, r?: number) => ({
    ...{ feature_id: id, x: Math.fround(Math.sin(id)), y: Math.fround(Math.cos(id / 3)) },
    ...{ label: id % 7 === 0 ? '' : `word${id}, king, “.”`, mapped_feature_id: mapped },
    ...(r !== undefined && { corr_to_mapped: r }),
  });
  const a = Array.from({ length: n }, (_, i) => point(3 * i + 1, 5 * i + 2));
  // The last two of B name the same feature of A; it names one of them back.
  const b = Array.from({ length: n }, (_, i) => point(5 * i + 2, 3 * Math.min(i, n - 2) + 1, Math.fround(1 - i / n)));
  return {
    meta: { description: 'Cross-model UMAP', metrics: { mapping_method: 'greedy', nested: { kept: [1, null] } } },
    semantic_groups: [
      { id: 'royal', name: 'Royalty', feature_ids_a: [1, 4, 7], feature_ids_b: [2] },
      { id: 'none', name: 'Nobody', feature_ids_a: [], feature_ids_b: [999] },
    ],
    model_a: { name: 'pythia-70m', sae_name: 'sae-32k', layer: 2, points: a },
    model_b: { name: 'pythia-160m', sae_name: 'sae-32k', layer: 3, points: b },
  };
}

async function opened(x: string | object): Promise<MapModel> {
  await world.fg.show.map(x);
  const { path: folder } = shownJson<MapDescriptor>(world.context, MIME.map);
  const read = (file: string) => {
    const place = path.join(world.context.outputFolder, folder, file);
    return Promise.resolve(fs.existsSync(place) ? new Uint8Array(fs.readFileSync(place)) : null);
  };
  const files = { read: async (file: string, from = 0, to?: number) => (await read(file))?.slice(from, to) ?? null };
  return loadModel(new BundleReader(MAP_BUNDLE, files, folder) as never);
}

describe('a map of the reference tool', () => {
  test('opens as it stands: points, counterparts both ways, r, labels, groups by feature; and is written back the same', async () => {
    const given = sample();
    const file = path.join(world.context.notebookFolder, 'their-map.json');
    fs.writeFileSync(file, JSON.stringify(given));
    const model = await opened('their-map.json');
    const [a, b] = model.sets;
    expect([a.n, b.n]).toEqual([40, 40]);
    expect(a.meta.title).toBe('pythia-70m · sae-32k · layer 2');
    expect(Array.from(b.partner)).toEqual(Array.from({ length: 40 }, (_, i) => Math.min(i, 38)));
    // A says no r of its own: it is that of the feature that names it back.
    expect(Array.from(a.r).slice(0, 3)).toEqual([1, Math.fround(1 - 1 / 40), Math.fround(1 - 2 / 40)]);
    expect(a.r[39]).toBeNaN();
    expect(groupCounts(model)).toEqual([[3, 1], [0, 0]]); // prettier-ignore
    const lit = computeLit(model, { ...NO_FILTERS, group: 'Royalty' });
    expect(lit.hits).toEqual([3, 1]);
    expect(model.meta.pairing).toMatchObject({ method: 'greedy', pairs: 40 });
    expect(referenceOf(model)).toEqual(given);
    expect(referenceOf(await opened(given))).toEqual(given);
  });

  const real = path.join(shared, 'pythia-feature-map.json');
  test.skipIf(!fs.existsSync(real))(
    'the tool’s own file of 1,200 features a side comes back value by value',
    async () => {
      const given = JSON.parse(fs.readFileSync(real, 'utf8')) as ReferenceMap;
      const model = await opened(real);
      expect(referenceOf(model)).toEqual(given);
      expect(groupCounts(model)[0]).toEqual([101, 42]);
    },
  );

  test.each([
    [{}, 'is no feature map'],
    [{ ...sample(), model_a: { name: 'x', points: [] } }, 'model_a.points is a list of 0; expected a list of 1'],
    [{ ...sample(), model_b: { ...sample().model_b, points: [{ feature_id: -1, x: 0, y: 0, label: '' }] } }, 'points[0].feature_id is -1'],
    [{ ...sample(), model_b: { ...sample().model_b, points: [{ feature_id: 1, x: null, y: 0, label: '' }] } }, 'points[0].x is null; expected a number'],
    [{ ...sample(), model_a: { ...sample().model_a, points: [sample().model_a.points[0], sample().model_a.points[0]] } }, 'names a feature twice'],
    [{ ...sample(), semantic_groups: [{ id: 'a', name: 'b', feature_ids_a: ['1'], feature_ids_b: [] }] }, 'semantic_groups[0].feature_ids_a'],
  ])('what is none is refused: %#', (json, said) => {
    expect(() => readReferenceMap(json, 'x.json')).toThrow(said);
  }); // prettier-ignore
});
