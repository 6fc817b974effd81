/** The reader checks all that the writer does: a store without hashes (of a version before) is not believed either. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkRows, checkStatistics } from '#kernel/activations/statistics.js';
import { openActivations } from '#kernel/activations/store.js';
import { writeActivations } from '#kernel/activations/write.js';
import type { NdArray } from '#kernel/io/ndarray.js';
import { writeSafetensors } from '#kernel/io/safetensors.js';
import { decodeSafetensors } from '#protocol/safetensors.js';
import { testFolder } from '#test/kit/folder.js';
import { sparse } from '#test/kit/rows.js';

const root = testFolder();
let folder: string;
let count = 0;
const ROWS = sparse(6, [
  [
    [1, 0.5],
    [4, 2],
  ],
  [[0, 1]],
  [
    [2, 0.25],
    [3, 0.5],
    [5, 4],
  ],
  [[1, 1.5]],
]);
beforeEach(async () => {
  folder = join(root, String(count++));
  await writeActivations(folder, [ROWS], {
    features: 6,
    tokenIds: Int32Array.of(5, 6, 7, 8),
    context: 2,
    hook: 'h',
    model: { name: 'm', id: 'm' },
    sae: { name: 's', id: 's' },
    tokenSet: { id: 't', tokenizer: 'k' },
    piece: (id) => `t${id}`,
  });
});

/** Writes a file of the store again with other arrays. */
async function change(file: string, edit: (arrays: Record<string, NdArray>) => void): Promise<void> {
  const path = join(folder, file);
  const arrays = Object.fromEntries(decodeSafetensors(new Uint8Array(readFileSync(path))).tensors);
  edit(arrays);
  await writeSafetensors(path, arrays);
}
const shard = (edit: (arrays: Record<string, NdArray>) => void) => change('shard-00000.safetensors', edit);
async function read(): Promise<void> {
  const store = await openActivations(folder);
  for await (const { rows } of store.shards()) expect(rows).toEqual(ROWS);
}

describe('a shard', () => {
  it('that is whole is read as it was written', read);

  it.each<[string, (a: Record<string, NdArray>) => void, RegExp]>([
    ['indptr descends', (a) => ((a.indptr.data as BigInt64Array)[2] = 1n), /indptr of token 1 runs from 2 to 1/],
    [
      'indptr runs past the entries',
      (a) => ((a.indptr.data as BigInt64Array)[2] = 99n),
      /indptr of token 1 runs from 2 to 99/,
    ],
    ['indptr is negative', (a) => ((a.indptr.data as BigInt64Array)[1] = -1n), /indptr is -1 at row 1/],
    [
      'indptr is right but for 2^32',
      (a) => ((a.indptr.data as BigInt64Array)[1] += 2n ** 32n),
      /indptr is 4294967298 at row 1/,
    ],
    [
      'a feature is outside the width',
      (a) => ((a.indices.data as Uint16Array)[1] = 6),
      /feature 6 at token 0: features are 0 to 5/,
    ],
    ['a feature is far outside', (a) => ((a.indices.data as Uint16Array)[6] = 65_535), /feature 65535 at token 3/],
    [
      'features do not ascend',
      (a) => ((a.indices.data as Uint16Array)[4] = 2),
      /features ascend within a token, but 2 follows 2/,
    ],
    [
      'a value is zero',
      (a) => ((a.values.data as Float32Array)[3] = 0),
      /is 0; a stored activation is finite and above 0/,
    ],
    ['a value is negative', (a) => ((a.values.data as Float32Array)[3] = -1), /token 2 is -1;/],
    ['a value is NaN', (a) => ((a.values.data as Float32Array)[0] = NaN), /token 0 is NaN;/],
    ['a value is infinite', (a) => ((a.values.data as Float32Array)[0] = Infinity), /token 0 is Infinity;/],
    [
      'sequences are of other length',
      (a) => ((a.sequence.data as Int32Array)[1] = 3),
      /sequences are not of 2 tokens each/,
    ],
  ])('in which %s is refused with the place', async (_, edit, told) => {
    await shard(edit);
    await expect(read()).rejects.toThrow(told);
    await expect(read()).rejects.toThrow(/shard-00000\.safetensors/);
  });
});

