/** Encoding as a graph against sae.encode, for every architecture, on ONNX Runtime's CPU and WebGPU. */
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { ARCHITECTURES } from '#kernel/sae/architectures/index.js';
import { deviceEncoder, encodesOnDevice } from '#kernel/sae/deviceEncoders.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { compareEntries, oddRows, saeKinds, saeOfKind } from '#test/kit/deviceCases.js';
import { onEachDevice } from '#test/kit/devices.js';

const [D, F, ROWS] = [24, 96, 37];
const x = oddRows(ROWS, D);
const make = (config: Partial<SaeConfig>): Sae => saeOfKind(config, D, F);

beforeAll(() => initDevice({ device: 'cpu' }));

onEachDevice('encoding', (device) => {
  it.each(Object.entries(saeKinds(F)))('gives the entries of sae.encode: %s', async (_, config) => {
    const sae = make(config);
    const wanted = sae.encode(x);
    expect(wanted.values.length).toBeGreaterThan(ROWS);
    // Whole, and in blocks of some rows and tiles of some features.
    for (const floats of [undefined, 24 * 40]) {
      const got = await deviceEncoder(device(), sae, floats).encode({ rows: ROWS, x });
      expect(got).toMatchObject({ rows: ROWS, cols: F });
      expect(compareEntries(got, wanted).support).toBe(1);
      expect(compareEntries(got, wanted).error).toBeLessThan(1e-5);
      expect(got.indices).toEqual(wanted.indices);
      // Its products alone are made there.
      if (config.pursuit) expect(got.values).toEqual(wanted.values);
    }
  });

  it.each(['topk', 'matching_pursuit'])(
    'takes rows that lie on the device, says where they are not finite, and encodes none: %s',
    async (kind) => {
      const encoder = deviceEncoder(device(), make(saeKinds(F)[kind]));
      const bad = x.data.slice();
      bad[4 * D + 2] = NaN;
      const there = await device().upload(bad, [ROWS, D]);
      const got = await encoder.encode({ rows: ROWS, x: there });
      device().free(there);
      expect([...got.sizes].map(Number.isFinite)).toEqual(Array.from({ length: ROWS }, (_, i) => i !== 4));
      const none = await encoder.encode({ rows: 0, x: matrix(0, D) });
      expect([none.rows, none.indptr.length, none.values.length]).toEqual([0, 1, 0]);
    },
  );
});

describe('architectures', () => {
  it('have a graph each, but the decoder alone and matching pursuit, whose steps follow each other', () => {
    const without = ARCHITECTURES.filter((a) => !('onDevice' in a && a.onDevice)).map(({ name }) => name);
    expect(without).toEqual(['matching_pursuit', 'decoder']);
    for (const kind of ['standard', 'matching_pursuit']) expect(encodesOnDevice(make(saeKinds(F)[kind]))).toBe(true);
  });
});
