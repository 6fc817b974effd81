import { describe, expect, it } from 'vitest';
import { UMAP } from 'umap-js';
import { exactKnn } from '#kernel/compute/knn.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { components, fuzzyUnion, memberships } from '#kernel/maps/fuzzyGraph.js';
import { pca, principalAxes, project } from '#kernel/maps/pca.js';
import { trustworthiness } from '#kernel/maps/trustworthiness.js';
import { umap, umapGraph } from '#kernel/maps/umap.js';
import { lcg } from '#test/kit/numbers.js';
import goldens from '#test/goldens/maps.json' with { type: 'json' };

/** The rows that test/goldens/maps.py made. */
function goldenRows(): Matrix {
  const { n, d } = goldens;
  const data = Float32Array.from(lcg(n * d, 7), (u, i) => u + 2 * (Math.floor(i / d) % 3) * ((i % d) % 2));
  return matrix(n, d, data);
}

/** Gaussian clusters on the corners of a cube. */
function clusters(n: number, d: number, count: number, seed = 1, noise = 0.3): Matrix {
  const random = new Random(seed);
  const centres = random.normals(new Float32Array(count * d));
  const data = new Float32Array(n * d);
  for (let i = 0; i < n * d; i++)
    data[i] = centres[(Math.floor(i / d) % count) * d + (i % d)] + noise * random.normal();
  return matrix(n, d, data);
}

describe('PCA', () => {
  it('agrees with scikit-learn up to the sign of an axis', async () => {
    const layout = await pca(goldenRows());
    goldens.pca.ratio.forEach((r, c) => expect(layout.explainedVarianceRatio![c]).toBeCloseTo(r, 6));
    for (let c = 0; c < 2; c++) {
      const theirs = goldens.pca.coordinates.filter((_, i) => i % 2 === c);
      const ours = [...layout.coordinates].filter((_, i) => i % 2 === c);
      const sign = Math.sign(ours.reduce((s, v, i) => s + v * theirs[i], 0));
      ours.forEach((v, i) => expect(sign * v).toBeCloseTo(theirs[i], 4));
    }
  });

  it('finds the leading axes of wide rows by iteration as the whole eigenproblem does', async () => {
    const random = new Random(3);
    const n = 500;
    const d = 400;
    const data = new Float32Array(n * d);
    for (let i = 0; i < n; i++) {
      const [p, q] = [5 * random.normal(), 3 * random.normal()];
      for (let j = 0; j < d; j++)
        data[i * d + j] =
          7 + (j % 2 ? p : -p) / Math.sqrt(d) + (j % 4 < 2 ? q : -q) / Math.sqrt(d) + 0.05 * random.normal();
    }
    const { axes, variances } = await principalAxes(matrix(n, d, data), 2);
    expect(Math.abs(axes.slice(0, d).reduce((s, v, j) => s + (j % 2 ? v : -v) / Math.sqrt(d), 0))).toBeGreaterThan(
      0.999,
    );
    expect(Math.abs(axes.slice(d).reduce((s, v, j) => s + (j % 4 < 2 ? v : -v) / Math.sqrt(d), 0))).toBeGreaterThan(
      0.999,
    );
    expect(variances[0]).toBeGreaterThan(variances[1]);
  });

  it('finds the axes of many rows by float32 products: eigenvectors of the float64 covariance, the largest first', async () => {
    const random = new Random(4);
    const [n, d] = [2003, 711]; // above 1e9 multiplications, and no multiple of any block
    const planted = Array.from({ length: 3 }, () =>
      Float64Array.from({ length: d }, () => random.normal() / Math.sqrt(d)),
    );
    const x = matrix(n, d);
    for (let i = 0; i < n; i++) {
      const along = [9 * random.normal(), 6 * random.normal(), 4 * random.normal()];
      for (let j = 0; j < d; j++)
        x.data[i * d + j] = 20 + random.normal() / 4 + along.reduce((s, v, c) => s + v * planted[c][j], 0);
    }
    const { axes, variances, mean } = await principalAxes(x, 3);
    const coordinates = project(x, { axes, variances, mean, totalVariance: 0 }, 3);
    for (let c = 0; c < 3; c++) {
      const v = axes.subarray(c * d, (c + 1) * d);
      expect(v.reduce((s, e) => s + e * e, 0)).toBeCloseTo(1, 12);
      const image = new Float64Array(d);
      for (let i = 0; i < n; i++) {
        let t = 0;
        for (let j = 0; j < d; j++) t += (x.data[i * d + j] - mean[j]) * v[j];
        expect(coordinates[3 * i + c]).toBeCloseTo(t, 5);
        for (let j = 0; j < d; j++) image[j] += ((x.data[i * d + j] - mean[j]) * t) / (n - 1);
      }
      const rest = Math.sqrt(image.reduce((s, e, j) => s + (e - variances[c] * v[j]) ** 2, 0));
      expect(rest / variances[0]).toBeLessThan(2e-6);
      const share = planted[c].reduce((s, e, j) => s + e * v[j], 0);
      expect(Math.abs(share)).toBeGreaterThan(0.9);
    }
  });

  it('has variances of any scale, by float32 products too', async () => {
    const x = matrix(1100, 960, new Random(6).normals(new Float32Array(1100 * 960)));
    const plain = await principalAxes(x, 1);
    for (const scale of [2 ** 70, 2 ** -80]) {
      const scaled = await principalAxes(
        matrix(
          x.rows,
          x.cols,
          x.data.map((v) => v * scale),
        ),
        1,
      );
      expect(scaled.axes).toEqual(plain.axes);
      expect(scaled.variances[0]).toBe(plain.variances[0] * scale ** 2);
    }
  });

  it('leaves out rows with NaN and says how many', async () => {
    const x = goldenRows();
    x.data[5 * x.cols] = NaN;
    const layout = await pca(x);
    expect(layout.excluded).toBe(1);
    expect(layout.coordinates[10]).toBeNaN();
    expect(layout.coordinates.filter(Number.isNaN)).toHaveLength(2);
  });

  it('gives constant rows zero variance and refuses a single row', async () => {
    const constant = await pca(matrix(4, 3, new Float32Array(12).fill(2)));
    expect([...constant.explainedVarianceRatio!]).toEqual([0, 0]);
    await expect(pca(matrix(1, 3))).rejects.toThrow('at least 2 rows but got 1');
  });
});

