import path from 'node:path';
import * as esbuild from 'esbuild';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Pool, disposePool, runTask } from '#kernel/compute/pool.js';
import { poolTasks } from '#kernel/compute/poolTasks.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('pool');
const bundle = path.join(folder, 'poolWorker.cjs');
const table = poolTasks as Record<string, (payload: unknown) => unknown>;

beforeAll(async () => {
  // The worker as it is built, with tasks that misbehave added to its table.
  const source = path.resolve(import.meta.dirname, '../../../src/kernel/compute');
  const tasks = `
    import { poolTasks } from ${JSON.stringify(path.join(source, 'poolTasks.ts'))};
    import { nativeCall } from ${JSON.stringify(path.join(source, 'nativeCall.ts'))};
    Object.assign(poolTasks, {
      spin: () => { for (;;); },
      exit: () => process.exit(7),
      fail: (p) => { throw new RangeError('bad ' + p); },
      double: (x) => ({ value: x.map((v) => v * 2), transfer: [] }),
      give: (x) => ({ value: x, transfer: [x.buffer] }),
      thread: async () => ({ value: (await import('node:worker_threads')).threadId }),
      native: (flag) => {
        nativeCall(() => {
          Atomics.store(flag, 0, 1);
          Atomics.notify(flag, 0);
          const end = performance.now() + 150;
          while (performance.now() < end);
          Atomics.store(flag, 1, 1);
        });
        for (;;);
      },
      crash: () => { setTimeout(() => { throw new Error('late'); }); return new Promise(() => {}); },
    });
    import ${JSON.stringify(path.join(source, 'poolWorker.ts'))};`;
  await esbuild.build({
    stdin: { contents: tasks, resolveDir: source, loader: 'ts' },
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
  // The pool checks names against the table of its own thread.
  table.double = (x) => ({ value: (x as Float64Array).map((v) => v * 2) });
  table.fail = (p) => {
    throw new RangeError(`bad ${String(p)}`);
  };
  table.give = (x) => ({ value: x, transfer: [(x as Float32Array).buffer] });
  for (const name of ['spin', 'exit', 'thread', 'crash', 'native']) table[name] = () => ({ value: 0 });
});

let pool: Pool;
afterEach(() => pool?.dispose());

describe('a pool with workers', () => {
  it('runs tasks elsewhere, several at a time, in order of arrival', async () => {
    pool = new Pool({ bundle, size: 2 });
    expect(pool.threaded).toBe(true);
    const results = await Promise.all([1, 2, 3, 4, 5].map((v) => pool.run<Float64Array>('double', Float64Array.of(v))));
    expect(results.map((r) => r[0])).toEqual([2, 4, 6, 8, 10]);
    expect(await pool.run('thread', null)).toBeGreaterThan(0);
  });

  it('hands buffers over in both directions', async () => {
    pool = new Pool({ bundle, size: 1 });
    const x = Float32Array.of(1, 2, 3);
    const y = await pool.run<Float32Array>('give', x, { transfer: [x.buffer as ArrayBuffer] });
    expect(x).toHaveLength(0);
    expect([...y]).toEqual([1, 2, 3]);
  });

  it("rejects with a task's own error and goes on", async () => {
    pool = new Pool({ bundle, size: 1 });
    await expect(pool.run('fail', 'input')).rejects.toThrow('bad input');
    expect(await pool.run('echo', 5)).toBe(5);
  });

  it('stops a busy loop on abort, replaces its worker, and drops what waits', async () => {
    pool = new Pool({ bundle, size: 1 });
    const [running, waiting] = [new AbortController(), new AbortController()];
    const spin = pool.run('spin', null, { signal: running.signal });
    const second = pool.run('echo', 1, { signal: waiting.signal });
    const third = pool.run('echo', 2);
    waiting.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    running.abort();
    await expect(spin).rejects.toMatchObject({ name: 'AbortError' });
    expect(await third).toBe(2);
    await expect(pool.run('echo', 1, { signal: running.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('ends a worker after its native call and not inside, which would end the process', async () => {
    pool = new Pool({ bundle, size: 1 });
    const flag = new Int32Array(new SharedArrayBuffer(8));
    const stop = new AbortController();
    const native = pool.run('native', flag, { signal: stop.signal });
    while (Atomics.load(flag, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    await expect(native).rejects.toMatchObject({ name: 'AbortError' });
    expect(await pool.run('echo', 'alive')).toBe('alive');
    while (Atomics.load(flag, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  it('rejects with the cause when a worker exits or crashes, and goes on', async () => {
    pool = new Pool({ bundle, size: 1 });
    await expect(pool.run('exit', null)).rejects.toThrow('task "exit" died: it exited with code 7');
    await expect(pool.run('crash', null)).rejects.toThrow('late');
    expect(await pool.run('echo', 'alive')).toBe('alive');
  });

  it('refuses a payload that cannot be sent, and goes on', async () => {
    pool = new Pool({ bundle, size: 1 });
    await expect(pool.run('echo', () => 1)).rejects.toThrow('could not be cloned');
    expect(await pool.run('echo', 3)).toBe(3);
  });

  it('rejects what is running when closed', async () => {
    pool = new Pool({ bundle, size: 1 });
    const spin = pool.run('spin', null);
    const closed = expect(spin).rejects.toThrow('closed while task "spin"');
    await pool.dispose();
    await closed;
    await expect(pool.run('echo', 1)).rejects.toThrow('closed');
  });
});

describe('a pool without its bundle', () => {
  it('runs the same task on this thread, with the same copies and transfers', async () => {
    pool = new Pool({ bundle: path.join(folder, 'missing.cjs') });
    expect(pool.threaded).toBe(false);
    const x = Float64Array.of(4);
    expect([...(await pool.run<Float64Array>('double', x))]).toEqual([8]);
    expect(x[0]).toBe(4);
    expect(await pool.run('give', x, { transfer: [x.buffer as ArrayBuffer] })).toEqual(Float64Array.of(4));
    expect(x).toHaveLength(0);
    await expect(pool.run('fail', 1)).rejects.toThrow('bad 1');
    await expect(pool.run('echo', 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('refuses unknown tasks with the names there are', async () => {
    await expect(runTask('nope', 0)).rejects.toThrow(/"nope"; there are: echo/);
    expect(await runTask('echo', 1)).toBe(1);
    await disposePool();
  });
});
