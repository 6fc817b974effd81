/** Where b_dec begins. Geometric medians: scipy, test/goldens/geometric-median.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { geometricMedian, initialBDec, offsetOf } from '#kernel/sae/bDecInit.js';
import { matrixSource } from '#kernel/sae/source.js';
import { trainSae } from '#kernel/sae/train.js';
import type { SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import { testFolder } from '#test/kit/folder.js';

const { cases } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../goldens/geometric-median.json'), 'utf8'),
) as { cases: Array<{ name: string; x: number[][]; median: number[]; cost: number }> };
const rowsOf = (x: number[][]): Matrix => matrix(x.length, x[0].length, Float32Array.from(x.flat()));
const distances = (x: Matrix, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < x.rows; i++) sum += Math.hypot(...Array.from(y, (v, j) => x.data[i * x.cols + j] - v));
  return sum;
};

describe('the geometric median agrees with a general minimiser', () => {
  it.each(cases)('$name', async ({ name, x, median, cost }) => {
    const rows = rowsOf(x);
    const y = await geometricMedian(rows);
    const scale = Math.max(...x.flat().map(Math.abs));
    expect(distances(rows, y)).toBeLessThan(cost * (1 + 1e-7) + 1e-9 * scale);
    // Between the middle two of an even number on a line every point is as good.
    if (!name.includes('even')) y.forEach((v, j) => expect(Math.abs(v - median[j])).toBeLessThan(1e-4 * scale));
  });
});

/** Sums of 2 of 16 directions with a mean `offset` spreads away. */
function sums(offset: number, seed = 1): Matrix {
  const random = new Random(seed);
  const [d, n] = [8, 600];
  const directions = random.normals(new Float32Array(16 * d));
  const x = matrix(n, d);
  for (let i = 0; i < n; i++)
    for (const f of random.permutation(16).subarray(0, 2)) {
      const strength = 0.5 + random.next();
      for (let j = 0; j < d; j++) x.data[i * d + j] += strength * directions[f * d + j];
    }
  const spread = Math.sqrt(d);
  for (let i = 0; i < x.data.length; i++) if (i % d < 4) x.data[i] += (offset * spread) / 2;
  return x;
}

const options: SaeTrainOptions = {
  architecture: 'topk',
  k: 2,
  dSae: 32,
  steps: 400,
  trainBatchSizeTokens: 64,
  lr: 3e-3,
  deadFeatureWindow: 50,
};

describe('b_dec begins', () => {
  it('at 0 where the mean is within the spread, at the median where it is not, in words', async () => {
    const near = sums(0);
    const far = sums(20);
    expect(offsetOf(near)).toBeLessThan(1);
    expect(offsetOf(far)).toBeGreaterThan(10);
    const told: string[] = [];
    const report = (message: string): void => void told.push(message);
    const plain = await trainSae(matrixSource(near), { ...options, report });
    expect(told).toEqual([]);
    expect(plain.sae.config.metadata.training).toMatchObject({ bDecInitMethod: 'zeros' });
    // The same start, and so the same weights, as when 0 is asked for.
    expect((await trainSae(matrixSource(near), { ...options, bDecInitMethod: 'zeros' })).sae.id).toBe(plain.sae.id);
    const moved = await trainSae(matrixSource(far), { ...options, report });
    expect(told.join()).toMatch(
      /mean of the activations is [\d.]+ × their spread: b_dec begins at their geometric median/,
    );
    expect(moved.sae.config.metadata.training).toMatchObject({ bDecInitMethod: 'geometric_median' });
  });

  it('where it is told to: offset data are learned from the mean and the median, not from 0', async () => {
    const x = sums(20);
    const end = async (bDecInitMethod: 'zeros' | 'mean' | 'geometric_median') =>
      (await trainSae(matrixSource(x), { ...options, bDecInitMethod })).history.at(-1)!.explainedVariance;
    expect(await end('zeros')).toBeLessThan(0.6);
    expect(await end('mean')).toBeGreaterThan(0.8);
    expect(await end('geometric_median')).toBeGreaterThan(0.8);
  });

  it('at the mean itself: in float64, and in scaled units where activations are scaled', async () => {
    const x = sums(20);
    const { init, b_dec } = await initialBDec(matrixSource(x, { rowsPerBatch: 70 }), 'mean', {});
    const mean = Array.from({ length: 8 }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < x.rows; i++) sum += x.data[i * 8 + j];
      return sum / x.rows;
    });
    expect(init).toEqual({ method: 'mean', offset: offsetOf(x) });
    b_dec.forEach((v, j) => expect(v).toBeCloseTo(mean[j], 10));
    const one = { ...options, steps: 1, lr: 0, normalizeActivations: 'expected_average_only_in' } as const;
    const { sae } = await trainSae(matrixSource(x), { ...one, bDecInitMethod: 'mean' });
    sae.b_dec.forEach((v, j) => expect(v).toBeCloseTo(mean[j], 3));
  });

  it('of a stopped run as it began, however the rest is asked for', async () => {
    const folder = testFolder('sae');
    const x = sums(20);
    const whole = await trainSae(matrixSource(x), options);
    const stop = new AbortController();
    let pieces = 0;
    const source = matrixSource(x, { rowsPerBatch: 50 });
    const cut = {
      ...source,
      async *batches(first?: number) {
        for await (const piece of source.batches(first)) {
          if (++pieces > 80) stop.abort();
          yield piece;
        }
      },
    };
    const asked = { ...options, checkpoint: { folder } };
    await expect(trainSae(cut, { ...asked, signal: stop.signal })).rejects.toThrow(/cancelled/);
    const told: string[] = [];
    const resumed = await trainSae(source, { ...asked, report: (m) => void told.push(m) });
    expect(resumed.sae.id).toBe((await trainSae(source, options)).sae.id);
    expect(resumed.sae.config.metadata).toEqual({
      training: expect.objectContaining({ bDecInitMethod: 'geometric_median' }),
    });
    expect(told).toEqual([]);
    expect(whole.history.length).toBeGreaterThan(1);
  });

  it('nowhere for values that are not finite: what is asked for is refused, with the row', async () => {
    const x = sums(20);
    x.data[3 * 8] = Infinity;
    await expect(trainSae(matrixSource(x), { ...options, bDecInitMethod: 'mean' })).rejects.toThrow(
      /cannot begin at the mean of the activations: they hold Infinity in row 3/,
    );
    await expect(trainSae(matrixSource(x), options)).rejects.toThrow(
      /at step \d+; the activations hold NaN or infinity/,
    );
  });
});
