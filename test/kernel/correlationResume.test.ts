/** A long correlation that is killed goes on behind its last finished block, and comes to the bytes of one that was not. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import { ensureKernelBuilt, kernelCli } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

beforeAll(ensureKernelBuilt);

// Eight features of 256 a pass: 64 passes over both stores. Or all at once.
const SOURCE = `
import { synthetic, correlation } from 'fg'
const base = await synthetic.world({ features: 256, dim: 32, seed: 0 })
const { a, b } = await synthetic.twinActivations(await synthetic.twins(base, { shared: 0.7, dimB: 32 }), { samples: 20000 })
const bytes = ({ nonZeros, tokens }) => 16 * nonZeros + 8 * tokens
const memoryBytes = bytes(a.meta) + bytes(b.meta) + 12 * 256 * 8
const map = await correlation.map(a, b, params.blocks ? { memoryBytes } : {})
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

function run(of: 'killed' | 'whole', blocks: boolean): Promise<{ code: number | null; text: string }> {
  const args = [kernelCli, 'run', 'map.fgnb', '--device', 'cpu', '--out', 'out.fgnb', '--param', `blocks=${blocks}`];
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

it('a correlation that was killed goes on, and comes to the bytes of one that was not', async () => {
  const first = run('killed', true);
  while (finished() < 4) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(mapsOf('killed')).toEqual([]);
  }
  killAll();
  await first;
  const done = finished();
  expect(done).toBeGreaterThanOrEqual(4);
  expect(done).toBeLessThan(64);
  const second = await run('killed', true);
  expect(second.code, second.text).toBe(0);
  expect(second.text).toMatch(/going on after \d+ finished runs of a call that was stopped/);
  const whole = await run('whole', false);
  expect(whole.code, whole.text).toBe(0);
  const mapOf = (of: string): Buffer => {
    const [name] = mapsOf(of);
    return fs.readFileSync(path.join(folder, of, '.fgnb', name, 'map.safetensors'));
  };
  expect(mapOf('killed').equals(mapOf('whole'))).toBe(true);
  expect(within('killed', 'unfinished')).toEqual([]);
}, 120_000);
