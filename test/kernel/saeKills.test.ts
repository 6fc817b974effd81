/** A list of trainings killed again and again at random moments goes on to the SAEs of a call that nobody stopped. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';

/** More of them: FGNB_KILLS=60 vitest run --project kernel test/kernel/saeKills.test.ts */
const KILLS = Number(process.env.FGNB_KILLS ?? 6);

/** What steps leave to the next one differs: Adam alone, θ of a moving mean, a trained θ, a decoder that is turned back. */
const SOURCE = `
import { appendFileSync } from 'node:fs'
const lm = await fg.models.load('model')
const text = fg.datasets.stories({ stories: 60, context: 32 })
const one = { hook: 'blocks.0.hook_mlp_out', features: 64, steps: 300, trainBatchSizeTokens: 128, lr: 2e-3 }
const list = [
  { ...one, architecture: 'topk', k: 4, deadFeatureWindow: 20 },
  { ...one, architecture: 'batchtopk', k: 4, hook: 'blocks.0.hook_resid_post' },
  { ...one, architecture: 'jumprelu', seed: 1 },
  { ...one, architecture: 'topk', k: 4, baseline: 'softFrozenDecoder' },
]
let first = true
const onProgress = ({ unit }) => {
  if (unit === 'steps' && first) appendFileSync(params.begun, String(process.pid))
  if (unit === 'steps') first = false
}
const made = await fg.sae.train(lm, text, list.map((each) => ({ ...each, onProgress })))
fg.keyFigure('SAEs', made.map(({ id }) => id).join())
`;

function notebookFolder(name: string): string {
  const folder = testFolder(name);
  fs.cpSync(path.join(root, 'examples/models/tiny-stories-1L'), path.join(folder, 'model'), { recursive: true });
  const cells = [{ id: 'c1', kind: 'code', language: CELL_LANGUAGE, source: SOURCE }];
  fs.writeFileSync(path.join(folder, 'train.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
  return folder;
}

interface Ran {
  code: number | null;
  ids: string | undefined;
  /** From the first step to the end. */
  ms: number;
}

/** Runs the notebook; with `killAfter`, the process of its cells is killed so many ms after the first step. */
async function run(folder: string, killAfter?: number): Promise<Ran> {
  const begun = path.join(folder, 'begun');
  fs.rmSync(begun, { force: true });
  const args = [kernelCli, 'run', 'train.fgnb', '--device', 'cpu', '--json', '--param', `begun=${begun}`];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!fs.existsSync(begun) && child.exitCode === null) await wait(5);
  const started = performance.now();
  if (killAfter !== undefined && child.exitCode === null) {
    await wait(killAfter);
    const pid = fs.readFileSync(begun, 'utf8');
    if (fs.existsSync(`/proc/${pid}`)) process.kill(Number(pid), 'SIGKILL');
  }
  const code = await ended;
  return { code, ids: /"SAEs":"([0-9a-f,]{259})"/.exec(text)?.[1], ms: performance.now() - started };
}

/** Steps of the states that a killed call left. */
async function stepsLeft(folder: string): Promise<number[]> {
  const at = path.join(folder, '.fgnb/unfinished');
  const found: number[] = [];
  for (const name of fs.existsSync(at) ? fs.readdirSync(at) : []) {
    const state = path.join(at, name, 'training_state.safetensors');
    if (!fs.existsSync(state)) continue;
    const file = await SafetensorsFile.open(state);
    found.push((JSON.parse(file.metadata.state) as { step: number }).step);
    await file.close();
  }
  return found.sort((a, b) => a - b);
}

it(
  `${KILLS} kills at random moments change no bit of any SAE of the list`,
  async () => {
    ensureKernelBuilt();
    const whole = notebookFolder('kills-none');
    const { code: ended, ids: expected, ms } = await run(whole);
    expect(ended).toBe(0);
    expect(expected).toEqual(expect.any(String));

    const folder = notebookFolder('kills');
    const random = new Random(11);
    const left: number[][] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const { code, ids } = await run(folder, 0.6 * random.next() * ms);
      // Once all are kept, the rest of the kills begin anew.
      if (code === 0) {
        expect(ids).toBe(expected);
        fs.rmSync(path.join(folder, '.fgnb'), { recursive: true });
      }
      left.push(await stepsLeft(folder));
    }
    console.log(`steps on the disk after each kill: ${left.map((steps) => steps.join(' ') || 'none').join('; ')}`);
    expect(left.filter((steps) => steps.some((step) => step > 0 && step < 300)).length).toBeGreaterThan(0);
    expect(await run(folder)).toMatchObject({ code: 0, ids: expected });
  },
  300_000 + 30_000 * KILLS,
);
