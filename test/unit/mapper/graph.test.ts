/** The whole pipeline: what nodes hold, what covers share, and what bad input says. */
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { Bits, labelsOf } from '#kernel/mapper/dbscan.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import { labelsOfPairs } from '#kernel/mapper/pairs.js';
import { prepareMapper } from '#kernel/mapper/plan.js';
import { freshFg } from '#test/kit/fg.js';

/** Points around `clusters` random unit directions. */
function clustered(rows: number, cols: number, clusters: number, noise: number, seed: number): Matrix {
  const random = new Random(seed);
  const centres = random.normals(new Float32Array(clusters * cols));
  const x = matrix(rows, cols);
  for (let i = 0; i < rows; i++) {
    const c = random.int(clusters);
    for (let j = 0; j < cols; j++) x.data[i * cols + j] = centres[c * cols + j] + noise * random.normal();
  }
  return x;
}

function circle(n: number, noise: number, seed: number): Matrix {
  const random = new Random(seed);
  const x = matrix(n, 2);
  for (let i = 0; i < n; i++) {
    const t = (2 * Math.PI * i) / n;
    x.data[2 * i] = Math.cos(t) + noise * random.normal();
    x.data[2 * i + 1] = Math.sin(t) + noise * random.normal();
  }
  return x;
}

describe('Mapper', () => {
  it('gives one loop for a noisy circle', async () => {
    const graph = await mapperGraph(circle(400, 0.03, 1), {
      lens: { kind: 'dimensions', columns: [0] },
      cover: { cubes: 8, overlap: 0.3 },
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 0.2, minSamples: 3 },
    });
    expect(graph.components).toBe(1);
    expect(graph.betti).toEqual([1, 1, 0]);
    expect(graph.euler).toBe(0);
    expect(graph.noise.length).toBe(0);
  });

  it('gives three components for three blobs', async () => {
    const graph = await mapperGraph(clustered(300, 5, 3, 0.05, 3), {
      cover: { cubes: 4, overlap: 0.4 },
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 0.5, minSamples: 3 },
    });
    expect(graph.components).toBe(3);
    expect(graph.betti[0]).toBe(3);
  });

  it('gives the same graphs from a plan that keeps neighbours as from single runs', async () => {
    const x = clustered(700, 16, 12, 0.4, 2);
    for (const metric of ['cosine', 'euclidean'] as const) {
      const options = {
        clusterer: { kind: 'dbscan' as const, metric, eps: metric === 'cosine' ? 0.1 : 2, minSamples: 4 },
      };
      const plan = await prepareMapper(x, options);
      for (const cover of [
        { cubes: 3, overlap: 0.4 },
        { cubes: 6, overlap: 0.1 },
        { cubes: [5, 2], overlap: 0.5 },
      ]) {
        const kept = await plan.run(cover);
        const alone = await mapperGraph(x, { ...options, cover });
        expect(kept).toEqual(alone);
        expect(alone.nodes).toBeGreaterThan(5);
      }
    }
  });
});

describe('DBSCAN from pairs of neighbours', () => {
  it('has the labels that rows of neighbours give, border points and noise included', () => {
    const random = new Random(8);
    let borders = 0;
    for (let run = 0; run < 60; run++) {
      const m = 2 + random.int(90);
      const bits = new Bits(m);
      const pairs: number[] = [];
      for (let i = 0; i < m; i++) {
        bits.join(i, i);
        for (let j = i + 1; j < m; j++)
          if (random.next() < 2.5 / m) {
            bits.join(i, j);
            pairs.push(...(random.next() < 0.5 ? [i, j] : [j, i]));
          }
      }
      const minSamples = 2 + random.int(4);
      const labels = labelsOfPairs(Int32Array.from(pairs), m, minSamples);
      expect([...labels]).toEqual([...labelsOf(bits, minSamples)]);
      borders += labels.reduce(
        (c, l, i) => c + (l >= 0 && 1 + pairs.filter((p) => p === i).length < minSamples ? 1 : 0),
        0,
      );
    }
    expect(borders).toBeGreaterThan(100);
  });
});

