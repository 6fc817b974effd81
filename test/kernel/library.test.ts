/** The kernel as a package that other programs import. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, root } from '#test/kit/kernel.js';

interface Packed {
  size: number;
  unpackedSize: number;
  files: Array<{ path: string }>;
}

const folder = testFolder('library');
let packed: Packed;
beforeAll(async () => {
  ensureKernelBuilt();
  const run = promisify(execFile);
  await run(process.execPath, ['scripts/build-types.mjs'], { cwd: root });
  // What `npm install` makes of what `npm pack` packs: these files and no others.
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json'], {
    cwd: path.join(root, 'dist'),
    maxBuffer: 2 ** 26,
  });
  [packed] = JSON.parse(stdout) as [Packed];
  const installed = path.join(folder, 'node_modules/feature-geometry');
  for (const { path: file } of packed.files) {
    fs.mkdirSync(path.dirname(path.join(installed, file)), { recursive: true });
    fs.copyFileSync(path.join(root, 'dist', file), path.join(installed, file), fs.constants.COPYFILE_FICLONE);
  }
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

describe('the package', () => {
  it('has its command, what it runs on, no maps and no tests, and asks npm for nothing', () => {
    const manifest = JSON.parse(fs.readFileSync(path.join(root, 'dist/package.json'), 'utf8')) as { dependencies: Record<string, string>; bundleDependencies: string[] }; // prettier-ignore
    expect(manifest.bundleDependencies).toEqual(Object.keys(manifest.dependencies));
    const files = packed.files.map(({ path: file }) => file);
    for (const name of manifest.bundleDependencies) {
      expect(files).toContain(`node_modules/${name}/package.json`);
      const own = JSON.parse(fs.readFileSync(path.join(root, 'dist/node_modules', name, 'package.json'), 'utf8')) as Record<string, unknown>; // prettier-ignore
      expect(own).toMatchObject({ version: manifest.dependencies[name] });
      // An install script would fetch or build what is there, and fail without a network.
      for (const field of ['scripts', 'dependencies', 'optionalDependencies']) expect(own).not.toHaveProperty(field);
    }
    expect(files.filter((file) => /\.map$|^(test|extension)\//.test(file))).toEqual([]);
    // 27 MB, 86 unpacked (onnxruntime-node 46, typescript 13, kernel 17, types 5); with maps and tests it was 129.
    expect(packed.size).toBeLessThan(30e6);
    expect(packed.unpackedSize).toBeLessThan(92e6);
  });

  it('runs as a command from where it is installed', () => {
    const fgnb = path.join(folder, 'node_modules/feature-geometry/kernel/cli.cjs');
    const run = (...args: string[]) => spawnSync(process.execPath, [fgnb, ...args], { cwd: folder, encoding: 'utf8' });
    fs.writeFileSync(path.join(folder, 'one.ts'), "const n: number = params.deep.n\nif (n !== 3) throw new Error('no')\nawait fg.synthetic.world({ features: 8, dim: 4, l0: 1, seed: n })\n"); // prettier-ignore
    const ran = run('run', 'one.ts', '--artifacts', 'of-run', '--device', 'cpu', '--param', 'deep={"n":3}');
    expect(ran.status, ran.stderr).toBe(0);
    expect(run('artifacts', 'list', '--kind', 'world', '--artifacts', 'of-run').stdout).toContain('1 of 1 artifacts');
    expect(run('artifacts', 'list', '--kind', 'sae', '--artifacts', 'of-run').stdout).toContain('0 of 1 artifacts');
    expect(run('run', 'one.ts', '--artifacts', 'of-run', '--device', 'cpu', '--param', 'deep={"n":4}').status).toBe(1);
    expect(run('run', 'one.ts', '--param', 'deep').status).toBe(2);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('installed, ends by %s with exit code %i', async (signal, code) => {
    const fgnb = path.join(folder, 'node_modules/feature-geometry/kernel/cli.cjs');
    const begun = path.join(folder, `begun-${code}`);
    const source = `import fs from "node:fs"\nfs.writeFileSync(${JSON.stringify(begun)}, '')\nawait new Promise((r) => setTimeout(r, 120_000))\n`;
    fs.writeFileSync(path.join(folder, `stopped-${code}.ts`), source);
    const child = spawn(process.execPath, [fgnb, 'run', `stopped-${code}.ts`, '--device', 'cpu'], { cwd: folder });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await expect.poll(() => fs.existsSync(begun), { timeout: 60_000 }).toBe(true);
    child.kill(signal);
    expect(await ended).toBe(code);
  });
});

describe('import { openKernel } from "feature-geometry"', () => {
  it('gives fg with its types, results on disk, progress, and an end by itself', async () => {
    const file = path.join(folder, 'script.ts');
    fs.writeFileSync(file, SCRIPT);
    for (const resolution of [
      ['--module', 'nodenext'],
      ['--module', 'esnext', '--moduleResolution', 'bundler'],
    ]) {
      const options = ['--noEmit', '--strict', '--target', 'esnext', ...resolution, '--skipLibCheck', '--types', 'node', '--typeRoots', path.join(root, 'node_modules/@types')]; // prettier-ignore
      const checked = spawnSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), ...options, file], { cwd: folder, encoding: 'utf8' }); // prettier-ignore
      expect(checked.stdout).toBe('');
    }
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
