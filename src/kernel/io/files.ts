/** Reads and writes files: atomic writes, and paths that stay inside their folder. Every error names its file. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';

/** A path in the same folder as `path` that no other writer uses. */
export function besidePath(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/**
 * Writes a file so that readers see the old content or the whole new one: written beside it, flushed to disk, renamed,
 * and the folder flushed, so that it is there after a crash. A failed write leaves the old file and nothing else.
 * `data` may be a function that writes to the open handle.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | ((handle: FileHandle) => Promise<void>),
): Promise<void> {
  const beside = besidePath(path);
  try {
    const handle = await open(beside, 'wx');
    try {
      if (typeof data === 'function') await data(handle);
      else await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw writeError(path, error);
  }
}

const WRITE_HELP: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space, or choose another folder',
  EDQUOT: 'your quota of the disk is used up; free some space, or choose another folder',
  EIO: 'the disk, or the connection to the file server, failed; look at the logs of the system, or choose another folder',
  EROFS: 'the file system is read-only; choose a folder that can be written',
};

/**
 * Adds the path and what to do to the error of a failed write, since Node names no path where a write or a flush fails.
 * Other errors are returned as they are.
 */
export function writeError(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || !Object.hasOwn(WRITE_HELP, code ?? '') || error.message.startsWith(path))
    return error;
  const help = WRITE_HELP[code as string];
  return Object.assign(new Error(`${path} was not written: ${help} (${error.message})`, { cause: error }), { code });
}

/** Flushes a folder's list of names, where the system can: without that a rename may be lost in a crash. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(folder, 'r');
  } catch (error) {
    // Windows cannot open folders.
    if (['EISDIR', 'EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return;
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot flush folders.
    if (!['EINVAL', 'EPERM', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/** First bytes of the pointer that Git LFS leaves in place of a file. */
const LFS_POINTER = Buffer.from('version https://git-lfs.github.com/spec/v1');

/**
 * Opens a file for reading. A pipe or a device is refused, since reading it may never end, and so is a Git LFS pointer.
 * All readers of foreign files open them here.
 */
export async function openData(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const info = await handle.stat();
    if (info.isDirectory()) throw new Error(`${path} is a folder; a file is expected`);
    if (!info.isFile()) throw new Error(`${path} is no regular file but a pipe, socket or device; it is not read`);
    const start = Buffer.alloc(LFS_POINTER.length);
    await handle.read(start, 0, start.length, 0);
    if (start.equals(LFS_POINTER)) {
      throw new Error(
        `${path} is a Git LFS pointer, not the file itself: run "git lfs pull" in its repository, or download the file`,
      );
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A whole text file, UTF-8; opened by openData. */
export async function readText(path: string): Promise<string> {
  const handle = await openData(path);
  try {
    const { size } = await handle.stat();
    return Buffer.from(await readExactly(handle, 0, size, path)).toString('utf8');
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith(path))
      throw new Error(`${path} is not readable: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await handle.close();
  }
}

/** A JSON file; throws with its path when it is not there or not JSON. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), path);
}

/** JSON.parse with the path in the error, and only as much of the text as helps. */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : String(error);
    throw new Error(`${path} is not JSON: ${why}`, { cause: error });
  }
}

/** Writes all bytes at the handle's position, in pieces below 2 GiB; a single write may be short. */
export async function writeAll(handle: FileHandle, data: ArrayBufferView): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, 1 << 28));
    at += bytesWritten;
  }
}

/** Reads exactly `length` bytes from `position`; throws when the file ends before that. `what` begins the error. */
export async function readExactly(
  handle: FileHandle,
  position: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(length - at, 1 << 28), position + at);
    if (bytesRead === 0) {
      throw new Error(
        `${what}: the file ends at byte ${position + at} but ${position + length} bytes are needed; it is truncated`,
      );
    }
    at += bytesRead;
  }
  return bytes;
}

/** `relativePath` inside `root`, resolved. Throws when it is absolute or leads out of the root. */
export function safeJoin(root: string, relativePath: string): string {
  const base = resolve(root);
  const joined = resolve(base, relativePath);
  const inside = relative(base, joined);
  if (
    relativePath.includes('\0') ||
    isAbsolute(relativePath) ||
    /^[a-zA-Z]:/.test(relativePath) ||
    inside === '..' ||
    inside.startsWith(`..${sep}`) ||
    isAbsolute(inside)
  ) {
    throw new Error(`path "${relativePath}" leaves its folder ${base}`);
  }
  return joined;
}

/** 'file', 'folder', or undefined when nothing exists at the path. */
export async function kindOfPath(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    const info = await stat(path);
    return info.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The message of any thrown value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
