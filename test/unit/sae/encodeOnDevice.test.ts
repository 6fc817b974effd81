/** Encoding as a graph against sae.encode, for every architecture, on ONNX Runtime's CPU and WebGPU. */
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { ARCHITECTURES } from '#kernel/sae/architectures/index.js';
import { DeviceEncoder, encodesOnDevice } from '#kernel/sae/encodeOnDevice.js';
import type { SaeWeights } from '#kernel/sae/sae.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { onEachDevice } from '#test/kit/devices.js';
import { normals } from '#test/kit/numbers.js';
import { saeOf } from '#test/kit/sae.js';

const [D, F, ROWS] = [24, 96, 37];
const next = normals(71);
const random = (n: number, by = 1): Float32Array => Float32Array.from({ length: n }, () => by * next());

const KINDS: Record<string, Partial<SaeConfig>> = {
  standard: {},
  'standard, tanh-relu, b_dec kept': { activation: 'tanh-relu', applyBDecToInput: false },
  'standard, layer_norm': { normalizeActivations: 'layer_norm' },
  topk: { architecture: 'topk', k: 7 },
  'topk, rescaled, constant_norm_rescale': {
    architecture: 'topk',
    k: 7,
    rescaleActsByDecoderNorm: true,
    normalizeActivations: 'constant_norm_rescale',
  },
  abstopk: { architecture: 'abstopk', k: 7 },
  groupmax: { architecture: 'groupmax', k: 12 },
  jumprelu: { architecture: 'jumprelu' },
  batchtopk: { architecture: 'batchtopk', k: 9 },
  matryoshka: { architecture: 'matryoshka_batchtopk', rescaleActsByDecoderNorm: true },
  gated: { architecture: 'gated' },
  transcoder: { architecture: 'transcoder', transcoder: true, applyBDecToInput: false, dIn: D, dOut: 10 },
};

function make(config: Partial<SaeConfig>): Sae {
  const dOut = config.dOut ?? D;
  const { architecture = 'standard' } = config;
  const weights: SaeWeights = {
    W_enc: matrix(D, F, random(D * F, 0.3)),
    b_enc: random(F, 0.5),
    W_dec: matrix(F, dOut, random(F * dOut)),
    b_dec: random(dOut, 0.3),
  };
  if (/jumprelu|batchtopk/.test(architecture)) weights.threshold = random(F).map((v) => 0.4 + 0.5 * Math.abs(v));
  if (architecture === 'gated') Object.assign(weights, { r_mag: random(F, 0.2), b_mag: random(F, 0.3) });
  return saeOf(weights, config);
}

/** Rows on a large offset, one of zeros, two alike. */
const x = matrix(ROWS, D, random(ROWS * D).map((v, i) => (i < 3 * D ? v + 30 : v))); // prettier-ignore
x.data.fill(0, 5 * D, 6 * D);
x.data.copyWithin(9 * D, 8 * D, 9 * D);

/** Share of entries of either that the other has too, and the largest difference of values, relative to the largest. */
function compare(got: SparseRows, wanted: SparseRows): { support: number; error: number } {
  const entries = (s: SparseRows): Map<string, number> => {
    const all = new Map<string, number>();
    for (let i = 0; i < s.rows; i++)
      for (let e = s.indptr[i]; e < s.indptr[i + 1]; e++) all.set(`${i} ${s.indices[e]}`, s.values[e]);
    return all;
  };
  const [a, b] = [entries(got), entries(wanted)];
  const scale = Math.max(...[...b.values()].map(Math.abs));
  const common = [...a.keys()].filter((key) => b.has(key));
  const error = Math.max(...common.map((key) => Math.abs(a.get(key)! - b.get(key)!) / scale));
  return { support: common.length / Math.max(a.size, b.size), error };
}

beforeAll(() => initDevice({ device: 'cpu' }));

onEachDevice('encoding', (device) => {
  it.each(Object.entries(KINDS))('gives the entries of sae.encode: %s', async (_, config) => {
    const sae = make(config);
    const wanted = sae.encode(x);
    expect(wanted.values.length).toBeGreaterThan(ROWS);
    // Whole, and in blocks of some rows and tiles of some features.
    for (const floats of [undefined, 24 * 40]) {
      const got = await new DeviceEncoder(device(), sae, floats).encode({ rows: ROWS, x });
      expect(got).toMatchObject({ rows: ROWS, cols: F });
      expect(compare(got, wanted).support).toBe(1);
      expect(compare(got, wanted).error).toBeLessThan(1e-5);
      expect(got.indices).toEqual(wanted.indices);
    }
  });

  it('takes rows that lie on the device, says where they are not finite, and encodes none', async () => {
    const sae = make({ architecture: 'topk', k: 5 });
    const encoder = new DeviceEncoder(device(), sae);
    const bad = x.data.slice();
    bad[4 * D + 2] = NaN;
    const there = await device().upload(bad, [ROWS, D]);
    const got = await encoder.encode({ rows: ROWS, x: there });
    device().free(there);
    expect([...got.sizes].map(Number.isFinite)).toEqual(Array.from({ length: ROWS }, (_, i) => i !== 4));
    const none = await encoder.encode({ rows: 0, x: matrix(0, D) });
    expect([none.rows, none.indptr.length, none.values.length]).toEqual([0, 1, 0]);
  });
});

describe('architectures', () => {
  it('have a graph each, but the decoder alone', () => {
    const without = ARCHITECTURES.filter((a) => !('onDevice' in a && a.onDevice)).map(({ name }) => name);
    expect(without).toEqual(['decoder']);
    expect(encodesOnDevice(make({}))).toBe(true);
  });
});
