/** The float32 matrix product of the kernel, over plain typed arrays and over tfjs-wasm's memory. */
import { openNativeProduct, type NativeProduct } from './nativeProduct.js';
import { NARROW, rowCuts } from './productCuts.js';
import { Random } from './random.js';

export interface GemmReport {
  /** Engine that multiplies typed arrays; also tensors of the cpu device, except for 'javascript'. */
  engine: 'onnxruntime' | 'tfjs-wasm' | 'javascript';
  /** Largest error of the products tried at start, relative to the sum of |a·b| of the entry. */
  selfCheckError: number;
  /** Why the native engine is not used. */
  note?: string;
}

export interface GemmOptions {
  /** A is stored k × m. */
  transA?: boolean;
  /** B is stored n × k. */
  transB?: boolean;
  /** Length m × n, overwritten and returned; must not overlap A or B. */
  out?: Float32Array;
}

let nativeProduct: NativeProduct | undefined;
let state: GemmReport | undefined;

/** C = A · B of plain matrices by another engine, for hosts without ONNX Runtime. */
export type PlainProduct = (a: Float32Array, b: Float32Array, m: number, n: number, k: number) => Float32Array;
let plain: PlainProduct | undefined;

/**
 * Operations that one native call may take, so that interrupts wait at most about half a second; adapted to the
 * measured speed. Where a product is cut cannot change its bits: a row's sums do not depend on the rows beside it.
 */
let pieceFlops = 4e9;
const PIECE_MS = 400;

/** Products with fewer operations are too short to be timed. */
const TIMED_FLOPS = 2e8;

function timed(flops: number, run: () => void): void {
  if (flops < TIMED_FLOPS) return run();
  const start = performance.now();
  run();
  const target = (flops / Math.max(performance.now() - start, 0.1)) * PIECE_MS;
  pieceFlops = Math.max(1e9, 0.7 * pieceFlops + 0.3 * target);
}

