import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KERNELS } from '#kernel/compute/entries/kernels.js';
import { EntryMemory } from '#kernel/compute/entries/memory.js';
import { Random } from '#kernel/compute/random.js';
import { batchTopKEntries } from '#kernel/sae/batchTopK.js';
import type { Block } from '#kernel/sae/block.js';
import { rectify, topKEntries, touchedEntries } from '#kernel/sae/selectFiring.js';

/** A block of z, with matrices of the sizes that a step has. */
function blockOf(z: Float32Array, rows: number, dIn = 4, dOut = dIn): Block {
  const cols = z.length / rows;
  const memory = new EntryMemory({ rows, cols, slots: { decoder: [cols, dOut], gradient: [rows, dOut], input: [rows, dIn] } }); // prettier-ignore
  memory.z.set(z);
  const none = new Float32Array(0);
  return { rows, batch: rows, x: none, input: none, z: memory.z, memory, error: none };
}
const normals = (length: number, seed = 1): Float32Array => new Random(seed).normals(new Float32Array(length));

/** Entries as [row, feature, value]. */
const listed = ({ rows, indptr, features, values }: ReturnType<typeof topKEntries>): number[][] =>
  Array.from({ length: rows }, (_, i) => i).flatMap((i) =>
    Array.from({ length: indptr[i + 1] - indptr[i] }, (_, n) => [i, features[indptr[i] + n], values[indptr[i] + n]]),
  );

/** The k best of a list by size, ties to the first, in their order. */
function best(row: readonly (readonly number[])[], k: number, size: (value: number) => number): number[][] {
  const order = row.map((_, n) => n).sort((a, b) => size(row[b][2]) - size(row[a][2]) || a - b);
  return order.slice(0, k).sort((a, b) => a - b).map((n) => [...row[n]]); // prettier-ignore
}
const rowsOf = (z: Float32Array, rows: number): number[][][] =>
  Array.from({ length: rows }, (_, i) =>
    Array.from(z.subarray((i * z.length) / rows, ((i + 1) * z.length) / rows), (value, f) => [i, f, value]),
  );

it('the assembled kernels are of the text beside them: node scripts/wasm.mjs', () => {
  const text = fs.readFileSync(new URL('../../../src/kernel/compute/entries/kernels.wat', import.meta.url), 'utf8');
  expect(KERNELS.sha256).toBe(createHash('sha256').update(text).digest('hex'));
});

describe('which features of a block fire', () => {
  // Rows of very different size: the bound of one is no guess for the next. Whole numbers give ties.
  const rows = 40;
  for (const cols of [1, 3, 37, 64]) {
    const z = normals(rows * cols, cols);
    for (let i = 0; i < z.length; i++) {
      const scale = 10 ** ((Math.floor(i / cols) % 5) - 2);
      z[i] = Math.floor(i / cols) % 3 === 0 ? Math.round(2 * z[i]) : z[i] * scale;
    }
    z[0] = NaN;
    z[z.length - 1] = Infinity;
    z.fill(-1, cols, 2 * cols);
    const k = Math.max(1, Math.floor(cols / 5));
    it(`the k largest of each of ${cols}, and of their magnitudes`, () => {
      for (const absolute of [false, true]) {
        const size = absolute ? Math.abs : (v: number): number => v;
        const expected = rowsOf(z, rows).flatMap((row) => best(row.filter(([, , v]) => size(v) > 0), k, size)); // prettier-ignore
        expect(listed(topKEntries(blockOf(z, rows), k, undefined, absolute))).toEqual(expected);
      }
    });
    it(`the largest of the whole batch, rows of ${cols}`, () => {
      const positive = rowsOf(z, rows).flat().filter(([, , v]) => v > 0); // prettier-ignore
      for (const count of [1, Math.ceil(positive.length / 2), positive.length + 5]) {
        const { entries, least } = batchTopKEntries(blockOf(z, rows), cols, count, undefined);
        const expected = best(positive, count, (v) => v);
        expect(listed(entries)).toEqual(expected);
        expect(least).toBe(Math.min(...expected.map(([, , v]) => v)));
      }
    });
    it(`ReLU of rows of ${cols} keeps NaN, and -0 is touched`, () => {
      const block = blockOf(z, rows);
      const kept = rowsOf(z, rows).flat().filter(([, , v]) => !(v <= 0)); // prettier-ignore
      expect(rectify(block)).toBe(kept.length);
      expect(listed(touchedEntries(block, kept.length))).toEqual(kept);
      const below = blockOf(new Float32Array(z.length), rows);
      below.z[cols] = -0;
      expect(listed(touchedEntries(below, 1))).toEqual([[1, 0, -0]]);
    });
  }
});

