/**
 * Zip archives on disk: the central directory is in memory, entries are read by range. Supported are stored and
 * deflated entries, and zip64. Names are only looked up, never used as paths. Source: PKWARE's APPNOTE.TXT 6.3.10.
 */
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, crc32, inflateRaw, inflateRawSync } from 'node:zlib';
import { clip } from '../../protocol/clip.js';
import { openData, readExactly } from './files.js';

export interface ZipEntry {
  name: string;
  method: 'stored' | 'deflate';
  /** Bytes in the archive, and after unpacking. */
  compressedSize: number;
  size: number;
  crc: number;
  /** Where its local header begins. */
  headerAt: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const MAX_DIRECTORY_BYTES = 256 << 20;
/** Largest ratio that deflate can reach: an entry that states more is damaged or a bomb. */
const MAX_RATIO = 1032;

const inflate = promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(inflateRaw);

/** An open archive: its list of entries is in memory, their contents are read when asked for. */
export class ZipFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    /** By name. */
    readonly entries: ReadonlyMap<string, ZipEntry>,
  ) {}

  /** Reads the directory. Throws when the archive is truncated, damaged, encrypted or names an entry twice. */
  static async open(path: string): Promise<ZipFile> {
    const handle = await openData(path);
    try {
      const { size } = await handle.stat();
      const directory = await findDirectory(handle, size, path);
      const bytes = await readExactly(handle, directory.at, directory.length, path);
      return new ZipFile(path, handle, parseDirectory(bytes, directory.count, size, path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  entry(name: string): ZipEntry {
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`${this.path}: no entry "${clip(name)}" in the archive`);
    return entry;
  }

  /** The whole entry, unpacked. `verify` (default true) checks its CRC-32. */
  async read(name: string, verify = true): Promise<Uint8Array> {
    const entry = this.entry(name);
    const packed = await this.packed(entry, 0, entry.compressedSize);
    const bytes = entry.method === 'stored' ? packed : await this.unpack(entry, packed);
    if (verify && crc32(bytes) !== entry.crc)
      throw new Error(`${this.path}: entry "${clip(name)}" is damaged (its CRC-32 does not fit)`);
    return bytes;
  }

  /** Bytes begin … begin + length - 1 of an entry; for a stored entry nothing else is read. */
  async readRange(name: string, begin: number, length: number): Promise<Uint8Array> {
    const entry = this.entry(name);
    if (begin < 0 || length < 0 || begin + length > entry.size) {
      throw new RangeError(
        `${this.path}: bytes ${begin} to ${begin + length} of "${clip(name)}", which has ${entry.size}`,
      );
    }
    if (entry.method === 'stored') return this.packed(entry, begin, length);
    return (await this.read(name)).subarray(begin, begin + length);
  }

  /** The first bytes of an entry, at most `length`; unpacks no more of it than needed. */
  async readStart(name: string, length: number): Promise<Uint8Array> {
    const entry = this.entry(name);
    const wanted = Math.min(length, entry.size);
    if (entry.method === 'stored') return this.packed(entry, 0, wanted);
    const packed = await this.packed(entry, 0, Math.min(entry.compressedSize, wanted + 1024));
    // With a sync flush, a truncated stream ends without an error.
    const limits = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_RATIO * (wanted + 1024) };
    try {
      return inflateRawSync(packed, limits).subarray(0, wanted);
    } catch (error) {
      throw new Error(
        `${this.path}: entry "${clip(name)}" does not unpack (${error instanceof Error ? error.message : String(error)})`,
      );
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async packed(entry: ZipEntry, begin: number, length: number): Promise<Uint8Array> {
    const header = viewOf(await readExactly(this.handle, entry.headerAt, 30, this.path));
    if (header.getUint32(0, true) !== LOCAL_HEADER)
      throw new Error(`${this.path}: entry "${clip(entry.name)}" has no local header; the archive is damaged`);
    // The local extra field may be longer than the directory's: torch aligns data to 64 bytes with it.
    const dataAt = entry.headerAt + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    return readExactly(this.handle, dataAt + begin, length, this.path);
  }

  private async unpack(entry: ZipEntry, packed: Uint8Array): Promise<Uint8Array> {
    const fail = (why: string) => new Error(`${this.path}: entry "${clip(entry.name)}" does not unpack (${why})`);
    const bytes = await inflate(packed, { maxOutputLength: Math.max(1, entry.size) }).catch((error: Error) => {
      throw fail(error.message);
    });
    if (bytes.length !== entry.size) throw fail(`${bytes.length} of ${entry.size} bytes`);
    return bytes;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Directory {
  at: number;
  length: number;
  count: number;
}

/** Finds the list of entries, from the last 64 kB of the file. */
export async function findDirectory(handle: FileHandle, fileSize: number, path: string): Promise<Directory> {
  const tailBytes = Math.min(fileSize, 22 + 0xffff);
  const tailAt = fileSize - tailBytes;
  const tail = viewOf(await readExactly(handle, tailAt, tailBytes, path));
  let end = tailBytes - 22;
  while (end >= 0 && (tail.getUint32(end, true) !== END || end + 22 + tail.getUint16(end + 20, true) > tailBytes))
    end--;
  if (end < 0) throw new Error(`${path}: no zip directory at the end; the file is truncated or no zip archive`);
  let directory: Directory = {
    count: tail.getUint16(end + 10, true),
    length: tail.getUint32(end + 12, true),
    at: tail.getUint32(end + 16, true),
  };
  const locatorAt = tailAt + end - 20;
  if (locatorAt >= 0) {
    const locator = viewOf(await readExactly(handle, locatorAt, 20, path));
    if (locator.getUint32(0, true) === LOCATOR64) {
      const end64 = viewOf(await readExactly(handle, exact(locator, 8, path), 56, path));
      if (end64.getUint32(0, true) !== END64) throw new Error(`${path}: the zip64 directory is damaged`);
      directory = { count: exact(end64, 32, path), length: exact(end64, 40, path), at: exact(end64, 48, path) };
    }
  }
  if (directory.at + directory.length > fileSize || directory.length > MAX_DIRECTORY_BYTES) {
    throw new Error(
      `${path}: zip directory of ${directory.length} bytes at ${directory.at} does not fit the file of ${fileSize} bytes`,
    );
  }
  return directory;
}

function exact(view: DataView, at: number, path: string): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw new Error(`${path}: zip64 number ${value} is out of range`);
  return value;
}

function parseDirectory(bytes: Uint8Array, count: number, fileSize: number, path: string): Map<string, ZipEntry> {
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== DIRECTORY_ENTRY) {
      throw new Error(`${path}: zip directory ends after ${i} of ${count} entries; the archive is damaged`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > bytes.length) throw new Error(`${path}: zip directory entry ${i} is cut off`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const entry = parseEntry(view, at, name, extraLength, path);
    if (entries.has(name)) throw new Error(`${path}: the archive has "${clip(name)}" twice`);
    const { compressedSize, size, method, headerAt } = entry;
    const possible = method === 'stored' ? size === compressedSize : size <= MAX_RATIO * compressedSize + 1024;
    if (!possible || headerAt + 30 + compressedSize > fileSize) {
      throw new Error(
        `${path}: entry "${clip(name)}" claims ${size} bytes from ${compressedSize} in a file of ${fileSize}; it is truncated or damaged`,
      );
    }
    entries.set(name, entry);
    at = next;
  }
  return entries;
}

function parseEntry(view: DataView, at: number, name: string, extraLength: number, path: string): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (flags & 1) throw new Error(`${path}: entry "${clip(name)}" is encrypted`);
  if (method !== 0 && method !== 8) {
    throw new Error(
      `${path}: entry "${clip(name)}" is compressed by method ${method}; stored (0) and deflate (8) are read`,
    );
  }
  let compressedSize = view.getUint32(at + 20, true);
  let size = view.getUint32(at + 24, true);
  let headerAt = view.getUint32(at + 42, true);
  const extraAt = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = extraAt + extraLength;
  for (let field = extraAt; field + 4 <= extraEnd; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    const fieldEnd = Math.min(extraEnd, field + 4 + view.getUint16(field + 2, true));
    let value = field + 4;
    // The zip64 field holds only the numbers that did not fit, in this order.
    const wide = (narrow: number): number => {
      if (narrow !== 0xffffffff) return narrow;
      if (value + 8 > fieldEnd) throw new Error(`${path}: zip64 field of entry "${clip(name)}" is cut off`);
      value += 8;
      return exact(view, value - 8, path);
    };
    size = wide(size);
    compressedSize = wide(compressedSize);
    headerAt = wide(headerAt);
  }
  return {
    name,
    method: method === 0 ? 'stored' : 'deflate',
    compressedSize,
    size,
    crc: view.getUint32(at + 16, true),
    headerAt,
  };
}
