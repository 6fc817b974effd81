import { beforeAll, expect, it } from 'vitest';
import { initDevice } from '../../../src/kernel/compute/device.js';
import { gemmReport } from '../../../src/kernel/compute/gemm.js';
import { checkedUnary } from '../../../src/kernel/models/nativeOps.js';
import { erf } from './reference.js';

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

it('is not used when it does not agree with the reference', () => {
  expect(checkedUnary('FastGelu', (x) => Math.max(0, x))).toBeUndefined();
});
