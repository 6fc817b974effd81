/** Files: whole or not at all, and never outside their folder. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';

/** A name beside `path` that no other writer uses. */
export function besidePath(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/**
 * Writes a file so that readers see the old content or the whole new one: written beside it, flushed to disk, renamed.
 * A failed write leaves the old file and nothing else. `data` may be a function that writes to the open handle.
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
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Writes all bytes at the handle's position (a single write may be short, and takes less than 2 GiB). */
export async function writeAll(handle: FileHandle, data: ArrayBufferView): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, 1 << 28));
    at += bytesWritten;
  }
}

/** Reads exactly `length` bytes from `position`; throws when the file ends before. `what` begins the error. */
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

/** `relativePath` inside `root`, resolved. Throws when it is absolute or leaves the root. */
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

/** 'file', 'folder' or undefined when there is nothing there. */
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
