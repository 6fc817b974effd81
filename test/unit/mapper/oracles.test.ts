import { describe, expect, it } from 'vitest';
import { matrix } from '#kernel/compute/matrix.js';
import { findings, graphPersistence, graphStatistics } from '#kernel/mapper/findings.js';
import { mapperGraph, type MapperOptions } from '#kernel/mapper/graph.js';
import { mapperNulls, type MakeGraph } from '#kernel/mapper/nulls.js';
import { ball, blobs, circle, figureEight, sphere } from '#test/kit/shapes.js';

const single = (distanceThreshold: number): MapperOptions['clusterer'] => ({
  kind: 'agglomerative',
  metric: 'euclidean',
  linkage: 'single',
  distanceThreshold,
});
const along = (column: number): MapperOptions['lens'] => ({ kind: 'dimensions', columns: [column] });
const make =
  (options: MapperOptions): MakeGraph =>
  (x, call) =>
    mapperGraph(x, { ...options, ...call });

describe('Mapper graphs of known shapes', () => {
  it('a noisy circle is one component with one loop', async () => {
    const options = { lens: along(0), cover: { cubes: 8, overlap: 0.35 }, clusterer: single(0.4) };
    const x = circle(400, 1);
    const graph = await mapperGraph(x, options);
    expect(graph.betti).toEqual([1, 1, 0]);
    expect(graph.euler).toBe(0);
    const { loops, components } = graphPersistence(graph);
    expect(loops.length).toBe(1);
    // The loop spans nearly the whole lens, and goes around: most nodes lie on it.
    expect(loops[0].persistence).toBeGreaterThan(0.7);
    expect(loops[0].nodes.length).toBeGreaterThan(0.7 * graph.nodes);
    expect(components.length).toBe(1);

    const nulls = await mapperNulls(x, graph, make(options), { kind: 'gaussian', runs: 19, seed: 3 });
    const [loop] = findings(graph, 0, nulls).filter((f) => f.kind === 'loop');
    expect(loop).toMatchObject({ p: 1 / 20, runs: 19, seed: 3, null: 'Gaussian, same covariance', by: 'column 0' });
    expect(nulls.comparison.find((c) => c.statistic === 'longest loop')).toMatchObject({ pMore: 1 / 20 });
  });

  it('a figure eight has two loops', async () => {
    const graph = await mapperGraph(figureEight(600, 2), {
      lens: along(0),
      cover: { cubes: 12, overlap: 0.3 },
      clusterer: single(0.25),
    });
    expect(graph.betti).toEqual([1, 2, 0]);
    const { loops } = graphPersistence(graph);
    expect(loops.length).toBe(2);
    for (const loop of loops) expect(loop.persistence).toBeGreaterThan(0.25);
  });

  it('three blobs are three components, and say so against the null', async () => {
    const options: MapperOptions = {
      lens: { kind: 'pca', components: 2 },
      cover: { cubes: 6, overlap: 0.3 },
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1, minSamples: 3 },
    };
    const x = blobs(240, 3);
    const graph = await mapperGraph(x, options);
    expect(graph.betti).toEqual([3, 0, 0]);
    expect(graph.components).toBe(3);
    // Each component is one blob.
    for (let node = 0; node < graph.nodes; node++) {
      const members = [...graph.members.subarray(graph.membersAt[node], graph.membersAt[node + 1])];
      expect(new Set(members.map((m) => m % 3)).size).toBe(1);
    }
    expect(findings(graph).filter((f) => f.kind === 'component').length).toBe(2);
  });

  it('the nerve of a sphere encloses a hollow', async () => {
    const graph = await mapperGraph(sphere(1500, 4), {
      lens: { kind: 'dimensions', columns: [0, 1, 2] },
      cover: { cubes: 3, overlap: 0.3 },
      clusterer: single(0.5),
    });
    expect(graph.betti.slice(0, 2)).toEqual([1, 0]);
    expect(graph.betti[2]).toBeGreaterThanOrEqual(1);
  });

  it('data without shape has no significant loop, whatever the null', async () => {
    const options = { lens: along(0), cover: { cubes: 6, overlap: 0.3 }, clusterer: single(0.6) };
    for (const kind of ['rotated', 'shuffled', 'gaussian'] as const) {
      const ps: number[] = [];
      for (let seed = 0; seed < 8; seed++) {
        const x = ball(120, 2, 100 + seed);
        const graph = await mapperGraph(x, options);
        const nulls = await mapperNulls(x, graph, make(options), { kind, runs: 9, seed: 40 * seed });
        ps.push(nulls.comparison.find((c) => c.statistic === 'longest loop')!.pMore);
      }
      // Under the null p ≤ 0.1 has probability 0.1 at most: 5 of 8 or more, 0.0004.
      expect(ps.filter((p) => p <= 0.1).length).toBeLessThan(5);
      expect(ps.filter((p) => p > 0.25).length).toBeGreaterThan(2);
    }
  });

  it('an empty graph, one node, and all noise have defined figures', async () => {
    const figures = async (x: ReturnType<typeof ball>, options: MapperOptions): Promise<object> => {
      const graph = await mapperGraph(x, options);
      const { nodes, edges, components, loops, noiseShare } = graphStatistics(graph);
      return { nodes, edges, components, loops, noiseShare, findings: findings(graph).length };
    };
    expect(await figures(matrix(0, 2), {})).toEqual({
      nodes: 0, edges: 0, components: 0, loops: 0, noiseShare: 0, findings: 0,
    }); // prettier-ignore
    expect(await figures(ball(30, 2, 1), { lens: along(0), cover: { cubes: 1 }, clusterer: single(100) })).toEqual({
      nodes: 1,
      edges: 0,
      components: 1,
      loops: 0,
      noiseShare: 0,
      findings: 0,
    });
    expect(
      await figures(ball(30, 2, 1), {
        lens: along(0),
        clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1e-6, minSamples: 3 },
      }),
    ).toEqual({ nodes: 0, edges: 0, components: 0, loops: 0, noiseShare: 1, findings: 0 });
  });

  it('null runs that are remembered are not made again', async () => {
    const options = { lens: along(0), cover: { cubes: 4, overlap: 0.3 }, clusterer: single(0.5) };
    const x = ball(60, 2, 5);
    const graph = await mapperGraph(x, options);
    const kept = new Map<string, unknown>();
    const remember = async <T>(run: string, makeRun: () => Promise<T>): Promise<T> => {
      if (!kept.has(run)) kept.set(run, await makeRun());
      return kept.get(run) as T;
    };
    const first = await mapperNulls(x, graph, make(options), { runs: 4 }, {}, remember);
    let made = 0;
    const counted: MakeGraph = (y, call) => {
      made++;
      return make(options)(y, call);
    };
    const second = await mapperNulls(x, graph, counted, { runs: 6 }, {}, remember);
    expect(second.runs.slice(0, 4)).toEqual(first.runs);
    // The first is kept as a graph and made anew; the fifth and sixth were not there.
    expect(made).toBe(3);
    await expect(mapperNulls(x, graph, counted, { by: 3 })).rejects.toThrow(/dimensions 0 to 0/);
  });
});
