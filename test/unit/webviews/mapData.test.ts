import { describe, expect, test } from 'vitest';
import { MAP_BUNDLE, type MapColumns, type MapMeta } from '#protocol/map.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import { computeLit, groupCounts, groupIndices, linkOf, NO_FILTERS } from '#webviews/map/filter.js';
import { normalToken } from '#webviews/plot/search.js';
import { linkedPairs, loadModel, type MapModel, type MapSource } from '#webviews/map/model.js';
import { PickIndex } from '#webviews/map/pick.js';
import { restoreState } from '#webviews/map/state.js';
import { BundleReader, labelAt } from '#webviews/ui/bundle.js';
import { memoryFiles } from '#test/kit/bundleFiles.js';

const meta = (groups?: MapMeta['groups'], sets = 2): MapMeta => ({
  version: 1,
  title: 't',
  sets: Array.from({ length: sets }, (_, i) => ({ name: 'AB'[i], title: 't', points: 4, dead: 1, layout: 'UMAP' })),
  groups,
});

function columns(o: Partial<MapColumns> & { labels: string[][] }): MapColumns {
  const n = o.labels.length;
  return {
    x: Float32Array.from({ length: n }, (_, i) => i),
    y: new Float32Array(n),
    feature: Int32Array.from({ length: n }, (_, i) => 10 + i),
    firingRate: new Float32Array(n).fill(0.1),
    firings: new Int32Array(n).fill(5),
    shares: o.labels.map(() => null),
    ...{ column: [], other: [], otherR: [] },
    ...o,
  };
}

const A = () =>
  columns({
    labels: [[' king', '.'], [' talking'], ['Queen,', ' king'], []],
    firings: Int32Array.of(5, 5, 5, 0),
    partner: Int32Array.of(1, 1, 0, -1),
    r: Float32Array.of(0.9, 0.4, 0.2, NaN),
  });
const B = () => columns({ labels: [[' he'], [' there'], [' she']] });

const sourceOf = (m: MapMeta, ...sets: MapColumns[]): Pick<MapSource, 'meta' | 'columns'> => ({
  meta: () => Promise.resolve(m),
  columns: (s) => Promise.resolve(sets[s]),
});
const model = (m = meta()): Promise<MapModel> => loadModel(sourceOf(m, A(), B()));
const lit = async (query: string, extra = {}) => computeLit(await model(), { ...NO_FILTERS, query, ...extra });

describe('map model', () => {
  test('where only one map has links, the other takes the strongest link back', async () => {
    const { sets } = await model();
    expect([...sets[1].partner]).toEqual([2, 0, -1]);
    expect(sets[1].r[1]).toBeCloseTo(0.9, 6);
    expect(sets[1].r[2]).toBeNaN();
  });

  test('pairs list every link once', async () => {
    const pairs = linkedPairs(await model());
    expect([...pairs.a]).toEqual([0, 1, 2]);
    expect([...pairs.b]).toEqual([1, 1, 0]);
  });

  test('links of B that A does not hold are pairs too', async () => {
    const b = { ...B(), partner: Int32Array.of(2, 0, 1), r: Float32Array.of(0.2, 0.9, 0.8) };
    const pairs = linkedPairs(await loadModel(sourceOf(meta(), A(), b)));
    expect([...pairs.a].map((a, i) => `${a}-${pairs.b[i]}`)).toEqual(['0-1', '1-1', '2-0', '1-2']);
  });

  test('alive points fill [-1, 1]; a far dead point does not shrink the map', async () => {
    const far = { ...A(), x: Float32Array.of(0, 1, 2, 1000) };
    const { sets } = await loadModel(sourceOf(meta(), far, B()));
    expect([...sets[0].x.slice(0, 3)]).toEqual([-1, 0, 1]);
  });

  test('a partner that does not exist is refused with its name', async () => {
    const wild = { ...A(), partner: Int32Array.of(3, 1, 0, -1) };
    await expect(loadModel(sourceOf(meta(), wild, B()))).rejects.toThrow(/0\.partner names point 3 .* 3 points/);
  });

  test('points without coordinates and identical points are no trouble', async () => {
    const odd = { ...A(), x: Float32Array.of(NaN, 1, 1, 1), y: Float32Array.of(0, 2, 2, 2) };
    const { sets } = await loadModel(sourceOf(meta(), odd, B()));
    expect([...sets[0].x]).toEqual([NaN, 0, 0, 0]);
    expect(new PickIndex(sets[0], true).visible).toBe(3);
  });
});

