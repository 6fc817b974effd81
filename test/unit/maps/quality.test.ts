/** Sparse rows by cosine, and how far a layout may be believed point by point: against scikit-learn, umap-learn, numpy. */
import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '#kernel/activations/types.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { ranksAmong } from '#kernel/compute/ranks.js';
import { ActivationRows } from '#kernel/maps/activationRows.js';
import { fuzzyUnion, memberships } from '#kernel/maps/fuzzyGraph.js';
import { displacements } from '#kernel/maps/stability.js';
import { pointQuality } from '#kernel/maps/trustworthiness.js';
import { umap, umapOfActivations } from '#kernel/maps/umap.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { freshFg, lmA, saeA, texts, type World } from '#test/kit/fg.js';
import { lcg } from '#test/kit/numbers.js';
import { fromDense } from '#test/kit/rows.js';
import goldens from '#test/goldens/map-quality.json' with { type: 'json' };

/** The map that was shown last. */
const lastMap = ({ shown }: World['context']): MapDescriptor =>
  shown.flat().filter(({ mime }) => mime === MIME.map).at(-1)!.json as unknown as MapDescriptor; // prettier-ignore

/** A store of these values, tokens × features. */
function storeOf(dense: Float32Array, tokens: number, features: number): SparseActivations {
  const rows = fromDense(dense, tokens, features);
  const half = Math.floor(tokens / 2);
  const shards = [
    { firstToken: 0, rows: fromDense(dense.subarray(0, half * features), half, features) },
    { firstToken: half, rows: fromDense(dense.subarray(half * features), tokens - half, features) },
  ];
  const meta = { features, tokens, nonZeros: rows.values.length, sae: { name: 'hand', id: 'hand' } };
  // Of a store, layouts read these alone.
  return { id: 'store', meta, async *shards() { yield* shards; } } as unknown as SparseActivations; // prettier-ignore
}

/** The store of test/goldens/map-quality.py. */
function goldenStore(): SparseActivations {
  const { features, tokens } = goldens.sparse;
  const raw = lcg(features * tokens, 21);
  const dense = new Float32Array(tokens * features);
  for (let f = 0; f < features; f++)
    for (let t = 0; t < tokens; t++) {
      const v = raw[f * tokens + t];
      const quiet = (f % 5 === 0 && t >= 150) || (f % 5 === 1 && t < 150) || f === 7 || f === 23;
      if (v > 0.85 && !quiet) dense[t * features + f] = 8 * (v - 0.85);
    }
  return storeOf(dense, tokens, features);
}

describe('features of a store as rows over its tokens', () => {
  it('have scikit-learn’s nearest by cosine, and umap-learn’s graph', async () => {
    const golden = goldens.sparse;
    const x = await ActivationRows.read(goldenStore());
    expect(x.features).toHaveLength(golden.features - 2);
    expect([x.features.includes(7), x.features.includes(23)]).toEqual([false, false]);
    const { distances } = await x.neighbours(10);
    expect(golden.distances).toHaveLength(distances.length);
    golden.distances.forEach((d, e) => expect(distances[e]).toBeCloseTo(d, 5));
    const near = { ...(await x.neighbours(7)), k: 7 };
    const graph = fuzzyUnion(x.rows, near, await memberships(x.rows, near, 1));
    const ours = new Map([...graph.head].map((h, e) => [`${Math.min(h, graph.tail[e])} ${Math.max(h, graph.tail[e])}`, graph.weight[e]])); // prettier-ignore
    golden.head.forEach((h, e) => expect(ours.get(`${h} ${golden.tail[e]}`)).toBeCloseTo(golden.weight[e], 3));
    expect(ours.size).toBe(golden.head.length);
  });

  it('put rows that never fire together at distance 1, in order of row', async () => {
    const store = storeOf(Float32Array.of(1, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0), 4, 4);
    const x = await ActivationRows.read(store);
    expect([...x.features]).toEqual([0, 1, 2, 3]);
    const { indices, distances } = await x.neighbours(3);
    expect([...indices]).toEqual([1, 2, 3, 2, 0, 3, 1, 0, 3, 0, 1, 2]);
    expect([...distances].map((d) => d.toFixed(6))).toEqual(
      [1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1].map((d) => d.toFixed(6)),
    );
  });

  it('are laid out as their dense rows are, dead ones left out', async () => {
    const store = goldenStore();
    const { features, tokens } = goldens.sparse;
    const options = { nNeighbors: 10, nEpochs: 50, init: 'random', seed: 3 } as const;
    const layout = await umapOfActivations(store, { ...options, trustworthiness: 5 });
    const dense = matrix(features, tokens);
    for await (const { firstToken, rows } of store.shards())
      for (let t = 0; t < rows.rows; t++)
        for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++)
          dense.data[rows.indices[p] * tokens + firstToken + t] = rows.values[p];
    for (const f of [7, 23]) dense.data.fill(NaN, f * tokens, (f + 1) * tokens);
    const plain = await umap(dense, { ...options, metric: 'cosine', trustworthiness: 5 });
    expect(layout.excluded).toBe(2);
    expect(layout.coordinates.slice(14, 16)).toEqual(Float32Array.of(NaN, NaN));
    // The same neighbours but for the last bits of their distances.
    const apart = layout.coordinates.map((v, e) => Math.abs(v - plain.coordinates[e])).filter((v) => v > 0.5);
    expect(apart.length).toBeLessThan(0.05 * layout.coordinates.length);
    expect(layout.trustworthiness).toBeCloseTo(plain.trustworthiness!, 1);
    expect(layout.description).toContain('UMAP of activations, n_neighbors 10, min_dist 0.1, cosine, 50 epochs');
    // A graph in pieces starts from the sketch.
    const axes = await umapOfActivations(store, { ...options, init: 'pca' });
    expect(axes.coordinates.filter(Number.isFinite)).toHaveLength(2 * (features - 2));
    await expect(umapOfActivations(store, { metric: 'euclidean' })).rejects.toThrow('activations are laid out by the cosine'); // prettier-ignore
    await expect(umapOfActivations(storeOf(new Float32Array(20), 5, 4))).rejects.toThrow('got 0 of 4');
  });
});

