import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { foldActivationScale, foldDecoderNorm } from '#kernel/sae/fold.js';
import { createSae, reconstruct, type SaeWeights } from '#kernel/sae/sae.js';
import type { SaeConfig } from '#kernel/sae/types.js';

beforeAll(() => initGemm());

const config = (o: Partial<SaeConfig>): SaeConfig => ({
  architecture: 'standard',
  dIn: 5,
  dSae: 11,
  applyBDecToInput: true,
  normalizeActivations: 'none',
  hookName: 'blocks.0.hook_mlp_out',
  modelName: 'tiny',
  metadata: {},
  ...o,
});

function randomWeights(dIn: number, dSae: number, seed: number): SaeWeights {
  const random = new Random(seed);
  const normals = (n: number) => random.normals(new Float32Array(n));
  return {
    W_enc: matrix(dIn, dSae, normals(dIn * dSae)),
    b_enc: normals(dSae),
    W_dec: matrix(dSae, dIn, normals(dIn * dSae)),
    b_dec: normals(dIn),
  };
}
const randomRows = (rows: number, cols: number, seed: number): Matrix =>
  matrix(rows, cols, new Random(seed).normals(new Float32Array(rows * cols)));
const copy = (w: SaeWeights): SaeWeights => ({
  W_enc: matrix(w.W_enc.rows, w.W_enc.cols, w.W_enc.data.slice()),
  b_enc: w.b_enc.slice(),
  W_dec: matrix(w.W_dec.rows, w.W_dec.cols, w.W_dec.data.slice()),
  b_dec: w.b_dec.slice(),
});

/** Features of one row by the definition, in float64, dense. */
function featuresFloat64(c: SaeConfig, w: SaeWeights, row: ArrayLike<number>): Float64Array {
  const z = new Float64Array(c.dSae);
  for (let f = 0; f < c.dSae; f++) {
    z[f] = w.b_enc[f];
    for (let j = 0; j < c.dIn; j++)
      z[f] += (row[j] - (c.applyBDecToInput ? w.b_dec[j] : 0)) * w.W_enc.data[j * c.dSae + f];
    if (c.rescaleActsByDecoderNorm) z[f] *= Math.hypot(...w.W_dec.data.subarray(f * c.dIn, (f + 1) * c.dIn));
  }
  const order = [...z.keys()].sort((a, b) => z[b] - z[a] || a - b);
  const kept = new Set(c.architecture === 'topk' ? order.slice(0, c.k) : order);
  return z.map((value, f) => (value > 0 && kept.has(f) ? value : 0));
}

describe('encode and decode agree with the definition in float64', () => {
  const cases: Array<Partial<SaeConfig>> = [
    {},
    { applyBDecToInput: false },
    { architecture: 'topk', k: 3 },
    { architecture: 'topk', k: 11, applyBDecToInput: false },
    { architecture: 'topk', k: 4, rescaleActsByDecoderNorm: true },
  ];
  it.each(cases)('%o', (o) => {
    const c = config(o);
    const w = randomWeights(5, 11, 1);
    const sae = createSae(c, w);
    const x = randomRows(40, 5, 2);
    const features = sae.encode(x);
    const back = sae.decode(features);
    expect([features.rows, features.cols, features.indptr.length]).toEqual([40, 11, 41]);
    expect(features.indices).toBeInstanceOf(Uint16Array);
    for (let i = 0; i < 40; i++) {
      const expected = featuresFloat64(c, w, x.data.subarray(i * 5, i * 5 + 5));
      const row = features.indices.subarray(features.indptr[i], features.indptr[i + 1]);
      expect([...row]).toEqual([...expected.keys()].filter((f) => expected[f] > 0));
      row.forEach((f, n) => expect(features.values[features.indptr[i] + n]).toBeCloseTo(expected[f], 4));
      for (let j = 0; j < 5; j++) {
        let sum = w.b_dec[j];
        for (let f = 0; f < 11; f++) {
          const norm = c.rescaleActsByDecoderNorm ? Math.hypot(...w.W_dec.data.subarray(f * 5, f * 5 + 5)) : 1;
          sum += (expected[f] / norm) * w.W_dec.data[f * 5 + j];
        }
        expect(back.data[i * 5 + j]).toBeCloseTo(sum, 3);
      }
    }
  });
});

