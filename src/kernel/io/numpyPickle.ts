/**
 * numpy's arrays and scalars in a pickle, read as plain bytes. Sources: numpy's core/src/multiarray/methods.c
 * (__reduce__, __setstate__), descriptor.c (dtype.__reduce__), core/numeric.py (_frombuffer, protocol 5).
 */
import { swapBytes } from './bytes.js';
import { clip } from '../../protocol/clip.js';
import { dtypeBytes, elementCount, typedView, type Dtype, type NdArray } from './ndarray.js';
import { DTYPES as NUMPY_DTYPES, fortranStrides, gatherStrided } from './npy.js';
import { PickledObject, PickleGlobal, type Spend } from './pickle.js';

/** numpy.dtype('f8', False, True), with the byte order that BUILD sets. */
class NumpyDtype extends PickledObject {
  bigEndian = false;

  constructor(
    readonly dtype: Dtype,
    private readonly what: string,
  ) {
    super();
  }

  /** (3, '<', subarray, names, fields, element size, alignment, flags). */
  build(state: unknown): void {
    if (!Array.isArray(state) || state[2] != null || state[3] != null || state[4] != null)
      throw new Error(`${this.what}: a numpy dtype with fields; save plain arrays`);
    this.bigEndian = state[1] === '>';
  }
}

/** An array that BUILD fills. */
export class NumpyArray extends PickledObject {
  private made: NdArray | undefined;

  constructor(private readonly what: string) {
    super();
  }

  /** Throws when the pickle never gave the array its contents. */
  get array(): NdArray {
    if (!this.made) throw new Error(`${this.what}: a numpy array without its values; the file is damaged`);
    return this.made;
  }

  /** (1, shape, dtype, Fortran order, bytes). */
  build(state: unknown, spend: Spend): void {
    const [, shape, dtype, fortran, bytes] = Array.isArray(state) ? (state as unknown[]) : [];
    if (Array.isArray(bytes)) throw new Error(`${this.what}: an array of Python objects; save a plain number array`);
    this.made = arrayOf(bytes, dtype, shape, fortran === true, this.what, spend);
  }

  fill(array: NdArray): this {
    this.made = array;
    return this;
  }
}

function arrayOf(bytes: unknown, type: unknown, given: unknown, fortran: boolean, what: string, spend: Spend): NdArray {
  if (!(bytes instanceof Uint8Array) || !(type instanceof NumpyDtype) || !Array.isArray(given))
    throw new Error(`${what}: a numpy array is not made of bytes, a dtype and a shape; the file is damaged`);
  const shape = given as number[];
  if (shape.length > 64 || shape.some((n) => !Number.isSafeInteger(n) || n < 0))
    throw new Error(
      `${what}: a numpy array of shape [${shape
        .slice(0, 8)
        .map((n) => clip(String(n)))
        .join(', ')}]`,
    );
  const size = dtypeBytes(type.dtype);
  if (elementCount(shape, what) * size !== bytes.length)
    throw new Error(
      `${what}: ${type.dtype} [${shape.join(', ')}] needs ${elementCount(shape) * size} bytes but the pickle has ${bytes.length}`,
    );
  // The pickle can name the same bytes again at a cost of three bytes, and each array copies them.
  spend(bytes.length);
  const values = typedView(type.dtype, type.bigEndian ? swapBytes(bytes.slice(), size) : bytes.slice());
  const data =
    fortran && shape.length > 1 ? gatherStrided(type.dtype, values, shape, fortranStrides(shape), 0) : values;
  return { dtype: type.dtype, shape, data };
}

function dtypeOf(args: unknown[], what: string): NumpyDtype {
  const [name] = args;
  const bare = typeof name === 'string' ? name.replace(/^[<>|=]/, '') : '';
  const dtype = Object.hasOwn(NUMPY_DTYPES, bare) ? NUMPY_DTYPES[bare] : undefined;
  if (!dtype) {
    const kind = /^O/.test(bare) ? 'Python objects' : 'a type without a number per element';
    throw new Error(`${what}: a numpy array of dtype ${clip(String(name))} holds ${kind}; save plain numbers`);
  }
  const made = new NumpyDtype(dtype, what);
  made.bigEndian = typeof name === 'string' && name.startsWith('>');
  return made;
}

/** The globals of pickled numpy arrays. `what` begins errors. */
export function numpyGlobals(what: string): (name: string) => PickleGlobal | undefined {
  const calls = new Map<string, (args: unknown[], spend: Spend) => unknown>([
    ['numpy.dtype', (args) => dtypeOf(args, what)],
    ['multiarray._reconstruct', () => new NumpyArray(what)],
    [
      'multiarray.scalar',
      ([dtype, bytes], spend) => new NumpyArray(what).fill(arrayOf(bytes, dtype, [], false, what, spend)),
    ],
    [
      'numeric._frombuffer',
      ([bytes, dtype, shape, order], spend) =>
        new NumpyArray(what).fill(arrayOf(bytes, dtype, shape, order === 'F', what, spend)),
    ],
  ]);
  return (name) => {
    if (name === 'numpy.ndarray') return new PickleGlobal(name);
    // numpy 2 moved numpy.core to numpy._core.
    const call = calls.get(name.replace(/^numpy\._?core\.(?=multiarray\.|numeric\.)/, ''));
    return call && /^numpy\./.test(name) ? new PickleGlobal(name, call) : undefined;
  };
}
