/** Arrays of other programs as stores, and any kept result by its id. */
import type { PairedMap } from '#kernel/correlation/types.js';
import type { Layout } from '#kernel/maps/types.js';
import type { MapperGraph } from '#kernel/mapper/types.js';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '#kernel/activations/types.js';
import { noTorch, python } from '#test/kit/python.js';
import { freshFg, lmA, saeA, texts } from '#test/kit/fg.js';

const world = freshFg();
const without = noTorch();
const dense = { shape: [2, 3, 4], data: Float32Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? i + 1 : 0)) };

async function entries(store: SparseActivations): Promise<Array<[row: number, feature: number, value: number]>> {
  const found: Array<[number, number, number]> = [];
  for await (const { firstToken, rows } of store.shards())
    for (let i = 0; i < rows.rows; i++)
      for (let p = rows.indptr[i]; p < rows.indptr[i + 1]; p++)
        found.push([firstToken + i, rows.indices[p], rows.values[p]]);
  return found;
}

const expected = Array.from({ length: 8 }, (_, k) => 3 * k).map((i) => [Math.floor(i / 4), i % 4, i + 1]);

describe('fg.activations.from', () => {
  it('takes dense [S, T, F]: the entries, the sequences and the statistics', async () => {
    const store = await world.fg.activations.from(dense, { name: 'mine' });
    expect(await entries(store)).toEqual(expected);
    expect(store.meta).toMatchObject({ tokens: 6, context: 3, sequences: 2, features: 4, nonZeros: 8 });
    expect([...store.statistics.firings]).toEqual([2, 2, 2, 2]);
    expect([...store.statistics.max]).toEqual([13, 22, 19, 16]);
  });

  it('CSR with unsorted entries gives what dense gives', async () => {
    const csr = { indptr: [0, 2, 3, 4, 6, 7, 8], indices: [3, 0, 2, 1, 3, 0, 2, 1], values: [4, 1, 7, 10, 16, 13, 19, 22], shape: [6, 4] }; // prettier-ignore
    const store = await world.fg.activations.from(csr, { name: 'mine', context: 3 });
    expect(await entries(store)).toEqual(expected);
    const same = await world.fg.activations.from(dense, { name: 'mine' });
    expect(store.meta.tokenSet).toEqual(same.meta.tokenSet);
    const { r } = (await world.fg.correlation.map(store, same, { minFirings: 2 })).pairs;
    expect([...r]).toEqual(r.length > 0 ? Array(r.length).fill(1) : [1]);
  });

  it('the same call loads it; another array, name or token is another store', async () => {
    const store = await world.fg.activations.from(dense, { name: 'mine' });
    expect((await world.fg.activations.from({ ...dense, data: [...dense.data] }, { name: 'mine' })).id).toBe(store.id);
    expect(world.context.printed.join()).toContain('loaded from cache');
    expect((await world.fg.activations.from(dense, { name: 'other' })).id).not.toBe(store.id);
    const tokens = [1, 2, 3, 4, 5, 6];
    expect((await world.fg.activations.from(dense, { name: 'mine', tokens })).id).not.toBe(store.id);
  });

  it('has with tokens examples and labels, from ids or a token set', async () => {
    const tokens = [
      [5, 6, 7],
      [8, 9, 10],
    ];
    const store = await world.fg.activations.from(dense, { name: 'mine', tokens, tokenizer: lmA });
    expect(await world.fg.activations.labels(store)).toEqual([['8', '5'], ['10', '7'], ['9', '6'], ['8', '5']]); // prettier-ignore
    const set = world.fg.datasets.fromTexts(texts, { context: 5 }).tokens(lmA);
    const data = { shape: [set.sequences * set.context, 2], data: new Float32Array(2 * set.tokens.length).fill(1) };
    const ofSet = await world.fg.activations.from(data, { name: 'all', tokens: set });
    expect(ofSet.meta).toMatchObject({ context: 5, tokenSet: { id: set.id, tokenizer: set.tokenizer.id } });
  });

  it('refuses what does not fit, with its place', async () => {
    const from = (data: unknown, more: object = {}): Promise<unknown> =>
      world.fg.activations.from(data as typeof dense, { name: 'x', ...more });
    await expect(from({ shape: [2, 2], data: [1, NaN, 0, 1] })).rejects.toThrow(/feature 1 in row 0 is NaN/);
    await expect(from({ shape: [2, 2], data: [1, 0, -2, 1] })).rejects.toThrow(
      /feature 0 in row 1 is -2.*negative: 'zero'/,
    );
    expect(await entries((await from({ shape: [1, 2], data: [-1, 2] }, { negative: 'zero' })) as SparseActivations)).toEqual([[0, 1, 2]]); // prettier-ignore
    await expect(from({ shape: [2, 2], data: [1] })).rejects.toThrow(/needs 4 values but has 1/);
    await expect(from({ shape: [4], data: [1, 1, 1, 1] })).rejects.toThrow(/expected \[N, F\] or \[S, T, F\]/);
    await expect(from(dense, { tokens: [1, 2] })).rejects.toThrow(/6 rows of activations but 2 tokens/);
    await expect(from(dense, { context: 2 })).rejects.toThrow(/says 3 tokens per sequence but \{ context \} says 2/);
    await expect(from({ indptr: [0, 1], indices: [9], values: [1], shape: [1, 4] })).rejects.toThrow(
      /feature 9; features are 0 to 3/,
    );
    await expect(from({ indptr: [0, 2], indices: [1, 1], values: [1, 1], shape: [1, 4] })).rejects.toThrow(
      /feature 1 twice/,
    );
    await expect(from({ indptr: [0, 5, 1], indices: [1], values: [1], shape: [2, 4] })).rejects.toThrow(/indptr falls/);
    await expect(world.fg.activations.from(dense, {} as { name: string })).rejects.toThrow(/name is missing/);
  });

  it.skipIf(without)('two pickles of dense torch codes are correlated', async () => {
    const folder = world.context.notebookFolder;
    python(
      folder,
      `
import pickle, torch
torch.manual_seed(0)
a = torch.relu(torch.randn(8, 16, 6) - 0.5)
b = torch.cat([a[..., [3, 1, 4]] * 2, torch.relu(torch.randn(8, 16, 2))], -1)
pickle.dump(a, open('a.pkl', 'wb')); pickle.dump(b, open('b.pkl', 'wb'))
`,
    );
    const stores = [];
    for (const name of ['a', 'b'])
      stores.push(await world.fg.activations.from(await world.fg.arrays.load(`${name}.pkl`), { name }));
    const map = await world.fg.correlation.map(stores[0], stores[1]);
    expect([map.bestAofB[0], map.bestAofB[map.counterparts], map.bestAofB[2 * map.counterparts]]).toEqual([3, 1, 4]);
    expect(map.rAofB[0]).toBeCloseTo(1, 6);
  });
});

