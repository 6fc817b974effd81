/** Null runs of SVCCA as graphs against the singular values themselves, in float64. */
import { beforeAll, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { DeviceNorms } from '#kernel/compute/shuffledNormsOnDevice.js';
import { shuffledNorms } from '#kernel/compute/shuffledNorms.js';
import { exactNorms, shuffledCase } from '#test/kit/deviceCases.js';
import { onEachDevice } from '#test/kit/devices.js';

beforeAll(() => initGemm());

onEachDevice('sums of singular values of shuffled products', (device, provider) => {
  const kinds: Array<[string, ReturnType<typeof shuffledCase>]> = [
    ['square, the smallest values near 0', shuffledCase(96, 20, 20, 5)],
    ['tall, a guess of the smallest value', shuffledCase(120, 40, 12, 5, 0.3)],
    ['wide', shuffledCase(120, 12, 40, 5, 0.3)],
    ['one direction', shuffledCase(30, 1, 5, 5)],
    ['large numbers', shuffledCase(60, 9, 10, 5, 0, 1e6)],
    ['small numbers', shuffledCase(60, 9, 10, 5, 0, 1e-6)],
    ['a guess that is too high', shuffledCase(96, 20, 20, 5, 0.9)],
  ];
  // Every shape is compiled anew, which takes seconds on a software GPU.
  it.each(provider === 'cpu' ? kinds : kinds.slice(0, 2))('are those of float64: %s', async (_, made) => {
    const { product: given, orders } = made;
    const exact = await exactNorms(given, orders);
    // All at once, and in blocks of two orders.
    for (const floats of [undefined, 2 * given.n * Math.max(given.q, given.p)]) {
      const norms = new DeviceNorms(device(), given, floats);
      const before = device().held;
      const got = await norms.sums(orders);
      got.forEach((sum, run) => expect(Math.abs(sum / exact[run] - 1)).toBeLessThan(2e-5));
      await norms.close();
      await device().upload(new Float32Array(0), [0]);
      expect(device().held).toBe(before);
    }
    const onCpu = await shuffledNorms(given, orders);
    onCpu.forEach((sum, run) => expect(Math.abs(sum / exact[run] - 1)).toBeLessThan(2e-5));
  });

  it('are 0 of zeros, and refused where a number is not finite', async () => {
    const { product: given, orders } = shuffledCase(30, 4, 5, 3);
    const zeros = new DeviceNorms(device(), { ...given, left: new Float32Array(4 * 30) });
    expect([...(await zeros.sums(orders))]).toEqual([0, 0, 0]);
    const bad = new DeviceNorms(device(), { ...given, right: given.right.map((v, i) => (i === 7 ? NaN : v)) });
    await expect(bad.sums(orders)).rejects.toThrow('the 4 × 5 product of null run 0 has entries that are not finite');
    await zeros.close();
    await bad.close();
  });
});
