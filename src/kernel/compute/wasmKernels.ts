/** Kernels that training needs and that tfjs-wasm lacks or runs slowly. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { NamedAttrMap, NamedTensorInfoMap, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { einsum } from './einsum.js';
import { tf } from './tf.js';
import { replaceKernel } from './wasmMatMul.js';

/**
 * Row s of the result is the sum of the rows of x whose id is s: the gradient of every gather, embeddings included.
 * Ids are sorted by counting, so that each segment is summed in float64 whatever its length. Negative ids are dropped,
 * as TensorFlow does.
 */
function unsortedSegmentSum(backend: BackendWasm, x: TensorInfo, ids: TensorInfo, segments: number): TensorInfo {
  const rows = ids.shape.reduce((p, q) => p * q, 1);
  const inner = x.shape.slice(ids.shape.length).reduce((p, q) => p * q, 1);
  const out = backend.makeOutput([segments, ...x.shape.slice(ids.shape.length)], x.dtype);
  const to = backend.typedArrayFromHeap(out);
  const from = backend.typedArrayFromHeap(x);
  const segmentOf = backend.typedArrayFromHeap(ids);
  const start = new Int32Array(segments + 1);
  for (let i = 0; i < rows; i++) {
    const s = segmentOf[i];
    if (s >= segments) {
      backend.disposeData(out.dataId);
      throw new RangeError(`segment id ${s} at ${i} is not below the number of segments, ${segments}`);
    }
    if (s >= 0) start[s + 1]++;
  }
  for (let s = 0; s < segments; s++) start[s + 1] += start[s];
  const order = new Int32Array(start[segments]);
  const next = start.slice(0, segments);
  for (let i = 0; i < rows; i++) if (segmentOf[i] >= 0) order[next[segmentOf[i]]++] = i;
  const sum = new Float64Array(inner);
  for (let s = 0; s < segments; s++) {
    sum.fill(0);
    for (let e = start[s]; e < start[s + 1]; e++) {
      const base = order[e] * inner;
      for (let j = 0; j < inner; j++) sum[j] += from[base + j];
    }
    to.set(sum, s * inner);
  }
  return out;
}

/** Registers the missing kernels with the wasm backend, and a faster one in place of its slow Identity. */
export function installWasmKernels(): void {
  // tfjs-wasm copies on clone, and every tensor that is saved for a gradient is a clone: a tenth of a training step.
  // The other backends count references instead, as tfjs-wasm itself does in its Reshape; so does this.
  replaceKernel('Identity', ({ inputs, backend }) => {
    const x = inputs.x as TensorInfo;
    (backend as BackendWasm).incRef(x.dataId);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  });
  replaceKernel('UnsortedSegmentSum', ({ inputs, attrs, backend }) => {
    const { x, segmentIds } = inputs as NamedTensorInfoMap & { x: TensorInfo; segmentIds: TensorInfo };
    const { numSegments } = attrs as NamedAttrMap & { numSegments: number };
    return unsortedSegmentSum(backend as BackendWasm, x, segmentIds, numSegments);
  });
  replaceKernel('Einsum', ({ inputs, attrs }) => {
    const operands = Object.keys(inputs)
      .sort((a, b) => Number(a) - Number(b))
      .map((name) => inputs[name] as Tensor);
    return tf.tidy(() => einsum((attrs as NamedAttrMap & { equation: string }).equation, operands));
  });
}