describe('fuzzy graph', () => {
  for (const metric of ['euclidean', 'cosine'] as const)
    it(`has umap-learn's edges and weights (${metric})`, async () => {
      const golden = goldens[`graph_${metric}`];
      const { graph } = await umapGraph(goldenRows(), { nNeighbors: 10, metric });
      const ours = new Map(
        [...graph.head].map((h, e) => [`${Math.min(h, graph.tail[e])} ${Math.max(h, graph.tail[e])}`, graph.weight[e]]),
      );
      golden.head.forEach((h, e) => {
        // umap-learn drops nothing either; its float32 distances differ in the last digits.
        expect(ours.get(`${h} ${golden.tail[e]}`) ?? 0, `${h}–${golden.tail[e]}`).toBeCloseTo(golden.weight[e], 3);
      });
      expect(ours.size).toBe(golden.head.length);
    });

  it('is the union a + b − ab of mutual neighbours', () => {
    const near = { indices: Int32Array.of(1, 2, 0, 2, 0, 1), distances: Float32Array.of(1, 2, 1, 3, 2, 3), k: 2 };
    const strengths = Float32Array.of(1, 0.5, 1, 0.25, 0.5, 0);
    const graph = fuzzyUnion(3, near, strengths);
    expect([...graph.head]).toEqual([0, 0, 1]);
    expect([...graph.tail]).toEqual([1, 2, 2]);
    expect([...graph.weight]).toEqual([1, 0.75, 0.25]);
    expect(components(graph)).toEqual({ ids: Int32Array.of(0, 0, 0), count: 1 });
  });

  it('gives duplicates full membership', async () => {
    const near = { indices: Int32Array.of(1, 0), distances: Float32Array.of(0, 0), k: 1 };
    expect([...(await memberships(2, near, 1))]).toEqual([1, 1]);
  });
});

describe('trustworthiness', () => {
  for (const metric of ['euclidean', 'cosine'] as const)
    it(`equals scikit-learn's (${metric})`, async () => {
      const layout = matrix(goldens.n, 2, Float32Array.from(goldens.pca.coordinates));
      for (const [i, k] of [3, 5, 10].entries())
        expect(await trustworthiness(goldenRows(), layout, { k, metric })).toBeCloseTo(
          goldens[`trust_${metric}`][i],
          6,
        );
    });

  it('is 1 for the data itself and refuses k ≥ n / 2', async () => {
    const x = clusters(40, 2, 3);
    expect(await trustworthiness(x, x, { k: 5 })).toBe(1);
    await expect(trustworthiness(x, x, { k: 20 })).rejects.toThrow('k from 1 to 19');
  });
});

