import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import {
  deadFeatures,
  density,
  firingRates,
  meanL0,
  positionShares,
  usableFeatures,
} from '#kernel/activations/statistics.js';
import { memoryActivations, openActivations } from '#kernel/activations/store.js';
import { mergeActivations, writeActivations, type WriteOptions } from '#kernel/activations/write.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { tokenizer } from '#test/kit/fakeModel.js';
import { randomRows, sparse, toDense } from '#test/kit/rows.js';
import { testFolder } from '#test/kit/folder.js';

let folder: string;
beforeEach(() => void (folder = testFolder('activations')));

const options = (tokens: number, features: number, context: number): WriteOptions => ({
  features,
  context,
  tokenIds: Int32Array.from({ length: tokens }, (_, i) => (i * 7) % 50),
  hook: 'blocks.0.hook_mlp_out',
  model: { name: 'fake', id: 'model-A' },
  sae: { name: 'sae', id: 'sae-A' },
  tokenSet: { id: 'tokens-A', tokenizer: 'tokenizer-A' },
});

async function readAll(acts: SparseActivations): Promise<Float32Array> {
  const out = new Float32Array(acts.meta.tokens * acts.meta.features);
  for await (const { firstToken, rows } of acts.shards()) out.set(toDense(rows), firstToken * acts.meta.features);
  return out;
}

function slice(rows: SparseRows, from: number, to: number): SparseRows {
  const a = rows.indptr[from];
  const b = rows.indptr[to];
  return {
    rows: to - from,
    cols: rows.cols,
    indptr: rows.indptr.slice(from, to + 1).map((p) => p - a),
    indices: rows.indices.slice(a, b),
    values: rows.values.slice(a, b),
  };
}

describe('writing and opening a store', () => {
  const rows = randomRows(60, 40, 0.1, 3);

  it('gives back every value, token and statistic, however the rows were cut into blocks', async () => {
    const blocks = [slice(rows, 0, 7), slice(rows, 7, 8), slice(rows, 8, 60)];
    const acts = await writeActivations(folder, blocks, { ...options(60, 40, 6), shardTokens: 16 });
    const dense = toDense(rows);
    expect(await readAll(acts)).toEqual(dense);
    expect(await acts.tokenIds()).toEqual(options(60, 40, 6).tokenIds);
    expect(acts.meta).toMatchObject({
      tokens: 60,
      sequences: 10,
      context: 6,
      features: 40,
      nonZeros: rows.values.length,
    });
    for (let f = 0; f < 40; f++) {
      const column = Array.from({ length: 60 }, (_, t) => dense[t * 40 + f]);
      expect(acts.statistics.firings[f]).toBe(column.filter((v) => v > 0).length);
      expect(acts.statistics.sum[f]).toBeCloseTo(
        column.reduce((a, b) => a + b, 0),
        12,
      );
      expect(acts.statistics.sumSquares[f]).toBeCloseTo(
        column.reduce((a, b) => a + b * b, 0),
        12,
      );
      expect(acts.statistics.max[f]).toBe(Math.max(0, ...column));
    }
  });

  it('cuts shards at sequence ends only', async () => {
    const acts = await writeActivations(folder, [rows], { ...options(60, 40, 6), shardTokens: 16 });
    expect(acts.meta.shards.map((s) => s.tokens)).toEqual([18, 18, 18, 6]);
    const file = await SafetensorsFile.open(join(folder, acts.meta.shards[0].file));
    expect([...(await file.read('sequence')).data].map(Number)).toEqual([0, 6, 12, 18]);
    expect(file.info('indices').dtype).toBe('U16');
    expect(file.info('indptr').dtype).toBe('I64');
    await file.close();
  });

  it('stores features beyond 65,536 as I32', async () => {
    const wide = sparse(70_000, [
      [[65_540, 2]],
      [
        [0, 1],
        [69_999, 3],
      ],
    ]);
    const acts = await writeActivations(folder, [wide], options(2, 70_000, 2));
    for await (const shard of acts.shards()) {
      expect([...shard.rows.indices]).toEqual([65_540, 0, 69_999]);
      expect(shard.rows.indices).toBeInstanceOf(Int32Array);
    }
  });

  it('has the same id for the same content and another for other content', async () => {
    const a = await writeActivations(join(folder, 'a'), [rows], options(60, 40, 6));
    const b = await writeActivations(join(folder, 'b'), [slice(rows, 0, 30), slice(rows, 30, 60)], options(60, 40, 6));
    const c = await writeActivations(join(folder, 'c'), [randomRows(60, 40, 0.1, 4)], options(60, 40, 6));
    expect(b.id).toBe(a.id);
    expect(c.id).not.toBe(a.id);
  });

  it('decodes tokens by the saved pieces, a tokenizer, or the bare id', async () => {
    const plain = await writeActivations(join(folder, 'a'), [rows], options(60, 40, 6));
    expect(plain.piece(7)).toBe('<7>');
    const saved = await writeActivations(join(folder, 'b'), [rows], { ...options(60, 40, 6), piece: (t) => `p${t}` });
    expect(saved.piece(7)).toBe('p7');
    expect((await openActivations(saved.folder, tokenizer)).piece(7)).toBe(' t7');
  });

  it('refuses a tokenizer that did not make the tokens', async () => {
    await writeActivations(folder, [rows], options(60, 40, 6));
    await expect(openActivations(folder, { ...tokenizer, id: 'other' })).rejects.toThrow(/tokenizer-A.*other/);
  });

  it('holds tokens on which nothing fires, and no tokens at all', async () => {
    const silent = await writeActivations(join(folder, 'a'), [sparse(4, [[], []])], options(2, 4, 2));
    expect(silent.meta.nonZeros).toBe(0);
    expect(await readAll(silent)).toEqual(new Float32Array(8));
    const empty = await writeActivations(join(folder, 'b'), [], options(0, 4, 2));
    expect(empty.meta).toMatchObject({ tokens: 0, shards: [] });
  });
});

