/** Every call of fg that takes rows takes them in the same forms, and refuses in the same words. */
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';
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

  it('take distances in the same forms', async () => {
    const d = matrix(20, 20);
    for (let i = 0; i < 20; i++)
      for (let j = 0; j < 20; j++) d.data[i * 20 + j] = Math.hypot(...rows[i].map((v, k) => v - rows[j][k]));
    const options = (distances: unknown) => ({
      ...{ lens: 'l2norm' as const, cover: { cubes: 2 }, distances: distances as Matrix },
      clusterer: { kind: 'dbscan', metric: 'precomputed', eps: 1, minSamples: 2 },
    }) as const; // prettier-ignore
    const nested = Array.from({ length: 20 }, (_, i) => Array.from(row(d, i)));
    const graph = await session.fg.mapper.graph(x, options(d));
    expect(await session.fg.mapper.graph(x, options(nested))).toEqual(graph);
    await expect(session.fg.mapper.graph(x, options(nested.slice(1).concat([[1]])))).rejects.toThrow(
      'row 19 of fg.mapper.graph: distances has 1 numbers but row 0 has 20',
    );
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
