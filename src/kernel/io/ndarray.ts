/** Arrays as files hold them, and their conversion to float32 and float64. */
import { dtypeBytes, elementCount, type Dtype, type NdArray, type TypedArray } from '../../protocol/safetensors.js';

export {
  dtypeBytes,
  elementCount,
  typedView,
  type Dtype,
  type NdArray,
  type TypedArray,
} from '../../protocol/safetensors.js';

const ARRAY_OF = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** An NdArray over `data`; throws when length or element type do not fit. */
export function ndarray(dtype: Dtype, shape: readonly number[], data: TypedArray): NdArray {
  const count = elementCount(shape);
  if (!(data instanceof ARRAY_OF[dtype]) || data.length !== count) {
    throw new RangeError(
      `${dtype} [${shape.join(', ')}] needs a ${ARRAY_OF[dtype].name} of ${count} but got a ${data.constructor.name} of ${data.length}`,
    );
  }
  return { dtype, shape: [...shape], data };
}

/** An array of zeros for a dtype. */
export function allocate(dtype: Dtype, count: number): TypedArray {
  return new ARRAY_OF[dtype](count);
}

/** IEEE half bits to a number, exactly; subnormals, infinities and NaN included. */
export function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let halves: Float32Array | undefined;

/** All 65,536 half values: one look-up per element is faster than arithmetic. */
function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 65536 }, (_, bits) => fromF16(bits));
  return halves;
}

/** Values of bfloat16 bits; exact. */
export function fromBf16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

/** Bits of the nearest bfloat16 of finite values, ties to even; values above its largest become infinite. */
export function toBf16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (words[i] + 0x7fff + ((words[i] >>> 16) & 1)) >>> 16;
  return bits;
}

/**
 * Values as float32. F32 is returned as it is, without a copy; F16 and BF16 are exact; F64 and wide integers are
 * rounded to the nearest float32.
 */
export function toFloat32(a: NdArray): Float32Array {
  const { dtype, data } = a;
  if (data instanceof Float32Array) return data;
  if (dtype === 'BF16') return fromBf16(data as Uint16Array);
  const out = new Float32Array(data.length);
  if (dtype === 'F16') {
    const table = halfTable();
    const bits = data as Uint16Array;
    for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]];
  } else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) out[i] = Number(data[i]);
  } else {
    out.set(data);
  }
  return out;
}

/** Values as float64; exact for every dtype but 64-bit integers beyond 2^53. */
export function toFloat64(a: NdArray): Float64Array {
  if (a.data instanceof Float64Array) return a.data;
  if (a.data instanceof BigInt64Array || a.data instanceof BigUint64Array) return Float64Array.from(a.data, Number);
  return Float64Array.from(toFloat32IfHalf(a));
}

function toFloat32IfHalf(a: NdArray): Exclude<TypedArray, BigInt64Array | BigUint64Array> {
  if (a.dtype === 'F16' || a.dtype === 'BF16') return toFloat32(a);
  return a.data as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
}

/** Integers (and BOOL) as int32; throws on floats and on values outside int32, naming the first. */
export function toInt32(a: NdArray): Int32Array {
  if (a.data instanceof Int32Array) return a.data;
  if (a.dtype === 'F64' || a.dtype === 'F32' || a.dtype === 'F16' || a.dtype === 'BF16') {
    throw new TypeError(`expected integers but got ${a.dtype} [${a.shape.join(', ')}]`);
  }
  const out = new Int32Array(a.data.length);
  for (let i = 0; i < out.length; i++) {
    const value = Number(a.data[i]);
    out[i] = value;
    if (out[i] !== value)
      throw new RangeError(`value ${a.data[i]} at ${i} of ${a.dtype} [${a.shape.join(', ')}] does not fit int32`);
  }
  return out;
}

/** Bytes of an array of this dtype and shape. */
export function byteLengthOf(dtype: Dtype, shape: readonly number[]): number {
  return elementCount(shape) * dtypeBytes(dtype);
}
