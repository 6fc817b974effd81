/** Decoding as a graph against sae.decode, for every architecture, on ONNX Runtime's CPU and WebGPU. */
import { beforeAll, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { DeviceDecoder, reconstructOn } from '#kernel/sae/decodeOnDevice.js';
import { reconstruct } from '#kernel/sae/sae.js';
import { oddRows, relativeError, saeKinds, saeOfKind } from '#test/kit/deviceCases.js';
import { onEachDevice } from '#test/kit/devices.js';

const [D, F, ROWS] = [24, 96, 37];
const x = oddRows(ROWS, D);

function relative(got: Matrix, wanted: Matrix): number {
  expect([got.rows, got.cols]).toEqual([wanted.rows, wanted.cols]);
  return relativeError(got.data, wanted.data);
}

beforeAll(() => initDevice({ device: 'cpu' }));

onEachDevice('decoding', (device) => {
  it.each(Object.entries(saeKinds(F)))('gives the rows of sae.decode: %s', async (_, config) => {
    const sae = saeOfKind(config, D, F);
    const features = sae.encode(x);
    // Whole, and in blocks of some rows and tiles of some features.
    for (const floats of [undefined, 24 * 40])
      expect(relative(await new DeviceDecoder(device(), sae, floats).decode(features, x), sae.decode(features, x))).toBeLessThan(1e-6); // prettier-ignore
  });

  it('gives the bias for rows on which nothing fires, and nothing for no rows', async () => {
    const sae = saeOfKind({ architecture: 'topk', k: 5 }, D, F);
    const decoder = new DeviceDecoder(device(), sae);
    const silent = { rows: 2, cols: F, indptr: new Uint32Array(3), indices: new Uint16Array(0), values: new Float32Array(0) }; // prettier-ignore
    expect([...(await decoder.decode(silent)).data]).toEqual([...sae.b_dec, ...sae.b_dec]);
    expect((await decoder.decode({ ...silent, rows: 0, indptr: new Uint32Array(1) })).rows).toBe(0);
  });

  it('refuses what sae.decode refuses, in its words', async () => {
    const decoder = new DeviceDecoder(device(), saeOfKind({ normalizeActivations: 'layer_norm' }, D, F));
    const one = { rows: 1, cols: F, indptr: Uint32Array.of(0, 1), indices: Uint16Array.of(3), values: Float32Array.of(1) }; // prettier-ignore
    await expect(decoder.decode(one)).rejects.toThrow("so decoding needs the rows' own scale");
    await expect(decoder.decode({ ...one, cols: 7 })).rejects.toThrow(
      'SAE has 96 features but these activations have 7',
    );
    await expect(decoder.decode({ ...one, indices: Uint16Array.of(F) })).rejects.toThrow('feature 96 in row 0 is outside the SAE'); // prettier-ignore
  });

  it('reconstructs with either half on the device, and refuses what is not finite', async () => {
    const sae = saeOfKind({ architecture: 'topk', k: 5, normalizeActivations: 'layer_norm' }, D, F);
    const wanted = reconstruct(sae, x);
    const both = { encode: device(), decode: device() };
    for (const devices of [{}, { encode: device() }, { decode: device() }, both]) {
      const { features, reconstruction } = await reconstructOn(sae, devices)(x);
      expect(features.indices).toEqual(wanted.features.indices);
      expect(relative(reconstruction, wanted.reconstruction)).toBeLessThan(1e-5);
    }
    const bad = matrix(ROWS, D, x.data.slice().fill(NaN, 4 * D, 4 * D + 1));
    await expect(reconstructOn(sae, both)(bad)).rejects.toThrow('activations hold NaN in row 4');
  });
});
