/** Clusterers, covers, lenses and whole maps against scikit-learn and KeplerMapper's rule (test/goldens/mapper.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { labelsOfDistances } from '#kernel/compute/clustering/labels.js';
import { openClusterer } from '#kernel/mapper/cluster.js';
import { dbscan } from '#kernel/mapper/dbscan.js';
import { pairDistances } from '#kernel/mapper/pairDistances.js';
import { coverOf } from '#kernel/mapper/cover.js';
import { keplerGraph } from '#kernel/mapper/exports.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import { isomap } from '#kernel/mapper/isomap.js';
import { hdbscanOfRows } from '#kernel/mapper/largeElements.js';
import type { ClustererSpec } from '#kernel/mapper/options.js';

type Metric = 'cosine' | 'euclidean';
interface Case {
  data: string;
  metric: Metric;
  labels: number[];
}
interface Goldens {
  data: Record<string, { rows: number; cols: number; values: number[] }>;
  dbscan: Array<Case & { eps: number; minSamples: number }>;
  agglomerative: Array<
    Case & { linkage: 'single' | 'complete' | 'average'; nClusters?: number; distanceThreshold?: number; gap?: number }
  >;
  hdbscan: Array<Case & { minClusterSize: number; minSamples: number }>;
  covers: Array<{
    lens: number[];
    dims: number;
    cubes: number | number[];
    overlap: number | number[];
    elements: number[][];
  }>;
  maps: Array<{
    data: string;
    cubes: number | number[];
    overlap: number;
    eps: number;
    minSamples: number;
    metric: Metric;
    nodes: Record<string, number[]>;
    links: Record<string, string[]>;
  }>;
  isomap: Array<{ data: string; nNeighbors: number; components: number; values: number[] }>;
}

const goldens = JSON.parse(readFileSync(new URL('../../goldens/mapper.json', import.meta.url), 'utf8')) as Goldens;

function points(name: string): Matrix {
  const { rows, cols, values } = goldens.data[name];
  return matrix(rows, cols, Float32Array.from(values));
}

/** Labels renumbered by first appearance: names of clusters carry no meaning. */
function canonical(labels: ArrayLike<number>): number[] {
  const number = new Map<number, number>();
  return Array.from(labels, (l) => {
    if (l < 0) return -1;
    if (!number.has(l)) number.set(l, number.size);
    return number.get(l)!;
  });
}

async function labels(name: string, spec: ClustererSpec): Promise<Int32Array> {
  const x = points(name);
  const { space, rule } = openClusterer(x, spec, undefined);
  const ids = Int32Array.from({ length: x.rows }, (_, i) => i);
  if (rule.kind === 'dbscan') return dbscan(space, ids, rule);
  return labelsOfDistances({ distances: await pairDistances(space, ids, {}), m: x.rows, rule });
}

describe('DBSCAN', () => {
  it.each(goldens.dbscan)('has scikit-learn’s labels: $data $metric eps $eps min $minSamples', async (c) => {
    const { metric, eps, minSamples } = c;
    const found = await labels(c.data, { kind: 'dbscan', metric, eps, minSamples });
    expect(Array.from(found)).toEqual(c.labels);
  });
});

describe('agglomerative clustering', () => {
  it.each(goldens.agglomerative)(
    'has the reference’s groups: $data $metric $linkage n $nClusters threshold $distanceThreshold gap $gap',
    async ({ data, labels: expected, ...rest }) => {
      const found = await labels(data, { kind: 'agglomerative', ...rest });
      expect(Array.from(found)).toEqual(canonical(expected));
    },
  );
});

describe('HDBSCAN', () => {
  it.each(goldens.hdbscan)(
    'has the groups of the definition: $data $metric size $minClusterSize samples $minSamples',
    async ({ data, labels: expected, ...rest }) => {
      const found = await labels(data, { kind: 'hdbscan', ...rest });
      expect(Array.from(found)).toEqual(canonical(expected));
      const x = points(data);
      const { space } = openClusterer(x, { kind: 'hdbscan', ...rest }, undefined);
      const all = Int32Array.from({ length: x.rows }, (_, i) => i);
      expect(await hdbscanOfRows(space, all, { ...rest, allowSingleCluster: false }, {}), 'without').toEqual(found);
    },
  );
});

describe('cubes of a cover', () => {
  it.each(goldens.covers.map((c, i) => [i, c] as const))('hold KeplerMapper’s points, case %i', (_, c) => {
    const { cubes, overlap, dims, elements } = c;
    const cover = coverOf(Float64Array.from(c.lens), dims, { cubes, overlap });
    const found = Array.from({ length: cover.elements }, (__, e) =>
      Array.from(cover.points.subarray(cover.at[e], cover.at[e + 1])),
    );
    expect(found).toEqual(elements);
  });
});

describe('Mapper', () => {
  it.each(goldens.maps)('has KeplerMapper’s nodes and links: $data $metric', async (c) => {
    const graph = await mapperGraph(points(c.data), {
      lens: { kind: 'dimensions', columns: [0, 1] },
      cover: { cubes: c.cubes, overlap: c.overlap },
      clusterer: { kind: 'dbscan', metric: c.metric, eps: c.eps, minSamples: c.minSamples },
    });
    const ours = keplerGraph(graph);
    expect(ours.nodes).toEqual(c.nodes);
    const pairs = (links: Record<string, string[]>): string[] =>
      Object.entries(links)
        .flatMap(([a, list]) => list.map((b) => [a, b].sort().join(' ')))
        .sort();
    expect(pairs(ours.links)).toEqual(pairs(c.links));
  });
});

describe('Isomap', () => {
  it.each(goldens.isomap)('is scikit-learn’s up to sign: $data, $nNeighbors neighbours', async (c) => {
    const x = points(c.data);
    const { components } = c;
    const found = await isomap(x, { components, nNeighbors: c.nNeighbors, seed: 0 });
    for (let d = 0; d < components; d++) {
      const ours = Array.from({ length: x.rows }, (_, i) => found.values[i * components + d]);
      const theirs = ours.map((_, i) => c.values[i * components + d]);
      const sign = Math.sign(ours.reduce((s, v, i) => s + v * theirs[i], 0));
      const size = Math.max(...theirs.map(Math.abs));
      ours.forEach((v, i) => expect(Math.abs(v * sign - theirs[i])).toBeLessThan(1e-5 * size));
    }
    expect(found.warnings.some((w) => w.includes('pieces'))).toBe(c.data === 'apart' || c.data === 'blobs');
  });

  it('places points by landmarks close to where all geodesics place them', async () => {
    const x = points('roll');
    const whole = await isomap(x, { components: 1, nNeighbors: 6, seed: 0 });
    const some = await isomap(x, { components: 1, nNeighbors: 6, landmarks: 30, seed: 0 });
    const again = await isomap(x, { components: 1, nNeighbors: 6, landmarks: 30, seed: 0 });
    expect(some.values).toEqual(again.values);
    expect(some.description).toContain('30 landmarks');
    const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, v, i) => s + v * b[i], 0);
    const mean = (a: Float64Array): Float64Array => a.map((v) => v - a.reduce((s, u) => s + u, 0) / a.length);
    const [a, b] = [mean(whole.values), mean(some.values)];
    expect(Math.abs(dot(a, b)) / Math.sqrt(dot(a, a) * dot(b, b))).toBeGreaterThan(0.999);
  });
});
