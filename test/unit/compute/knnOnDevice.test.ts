/** Nearest neighbours whose candidates a device found: the same to the bit as without one. */
import { beforeAll, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { GraphDevice } from '#kernel/compute/graphs/host.js';
import { crossKnn, exactKnn } from '#kernel/compute/knn.js';
import { deviceCandidates, worthDevice } from '#kernel/compute/knnOnDevice.js';
import { matrix } from '#kernel/compute/matrix.js';
import { onEachDevice } from '#test/kit/devices.js';
import { normals } from '#test/kit/numbers.js';

const next = normals(12);
const random = (rows: number, cols: number, at = 0) =>
  matrix(
    rows,
    cols,
    Float32Array.from({ length: rows * cols }, () => at + next()),
  );

beforeAll(() => initDevice({ device: 'cpu' }));

onEachDevice('nearest neighbours', (device) => {
  it.each(['euclidean', 'cosine'] as const)('have the bits of the cpu: %s', async (metric) => {
    // Far from the origin, with rows that are alike, nearly alike, and zero.
    const x = random(150, 20, metric === 'euclidean' ? 40 : 0);
    x.data.copyWithin(20 * 3, 20 * 90, 20 * 95);
    for (let j = 0; j < 20; j++) x.data[20 * 7 + j] = x.data[20 * 8 + j] * (1 + 1e-7);
    x.data.fill(0, 20 * 11, 20 * 12);
    expect(await exactKnn(x, 6, { metric, device: device() })).toEqual(await exactKnn(x, 6, { metric }));
    const queries = random(40, 20);
    const cross = await crossKnn(queries, x, 9, { metric, device: device() });
    expect(cross).toEqual(await crossKnn(queries, x, 9, { metric }));
  });

  it('are found over blocks and tiles of any size', async () => {
    const x = random(61, 7);
    const squares = Float64Array.from({ length: 61 }, (_, i) =>
      x.data.subarray(7 * i, 7 * i + 7).reduce((sum, v) => sum + v * v, 0),
    );
    const side = { rows: 61, cols: 7, shifted: x.data, squares };
    const whole = await deviceCandidates(device(), side, side, true, 5);
    const cut = await deviceCandidates(device(), side, side, true, 5, { blockFloats: 64 * 20 });
    for (let i = 0; i < 61; i++) {
      const of = (c: typeof whole) => [...c.indices.subarray(5 * i, 5 * i + 5)].sort((a, b) => a - b);
      expect(of(cut)).toEqual(of(whole));
      expect(of(whole)).not.toContain(i);
    }
  });
});

it('a device that is given is the one that searches', async () => {
  const nowhere = new GraphDevice('cpu', '/nowhere/deviceProcess.cjs');
  await expect(exactKnn(random(40, 5), 3, { metric: 'cosine', device: nowhere })).rejects.toThrow(
    'ended while it started',
  );
});

it('small searches are not worth the way to a device', () => {
  expect(worthDevice(1000, 1000, 64)).toBe(false);
  expect(worthDevice(32_768, 32_768, 1024)).toBe(true);
});