/** c = op(a) · op(b): c is m × n, and k numbers are added up for each of its entries. */
interface Product {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly c: Float32Array;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

/**
 * Correct on every host, and what pages have: rows of B are added up in the order they lie in memory, four at a time, a
 * quarter of the loads and stores of C.
 */
function productInJavaScript({ a, b, c, m, n, k, transA, transB }: Product): void {
  const right = transB ? transposed(b, n, k) : b;
  c.fill(0, 0, m * n);
  for (let i = 0; i < m; i++) {
    const to = i * n;
    const at = (p: number): number => (transA ? a[p * m + i] : a[i * k + p]);
    let p = 0;
    for (; p + 4 <= k; p += 4) {
      const [v0, v1, v2, v3] = [at(p), at(p + 1), at(p + 2), at(p + 3)];
      const [r0, r1, r2, r3] = [p * n, (p + 1) * n, (p + 2) * n, (p + 3) * n];
      for (let j = 0; j < n; j++)
        c[to + j] += v0 * right[r0 + j] + v1 * right[r1 + j] + v2 * right[r2 + j] + v3 * right[r3 + j];
    }
    for (; p < k; p++) {
      const v = at(p);
      for (let j = 0; j < n; j++) c[to + j] += v * right[p * n + j];
    }
  }
}

/** rows × cols → cols × rows, in tiles that stay in the cache. */
export function transposed(
  x: Float32Array,
  rows: number,
  cols: number,
  out = new Float32Array(rows * cols),
): Float32Array {
  const TILE = 32;
  for (let r0 = 0; r0 < rows; r0 += TILE) {
    const r1 = Math.min(rows, r0 + TILE);
    for (let c0 = 0; c0 < cols; c0 += TILE) {
      const c1 = Math.min(cols, c0 + TILE);
      for (let c = c0; c < c1; c++) for (let r = r0; r < r1; r++) out[c * rows + r] = x[r * cols + c];
    }
  }
  return out;
}

/**
 * Without ONNX Runtime: by the other engine in row blocks. Transposed operands are copied into order first, since that
 * engine is slow on them.
 */
function productWithout(product: Product, limit: number): void {
  if (!plain) return productInJavaScript(product);
  const { a, b, c, m, n, k, transA, transB } = product;
  const run = plain;
  const left = transA ? transposed(a, k, m) : a;
  const right = transB ? transposed(b, n, k) : b;
  let from = 0;
  for (const to of rowCuts(m, Math.max(2, Math.floor(limit / (2 * n * k))))) {
    const i = from;
    const rows = to - from;
    const block = left.subarray(i * k, to * k);
    timed(2 * rows * n * k, () => c.set(run(block, right, rows, n, k), i * n));
    from = to;
  }
}

/**
 * Above this many columns of the result, copying the transposed left operand into order costs less than reading it
 * transposed.
 */
const TRANSPOSE_FIRST = 1024;
/**
 * Rows a native call works on: their part of A stays in the cores' caches while B's panels pass. Measured on 2 cores
 * with AVX-512: 193 to 230 GFLOP/s in one call of 4,096 rows, 225 to 248 in calls of 512.
 */
const BLOCK_ROWS = 512;
const BLOCK_FLOPS = 2e8;

/** Rows per call of a product of m rows: blocks that suit the caches, and never more than `limit` operations. */
function rowsPerCall(m: number, n: number, k: number, limit: number): number {
  const flops = 2 * n * k;
  const rows = m * flops <= 2 * BLOCK_FLOPS ? m : Math.max(BLOCK_ROWS, Math.ceil(BLOCK_FLOPS / flops));
  return Math.max(2, Math.min(m, rows, Math.floor(limit / flops)));
}

/**
 * Floats of reordered operands that are kept from one product to the next: allocating them costs half as much as
 * filling them.
 */
const KEPT = 2 ** 24;
let kept = new Float32Array(0);

/** Room for `length` values until the next call; it starts with whatever was there. */
function scratch(length: number): Float32Array {
  if (length > KEPT) return new Float32Array(length);
  if (kept.length < length) kept = new Float32Array(length);
  return kept.subarray(0, length);
}

/** One product of two matrices, in row blocks that each take at most about half a second. */
function product2d(product: Product, limit: number): void {
  const native = nativeProduct;
  if (!native) return productWithout(product, limit);
  const { a, b, c, m, n, k, transA, transB } = product;
  const bShape = transB ? [n, k] : [k, n];
  // Results with few columns are summed in another order once A is copied into order, so they stay one call, however
  // long.
  if (transA && n < TRANSPOSE_FIRST && (n <= NARROW || 2 * m * n * k <= limit)) {
    return timed(2 * m * n * k, () => native.multiply([a, [k, m]], [b, bShape], [c, [m, n]], true, transB));
  }
  let left = a;
  if (transA) native.transpose(a, k, m, (left = scratch(m * k)));
  let start = 0;
  for (const end of rowCuts(m, rowsPerCall(m, n, k, limit))) {
    const rows = end - start;
    const from = left.subarray(start * k, end * k);
    const to = c.subarray(start * n, end * n);
    timed(2 * rows * n * k, () => native.multiply([from, [rows, k]], [b, bShape], [to, [rows, n]], false, transB));
    start = end;
  }
}

/** Indices of the slices of A and B for every slice of the broadcast result. */
function broadcastSlices(
  aBatch: readonly number[],
  bBatch: readonly number[],
  cBatch: readonly number[],
): Int32Array[] {
  const total = cBatch.reduce((x, y) => x * y, 1);
  return [aBatch, bBatch].map((batch) => {
    const slices = new Int32Array(total);
    const pad = cBatch.length - batch.length;
    for (let s = 0; s < total; s++) {
      let rest = s;
      let stride = 1;
      for (let d = cBatch.length - 1; d >= 0; d--) {
        const at = rest % cBatch[d];
        rest = (rest - at) / cBatch[d];
        const size = d < pad ? 1 : batch[d - pad];
        if (size !== 1) slices[s] += at * stride;
        stride *= size;
      }
    }
    return slices;
  });
}

/**
 * c = op(a) · op(b) over the last two dimensions, leading ones broadcast; for kernels whose shapes were checked. Arrays
 * must not be views on a SharedArrayBuffer. `limit`: operations per native call, default about half a second's; the
 * result does not depend on it.
 */
export function batchedProduct(
  a: Float32Array,
  aShape: readonly number[],
  b: Float32Array,
  bShape: readonly number[],
  c: Float32Array,
  cShape: readonly number[],
  transA: boolean,
  transB: boolean,
  limit = pieceFlops,
): void {
  const [m, n] = cShape.slice(-2);
  const k = transA ? aShape[aShape.length - 2] : aShape[aShape.length - 1];
  if (c.length === 0) return;
  if (k === 0) {
    c.fill(0);
    return;
  }
  const batches = c.length / (m * n);
  // One B for all slices of A: their rows are rows of one product.
  const stacked = !transA && b.length === k * n && a.length === batches * m * k;
  if (batches === 1 || stacked) return product2d({ a, b, c, m: batches * m, n, k, transA, transB }, limit);
  const flops = 2 * c.length * k;
  const run = nativeProduct;
  if (run && flops <= limit) {
    return timed(flops, () => run.multiply([a, aShape], [b, bShape], [c, cShape], transA, transB));
  }
  const [aSlices, bSlices] = broadcastSlices(aShape.slice(0, -2), bShape.slice(0, -2), cShape.slice(0, -2));
  for (let s = 0; s < batches; s++) {
    const slice = {
      a: a.subarray(aSlices[s] * m * k, (aSlices[s] + 1) * m * k),
      b: b.subarray(bSlices[s] * k * n, (bSlices[s] + 1) * k * n),
      c: c.subarray(s * m * n, (s + 1) * m * n),
    };
    product2d({ ...slice, m, n, k, transA, transB }, limit);
  }
}

/** Whether an array lies in memory that threads share. */
export const isShared = (x: Float32Array): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && (x.buffer as ArrayBufferLike) instanceof SharedArrayBuffer;
/** The array itself, or a copy where it lies in shared memory. */
export const unshared = (x: Float32Array): Float32Array => (isShared(x) ? new Float32Array(x) : x);

/**
 * C[m, n] = op(A)[m, k] · op(B)[k, n], row-major float32, synchronous. Views on SharedArrayBuffers are copied first
 * (the native engine refuses them). Before initGemm() it runs in JavaScript, correct and slow.
 *
 * The same operands give the same bits, whatever the load, the speed and the number of cores; a row of the result is
 * the same among any two or more rows (one row alone is summed in another order). Another processor type may give
 * others.
 *
 * @throws RangeError when an array's length does not fit the sizes
 */
export function gemm(
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  o: GemmOptions = {},
): Float32Array {
  for (const [name, size] of [
    ['m', m],
    ['n', n],
    ['k', k],
  ] as const) {
    if (!Number.isInteger(size) || size < 0)
      throw new RangeError(`gemm: ${name} must be a whole number but is ${size}`);
  }
  const c = o.out ?? new Float32Array(m * n);
  const lengths = [
    ['A', a.length, m, k],
    ['B', b.length, k, n],
    ['out', c.length, m, n],
  ] as const;
  for (const [name, length, rows, cols] of lengths) {
    if (length !== rows * cols) {
      throw new RangeError(`gemm: ${name} of ${rows} × ${cols} needs ${rows * cols} values but got ${length}`);
    }
  }
  const transA = o.transA ?? false;
  const transB = o.transB ?? false;
  const target = isShared(c) ? new Float32Array(m * n) : c;
  batchedProduct(
    unshared(a),
    transA ? [k, m] : [m, k],
    unshared(b),
    transB ? [n, k] : [k, n],
    target,
    [m, n],
    transA,
    transB,
  );
  if (target !== c) c.set(target);
  return c;
}

/**
 * Largest error of a product against float64 sums, relative to the sum of |a·b| of the entry; NaN counts as infinite.
 */
export function productError(
  multiply: (a: Float32Array, b: Float32Array, m: number, n: number, k: number, o: GemmOptions) => Float32Array,
): number {
  const random = new Random(7);
  let worst = 0;
  // Odd sizes reach the edge code of the native kernels; the last has a result wide enough for the transposing path.
  for (const [m, n, k] of [
    [67, 45, 129],
    [1, 17, 5],
    [33, 1, 70],
    [5, 1031, 19],
  ]) {
    for (const [transA, transB] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]) {
      const a = random.normals(new Float32Array(m * k));
      const b = random.normals(new Float32Array(k * n));
      const c = multiply(a, b, m, n, k, { transA, transB });
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          let size = 0;
          for (let p = 0; p < k; p++) {
            const term = a[transA ? p * m + i : i * k + p] * b[transB ? j * k + p : p * n + j];
            sum += term;
            size += Math.abs(term);
          }
          const error = Math.abs(c[i * n + j] - sum) / size;
          worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
        }
      }
    }
  }
  return worst;
}

