/**
 * Repairs of kernels that are silently wrong in tfjs-wasm 4.22: found by comparing it with TensorFlow.js' own
 * JavaScript backend (test/unit/compute/wasm.test.ts holds the cases).
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { NamedAttrMap, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { tf } from './tf.js';
import { replaceKernel } from './wasmMatMul.js';

const product = (shape: readonly number[]): number => shape.reduce((p, q) => p * q, 1);

/** Cumulative kernels write outside their memory when the axis is counted from the end and is not the last. */
function countAxesFromTheFront(kernelName: string): void {
  const plain = tf.getKernel(kernelName, 'wasm');
  if (!plain) return;
  replaceKernel(kernelName, ({ inputs, attrs, backend }) => {
    const { axis } = attrs as NamedAttrMap & { axis: number };
    const rank = (inputs.x as TensorInfo).shape.length;
    if (axis < -rank || axis >= rank) {
      throw new RangeError(`${kernelName}: axis ${axis} of a tensor with ${rank} dimensions`);
    }
    return plain.kernelFunc({ inputs, attrs: { ...attrs, axis: axis < 0 ? axis + rank : axis }, backend });
  });
}

/** tfjs-wasm reads the wrong indices when batchDims > 0 and the batch is not as long as the list of indices. */
function gather(backend: BackendWasm, x: TensorInfo, indices: TensorInfo, axis: number, batchDims: number): TensorInfo {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const batch = product(x.shape.slice(0, batchDims));
  const outer = product(x.shape.slice(batchDims, at));
  const size = x.shape[at];
  const inner = product(x.shape.slice(at + 1));
  const taken = product(indices.shape.slice(batchDims));
  const shape = [...x.shape.slice(0, at), ...indices.shape.slice(batchDims), ...x.shape.slice(at + 1)];
  const wrong = (backend.typedArrayFromHeap(indices) as Int32Array).find((i) => !(i >= 0 && i < size));
  if (wrong !== undefined) {
    throw new RangeError(`gather: index ${wrong} is not in 0 … ${size - 1} (axis ${at} of [${x.shape}])`);
  }
  const out = backend.makeOutput(shape, x.dtype);
  const to = backend.typedArrayFromHeap(out);
  const from = backend.typedArrayFromHeap(x);
  const chosen = backend.typedArrayFromHeap(indices);
  let o = 0;
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < outer; r++) {
      const base = (b * outer + r) * size;
      for (let i = 0; i < taken; i++, o += inner) {
        const start = (base + chosen[b * taken + i]) * inner;
        if (inner >= 16) to.set(from.subarray(start, start + inner), o);
        else for (let j = 0; j < inner; j++) to[o + j] = from[start + j];
      }
    }
  }
  return out;
}

/** tfjs-wasm casts by truncating to whole bytes: 0.5 became false, and 256 too. */
function castToBool(backend: BackendWasm, x: TensorInfo): TensorInfo {
  const out = backend.makeOutput(x.shape, 'bool');
  const to = backend.typedArrayFromHeap(out);
  const from = backend.typedArrayFromHeap(x);
  for (let i = 0; i < from.length; i++) to[i] = from[i] === 0 ? 0 : 1;
  return out;
}

/** tfjs-wasm selects among bools by the bytes of something else. */
function selectBool(backend: BackendWasm, condition: TensorInfo, t: TensorInfo, e: TensorInfo): TensorInfo {
  const out = backend.makeOutput(t.shape, 'bool');
  const to = backend.typedArrayFromHeap(out);
  const [choose, yes, no] = [condition, t, e].map((x) => backend.typedArrayFromHeap(x));
  const inner = choose.length > 0 ? to.length / choose.length : 0;
  for (let i = 0; i < to.length; i++) to[i] = choose[Math.floor(i / inner)] ? yes[i] : no[i];
  return out;
}

/** Replaces the wrong kernels. */
export function repairWasmKernels(): void {
  countAxesFromTheFront('Cumsum');
  countAxesFromTheFront('Cumprod');
  replaceKernel('GatherV2', ({ inputs, attrs, backend }) => {
    const { axis, batchDims = 0 } = attrs as NamedAttrMap & { axis: number; batchDims?: number };
    return gather(backend as BackendWasm, inputs.x as TensorInfo, inputs.indices as TensorInfo, axis, batchDims);
  });
  const cast = tf.getKernel('Cast', 'wasm')!;
  replaceKernel('Cast', (args) => {
    const x = args.inputs.x as TensorInfo;
    const { dtype } = args.attrs as NamedAttrMap & { dtype: string };
    if (dtype !== 'bool' || x.dtype === 'bool') return cast.kernelFunc(args);
    return castToBool(args.backend as BackendWasm, x);
  });
  const select = tf.getKernel('Select', 'wasm')!;
  replaceKernel('Select', (args) => {
    const { condition, t, e } = args.inputs as Record<string, TensorInfo>;
    if (t.dtype !== 'bool') return select.kernelFunc(args);
    return selectBool(args.backend as BackendWasm, condition, t, e);
  });
  // tfjs-wasm reads past the end of an alpha that is not one value per channel.
  replaceKernel('Prelu', ({ inputs }) => {
    const { x, alpha } = inputs as Record<string, TensorInfo>;
    const wrap = (info: TensorInfo): Tensor => tf.engine().makeTensorFromTensorInfo(info);
    return tf.tidy(() => {
      const [a, b] = [wrap(x), wrap(alpha)];
      return tf.add(tf.relu(a), tf.mul(tf.minimum(a, 0), b));
    });
  });
}
