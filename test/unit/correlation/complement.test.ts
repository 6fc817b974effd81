/** Scores of few pairs in many directions go by what the two subspaces leave: the same sums of canonical correlations. */
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { svdThin } from '#kernel/compute/svd.js';
import { complementOf, leavesLess } from '#kernel/correlation/complement.js';
import { similarityScores } from '#kernel/correlation/scores.js';
import { orthonormal } from '#kernel/correlation/subspace.js';

beforeAll(initGemm);

const normal = (n: number, d: number, seed: number): Matrix => matrix(n, d, new Random(seed).normals(new Float32Array(n * d))); // prettier-ignore

/** An orthonormal basis of the centred columns, by Gram-Schmidt; a column each. */
function basisOf(x: Matrix): Float64Array[] {
  return orthonormal(
    Array.from({ length: x.cols }, (_, j) => {
      const column = Float64Array.from({ length: x.rows }, (_, i) => row(x, i)[j]);
      const mean = column.reduce((s, v) => s + v, 0) / x.rows;
      return column.map((v) => v - mean);
    }),
  );
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, v, i) => s + v * b[i], 0);

/** Mean canonical correlation as it is defined: singular values of the product of the two bases. */
function meanCorrelation(x: Matrix, y: Matrix): number {
  const [a, b] = [basisOf(x), basisOf(y)];
  const { S } = svdThin(Float64Array.from(a.flatMap((u) => b.map((v) => dot(u, v)))), a.length, b.length);
  return S.reduce((s, v) => s + Math.min(1, v), 0) / Math.min(a.length, b.length);
}

describe('what a subspace leaves', () => {
  it.each([
    [12, 7],
    [40, 39],
    [65, 33],
    [30, 28],
  ])('of %i centred rows, %i directions: orthonormal, centred, and nothing of the subspace', async (n, k) => {
    // prettier-ignore
    const basis = basisOf(normal(n, k, n));
    const U = new Float64Array(n * k);
    basis.forEach((u, c) => u.forEach((v, i) => (U[i * k + c] = v)));
    const rest = await complementOf(U, n, k);
    expect([rest.k, leavesLess(n, k)]).toEqual([n - 1 - k, true]);
    const columns = Array.from({ length: rest.k }, (_, c) => Float64Array.from({ length: n }, (_, i) => rest.U[i * rest.k + c])); // prettier-ignore
    columns.forEach((a, i) => {
      columns.forEach((b, j) => expect(Math.abs(dot(a, b) - Number(i === j))).toBeLessThan(1e-13));
      for (const u of [...basis, new Float64Array(n).fill(1)]) expect(Math.abs(dot(a, u))).toBeLessThan(1e-12);
    });
  });
});

describe('mean canonical correlation', () => {
  // Both sides leave less than they have; one does; neither; all correlations are 1 for any data.
  it.each([
    [40, 30, 25],
    [40, 38, 39],
    [40, 30, 10],
    [40, 12, 15],
    [20, 40, 30],
  ])('of %i pairs, %i and %i dimensions is that of the definition, as they are and shuffled', async (n, dX, dY) => {
    // prettier-ignore
    const [x, y] = [normal(n, dX, 1), normal(n, dY, 2)];
    for (let i = 0; i < n; i++) for (let j = 0; j < Math.min(dX, dY, 5); j++) y.data[i * dY + j] += x.data[i * dX + j];
    const [score] = await similarityScores(x, y, { metrics: ['cca'], nulls: 30, seed: 3 });
    expect(score.value).toBeCloseTo(meanCorrelation(x, y), 12);
    const random = new Random(3).fork('cca');
    const nulls = Array.from({ length: 30 }, () => {
      const order = random.permutation(n);
      const shuffled = matrix(n, dY);
      order.forEach((from, i) => shuffled.data.set(row(y, from), i * dY));
      return meanCorrelation(x, shuffled);
    });
    expect(score.null.mean).toBeCloseTo(nulls.reduce((s, v) => s + v, 0) / 30, 12);
    expect(score.null.max).toBeCloseTo(Math.max(...nulls), 12);
  });
});
