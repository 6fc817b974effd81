import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { exactKnn, type Neighbors } from '#kernel/compute/knn.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { heldPool } from '#test/kit/heldPool.js';

beforeAll(initGemm);
const held = heldPool();

const normals = (rows: number, cols: number, seed: number): Matrix =>
  matrix(rows, cols, new Random(seed).normals(new Float32Array(rows * cols)));

/** By a full sort in float64; distances with the sums of the search. */
function brute(x: Matrix, k: number, metric: 'euclidean' | 'cosine', rows: readonly number[]): Map<number, number[]> {
  const { data, cols, rows: n } = x;
  const dot = (i: number, j: number, of: (a: number, b: number) => number): number => {
    const s = [0, 0, 0, 0];
    const fours = cols - (cols % 4);
    for (let c = 0; c < cols; c++) s[c < fours ? c % 4 : 0] += of(data[i * cols + c], data[j * cols + c]);
    return s[0] + s[1] + (s[2] + s[3]);
  };
  const times = (a: number, b: number): number => a * b;
  const lengths = Float64Array.from({ length: n }, (_, i) => Math.sqrt(dot(i, i, times)));
  const distance = (i: number, j: number): number => {
    if (metric === 'euclidean') return dot(i, j, (a, b) => (a - b) ** 2);
    const both = lengths[i] * lengths[j];
    return both === 0 ? 2 : Math.min(4, Math.max(0, 2 - (2 * dot(i, j, times)) / both));
  };
  return new Map(
    rows.map((i) => {
      const all = Array.from({ length: n }, (_, j) => ({ j, d: distance(i, j) })).filter(({ j }) => j !== i);
      all.sort((a, b) => a.d - b.d || a.j - b.j);
      return [i, all.slice(0, k).map(({ j }) => j)];
    }),
  );
}

function expectBrute(got: Neighbors, x: Matrix, k: number, metric: 'euclidean' | 'cosine', every = 41): void {
  const rows = Array.from({ length: Math.ceil(x.rows / every) }, (_, i) => i * every);
  for (const [i, near] of brute(x, k, metric, rows))
    expect([...got.indices.subarray(i * k, (i + 1) * k)], `row ${i}`).toEqual(near);
}

describe.each(['euclidean', 'cosine'] as const)('neighbours by shared tiles, %s', (metric) => {
  it.each([8, 32] as const)('are those of a full sort, from products of %i bits', async (bits) => {
    const x = normals(2309, 41, 5);
    const got = await exactKnn(x, 7, { metric, bits, workers: 0 });
    expectBrute(got, x, 7, metric);
    expect(got).toEqual(await exactKnn(x, 7, { metric }));
  });

  it('are the same bits for any number of workers, in rows that 8 bits suffice for and in clusters', async () => {
    const x = normals(3000, 64, 6);
    for (let i = 0; i < x.data.length; i++) if (Math.floor(i / 64) % 3 === 0) x.data[i] += 4 * ((i % 64) % 2);
    const alone = await exactKnn(x, 14, { metric });
    for (const workers of [1, 2, 3]) expect(await exactKnn(x, 14, { metric, workers, pool: held.pool })).toEqual(alone);
  });

  it('give repeated rows to the lower index, and put zero rows where the metric says', async () => {
    const x = normals(1500, 12, 7);
    for (let i = 0; i < 600; i++) x.data.set(x.data.subarray(0, 12), i * 12);
    x.data.fill(0, 700 * 12, 702 * 12);
    const got = await exactKnn(x, 5, { metric, workers: 2, pool: held.pool });
    expect([...got.indices.subarray(0, 5)]).toEqual([1, 2, 3, 4, 5]);
    expect([...got.indices.subarray(599 * 5, 600 * 5)]).toEqual([0, 1, 2, 3, 4]);
    expectBrute(got, x, 5, metric, 50);
    expect(got).toEqual(await exactKnn(x, 5, { metric }));
  });
});

it('rows of few values, whose 8 bits err along the row, have their exact neighbours all the same', async () => {
  const random = new Random(11);
  const levels = [1, -1, 0.3, -0.3];
  const x = matrix(1600, 96);
  for (let i = 0; i < x.data.length; i++) x.data[i] = levels[random.int(4)];
  for (const metric of ['euclidean', 'cosine'] as const)
    expect(await exactKnn(x, 10, { metric, bits: 8, workers: 0 })).toEqual(await exactKnn(x, 10, { metric }));
});

it('rows of any scale have the same neighbours', async () => {
  const x = normals(1300, 20, 8);
  const plain = await exactKnn(x, 6, { metric: 'euclidean', workers: 0 });
  for (const scale of [2 ** 120, 2 ** -90]) {
    const scaled = matrix(x.rows, x.cols, x.data.map((v) => v * scale)); // prettier-ignore
    const got = await exactKnn(scaled, 6, { metric: 'euclidean', workers: 0 });
    expect(got.indices).toEqual(plain.indices);
    expect(got.distances).toEqual(plain.distances.map((v) => v * scale));
  }
});

it('names an entry that is not a finite number', async () => {
  for (const odd of [NaN, Infinity]) {
    const x = normals(1200, 7, 10);
    x.data[1100 * 7 + 6] = odd;
    const search = exactKnn(x, 3, { metric: 'cosine', workers: 0 });
    await expect(search).rejects.toThrow(
      `nearest neighbours: row 1100 of x has ${odd} at column 6; leave such rows out first`,
    );
  }
});

it('constant rows leave all in doubt, and each gets the lowest indices', async () => {
  const got = await exactKnn(matrix(1100, 8, new Float32Array(8800).fill(0.1)), 4, { metric: 'euclidean', workers: 0 });
  for (const i of [0, 3, 500, 1099])
    expect([...got.indices.subarray(4 * i, 4 * i + 4)]).toEqual([0, 1, 2, 3, 4].filter((j) => j !== i).slice(0, 4));
  expect([...got.distances].every((d) => d === 0)).toBe(true);
});

it('reports rows, and stops when asked', async () => {
  const x = normals(6000, 64, 9);
  const stop = new AbortController();
  let seen = 0;
  await exactKnn(x, 3, { metric: 'euclidean', workers: 2, pool: held.pool, onProgress: (p) => (seen = p.done ?? 0) });
  expect(seen).toBe(6000);
  const running = exactKnn(x, 3, { metric: 'euclidean', workers: 2, pool: held.pool, signal: stop.signal });
  setTimeout(() => stop.abort(), 5);
  await expect(running).rejects.toThrow('nearest neighbours was cancelled');
});