describe('top-k activations', () => {
  const identity = (n: number): SaeWeights => {
    const eye = new Float32Array(n * n);
    for (let i = 0; i < n; i++) eye[i * n + i] = 1;
    return {
      W_enc: matrix(n, n, eye),
      b_enc: new Float32Array(n),
      W_dec: matrix(n, n, eye.slice()),
      b_dec: new Float32Array(n),
    };
  };
  const top = (k: number, ...row: number[]) =>
    createSae(config({ architecture: 'topk', k, dIn: row.length, dSae: row.length }), identity(row.length)).encode(
      matrix(1, row.length, Float32Array.from(row)),
    );
  it('drops negative and zero values among the k largest', () => {
    expect([...top(3, -1, 2, 0, -3).indices]).toEqual([1]);
  });
  it('keeps the lower features of a tie', () => {
    expect([...top(2, 1, 5, 1, 1).indices]).toEqual([0, 1]);
  });
  it('gives no entries for a row without positive values', () => {
    expect([...top(2, -1, -2, -3).indptr]).toEqual([0, 0]);
  });
});

it('encodes blocks of many rows as it encodes them one by one', () => {
  // 40,000 features: a block is 419 rows.
  const c = config({ architecture: 'topk', k: 5, dIn: 3, dSae: 40_000 });
  const sae = createSae(c, randomWeights(3, 40_000, 4));
  const x = randomRows(900, 3, 5);
  const all = sae.encode(x);
  for (const i of [0, 418, 419, 899]) {
    const one = sae.encode(matrix(1, 3, x.data.subarray(i * 3, i * 3 + 3)));
    expect(all.indices.subarray(all.indptr[i], all.indptr[i + 1])).toEqual(one.indices);
  }
});

it('indices beyond 65,536 features are 32 bits wide', () => {
  const sae = createSae(config({ architecture: 'topk', k: 1, dIn: 1, dSae: 70_000 }), randomWeights(1, 70_000, 3));
  expect(sae.encode(matrix(1, 1, Float32Array.of(1))).indices).toBeInstanceOf(Int32Array);
});

it('no rows are encoded to no entries', () => {
  const features = createSae(config({}), randomWeights(5, 11, 1)).encode(matrix(0, 5));
  expect([features.rows, features.indptr.length, features.values.length]).toEqual([0, 1, 0]);
});

describe('input norms', () => {
  it('layer_norm standardises each row with the unbiased std and is undone by reconstruct', () => {
    const w = randomWeights(5, 11, 6);
    const plain = createSae(config({}), w);
    const normed = createSae(config({ normalizeActivations: 'layer_norm' }), w);
    const x = randomRows(8, 5, 7);
    const y = matrix(8, 5);
    const stats = Array.from({ length: 8 }, (_, i) => {
      const row = [...x.data.subarray(i * 5, i * 5 + 5)];
      const mean = row.reduce((a, b) => a + b) / 5;
      const std = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / 4);
      row.forEach((v, j) => (y.data[i * 5 + j] = (v - mean) / (std + 1e-5)));
      return { mean, std };
    });
    const { features, reconstruction } = reconstruct(normed, x);
    expect(features.indices).toEqual(plain.encode(y).indices);
    const expected = plain.decode(plain.encode(y));
    for (let i = 0; i < 40; i++)
      expect(reconstruction.data[i]).toBeCloseTo(
        expected.data[i] * stats[Math.floor(i / 5)].std + stats[Math.floor(i / 5)].mean,
        4,
      );
  });
  it('constant_norm_rescale makes scale irrelevant, and a zero row stays zero', () => {
    const sae = createSae(config({ normalizeActivations: 'constant_norm_rescale' }), randomWeights(5, 11, 6));
    const x = randomRows(3, 5, 8);
    x.data.fill(0, 10, 15);
    const big = matrix(
      3,
      5,
      x.data.map((v) => 8 * v),
    );
    const a = reconstruct(sae, x);
    const b = reconstruct(sae, big);
    expect(b.features.indices).toEqual(a.features.indices);
    for (let i = 0; i < 10; i++) expect(b.reconstruction.data[i]).toBeCloseTo(8 * a.reconstruction.data[i], 4);
    for (const v of a.reconstruction.data) expect(Number.isFinite(v)).toBe(true);
  });
});

