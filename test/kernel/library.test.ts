/** The kernel as a package that other programs import. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, root } from '#test/kit/kernel.js';

const folder = testFolder('library');
beforeAll(() => {
  ensureKernelBuilt();
  execFileSync(process.execPath, ['scripts/build-types.mjs'], { cwd: root });
  fs.mkdirSync(path.join(folder, 'node_modules'));
  // What `npm install <checkout>/dist` does.
  fs.symlinkSync(path.join(root, 'dist'), path.join(folder, 'node_modules/feature-geometry'));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
});

const ROWS = 'Array.from({ length: 60 }, (_, i) => [Math.cos(i), Math.sin(i), (i * 7) % 5])';

const SCRIPT = `
import { openKernel, type OpenKernel, type Progress } from 'feature-geometry'

const rows: number[][] = ${ROWS}
const units = new Set<string>()
const lines: string[] = []
const onProgress = (progress: Progress | null) => { if (progress?.unit) units.add(progress.unit) }
const kernel: OpenKernel = await openKernel({ artifacts: 'kept', device: 'cpu', onProgress, onPrint: (line) => lines.push(line) })
const { fg } = kernel
const layout = await fg.maps.umap(rows, { nNeighbors: 5, seed: 3 })
fg.keyFigure('points', layout.points)
const again = await fg.maps.umap(rows, { nNeighbors: 5, seed: 3 })
const found = await fg.artifacts.find(layout.id)
const equal = layout.coordinates.every((v, i) => v === again.coordinates[i])
// @ts-expect-error: types are those of cells
void fg.maps.umap(rows, { nNeighbours: 5 }).catch(() => undefined)
const wrong = await fg.maps.umap(rows, JSON.parse('{ "nNeighbours": 5 }')).catch((error: Error) => error.message)
await kernel.close()
const after = await fg.maps.umap(rows, { seed: 4 }).catch((error: Error) => error.name)
console.log(JSON.stringify({ points: kernel.keyFigures.get('points'), equal, lines, units: [...units], wrong, after, title: found?.record.title }))
`;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function node(source: string): Ended {
  const file = path.join(folder, `script-${fs.readdirSync(folder).length}.mjs`);
  fs.writeFileSync(file, source);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: folder, encoding: 'utf8', timeout: 120_000 }); // prettier-ignore
  return { code: status, stdout, stderr };
}

describe('import { openKernel } from "feature-geometry"', () => {
  it('gives fg with its types, results on disk, progress, and an end by itself', async () => {
    const file = path.join(folder, 'script.ts');
    fs.writeFileSync(file, SCRIPT);
    const options = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext', '--skipLibCheck', '--types', 'node', '--typeRoots', path.join(root, 'node_modules/@types')]; // prettier-ignore
    const checked = spawnSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), ...options, file], { cwd: folder, encoding: 'utf8' }); // prettier-ignore
    expect(checked.stdout).toBe('');
    const { transformSync } = await import('esbuild');
    const ended = node(transformSync(SCRIPT, { loader: 'ts', format: 'esm', target: 'es2022' }).code);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      points: '60',
      equal: true,
      lines: [expect.stringMatching(/loaded from cache/)],
      wrong: expect.stringMatching(/has no option "nNeighbours".*nNeighbors/),
      after: 'AbortError',
      title: expect.stringMatching(/60 × 3/),
    });
    expect(fs.readdirSync(path.join(folder, 'kept')).some((name) => name.startsWith('layout-'))).toBe(true);
  });

  it('ends a call when its signal is aborted, and refuses a folder that is not there', () => {
    const ended = node(`
      import { openKernel } from 'feature-geometry'
      const missing = await openKernel({ folder: 'nowhere' }).catch((error) => error.message)
      const controller = new AbortController()
      const { fg, close } = await openKernel({ device: 'cpu', signal: controller.signal, onProgress: () => controller.abort() })
      const stopped = await fg.maps.umap(${ROWS.replace('60', '3000')}, { nEpochs: 5000 }).catch((error) => error.name)
      await close()
      console.log(JSON.stringify({ missing, stopped }))`);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual({
      missing: expect.stringMatching(/openKernel: .*nowhere is no folder; give \{ folder \}/),
      stopped: 'AbortError',
    });
  });
});
