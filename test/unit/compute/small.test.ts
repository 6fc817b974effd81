/** The small sums and maps that all rooms share, against their definitions. */
import { describe, expect, it } from 'vitest';
import { divergence, logSoftmax, logSumExp } from '#kernel/compute/logits.js';
import { LruMap } from '#kernel/compute/lru.js';
import { matrix } from '#kernel/compute/matrix.js';
import { columnMeans, gatherRows, gatherValues, rowNorm, rowNorms } from '#kernel/compute/rows.js';

describe('rows of a matrix', () => {
  const m = matrix(3, 2, Float32Array.of(3, 4, 0, 0, -1, 2));
  it('have column means and lengths, and are gathered in any order', () => {
    expect(columnMeans(m)).toEqual(Float64Array.of(2 / 3, 2));
    expect(rowNorms(m)).toEqual(Float64Array.of(5, 0, Math.sqrt(5)));
    expect(rowNorm(m, 2)).toBe(Math.sqrt(5));
    expect(gatherRows(m, [2, 0, 2])).toEqual(matrix(3, 2, Float32Array.of(-1, 2, 3, 4, -1, 2)));
    expect(gatherValues(m.data, 2, Int32Array.of(1))).toEqual(Float32Array.of(0, 0));
    expect(gatherRows(m, [])).toEqual(matrix(0, 2));
  });
  it('that are all the same have that row as their mean, to the bit, and none without rows', () => {
    for (const n of [3, 7, 1001])
      expect(columnMeans(matrix(n, 1, new Float32Array(n).fill(0.1)))[0]).toBe(Math.fround(0.1));
    expect(columnMeans(matrix(0, 1))[0]).toBeNaN();
    expect(rowNorms(matrix(1, 1, Float32Array.of(NaN)))[0]).toBeNaN();
  });
});

describe('sums over logits', () => {
  it('are summed without overflow, and closed forms hold', () => {
    expect(logSumExp([1000, 1000])).toBeCloseTo(1000 + Math.LN2, 12);
    expect(logSumExp([-1000, -1000, -Infinity])).toBeCloseTo(-1000 + Math.LN2, 12);
    expect(logSumExp([])).toBe(-Infinity);
    expect(logSumExp([-Infinity, -Infinity])).toBe(-Infinity);
    expect(logSumExp([1, NaN])).toBeNaN();
    const p = logSoftmax([0, Math.log(3)]);
    expect(Math.exp(p[0])).toBeCloseTo(0.25, 15);
    expect(Math.exp(p[1])).toBeCloseTo(0.75, 15);
  });

  it('have the divergence of their distributions: of logits as of log probabilities, never below 0', () => {
    const [a, b] = [Float32Array.of(1, 2, -3, 0.5), Float32Array.of(0, 2.5, -3, 1)];
    const [p, q] = [logSoftmax(a), logSoftmax(b)];
    const expected = p.reduce((sum, l, v) => sum + Math.exp(l) * (l - q[v]), 0);
    expect(expected).toBeGreaterThan(0.05);
    expect(divergence(p, 0, q, 0)).toBeCloseTo(expected, 15);
    expect(divergence(a, logSumExp(a), b, logSumExp(b))).toBeCloseTo(expected, 14);
    for (let k = 1; k < 50; k++) {
      const row = Float32Array.from({ length: 9 }, (_, v) => Math.sin(k * (v + 1)) * 5);
      expect(divergence(row, logSumExp(row), row, logSumExp(row))).toBeGreaterThanOrEqual(0);
    }
    // 1/2 against 1/4: what p never gives counts nothing; what q never gives is infinitely far.
    const half = [Math.log(0.5), Math.log(0.5), -Infinity];
    expect(divergence(half, 0, [Math.log(0.25), Math.log(0.25), Math.log(0.5)], 0)).toBeCloseTo(Math.LN2, 15);
    expect(divergence([Math.log(0.5), Math.log(0.5)], 0, [0, -Infinity], 0)).toBe(Infinity);
  });
});

describe('a map of a few entries', () => {
  it('lets go of what was used longest ago, and tells of all that it lets go', async () => {
    const gone: string[] = [];
    const map = new LruMap<string, string>(2, (value) => gone.push(value));
    map.set('a', 'A');
    map.set('b', 'B');
    expect(map.get('a')).toBe('A');
    map.set('c', 'C');
    expect(gone).toEqual(['B']);
    expect(map.get('b')).toBeUndefined();
    map.set('a', 'A2');
    map.set('a', 'A2');
    expect(gone).toEqual(['B', 'A']);
    expect(await map.getOrMake('c', () => Promise.reject(new Error('is known')))).toBe('C');
    expect(await map.getOrMake('d', () => Promise.resolve('D'))).toBe('D');
    expect(gone).toEqual(['B', 'A', 'A2']);
    map.clear();
    expect(gone).toEqual(['B', 'A', 'A2', 'C', 'D']);
    expect(() => new LruMap(0)).toThrow('at least 1 entry');
  });
});
