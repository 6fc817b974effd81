import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { cosine } from '#kernel/compute/statistics.js';
import { directionSae } from '#kernel/sae/directions.js';
import { FROZEN, keepNear, SOFT_COSINE } from '#kernel/sae/frozen.js';
import { initialParameters } from '#kernel/sae/parameters.js';
import { matrixSource } from '#kernel/sae/source.js';
import { trainSae } from '#kernel/sae/train.js';
import type { Sae } from '#kernel/sae/types.js';
import { testFolder } from '#test/kit/folder.js';

beforeAll(() => initDevice({ device: 'cpu' }));

const D = 8;
const F = 24;
const random = new Random(5);
/** Activations on a few directions of unequal variance, in the axes: column j has standard deviation 2^(−j). */
const x = matrix(600, D, random.normals(new Float32Array(600 * D)));
x.data.forEach((_, at) => (x.data[at] = 0.5 + x.data[at] * 2 ** -(at % D)));
const source = matrixSource(x, { rowsPerBatch: 100, hookName: 'h', modelName: 'm' });
const options = {
  ...{ dSae: F, k: 4, steps: 60, trainBatchSizeTokens: 50, lr: 2e-2, seed: 3 },
  architecture: 'topk',
  bDecInitMethod: 'zeros',
} as const;
const start = initialParameters({ dIn: D, dSae: F }, 0.1, 3);

/** Cosines of decoder rows, and of encoder columns, with those of the start. */
function cosines(sae: Sae): { decoder: number[]; encoder: number[] } {
  const at = (f: number) => start.W_dec.subarray(f * D, (f + 1) * D);
  return {
    decoder: Array.from({ length: F }, (_, f) => cosine(row(sae.W_dec, f), at(f))),
    encoder: Array.from({ length: F }, (_, f) =>
      cosine(
        Float32Array.from({ length: D }, (_, j) => sae.W_enc.data[j * F + f]),
        at(f),
      ),
    ),
  };
}

describe('baselines that are trained', () => {
  it('begin on the same batch from the same weights as the SAE, and hold what they say', async () => {
    const sae = await trainSae(source, options);
    const moved = cosines(sae.sae);
    expect(Math.min(...moved.decoder)).toBeLessThan(SOFT_COSINE);
    expect(Math.min(...moved.encoder)).toBeLessThan(0.99);
    for (const baseline of FROZEN) {
      const { sae: held, history } = await trainSae(source, { ...options, baseline });
      expect(history[0].loss, baseline).toBe(sae.history[0].loss);
      expect(history.at(-1)!.loss, baseline).toBeLessThan(history[0].loss);
      const { decoder, encoder } = cosines(held);
      if (baseline === 'frozenDecoder') expect(Math.min(...decoder)).toBeGreaterThan(1 - 1e-6);
      if (baseline === 'frozenEncoder') expect(Math.min(...encoder)).toBeGreaterThan(1 - 1e-6);
      if (baseline === 'softFrozenDecoder') {
        expect(Math.min(...decoder)).toBeGreaterThan(SOFT_COSINE - 1e-5);
        expect(Math.min(...decoder)).toBeLessThan(SOFT_COSINE + 1e-5);
      }
      const other = baseline === 'frozenEncoder' ? decoder : encoder;
      expect(Math.min(...other), baseline).toBeLessThan(0.99);
      expect(held.config.metadata.training).toMatchObject({ baseline });
    }
    expect(sae.sae.config.metadata.training).not.toHaveProperty('baseline');
  });

  it.each(FROZEN)('%s, stopped and called again, gives the same SAE to the bit', async (baseline) => {
    const whole = await trainSae(source, { ...options, baseline });
    const folder = testFolder('frozen');
    const stop = new AbortController();
    let steps = 0;
    const report = { checkpoint: { folder }, signal: stop.signal };
    const stopped = trainSae(
      { ...source, batches: (first, call) => (++steps > 2 && stop.abort(), source.batches(first, call)) },
      { ...options, baseline, ...report },
    );
    await expect(stopped).rejects.toThrow(/cancelled/);
    const resumed = await trainSae(source, { ...options, baseline, checkpoint: { folder } });
    expect(resumed.sae.id).toBe(whole.sae.id);
    expect(resumed.history).toEqual(whole.history);
  });

  it('a row is turned back to the cosine, in its plane and at its norm; one that points away goes to its start', () => {
    const from = Float32Array.of(2, 0, 2, 0, 2, 0, 2, 0);
    const rows = Float32Array.of(0, 5, 3, 1, -3, 0, 0, 0);
    keepNear(rows, from, 2);
    expect([...rows].map((v) => Number(v.toFixed(5)))).toEqual([4, 3, 3, 1, 3, 0, 0, 0]);
  });
});

describe('directions that nobody trained', () => {
  it('have the norms of the SAE: principal ones in both signs by variance, random ones row by row', async () => {
    const { sae } = await trainSae(source, { ...options, architecture: 'standard', k: undefined, l1Coefficient: 0.1 });
    const norms = Array.from({ length: F }, (_, f) => Math.hypot(...row(sae.decoder, f)));
    const sorted = [...norms].sort((a, b) => b - a);
    const call = { l0: 3.2, seed: 1 };
    const pca = await directionSae('pca', sae, source, call, {});
    expect([pca.config.dSae, pca.config.k]).toEqual([2 * D, 3]);
    // The covariance is all but diagonal: the principal directions are the axes.
    for (let c = 0; c < 4; c++) {
      for (const side of [0, 1])
        expect(Math.abs(row(pca.decoder, 2 * c + side)[c])).toBeCloseTo(sorted[2 * c + side], 1);
      expect(cosine(row(pca.decoder, 2 * c), row(pca.decoder, 2 * c + 1))).toBeCloseTo(-1, 6);
    }
    const none = await directionSae('random', sae, source, call, {});
    Array.from({ length: F }, (_, f) => Math.hypot(...row(none.decoder, f))).forEach((norm, f) =>
      expect(norm).toBeCloseTo(norms[f], 5),
    );
    expect((await directionSae('random', sae, source, call, {})).id).toBe(none.id);
    expect((await directionSae('random', sae, source, { ...call, seed: 2 }, {})).id).not.toBe(none.id);
  });

  it('a principal direction alone gives back its projection, whatever its norm', async () => {
    const { sae } = await trainSae(source, options);
    const pca = await directionSae('pca', sae, source, { l0: D, seed: 0 }, {});
    const features = pca.encode(x);
    const back = pca.decode(features);
    // All D directions, one sign of each: nothing is lost.
    for (let at = 0; at < 80; at++) expect(back.data[at]).toBeCloseTo(x.data[at], 4);
  });
});
