/** Opens files for webviews: regular files inside one folder, and nothing that a link leads to outside it. */
import { constants } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';

/** Raised when a request names something outside the notebook's folder. */
export class OutsideFolderError extends Error {
  override name = 'OutsideFolderError';
}

/** Real path of something below `root`, itself a real path; throws when it is not there or a link leads outside. */
export async function realInside(root: string, file: string): Promise<string> {
  const real = await fs.realpath(file);
  if (real !== root && !real.startsWith(root.endsWith(path.sep) ? root : root + path.sep))
    throw new OutsideFolderError(`${file} leads outside the notebook’s folder, to ${real}; it is not read.`);
  return real;
}

/**
 * Opens a file below `root` for reading. A pipe is not waited for, and nothing but a regular file is read.
 * @throws OutsideFolderError when it, or a folder on the way, is a link that leads outside
 */
export async function openInside(root: string, file: string): Promise<FileHandle> {
  const real = await realInside(root, file);
  // The flags that a system lacks are undefined there. A link that has replaced the file meanwhile is not followed.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
  const handle = await fs.open(real, flags);
  try {
    const entry = await handle.stat();
    if (!entry.isFile()) throw new Error(`${file} is no regular file; it is not read`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Bytes `begin` to `end` of an open file; throws when it is shorter. */
export async function readRange(
  handle: FileHandle,
  file: string,
  begin: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - begin);
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, begin + at);
    if (bytesRead === 0) throw new Error(`${file} ends at byte ${begin + at}, expected ${end}: it is truncated`);
    at += bytesRead;
  }
  return bytes;
}

/** A whole file below `root`, of `limit` bytes at most. */
export async function readInside(root: string, file: string, limit: number): Promise<Buffer> {
  const handle = await openInside(root, file);
  try {
    const { size } = await handle.stat();
    if (size > limit) throw new Error(`${file} has ${size} bytes, over the limit of ${limit}`);
    return Buffer.from(await readRange(handle, file, 0, size));
  } finally {
    await handle.close();
  }
}