describe('ranks', () => {
  it('are those of float64 distances, with ties in order of index, at any scale and far from the origin', async () => {
    const random = new Random(5);
    const [n, d] = [60, 7];
    for (const [scale, shift] of [
      [1, 0],
      [1e-12, 0],
      [1e12, 0],
      [1, 5000],
    ]) /* prettier-ignore */ {
      const x = matrix(n, d, Float32Array.from({ length: n * d }, () => scale * (random.normal() + shift)));
      x.data.copyWithin(10 * d, 0, 5 * d); // repeated rows
      const of = Uint32Array.of(0, 3, 10, 59);
      const near = Int32Array.from([...of].flatMap((i) => [(i + 10) % n, (i + 1) % n, (i + 7) % n]));
      const distance = (i: number, j: number): number =>
        [...Array(d).keys()].reduce((s, c) => s + (x.data[i * d + c] - x.data[j * d + c]) ** 2, 0);
      const expected = [...near].map((j, p) => {
        const i = of[Math.floor(p / 3)];
        const others = [...Array(n).keys()].filter((o) => o !== i);
        others.sort((a, b) => distance(i, a) - distance(i, b) || a - b);
        return others.indexOf(j) + 1;
      });
      expect([...(await ranksAmong(x, of, near, { metric: 'euclidean' }))], `${scale} ${shift}`).toEqual(expected);
    }
  });
});

describe('trust and continuity by point', () => {
  const { n, d } = { n: 60, d: 12 };
  const raw = lcg(n * d, 7);
  const x = matrix(
    n,
    d,
    Float32Array.from(raw, (v, e) => v + 2 * (Math.floor(e / d) % 3) * ((e % d) % 2)),
  );
  const y = matrix(n, 2, Float32Array.from(goldens.quality.y));
  const mean = (of: ArrayLike<number>): number => Array.from(of).reduce((s, v) => s + v, 0) / of.length;

  it.each(['euclidean', 'cosine'] as const)('are numpy’s, with scikit-learn’s mean (%s)', async (metric) => {
    const golden = goldens.quality[metric];
    const { trust, continuity } = await pointQuality(x, y, { k: goldens.quality.k, metric });
    golden.trust.forEach((v, i) => expect(trust[i], `${i}`).toBeCloseTo(v, 8));
    golden.continuity.forEach((v, i) => expect(continuity[i], `${i}`).toBeCloseTo(v, 8));
    expect(mean(trust)).toBeCloseTo(golden.trustworthiness, 8);
    if (metric === 'euclidean') expect(mean(continuity)).toBeCloseTo(goldens.quality.euclidean.continuityMean, 8);
  });
});

