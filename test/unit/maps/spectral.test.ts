import { describe, expect, it } from 'vitest';
import { symmetricEigen } from '#kernel/compute/linalg.js';
import { Random } from '#kernel/compute/random.js';
import type { FuzzyGraph } from '#kernel/maps/fuzzyGraph.js';
import { spectralLayout } from '#kernel/maps/spectral.js';
import { heldPool } from '#test/kit/heldPool.js';

const graphOf = (points: number, pairs: ReadonlyArray<readonly [number, number, number]>): FuzzyGraph => ({
  points,
  head: Int32Array.from(pairs, ([i]) => i),
  tail: Int32Array.from(pairs, ([, j]) => j),
  weight: Float32Array.from(pairs, ([, , w]) => w),
});

/** A ring, each point tied to its next `reach` neighbours. */
const ring = (points: number, reach: number): FuzzyGraph =>
  graphOf(
    points,
    Array.from({ length: reach * points }, (_, e) => {
      const i = Math.floor(e / reach);
      return [i, (i + 1 + (e % reach)) % points, 1] as const;
    }),
  );

/** A grid whose edges have random weights. */
function grid(width: number, height: number): FuzzyGraph {
  const random = new Random(3);
  const pairs: Array<readonly [number, number, number]> = [];
  for (let i = 0; i < width * height; i++) {
    if ((i + 1) % width) pairs.push([i, i + 1, 0.2 + random.next()]);
    if (i + width < width * height) pairs.push([i, i + width, 0.2 + random.next()]);
  }
  return graphOf(width * height, pairs);
}

describe('the spectral start', () => {
  it('orders a path along its first eigenvector, small and beyond the size whose spectrum is taken whole', async () => {
    for (const n of [50, 300]) {
      const path = graphOf(
        n,
        Array.from({ length: n - 1 }, (_, i) => [i, i + 1, 1] as const),
      );
      const y = (await spectralLayout(path, new Random(0), { workers: 0 }))!;
      const first = Array.from({ length: n }, (_, i) => y[2 * i]);
      const sign = Math.sign(first[n - 1] - first[0]);
      for (let i = 2; i < n - 1; i++) expect(sign * (first[i] - first[i - 1])).toBeGreaterThan(0);
    }
  });

  it('has the eigenvectors of the whole problem, the largest entry positive', async () => {
    const graph = grid(23, 17);
    const n = graph.points;
    const degree = new Float64Array(n);
    graph.weight.forEach((w, e) => {
      degree[graph.head[e]] += w;
      degree[graph.tail[e]] += w;
    });
    const a = new Float64Array(n * n);
    graph.weight.forEach((w, e) => {
      const [i, j] = [graph.head[e], graph.tail[e]];
      a[i * n + j] = a[j * n + i] = w / Math.sqrt(degree[i] * degree[j]);
    });
    const { values, vectors } = symmetricEigen(a, n);
    const y = (await spectralLayout(graph, new Random(0), { workers: 0, dimensions: 3 }))!;
    for (let c = 0; c < 3; c++) {
      const v = Float64Array.from({ length: n }, (_, i) => y[3 * i + c]);
      let share = 0;
      for (let i = 0; i < n; i++) share += v[i] * vectors[i * n + c + 1];
      // A residual of 0.05 (1 − λ) allows an angle of about this over the relative gap to the next eigenvalue.
      expect(Math.abs(share), `vector ${c} of ${values[c + 1]}`).toBeGreaterThan(0.99);
      expect(Math.max(...v)).toBeGreaterThan(-Math.min(...v) * 0.999);
    }
  });

  it('finds the circle of a ring of 3,000 points, whose eigenvalues are 0.00002 below 1 and of one another', async () => {
    const y = (await spectralLayout(ring(3000, 4), new Random(1), { workers: 0 }))!;
    for (let i = 0; i < 3000; i++)
      expect(Math.abs(Math.hypot(y[2 * i], y[2 * i + 1]) / Math.sqrt(2 / 3000) - 1)).toBeLessThan(0.03);
  });

  it('is not found for a thread of 12,000 points, and says so', async () => {
    expect(await spectralLayout(ring(12_000, 1), new Random(1), { workers: 0 })).toBeUndefined();
  });

  it('stops when asked', async () => {
    const stop = AbortSignal.abort();
    await expect(spectralLayout(ring(300, 2), new Random(1), { workers: 0, signal: stop })).rejects.toThrow(
      'UMAP start was cancelled',
    );
  });
});

describe('workers of the spectral start', () => {
  const held = heldPool();

  it('give the same bits whatever their number', async () => {
    const found = [];
    for (const workers of [0, 1, 3])
      found.push(await spectralLayout(grid(60, 50), new Random(2), { workers, pool: held.pool }));
    expect(found[0]).toBeDefined();
    for (const y of found) expect(y).toEqual(found[0]);
  });
});
