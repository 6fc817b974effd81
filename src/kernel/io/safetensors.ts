/** safetensors files on disk: ranged reads, atomic writes. The format itself is in protocol/safetensors.ts. */
import type { FileHandle } from 'node:fs/promises';
import { listed } from '../../protocol/clip.js';
import {
  headerLength,
  parseHeader,
  planSafetensors,
  typedView,
  type Dtype,
  type NdArray,
  type SafetensorsHeader,
  type TensorEntry,
} from '../../protocol/safetensors.js';
import { CheckedFile, type FileDigest } from './digest.js';
import { openData, writeAll, writeFileAtomic } from './files.js';

export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
  byteLength: number;
}

/** An open file: the header is in memory, tensors are read when asked for. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly file: CheckedFile,
    private readonly header: SafetensorsHeader,
  ) {}

  /**
   * Opens a file and checks its whole header; throws when the file is truncated, damaged or not safetensors. With
   * `digest`, the hashes of the file as it was written, every part is checked as it is read.
   */
  static async open(path: string, digest?: FileDigest): Promise<SafetensorsFile> {
    const handle = await openData(path);
    try {
      const file = await CheckedFile.of(handle, path, digest);
      const { size } = file;
      const length = headerLength(await file.read(0, Math.min(8, size)), size, path);
      const header = await file.read(8, length);
      return new SafetensorsFile(path, handle, file, parseHeader(header, size, path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get metadata(): Record<string, string> {
    return this.header.metadata;
  }

  /** Tensor names in the header's order. */
  names(): string[] {
    return [...this.header.tensors.keys()];
  }

  has(name: string): boolean {
    return this.header.tensors.has(name);
  }

  info(name: string): TensorInfo {
    const { dtype, shape, begin, end } = this.entry(name);
    return { dtype, shape: [...shape], byteLength: end - begin };
  }

  async read(name: string): Promise<NdArray> {
    const { dtype, shape, begin, end } = this.entry(name);
    const bytes = await this.bytes(begin, end);
    return { dtype, shape: [...shape], data: typedView(dtype, bytes) };
  }

  /** Rows first … first + count - 1 along the first axis; only these are read. Throws when some do not exist. */
  async readRows(name: string, first: number, count: number): Promise<NdArray> {
    const { dtype, shape, begin, end } = this.entry(name);
    const rows = shape[0];
    if (rows === undefined) throw new RangeError(`${this.path}: tensor "${name}" is 0-d and has no rows`);
    if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 0 || first + count > rows) {
      throw new RangeError(`${this.path}: rows ${first} to ${first + count} of tensor "${name}", which has ${rows}`);
    }
    const rowBytes = rows === 0 ? 0 : (end - begin) / rows;
    const bytes = await this.bytes(begin + first * rowBytes, begin + (first + count) * rowBytes);
    return { dtype, shape: [count, ...shape.slice(1)], data: typedView(dtype, bytes) };
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private entry(name: string): TensorEntry {
    const entry = this.header.tensors.get(name);
    if (!entry) throw new Error(`${this.path}: no tensor "${name}"; it has ${listed(this.names())}`);
    return entry;
  }

  private bytes(begin: number, end: number): Promise<Uint8Array> {
    return this.file.read(this.header.dataStart + begin, end - begin);
  }
}

/**
 * Writes a file beside `path` and renames it: readers see the old file or the whole new one. Equal input gives equal
 * bytes. Throws when data does not fit its shape, before anything is written.
 */
export async function writeSafetensors(
  path: string,
  tensors: Record<string, NdArray>,
  metadata?: Record<string, string>,
): Promise<void> {
  const { head, parts } = planSafetensors(tensors, metadata);
  await writeFileAtomic(path, async (handle) => {
    await writeAll(handle, head);
    for (const { data } of parts) await writeAll(handle, data);
  });
}
