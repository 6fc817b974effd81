/** Saved SAEs, read back by the loader and by a second reader (numpy and torch, test/goldens/read-saes.py). */
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix } from '#kernel/compute/matrix.js';
import { TorchFile } from '#kernel/io/torchFile.js';
import { torchCheckpoint } from '#kernel/io/torchWrite.js';
import { loadSae, type LoadSaeOptions } from '#kernel/sae/load.js';
import { reconstruct } from '#kernel/sae/sae.js';
import { saveSae, type SaveLayout } from '#kernel/sae/save.js';
import { toDense } from '#test/kit/rows.js';
import { goldens, maximum } from '#test/kit/saeLayouts.js';
import { testFolder } from '#test/kit/folder.js';

const LAYOUTS: readonly SaveLayout[] = ['saelens', 'sparsify', 'dictionary_learning'];
const PYTHON = '/usr/bin/python3';
const python = spawnSync(PYTHON, ['-c', 'import numpy, torch']).status === 0;
if (!python) console.warn(`saved SAEs by a second reader: skipped, ${PYTHON} has no numpy and torch`);

interface Saved {
  title: string;
  layout: SaveLayout;
  at: string;
  f: number[][];
  y: number[][];
}

let folder = '';
const saved: Saved[] = [];
const refused: string[] = [];
const x = matrix(goldens.x.length, goldens.x[0].length, Float32Array.from(goldens.x.flat()));

beforeAll(async () => {
  await initGemm();
  folder = testFolder('sae-save');
  for (const [i, { name, files, load, options, f, y }] of goldens.cases.entries()) {
    const from = join(folder, `case ${i}`);
    for (const [path, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(from, path)), { recursive: true });
      await writeFile(join(from, path), Buffer.from(bytes, 'base64'));
    }
    const sae = await loadSae(join(from, load), options as LoadSaeOptions);
    for (const layout of LAYOUTS) {
      const at = join(folder, `${i} ${layout}`);
      try {
        await saveSae(sae, at, { layout });
        saved.push({ title: `${name} as ${layout}`, layout, at, f, y });
      } catch (error) {
        refused.push(`${name} as ${layout}: ${String(error)}`);
      }
    }
  }
});

function worst(got: ArrayLike<number>, wanted: number[][]): number {
  const flat = wanted.flat();
  expect(got.length).toBe(flat.length);
  return flat.reduce((max, v, i) => Math.max(max, Math.abs(v - got[i])), 0) / maximum(flat);
}

it('what a layout cannot hold is refused with the reason, and nothing else', () => {
  for (const message of refused) expect(message).toMatch(/has no |would read a tanh-relu|has a threshold for each/);
  const of = (layout: SaveLayout) => saved.filter((s) => s.layout === layout).length;
  expect([of('saelens'), of('sparsify'), of('dictionary_learning')].every((n) => n > 8)).toBe(true);
});

it('a saved SAE is read back by the loader, to the same features', async () => {
  for (const { title, at, f, y } of saved) {
    const { features, reconstruction } = reconstruct(await loadSae(at), x);
    expect(worst(toDense(features), f), title).toBeLessThan(1e-5);
    expect(worst(reconstruction.data, y), title).toBeLessThan(1e-5);
  }
});

it.skipIf(!python)('a saved SAE is read by numpy and torch to the same features', () => {
  const input = JSON.stringify({ x: goldens.x, saes: saved.map(({ layout, at }) => [layout, at]) });
  const script = join(import.meta.dirname, '../../goldens/read-saes.py');
  const run = spawnSync(PYTHON, [script], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  expect(run.stderr).toBe('');
  const results = JSON.parse(run.stdout) as Array<{ f: number[][]; y: number[][] }>;
  saved.forEach(({ title, f, y }, i) => {
    expect(worst(results[i].f.flat(), f), title).toBeLessThan(1e-5);
    expect(worst(results[i].y.flat(), y), title).toBeLessThan(1e-5);
  });
});

it('checkpoints hold tensors of any shape and type that is written', async () => {
  const path = join(folder, 'a.pt');
  const tensors = {
    none: { dtype: 'F32' as const, shape: [], data: Float32Array.of(2.5) },
    three: { dtype: 'F64' as const, shape: [2, 1, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) },
    whole: { dtype: 'I32' as const, shape: [2], data: Int32Array.of(-7, 9) },
  };
  await writeFile(path, torchCheckpoint(tensors));
  const file = await TorchFile.open(path);
  for (const [name, tensor] of Object.entries(tensors)) expect(await file.read(name)).toEqual(tensor);
  await file.close();
  expect(() => torchCheckpoint({ half: { dtype: 'F16', shape: [1], data: new Uint16Array(1) } })).toThrow(
    /F16 are not written/,
  );
});
