/** Every call of fg that takes rows takes them in the same forms, and refuses in the same words. */
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';
import { namespaces } from '#kernel/api/namespaces.js';
import type { Schema } from '#kernel/verb/option.js';
import { createSae } from '#kernel/sae/sae.js';
import { freshFg, hook, lmA, saeA, texts } from '#test/kit/fg.js';

const session = freshFg();
const x = matrix(20, 3, new Random(3).normals(new Float32Array(60)));
const rows = Array.from({ length: 20 }, (_, i) => Array.from(row(x, i)));
const other = matrix(20, 3, new Random(5).normals(new Float32Array(60)));
const pairs = { a: Int32Array.from({ length: 20 }, (_, i) => i), b: Int32Array.from({ length: 20 }, (_, i) => i) };
const cover = {
  cover: { cubes: 3, overlap: 0.2 },
  clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1 },
} as const;

const aligned = (a: Matrix, b: Matrix) =>
  session.fg.maps.alignedUmap(a, b, { pairs } as never, { nNeighbors: 4, nEpochs: 10 });

let made: ReturnType<typeof session.fg.maps.umap> | undefined;
const layout = () => (made ??= session.fg.maps.umap(other, { nNeighbors: 4, nEpochs: 10 }));

/** "fg.maps.pca(x)" for each argument of docs/api that is a matrix, in any form, alone or in a list. */
const declared = fs.readdirSync('docs/api').flatMap((page) => {
  const text = fs.readFileSync(`docs/api/${page}`, 'utf8');
  const forms = [...text.matchAll(/^(fg[\w.]*)\((.*)\): \S.*$/gm)];
  return forms.flatMap(([, name, args]) =>
    [...args.matchAll(/(\w+)\??: [^,)]*MatrixInput/g)].map(([, arg]) => `${name}(${arg})`),
  );
});

describe('calls that take rows', () => {
  const calls: Record<string, (given: never) => Promise<unknown>> = {
    'fg.correlation.splitting(small)': (given) => session.fg.correlation.splitting(given, other, { nulls: 2 }),
    'fg.correlation.splitting(large)': (given) => session.fg.correlation.splitting(other, given, { nulls: 2 }),
    'fg.correlation.stability(saes)': (given) => session.fg.correlation.stability([given, other], { nulls: 2 }),
    'fg.maps.alignedUmap(a)': (given) => aligned(given, other),
    'fg.maps.alignedUmap(b)': (given) => aligned(other, given),
    'fg.maps.transform(x)': async (given) => session.fg.maps.transform(await layout(), given),
    'fg.maps.pca(x)': (given) => session.fg.maps.pca(given),
    'fg.maps.umap(x)': (given) => session.fg.maps.umap(given, { nNeighbors: 4, nEpochs: 10 }),
    'fg.mapper.graph(points)': (given) => session.fg.mapper.graph(given, cover),
    'fg.mapper.lens(points)': (given) => session.fg.mapper.lens(given, 'l2norm'),
    'fg.mapper.persistence(points)': (given) => session.fg.mapper.persistence(given, { nulls: 1 }),
    'fg.mapper.nulls(points)': (given) => session.fg.mapper.nulls(given, { ...cover, nulls: 1 }),
    'fg.mapper.sweep(points)': (given) =>
      session.fg.mapper.sweep(given, { clusterer: cover.clusterer, cubes: [2], overlaps: [0.2], nulls: 0 }),
    'fg.mapper.stability(points)': (given) => session.fg.mapper.stability(given, { ...cover, draws: 2 }),
    'fg.synthetic.recovery(learned)': async (given) =>
      session.fg.synthetic.recovery(
        await session.fg.synthetic.world({ features: 8, dim: 3, frequencies: 0.2 }),
        given,
        { nulls: 2 },
      ),
  };
  it('are all tried here', () => {
    expect(Object.keys(calls).sort()).toEqual([...new Set(declared)].sort());
  });

  for (const [name, call] of Object.entries(calls))
    it(`${name}: number[][] and a tensor are what the matrix is; a wrong length and a promise are refused`, async () => {
      const of = await call(x as never);
      // The same identity: loaded, not computed again.
      const printed = session.context.printed.length;
      const tensor = tf.tensor2d(rows);
      expect(await call(rows as never)).toEqual(of);
      expect(await call(tensor as never)).toEqual(of);
      tensor.dispose();
      const told = session.context.printed.slice(printed).filter((text) => text.includes('loaded from cache'));
      expect(told).toHaveLength(2);
      await expect(call({ rows: 20, cols: 3, data: new Float32Array(10) } as never)).rejects.toThrow(
        'is of 20 rows and 3 columns but has 10 values; expected 60',
      );
      await expect(call(Promise.resolve(x) as never)).rejects.toThrow('is a promise: write "await"');
      await expect(call([[1, 2], [3]] as never)).rejects.toThrow('all rows need the same length');
    });
});

