/**
 * ONNX Runtime's CPU operators as plain synchronous functions over Float32Arrays, the matrix product first.
 *
 * onnxruntime-node's public API is asynchronous only; its internal binding runs synchronously, which tfjs kernels need.
 * The version is pinned in package.json and gemm.ts checks results at start, falling back when anything differs.
 */
import { createRequire } from 'node:module';
import os from 'node:os';
import { nativeCall } from './nativeCall.js';
import { onnxModel, type OnnxGraph } from './onnxModel.js';

/** A tensor as the binding reads it: `data` may be a view on any ArrayBuffer, the wasm heap included, but not on a SharedArrayBuffer. */
type OrtTensor = { readonly data: Float32Array; readonly dims: readonly number[] };
interface BindingSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: Record<string, unknown>): void;
  run(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor>, options: Record<string, unknown>): void;
  dispose(): void;
}
interface OrtModule {
  binding: { InferenceSession: new () => BindingSession };
  initOrt(): void;
}
type TensorClass = new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor;

/** A float32 array, not on a SharedArrayBuffer, and its shape. */
export type Shaped = readonly [data: Float32Array, shape: readonly number[]];

export interface NativeSession {
  /** Runs the graph; the arrays of `outputs` are overwritten and must not overlap those of `inputs`. */
  run(inputs: Record<string, Shaped>, outputs: Record<string, Shaped>): void;
  /** Gives the memory back. */
  close(): void;
}

let loaded: { module: OrtModule; Tensor: TensorClass } | undefined;

function load(): { module: OrtModule; Tensor: TensorClass } {
  if (!loaded) {
    const require = createRequire(import.meta.url);
    const module = require('onnxruntime-node/dist/binding.js') as OrtModule;
    const { Tensor } = require('onnxruntime-common') as { Tensor: TensorClass };
    module.initOrt();
    loaded = { module, Tensor };
  }
  return loaded;
}

const OPTIONS = {
  executionProviders: ['cpu'],
  intraOpNumThreads: os.availableParallelism(),
  interOpNumThreads: 1,
  // Nodes run as written.
  graphOptimizationLevel: 'disabled',
  enableCpuMemArena: false,
  logSeverityLevel: 3,
  // Each session has threads of its own. They wait awake for as long as a loop takes to its next call, which products of a
  // few ms notice (203 to 257 GFLOP/s); longer, and those of one session would take the cores of the next: alternating
  // products ran at 96 GFLOP/s instead of 170 with ONNX Runtime's own choice, and JavaScript between them at half speed.
  extra: { session: { intra_op: { allow_spinning: '1', spin_duration_us: '200' } } },
};

/** A graph ready to run on all cores. Throws when ONNX Runtime or its binary for this platform is missing. */
export function openSession(graph: OnnxGraph): NativeSession {
  const { module, Tensor } = load();
  const model = onnxModel(graph);
  const session = nativeCall(() => {
    const opened = new module.binding.InferenceSession();
    opened.loadModel(model.buffer, model.byteOffset, model.byteLength, OPTIONS);
    return opened;
  });
  const tensors = (arrays: Record<string, Shaped>): Record<string, OrtTensor> => {
    const out: Record<string, OrtTensor> = {};
    for (const name in arrays) out[name] = new Tensor('float32', arrays[name][0], arrays[name][1]);
    return out;
  };
  return {
    run(inputs, outputs) {
      const feeds = tensors(inputs);
      const fetches = tensors(outputs);
      // An interrupt inside the binding would abort the process.
      nativeCall(() => session.run(feeds, fetches, {}));
    },
    close: () => nativeCall(() => session.dispose()),
  };
}

export interface NativeProduct {
  /** C = op(A) · op(B); shapes as stored, leading dimensions broadcast as in numpy. `c` is overwritten. */
  multiply(a: Shaped, b: Shaped, c: Shaped, transA: boolean, transB: boolean): void;
  /** rows × cols → cols × rows, into `out`. */
  transpose(x: Float32Array, rows: number, cols: number, out: Float32Array): void;
}

/** Throws when ONNX Runtime or its binary for this platform is missing. */
export function openNativeProduct(): NativeProduct {
  load();
  const sessions = new Map<string, NativeSession>();
  const session = (key: string, graph: () => OnnxGraph): NativeSession => {
    let found = sessions.get(key);
    if (!found) sessions.set(key, (found = openSession(graph())));
    return found;
  };
  return {
    multiply(a, b, c, transA, transB) {
      const product = session(`${transA} ${transB}`, () => {
        const attributes = { transA: Number(transA), transB: Number(transB) };
        const node = {
          op: 'FusedMatMul',
          inputs: ['a', 'b'],
          output: 'c',
          attributes,
          domain: 'com.microsoft',
        } as const;
        return { nodes: [node], inputs: ['a', 'b'], outputs: ['c'] };
      });
      product.run({ a, b }, { c });
    },
    transpose(x, rows, cols, out) {
      const turn = session('transpose', () => {
        const node = { op: 'Transpose', inputs: ['x'], output: 'y', attributes: { perm: [1, 0] } };
        return { nodes: [node], inputs: ['x'], outputs: ['y'] };
      });
      turn.run({ x: [x, [rows, cols]] }, { y: [out, [cols, rows]] });
    },
  };
}
