import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '../../../src/kernel/compute/device.js';
import { tf } from '../../../src/kernel/compute/tf.js';

beforeAll(async () => {
  await initDevice({ device: 'cpu' });
});

describe('kernels that tfjs-wasm has wrong', () => {
  it('cumulative sums count axes from the end', () => {
    const x = tf.range(0, 24).reshape([2, 3, 4]);
    for (const axis of [0, 1, 2]) {
      expect(tf.cumsum(x, axis - 3).arraySync()).toEqual(tf.cumsum(x, axis).arraySync());
      expect(tf.cumprod(x, axis - 3).arraySync()).toEqual(tf.cumprod(x, axis).arraySync());
    }
    expect(tf.cumsum(tf.tensor2d([[1, 2], [3, 4]]), -2).arraySync()).toEqual([[1, 2], [4, 6]]); // prettier-ignore
    expect(() => tf.cumsum(x, 3)).toThrow('axis 3');
  });

  it('gather within batches of another length than the indices', () => {
    const x = tf.tensor2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]]); // prettier-ignore
    const indices = tf.tensor2d([[0, 1], [1, 2], [2, 2]], [3, 2], 'int32'); // prettier-ignore
    expect(tf.gather(x, indices, 1, 1).arraySync()).toEqual([[1, 2], [5, 6], [9, 9]]); // prettier-ignore
  });

  it('gather rows, columns and by matrices, wide and narrow', () => {
    const x = tf.range(0, 60).reshape([3, 20]);
    const at = tf.tensor1d([2, 0], 'int32');
    expect(tf.gather(x, at).dataSync()).toEqual(
      Float32Array.from([...Array(20).keys()].map((i) => 40 + i).concat([...Array(20).keys()])),
    );
    expect(tf.gather(x, at, -1).arraySync()).toEqual([[2, 0], [22, 20], [42, 40]]); // prettier-ignore
    expect(tf.gather(x.toInt(), tf.tensor2d([[1], [2]], [2, 1], 'int32')).shape).toEqual([2, 1, 20]);
    expect(tf.gather(x, tf.tensor1d([], 'int32')).shape).toEqual([0, 20]);
    expect(() => tf.gather(x, tf.tensor1d([3], 'int32'))).toThrow('index 3 is not in 0 … 2');
  });

  it('cast to bool: everything but zero is true', () => {
    expect([...tf.tensor1d([0.5, 0, -0, 256, NaN, -1]).toBool().dataSync()]).toEqual([1, 0, 0, 1, 1, 1]);
    expect([...tf.tensor1d([256, 0, -3], 'int32').toBool().dataSync()]).toEqual([1, 0, 1]);
  });

  it('select among bools', () => {
    const bools = (...v: number[]): ReturnType<typeof tf.tensor1d> => tf.tensor1d(v, 'bool');
    expect([...tf.where(bools(1, 0, 1, 0, 1), bools(1, 1, 0, 0, 1), bools(0, 1, 1, 0, 0)).dataSync()]).toEqual([
      1, 1, 0, 0, 1,
    ]);
  });

  it('prelu with an alpha of any shape that broadcasts', () => {
    const x = tf.tensor2d([[-1], [2]]);
    expect(tf.prelu(x, tf.tensor2d([[0.5, 0.25]])).arraySync()).toEqual([[-0.5, -0.25], [2, 2]]); // prettier-ignore
  });
});

describe('memory of the cpu device', () => {
  it('is refused with the numbers when it runs out, instead of overwriting', () => {
    const before = tf.memory().numTensors;
    expect(() => tf.zeros([1 << 15, 1 << 15]).add(1)).toThrow(/no memory for a tensor of 4.00 GB/);
    expect(tf.add(1, 1).dataSync()[0]).toBe(2);
    expect(tf.memory().numTensors - before).toBeLessThan(5);
  });
});
