/**
 * PyTorch checkpoints (.pt, .pth, .bin): the zip format of PyTorch 1.6 and later, and the legacy stream before it.
 * Opening reads the structure; each tensor's bytes are read by range when asked for. Nothing in the file is executed.
 */
import type { FileHandle } from 'node:fs/promises';
import { clip, listed } from '../../protocol/clip.js';
import { openData, readExactly } from './files.js';
import { nameValues, type PickledScalar } from './namedValues.js';
import { dtypeBytes, type Dtype, type NdArray } from './ndarray.js';
import { PickleTruncated, unpickle } from './pickle.js';
import { scalarText, torchGlobals, TorchTensor, torchStorage, type TorchStorage } from './torchPickle.js';
import { bytesOf, tensorArray } from './torchTensor.js';
import { ZipFile } from './zip.js';

/** Reads the bytes of storages. */
interface StorageReader {
  bigEndian: boolean;
  /** Bytes of a storage from `begin`. */
  read(storage: TorchStorage, begin: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const MAX_PICKLE_BYTES = 256 << 20;

/** An open checkpoint: its structure is in memory, tensors are read when asked for. */
export class TorchFile {
  private constructor(
    readonly path: string,
    private readonly tensors: ReadonlyMap<string, TorchTensor>,
    /** Strings, numbers and flags, such as a step count or a config beside the weights. */
    readonly scalars: ReadonlyMap<string, PickledScalar>,
    private readonly storages: StorageReader,
  ) {}

  /** Opens a checkpoint of either format. Names of nested dicts are joined by "."; a bare tensor is named "tensor". */
  static async open(path: string): Promise<TorchFile> {
    const handle = await openData(path);
    const start = await handle.read(new Uint8Array(4), 0, 4, 0).finally(() => handle.close());
    return start.buffer[0] === 0x50 ? TorchFile.fromZip(await ZipFile.open(path)) : TorchFile.openLegacy(path);
  }

  /** Uses an archive that is already open. */
  static async fromZip(zip: ZipFile): Promise<TorchFile> {
    try {
      const { value, storages } = await readZip(zip);
      return TorchFile.fromValue(zip.path, value, storages);
    } catch (error) {
      await zip.close();
      throw error;
    }
  }

  private static async openLegacy(path: string): Promise<TorchFile> {
    const { value, storages } = await readLegacy(path);
    try {
      return TorchFile.fromValue(path, value, storages);
    } catch (error) {
      await storages.close();
      throw error;
    }
  }

  private static fromValue(path: string, value: unknown, storages: StorageReader): TorchFile {
    const tensors = new Map<string, TorchTensor>();
    const scalars = new Map<string, PickledScalar>();
    nameValues(path, value, (leaf) => leaf instanceof TorchTensor, tensors, scalars);
    return new TorchFile(path, tensors, scalars, storages);
  }

  names(): string[] {
    return [...this.tensors.keys()];
  }

  info(name: string): { dtype: Dtype; shape: number[] } {
    const { dtype, shape } = this.tensor(name);
    return { dtype, shape: [...shape] };
  }

  /** The tensor as a row-major array; for a view only the part of the storage that it spans is read. */
  async read(name: string): Promise<NdArray> {
    const tensor = this.tensor(name);
    const { begin, length } = bytesOf(tensor);
    if (length === 0) return tensorArray(tensor, new Uint8Array(0), false);
    return tensorArray(tensor, await this.storages.read(tensor.storage, begin, length), this.storages.bigEndian);
  }

  close(): Promise<void> {
    return this.storages.close();
  }

  private tensor(name: string): TorchTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`${this.path}: no tensor "${name}"; it has ${listed(this.names())}`);
    return tensor;
  }
}

