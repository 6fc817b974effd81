import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { topKRows } from '#kernel/compute/topk.js';

function sorted(row: number[], k: number): { indices: number[]; values: number[] } {
  const order = row.map((_, i) => i).filter((i) => !Number.isNaN(row[i]));
  order.sort((a, b) => row[b] - row[a] || a - b);
  const indices = Array.from({ length: k }, (_, i) => order[i] ?? -1);
  return { indices, values: indices.map((i) => (i < 0 ? NaN : row[i])) };
}

describe('topKRows', () => {
  it('agrees with a full sort on random rows full of ties, NaN and infinities', () => {
    const random = new Random(1);
    for (let trial = 0; trial < 300; trial++) {
      const rows = 1 + random.int(4);
      const cols = 1 + random.int(40);
      const k = 1 + random.int(cols);
      const special = [NaN, Infinity, -Infinity, 0, -0];
      const x = Float32Array.from({ length: rows * cols }, () =>
        random.int(8) === 0 ? special[random.int(5)] : random.int(6) - 3,
      );
      const { indices, values } = topKRows(x, rows, cols, k);
      for (let r = 0; r < rows; r++) {
        const expected = sorted([...x.subarray(r * cols, (r + 1) * cols)], k);
        expect([...indices.subarray(r * k, (r + 1) * k)]).toEqual(expected.indices);
        expect(values.subarray(r * k, (r + 1) * k)).toEqual(Float32Array.from(expected.values));
      }
    }
  });

  it.each([1, 32, 1000])('agrees with a full sort of long rows in every order, k = %s', (k) => {
    const x = new Random(2).normals(new Float32Array(1000));
    const up = x.slice().sort();
    for (const row of [x, up, up.slice().reverse()]) {
      const expected = sorted([...row], k);
      expect([...topKRows(row, 1, 1000, k).indices]).toEqual(expected.indices);
    }
  });

  it('gives ties to the lower index', () => {
    expect([...topKRows(new Float32Array(9).fill(2), 1, 9, 4).indices]).toEqual([0, 1, 2, 3]);
    expect([...topKRows(Float32Array.of(1, 3, 2, 3, 3), 1, 5, 2).indices]).toEqual([1, 3]);
  });

  it('never selects NaN, even when there is nothing else', () => {
    const { indices, values } = topKRows(Float32Array.of(NaN, 1, NaN, -Infinity, NaN, NaN), 2, 3, 2);
    expect([...indices]).toEqual([1, -1, 0, -1]);
    expect(values).toEqual(Float32Array.of(1, NaN, -Infinity, NaN));
  });

  it('fills the arrays it is given', () => {
    const out = { indices: new Int32Array(2), values: new Float32Array(2) };
    expect(topKRows(Float32Array.of(1, 5, 3), 1, 3, 2, out)).toBe(out);
    expect([...out.indices]).toEqual([1, 2]);
  });

  it('refuses k outside 1 … cols and arrays of another size', () => {
    const x = new Float32Array(6);
    for (const k of [0, 4, 1.5, NaN]) expect(() => topKRows(x, 2, 3, k)).toThrow('k from 1 to 3');
    expect(() => topKRows(x, 2, 4, 1)).toThrow('needs 8 values but got 6');
    expect(() => topKRows(x, 2, 3, 2, { indices: new Int32Array(4), values: new Float32Array(3) })).toThrow(
      '4 indices',
    );
  });

  it('gives nothing for no rows', () => {
    expect(topKRows(new Float32Array(0), 0, 3, 2).indices).toHaveLength(0);
  });
});
