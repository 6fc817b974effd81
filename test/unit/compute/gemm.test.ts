import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { batchedProduct, gemm, gemmReport } from '#kernel/compute/gemm.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';

beforeAll(async () => {
  await initDevice({ device: 'cpu' });
});

const random = new Random(3);
const normals = (n: number): Float32Array => random.normals(new Float32Array(n));

function reference(
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA = false,
  transB = false,
): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let p = 0; p < k; p++) c[i * n + j] += a[transA ? p * m + i : i * k + p] * b[transB ? j * k + p : p * n + j];
  return c;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-4): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
  }
  expect(worst).toBeLessThan(tolerance);
}

const flags = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe('gemm', () => {
  it('runs on the native engine here, with its self-check passed', () => {
    expect(gemmReport()).toMatchObject({ engine: 'onnxruntime' });
    expect(gemmReport().selfCheckError).toBeLessThan(1e-6);
  });

  it.each(flags)('agrees with float64 sums, transposed %s %s', (transA, transB) => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [7, 13, 5],
      [64, 33, 100],
      [130, 1, 17],
      [1, 130, 17],
      [19, 2050, 40],
    ]) {
      const a = normals(m * k);
      const b = normals(k * n);
      expectClose(gemm(a, b, m, n, k, { transA, transB }), reference(a, b, m, n, k, transA, transB));
    }
  });

  it.each(flags)('is the same when cut into row blocks, transposed %s %s', (transA, transB) => {
    const [m, n, k] = [23, 11, 9];
    const a = normals(m * k);
    const b = normals(k * n);
    const shapes = [transA ? [k, m] : [m, k], transB ? [n, k] : [k, n]];
    for (const rows of [1, 4, 22]) {
      const c = new Float32Array(m * n).fill(NaN);
      batchedProduct(a, shapes[0], b, shapes[1], c, [m, n], transA, transB, 2 * rows * n * k);
      expectClose(c, reference(a, b, m, n, k, transA, transB));
    }
  });

  it.each(flags)('has the same bits wherever the rows are cut, transposed %s %s', (transA, transB) => {
    for (const [m, n, k] of [
      [13, 5, 700],
      [13, 64, 300],
      [9, 70, 300],
      [25, 90, 300],
      [7, 200, 130],
      [5, 1100, 300],
      [517, 3, 129],
      [257, 1, 300],
      [3, 1, 5],
    ]) {
      const [a, b] = [normals(m * k), normals(k * n)];
      const shapes = [transA ? [k, m] : [m, k], transB ? [n, k] : [k, n]];
      const by = (limit?: number): Float32Array => {
        const c = new Float32Array(m * n).fill(NaN);
        batchedProduct(a, shapes[0], b, shapes[1], c, [m, n], transA, transB, limit);
        return c;
      };
      const whole = by();
      for (const rows of [1, 2, 3, 5, m - 1, m])
        expect(by(2 * rows * n * k), `${m} × ${k} × ${n} by ${rows}`).toEqual(whole);
      if (transA) continue;
      // Rows among others, and among fewer.
      for (let from = 0; from + 2 <= m; from += Math.max(2, m >> 2)) {
        const some = gemm(a.subarray(from * k, (from + 2) * k), b, 2, n, k, { transB });
        expect(some, `rows ${from} and ${from + 1}`).toEqual(whole.subarray(from * n, (from + 2) * n));
      }
    }
  });

  it.each(flags)('agrees with float64 sums above the size of one native call, transposed %s %s', (transA, transB) => {
    const [m, n, k] = [611, 1030, 600];
    const [a, b] = [normals(m * k), normals(k * n)];
    const c = gemm(a, b, m, n, k, { transA, transB });
    for (const i of [0, 255, 256, 511, 512, 610]) {
      const row = Float32Array.from({ length: k }, (_, p) => a[transA ? p * m + i : i * k + p]);
      expectClose(c.subarray(i * n, (i + 1) * n), reference(row, b, 1, n, k, false, transB), 1e-3);
    }
  });

  it('writes into out and returns it', () => {
    const out = new Float32Array(4).fill(NaN);
    expect(gemm(Float32Array.of(1, 2, 3, 4), Float32Array.of(1, 0, 0, 1), 2, 2, 2, { out })).toBe(out);
    expect([...out]).toEqual([1, 2, 3, 4]);
  });

  it('takes views with an offset and views on shared memory', () => {
    const a = new Float32Array(new SharedArrayBuffer(4 * 6));
    a.set([1, 2, 3, 4, 5, 6]);
    const b = Float32Array.of(9, 9, 1, 0, 0, 1, 1, 1).subarray(2);
    const out = new Float32Array(new SharedArrayBuffer(16));
    expect([...gemm(a, b, 2, 2, 3, { out })]).toEqual([4, 5, 10, 11]);
  });

  it('gives zeros for an empty inner dimension and nothing for an empty result', () => {
    expect([...gemm(new Float32Array(0), new Float32Array(0), 2, 2, 0, { out: new Float32Array(4).fill(7) })]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(gemm(new Float32Array(0), new Float32Array(6), 0, 2, 3)).toHaveLength(0);
  });

  it('refuses arrays that do not fit the sizes', () => {
    expect(() => gemm(new Float32Array(5), new Float32Array(6), 2, 2, 3)).toThrow(
      'gemm: A of 2 × 3 needs 6 values but got 5',
    );
    expect(() => gemm(new Float32Array(6), new Float32Array(6), 2, 2, 3, { out: new Float32Array(3) })).toThrow(
      'out of 2 × 2',
    );
    expect(() => gemm(new Float32Array(6), new Float32Array(6), 2.5, 2, 3)).toThrow('m must be a whole number');
  });

  it('keeps NaN and infinity of the input visible', () => {
    const c = gemm(Float32Array.of(NaN, 1, Infinity, 1), Float32Array.of(1, 0, 1, 0), 2, 2, 2);
    expect(c[0]).toBeNaN();
    expect(c[2]).toBe(Infinity);
  });
});

