/** `fgnb run` under the signals of terminals and batch systems, and what a run leaves. */
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CELL_LANGUAGE, type NotebookFile } from '#protocol/notebook.js';
import { runCli, type During } from '#test/kit/cli.js';
import { ensureKernelBuilt, root } from '#test/kit/kernel.js';
import { testFolder } from '#test/kit/folder.js';

const top = testFolder('stop');
beforeAll(() => {
  ensureKernelBuilt();
  fs.cpSync(path.join(root, 'examples/models'), path.join(top, 'models'), { recursive: true });
});

const fgnb = (cwd: string, args: string[], during?: During) => runCli(cwd, args, { during });

/** A notebook in a folder of its own, beside the models. */
function notebook(name: string, ...sources: string[]): string {
  const folder = path.join(top, name);
  fs.mkdirSync(folder, { recursive: true });
  const cells = sources.map((source, i) => ({ id: `c${i}`, kind: 'code', language: CELL_LANGUAGE, source }));
  fs.writeFileSync(path.join(folder, 'n.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
  return folder;
}

const read = (...file: string[]): NotebookFile =>
  JSON.parse(fs.readFileSync(path.join(...file), 'utf8')) as NotebookFile;
const statuses = (file: NotebookFile): unknown[] => file.cells.map((cell) => cell.execution?.status);

/** Calls `act` once when `ready` is true. */
function when(ready: () => boolean, act: () => void): void {
  const timer = setInterval(() => {
    if (!ready()) return;
    clearInterval(timer);
    act();
  }, 20);
  timer.unref();
}

/** A process that ended and that nobody has asked for its exit code still has its id. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const TRAINING = `
import { models, sae, datasets, keyFigure } from 'fg'
import { appendFileSync } from 'node:fs'
const lm = await models.load('../models/tiny-stories-1L')
const text = datasets.stories({ stories: 60, context: 32 })
const onProgress = (p) => { if (p.unit === 'steps') appendFileSync('steps.txt', p.done + '\\n') }
const made = await sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 256, architecture: 'topk', k: 8,
  steps: params.steps, trainBatchSizeTokens: 256, seed: 2, onProgress })
keyFigure('SAE', made.id)`;

describe.skipIf(process.platform === 'win32')('a run that is told to stop', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('by %s saves the training, writes the notebook, and goes on in the next run', async (signal, code) => {
    const folder = notebook(`train-${signal}`, '1 + 1', TRAINING, '"behind"');
    const steps = path.join(folder, 'steps.txt');
    const seen = (): number[] =>
      fs.existsSync(steps) ? fs.readFileSync(steps, 'utf8').trim().split('\n').map(Number) : [];
    const args = ['run', 'n.fgnb', '--out', 'out.fgnb', '--device', 'cpu', '--json', '--param', 'steps=3000'];
    const stopped = await fgnb(folder, args, (child) =>
      when(
        () => (seen().at(-1) ?? 0) >= 20,
        () => child.kill(signal),
      ),
    );
    expect(stopped).toMatchObject({ code, stderr: '' });
    expect(statuses(read(folder, 'out.fgnb'))).toEqual(['ok', 'interrupted', undefined]);
    expect(JSON.parse(stopped.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      status: 'interrupted',
      cells: 2,
    });
    const last = seen().at(-1) ?? 0;
    // Every tenth of the steps is saved anyway: what was stopped before the first of these is saved by the stop.
    expect(last).toBeLessThan(300);
    const [saved] = fs.readdirSync(path.join(folder, '.fgnb/unfinished'));
    expect(fs.readdirSync(path.join(folder, '.fgnb/unfinished', saved)).length).toBeGreaterThan(0);
    fs.rmSync(steps);
    await fgnb(folder, args, (child) =>
      when(
        () => seen().length > 0,
        () => child.kill('SIGKILL'),
      ),
    );
    expect(seen()[0]).toBeGreaterThan(last - 2);
  });

  it('ends a loop that sees no stop, and does not begin the next cell', async () => {
    const folder = notebook(
      'loop',
      '"first"',
      'for (;;) {}',
      'import fs from "node:fs"\nfs.writeFileSync("reached", "")',
    );
    const ended = await fgnb(folder, ['run', 'n.fgnb', '--out', 'out.fgnb'], (child, stdout) =>
      when(
        () => stdout().includes('[1/3]'),
        () => setTimeout(() => child.kill('SIGTERM'), 300),
      ),
    );
    expect(ended.code).toBe(143);
    expect(statuses(read(folder, 'out.fgnb'))).toEqual(['ok', 'interrupted', undefined]);
    expect(fs.existsSync(path.join(folder, 'reached'))).toBe(false);
  });

  it('counts the same signal from several senders once, and ends at once at a second one', async () => {
    const folder = notebook(
      'twice',
      `console.log('here'); await import('node:fs').then((fs) => fs.writeFileSync('running', String(process.pid)))
       await fg.sae.train({ slow: true }, null, {}).catch(() => undefined)
       const stuck = new Int32Array(new SharedArrayBuffer(4))
       for (;;) { try { Atomics.wait(stuck, 0, 0, 1000) } catch {} }`,
    );
    const running = path.join(folder, 'running');
    const started = Date.now();
    let second = 0;
    const ended = await fgnb(folder, ['run', 'n.fgnb'], (child) =>
      when(
        () => fs.existsSync(running) && fs.readFileSync(running, 'utf8') !== '',
        () => {
          child.kill('SIGTERM');
          setTimeout(() => child.kill('SIGTERM'), 50);
          setTimeout(() => {
            second = Date.now();
            expect(child.exitCode).toBeNull();
            child.kill('SIGTERM');
          }, 1000);
        },
      ),
    );
    expect(ended.code).toBe(143);
    expect(second).toBeGreaterThan(started);
    const pid = Number(fs.readFileSync(running, 'utf8'));
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });

  it('stops when the process that launched it was killed', async () => {
    const folder = notebook(
      'orphan',
      `(await import('node:fs')).writeFileSync('running', String(process.pid)); for (;;) {}`,
    );
    const running = path.join(folder, 'running');
    const ended = await fgnb(folder, ['run', 'n.fgnb', '--out', 'out.fgnb'], (child) =>
      when(
        () => fs.existsSync(running) && fs.readFileSync(running, 'utf8') !== '',
        () => child.kill('SIGKILL'),
      ),
    );
    expect(ended.code).toBeNull();
    await expect.poll(() => fs.existsSync(path.join(folder, 'out.fgnb')), { timeout: 20_000 }).toBe(true);
    expect(statuses(read(folder, 'out.fgnb'))).toEqual(['interrupted']);
  });
});

describe('a notebook run from the shell', () => {
  it('goes on behind a failed cell with --keep-going, and says at the end that one failed', async () => {
    const folder = notebook('keep', 'const a = 1', 'throw new Error("no")', 'missing.x', 'a + 1');
    const ended = await fgnb(folder, ['run', 'n.fgnb', '--out', 'out.fgnb', '--keep-going']);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain('2 of 4 cells ran');
    const out = read(folder, 'out.fgnb');
    expect(statuses(out)).toEqual(['ok', 'error', 'error', 'ok']);
    expect(out.cells[3].outputs?.[0].items[0].text).toEqual(['2']);
    expect((await fgnb(folder, ['run', 'n.fgnb', '--out', 'out.fgnb'])).code).toBe(1);
    expect(statuses(read(folder, 'out.fgnb'))).toEqual(['ok', 'error', undefined, undefined]);
  });

  it('keeps results in the folder of --artifacts, given from the shell, and runs cells in the notebook’s', async () => {
    const folder = notebook(
      'places',
      `process.cwd()`,
      `await fg.synthetic.activations(await fg.synthetic.world({ features: 32, dim: 16, l0: 3, seed: 0 }), { samples: 500 }); 1`,
      `(await import('node:fs')).writeFileSync('beside.txt', 'x')`,
    );
    const args = ['run', 'places/n.fgnb', '--out', 'results/n.fgnb', '--html', 'results/n.html', '--artifacts', 'kept'];
    const ended = await fgnb(top, args);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toContain(`notebook  ${path.join('results', 'n.fgnb')}`);
    expect(read(top, 'results/n.fgnb').cells[0].outputs?.[0].items[0].text).toEqual([`'${fs.realpathSync(folder)}'`]);
    expect(fs.readdirSync(path.join(top, 'kept')).some((name) => name.startsWith('activations-'))).toBe(true);
    expect(fs.existsSync(path.join(folder, '.fgnb'))).toBe(false);
    expect(fs.existsSync(path.join(folder, 'beside.txt'))).toBe(true);
    expect(fs.existsSync(path.join(top, 'results/n.html'))).toBe(true);
  });

  it('gives the same file byte for byte when it is run again, with empty artifacts or with those of the run before', async () => {
    const folder = notebook(
      'same',
      `const lm = await fg.models.load('../models/tiny-stories-1L')
       const text = fg.datasets.stories({ stories: 40, context: 32 })
       for (let i = 0; i < 5; i++) { process.stdout.write('\\r' + i); await new Promise((r) => setTimeout(r, 40)) }
       console.log(' done')`,
      `const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 128, architecture: 'topk', k: 8,
         steps: 30, trainBatchSizeTokens: 256, seed: 2 })
       sae`,
      `const acts = await fg.activations.save(lm, sae, text)
       const again = await fg.activations.save(lm, sae, text)
       acts`,
      `const map = await fg.correlation.map(acts, acts, { counterparts: 2, minFirings: 5 })
       map`,
      `await fg.show(await fg.maps.umap(sae.decoder, { seed: 0, nEpochs: 20 }), { activations: acts })`,
      `await fg.interventions.panel(lm, sae, { prompt: 'One day, Lily saw the', activations: acts, feature: 3, tokens: 5 })`,
      `throw new Error('the end')`,
    );
    const run = async (out: string, artifacts: string): Promise<string> => {
      const args = ['run', 'n.fgnb', '--out', `${out}/n.fgnb`, '--device', 'cpu', '--artifacts', artifacts];
      const { stdout, code } = await fgnb(folder, args);
      expect([code, statuses(read(folder, `${out}/n.fgnb`)).slice(0, 6)], stdout).toEqual([1, Array(6).fill('ok')]);
      return fs.readFileSync(path.join(folder, out, 'n.fgnb'), 'utf8');
    };
    const cold = await run('cold-1', 'a');
    expect(await run('cold-2', 'b')).toBe(cold);
    const warm = await run('warm-1', 'a');
    expect(await run('warm-2', 'a')).toBe(warm);
    expect(warm).toContain('loaded from cache');
    expect(cold).not.toMatch(/"ms"|20\d\d-\d\d-\d\d/);
  });
});