describe('folding keeps what the SAE computes', () => {
  it('activation scale: encoding x folded equals encoding s·x unfolded', () => {
    const w = randomWeights(5, 11, 9);
    const folded = copy(w);
    foldActivationScale(folded, 3);
    const x = randomRows(10, 5, 10);
    const scaled = createSae(config({}), w);
    const a = scaled.encode(
      matrix(
        10,
        5,
        x.data.map((v) => 3 * v),
      ),
    );
    const sae = createSae(config({}), folded);
    const b = sae.encode(x);
    expect(b.indices).toEqual(a.indices);
    b.values.forEach((v, i) => expect(v).toBeCloseTo(a.values[i], 4));
    sae.decode(b).data.forEach((v, i) => expect(v).toBeCloseTo(scaled.decode(a).data[i] / 3, 4));
  });
  it('decoder norms: a rescaled top-k becomes a plain one with unit decoder rows', () => {
    const w = randomWeights(5, 11, 11);
    const folded = copy(w);
    foldDecoderNorm(folded);
    const x = randomRows(10, 5, 12);
    const before = createSae(config({ architecture: 'topk', k: 3, rescaleActsByDecoderNorm: true }), w);
    const after = createSae(config({ architecture: 'topk', k: 3 }), folded);
    expect(after.encode(x).indices).toEqual(before.encode(x).indices);
    after
      .decode(after.encode(x))
      .data.forEach((v, i) => expect(v).toBeCloseTo(before.decode(before.encode(x)).data[i], 4));
  });
});

describe('an SAE refuses', () => {
  const w = randomWeights(5, 11, 1);
  it('another width, saying what was expected', () => {
    expect(() => createSae(config({}), w).encode(matrix(2, 6))).toThrow(
      'SAE expects activations of width 5 (blocks.0.hook_mlp_out of tiny) but got 6',
    );
  });
  it('NaN activations, naming the row', () => {
    const x = randomRows(4, 5, 1);
    x.data[13] = NaN;
    expect(() => createSae(config({}), w).encode(x)).toThrow(/NaN in row 2/);
  });
  it('NaN weights, shapes that disagree, unknown architectures, impossible k, unfolded scaling', () => {
    const bad = copy(w);
    bad.W_dec.data[3] = NaN;
    expect(() => createSae(config({}), bad)).toThrow(/W_dec holds NaN/);
    expect(() => createSae(config({ dSae: 12 }), w)).toThrow(/W_enc must be \[5, 12\]/);
    expect(() => createSae(config({ architecture: 'odd' as 'topk' }), w)).toThrow(
      /"odd" is not supported; supported are standard, topk/,
    );
    for (const k of [undefined, 0, 12, 2.5])
      expect(() => createSae(config({ architecture: 'topk', k }), w)).toThrow(/integer k from 1 to d_sae = 11/);
    expect(() => createSae(config({ normalizeActivations: 'expected_average_only_in' }), w)).toThrow(
      /normScalingFactor/,
    );
  });
  it('features of another SAE than its own', () => {
    const features = createSae(config({}), w).encode(matrix(1, 5));
    expect(() => createSae(config({ dSae: 12 }), randomWeights(5, 12, 1)).decode(features)).toThrow(
      /12 features but these activations have 11/,
    );
  });
});

it('the id changes with a weight or a setting that changes numbers, not with metadata', () => {
  const id = (o: Partial<SaeConfig>, w = randomWeights(5, 11, 1)) => createSae(config(o), w).id;
  const changed = randomWeights(5, 11, 1);
  changed.b_enc[0] += 1;
  expect(id({ metadata: { note: 'x' } })).toBe(id({}));
  expect(
    new Set([
      id({}),
      id({ applyBDecToInput: false }),
      id({ architecture: 'topk', k: 2 }),
      id({ hookName: 'y' }),
      id({}, changed),
    ]).size,
  ).toBe(5);
});
