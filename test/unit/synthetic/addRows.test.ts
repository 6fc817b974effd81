import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { addDirections } from '#kernel/compute/sampling/addRows.js';

describe('sparse codes times a dictionary', () => {
  it.each([4, 8, 7, 256, 20])('is the float64 sum to rounding, width %i', (d) => {
    const random = new Random(d);
    const dictionary = random.normals(new Float32Array(30 * d));
    const indptr = Uint32Array.from([0, 3, 3, 8, 9]);
    const indices = Uint16Array.from([1, 4, 29, 0, 2, 3, 7, 28, 5]);
    const values = random.normals(new Float32Array(9));
    const x = random.normals(new Float32Array(4 * d));
    const expected = Float64Array.from(x);
    for (let s = 0; s < 4; s++)
      for (let e = indptr[s]; e < indptr[s + 1]; e++)
        for (let j = 0; j < d; j++) expected[s * d + j] += values[e] * dictionary[indices[e] * d + j];
    addDirections({ indptr, indices, values }, dictionary, d, x);
    x.forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(1e-5));
  });

  it('gives the same bits with the kernel and without it', () => {
    const random = new Random(1);
    const [wide, narrow] = [random.normals(new Float32Array(10 * 8)), new Float32Array(10 * 7)];
    for (let i = 0; i < 10; i++) narrow.set(wide.subarray(8 * i, 8 * i + 7), 7 * i);
    const rows = {
      indptr: Uint32Array.from([0, 5]),
      indices: Uint16Array.from([0, 2, 3, 7, 9]),
      values: random.normals(new Float32Array(5)),
    };
    const [a, b] = [new Float32Array(8), new Float32Array(7)];
    addDirections(rows, wide, 8, a);
    addDirections(rows, narrow, 7, b);
    expect(a.subarray(0, 7)).toEqual(b);
  });
});