describe('Mapper of bad input', () => {
  const session = freshFg();
  const one = { lens: { kind: 'dimensions', columns: [0] }, cover: { cubes: 3, overlap: 0.2 } } as const;
  const near = { kind: 'dbscan', metric: 'euclidean', eps: 0.5, minSamples: 3 } as const;
  const said = (graph: { warnings: readonly string[] }): string => graph.warnings.join(' | ');

  it('leaves rows with NaN out, counts them and keeps row numbers', async () => {
    const x = clustered(60, 4, 2, 0.1, 5);
    x.data[4 * 7 + 2] = NaN;
    x.data[4 * 59] = Infinity;
    const graph = await mapperGraph(x, { ...one, clusterer: near });
    expect(Array.from(graph.excluded)).toEqual([7, 59]);
    expect(said(graph)).toContain('2 of 60 points have no finite values');
    expect(graph.members.includes(7) || graph.noise.includes(7)).toBe(false);
    expect(graph.lens.values[7]).toBeNaN();
    expect(new Set([...graph.members, ...graph.noise]).size).toBe(58);
  });

  it('leaves out points whose own column is NaN', async () => {
    const x = clustered(30, 4, 2, 0.1, 5);
    const values = Float64Array.from({ length: 30 }, (_, i) => (i === 3 ? NaN : i));
    const graph = await mapperGraph(x, { ...one, lens: values, clusterer: near });
    expect(Array.from(graph.excluded)).toEqual([3]);
    await expect(mapperGraph(x, { ...one, lens: values.slice(1) })).rejects.toThrow('has 29 values but there are 30');
  });

  it('explains no points, one point, and fewer points than a cluster needs', async () => {
    for (const [rows, text] of [
      [0, 'no points are left: the graph is empty'],
      [1, '1 points are fewer than the 3 that a cluster needs'],
      [2, '2 points are fewer than the 3 that a cluster needs'],
    ] as const) {
      const x = matrix(
        rows,
        3,
        Float32Array.from({ length: rows * 3 }, (_, i) => i),
      );
      const graph = await mapperGraph(x, { ...one, clusterer: near });
      expect(graph.nodes).toBe(0);
      expect(graph.betti).toEqual([0, 0, 0]);
      expect(said(graph)).toContain(text);
    }
    const nan = matrix(4, 2, new Float32Array(8).fill(NaN));
    expect(said(await mapperGraph(nan))).toContain('no points are left');
  });

  it('explains that all points are noise', async () => {
    const graph = await mapperGraph(clustered(80, 6, 80, 0.1, 1), { ...one, clusterer: { ...near, eps: 1e-3 } });
    expect(graph.nodes).toBe(0);
    expect(graph.noise.length).toBe(80);
    expect(graph.cubes.allNoise).toBe(graph.cubes.total - graph.cubes.skipped);
    expect(said(graph)).toContain('all points of all 3 clustered elements are noise');
  });

  it('explains one cube, and a graph without edges', async () => {
    const x = clustered(80, 6, 3, 0.05, 1);
    const graph = await mapperGraph(x, { ...one, cover: { cubes: 1 }, clusterer: near });
    expect(graph.nodes).toBe(3);
    expect(graph.components).toBe(3);
    expect(said(graph)).toContain('one cover element holds every clustered point');
    expect(said(graph)).toContain('no two nodes share points');
  });

  it('refuses a nearly constant lens unless told to go on', async () => {
    const x = clustered(80, 6, 3, 0.3, 1);
    for (let i = 0; i < 80; i++) {
      const row = x.data.subarray(6 * i, 6 * i + 6);
      const length = Math.hypot(...row);
      row.forEach((v, j) => (row[j] = v / length));
    }
    await expect(mapperGraph(x, { lens: 'l2norm' })).rejects.toThrow('lens "l2 norm" is nearly constant: from 1 to 1');
    await expect(mapperGraph(x, { lens: ['l2norm', 'minmax'] })).rejects.toThrow('nearly constant');
    const graph = await mapperGraph(x, { lens: 'l2norm', allowConstantLens: true });
    expect(said(graph)).toContain('nearly constant');
    const joined = await mapperGraph(x, { lens: { kind: 'join', lenses: ['l2norm', { kind: 'pca', components: 1 }] } });
    expect(joined.lens.dims).toBe(2);
    expect(said(joined)).toContain('lens "l2 norm" is nearly constant');
  });

  it('refuses options out of range and options that there are not', async () => {
    const x = clustered(40, 4, 2, 0.3, 1);
    const wrong: Array<[Parameters<typeof mapperGraph>[1] & object, string]> = [
      [{ clusterer: { kind: 'dbscan', eps: 0 } }, 'eps is 0'],
      [{ clusterer: { kind: 'dbscan', minSamples: 0 } }, 'minSamples is 0'],
      [{ clusterer: { kind: 'hdbscan', minClusterSize: 1 } }, 'minClusterSize is 1'],
      [{ clusterer: { kind: 'agglomerative', nClusters: 2, gap: 0.3 } }, 'give one of'],
      [{ clusterer: { kind: 'dbscan', epsilon: 1 } as never }, 'no option "epsilon" (did you mean "eps"?)'],
      [
        { clusterer: { kind: 'dbcan' } as never },
        "kind is \"dbcan\" (did you mean 'dbscan'?); expected 'dbscan', 'hdbscan'",
      ],
      [
        { cover: { radius: 1 } as never },
        'cover of kind \'cubes\' has no option "radius"; it has cubes, overlap, limits',
      ],
      [{ cover: { kind: 'balls' } as never }, 'cover.radius is missing; expected a number above 0'],
      [
        { lens: { kind: 'umap', minDst: 0.1 } as never },
        'lens of kind \'umap\' has no option "minDst" (did you mean "minDist"?)',
      ],
      [
        { lens: ['pca', { kind: 'knnDistance', kk: 3 }] as never },
        'lens[1] of kind \'knnDistance\' has no option "kk"',
      ],
      [
        { lens: { kind: 'join', lenses: ['pca', { kind: 'pca', component: 1 }] } as never },
        'lens.lenses[1] of kind \'pca\' has no option "component" (did you mean "components"?)',
      ],
      [{ lens: { kind: 'firingRate' } as never }, 'activations is missing; expected what fg.activations.save returned'],
      [{ clusterer: { kind: 'dbscan', metric: 'precomputed' } }, 'needs the option distances'],
      [{ distances: matrix(40, 40) }, "expected 'precomputed'"],
      [{ cover: { cubes: 0 } }, 'cubes is 0'],
      [{ cover: { overlap: 1 } }, 'overlap is 1'],
      [{ cover: { cubes: [3, 3, 3] } }, 'cubes has 3 entries but the lens has 2'],
      [{ cover: { kind: 'balls', radius: 0 } }, 'radius is 0'],
      [{ lens: 'norm' as never }, 'kind is "norm" (did you mean \'l2norm\'?)'],
      [{ lens: { kind: 'pca', components: 9 } }, 'from 1 to 4'],
      [{ minIntersection: 0 }, 'minIntersection is 0'],
      [{ eps: 1 } as never, 'no option "eps"'],
    ];
    for (const [options, text] of wrong) await expect(session.fg.mapper.graph(x, options)).rejects.toThrow(text);
  });

  it('stops when it is cancelled', async () => {
    const signal = AbortSignal.abort();
    await expect(mapperGraph(clustered(400, 8, 3, 0.3, 1), { signal })).rejects.toThrow('cancelled');
  });
});