describe('fg.artifacts.load', () => {
  it('gives back a store, a map with its stores, a layout, a graph', async () => {
    const { fg } = world;
    const tokens = fg.datasets.fromTexts(texts, { context: 5 });
    const store = await fg.activations.save(lmA, saeA, tokens);
    const again = (await fg.artifacts.load(store.id, { kind: 'activations' })) as SparseActivations;
    expect(await entries(again)).toEqual(await entries(store));
    const map = await fg.correlation.map(store, store);
    const mapped = (await fg.artifacts.load(map.id.slice(0, 8), { kind: 'correlation' })) as PairedMap;
    expect(mapped.pairs).toEqual(map.pairs);
    expect(mapped.a.id).toBe(store.id);
    const layout = await fg.maps.pca(saeA);
    const idOf = async (kind: string): Promise<string> => (await fg.artifacts.list({ search: kind }))[0].id;
    expect(((await fg.artifacts.load(await idOf('layout'), { kind: 'layout' })) as Layout).coordinates).toEqual(
      layout.coordinates,
    );
    const graph = await fg.mapper.graph(saeA);
    expect(((await fg.artifacts.load(await idOf('mapper'), { kind: 'mapper' })) as MapperGraph).members).toEqual(
      graph.members,
    );
  });

  it('another kind, an unknown id and damage are refused by name', async () => {
    const { fg } = world;
    const store = await fg.activations.from(dense, { name: 'mine' });
    await expect(fg.artifacts.load(store.id, { kind: 'layout' })).rejects.toThrow(
      /is of kind "activations" \(mine from arrays, 6 × 4\); expected "layout"/,
    );
    await expect(fg.artifacts.load('00000000')).rejects.toThrow(/no artifact 00000000 in .*the newest are activations/);
    await expect(fg.artifacts.load('abc')).rejects.toThrow(/8 to 64 hex digits/);
    const file = path.join(store.folder, 'statistics.safetensors');
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(file, bytes);
    await expect(fg.artifacts.load(store.id)).rejects.toThrow(
      /activations \w{16} \(mine from arrays.*does not load.*statistics/,
    );
  });

  it('notes and titles are searched, and the result still loads', async () => {
    const { fg } = world;
    const store = await fg.activations.from(dense, { name: 'mine' });
    await fg.activations.from(dense, { name: 'other' });
    await fg.artifacts.note(store.id, 'the run with the good seed');
    expect((await fg.artifacts.list({ search: 'GOOD run' })).map((r) => r.id)).toEqual([store.id]);
    expect((await fg.artifacts.list({ search: 'from arrays' })).length).toBe(2);
    expect(await fg.artifacts.list({ search: 'nothing like it' })).toEqual([]);
    expect(await entries((await fg.artifacts.load(store.id, { kind: 'activations' })) as SparseActivations)).toEqual(
      expected,
    );
    await fg.artifacts.note(store.id, '');
    expect(await fg.artifacts.list({ search: 'good' })).toEqual([]);
  });
});
