/**
 * ONNX Runtime's CPU operators as plain synchronous functions over typed arrays.
 *
 * onnxruntime-node's public API is asynchronous only; its internal binding runs synchronously, which tfjs kernels need.
 * The version is pinned in package.json and gemm.ts checks results at start, falling back when anything differs.
 */
import { createRequire } from 'node:module';
import os from 'node:os';
import { nativeCall } from './nativeCall.js';
import { onnxModel, type OnnxElement, type OnnxGraph } from './onnxModel.js';

/**
 * Data of a tensor as the binding reads it: may be a view on any ArrayBuffer, the wasm heap included, but not on a
 * SharedArrayBuffer.
 */
type Data = Float32Array | Uint8Array | Int8Array | Int32Array;
type OrtTensor = { readonly data: Data; readonly dims: readonly number[] };
interface BindingSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: Record<string, unknown>): void;
  run(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor>, options: Record<string, unknown>): void;
  dispose(): void;
}
interface OrtModule {
  binding: { InferenceSession: new () => BindingSession };
  initOrt(): void;
}
type TensorClass = new (type: OnnxElement, data: Data, dims: readonly number[]) => OrtTensor;

/** An array, not on a SharedArrayBuffer, and its shape. */
export type Shaped<D extends Data = Data> = readonly [data: D, shape: readonly number[]];

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
  interOpNumThreads: 1,
  // No graph optimisation: nodes run as written.
  graphOptimizationLevel: 'disabled',
  enableCpuMemArena: false,
  logSeverityLevel: 3,
  // Each session has threads of its own. They spin for 200 µs before they sleep, about the time until a loop's next
  // call, which speeds up products of a few ms (203 to 257 GFLOP/s). With longer spinning, threads of one session would
  // take the cores of the next: with ONNX Runtime's own choice, alternating products ran at 96 GFLOP/s instead of 170,
  // and JavaScript between them at half speed.
  extra: { session: { intra_op: { allow_spinning: '1', spin_duration_us: '200' } } },
};

/**
 * A graph ready to run on `threads` threads, default all cores. Operators must give the same bits on any number of
 * threads (nativeProduct.ts says which products do). Throws when ONNX Runtime or its binary for this platform is
 * missing.
 */
export function openSession(graph: OnnxGraph, threads = os.availableParallelism()): NativeSession {
  const { module, Tensor } = load();
  const model = onnxModel(graph);
  const session = nativeCall(() => {
    const opened = new module.binding.InferenceSession();
    opened.loadModel(model.buffer, model.byteOffset, model.byteLength, { ...OPTIONS, intraOpNumThreads: threads });
    return opened;
  });
  const tensors = (arrays: Record<string, Shaped>): Record<string, OrtTensor> => {
    const out: Record<string, OrtTensor> = {};
    for (const name in arrays)
      out[name] = new Tensor(graph.types?.[name] ?? 'float32', arrays[name][0], arrays[name][1]);
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