describe('search', () => {
  test('matches whole words, case and surrounding punctuation aside', async () => {
    const found = await lit('KING');
    expect([...found.state[0]]).toEqual([1, 0, 1, 0]);
    expect(found.hits).toEqual([2, 0]);
    expect([...(await lit('queen')).state[0]]).toEqual([0, 0, 1, 0]);
  });

  test('"he" is not in "there" unless parts of words are asked for', async () => {
    expect((await lit('he')).hits).toEqual([0, 1]);
    expect((await lit('he', { substring: true })).hits).toEqual([0, 3]);
  });

  test('partners of hits are lit as partners and counted apart', async () => {
    const found = await lit('#10');
    expect(found.hits).toEqual([1, 1]);
    expect([...found.state[1]]).toEqual([1, 2, 0]);
    expect(found.partners).toEqual([1, 1]);
  });

  test('several words are any of them; punctuation alone can be sought', async () => {
    expect((await lit('she, queen')).hits).toEqual([1, 1]);
    expect((await lit('.')).hits).toEqual([1, 0]);
  });

  test('dead features are found only when shown', async () => {
    expect((await lit('#13')).hits).toEqual([0, 0]);
    expect((await lit('#13', { showDead: true })).hits).toEqual([1, 0]);
  });

  test('a threshold hides weak links; a link without r survives only 0', async () => {
    const { sets } = await model();
    expect(linkOf(sets[0], 1, 0)).toBe(1);
    expect(linkOf(sets[0], 1, 0.5)).toBe(-1);
    sets[0].r[0] = NaN;
    expect(linkOf(sets[0], 0, 0)).toBe(1);
    expect(linkOf(sets[0], 0, 0.01)).toBe(-1);
  });

  test('query and selection narrow each other', async () => {
    const found = await lit('king', { selection: { set: 0, points: Uint32Array.of(2, 3) } });
    expect([...found.state[0]]).toEqual([0, 0, 1, 0]);
  });

  test('tokens are normalised alike in labels, queries and groups', () => {
    expect(['  King ', '"king"', 'king', '.', '\n'].map(normalToken)).toEqual(['king', 'king', 'king', '.', '']);
  });
});

describe('keyword groups', () => {
  const groups = [
    { name: 'Royalty', words: ['king', 'QUEEN'] },
    { name: 'People', words: ['he', 'she', 'king'] },
  ];
  test('count features once a group, dead ones not at all', async () => {
    expect(groupCounts(await model(meta(groups)))).toEqual([
      [2, 0],
      [2, 2],
    ]);
  });
  test('a point takes the first group that holds one of its words', async () => {
    const [a, b] = groupIndices(await model(meta(groups)));
    expect([...a]).toEqual([0, -1, 0, -1]);
    expect([...b]).toEqual([1, -1, 1]);
  });
});

describe('picking', () => {
  test('agrees with brute force on random points and radii', async () => {
    const n = 500;
    let state = 1;
    const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
    const labels = Array.from({ length: n }, () => ['x']);
    const cloud = columns({
      labels,
      x: Float32Array.from({ length: n }, random),
      y: Float32Array.from({ length: n }, random),
    });
    const { sets } = await loadModel(sourceOf(meta(undefined, 1), cloud));
    const index = new PickIndex(sets[0], false);
    const { x, y } = sets[0];
    for (let k = 0; k < 200; k++) {
      const [qx, qy, radius] = [random() * 2 - 1, random() * 2 - 1, random() * 0.2];
      const near = (i: number) => (x[i] - qx) ** 2 + (y[i] - qy) ** 2;
      const best = [...x.keys()].reduce((a, b) => (near(b) < near(a) ? b : a));
      expect(index.nearest(qx, qy, radius)).toBe(near(best) <= radius ** 2 ? best : -1);
    }
    const inside = index.inside([-0.5, -0.5, 0.5, -0.5, 0, 0.5]);
    const expected = [...x.keys()].filter((i) => y[i] > -0.5 && y[i] < 0.5 - 2 * Math.abs(x[i]));
    expect([...inside]).toEqual(expected);
    expect([...index.inside([])]).toEqual([]);
  });
});

