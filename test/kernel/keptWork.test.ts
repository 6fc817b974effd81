/** Work on disk survives kill -9 at any moment, and two kernels in one folder do it once. Real processes, real files. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

beforeAll(ensureKernelBuilt);

const STEPS = 60;
let folder: string;
beforeEach(() => {
  folder = temporaryFolder('kept');
  fs.cpSync(path.join(root, 'examples/models/tiny-stories-1L'), path.join(folder, 'model'), { recursive: true });
  const source = `
import { models, sae, datasets, keyFigure } from 'fg'
import { appendFileSync } from 'node:fs'
const lm = await models.load('model')
const text = datasets.stories({ stories: 60, context: 32 })
const onProgress = (p) => { if (p.unit === 'steps') appendFileSync(params.log, p.done + '\\n') }
const made = await sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: params.features ?? 64, architecture: 'topk', k: 8,
  steps: params.steps ?? ${STEPS}, trainBatchSizeTokens: 256, seed: 2, fresh: params.fresh, onProgress })
keyFigure('SAE', made.id)
`;
  const cells = [{ id: 'c1', kind: 'code', language: CELL_LANGUAGE, source }];
  fs.writeFileSync(path.join(folder, 'train.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
});
const children: ChildProcess[] = [];
/** kill -9 of the command and of the process that it runs the notebook in. */
function kill(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
afterEach(() => {
  children.splice(0).forEach(kill);
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  steps: () => number[];
  ended: Promise<{ code: number | null; text: string; id: string | undefined }>;
}

let runs = 0;
function start(params: Record<string, unknown> = {}): Run {
  const name = `run-${runs++}`;
  const log = path.join(folder, `${name}.steps`);
  const given = Object.entries({ log, ...params }).flatMap(([key, value]) => ['--param', `${key}=${String(value)}`]);
  const args = [kernelCli, 'run', 'train.fgnb', '--device', 'cpu', '--json', '--out', `${name}.fgnb`, ...given];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  children.push(child);
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const ended = new Promise<Awaited<Run['ended']>>((resolve) =>
    child.on('close', (code) => {
      const out = path.join(folder, `${name}.fgnb`);
      if (fs.existsSync(out)) text += fs.readFileSync(out, 'utf8');
      resolve({ code, text, id: /"SAE":"([0-9a-f]{64})"/.exec(text)?.[1] });
    }),
  );
  const steps = (): number[] =>
    fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim().split('\n').filter(Boolean).map(Number) : [];
  return { child, steps, ended };
}

const store = (): string[] => {
  const at = path.join(folder, '.fgnb');
  return fs.existsSync(at) ? fs.readdirSync(at) : [];
};
const checkpoints = (): string[] => {
  const at = path.join(folder, '.fgnb', 'unfinished');
  return fs.existsSync(at) ? fs.readdirSync(at) : [];
};
const inStore = (pattern: RegExp, file: string): boolean =>
  store().some((name) => pattern.test(name) && fs.existsSync(path.join(folder, '.fgnb', name, file)));
const TEMPORARY = /^sae-[0-9a-f]{16}\..*\.tmp$/;
const WHOLE = /^sae-[0-9a-f]{16}$/;

/** Looks at the folder as often as the event loop turns. */
async function seen(what: () => boolean, run: Run): Promise<void> {
  while (!what()) {
    if (run.child.exitCode !== null) throw new Error(`the run ended first: ${(await run.ended).text}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A training that takes seconds: it can be killed when it has a checkpoint, far from its end. */
const SLOW = { features: 512, steps: 160 };
/** The same training, not killed and not resumed: the number of its first step, and its SAE. */
async function uninterrupted(): Promise<{ first: number; id: string | undefined }> {
  const whole = start({ ...SLOW, fresh: true });
  const { id } = await whole.ended;
  return { first: whole.steps()[0], id };
}
const hasCheckpoint = (): boolean =>
  checkpoints().some((name) =>
    fs.existsSync(path.join(folder, '.fgnb', 'unfinished', name, 'training_state.safetensors')),
  );

/** Kills a run whose last step is made; the next run makes none, and leaves nothing lying about. */
async function killedAndLoaded(first: Run): Promise<void> {
  kill(first.child);
  await first.ended;
  expect(first.steps().at(-1)).toBe(STEPS);
  const second = start();
  const { code, id, text } = await second.ended;
  expect(code, text).toBe(0);
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(second.steps()).toEqual([]);
  expect(checkpoints()).toEqual([]);
  expect(store().filter((name) => name.endsWith('.lock'))).toEqual([]);
}

describe('a training killed with kill -9', () => {
  it.each<[string, () => boolean]>([
    ['while its weights are written', () => inStore(TEMPORARY, 'sae_weights.safetensors')],
    ['when its record is written', () => inStore(TEMPORARY, 'artifact.json') || inStore(WHOLE, 'artifact.json')],
    ['when its folder is in place', () => inStore(WHOLE, 'artifact.json')],
  ])('%s is not lost: no step is made again', async (_, moment) => {
    // On a busy machine a run can pass the moment between two looks: it is started again from nothing.
    for (let attempt = 1; ; attempt++) {
      const first = start();
      try {
        await seen(moment, first);
      } catch (error) {
        if (attempt === 8) throw error;
        fs.rmSync(path.join(folder, '.fgnb'), { recursive: true });
        continue;
      }
      return killedAndLoaded(first);
    }
  });

  it('while its checkpoint is deleted is not lost: no step is made again', async () => {
    await start().ended;
    const [name] = store().filter((entry) => WHOLE.test(entry));
    fs.rmSync(path.join(folder, '.fgnb', name), { recursive: true });
    // Deleting a folder of many files takes a while: the blow falls in the middle.
    const at = path.join(folder, '.fgnb', 'unfinished', name);
    fs.mkdirSync(at, { recursive: true });
    for (let i = 0; i < 10_000; i++) fs.writeFileSync(path.join(at, `x-${i}`), '');
    const first = start();
    await seen(hasCheckpoint, first);
    await seen(() => !hasCheckpoint(), first);
    await killedAndLoaded(first);
  });
});

describe('two kernels that train the same in one folder', { timeout: 400_000 }, () => {
  it('train it once: the second waits, says for whom, and loads it', async () => {
    const first = start();
    await seen(() => store().some((name) => name.endsWith('.lock')), first);
    const second = start();
    const [a, b] = await Promise.all([first.ended, second.ended]);
    expect(a.code, a.text).toBe(0);
    expect(b.code, b.text).toBe(0);
    expect(a.id).toBe(b.id);
    expect([...first.steps(), ...second.steps()].filter((step) => step === STEPS)).toHaveLength(1);
    expect(store().filter((name) => !WHOLE.test(name))).toEqual(['unfinished']);
  });

  it('go on when the one that trained is killed: the other takes over from its checkpoint', async () => {
    const first = start(SLOW);
    await seen(() => store().some((name) => name.endsWith('.lock')), first);
    const second = start(SLOW);
    await seen(hasCheckpoint, first);
    kill(first.child);
    await first.ended;
    const b = await second.ended;
    expect(b.code, b.text).toBe(0);
    expect(second.steps()[0]).toBeGreaterThan(1);
    expect(await uninterrupted()).toEqual({ first: 1, id: b.id });
  });

  it('afresh, both at once, end with the same result and nothing beside it', async () => {
    const both = [start({ fresh: true }), start({ fresh: true }), start({ fresh: true })];
    const ended = await Promise.all(both.map((run) => run.ended));
    expect(ended.map(({ code, text }) => (code === 0 ? 0 : text))).toEqual([0, 0, 0]);
    expect(new Set(ended.map(({ id }) => id)).size).toBe(1);
    expect(store().filter((name) => !WHOLE.test(name))).toEqual(['unfinished']);
  });
});

describe('a damaged checkpoint', { timeout: 400_000 }, () => {
  it('is set aside with a word, and the training begins anew to the same SAE', async () => {
    const first = start(SLOW);
    await seen(hasCheckpoint, first);
    kill(first.child);
    await first.ended;
    const at = path.join(folder, '.fgnb', 'unfinished', checkpoints()[0]);
    const state = path.join(at, 'training_state.safetensors');
    const bytes = fs.readFileSync(state);
    bytes[bytes.length - 1000] ^= 1;
    fs.writeFileSync(state, bytes);
    const second = start(SLOW);
    const aside = path.join(at, 'damaged-training_state.safetensors');
    await seen(() => fs.existsSync(aside), second);
    const { code, text, id } = await second.ended;
    expect(code, text).toBe(0);
    expect(text).toMatch(/state of a stopped training is not usable.*does not hold what was written.*set aside/s);
    expect(second.steps()[0]).toBe(1);
    expect(await uninterrupted()).toEqual({ first: 1, id });
  });
});
