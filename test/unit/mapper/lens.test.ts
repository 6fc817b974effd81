/** Lenses against sums written out, chains, presets, and the layout of graphs. */
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import { layoutGraph } from '#kernel/mapper/layout.js';
import type { LensSpec } from '#kernel/mapper/options.js';
import { mapperLens } from '#kernel/mapper/plan.js';

const N = 60;
const D = 5;
const x: Matrix = matrix(N, D, new Random(4).normals(new Float32Array(N * D)));
const rowOf = (i: number): number[] => Array.from(x.data.subarray(i * D, (i + 1) * D));
const sum = (list: readonly number[]): number => list.reduce((s, v) => s + v, 0);
const distance = (a: readonly number[], b: readonly number[]): number => Math.hypot(...a.map((v, k) => v - b[k]));
const cosine = (a: readonly number[], b: readonly number[]): number =>
  1 - sum(a.map((v, k) => v * b[k])) / Math.hypot(...a) / Math.hypot(...b);
const others = (i: number, d = distance): number[] =>
  Array.from({ length: N }, (_, j) => j)
    .filter((j) => j !== i)
    .map((j) => d(rowOf(i), rowOf(j)));

async function expectLens(lens: LensSpec, expected: (i: number) => number, digits = 5): Promise<void> {
  const { values, dims } = await mapperLens(x, { lens });
  expect(dims).toBe(1);
  for (let i = 0; i < N; i++) expect(values[i]).toBeCloseTo(expected(i), digits);
}

