/** fg.sae.train that is stopped or killed in mid-run goes on from its checkpoint, to the same SAE. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createFg, type Fg } from '#kernel/api/index.js';
import { breathe } from '#kernel/compute/call.js';
import { initDevice } from '#kernel/compute/device.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { createModel } from '#kernel/models/create.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { CONFIGS, tokenizer } from '#test/kit/model.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';

beforeAll(() => initDevice({ device: 'cpu' }));

const hook = 'blocks.0.hook_mlp_out';
const options: Parameters<Fg['sae']['train']>[2] = {
  hook,
  features: 64,
  architecture: 'topk',
  k: 6,
  steps: 60,
  trainBatchSizeTokens: 48,
  lr: 3e-3,
  lrWarmUpSteps: 10,
  lrDecaySteps: 20,
  deadFeatureWindow: 20,
  normalizeActivations: 'expected_average_only_in',
  seed: 5,
};
const texts = Array.from({ length: 60 }, (_, i) =>
  Array.from({ length: 12 }, (_, j) => 1 + ((5 * i + j * j) % 36)).join(' '),
);

let contexts: CollectedContext[] = [];
let lm: LanguageModel;
beforeEach(() => {
  contexts = [];
  lm = createModel(CONFIGS['GPT-2'], { seed: 3, tokenizer, name: 'tiny' });
});
afterEach(() => contexts.forEach((context) => context.remove()));

async function session(): Promise<{ fg: Fg; context: CollectedContext; train: Fg['sae']['train'] }> {
  const context = collectingContext();
  contexts.push(context);
  const fg = await createFg(context);
  return { fg, context, train: fg.sae.train };
}
const data = (fg: Fg) => fg.datasets.fromTexts(texts, { context: 12 });
const unfinished = (context: CollectedContext): string[] => {
  const folder = path.join(context.artifactFolder, 'unfinished');
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
};
const trainingSteps = (context: CollectedContext): number[] =>
  context.progressed.flatMap((p) => (p?.unit === 'steps' ? [p.done] : []));

/** Steps done in the only unfinished run. */
async function stepsDone(context: CollectedContext): Promise<number> {
  const [name, ...others] = unfinished(context);
  expect(others).toEqual([]);
  const file = await SafetensorsFile.open(
    path.join(context.artifactFolder, 'unfinished', name, 'training_state.safetensors'),
  );
  await file.close();
  return (JSON.parse(file.metadata.state) as { step: number }).step;
}

/** Starts a run and interrupts the cell after so many turns of the event loop: training takes one or more for a step. */
async function interrupted(context: CollectedContext, run: Promise<unknown>, turns: number): Promise<void> {
  const rejected = expect(run).rejects.toMatchObject({ name: 'AbortError' });
  while (trainingSteps(context).length === 0) await breathe();
  for (let i = 0; i < turns; i++) await breathe();
  context.interrupt();
  await rejected;
}

