/** The lines of docs/library.md and docs/cluster.md are run: what they say works as it stands. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';

const folder = testFolder('docs-lines');
beforeAll(() => {
  ensureKernelBuilt();
  // As in a checkout: the docs name its example models.
  fs.mkdirSync(path.join(folder, 'examples'));
  for (const at of ['examples/models', 'models']) fs.symlinkSync(path.join(root, 'examples/models'), path.join(folder, at)); // prettier-ignore
});

/** The blocks of a page in a language, in their order. */
function blocksOf(page: string, language: string): string[] {
  const text = fs.readFileSync(path.join(root, 'docs', page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, of]) => of === language)
    .map(([, , block]) => block);
}

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function node(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (ended[name] += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}
const fgnb = (...args: string[]): Promise<Ended> => node(kernelCli, ...args);

/** What the lines of docs/cluster.md take as given, small. */
const GIVEN = `
const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 20, context: 32, samples: 20 })
const train = { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 4, trainBatchSizeTokens: 128 } as const
const seeds = [1, 2]
const sae = await fg.sae.train(lm, text, train)
const other = await fg.activations.save(lm, await fg.sae.train(lm, text, { ...train, features: 48 }), text)
const shape = { lens: { kind: 'pca' }, cover: { cubes: 3, overlap: 0.3 } } as const
`;

describe('docs/library.md', () => {
  it('its program runs and ends by itself', async () => {
    const [program] = blocksOf('library.md', 'ts');
    const { transform } = await import('esbuild');
    const { code: plain } = await transform(program, { loader: 'ts', format: 'esm', target: 'es2022' });
    const installed = path.join(folder, 'node_modules/feature-geometry');
    fs.mkdirSync(path.dirname(installed));
    fs.symlinkSync(path.join(root, 'dist'), installed);
    fs.writeFileSync(path.join(folder, 'program.mjs'), plain);
    const ended = await node('program.mjs');
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(ended.stderr).toMatch(/\d+ \d+/);
    expect(fs.readdirSync(path.join(folder, '.fgnb')).some((name) => name.startsWith('sae-'))).toBe(true);
  });

  it('its commands over artifacts take the words and options that it names', async () => {
    const page = fs.readFileSync(path.join(root, 'docs/library.md'), 'utf8');
    const named = page.slice(page.indexOf('## `fgnb artifacts`'), page.indexOf('## Exit codes'));
    const flags = { '--kind': 'sae', '--title': 'topk', '--note': '', '--notebook': '', '--since': '2020-01-01', '--before': '2100-01-01' }; // prettier-ignore
    for (const flag of Object.keys(flags)) expect(named).toContain(`\`${flag}\``);
    const given = Object.entries(flags).filter(([, value]) => value !== '');
    const listed = await fgnb('artifacts', 'list', ...given.flat(), '--json');
    const { id } = JSON.parse(listed.stdout.split('\n')[0]) as { id: string };
    expect((await fgnb('artifacts', 'list', '--note', 'none', '--notebook', 'none')).stdout).toMatch(/^0 of/);
    expect((await fgnb('artifacts', 'show', id.slice(0, 8))).stdout).toContain(id);
    expect((await fgnb('artifacts', 'load', id, '--out', 'copied')).code).toBe(0);
    expect((await fgnb('artifacts', 'verify', id)).code).toBe(0);
    expect((await fgnb('artifacts', 'prune', '--unused-days', '3000', '--kind', 'sae')).stdout).toContain('0 artifacts deleted'); // prettier-ignore
    expect((await fgnb('artifacts', 'show', '00000000')).code).toBe(1);
    expect((await fgnb('artifacts', 'show')).code).toBe(2);
  });
});

describe('docs/cluster.md', () => {
  it('its calls run, in fewer shards, on this machine', async () => {
    const [calls] = blocksOf('cluster.md', 'ts');
    const here = calls.replaceAll("'slurm'", "'local'").replace('nulls: 999', 'nulls: 5').replace(/shards: \d+/g, 'shards: 3'); // prettier-ignore
    expect(here).not.toBe(calls);
    fs.writeFileSync(path.join(folder, 'calls.ts'), GIVEN + here);
    const ran = await fgnb('run', 'calls.ts', '--artifacts', 'calls', '--device', 'cpu');
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const { stdout } = await fgnb('artifacts', 'list', '--artifacts', 'calls');
    for (const kind of ['mapper-nulls', 'correlation', 'activations', 'sae'])
      expect(stdout).toMatch(new RegExp(`  ${kind} `));
  });

  it('its commands plan what they say, and know what was submitted', async () => {
    const [notebook, call, jobs] = blocksOf('cluster.md', 'sh')[0].trim().split('\n');
    fs.writeFileSync(path.join(folder, 'cell.ts'), `${GIVEN}await fg.activations.save(lm, sae, text)\n`);
    const words = notebook.replace('NOTEBOOK', 'cell.ts').split(' ').slice(1);
    const planned = await fgnb(...words, '--dry-run', '--artifacts', 'dry', '--device', 'cpu');
    expect(planned.code, planned.stdout + planned.stderr).toBe(0);
    for (const line of [
      '--time=02:00:00',
      '--mem=32G',
      '--gres=gpu:1',
      '--partition=long',
      '--dependency=afterok',
      'kind: Job',
    ])
      // prettier-ignore
      expect(planned.stdout).toContain(line);
    const expression = /"([^"]*)"/.exec(call)![1].replace("'m'", "'models/tiny-stories-1L'").replace('…', "await fg.sae.train(await fg.models.load('models/tiny-stories-1L'), fg.datasets.stories({ stories: 20, context: 32, samples: 20 }), { hook: 'blocks.0.hook_mlp_out', features: 64, steps: 4, trainBatchSizeTokens: 128 }), fg.datasets.stories({ stories: 20, context: 32, samples: 20 })"); // prettier-ignore
    const told = await fgnb(
      'submit',
      expression,
      '--engine',
      'slurm',
      '--dry-run',
      '--artifacts',
      'dry',
      '--device',
      'cpu',
    );
    expect(told.code, told.stdout + told.stderr).toBe(0);
    expect(told.stdout).toMatch(/#SBATCH --array=0/);
    expect(jobs).toBe('fgnb jobs list | follow ID | cancel ID');
    expect((await fgnb('jobs', 'list', '--artifacts', 'dry')).code).toBe(0);
    for (const what of ['follow', 'cancel']) expect((await fgnb('jobs', what, 'abcd', '--artifacts', 'dry')).stderr).toContain('no plan abcd'); // prettier-ignore
  });
});