/** Float32 sums of 129 terms err by about 1e-7 of their size; a wrong product by about 1. */
export const MAX_PRODUCT_ERROR = 1e-5;

/** Loads and checks the native engine, once; falls back to JavaScript and says why in the report. Never throws. */
export function initGemm(): Promise<void> {
  return openGemm();
}

/** As initGemm(), for a worker beside others: its products run on one thread, and come to the same bits. */
export function initGemmOfWorker(): Promise<void> {
  return openGemm(1);
}

function openGemm(threads?: number): Promise<void> {
  if (!state) {
    try {
      nativeProduct = openNativeProduct(threads);
      const error = productError(gemm);
      state = { engine: 'onnxruntime', selfCheckError: error };
      if (!(error < MAX_PRODUCT_ERROR)) throw new Error(`its products are wrong (relative error ${error})`);
    } catch (error) {
      nativeProduct = undefined;
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      state = { engine: 'javascript', selfCheckError: productError(gemm), note: `ONNX Runtime is not used: ${reason}` };
    }
  }
  return Promise.resolve();
}

/** Multiplies by `product` where ONNX Runtime is missing, if it passes the check; gives the new report. */
export function usePlainProduct(product: PlainProduct): GemmReport {
  const before = gemmReport();
  if (before.engine === 'onnxruntime') return before;
  plain = product;
  const error = productError(gemm);
  if (error < MAX_PRODUCT_ERROR) state = { ...before, engine: 'tfjs-wasm', selfCheckError: error };
  else plain = undefined;
  return gemmReport();
}

/** Whether products are ONNX Runtime's, which workers can open too; false before initGemm(). */
export const hasNativeProduct = (): boolean => nativeProduct !== undefined;

/** The engine in use and its check; throws before initGemm(). */
export function gemmReport(): GemmReport {
  if (!state) throw new Error('gemmReport() before initGemm(): call initDevice() first');
  return state;
}
