/**
 * Pickles of NumPy arrays: one array, or a dict of arrays. Read as data, nothing is executed: besides arrays of plain
 * numbers and their types every global is refused. Source: numpy/core/src/multiarray/methods.c (array_reduce).
 */
import { basename, extname } from 'node:path';
import { swapBytes } from '../../io/bytes.js';
import { openData, readExactly } from '../../io/files.js';
import { dtypeBytes, elementCount, typedView, type Dtype, type NdArray } from '../../io/ndarray.js';
import { fortranToRowMajor } from '../../io/npy.js';
import { PickleGlobal, unpickle } from '../../io/pickle.js';
import type { WeightSource } from '../../io/weights.js';

const MAX_BYTES = 2 ** 31;

/** NumPy's type codes; the second letter and its bytes. */
const TYPES: Readonly<Record<string, Dtype>> = {
  ...{ f8: 'F64', f4: 'F32', f2: 'F16', i8: 'I64', i4: 'I32', i2: 'I16', i1: 'I8' },
  ...{ u8: 'U64', u4: 'U32', u2: 'U16', u1: 'U8', b1: 'BOOL' },
};

class NumpyType {
  bigEndian = false;
  constructor(readonly dtype: Dtype) {}
}

/** An array while its pickle is read: NumPy makes it empty and then sets its state. */
class NumpyArray {
  array: NdArray | undefined;
}

/** Opens a .pkl file. A bare array is named as the file without its ending. */
export async function openNumpyPickle(path: string): Promise<WeightSource> {
  const handle = await openData(path);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes, too many for a pickle; save the array as .npy`);
    const arrays = numpyArrays(path, await readExactly(handle, 0, size, path));
    const get = (name: string): NdArray => {
      const found = arrays.get(name);
      if (!found) throw new Error(`${path}: no array "${name}"; it has ${[...arrays.keys()].join(', ')}`);
      return found;
    };
    return {
      names: () => [...arrays.keys()],
      info: (name) => ({ dtype: get(name).dtype, shape: [...get(name).shape] }),
      read: (name) => Promise.resolve().then(() => get(name)),
      close: () => Promise.resolve(),
    };
  } finally {
    await handle.close();
  }
}

/** The arrays of a pickle, by name. */
export function numpyArrays(path: string, bytes: Uint8Array): Map<string, NdArray> {
  const { value } = unpickle(bytes, { what: path, findGlobal: (name) => globalOf(path, name), build: setState });
  const arrays = new Map<string, NdArray>();
  const add = (name: string, item: unknown): void => {
    if (!(item instanceof NumpyArray) || !item.array)
      throw new Error(`${path}: ${name} is no NumPy array of numbers; save arrays, or a dict of arrays`);
    arrays.set(name, item.array);
  };
  if (value instanceof Map) for (const [name, item] of value) add(String(name), item);
  else add(basename(path, extname(path)), value);
  return arrays;
}

function globalOf(path: string, name: string): PickleGlobal | undefined {
  const bare = name.replace(/^numpy\._core\./, 'numpy.core.');
  if (bare === 'numpy.ndarray') return new PickleGlobal(name);
  if (bare === 'numpy.core.multiarray._reconstruct') return new PickleGlobal(name, () => new NumpyArray());
  if (bare === 'numpy.dtype') return new PickleGlobal(name, ([code]) => typeOf(path, code));
  if (bare === 'collections.OrderedDict')
    return new PickleGlobal(
      name,
      ([items]) => new Map(Array.isArray(items) ? (items as Array<[unknown, unknown]>) : []),
    );
  if (bare === '_codecs.encode')
    return new PickleGlobal(name, ([text, codec]) => {
      if (typeof text !== 'string' || (codec !== 'latin1' && codec !== 'latin-1'))
        throw new Error(`${path}: _codecs.encode with other than latin1 text`);
      return Uint8Array.from(text, (c) => c.charCodeAt(0));
    });
  return undefined;
}

function typeOf(path: string, code: unknown): NumpyType {
  const dtype = typeof code === 'string' && Object.hasOwn(TYPES, code) ? TYPES[code] : undefined;
  if (!dtype)
    throw new Error(`${path}: an array of dtype ${String(code)}; save it as a plain float, int or bool array`);
  return new NumpyType(dtype);
}

/** BUILD of a dtype: (3, byte order, …); of an array: (version, shape, dtype, fortran order, bytes). */
function setState(object: unknown, state: unknown): boolean {
  if (!Array.isArray(state)) return false;
  if (object instanceof NumpyType) {
    object.bigEndian = state[1] === '>';
    return true;
  }
  if (!(object instanceof NumpyArray)) return false;
  const [shape, type, fortran, bytes] = (state.length === 5 ? state.slice(1) : state) as unknown[];
  if (!Array.isArray(shape) || !(type instanceof NumpyType) || !(bytes instanceof Uint8Array)) return false;
  const sizes = shape.map(Number);
  const size = dtypeBytes(type.dtype);
  if (elementCount(sizes) * size !== bytes.length)
    throw new Error(`an array [${sizes.join(', ')}] of ${type.dtype} has ${bytes.length} bytes; the pickle is damaged`);
  const own = bytes.slice();
  const values = typedView(type.dtype, type.bigEndian ? swapBytes(own, size) : own);
  const data = fortran === true ? fortranToRowMajor(type.dtype, values, sizes) : values;
  object.array = { dtype: type.dtype, shape: sizes, data };
  return true;
}
