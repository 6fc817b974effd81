/** Arrays of other programs: .npy, .npz, .safetensors, .pt and pickles of plain tensors and numpy arrays. */
import { formatBytes } from '../../protocol/bytes.js';
import { listed } from '../../protocol/clip.js';
import { requireMemory } from '../compute/memory.js';
import { kindOfPath, openData, readExactly } from './files.js';
import { byteLengthOf, type NdArray } from './ndarray.js';
import { decodeNpy, NPY_HEADER_BYTES, parseNpyHeader } from './npy.js';
import { PickleFile } from './pickleFile.js';
import { openWeights, type WeightSource } from './weights.js';

/** Arrays of a file by their names. */
export type NamedArrays = Readonly<Record<string, NdArray>>;

/** First bytes, after the protocol, of a pickle that torch.save wrote before PyTorch 1.6: an integer of 10 bytes. */
const LEGACY_MAGIC = Buffer.from([0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);
const PICKLE_NAMES = /\.(?:pkl|pickle|p)$/i;

/**
 * Opens a file of arrays; its format is found by its content. The array of a .npy file, or of a pickle that holds
 * nothing else, is named "tensor".
 * @throws when the file is of no known kind, is damaged, or is a pickle of other objects; nothing in it is executed
 */
export async function openArrays(path: string): Promise<WeightSource> {
  const kind = await kindOfPath(path);
  if (!kind) throw new Error(`no arrays at ${path}: there is no such file`);
  if (kind === 'folder') return openWeights(path);
  const handle = await openData(path);
  const start = Buffer.alloc(32);
  let size: number;
  try {
    await handle.read(start, 0, start.length, 0);
    ({ size } = await handle.stat());
  } finally {
    await handle.close();
  }
  if (start[0] === 0x93 && start.toString('latin1', 1, 6) === 'NUMPY') return openNpy(path, size);
  const pickled = start[0] === 0x80 && start[1] <= 5 && !start.includes(LEGACY_MAGIC);
  // A safetensors header begins with its length and "{"; read as a length, the first bytes of a pickle lead past its
  // end.
  const safetensors = start[8] === 0x7b && start.readBigUInt64LE(0) <= BigInt(size);
  if (!safetensors && (pickled || (PICKLE_NAMES.test(path) && start[0] !== 0x50))) return PickleFile.open(path);
  return openWeights(path);
}

async function openNpy(path: string, size: number): Promise<WeightSource> {
  const handle = await openData(path);
  try {
    const { dtype, shape } = parseNpyHeader(await readExactly(handle, 0, Math.min(size, NPY_HEADER_BYTES), path), path);
    const need = (name: string): void => {
      if (name !== 'tensor') throw new Error(`${path}: no array "${name}"; its one array is named "tensor"`);
    };
    return {
      names: () => ['tensor'],
      info: (name) => {
        need(name);
        return { dtype, shape: [...shape] };
      },
      read: async (name) => {
        need(name);
        return decodeNpy(await readExactly(handle, 0, size, path), path);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** "codes F32 [100, 512], tokens I64 [100]". */
export function describeArrays(source: WeightSource): string {
  return listed(
    source.names().map((name) => {
      const { dtype, shape } = source.info(name);
      return `${name} ${dtype} [${shape.join(', ')}]`;
    }),
  );
}

/**
 * One array of a file: the one it holds, or the one of that name.
 * @throws when the file holds several and none is named, listing them with their shapes
 */
export async function loadArray(path: string, name?: string): Promise<NdArray> {
  const source = await openArrays(path);
  try {
    const names = source.names();
    if (name === undefined && names.length !== 1)
      throw new Error(
        names.length === 0
          ? `${path} holds no arrays`
          : `${path} holds ${names.length} arrays: ${describeArrays(source)}; say which by { name }, or load them by fg.arrays.loadAll`,
      );
    const wanted = name ?? names[0];
    requireFit(path, source, [wanted]);
    return await source.read(wanted);
  } finally {
    await source.close();
  }
}

/** All arrays of a file by name. @throws when together they do not fit the memory budget */
export async function loadArrays(path: string): Promise<NamedArrays> {
  const source = await openArrays(path);
  try {
    requireFit(path, source, source.names());
    const arrays = new Map<string, NdArray>();
    for (const name of source.names()) arrays.set(name, await source.read(name));
    // A null prototype, so that a name such as __proto__ is a key like any other.
    return Object.assign(Object.create(null) as object, Object.fromEntries(arrays));
  } finally {
    await source.close();
  }
}

/** Tensors may be views that repeat bytes of the file: the size of the arrays counts, not that of the file. */
function requireFit(path: string, source: WeightSource, names: readonly string[]): void {
  const bytes = names.reduce((sum, name) => {
    const { dtype, shape } = source.info(name);
    return sum + byteLengthOf(dtype, shape);
  }, 0);
  requireMemory(
    `${path}: ${names.length === 1 ? 'the array' : `${names.length} arrays (${formatBytes(bytes)})`}`,
    bytes,
  );
}