describe('lenses of Mapper', () => {
  it('are what their definitions say', async () => {
    const mean = Array.from({ length: D }, (_, k) => sum(Array.from({ length: N }, (__, i) => rowOf(i)[k])) / N);
    await expectLens('l2norm', (i) => Math.hypot(...rowOf(i)));
    await expectLens('distanceToMean', (i) => distance(rowOf(i), mean));
    await expectLens('sum', (i) => sum(rowOf(i)));
    await expectLens('median', (i) => rowOf(i).sort((a, b) => a - b)[2]);
    await expectLens('std', (i) => Math.sqrt(sum(rowOf(i).map((v) => (v - sum(rowOf(i)) / D) ** 2)) / D));
    await expectLens({ kind: 'knnDistance', k: 4 }, (i) => others(i).sort((a, b) => a - b)[3]);
    await expectLens('eccentricity', (i) => Math.sqrt(sum(others(i).map((v) => v * v)) / (N - 1)), 4);
    await expectLens({ kind: 'eccentricity', exponent: Infinity }, (i) => Math.max(...others(i)), 4);
    await expectLens(
      { kind: 'eccentricity', exponent: 1, metric: 'cosine' },
      (i) => sum(others(i, cosine)) / (N - 1),
      4,
    );
    await expectLens(
      { kind: 'density', bandwidth: 1.5 },
      (i) => sum(others(i).map((v) => Math.exp((-v * v) / 4.5))) / (N - 1),
    );
  });

  it('take the mean of the two middle distances to the 15th neighbour as the bandwidth of an even number of points', async () => {
    const kth = Array.from({ length: N }, (_, i) => others(i).sort((a, b) => a - b)[14]).sort((a, b) => a - b);
    const sigma = (kth[N / 2 - 1] + kth[N / 2]) / 2;
    expect(kth[N / 2] / sigma).toBeGreaterThan(1.0001);
    const { values, description } = await mapperLens(x, { lens: 'density' });
    expect(description).toContain(`bandwidth ${Number(sigma.toPrecision(4))}`);
    for (let i = 0; i < N; i++)
      expect(values[i]).toBeCloseTo(sum(others(i).map((v) => Math.exp((-v * v) / (2 * sigma * sigma)))) / (N - 1), 6);
  });

  it('of activations count tokens, and leave out features without a mean', async () => {
    const activations = {
      meta: { tokens: 10 },
      statistics: {
        firings: Uint32Array.from({ length: N }, (_, i) => i % 5),
        sum: Float64Array.from({ length: N }, (_, i) => 2 * (i % 5)),
        sumSquares: Float64Array.from({ length: N }, (_, i) => 5 * (i % 5)),
        max: Float32Array.from({ length: N }, (_, i) => i),
      },
    };
    await expectLens({ kind: 'firingRate', activations }, (i) => (i % 5) / 10);
    await expectLens({ kind: 'maxActivation', activations }, (i) => i);
    await expectLens({ kind: 'activationStd', activations }, (i) => Math.sqrt((i % 5) / 2 - ((i % 5) / 5) ** 2));
    const { values } = await mapperLens(x, { lens: { kind: 'meanActivation', activations } });
    expect(Array.from(values.subarray(0, 3))).toEqual([NaN, 2, 2]);
  });

  it('chain, scale and join', async () => {
    const scaled = await mapperLens(x, { lens: [{ kind: 'dimensions', columns: [2, 0] }, 'minmax'] });
    const column = Array.from({ length: N }, (_, i) => rowOf(i)[2]);
    const [low, high] = [Math.min(...column), Math.max(...column)];
    for (let i = 0; i < N; i++) expect(scaled.values[2 * i]).toBeCloseTo((column[i] - low) / (high - low), 9);
    const rows = Array.from({ length: N }, (_, i) => [rowOf(i)[2], rowOf(i)[0]]);
    expect((await mapperLens(x, { lens: [rows, 'minmax'] })).values).toEqual(scaled.values);
    const joined = await mapperLens(x, { lens: { kind: 'join', lenses: ['l2norm', { kind: 'pca', components: 2 }] } });
    expect(joined.names).toEqual(['l2 norm', 'PCA 1', 'PCA 2']);
    expect(joined.values[3]).toBeCloseTo(Math.hypot(...rowOf(1)), 6);
  });

  it('have the preset of Isomap, scaled, then UMAP, scaled; the same seed gives the same values', async () => {
    const many = matrix(130, 6, new Random(2).normals(new Float32Array(130 * 6)));
    const lens = await mapperLens(many, { lens: 'isomap-umap', seed: 1 });
    expect(lens.dims).toBe(2);
    expect(lens.description).toMatch(/^Isomap\(100\), 5 neighbours → MinMax → UMAP .* seed 1.* → MinMax$/);
    for (const d of [0, 1]) {
      const values = Array.from({ length: 130 }, (_, i) => lens.values[2 * i + d]);
      expect(Math.min(...values)).toBe(0);
      expect(Math.max(...values)).toBe(1);
    }
    expect(await mapperLens(many, { lens: 'isomap-umap', seed: 1 })).toEqual(lens);
  });
});

describe('the layout of a Mapper graph', () => {
  it('puts no node on another, keeps components apart, and is the same for the same seed', async () => {
    const graph = await mapperGraph(x, {
      cover: { cubes: 5, overlap: 0.4 },
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1.6, minSamples: 2 },
    });
    expect(graph.components).toBeGreaterThan(1);
    const { x: px, y: py } = await layoutGraph(graph, 3);
    const most = Math.max(
      ...Array.from({ length: graph.nodes }, (_, i) => graph.membersAt[i + 1] - graph.membersAt[i]),
    );
    const radius = (i: number): number => 1 + 4 * Math.sqrt((graph.membersAt[i + 1] - graph.membersAt[i]) / most);
    for (let i = 0; i < graph.nodes; i++)
      for (let j = 0; j < i; j++)
        expect(Math.hypot(px[i] - px[j], py[i] - py[j])).toBeGreaterThan(radius(i) + radius(j) - 0.01);
    expect(await layoutGraph(graph, 3)).toEqual({ x: px, y: py });
    expect(await layoutGraph(graph, 4)).not.toEqual({ x: px, y: py });
  });
});
