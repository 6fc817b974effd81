/** NumPy's .npy arrays. Source: numpy.lib.format, versions 1.0 to 3.0. */
import { swapBytes } from './bytes.js';
import { allocate, dtypeBytes, elementCount, typedView, type Dtype, type NdArray } from './ndarray.js';

/** Bytes that are enough for the header of any plain array. */
export const NPY_HEADER_BYTES = 4096;

export interface NpyHeader {
  dtype: Dtype;
  bigEndian: boolean;
  fortranOrder: boolean;
  shape: number[];
  /** Where the values begin. */
  dataStart: number;
}

/** dtypes of numpy by their code without the byte order. */
export const DTYPES: Record<string, Dtype> = {
  f8: 'F64',
  f4: 'F32',
  f2: 'F16',
  i8: 'I64',
  i4: 'I32',
  i2: 'I16',
  i1: 'I8',
  u8: 'U64',
  u4: 'U32',
  u2: 'U16',
  u1: 'U8',
  b1: 'BOOL',
};

/** Parses the header of a .npy file. Object arrays are refused: they are pickles, which would run code in Python. */
export function parseNpyHeader(bytes: Uint8Array, what = 'npy'): NpyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || bytes[0] !== 0x93 || new TextDecoder('latin1').decode(bytes.subarray(1, 6)) !== 'NUMPY') {
    throw new Error(`${what}: no .npy array (it does not begin with \\x93NUMPY)`);
  }
  const version = bytes[6];
  if (version < 1 || version > 3) throw new Error(`${what}: .npy version ${version}; 1, 2 and 3 are read`);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = start + length;
  if (dataStart > bytes.length) throw new Error(`${what}: .npy header of ${length} bytes is cut off or too long`);
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start, dataStart));
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[.*\]))/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\s\d,L]*)\)/.exec(text);
  if (!descr || !order || !shape) throw new Error(`${what}: .npy header is not readable: ${text.slice(0, 120)}`);
  const type = /^([<>|=])?([a-zA-Z]\d*)/.exec(descr[1] ?? '');
  const dtype = descr[1]?.length === (type?.[0].length ?? -1) ? DTYPES[type?.[2] ?? ''] : undefined;
  if (!dtype) {
    const kind = /^[<>|=]?O/.test(descr[1] ?? '') ? 'Python objects' : 'a type without a number per element';
    throw new Error(
      `${what}: array of dtype ${descr[1] ?? descr[2]} holds ${kind}; save it as a plain float, int or bool array`,
    );
  }
  const sizes = shape[1].split(',').map((s) => s.trim().replace(/L$/, ''));
  return {
    dtype,
    bigEndian: type?.[1] === '>',
    fortranOrder: order[1] === 'True',
    shape: sizes.filter((s) => s !== '').map(Number),
    dataStart,
  };
}

/** A whole .npy file as a row-major array in this machine's byte order. */
export function decodeNpy(bytes: Uint8Array, what = 'npy'): NdArray {
  const { dtype, bigEndian, fortranOrder, shape, dataStart } = parseNpyHeader(bytes, what);
  const count = elementCount(shape, what);
  const size = dtypeBytes(dtype);
  if (bytes.length - dataStart !== count * size) {
    throw new Error(
      `${what}: ${dtype} [${shape.join(', ')}] needs ${count * size} bytes but the array has ${bytes.length - dataStart}`,
    );
  }
  const body = bytes.subarray(dataStart);
  const values = typedView(dtype, bigEndian ? swapBytes(body.slice(), size) : body);
  return { dtype, shape, data: fortranOrder ? fortranToRowMajor(dtype, values, shape) : values };
}

/** Values in column-major order as row-major ones. */
export function fortranToRowMajor(dtype: Dtype, values: NdArray['data'], shape: number[]): NdArray['data'] {
  return shape.length < 2 ? values : gatherStrided(dtype, values, shape, fortranStrides(shape), 0);
}

/** Strides, in elements, of an array whose first axis runs fastest. */
export function fortranStrides(shape: number[]): number[] {
  let stride = 1;
  return shape.map((size) => (stride *= size) / size || 0);
}

/** Row-major copy of a strided view: element [i, j, …] is values[offset + i·strides[0] + j·strides[1] + …]. */
export function gatherStrided(
  dtype: Dtype,
  values: NdArray['data'],
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): NdArray['data'] {
  const count = elementCount(shape);
  const out = allocate(dtype, count);
  if (count === 0) return out;
  const last = shape.length - 1;
  const inner = shape[last] ?? 1;
  const innerStride = strides[last] ?? 1;
  const index = new Array<number>(shape.length).fill(0);
  for (let at = 0, from = offset; at < count;) {
    for (let i = 0, source = from; i < inner; i++, source += innerStride) out[at++] = values[source];
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) break;
  }
  return out;
}
