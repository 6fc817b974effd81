/** Errors that nobody caught, in a kernel with its real device: what its libraries hang on `process` must not matter. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CellEvent } from '#protocol/kernel.js';
import type { NotebookFile } from '#protocol/notebook.js';
import { ensureKernelBuilt, kernelCli, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

type ErrorEvent = Extract<CellEvent, { kind: 'error' }>;

let kernel: KernelProcess;
let client: TestClient;

beforeAll(async () => {
  ensureKernelBuilt();
  kernel = await startKernel();
  client = await kernel.connect();
  await client.run('const mine = 1');
});
afterAll(() => kernel.stop());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a cell and waits for the error that it shows, then or later. */
async function errorOf(source: string): Promise<ErrorEvent> {
  const execution = client.begin(source);
  await client.finished(execution);
  return client.until(() => client.events(execution).find((event) => event.kind === 'error'));
}

const STRAYS: Array<[string, string, RegExp]> = [
  ['a forgotten await', "fg.models.load('./no-such-folder'); 'started'", /no folder at .*no-such-folder/],
  ['a rejected promise', "Promise.reject(new Error('nobody handles')); 'done'", /nobody handles/],
  ['a throw in a timer', "setTimeout(() => { throw new Error('in timer') }, 50); 'done'", /in timer/],
  ['a failed fetch', "fetch('http://127.0.0.1:1/'); 1", /fetch failed|bad port/],
  ['an error event', "new (await import('node:events')).EventEmitter().emit('error', new Error('emitted'))", /emitted/],
  [
    'an error event later',
    "const { EventEmitter } = await import('node:events'); setTimeout(() => new EventEmitter().emit('error', new Error('emitted late')), 20); 1",
    /emitted late/,
  ],
  ['a missing program', "(await import('node:child_process')).spawn('no-such-program'); 'spawned'", /ENOENT/],
  [
    'a rejection handled 50 ms late',
    "const late = Promise.reject(new Error('late')); setTimeout(() => late.catch(() => {}), 50); 'late'",
    /late/,
  ],
  ['what is no error', 'Promise.reject({ code: 7 }); 1', /code: 7/],
  [
    'a worker that fails',
    "const { Worker } = await import('node:worker_threads'); new Worker('throw new Error(\"in worker\")', { eval: true }); 1",
    /in worker/,
  ],
  ["the user's own exit in a timer", "setTimeout(() => process.exit(0), 100); 'exits'", /would end the kernel/],
];

describe('an error that nobody caught', () => {
  it.each(STRAYS)('%s: is shown in its cell, and the kernel lives', async (_, source, message) => {
    expect(await errorOf(source)).toMatchObject({ message: expect.stringMatching(message) });
    expect((await client.run('mine')).shown).toBe('1');
  });

  it('whose stack leads into a cell is shown there, not in the cell that runs meanwhile', async () => {
    const first = client.begin("setTimeout(() => Promise.reject(new Error('of the first')), 100); 1");
    const second = client.begin('await new Promise((r) => setTimeout(r, 400)); 2');
    await client.finished(second);
    const errors = (execution: string) => client.events(execution).filter((event) => event.kind === 'error');
    expect(errors(first)).toMatchObject([{ message: 'of the first', late: true }]);
    expect(errors(second)).toEqual([]);
  });

  it('goes to the listener that a cell added, and no error is shown; without it, errors are shown again', async () => {
    const listens = `globalThis.heard = []
      const hear = (error) => heard.push(error.message)
      process.on('uncaughtException', hear)`;
    await client.run(listens);
    const stray = client.begin("setTimeout(() => { throw new Error('one') }, 5); Promise.reject(new Error('two')); 1");
    await client.finished(stray);
    await pause(200);
    expect((await client.run('heard.sort().join()')).shown).toBe("'one,two'");
    expect(client.events(stray).filter((event) => event.kind === 'error')).toEqual([]);
    await client.run("process.off('uncaughtException', hear)");
    expect(await errorOf("Promise.reject(new Error('three')); 1")).toMatchObject({ message: 'three' });
  });

  it('of a listener that a cell added is shown', async () => {
    await client.run("process.once('uncaughtException', () => { throw new Error('the listener too') }); 1");
    await client.run("Promise.reject(new Error('first')); 1");
    // In the cell that holds the listener: it is on the stack.
    const shown = () => client.received.some(({ message }) => JSON.stringify(message).includes('the listener too'));
    expect(await client.until(shown)).toBe(true);
    expect((await client.run('mine')).shown).toBe('1');
  });
});

/** What a careless package does when it is imported; `loaded` counts. */
const LIBRARY = `
for (const event of ['uncaughtException', 'unhandledRejection', 'uncaughtExceptionMonitor'])
  process.on(event, (error) => { throw error })
process.on('SIGINT', () => process.exit(3))
process.on('SIGTERM', () => undefined)
process.on('exit', () => { process.exitCode = 9; throw new Error('in an exit hook') })
process.setUncaughtExceptionCaptureCallback((error) => { throw error })
`;

describe('a library that a cell imports', () => {
  it('cannot end the kernel by what it hangs on process, in the very cell that imports it', async () => {
    const own = await startKernel();
    try {
      const folder = path.join(own.notebookFolder, 'node_modules/careless');
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, 'index.js'), LIBRARY);
      const at = await own.connect();
      await at.run("process.on('SIGHUP', () => undefined); const kept = 5; tf.ones([2]).dataSync()");
      const execution = at.begin(
        "await import('careless'); setTimeout(() => { throw new Error('after the import') }, 0); await new Promise((r) => setTimeout(r, 50)); 1",
      );
      expect((await at.finished(execution)).status).toBe('ok');
      expect(at.events(execution)).toContainEqual(
        expect.objectContaining({ kind: 'error', message: 'after the import' }),
      );
      own.child.kill('SIGINT');
      own.child.kill('SIGHUP');
      await pause(200);
      expect((await at.run('kept')).shown).toBe('5');
      expect(own.log()).toMatch(/took away the SIGINT listener of .*careless/);
      // Its handler of SIGTERM, which would have kept the process alive, is gone, and so is its say in the exit code.
      at.send({ type: 'shutdown' });
      expect(await own.exited).toBe(0);
    } finally {
      await own.stop();
    }
  });
});

describe('fgnb run', () => {
  it('marks the cell of an error that nobody caught, writes the notebook and exits with 1', async () => {
    const folder = temporaryFolder('strays');
    const cells = ["tf.ones([2]).dataSync(); 'well'", "fg.models.load('./no-such-folder'); 'started'"].map(
      (source, i) => ({
        id: `c${i}`,
        kind: 'code',
        source,
      }),
    );
    fs.writeFileSync(path.join(folder, 'n.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
    const args = ['run', 'n.fgnb', '--out', 'out.fgnb', '--device', 'cpu'];
    const child = spawn(process.execPath, [kernelCli, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code, text).toBe(1);
    expect(text).toMatch(/no folder at .*no-such-folder/);
    const written = JSON.parse(fs.readFileSync(path.join(folder, 'out.fgnb'), 'utf8')) as NotebookFile;
    expect(written.cells.map((cell) => cell.execution?.status)).toEqual(['ok', 'error']);
    expect(JSON.stringify(written.cells[1].outputs)).toMatch(/no-such-folder/);
    fs.rmSync(folder, { recursive: true, force: true });
  });
});