/** "fg.mapper.graph: distances", "fg.synthetic.world: correlations, kind 'matrix': matrix". */
function optionsOfRows(at: string, schema: Schema): string[] {
  return Object.entries(schema).flatMap(([name, option]) => {
    const own = `${at}: ${name}`;
    const inKinds = (option.kinds ?? []).flatMap(({ table }) =>
      Object.entries(table).flatMap(([kind, { members }]) => optionsOfRows(`${own}, kind '${kind}'`, members)),
    );
    const inside = [...inKinds, ...optionsOfRows(own, option.members ?? {})];
    return option.rows && (inside.length === 0 || name === 'lens') ? [own, ...inside] : inside;
  });
}

describe('options that are rows', () => {
  const table = matrix(20, 20);
  for (let i = 0; i < 20; i++)
    for (let j = 0; j < 20; j++) table.data[i * 20 + j] = Math.hypot(...rows[i].map((v, k) => v - rows[j][k]));
  const precomputed = { kind: 'dbscan', metric: 'precomputed', eps: 1, minSamples: 2 } as const;
  const lensed = { lens: 'l2norm', clusterer: precomputed, cover: { cubes: 2 } } as const;
  const swept = { clusterer: cover.clusterer, cubes: [2], overlaps: [0.2], nulls: 0 } as const;
  const firing = { features: 20, dim: 8, frequencies: 0.2, seed: 3 };
  const correlated = matrix(20, 20);
  for (let i = 0; i < 20; i++) for (let j = 0; j < 20; j++) correlated.data[i * 20 + j] = i === j ? 1 : 0.25;
  const loadings = matrix(
    20,
    2,
    new Random(9).normals(new Float32Array(40)).map((v) => v / 8),
  );
  const pooled = matrix(40, saeA.decoder.cols, new Random(4).normals(new Float32Array(40 * saeA.decoder.cols)));
  const sample = async (correlations: never) =>
    (await session.fg.synthetic.world({ ...firing, correlations })).sample(50, { seed: 1 });
  const scored = async (pools: { x: unknown; y: unknown }) => {
    const map = await session.fg.correlation.map(await firings(), await firings(), { minFirings: 1 });
    const options = { metrics: ['svcca'], nulls: { runs: 2, kind: 'random-features' }, pools };
    return session.fg.correlation.scores(saeA, saeA, map, options as never);
  };
  const firings = () =>
    session.fg.activations.save(lmA, saeA, session.fg.datasets.fromTexts(texts, { context: 8 }), { hook });

  type Call = readonly [given: Matrix, call: (given: never) => unknown];
  const calls: Record<string, Call> = {
    'fg.mapper.graph: lens': [x, (lens) => session.fg.mapper.graph(x, { ...cover, lens })],
    "fg.mapper.graph: lens, kind 'join': lenses": [x, (one) => session.fg.mapper.graph(x, { ...cover, lens: { kind: 'join', lenses: ['l2norm', one] } })], // prettier-ignore
    'fg.mapper.graph: distances': [table, (distances) => session.fg.mapper.graph(x, { ...lensed, distances })],
    'fg.mapper.nulls: lens': [x, (lens) => session.fg.mapper.nulls(x, { ...cover, lens, nulls: 1 })],
    "fg.mapper.nulls: lens, kind 'join': lenses": [x, (one) => session.fg.mapper.nulls(x, { ...cover, lens: { kind: 'join', lenses: ['l2norm', one] }, nulls: 1 })], // prettier-ignore
    'fg.mapper.sweep: lens': [x, (lens) => session.fg.mapper.sweep(x, { ...swept, lens })],
    "fg.mapper.sweep: lens, kind 'join': lenses": [x, (one) => session.fg.mapper.sweep(x, { ...swept, lens: { kind: 'join', lenses: ['l2norm', one] } })], // prettier-ignore
    'fg.mapper.sweep: distances': [table, (distances) => session.fg.mapper.sweep(x, { ...swept, lens: 'l2norm', clusterer: precomputed, distances })], // prettier-ignore
    'fg.mapper.stability: lens': [x, (lens) => session.fg.mapper.stability(x, { ...cover, lens, draws: 2 })],
    "fg.mapper.stability: lens, kind 'join': lenses": [x, (one) => session.fg.mapper.stability(x, { ...cover, lens: { kind: 'join', lenses: ['l2norm', one] }, draws: 2 })], // prettier-ignore
    'fg.mapper.stability: distances': [
      table,
      (distances) => session.fg.mapper.stability(x, { ...lensed, distances, draws: 2 }),
    ],
    'fg.maps.umap: positions': [matrix(20, 2, x.data.slice(0, 40)), (positions) => session.fg.maps.umap(x, { nNeighbors: 4, nEpochs: 10, positions })], // prettier-ignore
    "fg.synthetic.world: correlations, kind 'low-rank': loadings": [loadings, (given) => sample({ kind: 'low-rank', loadings: given } as never)], // prettier-ignore
    "fg.synthetic.world: correlations, kind 'matrix': matrix": [correlated, (given) => sample({ kind: 'matrix', matrix: given } as never)], // prettier-ignore
    'fg.correlation.scores: pools: x': [pooled, (given) => scored({ x: given, y: pooled })],
    'fg.correlation.scores: pools: y': [pooled, (given) => scored({ x: pooled, y: given })],
  };
  const verbs = Object.entries(namespaces).flatMap(([space, { verbs: of }]) =>
    Object.entries<{ options: Schema }>(of).flatMap(([name, { options }]) =>
      optionsOfRows(`fg.${space}.${name}`, options),
    ),
  );
  it('are all tried here, by what verbs declare', () => {
    // Null runs have no precomputed distances: they are refused in every form.
    const taken = verbs.filter((name) => name !== 'fg.mapper.nulls: distances');
    expect(Object.keys(calls).sort()).toEqual(taken.sort());
  });

  for (const [name, [given, call]] of Object.entries(calls))
    it(`${name}: every form is what the matrix is; a wrong length and a promise are refused`, async () => {
      const of = await call(given as never);
      const { rows: n, cols, data } = given;
      const nested = Array.from({ length: n }, (_, i) => Array.from(row(given, i)));
      const tensor = tf.tensor2d(nested);
      const forms = [
        nested,
        { shape: [n, cols], data: Float64Array.from(data) },
        { rows: n, cols, data: Array.from(data) },
        { dtype: 'F32', shape: [n, cols], data },
        tensor,
        { decoder: given },
      ];
      for (const form of forms) expect(await call(form as never)).toEqual(of);
      tensor.dispose();
      const tried = async (wrong: unknown) => await call(wrong as never);
      await expect(tried({ rows: n, cols, data: new Float32Array(10) })).rejects.toThrow(
        `is of ${n} rows and ${cols} columns but has 10 values; expected ${n * cols}`,
      );
      await expect(tried(Promise.resolve(given))).rejects.toThrow('is a promise: write "await"');
      await expect(tried([[1, 2], [3]])).rejects.toThrow(
        /row 1 of .* has 1 numbers but row 0 has 2|squared length|rows for|must be 20 × 20/,
      );
    });

  it('keep the numbers of float64, and one identity where float32 holds them', async () => {
    const loaded = () => session.context.printed.filter((text) => text.includes('loaded from cache')).length;
    const fine = rows.map((r) => r.map((v) => v + 1e-12));
    const lens = await session.fg.mapper.lens(x, fine);
    expect(Array.from(lens.values)).toEqual(fine.flat());
    await session.fg.mapper.lens(x, x);
    const before = loaded();
    await session.fg.mapper.lens(x, rows);
    await session.fg.mapper.lens(x, { shape: [20, 3], data: Float64Array.from(x.data) });
    expect(loaded() - before).toBe(2);
    await session.fg.mapper.lens(x, { shape: [20, 3], data: Float64Array.from(fine.flat()) });
    expect(loaded() - before).toBe(3);
  });

  it('a column of numbers, and a matrix in a chain, are lenses', async () => {
    const column = rows.map(([v]) => v);
    expect((await session.fg.mapper.lens(x, column)).values).toEqual(Float64Array.from(column));
    const chained = await session.fg.mapper.lens(x, [rows, 'minmax'] as never);
    expect(chained.values).toEqual((await session.fg.mapper.lens(x, [x, 'minmax'] as never)).values);
  });

  it('positions of another size are refused by both sizes', async () => {
    const given = { nNeighbors: 4, nEpochs: 10, positions: x };
    await expect(session.fg.maps.umap(x, given)).rejects.toThrow(
      'positions are 20 × 3 numbers; expected 20 × 2 finite ones',
    );
    await expect(session.fg.maps.umap(x, { ...given, nComponents: 3 })).resolves.toMatchObject({ axes: 3 });
  });
});

describe('a hook that is not given', () => {
  it('is asked for by name, also where an SAE does not say its own', async () => {
    const { fg } = session;
    for (const given of ['', undefined])
      expect(() => lmA.hookWidth(given as never)).toThrow(`give { hook }, such as "${hook}"`);
    expect(() => lmA.hookWidth('blocks.0.hook_mlp')).toThrow('did you mean');
    const { architecture, dIn, dSae, applyBDecToInput, normalizeActivations, modelName, metadata } = saeA.config;
    const config = { architecture, dIn, dSae, applyBDecToInput, normalizeActivations, modelName, metadata };
    const lost = createSae({ ...config, hookName: '' }, saeA);
    await expect(fg.activations.save(lmA, lost, fg.datasets.fromTexts(texts, { context: 8 }))).rejects.toThrow(
      'give { hook }',
    );
  });
});
