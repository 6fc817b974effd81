/**
 * Where a kernel and its clients meet: `<tmp>/fgnb-<uid>/<hash of the notebook>`, mode 0700, with `token` (0600),
 * `kernel.json` and `k.sock` written by the kernel, and `kernel.log`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

export interface KernelRecord {
  pid: number;
  socket: string;
  session: string;
  notebook: string;
  started: string;
  version: string;
}

/** FGNB_RUN_ROOT lets tests keep their kernels apart. */
function runRoot(): string {
  const owner = process.platform === 'win32' ? userInfo().username : String(userInfo().uid);
  return process.env.FGNB_RUN_ROOT || path.join(tmpdir(), `fgnb-${owner}`);
}

export function runFolderOf(notebook: string): string {
  return path.join(runRoot(), createHash('sha256').update(notebook).digest('hex').slice(0, 16));
}

/** Makes a folder that only this user can enter; refuses one that another user made in our place. */
async function ensurePrivate(folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32') return;
  const stat = await fs.lstat(folder);
  if (!stat.isDirectory() || stat.uid !== userInfo().uid)
    throw new Error(
      `${folder} belongs to another user or is not a folder; remove it or set TMPDIR to a folder of yours`,
    );
  if ((stat.mode & 0o077) !== 0) await fs.chmod(folder, 0o700);
}

/** A fresh run folder with a new token, for a kernel about to start. */
export async function prepareRunFolder(folder: string): Promise<string> {
  await ensurePrivate(path.dirname(folder));
  await ensurePrivate(folder);
  for (const stale of ['kernel.json', 'k.sock', 'token']) await fs.rm(path.join(folder, stale), { force: true });
  const token = randomBytes(32).toString('hex');
  await fs.writeFile(path.join(folder, 'token'), token, { mode: 0o600 });
  return token;
}

export async function readToken(folder: string): Promise<string> {
  return (await fs.readFile(path.join(folder, 'token'), 'utf8')).trim();
}

/** The record of the kernel that last listened here; undefined when there is none or it is half-written. */
export async function readRecord(folder: string): Promise<KernelRecord | undefined> {
  try {
    const record = JSON.parse(await fs.readFile(path.join(folder, 'kernel.json'), 'utf8')) as Partial<KernelRecord>;
    if (typeof record.pid !== 'number' || typeof record.socket !== 'string') return undefined;
    return record as KernelRecord;
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
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
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 5000 }, (error, stdout) => resolve(error ? '' : stdout));
  });
}

/** Whether `pid` is the kernel of this run folder: process ids are reused, and no stranger may be signalled. */
export async function isOurKernel(pid: number, folder: string): Promise<boolean> {
  return isAlive(pid) && (await commandLine(pid)).includes(folder);
}

/** Every kernel of this user on this host that is alive. */
export async function listKernels(): Promise<Array<{ folder: string; record: KernelRecord }>> {
  const root = runRoot();
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
    const file = await fs.open(path.join(folder, 'kernel.log'), 'r');
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
