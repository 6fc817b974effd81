import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import os from 'node:os';
import { initGemm } from '#kernel/compute/gemm.js';
import { openNativeProduct, type NativeProduct } from '#kernel/compute/nativeProduct.js';
import { rowCuts } from '#kernel/compute/productCuts.js';
import { Random } from '#kernel/compute/random.js';

beforeAll(initGemm);
afterEach(() => vi.restoreAllMocks());

const random = new Random(11);
const normals = (n: number): Float32Array => random.normals(new Float32Array(n));
const THREADS = [1, 2, 3, 4, 16];

const different = (x: Float32Array, y: Float32Array): number =>
  x.reduce((count, v, i) => count + (Object.is(v, y[i]) ? 0 : 1), 0);

describe('the native product', () => {
  /** Rows or columns few enough for shares of one row, or of so few columns that sums run over longer blocks of k. */
  const sizes = [
    [3, 5, 700],
    [2, 3, 700],
    [3, 2, 700],
    [64, 48, 700],
    [8, 80, 700],
    [8, 100, 700],
    [8, 160, 700],
    [8, 512, 700],
    [120, 150, 3000],
    [300, 200, 700],
    [1001, 30, 500],
    [5, 768, 3072],
    [1, 768, 3072],
    [1, 200, 700],
    [1003, 1, 768],
    [4095, 1, 768],
    [10, 200, 100],
  ];
  let products: NativeProduct[];
  beforeAll(() => {
    products = THREADS.map((threads) => openNativeProduct(threads));
  });

  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('has the same bits by 1, 2, 3, 4 and 16 threads, transposed %s %s', (transA, transB) => {
    for (const [m, n, k] of sizes) {
      const [a, b] = [normals(m * k), normals(k * n)];
      const results = products.map((product) => {
        const c = new Float32Array(m * n).fill(NaN);
        product.multiply([a, transA ? [k, m] : [m, k]], [b, transB ? [n, k] : [k, n]], [c, [m, n]], transA, transB);
        return c;
      });
      for (const [i, c] of results.entries())
        expect(different(c, results[0]), `${m} × ${k} × ${n} by ${THREADS[i]} threads`).toBe(0);
    }
  });

  it('has the same bits for batches', () => {
    const [m, n, k] = [6, 90, 300];
    const [a, b] = [normals(3 * m * k), normals(3 * k * n)];
    const results = products.map((product) => {
      const c = new Float32Array(3 * m * n).fill(NaN);
      product.multiply([a, [3, m, k]], [b, [3, k, n]], [c, [3, m, n]], false, false);
      return c;
    });
    for (const c of results) expect(different(c, results[0])).toBe(0);
  });
});

describe('operators of models', () => {
  /** Results of `compute` with a fresh module on hosts of 1, 2 and 4 cores. */
  async function onCores(compute: (ops: typeof import('#kernel/models/nativeOps.js')) => Float32Array) {
    const results: Float32Array[] = [];
    for (const cores of [1, 2, 4]) {
      vi.resetModules();
      vi.spyOn(os, 'availableParallelism').mockReturnValue(cores);
      const { initGemm: start } = await import('#kernel/compute/gemm.js');
      await start();
      results.push(compute(await import('#kernel/models/nativeOps.js')));
    }
    return results;
  }

  const width = 96;
  const x = normals(1003 * width);
  const [w, b] = [normals(width), normals(width)];
  const packed = normals(width * 200);

  it.each<[string, (ops: typeof import('#kernel/models/nativeOps.js')) => Float32Array]>([
    ['FastGelu', (ops) => unary(ops.checkedUnary('FastGelu', (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))))], // prettier-ignore
    [
      'LayerNorm',
      (ops) => {
        const y = new Float32Array(x.length).fill(NaN);
        ops.nativeLayerNorm(1e-5)!(x, w, b, y);
        return y;
      },
    ],
    [
      'attention',
      (ops) => {
        const shape = { batch: 2, length: 50, heads: 4, dHead: 8 };
        const size = 2 * 50 * 32;
        const mask = Float32Array.from({ length: 2500 }, (_, i) => (i % 50 > i / 50 ? -Infinity : 0));
        const z = new Float32Array(size).fill(NaN);
        ops.nativeAttention(4, 0.3)!(x.subarray(0, size), x.subarray(size, 2 * size), x.subarray(2 * size, 3 * size), mask, z, shape); // prettier-ignore
        return z;
      },
    ],
    [
      'a packed layer',
      (ops) => {
        const layer = ops.checkedLinear(packed, undefined, { input: width, output: 200, outIn: false })!;
        const y = new Float32Array(1003 * 200).fill(NaN);
        layer.run(x, y);
        layer.close();
        return y;
      },
    ],
  ])('%s has the same bits on hosts of 1, 2 and 4 cores', async (_name, compute) => {
    const results = await onCores(compute);
    expect(results[0].some(Number.isNaN)).toBe(false);
    for (const y of results) expect(different(y, results[0])).toBe(0);
  });

  it('LayerNorm of a row does not depend on the rows beside it', async () => {
    const { nativeLayerNorm } = await import('#kernel/models/nativeOps.js');
    const run = nativeLayerNorm(1e-5)!;
    const whole = new Float32Array(x.length);
    run(x, w, b, whole);
    for (const rows of [1, 2, 3, 4, 5, 514]) {
      const y = new Float32Array(rows * width);
      run(x.subarray(7 * width, (7 + rows) * width), w, b, y);
      expect(different(y, whole.subarray(7 * width, (7 + rows) * width)), `${rows} rows`).toBe(0);
    }
  });

  it('a packed layer gives a row the same bits wherever it lies', async () => {
    const { checkedLinear } = await import('#kernel/models/nativeOps.js');
    const layer = checkedLinear(packed, undefined, { input: width, output: 200, outIn: true })!;
    const whole = new Float32Array(1003 * 200);
    layer.run(x, whole);
    for (const rows of [1, 2, 3, 257]) {
      const y = new Float32Array(rows * 200);
      layer.run(x.subarray(7 * width, (7 + rows) * width), y);
      expect(different(y, whole.subarray(7 * 200, (7 + rows) * 200)), `${rows} rows`).toBe(0);
    }
    layer.close();
  });

  function unary(run: ((a: Float32Array, c: Float32Array) => void) | undefined): Float32Array {
    const y = new Float32Array(x.length).fill(NaN);
    run!(x, y);
    return y;
  }
});

describe('rowCuts', () => {
  it('cuts into even blocks and leaves no single row', () => {
    for (const m of [1, 2, 3, 4, 5, 7, 513, 1025])
      for (const step of [1, 2, 3, 512, 2000]) {
        const ends = rowCuts(m, step);
        const sizes = ends.map((end, i) => end - (ends[i - 1] ?? 0));
        expect(ends[ends.length - 1]).toBe(m);
        expect(Math.min(...sizes)).toBeGreaterThanOrEqual(Math.min(2, m));
        expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.max(step, 3));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
  });
});
