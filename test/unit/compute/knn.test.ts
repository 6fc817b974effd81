import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { crossKnn, exactKnn } from '#kernel/compute/knn.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { smallKnn } from '#kernel/compute/smallKnn.js';

beforeAll(() => initGemm());

type Metric = 'euclidean' | 'cosine';
const metrics: Metric[] = ['euclidean', 'cosine'];

function distance(a: Float32Array, b: Float32Array, metric: Metric): number {
  let [sum, ab, aa, bb] = [0, 0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    sum += (a[k] - b[k]) ** 2;
    ab += a[k] * b[k];
    aa += a[k] * a[k];
    bb += b[k] * b[k];
  }
  if (metric === 'euclidean') return Math.sqrt(sum);
  return aa === 0 || bb === 0 ? 1 : 1 - ab / Math.sqrt(aa * bb);
}

/** Checks against a full sort in float64; where distances agree to 1e-12, index order is left to the tie tests. */
function expectExact(
  got: { indices: Int32Array; distances: Float32Array },
  q: Matrix,
  b: Matrix,
  k: number,
  metric: Metric,
): void {
  const row = (m: Matrix, i: number): Float32Array => m.data.subarray(i * m.cols, (i + 1) * m.cols);
  for (let i = 0; i < q.rows; i++) {
    const all = Array.from({ length: b.rows }, (_, j) => ({ j, d: distance(row(q, i), row(b, j), metric) }));
    const sorted = all.filter(({ j }) => q !== b || j !== i).sort((x, y) => x.d - y.d || x.j - y.j);
    const mine = Array.from(got.indices.subarray(i * k, (i + 1) * k));
    expect(new Set(mine).size).toBe(k);
    mine.forEach((j, r) => {
      expect(Math.abs(all[j].d - sorted[r].d)).toBeLessThan(1e-12);
      expect(got.distances[i * k + r]).toBeCloseTo(sorted[r].d, 5);
      if (q === b) expect(j).not.toBe(i);
    });
  }
}

const normals = (rows: number, cols: number, seed: number): Matrix =>
  matrix(rows, cols, new Random(seed).normals(new Float32Array(rows * cols)));

describe.each(metrics)('exactKnn, %s', (metric) => {
  it('agrees with brute force in float64', async () => {
    for (const [n, d, k] of [
      [2, 1, 1],
      [10, 3, 9],
      [150, 20, 5],
      [700, 7, 15],
    ] as const) {
      // prettier-ignore
      const x = normals(n, d, n);
      expectExact(await exactKnn(x, k, { metric }), x, x, k, metric);
    }
  });

  it('crosses block borders', async () => {
    const x = normals(2300, 4, 5);
    expectExact(await exactKnn(x, 3, { metric }), x, x, 3, metric);
  });

  it('stays exact where the float32 product cancels: tight clusters far from the origin and from each other', async () => {
    const random = new Random(6);
    const x = normals(300, 16, 7);
    for (let i = 0; i < x.rows; i++)
      for (let j = 0; j < 16; j++)
        x.data[i * 16 + j] = 100 * ((i % 3) + 1) * (j % 3 === i % 3 ? 1 : 0.5) + random.normal() * 1e-3;
    expectExact(await exactKnn(x, 10, { metric }), x, x, 10, metric);
  });

  it('gives duplicates to the lower index, many more than k of them', async () => {
    const x = normals(120, 5, 8);
    for (let i = 0; i < 100; i++) x.data.set(x.data.subarray(0, 5), i * 5);
    const { indices, distances } = await exactKnn(x, 4, { metric });
    expect([...indices.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
    expect([...indices.subarray(99 * 4, 100 * 4)]).toEqual([0, 1, 2, 3]);
    expect([...distances.subarray(99 * 4, 100 * 4)].every((d) => d < 1e-7)).toBe(true);
    expectExact({ indices, distances }, x, x, 4, metric);
  });

  it('refuses NaN, infinity and k outside 1 … n-1', async () => {
    const x = normals(5, 3, 9);
    for (const k of [0, 5, 1.5, NaN]) await expect(exactKnn(x, k, { metric })).rejects.toThrow('k must be from 1 to 4');
    x.data[7] = NaN;
    await expect(exactKnn(x, 2, { metric })).rejects.toThrow('row 2 of x has NaN at column 1');
  });

  it('stops when aborted and reports progress', async () => {
    const x = normals(50, 3, 10);
    const control = new AbortController();
    let reported = 0;
    await exactKnn(x, 2, { metric, onProgress: (p) => (reported = p.done ?? 0) });
    expect(reported).toBe(50);
    control.abort();
    await expect(exactKnn(x, 2, { metric, signal: control.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('crosses two sets', async () => {
    const base = normals(90, 6, 11);
    const queries = normals(40, 6, 12);
    for (const k of [1, 7, 90]) expectExact(await crossKnn(queries, base, k, { metric }), queries, base, k, metric);
    await expect(crossKnn(queries, base, 91, { metric })).rejects.toThrow('90 base rows');
    await expect(crossKnn(normals(3, 5, 1), base, 2, { metric })).rejects.toThrow('5 columns but base has 6');
  });
});

describe('zero rows under cosine', () => {
  it('are at distance 1 from every row, in order of index', async () => {
    const x = normals(6, 4, 13);
    x.data.fill(0, 8, 12);
    const { indices, distances } = await exactKnn(x, 5, { metric: 'cosine' });
    expect([...indices.subarray(10, 15)]).toEqual([0, 1, 3, 4, 5]);
    expect([...distances.subarray(10, 15)]).toEqual([1, 1, 1, 1, 1]);
    const zeros = await exactKnn(matrix(3, 2), 2, { metric: 'cosine' });
    expect([...zeros.distances]).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

it.each([2 ** 80, 2 ** -90])(
  'rows of any scale have the same neighbours, at distances of that scale: %s',
  async (scale) => {
    const random = new Random(31);
    const x = matrix(300, 20, random.normals(new Float32Array(6000)));
    const times = matrix(
      300,
      20,
      x.data.map((v) => v * scale),
    );
    const [plain, scaled] = [
      await exactKnn(x, 7, { metric: 'euclidean' }),
      await exactKnn(times, 7, { metric: 'euclidean' }),
    ];
    expect(scaled.indices).toEqual(plain.indices);
    expect(scaled.distances).toEqual(plain.distances.map((v) => v * scale));
    const crossed = await crossKnn(times, times, 3, { metric: 'euclidean' });
    expect([...crossed.indices.filter((_, e) => e % 3 === 0)]).toEqual([...Array(300).keys()]);
  },
);

describe('smallKnn, which pages search with', () => {
  it.each([
    ['random rows', (i: number, random: Random) => random.normal() + 0 * i],
    ['rows that repeat', (i: number, random: Random) => ((i % 5) + 0 * random.next() > 2 ? 1 : -((i % 3) + 1))],
    ['rows of zeros among others', (i: number, random: Random) => (i % 12 < 4 ? 0 : random.normal())],
  ])('finds what exactKnn finds: %s', async (_, entry) => {
    const random = new Random(5);
    const x = matrix(
      90,
      4,
      Float32Array.from({ length: 360 }, (_, i) => entry(i, random)),
    );
    const { indices } = await exactKnn(x, 7, { metric: 'cosine' });
    expect((await smallKnn(x, 7)).indices).toEqual(indices);
  });
});