describe('displacement over seeds', () => {
  const placed = (coordinates: Float32Array, axes = 2) => ({ points: coordinates.length / axes, axes, coordinates });
  const cloud = (axes: number) => new Random(9).normals(new Float32Array(200 * axes));

  it.each([2, 3])('is 0 for a layout turned, mirrored, scaled and shifted, in %i dimensions', (axes) => {
    const a = cloud(axes);
    const [c, s] = [Math.cos(2), Math.sin(2)];
    const b = a.slice();
    for (let i = 0; i < a.length; i += axes) {
      b[i] = 3 * (c * a[i] - s * a[i + 1]) + 5;
      b[i + 1] = -3 * (s * a[i] + c * a[i + 1]) - 7;
      if (axes === 3) b[i + 2] = 3 * a[i + 2] + 1;
    }
    const { displacement, mean, chance } = displacements([placed(a, axes), placed(b, axes)]);
    expect(mean).toBeLessThan(1e-5);
    expect(Math.max(...displacement)).toBeLessThan(1e-5);
    expect(chance).toBeGreaterThan(0.8);
  });

  it('is that of the one point that moved, in units of the spread', () => {
    const a = cloud(2);
    const b = a.slice();
    b[20] += 2;
    const { displacement } = displacements([placed(a), placed(b)]);
    const spread = Math.sqrt(a.reduce((sum, v) => sum + v * v, 0) / 200);
    expect(displacement[10]).toBeCloseTo(2 / spread, 1);
    expect(Math.max(...displacement.filter((_, i) => i !== 10))).toBeLessThan(0.05);
  });

  it('of repeated points is finite, and needs two layouts', () => {
    const still = displacements([placed(new Float32Array(20)), placed(new Float32Array(20))]);
    expect(still.displacement).toEqual(new Float64Array(10));
    expect(() => displacements([placed(new Float32Array(20))])).toThrow('two layouts or more');
  });
});

describe('fg.maps.distortion and fg.maps.stability', () => {
  const world = freshFg();

  it('color a map point by point, say chance, and load the same call', async () => {
    const { fg, context } = world;
    const layout = await fg.maps.umap(saeA, { nNeighbors: 5, nEpochs: 40 });
    const quality = await fg.maps.distortion(layout, { k: 3 });
    const stable = await fg.maps.stability(layout, { runs: 2 });
    expect(quality.columns.trust).toHaveLength(24);
    expect(quality.chance).toBeCloseTo(0.5, 1);
    expect(quality.trustworthiness).toBeGreaterThan(quality.chance);
    expect(stable.displacement).toBeLessThan(stable.chance);
    expect(await fg.maps.stability(layout, { runs: 2 })).toEqual(stable);
    await fg.show(layout, { columns: { ...quality.columns, ...stable.columns } });
    const { meta } = lastMap(context);
    expect(meta.sets[0].columns?.map(({ name }) => name)).toEqual(['trust', 'continuity', 'moved by seed']);
    await expect(fg.maps.distortion({ ...layout })).rejects.toThrow('the rows of the layout are not at hand');
    await expect(fg.maps.stability(await fg.maps.pca(saeA))).rejects.toThrow('the layout is of pca, which draws nothing'); // prettier-ignore
    const placed = await fg.maps.umap(saeA, { nNeighbors: 5, nEpochs: 10, positions: new Float32Array(48) });
    await expect(fg.maps.stability(placed)).rejects.toThrow('given neighbours or positions');
  });

  it('take layouts of activations, and fg.show.map draws activations and rows', async () => {
    const { fg, context } = world;
    const store = await fg.activations.save(lmA, saeA, fg.datasets.fromTexts(texts, { context: 10 }));
    const layout = await fg.maps.umap(store, { nNeighbors: 5, nEpochs: 20 });
    expect(layout.excluded).toBe(store.statistics.firings.filter((f) => f === 0).length);
    const quality = await fg.maps.distortion(layout, { k: 3 });
    expect(quality.columns.trust.map((v) => Number(Number.isNaN(v)))).toEqual(
      Float32Array.from(store.statistics.firings, (f) => Number(f === 0)),
    );
    expect((await fg.maps.stability(layout, { runs: 1 })).displacement).toBeGreaterThan(0);
    await fg.show.map(store, { nNeighbors: 5, nEpochs: 20, title: 'by activations' });
    const drawn = lastMap(context).meta;
    expect(drawn.title).toBe('by activations');
    expect(drawn.sets[0].layout).toContain('UMAP of activations');
    expect(drawn.sets[0].unmeasured).toBeUndefined();
    const rows = Array.from({ length: 20 }, (_, i) => [Math.sin(i), Math.cos(2 * i), i % 3]);
    await fg.show.map(rows, { nNeighbors: 5, nEpochs: 20, nComponents: 3 });
    const plain = lastMap(context).meta;
    expect(plain.sets[0]).toMatchObject({ points: 20, unmeasured: true });
    expect(plain.sets[0].layout).toContain('UMAP in 3-D n_neighbors 5');
    await expect(fg.show.map(store, { rows: 'encoder' })).rejects.toThrow('activations takes no option rows');
  });
});
