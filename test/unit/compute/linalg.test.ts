import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { symmetricEigen, symmetricEigenvalues } from '#kernel/compute/linalg.js';
import { svdThin } from '#kernel/compute/svd.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { principalAxes } from '#kernel/maps/pca.js';

const { families, ...golden } = JSON.parse(
  readFileSync(new URL('../../goldens/linalg.json', import.meta.url), 'utf8'),
) as { families: Record<string, number[]> } & Record<string, number[]>;

function hashed(rows: number, cols: number): Float64Array {
  const a = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) a[i * cols + j] = ((i * 7919 + j * 104729 + i * j * 31) % 1009) / 1009 - 0.5;
  return a;
}

const normals = (random: Random, n: number): Float64Array => Float64Array.from({ length: n }, () => random.normal());
const largest = (a: ArrayLike<number>): number => Array.from(a).reduce((m, x) => Math.max(m, Math.abs(x)), 0);

/** Largest entry of XᵀX - I for orthonormal columns. */
function orthogonality(x: Float64Array, rows: number, cols: number): number {
  let worst = 0;
  for (let i = 0; i < cols; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < rows; k++) sum += x[k * cols + i] * x[k * cols + j];
      worst = Math.max(worst, Math.abs(sum - (i === j ? 1 : 0)));
    }
  return worst;
}

/** Largest entry of X diag(s) Yᵀ - A. */
function reconstruction(
  x: Float64Array,
  s: Float64Array,
  y: Float64Array,
  a: Float64Array,
  rows: number,
  cols: number,
): number {
  const r = s.length;
  let worst = 0;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) {
      let sum = 0;
      for (let k = 0; k < r; k++) sum += x[i * r + k] * s[k] * y[j * r + k];
      worst = Math.max(worst, Math.abs(sum - a[i * cols + j]));
    }
  return worst;
}

function symmetric(a: Float64Array, n: number): Float64Array {
  return a.map((x, at) => (x + a[(at % n) * n + Math.floor(at / n)]) / 2);
}

function checkEigen(a: Float64Array, n: number): ReturnType<typeof symmetricEigen> {
  const result = symmetricEigen(a, n);
  const size = Math.max(largest(a), 1e-300);
  const unit = (x: Float64Array): Float64Array => x.map((v) => v / size);
  expect(reconstruction(result.vectors, unit(result.values), result.vectors, unit(a), n, n)).toBeLessThan(
    1e-12 * Math.max(n, 4),
  );
  expect(orthogonality(result.vectors, n, n)).toBeLessThan(1e-12);
  for (let i = 1; i < n; i++) expect(result.values[i]).toBeLessThanOrEqual(result.values[i - 1]);
  return result;
}

describe('symmetricEigen', () => {
  it('reconstructs random symmetric matrices with orthonormal vectors', () => {
    const random = new Random(1);
    for (const n of [1, 2, 3, 7, 31, 65, 130]) checkEigen(symmetric(normals(random, n * n), n), n);
  });

  it("agrees with LAPACK's eigenvalues", () => {
    const { values } = symmetricEigen(symmetric(hashed(40, 40), 40), 40);
    golden.symmetric40.forEach((v, i) => expect(Math.abs(values[i] - v)).toBeLessThan(1e-12));
  });

  it('finds the closed form of the second difference matrix: 2 - 2 cos(jπ / (n+1))', () => {
    const n = 50;
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      a[i * n + i] = 2;
      if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
    }
    const { values } = checkEigen(a, n);
    values.forEach((v, i) => expect(v).toBeCloseTo(2 - 2 * Math.cos(((n - i) * Math.PI) / (n + 1)), 12));
  });

  it('handles diagonal, zero, repeated and rank-one matrices', () => {
    expect([...symmetricEigen(Float64Array.of(1, 0, 0, 0, 3, 0, 0, 0, 2), 3).values]).toEqual([3, 2, 1]);
    expect([...checkEigen(new Float64Array(25), 5).values]).toEqual([0, 0, 0, 0, 0]);
    const n = 20;
    const v = normals(new Random(2), n);
    const one = new Float64Array(n * n).map((_, at) => v[Math.floor(at / n)] * v[at % n]);
    const { values } = checkEigen(one, n);
    expect(values[0]).toBeCloseTo(
      v.reduce((s, x) => s + x * x, 0),
      10,
    );
    expect(largest(values.subarray(1))).toBeLessThan(1e-12);
    checkEigen(
      one.map((x, at) => x + (at % (n + 1) === 0 ? 1 : 0)),
      n,
    );
  });

  it('keeps its accuracy for tiny and huge entries', () => {
    for (const scale of [1e-200, 1e150])
      checkEigen(
        symmetric(hashed(9, 9), 9).map((x) => x * scale),
        9,
      );
  });

  it('gives each vector the sign that makes its largest entry positive', () => {
    const { vectors } = symmetricEigen(symmetric(hashed(12, 12), 12), 12);
    for (let j = 0; j < 12; j++) {
      const column = Array.from({ length: 12 }, (_, i) => vectors[i * 12 + j]);
      expect(Math.max(...column)).toBeGreaterThanOrEqual(-Math.min(...column));
    }
  });

  it('takes one number, takes nothing, and leaves its input as it was', () => {
    expect(symmetricEigen(Float64Array.of(-4), 1)).toEqual({
      values: Float64Array.of(-4),
      vectors: Float64Array.of(1),
    });
    expect(symmetricEigen(new Float64Array(0), 0).values).toHaveLength(0);
    const a = symmetric(hashed(6, 6), 6);
    const copy = a.slice();
    symmetricEigen(a, 6);
    expect(a).toEqual(copy);
  });

  it('refuses NaN, infinity and a wrong length', () => {
    expect(() => symmetricEigen(Float64Array.of(1, 2, NaN, 1), 2)).toThrow('entry [1, 0] is NaN');
    expect(() => symmetricEigen(Float64Array.of(1, Infinity, 0, 1), 2)).toThrow('entry [0, 1] is Infinity');
    expect(() => symmetricEigen(new Float64Array(5), 2)).toThrow('needs 4 values but got 5');
  });
});

