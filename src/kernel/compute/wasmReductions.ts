/**
 * Sums and means in float64. tfjs-wasm adds one float32 after another (a million times 0.1 gave 100,958) and reads
 * memory of other tensors where there is nothing to reduce.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { KernelFunc, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { tf } from './tf.js';
import { replaceKernel } from './wasmMatMul.js';

const product = (shape: readonly number[]): number => shape.reduce((p, q) => p * q, 1);

/** x seen as [outer, size, inner], summed over the middle. */
function sumMiddle(x: ArrayLike<number>, outer: number, size: number, inner: number): Float64Array {
  const out = new Float64Array(outer * inner);
  if (inner === 1) {
    for (let o = 0; o < outer; o++) {
      const end = (o + 1) * size;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let i = o * size;
      for (; i + 3 < end; i += 4) {
        s0 += x[i];
        s1 += x[i + 1];
        s2 += x[i + 2];
        s3 += x[i + 3];
      }
      for (; i < end; i++) s0 += x[i];
      out[o] = s0 + s1 + (s2 + s3);
    }
    return out;
  }
  for (let o = 0; o < outer; o++) {
    const to = o * inner;
    for (let r = 0; r < size; r++) {
      const from = (o * size + r) * inner;
      for (let j = 0; j < inner; j++) out[to + j] += x[from + j];
    }
  }
  return out;
}

interface Reduction {
  axes: number[];
  /** Numbers that are reduced to one result. */
  count: number;
  /** Shape that the result must have. */
  shape: number[];
}

function reductionOf(x: TensorInfo, attrs: NamedAttrMap | undefined): Reduction {
  // Max names its axes differently from the others.
  const { axis, reductionIndices, keepDims } = attrs as NamedAttrMap & {
    axis?: number | number[];
    reductionIndices?: number | number[];
    keepDims?: boolean;
  };
  const axes = tf.util.parseAxisParam((axis ?? reductionIndices)!, x.shape).sort((p, q) => p - q);
  const shape = x.shape.flatMap((d, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [d]));
  return { axes, count: product(axes.map((i) => x.shape[i])), shape };
}

function sums(backend: BackendWasm, x: TensorInfo, axes: readonly number[]): ArrayLike<number> {
  let data: ArrayLike<number> = backend.typedArrayFromHeap(x);
  const shape = x.shape.slice();
  // Neighbouring axes go together; groups from the last to the first, so that earlier axes keep their place.
  for (let last = axes.length - 1; last >= 0;) {
    let first = last;
    while (first > 0 && axes[first - 1] === axes[first] - 1) first--;
    const [from, to] = [axes[first], axes[last] + 1];
    data = sumMiddle(data, product(shape.slice(0, from)), product(shape.slice(from, to)), product(shape.slice(to)));
    shape.splice(from, to - from);
    last = first - 1;
  }
  return data;
}

/** A result filled with `value` where a reduction has nothing to reduce; undefined otherwise. */
function ofNothing(
  backend: BackendWasm,
  x: TensorInfo,
  attrs: NamedAttrMap | undefined,
  value: number,
): TensorInfo | undefined {
  const { count, shape } = reductionOf(x, attrs);
  if (count > 0) return undefined;
  const out = backend.makeOutput(shape, x.dtype);
  backend.typedArrayFromHeap(out).fill(value);
  return out;
}

/** Clips to [low, high] and keeps NaN, which tfjs-wasm turns into a bound. */
function clip(backend: BackendWasm, x: TensorInfo, low: number, high: number): TensorInfo {
  const out = backend.makeOutput(x.shape, x.dtype);
  const to = backend.typedArrayFromHeap(out);
  const from = backend.typedArrayFromHeap(x);
  for (let i = 0; i < from.length; i++) {
    const v = from[i];
    to[i] = v < low ? low : v > high ? high : v;
  }
  return out;
}

/** Registers the reductions, and the kernels that hide NaN, with the wasm backend. */
export function installWasmReductions(): void {
  replaceKernel('Sum', ({ inputs, attrs, backend: b }) => {
    const backend = b as BackendWasm;
    const x = inputs.x as TensorInfo;
    const { axes, shape } = reductionOf(x, attrs);
    const out = backend.makeOutput(shape, x.dtype);
    backend.typedArrayFromHeap(out).set(sums(backend, x, axes));
    return out;
  });
  replaceKernel('Mean', ({ inputs, attrs, backend: b }) => {
    const backend = b as BackendWasm;
    const x = inputs.x as TensorInfo;
    const { axes, shape, count } = reductionOf(x, attrs);
    const out = backend.makeOutput(shape, 'float32');
    const to = backend.typedArrayFromHeap(out);
    const total = sums(backend, x, axes);
    for (let i = 0; i < to.length; i++) to[i] = total[i] / count;
    return out;
  });
  const identities = { Prod: 1, Max: -Infinity, Min: Infinity, All: 1, Any: 0 };
  for (const [name, identity] of Object.entries(identities)) {
    const plain = tf.getKernel(name, 'wasm')!.kernelFunc;
    const guarded: KernelFunc = (args) =>
      ofNothing(args.backend as BackendWasm, args.inputs.x as TensorInfo, args.attrs, identity) ?? plain(args);
    replaceKernel(name, guarded);
  }
  replaceKernel('ClipByValue', ({ inputs, attrs, backend }) => {
    const { clipValueMin, clipValueMax } = attrs as NamedAttrMap & { clipValueMin: number; clipValueMax: number };
    return clip(backend as BackendWasm, inputs.x as TensorInfo, clipValueMin, clipValueMax);
  });
  replaceKernel('Relu6', ({ inputs, backend }) => clip(backend as BackendWasm, inputs.x as TensorInfo, 0, 6));
}
