/** Arrays of other programs as stores, and any kept result by its id. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '#kernel/activations/types.js';
import { namespaces } from '#kernel/api/namespaces.js';
import type { ArtifactRecord } from '#kernel/artifacts/types.js';
import { canonicalJson, sha256 } from '#kernel/io/hash.js';
import { DISPLAY } from '#kernel/present/items.js';
import type { AnyVerb } from '#kernel/verb/namespace.js';
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
    const labels = await world.fg.activations.labels(store);
    expect(labels.map(({ peaks }) => peaks)).toEqual([['8', '5'], ['10', '7'], ['9', '6'], ['8', '5']]); // prettier-ignore
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
    const again = await fg.artifacts.load(store.id, { kind: 'activations' });
    expect(await entries(again)).toEqual(await entries(store));
    const map = await fg.correlation.map(store, store);
    const mapped = await fg.artifacts.load(map.id.slice(0, 8), { kind: 'correlation' });
    expect(mapped.pairs).toEqual(map.pairs);
    expect(mapped.a.id).toBe(store.id);
    const layout = await fg.maps.pca(saeA);
    const idOf = async (kind: string): Promise<string> => (await fg.artifacts.list({ search: kind }))[0].id;
    expect((await fg.artifacts.load(await idOf('layout'), { kind: 'layout' })).coordinates).toEqual(layout.coordinates);
    const graph = await fg.mapper.graph(saeA);
    expect((await fg.artifacts.load(await idOf('mapper'), { kind: 'mapper' })).members).toEqual(graph.members);
  });

  it('gives back a world by its own id, made again from its options, and an SAE by its own', async () => {
    const { fg } = world;
    const dictionary = { kind: 'clusters', clusters: 4, cosine: 0.8 } as const;
    const frequencies = Array.from({ length: 12 }, (_, i) => 0.02 + 0.01 * i);
    const made = await fg.synthetic.world({ features: 12, dim: 8, frequencies, geometry: dictionary, seed: 3 });
    const preset = await fg.synthetic.preset('marks-2024-corrected', { features: 24, dim: 8, k: 3, groups: 2 });
    for (const of of [made, preset]) {
      const again = await fg.artifacts.load(of.id, { kind: 'world' });
      expect([again.id, again.description, again.dictionary.data]).toEqual([of.id, of.description, of.dictionary.data]);
      const [a, b] = [
        await fg.synthetic.sample(of, { samples: 50 }),
        await fg.synthetic.sample(again, { samples: 50 }),
      ];
      expect(b.codes).toEqual(a.codes);
      expect(DISPLAY in again).toBe(true);
    }
    // The same call again writes nothing new.
    await fg.synthetic.world({ features: 12, dim: 8, frequencies, geometry: dictionary, seed: 3 });
    expect(await fg.artifacts.list({ search: 'world' })).toHaveLength(2);
    const sae = await fg.synthetic.train(made, { features: 12, steps: 3, trainBatchSizeTokens: 32, samples: 64 });
    const loaded = await fg.artifacts.load(sae.id, { kind: 'sae' });
    expect([loaded.id, loaded.history.length]).toEqual([sae.id, sae.history.length]);
  });

  it('a world that comes out otherwise than its record says is refused with both ids', async () => {
    const { fg } = world;
    const made = await fg.synthetic.world({ features: 6, dim: 4 });
    const [record] = await fg.artifacts.list({ search: 'world' });
    const file = path.join(fg.artifacts.folder(), `world-${record.id.slice(0, 16)}`, 'artifact.json');
    // As a version whose worlds were others would have written it.
    const { check: _, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as ArtifactRecord;
    const foreign = { ...rest, contents: 'f'.repeat(64) };
    const check = sha256(['fgnb record 1', canonicalJson(foreign, 'record')]);
    writeFileSync(file, JSON.stringify({ ...foreign, check }));
    await expect(fg.artifacts.load('f'.repeat(64))).rejects.toThrow(
      new RegExp(`options give world ${made.id.slice(0, 8)} but the record is of ffffffff.*make it anew`),
    );
    // Making it again puts the record right, with a word.
    await fg.synthetic.world({ features: 6, dim: 4 });
    expect(world.context.printed.join()).toContain('will be made again');
    expect((await fg.artifacts.load(made.id, { kind: 'world' })).id).toBe(made.id);
  });

  it('knows every kind that the code keeps, since verbs declare them', async () => {
    const sources = readdirSync('src/kernel', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(path.join('src/kernel', file), 'utf8'));
    const written = sources.flatMap((text) =>
      [
        ...text.matchAll(
          /kind: '([a-z-]+)'(?: as const)?,(?:(?!kind:)[\s\S]){0,700}?(?:codeVersion[:,}\s]|\n {2,4}version: )/g,
        ),
        ...text.matchAll(/^export const \w*_KIND = '([a-z-]+)';$/gm),
      ].map((m) => m[1]),
    );
    expect(written).toEqual(expect.arrayContaining(['graph', 'joint-map', 'effects', 'world', 'sweep-cell']));
    const { artifacts, ...others } = namespaces;
    const declared = Object.values(others).flatMap((each) =>
      Object.values<AnyVerb>(each.verbs).flatMap(({ kinds }) => kinds),
    );
    expect([...new Set(declared)].sort()).toEqual([...new Set(written)].sort());
    for (const kind of written)
      await expect(world.fg.artifacts.prune({ unusedDays: 1, kinds: [kind] }), kind).resolves.toEqual([]);
    expect(artifacts.verbs.load.options.kind.expected).toContain("'joint-map'");
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
    expect(await entries(await fg.artifacts.load(store.id, { kind: 'activations' }))).toEqual(expected);
    await fg.artifacts.note(store.id, '');
    expect(await fg.artifacts.list({ search: 'good' })).toEqual([]);
  });
});