function checkSvd(a: Float64Array, rows: number, cols: number): ReturnType<typeof svdThin> {
  const result = svdThin(a, rows, cols);
  const r = Math.min(rows, cols);
  const size = Math.max(largest(a), 1e-300);
  expect(result.S).toHaveLength(r);
  expect(reconstruction(result.U, result.S, result.V, a, rows, cols) / size).toBeLessThan(1e-12);
  expect(orthogonality(result.U, rows, r)).toBeLessThan(1e-10);
  expect(orthogonality(result.V, cols, r)).toBeLessThan(1e-12);
  for (let i = 0; i < r; i++) expect(result.S[i]).toBeGreaterThanOrEqual(result.S[i + 1] ?? 0);
  return result;
}

describe('symmetricEigenvalues', () => {
  it('gives those of symmetricEigen to the last digit, and leaves its input as it was', () => {
    for (const n of [0, 1, 2, 3, 17, 60]) {
      const a = new Float64Array(n * n);
      for (let i = 0; i < n; i++)
        for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = Math.sin(i * i + 3 * j) + (i === j ? i : 0);
      const before = a.slice();
      expect([...symmetricEigenvalues(a, n)]).toEqual([...symmetricEigen(a, n).values]);
      expect(a).toEqual(before);
    }
  });

  it('refuses a matrix that holds NaN', () => {
    expect(() => symmetricEigenvalues(Float64Array.of(1, 0, NaN, 1), 2)).toThrow('entry [1, 0] is NaN');
  });
});

type Build = (...sizes: number[]) => Float64Array;

/** Xᵀ X of rows × cols, after centring the columns. */
function centredGram(x: Float64Array, rows: number, cols: number): Float64Array {
  const out = new Float64Array(cols * cols);
  const mean = new Float64Array(cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) mean[j] += x[i * cols + j] / rows;
  for (let i = 0; i < rows; i++)
    for (let p = 0; p < cols; p++) {
      const v = x[i * cols + p] - mean[p];
      for (let q = 0; q < cols; q++) out[p * cols + q] += v * (x[i * cols + q] - mean[q]);
    }
  return out;
}

const lowRank: Build = (n, rank) => {
  const x = hashed(n, rank);
  return new Float64Array(n * n).map((_, at) => {
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += x[Math.floor(at / n) * rank + k] * x[(at % n) * rank + k];
    return sum;
  });
};

/** The matrices of test/goldens/linalg.py. */
const builders: Record<string, Build> = {
  repeated: (rows, distinct, times) => {
    const [x, cols] = [hashed(rows, distinct), distinct * times];
    const all = new Float64Array(rows * cols).map((_, at) => x[Math.floor(at / cols) * distinct + Math.floor((at % cols) / times)]); // prettier-ignore
    return centredGram(all, rows, cols);
  },
  repeatedRows: (distinct, times, cols) => {
    const x = hashed(distinct, cols);
    const all = new Float64Array(distinct * times * cols).map((_, at) => x[Math.floor(at / (cols * times)) * cols + (at % cols)]); // prettier-ignore
    return centredGram(all, distinct * times, cols);
  },
  lowRank,
  zeroBlocks: (n) => {
    const a = new Float64Array(n * n);
    for (const [from, size, rank, scale] of [
      [10, 10, 3, 1],
      [30, 6, 6, 1e-20],
    ])
      // prettier-ignore
      lowRank(size, rank).forEach((v, at) => {
        a[(from + Math.floor(at / size)) * n + from + (at % size)] = scale * v;
      });
    return a;
  },
  hilbert: (n) => new Float64Array(n * n).map((_, at) => 1 / (Math.floor(at / n) + (at % n) + 1)),
};