describe('sums and products of the rows that entries name', () => {
  it.each([
    [3, 5, 60],
    [128, 128, 400],
    [1, 18, 7],
  ])('agree with float64, rows of %i and %i', (dOut, dIn, features) => {
    const rows = 50;
    const { memory } = blockOf(new Float32Array(rows * features), rows, dIn, dOut);
    const [decoder, gradient, input] = [features * dOut, rows * dOut, rows * dIn].map((n, i) => normals(n, i));
    memory.put('decoder', decoder);
    memory.put('gradient', gradient);
    memory.put('input', input);
    // Lists of 0 to 8 entries, by feature; list 1 of all rows.
    const random = new Random(3);
    const lists = Array.from({ length: features }, (_, f) =>
      Array.from({ length: f === 1 ? rows : f % 9 }, () => random.int(rows)),
    );
    const indptr = new Uint32Array(features + 1);
    lists.forEach((list, f) => (indptr[f + 1] = indptr[f] + list.length));
    const which = Uint32Array.from(lists.flat());
    const values = normals(which.length, 9);
    const [toDecoder, toEncoder] = [new Float32Array(features * dOut).fill(1), new Float32Array(features * dIn)];
    memory.backward(
      { indptr, which, values },
      1,
      features,
      { from: 'gradient', against: 'decoder', to: toDecoder },
      { from: 'input', to: toEncoder },
      (products, f, begin, end) => {
        for (let e = begin; e < end; e++) products[e] += f;
      },
    );
    let worst = 0;
    const compare = (got: number, terms: number[], start: number): void => {
      const size = terms.reduce((sum, t) => sum + Math.abs(t), 1);
      worst = Math.max(worst, Math.abs(got - terms.reduce((sum, t) => sum + t, start)) / size);
    };
    for (let f = 1; f < features; f++) {
      const entries = Array.from(lists[f], (row, n) => [row, values[indptr[f] + n]]);
      const dot = (row: number): number =>
        f + Array.from({ length: dOut }, (_, j) => gradient[row * dOut + j] * decoder[f * dOut + j]).reduce((s, t) => s + t, 0); // prettier-ignore
      for (let j = 0; j < dOut; j++)
        compare(toDecoder[f * dOut + j], entries.map(([row, v]) => v * gradient[row * dOut + j]), 1); // prettier-ignore
      const products = entries.map(([row]) => [row, dot(row)]);
      for (let j = 0; j < dIn; j++)
        compare(toEncoder[f * dIn + j], products.map(([row, v]) => v * input[row * dIn + j]), 0); // prettier-ignore
    }
    expect(worst).toBeLessThan(1e-6);
    expect(toDecoder.subarray(0, dOut).every((v) => v === 1)).toBe(true);
    // Cut elsewhere, the sums are the same to the bit.
    const again = new Float32Array(features * dOut).fill(1);
    for (let f = 1; f < features; f += 7)
      memory.gather({ indptr, which, values }, f, Math.min(features, f + 7), 'gradient', again);
    expect(again).toEqual(toDecoder);
  });

  it('more than 4 GiB are refused in words', () => {
    const slots = { decoder: [1, 1], gradient: [1, 1], input: [1, 1] } as const;
    expect(() => new EntryMemory({ rows: 65_536, cols: 65_536, slots })).toThrow('65536 rows of 65536 features');
  });
});
