/**
 * One owner at a time, between processes and hosts. A lock is a file made by an exclusive link, which NFS keeps
 * exclusive too; its content names the owner. A lock whose owner is gone is taken over: on the same machine when no
 * process with that number and start time lives; from another machine when it was not touched for three minutes (owners
 * touch their locks every 30 seconds).
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { link, open, readFile, rm, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { besidePath, writeError } from './files.js';

export interface LockOwner {
  pid: number;
  host: string;
  /** Boot and process namespace, within which process numbers are unique. */
  machine: string;
  /** Start time of the process, as the system counts it: tells it from a later process with the same number. */
  started: string;
  /** When the lock was taken, as ISO 8601. */
  since: string;
  token: string;
}

export interface LockOptions {
  /** Aborting ends the wait with the signal's reason. */
  signal?: AbortSignal;
  /** Called once, when another owner must be waited for. */
  onWait?: (owner: LockOwner | undefined) => void;
}

const TOUCH_MS = 30_000;
/** An owner on another machine that did not touch its lock for this many milliseconds counts as gone. */
const STALE_MS = 180_000;
const POLL_MS = 200;

/** A lock that this process holds; it is touched every 30 seconds until it is released. */
export class FileLock {
  private readonly touching: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly owner: LockOwner,
  ) {
    this.touching = setInterval(() => {
      const now = new Date();
      void utimes(path, now, now).catch(() => undefined);
    }, TOUCH_MS).unref();
  }

  /** Takes the lock, waiting until its owner releases it or is gone. The folder of `path` must exist. */
  static async take(path: string, options: LockOptions = {}): Promise<FileLock> {
    let told = false;
    for (;;) {
      options.signal?.throwIfAborted();
      const lock = await FileLock.tryTake(path);
      if (lock) return lock;
      if (!told) options.onWait?.((await holderOf(path))?.owner);
      told = true;
      await setTimeout(POLL_MS, undefined, { signal: options.signal });
    }
  }

  /** Takes the lock if it is free or its owner is gone; undefined when it is held. */
  static async tryTake(path: string): Promise<FileLock | undefined> {
    for (let attempt = 0; attempt < 2; attempt++) {
      const owner: LockOwner = { ...self(), since: new Date().toISOString(), token: randomBytes(12).toString('hex') };
      if (await create(path, owner)) return new FileLock(path, owner);
      const holder = await holderOf(path);
      if (holder && !(isGone(holder) && (await removeStale(path, holder)))) return undefined;
    }
    return undefined;
  }

  /** Releases the lock; does nothing when another owner has taken it over. */
  async release(): Promise<void> {
    clearInterval(this.touching);
    const holder = await holderOf(this.path);
    if (holder?.owner?.token === this.owner.token) await rm(this.path, { force: true });
  }
}

/** Whether a lock file belongs to an owner that is gone. */
export async function isStaleLock(path: string): Promise<boolean> {
  const holder = await holderOf(path);
  return holder !== undefined && isGone(holder);
}

interface Holder {
  /** Undefined when the file cannot be read as a lock: it is being written, or damaged. */
  owner: LockOwner | undefined;
  touchedMs: number;
}

/** Makes the lock file with its content in one step, unless it exists. Returns whether it was made. */
async function create(path: string, owner: LockOwner): Promise<boolean> {
  const beside = besidePath(path);
  const text = `${JSON.stringify(owner)}\n`;
  try {
    const handle = await open(beside, 'wx');
    await handle.writeFile(text).finally(() => handle.close());
    try {
      await link(beside, path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // An NFS server's answer may get lost: then the link exists all the same.
      if (code === 'EEXIST') return (await stat(beside)).nlink === 2;
      if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error;
      return await createWithoutLinks(path, text);
    }
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await rm(beside, { force: true }).catch(() => undefined);
  }
}

/** For file systems without links: FAT and some network file systems. */
async function createWithoutLinks(path: string, text: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(text).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    const text = await readFile(path, 'utf8');
    return { owner: parseOwner(text), touchedMs: mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(text) as LockOwner;
    return Number.isInteger(owner.pid) && typeof owner.token === 'string' ? owner : undefined;
  } catch {
    return undefined;
  }
}

function isGone({ owner, touchedMs }: Holder): boolean {
  const me = self();
  if (owner?.machine !== me.machine) return touchedMs < Date.now() - STALE_MS;
  // Calls within one process wait for each other in memory, so a lock of this process that is met here was left by a
  // call that was given up.
  if (owner.pid === me.pid && owner.started === me.started) return true;
  return !isAlive(owner.pid) || startOf(owner.pid) !== owner.started;
}

/** Removes a stale lock, one process at a time, unless it has been replaced since. True when it is gone. */
async function removeStale(path: string, stale: Holder): Promise<boolean> {
  const breaker = `${path}.break`;
  if (!(await createWithoutLinks(breaker, ''))) {
    const { mtimeMs } = await stat(breaker).catch(() => ({ mtimeMs: Date.now() }));
    if (mtimeMs < Date.now() - STALE_MS) await rm(breaker, { force: true });
    return false;
  }
  try {
    const now = await holderOf(path);
    if (now && now.owner?.token !== stale.owner?.token) return false;
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    return true;
  } finally {
    await rm(breaker, { force: true });
  }
}

let known: Pick<LockOwner, 'pid' | 'host' | 'machine' | 'started'> | undefined;

function self(): Pick<LockOwner, 'pid' | 'host' | 'machine' | 'started'> {
  known ??= { pid: process.pid, host: hostname(), machine: machineId(), started: startOf(process.pid) };
  return known;
}

function machineId(): string {
  const read = (what: () => string): string => {
    try {
      return what().trim();
    } catch {
      // Only Linux has these files; elsewhere the host's name must do.
      return '';
    }
  };
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  return [hostname(), boot, read(() => readlinkSync('/proc/self/ns/pid'))].join(' ');
}

/** Start time of a process; '' where it cannot be found out. */
function startOf(pid: number): string {
  try {
    if (process.platform === 'linux') {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in brackets may hold spaces; the state is the first field after it, the start time the 20th.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? '' : (fields[19] ?? '');
    }
    if (process.platform === 'win32') return '';
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/**
 * Whether a process with this number lives on this machine. The extension has the same (runFolder.ts): the two share protocol/
 * alone, which imports nothing of Node.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
