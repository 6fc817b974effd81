/**
 * Pickles of plain tensors and numpy arrays, alone or in dicts and lists, as pickle.dump writes them. Nothing in the
 * file is executed: only the names of torchPickle.ts and numpyPickle.ts are known, and the argument of
 * torch.storage._load_from_bytes is read as the legacy checkpoint of one storage.
 */
import { clip, listed } from '../../protocol/clip.js';
import { openData, readExactly } from './files.js';
import { nameValues, type PickledScalar } from './namedValues.js';
import { dtypeBytes, type Dtype, type NdArray } from './ndarray.js';
import { numpyGlobals, NumpyArray } from './numpyPickle.js';
import { PickleGlobal, unpickle, type PickleOptions, type Spend } from './pickle.js';
import { scalarText, torchGlobals, torchStorage, TorchTensor, type TorchStorage } from './torchPickle.js';
import { bytesOf, tensorArray } from './torchTensor.js';
import type { WeightSource } from './weights.js';

/** A storage whose bytes are in the pickle itself. */
interface HeldStorage extends TorchStorage {
  bytes: Uint8Array;
  bigEndian: boolean;
}

/** The whole file is in memory while it is read. */
const MAX_BYTES = 2 ** 31 - 1;

/** The arrays of a pickle, whose bytes are all in memory. */
export class PickleFile implements WeightSource {
  private constructor(
    readonly path: string,
    private readonly arrays: ReadonlyMap<string, TorchTensor | NumpyArray>,
    /** Strings, numbers and flags that the pickle holds besides arrays. */
    readonly scalars: ReadonlyMap<string, PickledScalar>,
  ) {}

  /**
   * Reads a pickle. Names of nested dicts and lists are joined by "."; a bare array is named "tensor".
   * @throws for any object but tensors, numpy arrays and plain data, naming it, and for files of 2 GB or more
   */
  static async open(path: string): Promise<PickleFile> {
    const handle = await openData(path);
    try {
      const { size } = await handle.stat();
      if (size > MAX_BYTES)
        throw new Error(`${path}: a pickle of ${size} bytes; ${MAX_BYTES} are read at most: save .npy or .safetensors`);
      return PickleFile.of(await readExactly(handle, 0, size, path), path);
    } finally {
      await handle.close();
    }
  }

  private static of(bytes: Uint8Array, path: string): PickleFile {
    const { value } = unpickle(bytes, { what: path, findGlobal: arrayGlobals(path) });
    const arrays = new Map<string, TorchTensor | NumpyArray>();
    const scalars = new Map<string, PickledScalar>();
    const isArray = (leaf: unknown): leaf is TorchTensor | NumpyArray =>
      leaf instanceof TorchTensor || leaf instanceof NumpyArray;
    nameValues(path, value, isArray, arrays, scalars);
    return new PickleFile(path, arrays, scalars);
  }

  names(): string[] {
    return [...this.arrays.keys()];
  }

  info(name: string): { dtype: Dtype; shape: number[] } {
    const found = this.found(name);
    const { dtype, shape } = found instanceof NumpyArray ? found.array : found;
    return { dtype, shape: [...shape] };
  }

  async read(name: string): Promise<NdArray> {
    const found = this.found(name);
    if (found instanceof NumpyArray) return Promise.resolve(found.array);
    const { bytes, bigEndian } = found.storage as HeldStorage;
    const { begin, length } = bytesOf(found);
    return tensorArray(found, bytes.slice(begin, begin + length), bigEndian);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private found(name: string): TorchTensor | NumpyArray {
    const found = this.arrays.get(name);
    if (!found) throw new Error(`${this.path}: no array "${clip(name)}"; it has ${listed(this.names())}`);
    return found;
  }
}

function arrayGlobals(path: string): PickleOptions['findGlobal'] {
  const torch = torchGlobals(path);
  const numpy = numpyGlobals(path);
  const held = new PickleGlobal('torch.storage._load_from_bytes', ([bytes], spend) => heldStorage(bytes, path, spend));
  return (name) => (name === held.name ? held : (torch(name) ?? numpy(name)));
}

/**
 * Reads the output of torch.save(storage, legacy): magic, version, machine, the storage, its key; then its length and
 * bytes.
 */
function heldStorage(given: unknown, path: string, spend: Spend): HeldStorage {
  if (!(given instanceof Uint8Array)) throw new Error(`${path}: a tensor's storage is no bytes; the file is damaged`);
  // A pickle can name the same bytes again and again.
  spend(given.length);
  const types = torchGlobals(path);
  let asked: TorchStorage | undefined;
  const options: PickleOptions = {
    what: path,
    findGlobal: (name) => {
      const found = types(name);
      return found?.call ? undefined : found;
    },
    persistentLoad: (id) => (asked = torchStorage(id, path)),
  };
  const values: unknown[] = [];
  let at = 0;
  while (values.length < 5) {
    const next = unpickle(given, options, at);
    values.push(next.value);
    at = next.end;
  }
  const [, , machine, storage, keys] = values;
  const bigEndian = machine instanceof Map && machine.get('little_endian') === false;
  if (!asked || storage !== asked || !Array.isArray(keys) || scalarText(keys[0], 'a storage key', path) !== asked.key)
    throw new Error(`${path}: a tensor's storage is not readable; the file is damaged`);
  if (given.length < at + 8) throw new Error(`${path}: a tensor's storage is cut off`);
  const length = Number(new DataView(given.buffer, given.byteOffset + at, 8).getBigInt64(0, !bigEndian));
  const size = asked.dtype ? dtypeBytes(asked.dtype) : 1;
  if (length < asked.begin + asked.length || given.length < at + 8 + length * size)
    throw new Error(
      `${path}: a tensor's storage says ${asked.length} elements but holds ${given.length - at - 8} bytes; the file is damaged`,
    );
  return { ...asked, bytes: given.subarray(at + 8, at + 8 + length * size), bigEndian };
}
