/**
 * The parts of a remote file that describe its contents, fetched into a sparse file of the same length, which the
 * readers of the format open like any file. Values that were not fetched are zeros there and must not be read.
 */
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { headerLength, parseHeader } from '../../protocol/safetensors.js';
import { safeJoin } from './files.js';
import type { RepoLook } from './hub.js';
import { NPY_HEADER_BYTES } from './npy.js';
import { findDirectory, ZipFile, type ZipEntry } from './zip.js';

/** Files up to this size, which fit one request, are fetched whole. */
const WHOLE_BYTES = 1 << 20;
/** Most bytes of a file's structure: a header, a directory, or a pickle without its tensors. */
const MAX_STRUCTURE_BYTES = 128 << 20;
const ZIP_TAIL_BYTES = 22 + 0xffff + 76;
/** Tensors up to this size are fetched with the structure where there are few tensors: thresholds, biases, a k. */
export const SMALL_TENSOR_BYTES = 1 << 20;
const FEW_TENSORS = 12;

interface Part {
  begin: number;
  bytes: number;
}

/** Fetches a file's structure piece by piece: each piece says where the next lies. */
class SparseCopy {
  constructor(
    readonly path: string,
    readonly handle: FileHandle,
    readonly bytes: number,
    private readonly fetchRange: (begin: number, length: number) => Promise<Uint8Array>,
  ) {}

  async take(begin: number, length: number): Promise<Uint8Array> {
    const bounded = Math.min(length, this.bytes - begin);
    if (bounded < 0 || bounded > MAX_STRUCTURE_BYTES)
      throw new Error(
        `${this.path}: ${length} bytes at ${begin} say what is in it, of a file of ${this.bytes}; ${MAX_STRUCTURE_BYTES} are read at most`,
      );
    if (bounded === 0) return new Uint8Array(0);
    const bytes = await this.fetchRange(begin, bounded);
    for (let at = 0; at < bytes.length;)
      at += (await this.handle.write(bytes, at, bytes.length - at, begin + at)).bytesWritten;
    return bytes;
  }
}

/**
 * Copies the structure of a file of the hub to `name` in `folder`; safetensors, .npz, .pt and .bin of PyTorch 1.6 and
 * later, .npy and parquet. Returns false for other large files, which are not copied since their structure is spread
 * over the whole file.
 */
export async function copyStructure(look: RepoLook, name: string, folder: string): Promise<boolean> {
  const bytes = look.files.find((file) => file.path === name)?.bytes;
  if (bytes === undefined) throw new Error(`no file ${name} in the repository`);
  const path = safeJoin(folder, name);
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, 'wx+');
  try {
    await handle.truncate(bytes);
    return await takeStructure(new SparseCopy(path, handle, bytes, (begin, n) => look.range(name, begin, n)));
  } finally {
    await handle.close();
  }
}

async function takeStructure(copy: SparseCopy): Promise<boolean> {
  const start = await copy.take(0, copy.bytes <= WHOLE_BYTES ? copy.bytes : 64 << 10);
  if (start.length === copy.bytes) return true;
  if (start[0] === 0x50 && start[1] === 0x4b) await takeZip(copy);
  else if (start[8] === 0x7b) await takeSafetensors(copy, start);
  else if (PARQUET.equals(start.subarray(0, 4))) await takeParquet(copy);
  else return start[0] === 0x93 && start[1] === 0x4e;
  return true;
}

const PARQUET = Buffer.from('PAR1');

async function takeParquet(copy: SparseCopy): Promise<void> {
  const end = await copy.take(copy.bytes - 8, 8);
  const length = new DataView(end.buffer, end.byteOffset, 8).getUint32(0, true);
  await copy.take(Math.max(0, copy.bytes - 8 - length), length + 8);
}

async function takeSafetensors(copy: SparseCopy, start: Uint8Array): Promise<void> {
  const length = headerLength(start.subarray(0, 8), copy.bytes, copy.path);
  const header = 8 + length <= start.length ? start.subarray(8, 8 + length) : await copy.take(8, length);
  const { tensors, dataStart } = parseHeader(header, copy.bytes, copy.path);
  const parts = [...tensors.values()].map(({ begin, end }) => ({ begin: dataStart + begin, bytes: end - begin }));
  await takeSmall(copy, parts);
}

/**
 * Fetches small tensors where there are few tensors, as in an SAE. Models have hundreds, and their values are not
 * needed.
 */
async function takeSmall(copy: SparseCopy, parts: readonly Part[]): Promise<void> {
  if (parts.length > FEW_TENSORS) return;
  for (const { begin, bytes } of parts) if (bytes <= SMALL_TENSOR_BYTES) await copy.take(begin, bytes);
}

async function takeZip(copy: SparseCopy): Promise<void> {
  await copy.take(Math.max(0, copy.bytes - ZIP_TAIL_BYTES), ZIP_TAIL_BYTES);
  const directory = await findDirectory(copy.handle, copy.bytes, copy.path);
  await copy.take(directory.at, directory.length);
  const zip = await ZipFile.open(copy.path);
  try {
    const entries = [...zip.entries.values()];
    const few = entries.length <= 2 * FEW_TENSORS;
    for (const entry of entries) {
      if (/(^|\/)(data\.pkl|byteorder)$/.test(entry.name)) await takeEntry(copy, entry, entry.compressedSize);
      else if (few && entry.compressedSize <= SMALL_TENSOR_BYTES) await takeEntry(copy, entry, entry.compressedSize);
      else if (entry.name.endsWith('.npy')) await takeEntry(copy, entry, NPY_HEADER_BYTES + 1024);
    }
  } finally {
    await zip.close();
  }
}

/** Fetches an entry's own header, which states its own length, and the first `length` bytes of its contents. */
async function takeEntry(copy: SparseCopy, { headerAt, compressedSize }: ZipEntry, length: number): Promise<void> {
  const head = await copy.take(headerAt, 30);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const extra = view.getUint16(26, true) + view.getUint16(28, true);
  await copy.take(headerAt + 30, extra + Math.min(length, compressedSize));
}
