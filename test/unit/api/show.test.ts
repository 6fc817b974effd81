import fs from 'node:fs';
import path from 'node:path';
import { crc32, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { thumbnail } from '#kernel/present/thumbnail.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import type { BundleSet } from '#kernel/maps/bundle.js';
import type { FeatureCards, TableDescriptor } from '#protocol/display.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { labelWords } from '#protocol/tokens.js';
import { collectingContext, shownJson } from '#test/kit/context.js';
import { freshFg, lmA, lmB, saeA, saeB, texts, type World, randomSae } from '#test/kit/fg.js';
import { testFolder } from '#test/kit/folder.js';

const world = freshFg();

async function mapped({ fg }: Pick<World, 'fg'>) {
  const text = fg.datasets.fromTexts(texts, { context: 10 });
  const a = await fg.activations.save(lmA, saeA, text);
  const b = await fg.activations.save(lmB, saeB, text);
  const map = await fg.correlation.map(a, b, { minFirings: 3, counterparts: 2 });
  return { a, b, map, layoutA: await fg.maps.pca(saeA.decoder), layoutB: await fg.maps.pca(saeB.decoder) };
}

describe('maps in cells', () => {
  it('link the pairs of the map and nothing else, each feature with the partner of its best pair; -1 and NaN for none', async () => {
    const { fg, context } = world;
    const { map, layoutA, layoutB, a } = await mapped(world);
    await fg.show([layoutA, layoutB], { map, title: 'Twins', groups: { royalty: ['king'] } });
    const descriptor = shownJson<MapDescriptor>(context, MIME.map);
    const file = await SafetensorsFile.open(path.join(context.outputFolder, descriptor.path, 'columns.safetensors'));
    const column = async (name: string) => (await file.read(name)).data;
    const [partnerA, partnerB] = [await column('0.partner'), await column('1.partner')];
    const [rA, rB] = [await column('0.r'), await column('1.r')];
    const { sets } = descriptor.meta;
    const others = await Promise.all(sets.map(async ({ others: n = 0 }, s) => Promise.all(Array.from({ length: n }, async (_, k) => [await column(`${s}.other.${k}`), await column(`${s}.otherR.${k}`)])))); // prettier-ignore
    await file.close();
    // One to many: with the partner each feature has what the map lists of it, which is two here.
    const lists = [
      { best: map.bestBofA, r: map.rBofA, partner: partnerA },
      { best: map.bestAofB, r: map.rAofB, partner: partnerB },
    ];
    for (const [s, { best, r, partner }] of lists.entries())
      for (let i = 0; i < partner.length; i++) {
        const listed = [0, 1].map((k) => [best[2 * i + k], r[2 * i + k]]).filter(([p]) => p >= 0 && p !== partner[i]);
        const found = others[s].map(([p, value]) => [Number(p[i]), Number(value[i])]).filter(([p]) => p >= 0);
        expect(found).toEqual(listed.slice(0, partner[i] < 0 ? 2 : 1));
      }
    expect(others[0].some(([p]) => (p as Int32Array).some((f) => f >= 0))).toBe(true);
    // Every B has one pair here, with its best A; an A has the pairs of the Bs that chose it.
    expect(partnerB).toEqual(Int32Array.from({ length: 16 }, (_, i) => map.bestAofB[2 * i]));
    expect(rB).toEqual(Float32Array.from({ length: 16 }, (_, i) => map.rAofB[2 * i]));
    const { pairs } = map;
    const own = (f: number) => [...pairs.a.keys()].filter((i) => pairs.a[i] === f);
    const best = Array.from({ length: 24 }, (_, f) => own(f).sort((i, j) => pairs.r[j] - pairs.r[i])[0]);
    expect(partnerA).toEqual(Int32Array.from(best, (i) => pairs.b[i] ?? -1));
    expect(rA).toEqual(Float32Array.from(best, (i) => pairs.r[i] ?? NaN));
    // Three features of A and one of B never fire.
    for (const f of [0, 1, 2]) expect([partnerA[f], rA[f]]).toEqual([-1, NaN]);
    expect([partnerB[0], rB[0]]).toEqual([-1, NaN]);
    expect(Array.from(partnerA as Int32Array).filter((p) => p >= 0).length).toBe(new Set(pairs.a).size);
    const { r } = map.pairs;
    expect(descriptor.meta).toEqual({
      version: 1,
      title: 'Twins',
      sets: [
        {
          name: 'A',
          title: saeA.name,
          points: 24,
          dead: a.statistics.firings.filter((n) => n === 0).length,
          layout: layoutA.description,
          others: others[0].length,
          width: saeA.decoder.cols,
          sae: { id: saeA.id, name: saeA.name },
        },
        expect.objectContaining({
          ...{ name: 'B', title: saeB.name, points: 16, layout: layoutB.description, width: saeB.decoder.cols },
          sae: { id: saeB.id, name: saeB.name },
        }),
      ],
      pairing: {
        method: map.method,
        pairs: r.length,
        tokens: map.tokens,
        meanR: r.reduce((s, x) => s + x, 0) / r.length,
      },
      groups: [{ name: 'royalty', words: ['king'] }],
    });
    expect(context.shown.at(-1)!.map((i) => i.mime)).toEqual([MIME.map, MIME.png, MIME.text]);
  });

  it('lie beside the saved notebook, at a relative path inside its folder, wherever artifacts are kept', async () => {
    const elsewhere = testFolder('artifacts');
    const context = collectingContext(undefined, { artifactFolder: elsewhere });
    try {
      const fg = await createFg(context);
      const { layoutA, layoutB, map, a } = await mapped({ fg });
      await fg.show([layoutA, layoutB], { map });
      await fg.show(layoutA, { activations: a });
      const paths = context.shown
        .flat()
        .flatMap((i) => (i.mime === MIME.map ? [(i.json as unknown as MapDescriptor).path] : []));
      expect(paths).toHaveLength(2);
      for (const relative of paths) {
        expect(relative).toMatch(/^\.fgnb\/map-[0-9a-f]{16}$/);
        expect(fs.existsSync(path.join(context.outputFolder, relative, 'map.json'))).toBe(true);
      }
      expect(fs.readdirSync(elsewhere).filter((name) => name.startsWith('map-'))).toEqual([]);
      expect(fs.readdirSync(path.join(context.outputFolder, '.fgnb')).sort()).toEqual(
        paths.map((p) => path.basename(p)).sort(),
      );
    } finally {
      context.remove();
    }
  });

  it('are the same bundle when nothing changed, and another one with another title', async () => {
    const { fg, context } = world;
    const { layoutA, a } = await mapped(world);
    await fg.show(layoutA, { activations: a });
    await fg.show(layoutA, { activations: a });
    await fg.show(layoutA, { activations: a, title: 'other' });
    const ids = context.shown
      .flat()
      .flatMap((i) => (i.mime === MIME.map ? [(i.json as unknown as MapDescriptor).id] : []));
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it('refuse a layout of other rows, even when there are as many', async () => {
    const { fg } = world;
    const { layoutA, a } = await mapped(world);
    const other = await fg.maps.pca(randomSae(99, 24).decoder);
    expect(other.points).toBe(layoutA.points);
    await expect(fg.show(other, { activations: a })).rejects.toThrow(
      'layout of other rows than the decoder of its SAE',
    );
  });

  it('refuse a layout of another number of points, naming both', async () => {
    const { fg } = world;
    const { layoutA, layoutB, map, a } = await mapped(world);
    await expect(fg.show(layoutB, { activations: a })).rejects.toThrow(`16 points but ${saeA.name} has 24 features`);
    await expect(fg.show([layoutB, layoutA], { map })).rejects.toThrow('map A: the layout has 16 points');
    expect(() => fg.show(fg.maps.pca(saeA.decoder) as never, { activations: a })).toThrow('x is a promise');
  });
});

describe('features and pairs in cells', () => {
  it('show one feature or several with their examples, and refuse one that is not there', async () => {
    const { fg, context } = world;
    const { a } = await mapped(world);
    const examples = await fg.activations.examples(a);
    const labels = await fg.activations.labels(a);
    const banded = await fg.activations.bands(a);
    await fg.show(a, { features: [7, 0], title: 'Two' });
    const cards = shownJson<FeatureCards>(context, MIME.features);
    expect(cards.groups.map((g) => g.cards[0].feature)).toEqual([7, 0]);
    expect(cards.groups[0].cards[0]).toEqual({
      side: saeA.name,
      feature: 7,
      label: labels[7],
      firings: a.statistics.firings[7],
      firingRate: a.statistics.firings[7] / a.meta.tokens,
      examples: [...examples[7], ...banded[7].bands.flatMap((band) => band.examples)],
    });
    expect(cards.groups[1].cards[0]).toMatchObject({
      label: { tokens: [], peaks: [] },
      examples: [],
      firings: 0,
    });
    await fg.show(a, { features: 7 });
    expect(context.shown).toHaveLength(2);
    await expect(fg.show(a, { features: 24 })).rejects.toThrow(
      `feature 24 does not exist: ${saeA.name} has features 0 to 23`,
    );
    await expect(fg.show(a, { features: [-1] })).rejects.toThrow('features is [-1]; expected an array of feature ids');
  });

  it('show pairs of highest r first, or those of some features of B, and name those that have none', async () => {
    const { fg, context } = world;
    const { map } = await mapped(world);
    await fg.show(map, { top: 4 });
    const { groups } = shownJson<FeatureCards>(context, MIME.features);
    const best = [...map.pairs.r].sort((x, y) => y - x).slice(0, 4);
    expect(groups.map((g) => g.r)).toEqual(best);
    for (const { cards, sharedTokens } of groups) {
      const i = map.pairs.b.indexOf(cards[1].feature);
      expect(cards[0].feature).toBe(map.pairs.a[i]);
      const [inA, inB] = cards.map(({ label }) => labelWords(label).map((t) => t.trim().toLowerCase()));
      expect(sharedTokens).toEqual(inB.filter((t) => inA.includes(t)));
    }
    context.shown.length = 0;
    context.printed.length = 0;
    const some = Array.from(map.pairs.b.subarray(0, 2));
    await fg.show(map, { b: [...some, 0] });
    const asked = shownJson<FeatureCards>(context, MIME.features).groups.map((g) => g.cards[1].feature);
    expect(asked.sort()).toEqual(some.sort());
    expect(context.printed).toEqual([expect.stringMatching(/^No pair in this map: B #0 /)]);
  });
});

describe('what is looked at', () => {
  it('says which options there are, and what is missing', async () => {
    const { fg } = world;
    const { map, layoutA, layoutB, a } = await mapped(world);
    const refused = (x: unknown, options?: unknown) =>
      expect((async () => fg.show(x as never, options as never))()).rejects;
    await refused([layoutA, layoutB]).toThrow('fg.show(layouts): map is missing; expected what fg.correlation.map');
    await refused([layoutA], { map }).toThrow('an array of 1 layouts; expected one, or two: [a, b]');
    await refused(layoutA, { activations: a, top: 3 }).toThrow(
      'fg.show(layout) has no option "top"; it has activations',
    );
    await refused(a).toThrow('fg.show(activations): features is missing');
    await refused([{ i: 1 }], 'title').toThrow('options are an object such as { title');
    await refused(map, 'title').toThrow('options are an object such as');
    await refused({}).toThrow('fg.show: x is an object; expected what fg returned, an array of rows');
    await refused(Float32Array.of(1)).toThrow('fg.show: x is a Float32Array; expected what fg returned');
    await refused(undefined).toThrow('fg.show: x is undefined');
    await refused([1]).toThrow('x[0] is 1; expected an object');
  });

  it('is drawn by what it is: pairs, cards, tables, charts, and results as cells show them', async () => {
    const { fg, context } = world;
    const { map, a } = await mapped(world);
    await fg.show(map);
    await fg.show(a, { features: 7 });
    await fg.show(await fg.correlation.scores(saeA, saeB, map, { metrics: ['cka'], nulls: 3 }));
    await fg.show(await fg.correlation.filter(map, { minR: 0.1 }));
    await fg.show(await fg.sae.evaluate(lmA, saeA, fg.datasets.fromTexts(texts, { context: 10 })));
    fg.show([{ i: 1 }]);
    await fg.show([]);
    fg.show({ data: { values: [{ i: 1 }] }, mark: 'point' }, { title: 'One' });
    expect(context.shown.map(([item]) => item.mime)).toEqual([
      MIME.features,
      MIME.features,
      MIME.table,
      MIME.features,
      MIME.table,
      MIME.table,
      MIME.table,
      MIME.chart,
    ]);
  });
});

describe('tables and charts in cells', () => {
  it('keep 1,000 rows unless told otherwise', () => {
    const { fg, context } = world;
    const rows = Array.from({ length: 1001 }, (_, i) => ({ i }));
    fg.show(rows, { title: 'long' });
    fg.show(rows, { title: 'all', top: 1001 });
    const tables = context.shown.map(([item]) => item.json as unknown as TableDescriptor);
    expect(tables.map((t) => [t.rows.length, t.totalRows])).toEqual([
      [1000, 1001],
      [1001, undefined],
    ]);
    expect(() => fg.show(undefined as never)).toThrow('fg.show: x is undefined');
  });

  it('refuse a chart with a URL and show nothing', () => {
    const { fg, context } = world;
    expect(() => fg.show({ data: { url: 'data.csv' }, mark: 'point' })).toThrow('never loaded');
    expect(context.shown).toEqual([]);
  });
});

/** Reads a PNG of 8-bit RGB without interlace, checking every chunk. */
function decodePng(png: Buffer): { width: number; height: number; at(x: number, y: number): number[] } {
  expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
  const chunks: Array<{ type: string; data: Buffer }> = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + length);
    expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(body));
    chunks.push({ type: body.toString('ascii', 0, 4), data: body.subarray(4) });
    at += 12 + length;
  }
  expect([chunks[0].type, chunks.at(-1)!.type]).toEqual(['IHDR', 'IEND']);
  const header = chunks[0].data;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  expect([...header.subarray(8)]).toEqual([8, 2, 0, 0, 0]);
  const rows = inflateSync(Buffer.concat(chunks.filter((c) => c.type === 'IDAT').map((c) => c.data)));
  expect(rows.length).toBe(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) expect(rows[y * (1 + 3 * width)]).toBe(0);
  return {
    width,
    height,
    at: (x, y) => [...rows.subarray(y * (1 + 3 * width) + 1 + 3 * x, y * (1 + 3 * width) + 4 + 3 * x)],
  };
}

describe('the thumbnail of a map', () => {
  const set = (coordinates: number[], firings?: number[]): BundleSet => ({
    name: 'A',
    title: 'A',
    layout: {
      id: 'x',
      coordinates: Float32Array.from(coordinates),
      points: coordinates.length / 2,
      method: 'pca',
      description: '',
      parameters: {},
      excluded: 0,
    },
    firings: Uint32Array.from(firings ?? coordinates.slice(coordinates.length / 2).map(() => 1)),
    tokens: 10,
    labels: [],
    examples: [],
  });
  const WHITE = [255, 255, 255];

  it('is a PNG with the firing features where the layout has them, y upwards', () => {
    // A square of 2 × 2 in a picture of 240 with margins of 16.
    const png = decodePng(thumbnail([set([-1, -1, 1, -1, -1, 1, 0, 0, 1, 1], [1, 1, 1, 0, 0])]));
    expect([png.width, png.height]).toEqual([240, 240]);
    for (const [x, y] of [
      [16, 224],
      [224, 224],
      [16, 16],
    ]) {
      const [red, , blue] = png.at(x, y);
      expect(blue).toBeGreaterThan(red);
    }
    // Dead: not drawn.
    expect([png.at(120, 120), png.at(224, 16)]).toEqual([WHITE, WHITE]);
  });

  it('of twin maps has them side by side in two colours', () => {
    const png = decodePng(thumbnail([set([0, 0, 1, 1]), set([0, 0, 1, 1])]));
    expect([png.width, png.height]).toEqual([480, 240]);
    const [left, right] = [png.at(16, 224), png.at(256, 224)];
    expect(left[2]).toBeGreaterThan(left[0]);
    expect(right[0]).toBeGreaterThan(right[2]);
  });

  it('of nothing, of one place, and with rows left out is still a picture', () => {
    expect(decodePng(thumbnail([set([])])).at(0, 0)).toEqual(WHITE);
    expect(decodePng(thumbnail([set([3, 4, 3, 4])])).at(120, 120)).not.toEqual(WHITE);
    const png = decodePng(thumbnail([set([NaN, NaN, 0, 0, 1, 1])]));
    expect(png.at(16, 224)).not.toEqual(WHITE);
  });
});

describe('keyword groups of a map', () => {
  it('come from an object or from a JSON file; what is none is refused with its place', async () => {
    const { fg, context } = world;
    const { map, layoutA, layoutB } = await mapped(world);
    const file = path.join(context.outputFolder, 'groups.json');
    fs.writeFileSync(file, '{ "source": "mine", "royalty": ["king", "queen", "king"] }');
    await fg.show([layoutA, layoutB], { map, groups: file });
    expect(shownJson<MapDescriptor>(context, MIME.map).meta.groups).toEqual([
      { name: 'royalty', words: ['king', 'queen'] },
    ]);
    fs.writeFileSync(file, '{ "royalty": "king" }');
    await expect(fg.show([layoutA, layoutB], { map, groups: file })).rejects.toThrow(
      `${file}: group "royalty" is not a list of words`,
    );
    await expect(fg.show([layoutA, layoutB], { map, groups: { royalty: [] } })).rejects.toThrow(
      'fg.show: groups: group "royalty" is not a list of words',
    );
    await expect(fg.show([layoutA, layoutB], { map, groups: 'nowhere.json' })).rejects.toThrow(
      /there is no file nowhere\.json in .*; expected the path of a JSON file such as/,
    );
    fs.writeFileSync(file, '{ "royalty": [');
    await expect(fg.show([layoutA, layoutB], { map, groups: file })).rejects.toThrow(`${file} is not JSON`);
    fs.writeFileSync(file, '{}');
    await expect(fg.show([layoutA, layoutB], { map, groups: file })).rejects.toThrow(/groups\.json holds no group/);
  });
});