describe('UMAP', () => {
  it('keeps neighbours as well as umap-js does on the same neighbours', async () => {
    const x = clusters(300, 10, 6);
    const layout = await umap(x, { seed: 4, nEpochs: 200 });
    const near = await exactKnn(x, 14, { metric: 'euclidean' });
    const random = new Random(4);
    const peer = new UMAP({ nNeighbors: 15, nEpochs: 200, random: () => random.next() });
    const rows = Array.from({ length: x.rows }, (_, i) => [...row(x, i)]);
    peer.setPrecomputedKNN(
      rows.map((_, i) => [i, ...near.indices.subarray(i * 14, (i + 1) * 14)]),
      rows.map((_, i) => [0, ...near.distances.subarray(i * 14, (i + 1) * 14)]),
    );
    const theirs = matrix(x.rows, 2, Float32Array.from(peer.fit(rows).flat()));
    const ours = await trustworthiness(x, matrix(x.rows, 2, layout.coordinates), { k: 10 });
    expect(ours).toBeGreaterThan((await trustworthiness(x, theirs, { k: 10 })) - 0.01);
    expect(ours).toBeGreaterThan(0.9);
  });

  it('puts clusters apart: neighbours in the layout share the cluster', async () => {
    const x = clusters(240, 16, 4);
    const layout = await umap(x, { metric: 'cosine', seed: 1 });
    const near = await exactKnn(matrix(240, 2, layout.coordinates), 5, { metric: 'euclidean' });
    let same = 0;
    near.indices.forEach((j, e) => (same += j % 4 === Math.floor(e / 5) % 4 ? 1 : 0));
    expect(same / near.indices.length).toBeGreaterThan(0.99);
  });

  it('is the same for the same seed and another for another', async () => {
    const x = clusters(80, 6, 2, 2, 1);
    const [a, b, c] = [await umap(x, { seed: 3 }), await umap(x, { seed: 3 }), await umap(x, { seed: 4 })];
    expect(b.coordinates).toEqual(a.coordinates);
    expect(b.id).toBe(a.id);
    expect(c.coordinates).not.toEqual(a.coordinates);
    expect(c.id).not.toBe(a.id);
  });

  it('reports each option that is out of range, and too few rows', async () => {
    const x = clusters(20, 4, 2);
    await expect(umap(x, { nNeighbors: 1 })).rejects.toThrow(
      'UMAP: nNeighbors is 1; expected a whole number of at least 2',
    );
    await expect(umap(x, { minDist: 2, spread: 1.5 })).rejects.toThrow(
      'UMAP: minDist is 2; expected a number from 0 to spread, which is 1.5: lower minDist or raise spread',
    );
    await expect(umap(clusters(3, 4, 1))).rejects.toThrow('at least 4 finite rows but got 3');
  });

  it('leaves NaN rows out, takes more neighbours than points as all, and can be cancelled', async () => {
    const x = clusters(30, 4, 2);
    x.data[4] = Infinity;
    const layout = await umap(x, { nNeighbors: 50, nEpochs: 20 });
    expect(layout.excluded).toBe(1);
    expect(layout.coordinates[2]).toBeNaN();
    expect(layout.coordinates[4]).not.toBeNaN();
    const stop = new AbortController();
    stop.abort();
    await expect(umap(clusters(3000, 4, 2), { signal: stop.signal })).rejects.toThrow('cancelled');
  });

  it('takes neighbours found before: its own give the same layout, those of another distance another graph', async () => {
    const x = clusters(90, 6, 3);
    const neighbours = await exactKnn(x, 14, { metric: 'euclidean' });
    const plain = await umap(x, { nEpochs: 40 });
    const given = await umap(x, { nEpochs: 40, neighbors: neighbours });
    expect(given.coordinates).toEqual(plain.coordinates);
    expect(given.description).toContain('UMAP given neighbours, min_dist 0.1, 40 epochs');
    const other = await umap(x, { nEpochs: 40, neighbors: await exactKnn(x, 5, { metric: 'cosine' }) });
    expect(other.coordinates).not.toEqual(plain.coordinates);
    expect(new Set([plain.id, given.id, other.id]).size).toBe(3);
    const { indices, distances } = neighbours;
    const refused = async (change: Partial<typeof neighbours>, words: string): Promise<void> =>
      expect(umap(x, { neighbors: { indices, distances, ...change } })).rejects.toThrow(words);
    await refused({ indices: indices.map((j, e) => (e === 30 ? 2 : j)) }, 'row 2 has neighbour 2');
    await refused({ indices: indices.map((j, e) => (e === 30 ? 90 : j)) }, 'row 2 has neighbour 90');
    await refused({ distances: distances.map((d, e) => (e === 29 ? NaN : d)) }, 'row 2 has a distance of NaN');
    await refused({ distances: distances.slice(1) }, '1260 indices and 1259 distances');
  });

  it('starts from given positions, which it leaves alone, and refuses what is no n × 2', async () => {
    const x = clusters(60, 6, 3);
    const positions = Float32Array.from({ length: 120 }, (_, e) => Math.sin(e));
    const kept = positions.slice();
    const still = await umap(x, { nEpochs: 1, learningRate: 1e-9, positions });
    still.coordinates.forEach((v, e) => expect(v).toBeCloseTo(positions[e], 5));
    expect(positions).toEqual(kept);
    expect(still.description).toContain('given start');
    await expect(umap(x, { positions: positions.slice(2) })).rejects.toThrow('118 numbers; expected 60 × 2');
    x.data[0] = NaN;
    await expect(umap(x, { positions })).rejects.toThrow('1 of 60 rows have NaN or infinity; leave them out before');
  });
});
