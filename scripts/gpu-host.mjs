// node scripts/gpu-host.mjs [OUT.json] [--small]: what a GPU host can do with this checkout, in under 8 minutes and without a network:
// Doctor, `test:device` and `bench -- device` on webgpu, their output and figures in one JSON file. Needs Node, this
// folder and its node_modules. --small leaves out the sizes of real work, for a software GPU.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const small = process.argv.includes('--small');
const out = path.resolve(process.argv.slice(2).find((word) => word !== '--small') ?? 'gpu-host.json');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'fgnb-gpu-host-'));
const json = (name) => path.join(scratch, `${name}.json`);
const tsx = path.join(root, 'node_modules/tsx/dist/cli.mjs');

/** A step: its command and the seconds it may take, together under 8 minutes. Each goes on where one before it failed. */
const STEPS = [
  ['build', 60, ['scripts/build.mjs', 'kernel']],
  ['doctor', 60, ['dist/kernel/cli.cjs', 'doctor', '--device', 'webgpu']],
  // A software GPU gets the time that the large sizes would take.
  [
    'conformance',
    small ? 210 : 90,
    [tsx, 'scripts/test-device.ts', '--device', 'webgpu', '--json', json('conformance')],
  ],
  ['conformance, large', 120, [tsx, 'scripts/test-device.ts', '--device', 'webgpu', '--large', '--json', json('conformance, large')]], // prettier-ignore
  ['bench', 140, [tsx, 'bench/run.ts', 'device', '--json']],
];

/** The step that runs, by the number of its group. */
let running;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    if (running) process.kill(-running, 'SIGKILL');
    process.exit(130);
  });

function step([name, seconds, args]) {
  const start = Date.now();
  return new Promise((resolve) => {
    // A group of its own: what a step started ends with it, and holds up no later one.
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    running = child.pid;
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part));
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      process.kill(-child.pid, 'SIGKILL');
    }, 1000 * seconds);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      running = undefined;
      const file = json(name);
      // A benchmark prints a line of JSON for each figure.
      const lines = text.split('\n').filter((line) => line.startsWith('{"name"'));
      const figures = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : lines.length > 0 ? lines.map((line) => JSON.parse(line)) : undefined; // prettier-ignore
      const ended = isLate ? `stopped after ${seconds} s` : signal ? `ended by ${signal}` : `exit code ${code}`;
      console.log(`${name}: ${ended}, ${((Date.now() - start) / 1000).toFixed(0)} s`);
      resolve({ name, code, ended, seconds: (Date.now() - start) / 1000, text, figures });
    });
  });
}

const cards = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'], { encoding: 'utf8' }); // prettier-ignore
const steps = [];
for (const one of STEPS.filter(([name]) => !small || name !== 'conformance, large')) steps.push(await step(one));
const host = { node: process.version, platform: `${process.platform} ${process.arch}`, cpu: os.cpus()[0]?.model, cores: os.availableParallelism(), cards: cards.stdout?.trim() ?? '' }; // prettier-ignore
fs.writeFileSync(out, JSON.stringify({ host, steps }, null, 2));
fs.rmSync(scratch, { recursive: true });
console.log(`written to ${out}`);
process.exitCode = steps.every(({ code }) => code === 0) ? 0 : 1;
