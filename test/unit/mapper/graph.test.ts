/** The whole pipeline: what nodes hold, what covers share, and what bad input says. */
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '../../../src/kernel/compute/matrix.js';
import { Random } from '../../../src/kernel/compute/random.js';
import { mapperGraph } from '../../../src/kernel/mapper/graph.js';
import { prepareMapper } from '../../../src/kernel/mapper/plan.js';

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
