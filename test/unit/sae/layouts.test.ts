/** Every layout and architecture against plain loops in float64 over files as their libraries lay them out. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { ARCHITECTURES } from '#kernel/sae/architectures/index.js';
import { LAYOUTS } from '#kernel/sae/layouts/index.js';
import { saeTitle } from '#kernel/sae/title.js';
import { loadSae, type LoadSaeOptions } from '#kernel/sae/load.js';
import { reconstruct } from '#kernel/sae/sae.js';
import { toDense } from '#test/kit/rows.js';
import { goldens, maximum } from '#test/kit/saeLayouts.js';
import { testFolder } from '#test/kit/folder.js';

let folder = '';
beforeAll(async () => {
  await initGemm();
  folder = testFolder('sae-layouts');
});

const x = rows(goldens.x);

function rows(values: number[][]): Matrix {
  return matrix(values.length, values[0].length, Float32Array.from(values.flat()));
}

/** Writes the files of a case into a folder of its own. */
async function lay(name: string, files: Record<string, string>): Promise<string> {
  const at = join(folder, name.replaceAll(/\W+/g, '-'));
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(at, path)), { recursive: true });
    await writeFile(join(at, path), Buffer.from(bytes, 'base64'));
  }
  return at;
}

function expectClose(got: Float32Array, wanted: number[][]): void {
  const flat = wanted.flat();
  const scale = maximum(flat);
  expect(got.length).toBe(flat.length);
  const worst = got.reduce((max, v, i) => Math.max(max, Math.abs(v - flat[i])), 0);
  expect(worst / scale).toBeLessThan(1e-5);
}

describe('f and x̂ are those of the definition', () => {
  it.each(goldens.cases)('$name', async ({ name, files, load, options, config, f, y }) => {
    const at = await lay(name, files);
    const sae = await loadSae(join(at, load), options as LoadSaeOptions);
    expect(sae.config).toMatchObject(config);
    // Tests that assert nothing are none: some features fire, some do not.
    expect(f.flat().filter((v) => v !== 0).length).toBeGreaterThan(0);
    expect(f.flat().filter((v) => v === 0).length).toBeGreaterThan(0);
    const { features, reconstruction } = reconstruct(sae, x);
    expectClose(toDense(features), f);
    expectClose(reconstruction.data, y);
    // Features that lost what encode knew of their rows decode alike with x.
    expect(sae.decode({ ...features, origin: undefined }, x)).toEqual(reconstruction);
  });

  it('every architecture has a case', () => {
    const seen = new Set(goldens.cases.map(({ config }) => config.architecture));
    for (const { name } of ARCHITECTURES) if (name !== 'decoder') expect(seen, name).toContain(name);
  });
});

describe('an SAE that normalises each row', () => {
  it.each(['SAELens layer_norm', 'SAELens constant_norm_rescale'])(
    '%s decodes into the units of x, and refuses features without it',
    async (name) => {
      const { files, load } = goldens.cases.find((one) => one.name === name)!;
      const sae = await loadSae(join(await lay(`${name} far`, files), load));
      const far = matrix(
        x.rows,
        x.cols,
        x.data.map((v) => 40 * v),
      );
      const { origin: _, ...bare } = sae.encode(far);
      expect(() => sae.decode(bare)).toThrow(/normalises each row .* give x as the second argument/);
      // Both norms take the scale out of x before features are read: it comes back from the row itself.
      const near = sae.decode(sae.encode(x));
      sae.decode(bare, far).data.forEach((v, i) => expect(Math.abs(v - 40 * near.data[i])).toBeLessThan(0.02));
    },
  );
});

describe('a decoder alone', () => {
  it('of which neither model nor hook is known is called by its file', async () => {
    const at = await lay('decoders', { 'W_dec_b.npy': goldens.decoders['W_dec.npy'] });
    const sae = await loadSae(join(at, 'W_dec_b.npy'));
    expect(sae.name).toBe('W_dec_b decoder 12');
    expect(saeTitle(sae)).toBe('W_dec_b decoder 12');
  });

  const alone = Object.keys(goldens.decoders).filter((name) => name !== 'scalars.pkl');
  it.each(alone)('%s has directions, a name and an id, and encodes nothing', async (name) => {
    const at = await lay(`decoder ${name}`, { [name]: goldens.decoders[name] });
    const sae = await loadSae(join(at, name), { modelName: 'tiny' });
    expect(sae.decoder).toEqual(rows(goldens.decoder));
    expect(sae.name).toBe('tiny decoder 12');
    expect(sae.id).toMatch(/^[0-9a-f]{64}$/);
    expect(() => sae.encode(x)).toThrow(/a decoder alone, \[12, 6\]: it has no encoder/);
  });
});

it('a number beside the arrays of a pickle is used, left out by name, or refused by name', async () => {
  const at = join(await lay('scalars', { 'scalars.pkl': goldens.decoders['scalars.pkl'] }), 'scalars.pkl');
  await expect(loadSae(at)).rejects.toThrow(/d_sae/);
  expect((await loadSae(at, { ignore: ['d_sae'] })).decoder).toEqual(rows(goldens.decoder));
});

it('no two layouts take the same files, but for the general ones that come last', async () => {
  const general = ['nn.Linear state dict', 'state dict', 'decoder alone'];
  const { SaeFiles } = await import('#kernel/sae/layouts/files.js');
  for (const { name, files, load, options } of goldens.cases) {
    if ('map' in options) continue;
    const opened = await SaeFiles.open(join(await lay(name, files), load), options as LoadSaeOptions);
    const takers = LAYOUTS.filter((l) => l.recognises(opened)).map((l) => l.name);
    await opened.close();
    expect(takers.length, name).toBeGreaterThan(0);
    expect(takers.filter((taker) => !general.includes(taker)).length, `${name}: ${takers.join()}`).toBeLessThanOrEqual(
      1,
    );
  }
});

it('the page of formats names every layout and architecture', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/formats.md'), 'utf8');
  for (const { name } of [...LAYOUTS, ...ARCHITECTURES]) expect(page).toContain(name);
});

it('every case that the page of formats names is there, and every case is named', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/formats.md'), 'utf8');
  const [, table] = page.split('### Published files, row by row');
  const named = [...table.split('\n### ')[0].matchAll(/[_*]([^_*|][^*|]*?)[_*](?=;| +\|)/g)].map(([, name]) => name);
  const cases = goldens.cases.map(({ name }) => name);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((name) => !cases.includes(name))).toEqual([]);
  expect(cases.filter((name) => !named.includes(name))).toEqual([]);
});
