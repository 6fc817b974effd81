/** A long correlation that is killed goes on behind its last finished block, and comes to the bytes of one that was not. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import { ensureKernelBuilt, kernelCli } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

beforeAll(ensureKernelBuilt);

// Sixteen features of 128 a pass: 16 passes over both stores. Or all at once.
const SOURCE = `
import { synthetic, correlation } from 'fg'
const base = await synthetic.world({ features: 256, dim: 32, seed: 0 })
const { a, b } = await synthetic.twinActivations(await synthetic.twins(base, { shared: 0.7, dimB: 32 }), { samples: 20000 })
const bytes = ({ nonZeros, tokens }) => 16 * nonZeros + 8 * tokens
const memoryBytes = bytes(a.meta) + bytes(b.meta) + 12 * 256 * 8
// Killed from within, at a place of the work and not of the clock.
const onProgress = ({ label, done }) => { if (params.kill && label === params.label && done > 16) process.kill(process.pid, 'SIGKILL') }
const map = await correlation.map(a, b, { match: params.match, counterparts: 1, onProgress, ...(params.blocks ? { memoryBytes } : {}) })
`;

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('correlation');
  for (const of of ['killed', 'whole']) {
    fs.mkdirSync(path.join(folder, of));
    const cells = [{ id: 'c1', kind: 'code', language: CELL_LANGUAGE, source: SOURCE }];
    fs.writeFileSync(path.join(folder, of, 'map.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
  }
});
const groups: number[] = [];
function killAll(): void {
  for (const group of groups.splice(0))
    try {
      process.kill(-group, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}
afterEach(() => {
  killAll();
  fs.rmSync(folder, { recursive: true, force: true });
});

function run(
  of: 'killed' | 'whole',
  given: Record<string, string | boolean>,
): Promise<{ code: number | null; text: string }> {
  const args = [
    kernelCli,
    'run',
    'map.fgnb',
    '--device',
    'cpu',
    '--out',
    'out.fgnb',
    ...Object.entries(given).flatMap(([name, value]) => ['--param', `${name}=${value}`]),
  ];
  const child = spawn(process.execPath, args, {
    cwd: path.join(folder, of),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  groups.push(child.pid as number);
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const out = path.join(folder, of, 'out.fgnb');
      if (fs.existsSync(out)) text += fs.readFileSync(out, 'utf8');
      resolve({ code, text });
    });
  });
}

function within(of: string, ...names: string[]): string[] {
  const at = path.join(folder, of, '.fgnb', ...names);
  return fs.existsSync(at) ? fs.readdirSync(at) : [];
}
const mapsOf = (of: string): string[] => within(of).filter((name) => /^correlation-[0-9a-f]+$/.test(name));
/** Lines of finished blocks. */
const finished = (): number =>
  within('killed', 'unfinished')
    .filter((name) => name.startsWith('correlation-'))
    .reduce(
      (sum, name) =>
        sum + fs.readFileSync(path.join(folder, 'killed', '.fgnb', 'unfinished', name), 'utf8').split('\n').length - 1,
      0,
    );

// Killed among the lists, which are 16, or in the passes of matching behind them.
it.each([
  ['argmax', 'best A of each B', 1, 15],
  ['hungarian', 'assignment: all other pairs', 17, Infinity],
])(
  '%s: a correlation that was killed goes on, and comes to the bytes of one that was not',
  async (match, label, least, most) => {
    await run('killed', { match, label, blocks: true, kill: true });
    killAll();
    const done = finished();
    expect(mapsOf('killed')).toEqual([]);
    expect(done).toBeGreaterThanOrEqual(least);
    expect(done).toBeLessThanOrEqual(most);
    const second = await run('killed', { match, label, blocks: true, kill: false });
    expect(second.code, second.text).toBe(0);
    expect(second.text).toMatch(`going on after ${done} finished runs of a call that was stopped`);
    const whole = await run('whole', { match, label, blocks: false, kill: false });
    expect(whole.code, whole.text).toBe(0);
    const mapOf = (of: string): Buffer => {
      const [name] = mapsOf(of);
      return fs.readFileSync(path.join(folder, of, '.fgnb', name, 'map.safetensors'));
    };
    expect(mapOf('killed').equals(mapOf('whole'))).toBe(true);
    expect(within('killed', 'unfinished')).toEqual([]);
  },
  120_000,
);
