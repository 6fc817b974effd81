/** New points in a layout: against umap-learn's transform, and by laws of their own. */
import { describe, expect, it } from 'vitest';
import { crossKnn, exactKnn } from '#kernel/compute/knn.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { gatherRows } from '#kernel/compute/rows.js';
import { pca } from '#kernel/maps/pca.js';
import { turned } from '#kernel/maps/procrustes.js';
import { transformed } from '#kernel/maps/transform.js';
import { trustworthiness } from '#kernel/maps/trustworthiness.js';
import { umap } from '#kernel/maps/umap.js';
import { freshFg, saeA, texts, lmA } from '#test/kit/fg.js';
import goldens from '#test/goldens/map-quality.json' with { type: 'json' };
import { lcg } from '#test/kit/numbers.js';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The three bent sheets of test/goldens/map-quality.py, and their last rows as new ones. */
function sheets(): { train: Matrix; fresh: Matrix } {
  const { n, d, held } = goldens.transform;
  const [u, v, noise] = [lcg(n, 11), lcg(n, 12), lcg(n * d, 13)];
  const x = matrix(n, d);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++)
      x.data[i * d + j] =
        Math.sin((0.3 * j + 0.5) * 3 * u[i] + 2 * (i % 3)) +
        Math.cos((0.2 * j + 0.4) * 3 * v[i] + j) +
        0.1 * noise[i * d + j];
  return { train: gatherRows(x, range(0, n - held)), fresh: gatherRows(x, range(n - held, n)) };
}

/** Mean share of the k nearest rows of `train` that are among the k nearest points of the layout. */
async function recall(rows: Matrix, train: Matrix, places: Matrix, layout: Matrix, k: number): Promise<number> {
  const [a, b] = [
    await crossKnn(rows, train, k, { metric: 'euclidean' }),
    await crossKnn(places, layout, k, { metric: 'euclidean' }),
  ];
  let hits = 0;
  for (let i = 0; i < rows.rows; i++) {
    const own = new Set(a.indices.subarray(i * k, (i + 1) * k));
    hits += b.indices.subarray(i * k, (i + 1) * k).filter((j) => own.has(j)).length;
  }
  return hits / (rows.rows * k);
}

const { train, fresh } = sheets();
const mean = (of: readonly number[]): number => of.reduce((s, v) => s + v, 0) / of.length;

