/** A graph exported by the kernel and the same graph exported from its view are one graph under the same names. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { matrix } from '#kernel/compute/matrix.js';
import { writeGraphBundle } from '#kernel/mapper/bundle.js';
import { graphMl as kernelGraphMl, keplerGraph } from '#kernel/mapper/exports.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import type { MapperOptions } from '#kernel/mapper/options.js';
import type { MapperGraph } from '#kernel/mapper/types.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { diskFiles } from '#test/kit/bundleFiles.js';
import { GRAPH_BUNDLE } from '#protocol/graph.js';
import { graphMl, keplerJson } from '#webviews/graph/export.js';
import { loadGraph, type GraphModel } from '#webviews/graph/model.js';
import { testFolder } from '#test/kit/folder.js';

const goldens = JSON.parse(readFileSync(new URL('../../goldens/mapper.json', import.meta.url), 'utf8')) as {
  data: Record<string, { rows: number; cols: number; values: number[] }>;
};

function blobs(): ReturnType<typeof matrix> {
  const { rows, cols, values } = goldens.data.blobs;
  return matrix(rows, cols, Float32Array.from(values));
}

/** The model of a view that read the graph's bundle from disk. */
async function viewed(graph: MapperGraph): Promise<GraphModel> {
  const folder = testFolder('exports');
  const set = { name: 'A', title: 'blobs', role: 'data' as const, graph, columns: [] };
  await writeGraphBundle(folder, [set], { title: 'Blobs', seed: 0 });
  return loadGraph(new BundleReader(GRAPH_BUNDLE, diskFiles(folder), folder));
}

/** Names of GraphML's nodes with some of their attributes, and its edges with their weights. */
function readGraphMl(text: string): { nodes: unknown[]; edges: unknown[] } {
  const data = (body: string, key: string) => new RegExp(`<data key="${key}">([^<]*)</data>`).exec(body)?.[1];
  const keys = ['cube', 'cluster', 'component', 'size', 'members'];
  return {
    nodes: [...text.matchAll(/<node id="([^"]*)">(.*)<\/node>/g)].map(([, name, body]) => [
      name,
      ...keys.map((key) => data(body, key)),
    ]),
    edges: [...text.matchAll(/<edge source="([^"]*)" target="([^"]*)">(.*)<\/edge>/g)].map(([, a, b, body]) => [
      ...[a, b, data(body, 'weight')],
    ]),
  };
}

const cover = { cubes: [5, 3], overlap: 0.4 };
const cases: Record<string, MapperOptions> = {
  dbscan: { cover, clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1.5, minSamples: 3 } },
  hdbscan: { cover, clusterer: { kind: 'hdbscan', metric: 'euclidean', minClusterSize: 4 } },
  agglomerative: { cover, clusterer: { kind: 'agglomerative', metric: 'euclidean', linkage: 'average', nClusters: 3 } },
};

describe.each(Object.entries(cases))('exports of a graph by %s', (_, options) => {
  const made = mapperGraph(blobs(), { lens: { kind: 'dimensions', columns: [0, 1] }, ...options });

  it('has the clusters of a cube one after the other, numbered from 0', async () => {
    const { nodes, cube, cluster } = await made;
    expect(Math.max(...cluster)).toBeGreaterThan(0);
    for (let i = 0; i < nodes; i++) {
      const follows = i > 0 && cube[i] === cube[i - 1];
      expect(cluster[i]).toBe(follows ? cluster[i - 1] + 1 : 0);
      if (i > 0) expect(cube[i]).toBeGreaterThanOrEqual(cube[i - 1]);
    }
  });

  it('is one graph in KeplerMapper’s JSON of kernel and view', async () => {
    const graph = await made;
    const { nodes, links, simplices, meta_data } = keplerGraph(graph);
    const view = JSON.parse(keplerJson((await viewed(graph)).sets[0], 1)) as ReturnType<typeof keplerGraph>;
    expect(Object.keys(view.nodes)).toEqual(Object.keys(nodes));
    expect(view).toMatchObject({ nodes, links, simplices });
    expect(Object.keys(view.links)).toEqual(Object.keys(links));
    const { description, points, noise, warnings } = meta_data;
    expect(view.meta_data).toMatchObject({ description, points, noise, warnings });
  });

  it('has the same names, members and weights in GraphML', async () => {
    const graph = await made;
    const model = await viewed(graph);
    const [ours, theirs] = [kernelGraphMl(graph), graphMl(model.meta, model.sets[0], 1)].map(readGraphMl);
    expect(ours.nodes).toHaveLength(graph.nodes);
    expect(ours.edges).toHaveLength(graph.weight.length);
    expect(theirs).toEqual(ours);
  });
});

describe('the least intersection', () => {
  it('is in the exports: of the graph as made, or of the edges shown where that is more', async () => {
    const graph = await mapperGraph(blobs(), {
      ...{ lens: { kind: 'dimensions', columns: [0, 1] }, minIntersection: 3 },
      ...cases.dbscan,
    });
    const { meta, sets } = await viewed(graph);
    const [set] = sets;
    const least = (minWeight: number) => (JSON.parse(keplerJson(set, minWeight)) as { meta_data: object }).meta_data;
    expect(keplerGraph(graph).meta_data).toMatchObject({ nerve_min_intersection: 3 });
    expect(least(1)).toMatchObject({ nerve_min_intersection: 3 });
    expect(graphMl(meta, set, 1)).toContain('edges of at least 3 shared members');
    expect(least(5)).toMatchObject({ nerve_min_intersection: 5 });
  });
});