describe('Mapper with other parts', () => {
  const x = clustered(200, 6, 6, 0.3, 8);

  it('takes distances, and gives what the metric gives', async () => {
    const d = matrix(200, 200);
    for (let i = 0; i < 200; i++)
      for (let j = 0; j < 200; j++) {
        let sum = 0;
        for (let k = 0; k < 6; k++) sum += (x.data[i * 6 + k] - x.data[j * 6 + k]) ** 2;
        d.data[i * 200 + j] = Math.sqrt(sum);
      }
    for (const kind of [
      { kind: 'dbscan', eps: 0.9 },
      { kind: 'agglomerative', distanceThreshold: 0.9 },
    ] as const) {
      const own = await mapperGraph(x, { clusterer: { ...kind, metric: 'euclidean' } });
      const given = await mapperGraph(x, { clusterer: { ...kind, metric: 'precomputed' }, distances: d });
      expect(given.members).toEqual(own.members);
      expect(given.edges).toEqual(own.edges);
      expect(own.nodes).toBeGreaterThan(5);
    }
  });

  it('covers every point by balls, by nearest points and by balanced cubes', async () => {
    for (const cover of [
      { kind: 'balls', radius: 0.5 },
      { kind: 'knn', k: 20 },
      { kind: 'balanced', cubes: 4 },
    ] as const) {
      const graph = await mapperGraph(x, { cover, clusterer: { kind: 'agglomerative', nClusters: 1 } });
      expect(new Set([...graph.members, ...graph.noise]).size).toBe(200);
      if (cover.kind === 'knn') expect(graph.membersAt[1]).toBe(20);
    }
    const balanced = await mapperGraph(x, {
      lens: { kind: 'dimensions', columns: [0] },
      cover: { kind: 'balanced', cubes: 4, overlap: 0 },
      clusterer: { kind: 'agglomerative', nClusters: 1 },
    });
    const sizes = Array.from({ length: 4 }, (_, i) => balanced.membersAt[i + 1] - balanced.membersAt[i]);
    for (const size of sizes) expect(Math.abs(size - 50)).toBeLessThanOrEqual(1);
  });

  it('joins nodes that share at least minIntersection points', async () => {
    const options = {
      cover: { cubes: 4, overlap: 0.5 },
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1.2 },
    } as const;
    const all = await mapperGraph(x, options);
    const some = await mapperGraph(x, { ...options, minIntersection: 4 });
    expect(Array.from(some.weight)).toEqual(Array.from(all.weight).filter((w) => w >= 4));
    expect(some.weight.length).toBeLessThan(all.weight.length);
  });

  it('has a nerve that a count over all sets of nodes confirms', async () => {
    const g = await mapperGraph(x, {
      cover: { cubes: 3, overlap: 0.6 },
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1.5 },
    });
    const sets = Array.from(
      { length: g.nodes },
      (_, i) => new Set(g.members.subarray(g.membersAt[i], g.membersAt[i + 1])),
    );
    const share = (ids: number[]): number => [...sets[ids[0]]].filter((p) => ids.every((i) => sets[i].has(p))).length;
    const expected: number[][] = [[], [], []];
    const weights: number[] = [];
    const grow = (ids: number[]): void => {
      for (let next = ids[ids.length - 1] + 1; next < g.nodes; next++) {
        const more = [...ids, next];
        const n = share(more);
        if (n === 0) continue;
        expected[ids.length - 1].push(...more);
        if (ids.length === 1) weights.push(n);
        if (ids.length < 3) grow(more);
      }
    };
    for (let i = 0; i < g.nodes; i++) grow([i]);
    expect(Array.from(g.edges)).toEqual(expected[0]);
    expect(Array.from(g.weight)).toEqual(weights);
    expect(Array.from(g.triangles)).toEqual(expected[1]);
    expect(Array.from(g.tetrahedra)).toEqual(expected[2]);
    expect(expected[2].length).toBeGreaterThan(0);
  });

  it('gives the same identity for the same call, another for other options', async () => {
    const [a, b, c] = [await mapperGraph(x), await mapperGraph(x), await mapperGraph(x, { cover: { cubes: 9 } })];
    expect(a).toEqual(b);
    expect(a.id).not.toBe(c.id);
  });
});
