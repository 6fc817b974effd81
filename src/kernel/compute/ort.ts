/**
 * ONNX Runtime's CPU matrix product as a plain synchronous function over Float32Arrays.
 *
 * onnxruntime-node's public API is asynchronous only; its internal binding runs synchronously, which tfjs kernels need.
 * The version is pinned in package.json and gemm.ts checks results at start, falling back when anything differs.
 */
import { createRequire } from 'node:module';
import os from 'node:os';
import { nativeCall } from './nativeCall.js';

/** A tensor as the binding reads it: `data` may be a view on any ArrayBuffer, the wasm heap included, but not on a SharedArrayBuffer. */
type OrtTensor = { readonly data: Float32Array; readonly dims: readonly number[] };
interface NativeSession {
  loadModel(buffer: ArrayBuffer, offset: number, length: number, options: Record<string, unknown>): void;
  run(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor>, options: Record<string, unknown>): void;
}
interface OrtModule {
  binding: { InferenceSession: new () => NativeSession };
  initOrt(): void;
}
type TensorClass = new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor;

/** C = op(A) · op(B); shapes as stored, leading dimensions broadcast as in numpy. `c` is overwritten. */
export type NativeProduct = (
  a: Float32Array,
  aShape: readonly number[],
  b: Float32Array,
  bShape: readonly number[],
  c: Float32Array,
  cShape: readonly number[],
  transA: boolean,
  transB: boolean,
) => void;

const text = new TextEncoder();

// A model of one or two nodes is some 100 bytes of protobuf: field tags, lengths, names (onnx.proto3).
function varint(n: number): number[] {
  const out: number[] = [];
  for (; n > 127; n >>>= 7) out.push((n & 127) | 128);
  out.push(n);
  return out;
}
const message = (field: number, bytes: number[]): number[] => [
  ...varint((field << 3) | 2),
  ...varint(bytes.length),
  ...bytes,
];
const string = (field: number, value: string): number[] => message(field, [...text.encode(value)]);
const integer = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)];
const INT = 2;
const INTS = 7;
const attribute = (name: string, value: number | number[]): number[] =>
  typeof value === 'number'
    ? [...string(1, name), ...integer(3, value), ...integer(20, INT)]
    : [...string(1, name), ...value.flatMap((v) => integer(8, v)), ...integer(20, INTS)];

function node(op: string, inputs: string[], output: string, attributes: number[][], domain = ''): number[] {
  return [
    ...inputs.flatMap((name) => string(1, name)),
    ...string(2, output),
    ...string(4, op),
    ...attributes.flatMap((a) => message(5, a)),
    ...(domain ? string(7, domain) : []),
  ];
}

function productModel(transA: boolean, transB: boolean, transposeFirst: boolean): Uint8Array {
  const FLOAT = 1;
  const value = (name: string): number[] => [...string(1, name), ...message(2, message(1, integer(1, FLOAT)))];
  const left = transposeFirst ? 'at' : 'a';
  const nodes = [
    ...(transposeFirst ? [node('Transpose', ['a'], 'at', [attribute('perm', [1, 0])])] : []),
    node(
      'FusedMatMul',
      [left, 'b'],
      'c',
      [attribute('transA', transA && !transposeFirst ? 1 : 0), attribute('transB', transB ? 1 : 0)],
      'com.microsoft',
    ),
  ];
  const graph = [
    ...nodes.flatMap((n) => message(1, n)),
    ...string(2, 'product'),
    ...message(11, value('a')),
    ...message(11, value('b')),
    ...message(12, value('c')),
  ];
  const opsets = [...message(8, integer(2, 17)), ...message(8, [...string(1, 'com.microsoft'), ...integer(2, 1)])];
  return new Uint8Array([...integer(1, 8), ...opsets, ...message(7, graph)]);
}

function openSession(module: OrtModule, model: Uint8Array): NativeSession {
  const session = new module.binding.InferenceSession();
  session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, {
    executionProviders: ['cpu'],
    intraOpNumThreads: os.availableParallelism(),
    interOpNumThreads: 1,
    // As written: the optimizer would fuse the transposition back into the product.
    graphOptimizationLevel: 'disabled',
    enableCpuMemArena: false,
    logSeverityLevel: 3,
    // Each session has threads of its own. Spinning ones of the session before would take the cores of this one:
    // alternating products ran at 96 GFLOP/s instead of 170, and JavaScript between products at half its speed.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return session;
}

/** Above this many columns of the result, turning the left operand round first costs less than reading it transposed. */
const TRANSPOSE_FIRST = 1024;

/** Loads ONNX Runtime. Throws when the package or its binary for this platform is missing. */
export function openNativeProduct(): NativeProduct {
  const require = createRequire(import.meta.url);
  const module = require('onnxruntime-node/dist/binding.js') as OrtModule;
  const { Tensor } = require('onnxruntime-common') as { Tensor: TensorClass };
  module.initOrt();
  const sessions = new Map<string, NativeSession>();
  return (a, aShape, b, bShape, c, cShape, transA, transB) => {
    const first = transA && aShape.length === 2 && cShape[cShape.length - 1] >= TRANSPOSE_FIRST;
    const key = `${transA} ${transB} ${first}`;
    let session = sessions.get(key);
    if (!session) {
      session = openSession(module, productModel(transA, transB, first));
      sessions.set(key, session);
    }
    const feeds = { a: new Tensor('float32', a, aShape), b: new Tensor('float32', b, bShape) };
    const fetches = { c: new Tensor('float32', c, cShape) };
    nativeCall(() => session.run(feeds, fetches, {}));
  };
}
