import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findings, graphStatistics } from '#kernel/mapper/findings.js';
import { mapperGraph, type MapperOptions } from '#kernel/mapper/graph.js';
import { mapperNulls } from '#kernel/mapper/nulls.js';
import { ripsPersistence } from '#kernel/mapper/ripsSample.js';
import { mapperSweep } from '#kernel/mapper/sweep.js';
import { loadSae } from '#kernel/sae/load.js';
import { CHECKPOINTS } from '#test/kit/samples.js';

describe.each(CHECKPOINTS)('Mapper of $name', ({ folder, there, small, large }) => {
  const options: MapperOptions = {
    lens: { kind: 'pca', components: 2 },
    cover: { cubes: 5, overlap: 0.3 },
    clusterer: { kind: 'dbscan', metric: 'cosine', eps: 0.6, minSamples: 3 },
  };

  it.skipIf(!there)('takes a decoder through graph, nulls and findings; figures agree with one another', async () => {
    const { decoder } = await loadSae(path.join(folder, `sae_${large}_4.pt`));
    const graph = await mapperGraph(decoder, options);
    const statistics = graphStatistics(graph);
    expect(graph.betti[0]).toBe(graph.components);
    expect(statistics.nodes - statistics.edges + graph.triangles.length / 3 - graph.tetrahedra.length / 4).toBe(graph.euler); // prettier-ignore
    const nulls = await mapperNulls(decoder, graph, (x, call) => mapperGraph(x, { ...options, ...call }), { runs: 4 });
    expect(nulls.observed).toEqual(statistics);
    for (const { pMore, pFewer } of nulls.comparison) {
      expect(pMore + pFewer).toBeGreaterThanOrEqual(1);
      expect(Math.min(pMore, pFewer)).toBeGreaterThanOrEqual(1 / 5);
    }
    const found = findings(graph, 0, nulls);
    expect(found.filter((f) => f.kind === 'loop').length).toBe(graph.betti[1]);
    const [sweep] = (await mapperSweep(decoder, { lens: options.lens, clusterer: options.clusterer }, { cubes: [5], overlaps: [0.3] })).cells; // prettier-ignore
    expect(sweep.statistics).toEqual(statistics);
  });

  it.skipIf(!there)(
    'finds the persistence of decoder rows to dimension 2: every row a component, and the null beside',
    async () => {
      const { decoder } = await loadSae(path.join(folder, `sae_${small}_4.pt`));
      const r = await ripsPersistence(decoder, { maxDim: 2, landmarks: 64, nulls: 3 });
      expect([r.points, r.landmarks.length]).toEqual([small, 64]);
      expect(r.dims[0].births.length).toBe(64);
      for (const { dim, births, deaths } of r.dims)
        if (dim > 0) births.forEach((b, i) => expect(deaths[i]).toBeGreaterThan(b));
      expect(r.coveringRadius).toBeGreaterThan(0);
    },
  );

  it.skipIf(!there)('says why nothing is a node by default, and has every feature in one when looser', async () => {
    const { decoder } = await loadSae(path.join(folder, `sae_${small}_4.pt`));
    const empty = await mapperGraph(decoder);
    expect(empty.nodes).toBe(0);
    expect(empty.noise.length).toBe(small);
    expect(empty.warnings.join()).toContain('elements are noise');
    const graph = await mapperGraph(decoder, {
      cover: { cubes: 3, overlap: 0.4 },
      clusterer: { kind: 'agglomerative', metric: 'cosine', linkage: 'average', nClusters: 2 },
    });
    expect(new Set([...graph.members, ...graph.noise]).size).toBe(small);
    expect(graph.nodes).toBe(2 * (graph.cubes.total - graph.cubes.skipped));
    expect(graph.edges.length).toBeGreaterThan(0);
  });
});
