import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { FileLock, type LockOwner } from '#kernel/io/lock.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder();
let path: string;
let count = 0;
beforeEach(() => {
  path = join(folder, `lock-${count++}`);
});

/** The lock that this process would write. */
async function own(): Promise<LockOwner> {
  const lock = await FileLock.take(path);
  const owner = JSON.parse(readFileSync(path, 'utf8')) as LockOwner;
  await lock.release();
  expect(existsSync(path)).toBe(false);
  return owner;
}
const held = (owner: Partial<LockOwner>, ageMs = 0): void => {
  writeFileSync(path, JSON.stringify(owner));
  const then = (Date.now() - ageMs) / 1000;
  utimesSync(path, then, then);
};
/** A process that lives for the length of the test. */
async function withProcess(work: (pid: number, started: string) => Promise<void>): Promise<void> {
  const child = spawn('sleep', ['100']);
  try {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    await work(child.pid as number, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } finally {
    child.kill('SIGKILL');
  }
}
const OLD = 3_600_000;

describe('FileLock', () => {
  it('of a living process is held however old it is; of a dead one it is taken over', async () => {
    const me = await own();
    let dead = 0;
    await withProcess(async (pid, started) => {
      held({ ...me, pid, started, token: 't' }, OLD);
      expect(await FileLock.tryTake(path)).toBeUndefined();
      dead = pid;
    });
    while (existsSync(`/proc/${dead}`)) await new Promise((resolve) => setTimeout(resolve, 20));
    const lock = await FileLock.tryTake(path);
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).toBe(process.pid);
    await lock?.release();
    expect(readdirSync(folder).filter((name) => name.startsWith('lock-'))).toEqual([]);
  });

  it('of a process number that is used again by another process is taken over', async () => {
    const me = await own();
    await withProcess(async (pid) => {
      held({ ...me, pid, started: '1', token: 't' });
      expect(await FileLock.tryTake(path)).toBeDefined();
    });
  });

  it('of another machine is held while it is touched, and taken over after', async () => {
    const me = await own();
    const other = { ...me, machine: 'elsewhere', host: 'elsewhere', pid: 1, token: 't' };
    held(other, 60_000);
    expect(await FileLock.tryTake(path)).toBeUndefined();
    held(other, OLD);
    expect(await FileLock.tryTake(path)).toBeDefined();
  });

  it('that is not readable is held while it is young: it may be being written', async () => {
    writeFileSync(path, '');
    expect(await FileLock.tryTake(path)).toBeUndefined();
    utimesSync(path, 1, 1);
    expect(await FileLock.tryTake(path)).toBeDefined();
  });

  it('is waited for, tells by whom it is held, and the wait can be cancelled', async () => {
    const me = await own();
    await withProcess(async (pid, started) => {
      held({ ...me, pid, started, token: 't' });
      const stop = new AbortController();
      const told: Array<LockOwner | undefined> = [];
      const wait = FileLock.take(path, { signal: stop.signal, onWait: (owner) => told.push(owner) });
      const ended = expect(wait).rejects.toMatchObject({ name: 'AbortError' });
      while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      stop.abort();
      await ended;
      expect(told[0]).toMatchObject({ pid });
    });
  });

  it('released by who lost it leaves the new owner’s', async () => {
    const lost = await FileLock.take(path);
    const now = await FileLock.tryTake(path); // a call of this process that was given up is taken over
    await lost.release();
    expect(existsSync(path)).toBe(true);
    await now?.release();
    expect(existsSync(path)).toBe(false);
  });

  it('is taken by one of many processes at once, also when the old owner is dead', { timeout: 60_000 }, async () => {
    const me = await own();
    const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim();
    held({ ...me, pid: Number(dead), started: '1', token: 't' });
    const bundle = join(folder, 'lock.mjs');
    const { build } = await import('esbuild');
    await build({
      stdin: {
        contents: `import { appendFileSync } from 'node:fs';
          import { FileLock } from './src/kernel/io/lock.ts';
          const [path, log] = process.argv.slice(2);
          for (let i = 0; i < 20; i++) {
            const lock = await FileLock.take(path);
            appendFileSync(log, 'in ' + process.pid + '\\n');
            await new Promise((r) => setTimeout(r, 3));
            appendFileSync(log, 'out ' + process.pid + '\\n');
            await lock.release();
          }`,
        resolveDir: join(import.meta.dirname, '../../..'),
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: bundle,
      logLevel: 'error',
    });
    const log = join(folder, 'log.txt');
    const codes = await Promise.all(
      Array.from({ length: 3 }, () => {
        const child = spawn(process.execPath, [bundle, path, log], { stdio: 'inherit' });
        return new Promise((resolve) => child.on('close', resolve));
      }),
    );
    expect(codes).toEqual([0, 0, 0]);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(120);
    for (let i = 0; i < lines.length; i += 2) expect(lines[i + 1]).toBe(lines[i].replace('in', 'out'));
  });
});
