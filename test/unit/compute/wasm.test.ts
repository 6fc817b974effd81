import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';

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

describe('sums and means on the cpu device', () => {
  it('are float64 inside: a million times 0.1', () => {
    const x = tf.fill([1_000_000], 0.1);
    const exact = 1e6 * Math.fround(0.1);
    expect(x.sum().dataSync()[0]).toBe(Math.fround(exact));
    expect(x.mean().dataSync()[0]).toBe(Math.fround(0.1));
    expect(x.reshape([1000, 1000]).sum(0).dataSync()[999]).toBe(Math.fround(exact / 1000));
    expect(x.logSumExp().dataSync()[0]).toBeCloseTo(Math.log(1e6) + 0.1, 4);
  });

  it('agree with loops for every choice of axes', () => {
    const shape = [2, 3, 4, 5];
    const data = Float32Array.from({ length: 120 }, (_, i) => Math.sin(i * i));
    const x = tf.tensor(data, shape);
    for (let mask = 1; mask < 16; mask++) {
      const axes = [0, 1, 2, 3].filter((a) => mask & (1 << a));
      const kept = [0, 1, 2, 3].filter((a) => !axes.includes(a));
      const expected = new Float64Array(kept.reduce((p, a) => p * shape[a], 1));
      for (let i = 0; i < 120; i++) {
        const at = [Math.floor(i / 60), Math.floor(i / 20) % 3, Math.floor(i / 5) % 4, i % 5];
        expected[kept.reduce((p, a) => p * shape[a] + at[a], 0)] += data[i];
      }
      const negative = axes.map((a) => a - 4);
      const sum = tf.sum(x, negative);
      expect(sum.shape).toEqual(kept.map((a) => shape[a]));
      sum.dataSync().forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(1e-6));
      const mean = tf.mean(x, axes, true);
      expect(mean.shape).toEqual(shape.map((d, a) => (axes.includes(a) ? 1 : d)));
      mean.dataSync().forEach((v, i) => expect(Math.abs(v - (expected[i] * expected.length) / 120)).toBeLessThan(1e-6));
    }
  });

  it('keep types: integers stay whole, bools are counted', () => {
    expect(tf.sum(tf.tensor1d([2 ** 30, 2 ** 30 - 1], 'int32'))).toMatchObject({ dtype: 'int32' });
    expect(tf.sum(tf.tensor1d([1, 0, 1, 1], 'bool')).dataSync()[0]).toBe(3);
    expect(tf.mean(tf.tensor1d([1, 2], 'int32')).dataSync()[0]).toBe(1.5);
    expect(tf.sum(tf.scalar(4)).dataSync()[0]).toBe(4);
  });
});

describe('reductions of nothing', () => {
  it('give the identity, not the memory of others', () => {
    const x = tf.zeros([0, 3]);
    expect([...tf.sum(x, 0).dataSync()]).toEqual([0, 0, 0]);
    expect([...tf.prod(x, 0).dataSync()]).toEqual([1, 1, 1]);
    expect([...tf.max(x, 0).dataSync()]).toEqual([-Infinity, -Infinity, -Infinity]);
    expect([...tf.min(x, 0).dataSync()]).toEqual([Infinity, Infinity, Infinity]);
    expect([...tf.mean(x, 0).dataSync()]).toEqual([NaN, NaN, NaN]);
    expect([...tf.all(x.toBool(), 0).dataSync()]).toEqual([1, 1, 1]);
    expect([...tf.any(x.toBool(), 0).dataSync()]).toEqual([0, 0, 0]);
    expect(tf.sum(x, 1).shape).toEqual([0]);
  });
});

describe('NaN on the cpu device', () => {
  it('is not hidden by clipping', () => {
    const x = tf.tensor1d([NaN, -1, 0.5, 9]);
    expect([...x.clipByValue(0, 1).dataSync()]).toEqual([NaN, 0, 0.5, 1]);
    expect([...tf.relu6(x).dataSync()]).toEqual([NaN, 0, 0.5, 6]);
    expect([...tf.relu(x).dataSync()]).toEqual([NaN, 0, 0.5, 9]);
  });
});

describe('softmax over a large vocabulary', () => {
  it('agrees with float64', () => {
    const n = 50_257;
    const x = Float32Array.from({ length: n }, (_, i) => 5 * Math.sin(i));
    const total = x.reduce((s, v) => s + Math.exp(v), 0);
    const p = tf.softmax(tf.tensor1d(x)).dataSync();
    const logp = tf.logSoftmax(tf.tensor1d(x)).dataSync();
    for (let i = 0; i < n; i += 501) {
      expect(Math.abs(p[i] / (Math.exp(x[i]) / total) - 1)).toBeLessThan(3e-5);
      expect(Math.abs(logp[i] - (x[i] - Math.log(total)))).toBeLessThan(1e-5 * (1 + Math.abs(logp[i])));
    }
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