describe('new points in a UMAP layout', () => {
  it('lie among the right neighbours as often as umap-learn’s do', async () => {
    const ours: number[] = [];
    for (const seed of [0, 1, 2]) {
      const layout = await umap(train, { seed });
      const places = await transformed(layout, train, fresh);
      const at = (of: typeof layout): Matrix => matrix(of.points, 2, of.coordinates);
      ours.push(await recall(fresh, train, at(places), at(layout), 10));
    }
    expect(mean(ours)).toBeGreaterThan(mean(goldens.transform.recall) - 0.02);
  });

  it('keeps held-out rows trustworthy, and rows of the layout near their own places', async () => {
    const layout = await umap(train, { seed: 0 });
    const again = await transformed(layout, train, train);
    const spread = Math.hypot(...layout.coordinates) / Math.sqrt(2 * layout.points);
    const moved = range(0, train.rows)
      .map((i) => Math.hypot(...[0, 1].map((c) => again.coordinates[2 * i + c] - layout.coordinates[2 * i + c])))
      .sort((a, b) => a - b);
    expect(moved[Math.floor(0.5 * moved.length)] / spread).toBeLessThan(0.05);
    expect(moved[Math.floor(0.95 * moved.length)] / spread).toBeLessThan(0.2);
    const places = await transformed(layout, train, fresh);
    const both = matrix(train.rows + fresh.rows, train.cols, Float32Array.of(...train.data, ...fresh.data));
    const picture = matrix(both.rows, 2, Float32Array.of(...layout.coordinates, ...places.coordinates));
    const own = await trustworthiness(train, matrix(train.rows, 2, layout.coordinates), { k: 10 });
    expect(await trustworthiness(both, picture, { k: 10 })).toBeGreaterThan(own - 0.01);
  });

  it('lands where it lands whatever else is placed, equal rows on one point, NaN rows nowhere', async () => {
    const layout = await umap(train, { seed: 4, nEpochs: 60 });
    const all = await transformed(layout, train, fresh);
    const some = await transformed(layout, train, gatherRows(fresh, [5, 3, 5]));
    const at = (l: typeof all, i: number): number[] => [...l.coordinates.subarray(2 * i, 2 * i + 2)];
    expect([at(some, 0), at(some, 1), at(some, 2)]).toEqual([at(all, 5), at(all, 3), at(all, 5)]);
    expect((await transformed(layout, train, fresh)).id).toBe(all.id);
    const odd = gatherRows(fresh, [0, 1]);
    odd.data[3] = NaN;
    const placed = await transformed(layout, train, odd);
    expect(placed.excluded).toBe(1);
    expect(placed.coordinates.map((v) => Number(Number.isNaN(v)))).toEqual(Float32Array.of(1, 1, 0, 0));
    expect(at(placed, 1)).toEqual(at(all, 1));
    expect((await transformed(layout, train, matrix(0, train.cols))).points).toBe(0);
    // A far row, whose neighbours are far too, still lands within the layout.
    const far = await transformed(layout, train, matrix(1, train.cols, new Float32Array(train.cols).fill(1e6)));
    expect(far.coordinates.every((v) => Math.abs(v) < 100)).toBe(true);
  });

  it('follows a layout that was turned, and takes given neighbours', async () => {
    const layout = await umap(train, { seed: 1, nEpochs: 60 });
    const other = await umap(train, { seed: 2, nEpochs: 60 });
    const pairs = { a: Int32Array.from(range(0, train.rows)), b: Int32Array.from(range(0, train.rows)) };
    const moved = turned(other, layout, pairs);
    const [straight, after] = [await transformed(layout, train, fresh), await transformed(moved, train, fresh)];
    const expected = turned(other, { ...layout, coordinates: layout.coordinates }, pairs).parameters;
    const c = Number(expected.scale);
    const distance = (l: typeof straight, i: number, j: number): number =>
      Math.hypot(...[0, 1].map((k) => l.coordinates[2 * i + k] - l.coordinates[2 * j + k]));
    // The turn keeps proportions up to what the order of roundings in 60 epochs leaves.
    const ratios = range(1, 40).map((i) => distance(after, 0, i) / distance(straight, 0, i) / c).sort((a, b) => a - b); // prettier-ignore
    expect(ratios[20]).toBeCloseTo(1, 1);
    const neighbours = await crossKnn(fresh, train, 15, { metric: 'euclidean' });
    expect((await transformed(layout, train, fresh, { neighbors: neighbours })).coordinates).toEqual(
      straight.coordinates,
    );
    const shared = await umap(train, { nEpochs: 20, neighbors: await exactKnn(train, 14, { metric: 'cosine' }) });
    await expect(transformed(shared, train, fresh)).rejects.toThrow('the layout is of neighbours that were given');
    const odd = { ...neighbours, indices: neighbours.indices.map((j, e) => (e === 31 ? train.rows : j)) };
    await expect(transformed(layout, train, fresh, { neighbors: odd })).rejects.toThrow(
      `row 2 has neighbour ${train.rows}; expected n × k neighbours of ${fresh.rows} rows among ${train.rows} others`,
    );
    await expect(transformed(layout, train, matrix(2, 5))).rejects.toThrow('x has 5 columns but the layout is of rows');
  });

  it('on PCA are their coordinates on its axes', async () => {
    const layout = await pca(train);
    const again = await transformed(layout, train, train);
    again.coordinates.forEach((v, e) => expect(v).toBeCloseTo(layout.coordinates[e], 4));
  });
});

describe('fg.maps.transform', () => {
  const world = freshFg();

  it('takes layouts of the session, loads the same call, and refuses copies and layouts of activations', async () => {
    const { fg } = world;
    const layout = await fg.maps.umap(saeA, { nNeighbors: 5, nEpochs: 20 });
    const placed = await fg.maps.transform(layout, saeA);
    const again = await fg.maps.transform(layout, saeA);
    expect(again.coordinates).toEqual(placed.coordinates);
    expect(again.rows).toBe(layout.rows);
    await expect(fg.maps.transform({ ...layout }, saeA)).rejects.toThrow('the rows of the layout are not at hand');
    const store = await fg.activations.save(lmA, saeA, fg.datasets.fromTexts(texts, { context: 10 }));
    const sparse = await fg.maps.umap(store, { nNeighbors: 5, nEpochs: 20 });
    await expect(fg.maps.transform(sparse, saeA)).rejects.toThrow('the layout is of activations');
  });
});