describe('a store that does not fit', () => {
  it.each([
    ['NaN', [[[1, NaN]]], /feature 1 at token 2 is NaN/],
    ['infinity', [[[1, Infinity]]], /feature 1 at token 2 is Infinity/],
    ['a negative value', [[[1, -1]]], /feature 1 at token 2 is -1/],
    ['a feature out of range', [[[4, 1]]], /feature 4 at token 2.*0 to 3/],
    [
      'features out of order',
      [
        [
          [2, 1],
          [1, 1],
        ],
      ],
      /ascend.*1 follows 2/,
    ],
    [
      'a feature twice',
      [
        [
          [2, 1],
          [2, 1],
        ],
      ],
      /ascend.*2 follows 2/,
    ],
  ] as Array<[string, Array<Array<[number, number]>>, RegExp]>)(
    '%s is refused with its place',
    async (_name, bad, why) => {
      const blocks = [sparse(4, [[[0, 1]], []]), sparse(4, [...bad, []])];
      await expect(writeActivations(folder, blocks, options(4, 4, 2))).rejects.toThrow(why);
      expect(existsSync(join(folder, 'activations.json'))).toBe(false);
      await expect(openActivations(folder)).rejects.toThrow(/holds no activations/);
    },
  );

  it('rows that end early or late are refused', async () => {
    await expect(writeActivations(folder, [sparse(4, [[]])], options(4, 4, 2))).rejects.toThrow(/ended after 1 of 4/);
    await expect(writeActivations(folder, [sparse(4, [[], [], []])], options(2, 4, 2))).rejects.toThrow(/2 tokens/);
  });

  it('rows of another width are refused', async () => {
    await expect(writeActivations(folder, [sparse(5, [[], []])], options(2, 4, 2))).rejects.toThrow(/5 features.*4/);
  });

  it('a truncated shard is refused when read', async () => {
    const acts = await writeActivations(folder, [randomRows(60, 40, 0.1, 3)], options(60, 40, 6));
    const path = join(folder, acts.meta.shards[0].file);
    truncateSync(path, readFileSync(path).length - 8);
    await expect(readAll(await openActivations(folder))).rejects.toThrow(/shard-00000/);
  });

  it('a shard of other length than the meta says is refused', async () => {
    await writeActivations(folder, [randomRows(60, 40, 0.1, 3)], options(60, 40, 6));
    const path = join(folder, 'activations.json');
    const meta = JSON.parse(readFileSync(path, 'utf8'));
    meta.shards[0].nonZeros += 1;
    writeFileSync(path, JSON.stringify(meta));
    await expect(openActivations(folder)).rejects.toThrow(/shards hold \d+ entries, expected/);
    meta.nonZeros += 1;
    writeFileSync(path, JSON.stringify(meta));
    await expect(openActivations(folder)).rejects.toThrow(/the statistics count \d+ firings but the shards hold/);
  });

  it('is not written on after an abort between blocks', async () => {
    const signal = AbortSignal.abort();
    const run = writeActivations(folder, [sparse(4, [[], []])], { ...options(2, 4, 2), signal });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('mergeActivations', () => {
  it('equals the store of all sequences at once', async () => {
    const rows = randomRows(60, 40, 0.1, 5);
    const o = { ...options(60, 40, 6), piece: (t: number) => `p${t}` };
    const whole = await writeActivations(join(folder, 'whole'), [rows], o);
    const parts = [];
    for (const [from, to] of [
      [0, 24],
      [24, 60],
    ]) {
      const part = {
        ...o,
        tokenIds: o.tokenIds.slice(from, to),
        tokenSet: { id: `part ${from}`, tokenizer: 'tokenizer-A' },
      };
      parts.push(await writeActivations(join(folder, `part${from}`), [slice(rows, from, to)], part));
    }
    const merged = await mergeActivations(join(folder, 'merged'), parts);
    expect(await readAll(merged)).toEqual(await readAll(whole));
    expect(await merged.tokenIds()).toEqual(await whole.tokenIds());
    expect(merged.statistics.firings).toEqual(whole.statistics.firings);
    expect(merged.statistics.max).toEqual(whole.statistics.max);
    expect(merged.piece(7)).toBe('p7');
  });

  it('refuses parts of different SAEs and names both', async () => {
    const rows = sparse(4, [[], []]);
    const a = await writeActivations(join(folder, 'a'), [rows], options(2, 4, 2));
    const b = await writeActivations(join(folder, 'b'), [rows], {
      ...options(2, 4, 2),
      sae: { name: 'x', id: 'sae-B' },
    });
    await expect(mergeActivations(join(folder, 'm'), [a, b])).rejects.toThrow(/sae-A and sae-B/);
  });
});

describe('firing figures', () => {
  const acts = memoryActivations(
    sparse(4, [
      [
        [0, 1],
        [1, 2],
      ],
      [[1, 1]],
      [],
      [
        [0, 3],
        [1, 1],
      ],
      [[1, 5]],
      [],
    ]),
    { context: 3 },
  );

  it('are rates, dead features, L0 and density by hand', () => {
    expect([...firingRates(acts)]).toEqual([2, 4, 0, 0].map((n) => Math.fround(n / 6)));
    expect([...deadFeatures(acts)]).toEqual([2, 3]);
    expect(meanL0(acts.meta)).toBe(1);
    expect(density(acts.meta)).toBe(0.25);
  });

  it('finds features that fire on one position only, and filters them', async () => {
    const positions = await positionShares(acts);
    expect([...positions.share]).toEqual([1, 0.5, NaN, NaN]);
    expect([...positions.position]).toEqual([0, 0, -1, -1]);
    const use = (o: object) => [...usableFeatures(acts.statistics, { minFirings: 1, positions, ...o })];
    expect(use({})).toEqual([1, 1, 0, 0]);
    expect(use({ maxShareAtOnePosition: 0.9 })).toEqual([0, 1, 0, 0]);
    expect(use({ minFirings: 3 })).toEqual([0, 1, 0, 0]);
    expect(use({ minFirings: 0 })).toEqual([1, 1, 0, 0]);
  });
});
