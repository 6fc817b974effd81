import { beforeAll, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { gemmReport } from '#kernel/compute/gemm.js';
import { setMemoryBudget } from '#kernel/compute/memory.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';
import { PackedWeights } from '#kernel/models/packedWeights.js';
import { checkedLinear, checkedUnary, nativeAttention, nativeLayerNorm } from '#kernel/models/nativeOps.js';
import { erf } from '#test/kit/referenceModel.js';

const tanhGelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const exactGelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

beforeAll(async () => {
  await initDevice();
});
it.each([
  ['FastGelu', tanhGelu],
  ['Gelu', exactGelu],
] as const)('%s agrees with float64 within 1e-6, passes NaN on, and is 0 or x far out', (op, reference) => {
  if (gemmReport().engine !== 'onnxruntime') return;
  const native = checkedUnary(op, reference);
  expect(native).toBeDefined();
  const x = Float32Array.from({ length: 4001 }, (_, i) => -8 + i / 250);
  const y = new Float32Array(x.length);
  native?.(x, y);
  x.forEach((value, i) =>
    expect(Math.abs(y[i] - reference(value)), String(value)).toBeLessThan(1e-6 * Math.max(1, Math.abs(value))),
  );
  const ends = new Float32Array(3);
  native?.(Float32Array.of(NaN, -1e4, 1e4), ends);
  expect(Number.isNaN(ends[0])).toBe(true);
  expect(ends[1]).toBeCloseTo(0, 6);
  expect(ends[2]).toBe(1e4);
});

it('a native operation is not used when it does not agree with the reference', () => {
  expect(checkedUnary('FastGelu', (x) => Math.max(0, x))).toBeUndefined();
});

const normals = (seed: number, n: number): Float32Array => new Random(seed).normals(new Float32Array(n));

it.each([
  [true, true],
  [true, false],
  [false, true],
  [false, false],
])('a packed linear layer agrees with float64 sums, weight [out, in] %s, bias %s', (outIn, withBias) => {
  if (gemmReport().engine !== 'onnxruntime') return;
  const [rows, input, output] = [515, 37, 21]; // more than two blocks of rows
  const [x, weight] = [normals(1, rows * input), normals(2, input * output)];
  const bias = withBias ? normals(3, output) : undefined;
  const layer = checkedLinear(weight, bias, { input, output, outIn });
  const y = new Float32Array(rows * output).fill(NaN);
  const w = Float32Array.from(weight);
  weight.fill(NaN); // the layer has a copy
  layer?.run(x, y);
  let worst = 0;
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < output; o++) {
      let sum = bias?.[o] ?? 0;
      for (let i = 0; i < input; i++) sum += x[r * input + i] * w[outIn ? o * input + i : i * output + o];
      worst = Math.max(worst, Math.abs(y[r * output + o] - sum));
      if (Number.isNaN(y[r * output + o])) worst = Infinity;
    }
  }
  expect(worst).toBeLessThan(2e-5);
  layer?.close();
});

it.each([0, 1, 100, 10_000, -10_000])('LayerNorm keeps its digits where the mean is %d', (offset) => {
  const native = nativeLayerNorm(1e-5);
  if (gemmReport().engine !== 'onnxruntime') return;
  const [rows, width] = [7, 301];
  const x = normals(4, rows * width).map((v) => offset + v);
  const [w, b] = [normals(5, width), normals(6, width)];
  const y = new Float32Array(x.length).fill(NaN);
  native?.(x, w, b, y);
  for (let r = 0; r < rows; r++) {
    const row = Array.from(x.subarray(r * width, (r + 1) * width));
    const mean = row.reduce((sum, v) => sum + v, 0) / width;
    const scale = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width + 1e-5);
    const worst = row.reduce(
      (m, v, i) => Math.max(m, Math.abs(y[r * width + i] - ((v - mean) * scale * w[i] + b[i]))),
      0,
    );
    expect(worst).toBeLessThan(1e-5);
    expect(y.subarray(r * width, (r + 1) * width).some(Number.isNaN)).toBe(false);
  }
});

it('attention in several calls is that of each sequence alone, and a NaN stays in its sequence', () => {
  const native = nativeAttention(2, 0.5);
  if (gemmReport().engine !== 'onnxruntime') return;
  const shape = { batch: 3, length: 1100, heads: 2, dHead: 3 }; // 2.4 million scores a sequence: one a call
  const size = shape.length * shape.heads * shape.dHead;
  const [q, k, v] = [7, 8, 9].map((seed) => normals(seed, shape.batch * size));
  const { length } = shape;
  const mask = Float32Array.from({ length: length * length }, (_, i) => (i % length > i / length ? -Infinity : 0));
  const whole = new Float32Array(q.length);
  native?.(q, k, v, mask, whole, shape);
  for (let b = 0; b < shape.batch; b++) {
    const of = (x: Float32Array): Float32Array => x.slice(b * size, (b + 1) * size);
    const alone = new Float32Array(size);
    native?.(of(q), of(k), of(v), mask, alone, { ...shape, batch: 1 });
    expect(of(whole)).toEqual(alone);
    expect(alone.subarray(0, 6)).toEqual(of(v).subarray(0, 6)); // the first token sees itself alone
  }
  q[size] = NaN; // the second sequence, its first token and head
  native?.(q, k, v, mask, whole, shape);
  expect(whole.findIndex(Number.isNaN)).toBe(size);
  expect(whole.subarray(size + 3).some(Number.isNaN)).toBe(false);
});

it('layers that memory does not let the model keep packed give the same bits', ({ skip }) => {
  if (gemmReport().engine !== 'onnxruntime') skip('ONNX Runtime is not used here');
  const [rows, input, output] = [515, 300, 70];
  const weight = tf.tensor2d(normals(5, input * output), [input, output]);
  const x = normals(6, rows * input);
  const results = [2 ** 30, 1].map((budget) => {
    const packed = new PackedWeights();
    setMemoryBudget(budget);
    try {
      const y = new Float32Array(rows * output).fill(NaN);
      const layer = packed.layer('w', weight, undefined, false, rows);
      for (let pass = 0; pass < 2; pass++) layer?.run(x, y);
      return y;
    } finally {
      setMemoryBudget(undefined);
      packed.dispose();
    }
  });
  expect(results[0].some(Number.isNaN)).toBe(false);
  expect(results[1]).toEqual(results[0]);
  weight.dispose();
});