describe('batched products', () => {
  it.each(flags)('broadcast leading dimensions, transposed %s %s', (transA, transB) => {
    const [m, n, k] = [5, 7, 3];
    for (const [aBatch, bBatch, cBatch] of [
      [[4], [4], [4]],
      [
        [2, 1],
        [1, 3],
        [2, 3],
      ],
      [[], [6], [6]],
      [[2, 3], [3], [2, 3]],
      [[1], [5], [5]],
    ]) {
      const size = (s: number[]): number => s.reduce((x, y) => x * y, 1);
      const a = normals(size(aBatch) * m * k);
      const b = normals(size(bBatch) * n * k);
      const aShape = [...aBatch, ...(transA ? [k, m] : [m, k])];
      const bShape = [...bBatch, ...(transB ? [n, k] : [k, n])];
      const c = tf.matMul(tf.tensor(a, aShape), tf.tensor(b, bShape), transA, transB);
      expect(c.shape).toEqual([...cBatch, m, n]);
      const data = c.dataSync();
      const sliceOf = (batch: number[], s: number): number => {
        let at = 0;
        let rest = s;
        let stride = 1;
        for (let d = 1; d <= cBatch.length; d++) {
          const full = cBatch[cBatch.length - d];
          const own = batch[batch.length - d] ?? 1;
          at += (own === 1 ? 0 : rest % full) * stride;
          stride *= own;
          rest = Math.floor(rest / full);
        }
        return at;
      };
      for (let s = 0; s < size(cBatch); s++) {
        const i = sliceOf(aBatch, s) * m * k;
        const j = sliceOf(bBatch, s) * n * k;
        const expected = reference(a.subarray(i, i + m * k), b.subarray(j, j + n * k), m, n, k, transA, transB);
        expectClose(data.subarray(s * m * n, (s + 1) * m * n), expected);
      }
    }
  });

  it('are the same slice by slice, when one call would take too long', () => {
    const [m, n, k] = [4, 3, 5];
    const a = normals(2 * m * k);
    const b = normals(3 * k * n);
    const whole = new Float32Array(6 * m * n);
    const cut = new Float32Array(6 * m * n);
    batchedProduct(a, [2, 1, m, k], b, [1, 3, k, n], whole, [2, 3, m, n], false, false);
    batchedProduct(a, [2, 1, m, k], b, [1, 3, k, n], cut, [2, 3, m, n], false, false, 1);
    expect(cut).toEqual(whole);
    // One matrix on the right for all slices on the left, of a single row each.
    for (const limit of [undefined, 1]) {
      const stacked = new Float32Array(2 * n);
      batchedProduct(a.subarray(0, 2 * k), [2, 1, k], b.subarray(0, k * n), [1, k, n], stacked, [2, 1, n], false, false, limit); // prettier-ignore
      expect(stacked).toEqual(gemm(a.subarray(0, 2 * k), b.subarray(0, k * n), 2, n, k));
    }
  });
});

describe('tensor products on the cpu device', () => {
  it('handle empty dimensions', () => {
    expect(tf.matMul(tf.zeros([0, 3]), tf.zeros([3, 2])).shape).toEqual([0, 2]);
    expect([...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])).dataSync()]).toEqual([0, 0, 0, 0]);
  });

  it('survive growth of the heap between operands and result', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const a = tf.ones([1024, 8]);
      const b = tf.ones([8, 60_000]);
      expect(tf.matMul(a, b).slice([1023, 59_990], [1, 10]).dataSync()).toEqual(new Float32Array(10).fill(8));
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid'] as const)('honour a fused bias and %s', (activation) => {
    const [m, n, k] = [6, 5, 4];
    const a = normals(m * k);
    const b = normals(k * n);
    const bias = normals(n);
    const f = {
      linear: (x: number) => x,
      relu: (x: number) => Math.max(0, x),
      relu6: (x: number) => Math.min(6, Math.max(0, x)),
      elu: (x: number) => (x > 0 ? x : Math.exp(x) - 1),
      sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
    }[activation];
    const fused = tf.fused.matMul({
      a: tf.tensor2d(a, [m, k]),
      b: tf.tensor2d(b, [k, n]),
      bias: tf.tensor1d(bias),
      activation,
    });
    expectClose(
      fused.dataSync(),
      reference(a, b, m, n, k).map((x, i) => f(x + bias[i % n])),
    );
  });

  it('honour fused prelu, leaky relu and a bias of full shape', () => {
    const a = tf.tensor2d([1, -2], [2, 1]);
    const b = tf.tensor2d([3, 4], [1, 2]);
    const prelu = tf.fused.matMul({ a, b, activation: 'prelu', preluActivationWeights: tf.tensor1d([0.5, 0.25]) });
    expect([...prelu.dataSync()]).toEqual([3, 4, -3, -2]);
    const leaky = tf.fused.matMul({ a, b, activation: 'leakyrelu', leakyreluAlpha: 0.5 });
    expect([...leaky.dataSync()]).toEqual([3, 4, -3, -4]);
    const bias = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    expect([...tf.fused.matMul({ a, b, bias }).dataSync()]).toEqual([4, 6, -3, -4]);
  });

  it('refuse integers with a way out', () => {
    expect(() => tf.matMul(tf.ones([2, 2], 'int32'), tf.ones([2, 2], 'int32'))).toThrow('float32');
  });
});
