/** Free space, looked at before work that would fill the disk halfway. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';

/** Bytes that the file system of a folder has free for this user; the folder may not exist yet. */
export async function freeDisk(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    const parent = dirname(folder);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && parent !== folder) return freeDisk(parent);
    throw error;
  }
}

/**
 * @param what what takes the space, such as "the finished blocks of this correlation"
 * @param free bytes that are free; default: looked up
 * @throws RangeError in figures when fewer bytes are free
 */
export async function requireDisk(folder: string, bytes: number, what: string, free?: number): Promise<void> {
  const there = free ?? (await freeDisk(folder));
  if (there < bytes)
    throw new RangeError(
      `${what} take ${formatBytes(bytes)} in ${folder}, where ${formatBytes(there)} are free; free some space, or choose another folder by the setting fgnb.artifactFolder or --artifacts`,
    );
}
