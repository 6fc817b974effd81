/** The same seed gives the same weights, whatever else the machine does and however many cores it lends. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { ensureKernelBuilt, root, startKernel } from '#test/kit/kernel.js';

beforeAll(() => ensureKernelBuilt());

const busy: ChildProcess[] = [];
afterEach(() => busy.splice(0).forEach((child) => child.kill('SIGKILL')));

/** Keeps every core busy, twice over. */
function loadCores(): void {
  for (let i = 0; i < 2 * os.availableParallelism(); i++)
    busy.push(spawn(process.execPath, ['-e', 'for (;;) {}'], { stdio: 'ignore' }));
}

interface Trained {
  /** SHA-256 of every array's file that the training and the saving of activations leave, by its place. */
  files: Record<string, string>;
  /** What the cell shows: cores that the kernel has, and losses. */
  cores: string;
  losses: string;
}

/** Trains in a kernel and a folder of its own; `prepare` runs before the first cell, which starts the device. */
async function train(prepare: (pid: number) => void = () => undefined): Promise<Trained> {
  const kernel = await startKernel();
  try {
    const model = path.join(root, 'examples/models/tiny-stories-1L');
    fs.cpSync(model, path.join(kernel.notebookFolder, 'model'), { recursive: true });
    prepare(kernel.lock.pid);
    const client = await kernel.connect();
    const run = async (source: string): Promise<string> => {
      const execution = client.begin(source);
      const { status } = await client.finished(execution, 150_000);
      const error = client.events(execution).find((event) => event.kind === 'error');
      expect(status, JSON.stringify(error)).toBe('ok');
      return client.shown(execution) as string;
    };
    const cores = await run(`(await import('node:os')).availableParallelism()`);
    // 2,049 tokens a step: a last block of one row.
    const losses = await run(
      `const lm = await fg.models.load('model')
       const text = fg.datasets.stories({ stories: 100, context: 64 })
       const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 4096, architecture: 'topk',
         k: 16, steps: 3, trainBatchSizeTokens: 2049, lr: 3e-3, seed: 2 })
       await fg.activations.save(lm, sae, text)
       JSON.stringify(sae.history.map((row) => row.loss))`,
    );
    const kept = path.join(kernel.notebookFolder, '.fgnb');
    const names = fs.readdirSync(kept, { recursive: true }).map(String);
    const files = Object.fromEntries(
      names
        .filter((name) => name.endsWith('.safetensors'))
        .sort()
        .map((name) => [
          name,
          createHash('sha256')
            .update(fs.readFileSync(path.join(kept, name)))
            .digest('hex'),
        ]),
    );
    return { files, cores, losses };
  } finally {
    await kernel.stop();
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version']);
    return true;
  } catch {
    return false;
  }
}

it('a training gives the same bits on a quiet machine, on a loaded one and on one core', async ({ skip }) => {
  const quiet = await train();
  expect(Object.keys(quiet.files).filter((name) => /^sae-/.test(name))).not.toHaveLength(0);
  expect(Object.keys(quiet.files).filter((name) => /^activations-/.test(name))).not.toHaveLength(0);
  expect(JSON.parse(quiet.losses.slice(1, -1))).not.toHaveLength(0);
  loadCores();
  expect(await train()).toEqual(quiet);
  busy.splice(0).forEach((child) => child.kill('SIGKILL'));
  if (os.availableParallelism() < 2 || !hasTaskset()) skip('one core alone needs two, and taskset');
  const single = await train((pid) => void execFileSync('taskset', ['-a', '-c', '-p', '0', String(pid)]));
  expect(single).toEqual({ ...quiet, cores: '1' });
  expect(Number(quiet.cores)).toBeGreaterThan(1);
}, 400_000);
