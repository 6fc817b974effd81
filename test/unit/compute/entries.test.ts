import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KERNELS } from '#kernel/compute/entries/kernels.js';
import { entriesBy, type RowEntries } from '#kernel/compute/entries/firing.js';
import { EntryMemory } from '#kernel/compute/entries/memory.js';
import { Random } from '#kernel/compute/random.js';
import { batchTopKEntries } from '#kernel/sae/batchTopK.js';
import type { Block } from '#kernel/sae/block.js';
import { firingBy, rectify, touchedEntries } from '#kernel/sae/selectFiring.js';

function blockOf(z: Float32Array, rows: number): Block {
  const memory = new EntryMemory(rows, z.length / rows);
  memory.z.set(z);
  const none = new Float32Array(0);
  return { rows, batch: rows, x: none, input: none, z: memory.z, memory };
}
const normals = (length: number, seed = 1): Float32Array => new Random(seed).normals(new Float32Array(length));

/** Entries as [row, feature, value]. */
const listed = ({ rows, indptr, features, values }: RowEntries): number[][] =>
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
        expect(listed(firingBy({ kind: 'largest', k, absolute }, blockOf(z, rows), undefined).entries!)).toEqual(
          expected,
        );
      }
    });
    it(`the largest of the whole batch, rows of ${cols}`, () => {
      const positive = rowsOf(z, rows).flat().filter(([, , v]) => v > 0); // prettier-ignore
      for (const count of [1, Math.ceil(positive.length / 2), positive.length + 5]) {
        const { entries, least } = batchTopKEntries(blockOf(z, rows), count, undefined);
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
    it(`rules see (z + bias) · scale of rows of ${cols} as they see them once that is written`, () => {
      const theta = Float64Array.from({ length: cols }, (_, f) => 0.1 * (f % 7));
      const [bias, scale] = [normals(cols, 3), Float64Array.from(normals(cols, 4), Math.abs)];
      for (const rule of [
        { kind: 'positive' },
        { kind: 'jump', theta, band: 0.3 },
        { kind: 'largest', k, absolute: false },
      ] as const) {
        const [seen, written] = [blockOf(z, rows), blockOf(z, rows)];
        seen.memory.shifted(bias, scale);
        const found = entriesBy(rule, seen.memory, rows, undefined, 1);
        written.memory.shift(0, rows, bias, scale);
        const { entries, count } = firingBy(rule, written, undefined);
        expect(listed(found)).toEqual(listed(entries ?? touchedEntries(written, count)));
        expect(found.indptr[rows]).toBeGreaterThan(0);
      }
    });
  }
});

it('more than 4 GiB are refused in words', () => {
  expect(() => new EntryMemory(65_536, 65_536)).toThrow('65536 rows of 65536 features');
});