describe('fg.sae.train', () => {
  it('interrupted again and again goes on where it was, to the same SAE, bit for bit', async () => {
    const whole = await session();
    const expected = await whole.train(lm, data(whole.fg), options);
    expect(unfinished(whole.context)).toEqual([]);

    const { fg, context, train } = await session();
    let done = 0;
    for (const turns of [0, 10, 15]) {
      context.progressed.length = 0;
      await interrupted(context, train(lm, data(fg), options), turns);
      expect(context.progressed.at(-1)).toBeNull();
      expect(trainingSteps(context)[0]).toBe(done + 1);
      expect(await fg.artifacts.list()).toEqual([]);
      const now = await stepsDone(context);
      expect(now).toBeGreaterThan(done);
      done = now;
    }
    expect(done).toBeLessThan(60);
    context.progressed.length = 0;
    const sae = await train(lm, data(fg), options);
    expect(trainingSteps(context)[0]).toBe(done + 1);
    expect(sae.id).toBe(expected.id);
    expect(sae.history).toEqual(expected.history);
    expect(sae.history.map((row) => row.step)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(unfinished(context)).toEqual([]);
    expect((await fg.artifacts.list()).map((r) => r.kind)).toEqual(['sae']);
    expect((await train(lm, data(fg), options)).id).toBe(expected.id);
    expect(context.printed.at(-1)).toContain('loaded from cache');
  });

  it('fresh begins at the first step, whatever was left or made before', async () => {
    const { fg, context, train } = await session();
    await interrupted(context, train(lm, data(fg), options), 10);
    expect(await stepsDone(context)).toBeGreaterThan(1);
    context.progressed.length = 0;
    const sae = await train(lm, data(fg), { ...options, fresh: true });
    expect(trainingSteps(context)[0]).toBe(1);
    expect(unfinished(context)).toEqual([]);
    context.progressed.length = 0;
    expect((await train(lm, data(fg), { ...options, fresh: true })).id).toBe(sae.id);
    expect(trainingSteps(context)[0]).toBe(1);
  });

  it('of other options never takes the checkpoint', async () => {
    const { fg, context, train } = await session();
    await interrupted(context, train(lm, data(fg), options), 10);
    context.progressed.length = 0;
    await train(lm, data(fg), { ...options, seed: 6, steps: 5, lrWarmUpSteps: 0, lrDecaySteps: 0 });
    expect(trainingSteps(context)[0]).toBe(1);
    expect(unfinished(context)).toHaveLength(1);
  });

  it('killed with its process goes on from the last checkpoint, in a notebook run from the command line', async () => {
    ensureKernelBuilt();
    const { context } = await session();
    const folder = context.notebookFolder;
    fs.cpSync(path.join(root, 'examples/models/tiny-stories-1L'), path.join(folder, 'model'), { recursive: true });
    const source = `
import { models, sae, datasets, keyFigure } from 'fg'
import { appendFileSync } from 'node:fs'
const lm = await models.load('model')
const text = datasets.stories({ stories: 60, context: 32 })
const onProgress = (p) => {
  if (p.unit === 'steps') appendFileSync(params.log, p.done + '\\n')
  if (p.unit === 'steps' && p.done >= params.killAt) process.kill(process.pid, 'SIGKILL')
}
const made = await sae.train(lm, text, { hook: '${hook}', features: 128, architecture: 'topk', k: 8, steps: 200,
  trainBatchSizeTokens: 256, seed: 2, fresh: params.fresh, onProgress })
keyFigure('SAE', made.id)
`;
    const cells = [{ id: 'c1', kind: 'code', language: CELL_LANGUAGE, source }];
    fs.writeFileSync(path.join(folder, 'train.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
    const run = async (params: Record<string, unknown>) => {
      const log = path.join(folder, 'steps.txt');
      fs.rmSync(log, { force: true });
      const given = Object.entries({ killAt: 1e9, log, ...params }).flatMap(([name, value]) => [
        '--param',
        `${name}=${String(value)}`,
      ]);
      const { code, text } = await fgnb(folder, ['run', 'train.fgnb', '--device', 'cpu', '--json', ...given]);
      const steps = fs.readFileSync(log, 'utf8').trim().split('\n').map(Number);
      return { code, text, first: steps[0], id: /"SAE":"([0-9a-f]{64})"/.exec(text)?.[1] };
    };
    const killed = await run({ killAt: 60 });
    expect(killed.code).not.toBe(0);
    expect(killed.id).toBeUndefined();
    expect(unfinished(context)).toHaveLength(1);
    const second = await run({});
    expect(second).toMatchObject({ code: 0, id: expect.any(String) });
    expect(second.first).toBeGreaterThan(60 - 20);
    const whole = await run({ fresh: true });
    expect(whole).toMatchObject({ code: 0, first: 1, id: second.id });
  });
});

function fgnb(folder: string, args: string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [kernelCli, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    child.on('close', (code) => resolve({ code, text }));
  });
}