describe('eigenvalues of matrices without full rank', () => {
  it.each(Object.keys(families))("%s: LAPACK's, at scales from 1e-200 to 1e200", (name) => {
    const [kind, ...sizes] = name.split(' ').map((part, i) => (i === 0 ? part : Number(part))) as [string, ...number[]];
    const a = builders[kind](...sizes);
    const n = Math.sqrt(a.length);
    for (const scale of n > 150 ? [1] : [1, 1e-30, 1e30, 1e-200, 1e200]) {
      const times = a.map((v) => v * scale);
      const largestValue = scale * families[name][0];
      // Vectors up to sizes that the check of them can take in a second.
      const values = n > 350 ? symmetricEigenvalues(times, n) : checkEigen(times, n).values;
      families[name].forEach((v, i) =>
        expect(Math.abs(values[i] - v * scale) / largestValue, `value ${i} at ${scale}`).toBeLessThan(1e-13 * n),
      );
      if (n <= 350) expect([...symmetricEigenvalues(times, n)]).toEqual([...values]);
    }
  });

  it('rows that are all one value, at columns that are alike: one eigenvalue, in closed form', async () => {
    const data = Float32Array.from({ length: 384 }, (_, i) => Math.floor(i / 64));
    const { variances, totalVariance } = await principalAxes(matrix(6, 64, data), 2);
    expect(variances[0]).toBeCloseTo((64 * 17.5) / 5, 10);
    expect(variances[1] / totalVariance).toBeLessThan(1e-14);
    // Wide enough for the iteration of the leading axes.
    const wide = Float32Array.from({ length: 6 * 700 }, (_, i) => Math.floor(i / 700));
    const leading = await principalAxes(matrix(6, 700, wide), 2);
    expect(leading.variances[0]).toBeCloseTo((700 * 17.5) / 5, 9);
    expect(leading.variances[1] / leading.totalVariance).toBeLessThan(1e-14);
  });

  it('an eigenvalue far below the others keeps its digits in a block of its own', () => {
    const { values } = symmetricEigen(builders.zeroBlocks(40), 40);
    symmetricEigen(lowRank(6, 6), 6).values.forEach((v) => {
      const error = values.reduce((best, w) => Math.min(best, Math.abs(w - 1e-20 * v)), Infinity);
      expect(error).toBeLessThan(1e-33);
    });
  });
});

describe('svdThin', () => {
  it('reconstructs random matrices, tall, wide and square', () => {
    const random = new Random(3);
    for (const [m, n] of [[1, 1], [1, 5], [5, 1], [7, 7], [40, 12], [12, 40], [90, 61]]) checkSvd(normals(random, m * n), m, n); // prettier-ignore
  });

  it("agrees with LAPACK's singular values", () => {
    for (const [name, m, n] of [
      ['tall50x20', 50, 20],
      ['wide20x50', 20, 50],
    ] as const) {
      // prettier-ignore
      const { S } = svdThin(hashed(m, n), m, n);
      golden[name].forEach((v, i) => expect(Math.abs(S[i] - v)).toBeLessThan(1e-12));
    }
  });

  it('finds singular values far below those that a Gram matrix keeps (Hilbert, condition 1e16)', () => {
    const n = 12;
    const a = new Float64Array(n * n).map((_, at) => 1 / (Math.floor(at / n) + (at % n) + 1));
    const { S } = checkSvd(a, n, n);
    golden.hilbert12.forEach((v, i) => expect(Math.abs(S[i] - v)).toBeLessThan(1e-15 * n + 1e-12 * v));
  });

  it('completes the basis of rank-deficient and zero matrices', () => {
    const random = new Random(4);
    const [m, n, rank] = [30, 10, 4];
    const x = normals(random, m * rank);
    const y = normals(random, rank * n);
    const a = new Float64Array(m * n);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) for (let k = 0; k < rank; k++) a[i * n + j] += x[i * rank + k] * y[k * n + j];
    const { S } = checkSvd(a, m, n);
    expect(S[rank - 1]).toBeGreaterThan(0.1);
    expect(S[rank] / S[0]).toBeLessThan(1e-13);
    expect(largest(checkSvd(new Float64Array(12), 4, 3).S)).toBe(0);
    checkSvd(new Float64Array(20).fill(1), 5, 4);
  });

  it('keeps its accuracy for tiny and huge entries', () => {
    for (const scale of [1e-200, 1e200])
      checkSvd(
        hashed(9, 6).map((x) => x * scale),
        9,
        6,
      );
  });

  it('takes empty matrices and refuses NaN', () => {
    expect(svdThin(new Float64Array(0), 0, 3).S).toHaveLength(0);
    expect(() => svdThin(Float64Array.of(1, NaN), 1, 2)).toThrow('entry [0, 1] is NaN');
  });
});
