/** Replaces tfjs-wasm's matrix products by batchedProduct on the same memory, without copies. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { KernelFunc, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import { batchedProduct } from './gemm.js';
import { tf } from './tf.js';

interface MatMulAttributes {
  transposeA: boolean;
  transposeB: boolean;
  activation?: string;
  leakyreluAlpha?: number;
}

/**
 * Allocates the result and multiplies. Views on tensors must be taken after the allocation: the heap can grow, and
 * older views then have no memory.
 */
function multiply(backend: BackendWasm, a: TensorInfo, b: TensorInfo, transA: boolean, transB: boolean): TensorInfo {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') {
    throw new Error(
      `a matrix product on the cpu device needs float32 tensors but got ${a.dtype} and ${b.dtype}: cast them with .toFloat()`,
    );
  }
  const [m, k] = transA ? [a.shape[a.shape.length - 1], a.shape[a.shape.length - 2]] : a.shape.slice(-2);
  const [inner, n] = transB ? [b.shape[b.shape.length - 1], b.shape[b.shape.length - 2]] : b.shape.slice(-2);
  if (k !== inner) {
    throw new Error(
      `matrix product of [${a.shape}] and [${b.shape}] (transposed: ${transA}, ${transB}): inner sizes ${k} and ${inner} differ`,
    );
  }
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const out = backend.makeOutput([...batch, m, n], 'float32');
  const view = (t: TensorInfo): Float32Array => backend.typedArrayFromHeap(t) as Float32Array;
  batchedProduct(view(a), a.shape, view(b), b.shape, view(out), out.shape, transA, transB);
  return out;
}

type Elementwise = (x: number) => number;
function elementwise(activation: string, alpha: number): Elementwise | undefined {
  switch (activation) {
    case 'linear':
      return (x) => x;
    case 'relu':
      // Written as a comparison, so that NaN stays NaN.
      return (x) => (x < 0 ? 0 : x);
    case 'relu6':
      return (x) => (x < 0 ? 0 : x > 6 ? 6 : x);
    case 'elu':
      return (x) => (x >= 0 ? x : Math.expm1(x));
    case 'sigmoid':
      return (x) => 1 / (1 + Math.exp(-x));
    case 'leakyrelu':
      return (x) => (x < 0 ? alpha * x : x);
    default:
      return undefined;
  }
}

/** Runs another kernel of the backend and frees its first operand. */
function then(backend: BackendWasm, kernel: string, inputs: NamedTensorInfoMap, consumed: TensorInfo): TensorInfo {
  const config = tf.getKernel(kernel, 'wasm');
  if (!config) throw new Error(`the wasm backend has no kernel ${kernel}`);
  const out = config.kernelFunc({ inputs, attrs: {}, backend }) as TensorInfo;
  backend.disposeData(consumed.dataId);
  return out;
}

function addBiasRow(out: Float32Array, bias: Float32Array, n: number): void {
  for (let from = 0; from < out.length; from += n) for (let j = 0; j < n; j++) out[from + j] += bias[j];
}

function fusedMatMul(backend: BackendWasm, inputs: NamedTensorInfoMap, attrs: MatMulAttributes): TensorInfo {
  const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
  const { bias, preluActivationWeights } = inputs;
  const activation = attrs.activation ?? 'linear';
  const apply = elementwise(activation, attrs.leakyreluAlpha ?? 0);
  if (!apply && activation !== 'prelu') throw new Error(`activation ${activation} is not known on the cpu device`);
  let out = multiply(backend, a, b, attrs.transposeA, attrs.transposeB);
  const n = out.shape[out.shape.length - 1];
  if (bias) {
    const row =
      bias.shape.length > 0 && bias.shape[bias.shape.length - 1] === n && bias.shape.slice(0, -1).every((d) => d === 1);
    if (row)
      addBiasRow(backend.typedArrayFromHeap(out) as Float32Array, backend.typedArrayFromHeap(bias) as Float32Array, n);
    else out = then(backend, 'Add', { a: out, b: bias }, out);
  }
  if (!apply) {
    if (!preluActivationWeights) throw new Error('activation prelu needs preluActivationWeights');
    return then(backend, 'Prelu', { x: out, alpha: preluActivationWeights }, out);
  }
  if (activation !== 'linear') {
    const x = backend.typedArrayFromHeap(out) as Float32Array;
    for (let i = 0; i < x.length; i++) x[i] = apply(x[i]);
  }
  return out;
}

/** Registers a kernel of the wasm backend in place of the one it has, if any. */
export function replaceKernel(kernelName: string, kernelFunc: KernelFunc): void {
  if (tf.getKernel(kernelName, 'wasm')) tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
}

/** Installs the products; returns a function that puts tfjs-wasm's own kernels back. */
export function installMatMul(): () => void {
  const names = ['BatchMatMul', '_FusedMatMul'];
  const plain = names.map((name) => tf.getKernel(name, 'wasm'));
  replaceKernel('BatchMatMul', ({ inputs, attrs, backend }) => {
    const { transposeA, transposeB } = attrs as NamedAttrMap & MatMulAttributes;
    return multiply(backend as BackendWasm, inputs.a as TensorInfo, inputs.b as TensorInfo, transposeA, transposeB);
  });
  replaceKernel('_FusedMatMul', ({ inputs, attrs, backend }) =>
    fusedMatMul(backend as BackendWasm, inputs, attrs as NamedAttrMap & MatMulAttributes),
  );
  return () => {
    for (const [i, name] of names.entries()) {
      tf.unregisterKernel(name, 'wasm');
      const config = plain[i];
      if (config) tf.registerKernel(config);
    }
  };
}
