/**
 * Where a kernel and its clients meet: `<root>/<hash of the notebook>`, mode 0700, with `token` (0600), `kernel.json` and
 * `k.sock` written by the kernel, and `kernel.log`. The root is `fgnb` in the user's runtime folder (XDG_RUNTIME_DIR)
 * where there is one, else `fgnb-<uid>` in the temporary folder, which others share: nothing is read, made or connected
 * to before owner, mode and kind were looked at, and no link is followed. A runtime folder goes at log-out and comes back
 * empty: a kernel that is still there writes its files again (kernel/session/listener.ts).
 */
import { createHash, randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { constants, lstatSync } from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { privacyProblem, type PlaceFacts, type PlaceKind } from '../../protocol/private.js';

export interface KernelRecord {
  pid: number;
  socket: string;
  session: string;
  notebook: string;
  started: string;
  version: string;
}

const MAX_FILE = 64 * 1024;

const userId = process.getuid?.();

const problemOf = (place: string, facts: PlaceFacts, kind: PlaceKind): string | undefined =>
  privacyProblem(place, facts, kind, userId);

function isPrivateFolder(folder: string): boolean {
  try {
    return problemOf(folder, lstatSync(folder), 'folder') === undefined;
  } catch {
    return false;
  }
}

/** FGNB_RUN_ROOT lets tests keep their kernels apart. */
export function runRoot(env: NodeJS.ProcessEnv = process.env): string {
  if (env.FGNB_RUN_ROOT) return env.FGNB_RUN_ROOT;
  const runtime = env.XDG_RUNTIME_DIR;
  if (userId !== undefined && runtime && path.isAbsolute(runtime) && isPrivateFolder(runtime))
    return path.join(runtime, 'fgnb');
  return path.join(tmpdir(), `fgnb-${userId ?? userInfo().username}`);
}

/** The run folder of a notebook, by its path. */
export function runFolderOf(notebook: string): string {
  return path.join(runRoot(), createHash('sha256').update(notebook).digest('hex').slice(0, 16));
}

const ADVICE =
  'No kernel is started or used there. Ask its owner to remove it, or set TMPDIR to a folder of yours before the editor starts.';

/** Makes the root; refuses one that another user made in our place. */
async function ensureRoot(root: string): Promise<void> {
  await fs.mkdir(path.dirname(root), { recursive: true });
  await fs.mkdir(root, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const facts = await fs.lstat(root);
  // Ours, but open: closed now. Folders in it are looked at one by one.
  if (userId !== undefined && facts.isDirectory() && facts.uid === userId) await fs.chmod(root, 0o700);
  const problem = problemOf(root, await fs.lstat(root), 'folder');
  if (problem) throw new Error(`${problem}. ${ADVICE}`);
}

/** A fresh run folder with a new token, for a kernel about to start. @throws Error in words where it cannot be private. */
export async function prepareRunFolder(folder: string): Promise<string> {
  await ensureRoot(path.dirname(folder));
  // Made anew: what was in it is not to be trusted. A link is taken away, not what it leads to.
  await fs.rm(folder, { recursive: true, force: true });
  await fs.mkdir(folder, { mode: 0o700 });
  const token = randomBytes(32).toString('hex');
  await fs.writeFile(path.join(folder, 'token'), token, { mode: 0o600, flag: 'wx' });
  return token;
}

/** @throws Error in words when the run folder or its root is not private. */
async function checkRunFolder(folder: string): Promise<void> {
  for (const place of [path.dirname(folder), folder]) {
    const problem = problemOf(place, await fs.lstat(place), 'folder');
    if (problem) throw new Error(`${problem}. ${ADVICE}`);
  }
}

/** A small file of the run folder, opened without following a link. */
async function readPrivate(folder: string, name: string): Promise<string> {
  await checkRunFolder(folder);
  const file = path.join(folder, name);
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const handle = await fs.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const facts = await handle.stat();
    const problem = problemOf(file, facts, 'file');
    if (problem) throw new Error(`${problem}. ${ADVICE}`);
    if (facts.size > MAX_FILE) throw new Error(`${file} has ${facts.size} bytes, which no kernel wrote`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** The token by which the kernel of a run folder knows its clients. @throws Error in words when it is not private */
export async function readToken(folder: string): Promise<string> {
  return (await readPrivate(folder, 'token')).trim();
}

/** @throws Error in words when a kernel's socket, or the folder that it is in, is not private. */
export async function checkSocket(socket: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = path.dirname(socket);
  const problem =
    problemOf(folder, await fs.lstat(folder), 'folder') ?? problemOf(socket, await fs.lstat(socket), 'socket');
  if (problem) throw new Error(`${problem}. ${ADVICE}`);
}

/**
 * The record of the kernel that last listened here; undefined when there is none, it is half-written, or the place is not
 * private, which `refused` is told.
 */
export async function readRecord(
  folder: string,
  refused: (reason: string) => void = () => undefined,
): Promise<KernelRecord | undefined> {
  try {
    const record = JSON.parse(await readPrivate(folder, 'kernel.json')) as Partial<KernelRecord> | null;
    if (!Number.isInteger(record?.pid) || typeof record?.socket !== 'string') return undefined;
    return record as KernelRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') refused((error as Error).message);
    return undefined;
  }
}

/**
 * Whether a process of this id runs, whoever owns it. The kernel has the same (io/lock.ts): the two share protocol/ alone,
 * which imports nothing of Node.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 5000 }, (error, stdout) => resolve(error ? '' : stdout));
  });
}

function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux')
    return fs.readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      (text) => text.replaceAll('\0', ' '),
      () => '',
    );
  const [command, args]: [string, string[]] =
    process.platform === 'win32'
      ? [
          'powershell',
          ['-NoProfile', '-Command', `(Get-CimInstance Win32_Process -Filter "ProcessId=${pid}").CommandLine`],
        ]
      : ['ps', ['-o', 'command=', '-p', String(pid)]];
  return run(command, args);
}

/** Whether all user ids of a process (real, effective, saved) are ours. */
async function isOurProcess(pid: number): Promise<boolean> {
  if (userId === undefined) return true;
  if (process.platform === 'linux') {
    const status = await fs.readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const ids = /^Uid:\s+(.*)$/m.exec(status)?.[1].trim().split(/\s+/) ?? [];
    return ids.length > 0 && ids.every((id) => Number(id) === userId);
  }
  const ids = await run('ps', ['-o', 'uid=,ruid=', '-p', String(pid)]);
  return (
    ids.trim() !== '' &&
    ids
      .trim()
      .split(/\s+/)
      .every((id) => Number(id) === userId)
  );
}

/** Whether `pid` is the kernel of this run folder: process ids are reused, and no stranger may be signalled or used. */
export async function isOurKernel(pid: number, folder: string): Promise<boolean> {
  return isAlive(pid) && (await isOurProcess(pid)) && (await commandLine(pid)).includes(folder);
}

/** Every kernel of this user on this host that is alive. */
export async function listKernels(): Promise<Array<{ folder: string; record: KernelRecord }>> {
  const root = runRoot();
  if (!isPrivateFolder(root)) return [];
  const names = await fs.readdir(root).catch(() => [] as string[]);
  const found: Array<{ folder: string; record: KernelRecord }> = [];
  for (const name of names) {
    const folder = path.join(root, name);
    const record = await readRecord(folder);
    if (record && (await isOurKernel(record.pid, folder))) found.push({ folder, record });
  }
  return found;
}

/** The last `bytes` of the kernel's log. */
export async function logTail(folder: string, bytes = 8192): Promise<string> {
  try {
    await checkRunFolder(folder);
    const { O_RDONLY, O_NOFOLLOW = 0 } = constants;
    const file = await fs.open(path.join(folder, 'kernel.log'), O_RDONLY | O_NOFOLLOW);
    try {
      const { size } = await file.stat();
      const start = Math.max(0, size - bytes);
      const buffer = Buffer.alloc(size - start);
      await file.read(buffer, 0, buffer.length, start);
      const text = buffer.toString('utf8');
      return start > 0 ? text.slice(text.indexOf('\n') + 1) : text;
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}
