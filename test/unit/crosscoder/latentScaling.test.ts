import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { crosscoderOf } from '#kernel/crosscoder/crosscoder.js';
import { evaluateCrosscoder } from '#kernel/crosscoder/evaluate.js';
import type { Side } from '#kernel/crosscoder/types.js';
import { matrixSource } from '#kernel/sae/source.js';
import { normals } from '#test/kit/numbers.js';
import { saeOf } from '#test/kit/sae.js';

beforeAll(() => initGemm());

const N = 4000;
const D = 8;

/**
 * Four events with axes of their own on each side. Event 0 is both sides', held by one feature; 1 is B's alone; 2 is
 * both sides', but its feature leaves side A to the error; 3 is both sides', held by one feature for each side.
 */
function planted(noise: number, seed = 1) {
  const normal = normals(seed);
  const events = matrix(N, 4);
  for (let i = 0; i < events.data.length; i++) events.data[i] = normal() > 0.8 ? 1 + Math.abs(normal()) : 0;
  const side = (present: readonly number[]): Matrix => {
    const x = matrix(N, D);
    for (let i = 0; i < N; i++) {
      for (let e = 0; e < 4; e++) x.data[i * D + e] = events.data[i * 4 + e] * present[e];
      for (let j = 0; j < D; j++) x.data[i * D + j] += noise * normal();
    }
    return x;
  };
  const xs = [side([1, 0, 1, 1]), side([1, 1, 1, 1])];
  // Feature, event that it reads from B's axes, whether it writes A and B.
  const features: Array<[event: number, a: number, b: number]> = [
    [0, 1, 1],
    [1, 0, 1],
    [2, 0, 1],
    [3, 1, 0],
    [3, 0, 1],
  ];
  const W_enc = matrix(2 * D, features.length);
  const W_dec = matrix(features.length, 2 * D);
  features.forEach(([event, a, b], f) => {
    W_enc.data[(D + event) * features.length + f] = 1;
    W_dec.data[f * 2 * D + event] = a;
    W_dec.data[f * 2 * D + D + event] = b;
  });
  const weights = { W_enc, W_dec, b_enc: new Float32Array(features.length).fill(-0.5), b_dec: new Float32Array(2 * D) };
  const joined = Object.assign(saeOf(weights, { applyBDecToInput: false }), { history: [] });
  const sides: Side[] = ['A', 'B'].map((name) => ({
    name,
    modelName: name,
    hook: '',
    width: D,
    scale: 1,
    dedicated: 0,
  }));
  return {
    crosscoder: crosscoderOf(joined, sides),
    sources: xs.map((x) => matrixSource(x, { rowsPerBatch: 500 })),
    xs,
  };
}

describe('latent scaling', () => {
  it.each(['free', 'own'] as const)(
    'tells what is planted: shared, exclusive, shrunk away, decoupled (%s)',
    async (direction) => {
      const { crosscoder, sources } = planted(0.05);
      const found = await evaluateCrosscoder(crosscoder, sources, { direction });
      expect([...found.home]).toEqual([-1, 1, 1, 0, 1]);
      expect([...found.homeAfter]).toEqual([-1, 1, -1, -1, -1]);
      // Its error on side A still says all of event 2; event 3 is there by the other feature.
      expect(found.errorRatio[1]).toBeLessThan(0.05);
      expect(found.reconstructionRatio[1]).toBeLessThan(0.1);
      expect(found.errorRatio[2]).toBeGreaterThan(0.9);
      expect(found.reconstructionRatio[3]).toBeGreaterThan(0.9);
      expect(found.reconstructionRatio[4]).toBeGreaterThan(0.9);
      expect(found.pError[2]).toBeCloseTo(1 / 21, 12);
      expect(found.sides.map((side) => [side.exclusive, side.exclusiveAfter])).toEqual([
        [1, 0],
        [3, 1],
      ]);
      expect([found.shared, found.dead, found.tokens]).toEqual([1, 0, N]);
    },
  );

  it('gives slopes that agree with least squares in float64', async () => {
    const { crosscoder, sources, xs } = planted(0.3);
    const { errorRatio } = await evaluateCrosscoder(crosscoder, sources, { runs: 0 });
    const codes = crosscoder.encode(xs);
    const made = crosscoder.decode(codes);
    const f = new Float64Array(N);
    for (let i = 0; i < N; i++)
      for (let e = codes.indptr[i]; e < codes.indptr[i + 1]; e++) if (codes.indices[e] === 2) f[i] = codes.values[e];
    const mean = f.reduce((a, b) => a + b, 0) / N;
    const spread = f.reduce((a, b) => a + (b - mean) ** 2, 0);
    const slope = (m: number) =>
      Math.hypot(
        ...Array.from({ length: D }, (_, j) => {
          let sum = 0;
          for (let i = 0; i < N; i++) {
            const own = f[i] * crosscoder.decoders[m].data[2 * D + j];
            sum += (f[i] - mean) * (xs[m].data[i * D + j] - made[m].data[i * D + j] + own);
          }
          return sum / spread;
        }),
      );
    expect(errorRatio[2]).toBeCloseTo(slope(0) / slope(1), 6);
  });

  it('has uniform p for a feature that says nothing of the other side', async () => {
    const p: number[] = [];
    for (let seed = 1; seed <= 200; seed++) {
      const { crosscoder, sources } = small(seed);
      p.push((await evaluateCrosscoder(crosscoder, sources, { runs: 19, seed })).pError[0]);
    }
    // Kolmogorov–Smirnov against the uniform law on 1/20 … 20/20, at 1 %.
    const apart = Math.max(
      ...Array.from({ length: 20 }, (_, k) =>
        Math.abs(p.filter((v) => v <= (k + 1) / 20 + 1e-9).length / 200 - (k + 1) / 20),
      ),
    );
    expect(apart).toBeLessThan(1.63 / Math.sqrt(200));
  });

  it('leaves a feature that never fires out, and one without a decoder', async () => {
    const { crosscoder, xs } = planted(0);
    const silent = xs.map((x) => matrixSource(matrix(10, D, x.data.slice(0, 10 * D).fill(0))));
    const found = await evaluateCrosscoder(crosscoder, silent);
    expect([...found.home]).toEqual([-2, -2, -2, -2, -2]);
    expect([...found.errorRatio].every(Number.isNaN)).toBe(true);
    expect(found.dead).toBe(5);
  });
});

/** One feature, of B's noise alone. */
function small(seed: number) {
  const normal = normals(seed);
  const xs = [0, 1].map(() =>
    matrix(
      60,
      2,
      Float32Array.from({ length: 120 }, () => normal()),
    ),
  );
  const weights = {
    W_enc: matrix(4, 1, Float32Array.of(0, 0, 1, 0)),
    W_dec: matrix(1, 4, Float32Array.of(0, 0, 1, 0)),
    b_enc: new Float32Array(1),
    b_dec: new Float32Array(4),
  };
  const joined = Object.assign(saeOf(weights, { applyBDecToInput: false }), { history: [] });
  const sides: Side[] = ['A', 'B'].map((name) => ({
    name,
    modelName: name,
    hook: '',
    width: 2,
    scale: 1,
    dedicated: 0,
  }));
  return { crosscoder: crosscoderOf(joined, sides), sources: xs.map((x) => matrixSource(x)) };
}
