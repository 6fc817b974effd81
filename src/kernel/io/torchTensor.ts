/** Reads a strided view of a storage's bytes as a row-major array. */
import { swapBytes } from './bytes.js';
import { dtypeBytes, elementCount, typedView, type NdArray } from './ndarray.js';
import { gatherStrided } from './npy.js';
import type { TorchTensor } from './torchPickle.js';

/** The range of the storage's bytes that a tensor spans. */
export function bytesOf({ storage, dtype, offset, shape, strides }: TorchTensor): { begin: number; length: number } {
  const size = dtypeBytes(dtype);
  const span = elementCount(shape) === 0 ? 0 : 1 + shape.reduce((sum, n, i) => sum + (n - 1) * strides[i], 0);
  return { begin: (storage.begin + offset) * size, length: span * size };
}

/** The tensor over the bytes that it spans (bytesOf). */
export function tensorArray({ dtype, shape, strides }: TorchTensor, bytes: Uint8Array, bigEndian: boolean): NdArray {
  const values = typedView(dtype, bigEndian ? swapBytes(bytes, dtypeBytes(dtype)) : bytes);
  const plain = elementCount(shape) === 0 || isRowMajor(shape, strides);
  return { dtype, shape: [...shape], data: plain ? values : gatherStrided(dtype, values, shape, strides, 0) };
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}
