import { describe, expect, it } from 'vitest';
import { cholesky, choleskyInPlace } from '#kernel/compute/cholesky.js';
import { Random } from '#kernel/compute/random.js';

/** A Aᵀ of n × r normal numbers. */
function gramOf(n: number, r: number): Float64Array {
  const random = new Random(n + 100 * r);
  const a = Array.from({ length: n * r }, () => random.normal());
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < r; k++) out[i * n + j] += a[i * r + k] * a[j * r + k];
  return out;
}

/** By the definition: L row by row, each entry from those before it. */
function rowByRow(m: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = m[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j];
    }
  return l;
}

describe("Cholesky's factor", () => {
  it('is that of the definition, to the bit, below or above the diagonal', async () => {
    for (const n of [1, 2, 7, 70]) {
      const m = gramOf(n, n + 3);
      const l = cholesky(m, n);
      expect(l).toEqual(rowByRow(m, n));
      const r = m.slice();
      await choleskyInPlace(r, n);
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) expect(r[j * n + i]).toBe(l[i * n + j]);
    }
    expect(cholesky(Float64Array.of(4, 2, 2, 5), 2)).toEqual(Float64Array.of(2, 0, 1, 2));
  });

  it('of a matrix without full rank has zeros where there is no variance, and gives the matrix back', () => {
    for (const [n, r] of [
      [5, 2],
      [8, 1],
      [6, 0],
    ] as const) {
      // prettier-ignore
      const m = gramOf(n, r);
      const l = cholesky(m, n);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += l[i * n + k] * l[j * n + k];
          expect(Math.abs(sum - m[i * n + j])).toBeLessThan(1e-6);
        }
    }
  });

  it('of what is not positive semidefinite, or NaN, is refused with the pivot', () => {
    expect(() => cholesky(Float64Array.of(1, 2, 2, 1), 2)).toThrow('not positive semidefinite: pivot 1 is -3');
    expect(() => cholesky(Float64Array.of(NaN), 1)).toThrow('pivot 0 is NaN');
  });

  it('ends when cancelled', async () => {
    await expect(choleskyInPlace(gramOf(3, 3), 3, AbortSignal.abort())).rejects.toThrow('cancelled');
  });
});
