/** Matching pursuit against a plain one in float64, with products here and on devices. */
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { DeviceMemoryError } from '#kernel/compute/graphs/failures.js';
import { gemm } from '#kernel/compute/gemm.js';
import type { GraphDevice } from '#kernel/compute/graphs/host.js';
import { candidatesHere, pursuit, type Pursuit, type PursuitInput, type Taken } from '#kernel/sae/pursuit.js';
import { pursuedOnDevice } from '#kernel/sae/pursuitOnDevice.js';
import { onEachDevice } from '#test/kit/devices.js';
import { normals } from '#test/kit/numbers.js';

const [ROWS, D, F] = [24, 48, 160];
const TO_THE_END: Pursuit = { residualThreshold: 0.01, maxIterations: null, stopOnDuplicateSupport: true };

beforeAll(() => initDevice({ device: 'cpu' }));

/** Decoder rows of which many are level, or nearly: equal ones, and ones that differ in a last bit. */
function levelRows(): PursuitInput {
  const next = normals(8);
  const input = Float32Array.from({ length: ROWS * D }, () => next());
  const decoder = Float32Array.from({ length: F * D }, () => next() / Math.sqrt(D));
  for (let f = 80; f < F; f++) {
    const like = f < 90 ? 3 : f - 80;
    decoder.set(decoder.subarray(like * D, (like + 1) * D), f * D);
    if (f >= 90) decoder[f * D + (f % D)] = Math.fround(decoder[f * D + (f % D)] * (1 + 2 ** -23));
  }
  return { input, decoder, rows: ROWS, dIn: D, dSae: F };
}

/** Feature after feature, every product in float64. */
function plain({ input, decoder, rows, dIn, dSae }: PursuitInput, o: Pursuit): Taken {
  const taken: Taken = { features: [], values: [] };
  for (let i = 0; i < rows; i++) {
    let left = input.slice(i * dIn, (i + 1) * dIn);
    const [features, values]: [number[], number[]] = [[], []];
    while (features.length < (o.maxIterations ?? dIn)) {
      const products = Float32Array.from({ length: dSae }, (_, f) => left.reduce((sum, v, j) => sum + v * decoder[f * dIn + j], 0)); // prettier-ignore
      const value = Math.max(...products);
      if (value <= 0) break;
      const feature = products.indexOf(value);
      const again = features.includes(feature);
      features.push(feature);
      values.push(value);
      left = left.map((v, j) => v - value * decoder[feature * dIn + j]);
      if ((o.stopOnDuplicateSupport && again) || Math.hypot(...left) < o.residualThreshold) break;
    }
    taken.features.push(features);
    taken.values.push(values);
  }
  return taken;
}

function here(given: PursuitInput, o: Pursuit): Taken {
  const { input, decoder, rows, dIn, dSae } = given;
  const z = gemm(input, decoder, rows, dSae, dIn, { transB: true });
  const running = pursuit(given, o);
  let next = running.next();
  while (!next.done) {
    const pieces = candidatesHere({ ...given, z }, next.value);
    let piece = pieces.next();
    while (!piece.done) piece = pieces.next();
    next = running.next(piece.value);
  }
  return next.value;
}

describe('a pursuit', () => {
  it.each([
    ['to the end', TO_THE_END],
    ['of features that come again', { residualThreshold: 1, maxIterations: 30, stopOnDuplicateSupport: false }],
    ['of one feature', { ...TO_THE_END, maxIterations: 1 }],
  ])('takes what a plain one does: %s', (_, o) => {
    const given = levelRows();
    expect(here(given, o)).toEqual(plain(given, o));
  });

  it('takes NaN where a row is not finite, and nothing where it is 0', () => {
    const given = levelRows();
    given.input
      .fill(NaN, 0, 1)
      .fill(Infinity, D, D + 1)
      .fill(0, 2 * D, 3 * D);
    const { features, values } = here(given, TO_THE_END);
    expect([features.slice(0, 3), values.slice(0, 3)]).toEqual([[[0], [0], []], [[NaN], [NaN], []]]); // prettier-ignore
    expect(features[3]).toEqual(plain(levelRows(), TO_THE_END).features[3]);
    given.decoder[0] = NaN;
    expect(here(given, TO_THE_END).values).toEqual(Array.from({ length: ROWS }, () => [NaN]));
  });

  it('has fewer rows at a time where a device has no room, down to one, and then says its figures', async () => {
    const asked: number[] = [];
    const device = {
      upload: () => Promise.resolve({ tensor: 1, life: 1 }),
      free: () => undefined,
      run: (_: unknown, { left }: { left: { shape: number[] } }) => {
        asked.push(left.shape[0]);
        return Promise.reject(new DeviceMemoryError('no room'));
      },
    };
    await expect(pursuedOnDevice(device as unknown as GraphDevice, levelRows(), TO_THE_END)).rejects.toThrow(
      /^the products of a pursuit over 160 features of width 48 need about [\d.]+ kB on the device, and 832 bytes for each row of a block: no room\. Take fewer features, or the cpu device$/,
    );
    expect(asked).toEqual([24, 12, 6, 3, 2, 1]);
  });
});

onEachDevice('a pursuit', (device) => {
  it('takes the same with its products there, in blocks, and leaves nothing', async () => {
    const given = levelRows();
    given.input.fill(NaN, 0, 1).fill(0, D, 2 * D);
    const wanted = here(given, TO_THE_END);
    const held = device().held;
    expect(await pursuedOnDevice(device(), given, TO_THE_END)).toEqual(wanted);
    expect(await pursuedOnDevice(device(), given, TO_THE_END, { bufferFloats: 16 * F })).toEqual(wanted);
    // Frees are not answered: the next answer tells.
    device().free(await device().upload(Float32Array.of(1), [1]));
    await device().download(await device().upload(Float32Array.of(1), [1]));
    expect(device().held - held).toBeLessThanOrEqual(4);
  });
});
