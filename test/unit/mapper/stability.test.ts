import { describe, expect, it } from 'vitest';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { mapperGraph, type MapperOptions } from '#kernel/mapper/graph.js';
import { adjustedRand, bestJaccard, drawRows, nodesOfPoints, optionsOf } from '#kernel/mapper/resample.js';
import { mapperStability } from '#kernel/mapper/stability.js';
import { ball, blobs } from '#test/kit/shapes.js';

const OPTIONS: MapperOptions = {
  lens: { kind: 'pca', components: 1 },
  cover: { cubes: 4, overlap: 0.3 },
  clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1, minSamples: 3 },
};

describe('mapperStability', () => {
  it('separate blobs stay together and apart in every draw; nodes come back better than by chance', async () => {
    const x = blobs(150, 1);
    const graph = await mapperGraph(x, OPTIONS);
    const s = await mapperStability(x, graph, OPTIONS, { runs: 9, seed: 2, pairs: 300 });
    expect(s.component.apart).toEqual({ pairs: 300, share: 0 });
    expect(s.component.together.share).toBeGreaterThan(0.9);
    expect(s.node.together.share).toBeGreaterThan(3 * s.node.apart.share);
    expect(s.overall.mean).toBeGreaterThan(0.6);
    expect(s.chance.mean).toBeLessThan(0.4);
    expect(s.chance.p).toBe(1 / 10);
    expect(s.jaccard.length).toBe(graph.nodes);
    expect(s.statistics.length).toBe(9);
    expect(await mapperStability(x, graph, OPTIONS, { runs: 9, seed: 2, pairs: 300 })).toEqual(s);
  });

  it('a subsample of all points gives the graph back exactly', async () => {
    const x = ball(80, 3, 4);
    const graph = await mapperGraph(x, OPTIONS);
    const s = await mapperStability(x, graph, OPTIONS, { runs: 2, resample: 'subsample', share: 1 });
    expect([...s.jaccard].every((v) => v === 1)).toBe(true);
    expect([s.overall.mean, s.overall.std, s.node.together.share, s.node.apart.share]).toEqual([1, 0, 1, 0]);
    expect(s.statistics).toEqual([s.observed, s.observed]);
  });

  it('an empty graph has no stability rather than a wrong one', async () => {
    const x = ball(20, 2, 1);
    const options: MapperOptions = { ...OPTIONS, clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1e-9 } };
    const s = await mapperStability(x, await mapperGraph(x, options), options, { runs: 2, resample: 'subsample' });
    expect(s.jaccard.length).toBe(0);
    expect([s.overall.mean, s.node.together.share, s.component.apart.share]).toEqual([NaN, NaN, NaN]);
  });

  it('refuses a graph of other points; stops when cancelled', async () => {
    const x = ball(30, 2, 1);
    const graph = await mapperGraph(x, OPTIONS);
    await expect(mapperStability(ball(29, 2, 1), graph, OPTIONS)).rejects.toThrow(/30 points but x has 29/);
    await expect(mapperStability(x, graph, OPTIONS, {}, { signal: AbortSignal.abort() })).rejects.toThrow(/cancelled/);
  });
});

describe('resampling', () => {
  it('takes what options hold per point along', () => {
    const rows = Int32Array.of(0, 2, 2);
    const distances = matrix(3, 3, Float32Array.of(0, 1, 2, 1, 0, 3, 2, 3, 0));
    const activations = {
      meta: { tokens: 10 },
      statistics: {
        firings: Uint32Array.of(1, 2, 3),
        sum: Float64Array.of(1, 2, 3),
        sumSquares: Float64Array.of(1, 2, 3),
        max: Float32Array.of(1, 2, 3),
      },
    };
    const lens: MapperOptions['lens'] = [
      { kind: 'join', lenses: [Float64Array.of(5, 6, 7), { kind: 'firingRate', activations }, 'l2norm'] as never },
      'minmax',
    ];
    const out = optionsOf({ lens, distances }, rows);
    expect(out.distances!.data).toEqual(Float32Array.of(0, 2, 2, 2, 0, 0, 2, 0, 0));
    expect(out.lens).toEqual([
      {
        kind: 'join',
        lenses: [
          [{ kind: 'column', values: Float64Array.of(5, 7, 7) }],
          [
            {
              kind: 'firingRate',
              activations: {
                meta: { tokens: 10 },
                statistics: {
                  firings: Uint32Array.of(1, 3, 3),
                  sum: Float64Array.of(1, 3, 3),
                  sumSquares: Float64Array.of(1, 3, 3),
                  max: Float32Array.of(1, 3, 3),
                },
              },
            },
          ],
          ['l2norm'],
        ],
      },
      'minmax',
    ]);
  });

  it('draws n with replacement, or a share without', () => {
    const boot = drawRows(1000, 'bootstrap', 0.8, new Random(1));
    expect(boot.length).toBe(1000);
    // 1 − 1/e of the points.
    expect(Math.abs(new Set(boot).size / 1000 - (1 - Math.exp(-1)))).toBeLessThan(0.04);
    expect(new Set(drawRows(10, 'subsample', 0.8, new Random(1))).size).toBe(8);
  });

  it('bestJaccard has the values found by hand', async () => {
    const base = await mapperGraph(ball(8, 1, 1), OPTIONS);
    const graph = {
      ...base,
      points: 6,
      nodes: 2,
      membersAt: Int32Array.of(0, 3, 5),
      members: Int32Array.of(0, 1, 2, 3, 4),
    };
    // A bootstrap with rows 0, 0, 1, 3, 5: nodes {0, 1} (0 twice) and {3, 5}.
    const rows = Int32Array.of(0, 0, 1, 3, 5);
    const drawn = {
      ...base,
      points: 5,
      nodes: 2,
      membersAt: Int32Array.of(0, 3, 5),
      members: Int32Array.of(0, 1, 2, 3, 4),
    };
    const present = Uint8Array.of(1, 1, 0, 1, 0, 1);
    expect([...bestJaccard(graph, nodesOfPoints(drawn, 6, rows), present)]).toEqual([1, 1 / 2]);
  });

  it('adjustedRand agrees with scikit-learn', () => {
    // sklearn.metrics.adjusted_rand_score
    expect(adjustedRand([0, 0, 1, 1], [0, 0, 1, 2])).toBeCloseTo(0.5714285714285714, 14);
    expect(adjustedRand([0, 0, 1, 1], [0, 1, 0, 1])).toBeCloseTo(-0.5, 14);
    expect(adjustedRand([0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2, 2])).toBeCloseTo(0.2125, 14);
    expect(adjustedRand([0, 0, 0], [3, 3, 3])).toBe(1);
    expect(adjustedRand([], [])).toBe(1);
  });
});