describe('what is read back', () => {
  test('a bundle gives columns and the examples of one point, whatever its bytes', async () => {
    const lines = ['[]\n', `${JSON.stringify([{ tokens: [' naïve ↵'] }])}\n`];
    const sizes = lines.map((l) => Buffer.byteLength(l));
    const f32 = (...v: number[]) => ({ dtype: 'F32' as const, shape: [2], data: Float32Array.from(v) });
    const i32 = (...v: number[]) => ({ dtype: 'I32' as const, shape: [2], data: Int32Array.from(v) });
    const own = meta(undefined, 1);
    const files: Record<string, Uint8Array> = {
      'map.json': Buffer.from(JSON.stringify({ ...own, sets: [{ ...own.sets[0], points: 2 }] })),
      '0.labels.json': Buffer.from('[["a"],[]]'),
      '0.examples.jsonl': Buffer.from(lines.join('')),
      'columns.safetensors': encodeSafetensors({
        '0.x': f32(1, 2),
        '0.y': f32(3, 4),
        '0.feature': i32(7, 9),
        '0.firingRate': f32(0.5, 0),
        '0.firings': i32(3, 0),
        '0.examplesAt': {
          dtype: 'I64',
          shape: [3],
          data: BigInt64Array.from([0n, BigInt(sizes[0]), BigInt(sizes[0] + sizes[1])]),
        },
      }),
    };
    const source: MapSource = new BundleReader(MAP_BUNDLE, memoryFiles(files), 'm');
    const read = await source.columns(0);
    expect([...read.feature]).toEqual([7, 9]);
    expect(read.partner).toBeUndefined();
    expect(await source.examples(0, 0)).toEqual([]);
    expect(await source.examples(0, 1)).toEqual([{ tokens: [' naïve ↵'] }]);
    await expect(source.examples(0, 2)).rejects.toThrow('2 points, point 2');
    await expect(source.columns(1)).rejects.toThrow();
    // Words alone: a bundle of an older version.
    expect(read.labels).toEqual([['a'], []]);
    expect(read.shares).toEqual([null, null]);

    const shares = { tokens: [{ token: ' the', share: 0.97 }], peaks: [' enormous'], together: [] };
    const reader = (labels: unknown): MapSource =>
      new BundleReader(
        MAP_BUNDLE,
        memoryFiles({ ...files, '0.labels.json': Buffer.from(JSON.stringify(labels)) }),
        'm',
      );
    const byMass = await reader([shares, ['a text']]).columns(0);
    expect(byMass.labels).toEqual([[' the'], ['a text']]);
    expect(byMass.shares).toEqual([shares, null]);
    expect([labelAt(byMass, 0), labelAt(byMass, 1)]).toEqual([shares, ['a text']]);
    const damaged = [
      null,
      3,
      [1],
      { tokens: [] },
      { ...shares, tokens: [{ token: 1, share: 1 }] },
      { ...shares, together: 3 },
    ];
    for (const label of damaged)
      await expect(reader([[], label]).columns(0)).rejects.toThrow('m/0.labels.json: the label of point 1 is damaged');
  });

  test('a damaged state becomes the default, piece by piece', () => {
    const state = restoreState(
      {
        version: 1,
        cameras: [{ x: 'no', y: 1, zoom: 1e9 }],
        pins: [{ set: 5, feature: 1 }, { set: 1, feature: 3 }, null],
        colorBy: 'rainbow',
        minR: 7,
      },
      2,
    );
    expect(state.cameras).toEqual([
      { x: 0, y: 1, zoom: 2000 },
      { x: 0, y: 0, zoom: 1 },
    ]);
    expect(state.pins).toEqual([{ set: 1, feature: 3 }]);
    expect(state.colorBy).toBe('none');
    expect(state.minR).toBe(1);
    expect(restoreState({ version: 2 }, 1).pins).toEqual([]);
  });
});
