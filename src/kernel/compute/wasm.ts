/** The `cpu` device: tfjs-wasm with native matrix products. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setWasmPaths, type BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { gemmReport, initGemm, MAX_PRODUCT_ERROR, productError, usePlainProduct, type GemmReport } from './gemm.js';
import { productThroughTf } from './product.js';
import { tf } from './tf.js';
import { installWasmKernels } from './wasmKernels.js';
import { installMatMul } from './wasmMatMul.js';
import { installWasmReductions } from './wasmReductions.js';
import { repairWasmKernels } from './wasmRepairs.js';

/** Folder of tfjs-wasm's binaries: beside the bundle when shipped, else in the package. */
function wasmFolder(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const shipped = path.resolve(here, '../wasm');
  if (fs.existsSync(path.join(shipped, 'tfjs-backend-wasm-simd.wasm'))) return shipped + path.sep;
  const file = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm');
  return path.dirname(file) + path.sep;
}

/**
 * tfjs-wasm does not check whether memory was granted: past 4 GB it would write over address 0 and give wrong numbers.
 */
function guardMemory(backend: BackendWasm): void {
  // Emscripten's module; its types omit these exports.
  const heap = backend.wasm as unknown as { _malloc(bytes: number): number; _free(address: number): void };
  // The first call replaces the function by the module's own: that must happen before ours takes its place.
  heap._free(heap._malloc(4));
  const allocate = heap._malloc.bind(heap);
  heap._malloc = (bytes) => {
    // A size of 2^32 or more would wrap round to a small one and be granted.
    const address = bytes < 2 ** 32 ? allocate(bytes) : 0;
    if (address === 0 && bytes > 0) {
      const gigabytes = (n: number): string => (n / 2 ** 30).toFixed(2);
      throw new RangeError(
        `the cpu device has no memory for a tensor of ${gigabytes(bytes)} GB: its heap ends at 4 GB and ` +
          `${gigabytes(tf.memory().numBytes)} GB are in use by ${tf.memory().numTensors} tensors. ` +
          'Use a smaller batch, or free tensors with tf.tidy() and dispose().',
      );
    }
    return address;
  };
}

/**
 * Starts the backend and checks its products against float64; on failure plain tfjs-wasm stays, and the report says
 * why.
 */
export async function startWasm(): Promise<GemmReport> {
  setWasmPaths(wasmFolder());
  await initGemm();
  if (!(await tf.setBackend('wasm'))) throw new Error('tfjs-wasm did not start');
  await tf.ready();
  guardMemory(tf.backend() as BackendWasm);
  installWasmKernels();
  repairWasmKernels();
  installWasmReductions();
  const report = gemmReport();
  if (report.engine !== 'onnxruntime') return usePlainProduct(productThroughTf);
  const restore = installMatMul();
  let error = Infinity;
  try {
    error = productError(productThroughTf);
  } catch {
    // `error` stays Infinity, which the check below counts as wrong.
  }
  if (error < MAX_PRODUCT_ERROR) return { ...report, selfCheckError: Math.max(error, report.selfCheckError) };
  restore();
  return {
    engine: 'javascript',
    selfCheckError: productError(productThroughTf),
    note: `tensors use tfjs-wasm's own products: native ones were wrong in its memory (relative error ${error})`,
  };
}