async function readZip(zip: ZipFile): Promise<{ value: unknown; storages: StorageReader }> {
  const pickles = [...zip.entries.keys()].filter((name) => name === 'data.pkl' || /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new Error(`${zip.path}: expected one data.pkl in a PyTorch checkpoint but the archive has ${pickles.length}`);
  }
  const root = pickles[0].slice(0, -'data.pkl'.length);
  const { size, compressedSize } = zip.entry(pickles[0]);
  // PyTorch does not compress; a checkpoint that is compressed afterwards shrinks to about a tenth.
  const most = Math.min(MAX_PICKLE_BYTES, Math.max(16 << 20, 16 * compressedSize));
  if (size > most)
    throw new Error(`${zip.path}: data.pkl is ${size} bytes from ${compressedSize} in the file; ${most} are the most`);
  // PyTorch can be set to write no proper CRC, so none is checked.
  const order = zip.entries.has(`${root}byteorder`) ? await zip.read(`${root}byteorder`, false) : undefined;
  const { value } = unpickle(await zip.read(pickles[0], false), {
    what: zip.path,
    bytesOnDisk: compressedSize,
    findGlobal: torchGlobals(zip.path),
    persistentLoad: (id) => {
      const storage = torchStorage(id, zip.path);
      const bytes = storage.length * (storage.dtype ? dtypeBytes(storage.dtype) : 1);
      const { size } = zip.entry(`${root}data/${storage.key}`);
      if (size < bytes)
        throw new Error(
          `${zip.path}: storage ${clip(storage.key)} has ${size} bytes but needs ${bytes}; the file is damaged`,
        );
      return storage;
    },
  });
  const storages: StorageReader = {
    bigEndian: order !== undefined && new TextDecoder().decode(order).trim() === 'big',
    read: (storage, begin, length) => zip.readRange(`${root}data/${storage.key}`, begin, length),
    close: () => zip.close(),
  };
  return { value, storages };
}

/**
 * Before PyTorch 1.6: pickles of a magic number, a version, the machine, the object and the list of storage keys; then
 * for each key its element count (i64) and its bytes.
 */
async function readLegacy(path: string): Promise<{ value: unknown; storages: StorageReader }> {
  const handle: FileHandle = await openData(path);
  try {
    const { size } = await handle.stat();
    const sizes = new Map<string, { bytes: number; length: number }>();
    const head = await readPickles(path, size, (length) => readExactly(handle, 0, length, path), sizes);
    const [magic, version, machine, value, keys] = head.values;
    if (magic !== LEGACY_MAGIC || version !== 1001)
      throw new Error(`${path}: no PyTorch checkpoint (it does not begin with the magic number)`);
    const at = new Map<string, number>();
    let position = head.end;
    const bigEndian = machine instanceof Map && machine.get('little_endian') === false;
    if (!Array.isArray(keys)) throw new Error(`${path}: the list of storages is missing; the file is damaged`);
    for (const given of keys as unknown[]) {
      const key = scalarText(given, 'a storage key', path);
      if (at.has(key)) throw new Error(`${path}: storage ${clip(key)} is listed twice; the file is damaged`);
      const count = await readExactly(handle, position, 8, path);
      const length = Number(new DataView(count.buffer).getBigInt64(0, !bigEndian));
      const storage = sizes.get(key);
      if (!storage || storage.length !== length) {
        throw new Error(
          `${path}: storage ${clip(key)} has ${length} elements but ${storage?.length ?? 'none'} are used; the file is damaged`,
        );
      }
      at.set(key, position + 8);
      position += 8 + storage.bytes;
      if (position > size)
        throw new Error(`${path}: storage ${clip(key)} ends at byte ${position} of ${size}; the file is truncated`);
    }
    const missing = [...sizes.keys()].find((key) => !at.has(key));
    if (missing !== undefined) throw new Error(`${path}: storage ${clip(missing)} is not in the file; it is damaged`);
    const storages: StorageReader = {
      bigEndian,
      read: ({ key }, begin, length) => readExactly(handle, (at.get(key) as number) + begin, length, path),
      close: () => handle.close(),
    };
    return { value, storages };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The five pickles at the head of a legacy file. Their length is not stored: more is read until they are complete. */
async function readPickles(
  path: string,
  size: number,
  readHead: (length: number) => Promise<Uint8Array>,
  sizes: Map<string, { bytes: number; length: number }>,
): Promise<{ values: unknown[]; end: number }> {
  const options = {
    what: path,
    findGlobal: torchGlobals(path),
    persistentLoad: (id: unknown) => {
      const storage = torchStorage(id, path);
      if (!storage.dtype)
        throw new Error(
          `${path}: an untyped storage in a legacy checkpoint is not read; save it again with a newer PyTorch`,
        );
      const length = (id as unknown[])[4] as number;
      sizes.set(storage.key, { length, bytes: length * dtypeBytes(storage.dtype) });
      return storage;
    },
  };
  for (let length = Math.min(size, 1 << 20); ; length = Math.min(size, 4 * length)) {
    const bytes = await readHead(length);
    const values: unknown[] = [];
    let end = 0;
    try {
      while (values.length < 5) {
        const next = unpickle(bytes, options, end);
        values.push(next.value);
        end = next.end;
        if (values[0] !== LEGACY_MAGIC)
          throw new Error(`${path}: no PyTorch checkpoint (neither a zip archive nor the legacy magic number)`);
      }
      return { values, end };
    } catch (error) {
      if (!(error instanceof PickleTruncated) || length === size || length >= MAX_PICKLE_BYTES) throw error;
    }
  }
}
