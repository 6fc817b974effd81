/** Hashes of files by blocks, so that a part can be checked without reading the rest. */
import { createHash } from 'node:crypto';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { openData, readExactly, syncFolder } from './files.js';

/** Length and hashes of a file as it was written. */
export interface FileDigest {
  bytes: number;
  /** For each block of BLOCK_BYTES (the last may be shorter) the first 128 bits of its SHA-256, as hex. */
  blocks: string[];
}

/** Digests by path inside a folder, with "/" between names. */
export type FolderDigest = Record<string, FileDigest>;

export const BLOCK_BYTES = 1 << 20;

/** A file is not as it was written. */
export class DamagedFileError extends Error {
  override name = 'DamagedFileError';
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 32);

/** Hashes every file below a folder and flushes it to disk; `leaveOut`: names at the top that are not counted. */
export async function digestFolder(folder: string, leaveOut: readonly string[] = []): Promise<FolderDigest> {
  const digests: FolderDigest = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (leaveOut.includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      for (const [name, digest] of Object.entries(await digestFolder(path))) digests[`${entry.name}/${name}`] = digest;
    } else if (entry.isFile()) digests[entry.name] = await digestFile(path);
  }
  await syncFolder(folder);
  return digests;
}

async function digestFile(path: string): Promise<FileDigest> {
  const handle = await openToFlush(path);
  try {
    await handle.sync();
    const { size } = await handle.stat();
    const blocks: string[] = [];
    for (let at = 0; at < size; at += BLOCK_BYTES)
      blocks.push(hashOf(await readExactly(handle, at, Math.min(BLOCK_BYTES, size - at), path)));
    return { bytes: size, blocks };
  } finally {
    await handle.close();
  }
}

/** Windows flushes only files opened for writing; a read-only store is hashed all the same. */
async function openToFlush(path: string): Promise<FileHandle> {
  return process.platform === 'win32' ? open(path, 'r+') : openData(path);
}

/**
 * Checks the files of a folder against their hashes. Of files that `lazy` names only the length is checked: their
 * reader checks the blocks it reads. Throws DamagedFileError, naming the file and the first damaged bytes.
 */
export async function checkFolder(
  folder: string,
  digests: FolderDigest,
  lazy: (name: string) => boolean = () => false,
): Promise<void> {
  for (const [name, digest] of Object.entries(digests)) {
    const path = join(folder, ...name.split('/'));
    const handle = await openData(path);
    try {
      const file = await CheckedFile.of(handle, path, digest);
      if (lazy(name)) continue;
      for (let at = 0; at < digest.bytes; at += BLOCK_BYTES)
        await file.read(at, Math.min(BLOCK_BYTES, digest.bytes - at));
    } finally {
      await handle.close();
    }
  }
}

/** Reads ranges of an open file; with a digest, every block that a range touches is checked. */
export class CheckedFile {
  private constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    readonly size: number,
    private readonly digest: FileDigest | undefined,
  ) {}

  /** Throws DamagedFileError when the file is not as long as its digest says. */
  static async of(handle: FileHandle, path: string, digest?: FileDigest): Promise<CheckedFile> {
    const { size } = await handle.stat();
    if (digest && (size !== digest.bytes || digest.blocks.length !== Math.ceil(size / BLOCK_BYTES)))
      throw new DamagedFileError(`${path} has ${size} bytes but ${digest.bytes} were written: it is damaged`);
    return new CheckedFile(handle, path, size, digest);
  }

  async read(begin: number, length: number): Promise<Uint8Array> {
    if (!this.digest || length === 0) return readExactly(this.handle, begin, length, this.path);
    const first = Math.floor(begin / BLOCK_BYTES);
    const last = Math.min(Math.ceil((begin + length) / BLOCK_BYTES), this.digest.blocks.length);
    const from = first * BLOCK_BYTES;
    // A range past the end fails in readExactly, with its message.
    const to = Math.max(Math.min(last * BLOCK_BYTES, this.size), begin + length);
    const bytes = await readExactly(this.handle, from, to - from, this.path);
    for (let block = first; block < last; block++) {
      const at = block * BLOCK_BYTES - from;
      if (hashOf(bytes.subarray(at, at + BLOCK_BYTES)) !== this.digest.blocks[block])
        throw new DamagedFileError(
          `${this.path} is damaged between bytes ${block * BLOCK_BYTES} and ${Math.min((block + 1) * BLOCK_BYTES, this.size)}: they are not what was written`,
        );
    }
    // Copied, so that a typed array over the result is aligned and does not keep whole blocks in memory.
    return begin === from && length === bytes.length ? bytes : bytes.slice(begin - from, begin - from + length);
  }
}