describe('statistics of a store', () => {
  it.each<[string, (a: Record<string, NdArray>) => void, RegExp]>([
    ['another count', (a) => ((a.firings.data as Uint32Array)[2] = 2), /feature 2 has 2 firings|count 8 firings/],
    ['a firing of a dead feature', (a) => ((a.firings.data as Uint32Array)[0] = 0), /feature 0 has 0 firings, sum 1/],
    [
      'a sum that the maximum does not allow',
      (a) => ((a.sum.data as Float64Array)[1] = 9),
      /feature 1 has 2 firings, sum 9/,
    ],
    ['a sum below the maximum', (a) => ((a.sum.data as Float64Array)[1] = 1), /feature 1 has/],
    ['squares that the sum does not allow', (a) => ((a.sumSquares.data as Float64Array)[1] = 40), /feature 1 has/],
    ['squares below what the sum needs', (a) => ((a.sumSquares.data as Float64Array)[1] = 0.1), /feature 1 has/],
    ['NaN', (a) => ((a.sum.data as Float64Array)[4] = NaN), /feature 4 has 1 firings, sum NaN/],
    ['an infinite maximum', (a) => ((a.max.data as Float32Array)[4] = Infinity), /maximum Infinity/],
    ['more firings than tokens', (a) => ((a.firings.data as Uint32Array)[1] = 5), /feature 1 has 5 firings/],
  ])('with %s are refused', async (_, edit, told) => {
    await change('statistics.safetensors', edit);
    await expect(openActivations(folder)).rejects.toThrow(told);
    await expect(openActivations(folder)).rejects.toThrow(/statistics\.safetensors is damaged/);
  });

  it('of one large value and many small ones are accepted: sums round', () => {
    const n = 10_000;
    const values = Float32Array.from({ length: n }, (_, i) => (i === 0 ? 1e30 : 1e-30));
    const s = {
      firings: Uint32Array.of(n),
      sum: Float64Array.of(values.reduce((a, v) => a + v, 0)),
      sumSquares: Float64Array.of(values.reduce((a, v) => a + v * v, 0)),
      max: Float32Array.of(values[0]),
    };
    expect(() => checkStatistics(s, { tokens: n, nonZeros: n })).not.toThrow();
    const equal = 0.1;
    const same = {
      firings: Uint32Array.of(3),
      sum: new Float64Array(1),
      sumSquares: new Float64Array(1),
      max: Float32Array.of(equal),
    };
    for (let i = 0; i < 3; i++) {
      same.sum[0] += same.max[0];
      same.sumSquares[0] += same.max[0] ** 2;
    }
    expect(() => checkStatistics(same, { tokens: 3, nonZeros: 3 })).not.toThrow();
  });
});

describe('the description of a store', () => {
  it.each<[string, (meta: Record<string, unknown>) => void, RegExp]>([
    ['a width that is no number', (m) => (m.features = '6'), /features is 6, not a whole number/],
    ['a negative context', (m) => (m.context = -2), /context is -2/],
    ['sequences that are not its tokens', (m) => (m.sequences = 3), /3 sequences of 2 are not 4 tokens/],
    [
      'a shard outside the folder',
      (m) => ((m.shards as Array<{ file: string }>)[0].file = '../x.safetensors'),
      /is no name of a shard/,
    ],
    ['no shards', (m) => (m.shards = null), /names no shards/],
  ])('with %s is refused', async (_, edit, told) => {
    const path = join(folder, 'activations.json');
    const meta = JSON.parse(readFileSync(path, 'utf8'));
    edit(meta);
    writeFileSync(path, JSON.stringify(meta));
    await expect(openActivations(folder)).rejects.toThrow(told);
  });
});

it('rows with fewer values than indptr says are refused', () => {
  expect(() => checkRows({ ...ROWS, values: ROWS.values.subarray(0, 6) }, 0)).toThrow(/need indptr/);
});
