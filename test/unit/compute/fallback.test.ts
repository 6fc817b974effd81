import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NativeProduct } from '#kernel/compute/nativeProduct.js';
import { Random } from '#kernel/compute/random.js';

const ort = vi.hoisted(() => ({ open: (): unknown => undefined }));
vi.mock('#kernel/compute/nativeProduct.js', async (actual) => ({
  ...(await actual<object>()),
  openNativeProduct: () => ort.open(),
}));

async function start() {
  const { initDevice } = await import('#kernel/compute/device.js');
  const { gemm } = await import('#kernel/compute/gemm.js');
  const { tf } = await import('#kernel/compute/tf.js');
  return { report: await initDevice({ device: 'cpu' }), gemm, tf };
}

/** (2 × 3) · (3 × 2), A and B also turned. */
const A = Float32Array.of(1, 2, 3, 4, 5, 6);
const At = Float32Array.of(1, 4, 2, 5, 3, 6);
const B = Float32Array.of(1, 0, 2, 1, 0, 3);
const Bt = Float32Array.of(1, 2, 0, 0, 1, 3);
const C = [5, 11, 14, 23];

beforeEach(() => vi.resetModules());
afterEach(() => vi.restoreAllMocks());

describe('without ONNX Runtime', () => {
  it('the cpu device says so and its products are right', async () => {
    ort.open = () => {
      throw new Error('no binary for this platform\nmore lines');
    };
    const { report, gemm, tf } = await start();
    expect(report.gemm.engine).toBe('tfjs-wasm');
    expect(report.gemm.selfCheckError).toBeLessThan(1e-6);
    expect(report.notes).toEqual(['ONNX Runtime is not used: no binary for this platform']);
    expect(report.description).toContain('plain tfjs-wasm');
    expect([...gemm(A, B, 2, 2, 3)]).toEqual(C);
    expect([...gemm(At, Bt, 2, 2, 3, { transA: true, transB: true })]).toEqual(C);
    expect([...tf.matMul(tf.tensor2d(A, [2, 3]), tf.tensor2d(Bt, [2, 3]), false, true).dataSync()]).toEqual(C);
  });

  it('typed arrays are multiplied before any device has started', async () => {
    ort.open = () => {
      throw new Error('none');
    };
    const { gemm, initGemm, gemmReport } = await import('#kernel/compute/gemm.js');
    expect(() => gemmReport()).toThrow('initDevice');
    expect([...gemm(At, B, 2, 2, 3, { transA: true })]).toEqual(C);
    await initGemm();
    expect(gemmReport()).toMatchObject({ engine: 'javascript' });
    expect([...gemm(A, Bt, 2, 2, 3, { transB: true })]).toEqual(C);
  });
});

it("tfjs-wasm's products have the same bits wherever their rows are cut", async () => {
  ort.open = () => {
    throw new Error('none');
  };
  await start();
  const { batchedProduct } = await import('#kernel/compute/gemm.js');
  const random = new Random(9);
  const [m, n, k] = [13, 21, 300];
  const [a, b] = [random.normals(new Float32Array(m * k)), random.normals(new Float32Array(k * n))];
  const by = (rows: number): Float32Array => {
    const c = new Float32Array(m * n).fill(NaN);
    batchedProduct(a, [m, k], b, [k, n], c, [m, n], false, false, 2 * rows * n * k);
    return c;
  };
  for (const rows of [1, 2, 3, 4, 5, 6, 12]) expect(by(rows), `${rows} rows`).toEqual(by(m));
});

describe('a native product that is wrong', () => {
  it.each([
    ['everywhere', () => true],
    ['for one transposition only', (transA: boolean, transB: boolean) => transA && transB],
  ])('%s is refused at start', async (_name, wrong) => {
    const multiply: NativeProduct['multiply'] = ([a, aShape], [b], [c, [m, n]], tA, tB) => {
      const k = tA ? aShape[0] : aShape[1];
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = wrong(tA, tB) ? 0.01 : 0;
          for (let p = 0; p < k; p++) sum += a[tA ? p * m + i : i * k + p] * b[tB ? j * k + p : p * n + j];
          c[i * n + j] = sum;
        }
    };
    const transpose: NativeProduct['transpose'] = (x, rows, cols, out) => {
      for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = x[r * cols + c];
    };
    ort.open = () => ({ multiply, transpose });
    const { report, gemm } = await start();
    expect(report.gemm.engine).toBe('tfjs-wasm');
    expect(report.notes[0]).toMatch(/its products are wrong \(relative error/);
    expect([...gemm(At, Bt, 2, 2, 3, { transA: true, transB: true })]).toEqual(C);
  });
});
