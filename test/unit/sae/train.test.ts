import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { matrixSource } from '#kernel/sae/source.js';
import { TrainingStep } from '#kernel/sae/step.js';
import { trainSae } from '#kernel/sae/train.js';
import type { SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import { testFolder } from '#test/kit/folder.js';

/** x = Σ of `active` random unit directions with strengths in [0.5, 1.5]: a dictionary to find. */
function plantedWorld(
  features: number,
  d: number,
  active: number,
  rows: number,
  seed: number,
): { x: Matrix; dictionary: Matrix } {
  const random = new Random(seed);
  const dictionary = matrix(features, d, random.normals(new Float32Array(features * d)));
  for (let f = 0; f < features; f++) {
    const norm = Math.hypot(...dictionary.data.subarray(f * d, (f + 1) * d));
    for (let j = 0; j < d; j++) dictionary.data[f * d + j] /= norm;
  }
  const x = matrix(rows, d);
  for (let i = 0; i < rows; i++) {
    for (const f of random.permutation(features).subarray(0, active)) {
      const strength = 0.5 + random.next();
      for (let j = 0; j < d; j++) x.data[i * d + j] += strength * dictionary.data[f * d + j];
    }
  }
  return { x, dictionary };
}

/** Mean over true directions of the largest cosine with a learned one. */
function recovery(truth: Matrix, learned: Matrix): number {
  let total = 0;
  for (let t = 0; t < truth.rows; t++) {
    let best = -1;
    for (let f = 0; f < learned.rows; f++) {
      let dot = 0;
      let square = 0;
      for (let j = 0; j < truth.cols; j++) {
        dot += truth.data[t * truth.cols + j] * learned.data[f * truth.cols + j];
        square += learned.data[f * truth.cols + j] ** 2;
      }
      best = Math.max(best, square > 0 ? dot / Math.sqrt(square) : -1);
    }
    total += best;
  }
  return total / truth.rows;
}

const small: SaeTrainOptions = {
  architecture: 'topk',
  k: 3,
  dSae: 24,
  steps: 12,
  trainBatchSizeTokens: 32,
  bufferTokens: 128,
  lr: 1e-2,
  logEvery: 1,
  deadFeatureWindow: 3,
};
const { x } = plantedWorld(16, 8, 3, 300, 1);

describe('training finds a planted dictionary', () => {
  const world = plantedWorld(32, 16, 2, 4096, 2);
  it('topk', async () => {
    const { sae, history } = await trainSae(matrixSource(world.x), {
      architecture: 'topk',
      k: 2,
      dSae: 48,
      steps: 600,
      trainBatchSizeTokens: 128,
      lr: 1e-2,
      lrDecaySteps: 200,
      deadFeatureWindow: 50,
      auxLossCoefficient: 1 / 32,
    });
    expect(history.at(-1)!.explainedVariance).toBeGreaterThan(0.95);
    expect(recovery(world.dictionary, sae.W_dec)).toBeGreaterThan(0.97);
    expect(sae.config).toMatchObject({ architecture: 'topk', k: 2, dIn: 16, dSae: 48, normalizeActivations: 'none' });
  });
  it('standard', async () => {
    const { sae, history } = await trainSae(matrixSource(world.x), {
      dSae: 48,
      steps: 700,
      trainBatchSizeTokens: 128,
      lr: 1e-2,
      lrDecaySteps: 200,
      l1Coefficient: 0.3,
      l1WarmUpSteps: 75,
    });
    expect(history.at(-1)!.explainedVariance).toBeGreaterThan(0.85);
    expect(recovery(world.dictionary, sae.W_dec)).toBeGreaterThan(0.96);
    expect(history.at(-1)!.l0).toBeLessThan(6);
  });
});

describe('training an SAE', () => {
  it('the same seed gives the same weights, another seed others', async () => {
    const run = async (seed: number) => (await trainSae(matrixSource(x), { ...small, seed })).sae.id;
    const id = await run(3);
    expect(await run(3)).toBe(id);
    expect(await run(4)).not.toBe(id);
  });

  it('decoder rows of a rescaled topk SAE have norm 1 after training', async () => {
    const { sae } = await trainSae(matrixSource(x), small);
    for (let f = 0; f < 24; f++) expect(Math.hypot(...sae.W_dec.data.subarray(f * 8, f * 8 + 8))).toBeCloseTo(1, 5);
    expect(sae.config.rescaleActsByDecoderNorm ?? false).toBe(false);
  });

  it('activation scaling is folded: training on scaled copies gives features that fire alike on either scale', async () => {
    const big = matrix(
      x.rows,
      x.cols,
      x.data.map((v) => v * 64),
    );
    const options: SaeTrainOptions = { ...small, normalizeActivations: 'expected_average_only_in' };
    const a = (await trainSae(matrixSource(x), options)).sae;
    const b = (await trainSae(matrixSource(big), options)).sae;
    expect(b.encode(big).indices).toEqual(a.encode(x).indices);
    const ra = a.decode(a.encode(x)).data;
    const rb = b.decode(b.encode(big)).data;
    for (let i = 0; i < ra.length; i++) expect(rb[i] / 64).toBeCloseTo(ra[i], 4);
  });

  it('counts a feature as dead once it has not fired for more steps than the window, not for as many', async () => {
    const run = vi.spyOn(TrainingStep.prototype, 'run');
    try {
      const window = 3;
      const { history } = await trainSae(matrixSource(x), {
        ...small,
        ...{ dSae: 48, k: 2, steps: 40, trainBatchSizeTokens: 8, bufferTokens: 16, deadFeatureWindow: window },
      });
      const masks = run.mock.calls.map(([, , { dead }]) => Array.from(dead ?? new Uint8Array(48)));
      const fired = await Promise.all(run.mock.results.map(async ({ value }) => (await value).fired)); // prettier-ignore
      // By the definition alone: not one firing in the last window + 1 steps.
      const silent = (t: number, f: number, steps: number): boolean =>
        t >= steps && fired.slice(t - steps, t).every((row) => !row[f]);
      let justNot = 0;
      masks.forEach((mask, t) => {
        const expected = mask.map((_, f) => (silent(t, f, window + 1) ? 1 : 0));
        expect(mask, `step ${t}`).toEqual(expected);
        expect(history[t].dead).toBe(expected.filter((dead) => dead === 1).length);
        if (t > window) justNot += mask.filter((dead, f) => !dead && silent(t, f, window)).length;
      });
      // Features at the very bound, on which the two counts differ, do occur.
      expect(justNot).toBeGreaterThan(5);
    } finally {
      run.mockRestore();
    }
  });

  it('goes on from a checkpoint to the same weights and history, bit for bit', async () => {
    const folder = testFolder('sae');
    for (const extra of [
      {},
      { architecture: 'standard', k: undefined, normalizeActivations: 'expected_average_only_in' },
    ] as SaeTrainOptions[]) {
      const options = { ...small, ...extra };
      const whole = await trainSae(matrixSource(x, { rowsPerBatch: 50 }), options);
      for (const stopAt of [1, 4, 7]) {
        const stop = new AbortController();
        const cut = trainSae(matrixSource(x, { rowsPerBatch: 50 }), {
          ...options,
          checkpoint: { folder, every: 3 },
          signal: stop.signal,
          // Progress is limited to five a second: the source's own steps decide where to stop.
          onProgress: undefined,
          ...cutAfter(stop, stopAt),
        });
        await expect(cut).rejects.toThrow(/cancelled/);
        const resumed = await trainSae(matrixSource(x, { rowsPerBatch: 50 }), { ...options, checkpoint: { folder } });
        expect(resumed.sae.id).toBe(whole.sae.id);
        expect(resumed.history).toEqual(whole.history);
        // The finished state stays until its caller has saved the SAE: asked again, nothing is trained.
        const again = await trainSae(matrixSource(x, { rowsPerBatch: 50 }), { ...options, checkpoint: { folder } });
        expect(again.sae.id).toBe(whole.sae.id);
        expect(again.history).toEqual(whole.history);
        for (const file of await readdir(folder)) await rm(join(folder, file));
      }
    }
  });

  it('refuses to go on with other options, naming them', async () => {
    const folder = testFolder('sae');
    const stop = new AbortController();
    await expect(
      trainSae(matrixSource(x), { ...small, checkpoint: { folder }, signal: stop.signal, ...cutAfter(stop, 2) }),
    ).rejects.toThrow();
    await expect(trainSae(matrixSource(x), { ...small, lr: 2e-2, checkpoint: { folder } })).rejects.toThrow(
      /lr \(there 0.01, here 0.02\)/,
    );
  });

  it('stops with a clear error when the activations hold NaN', async () => {
    const bad = matrix(300, 8, x.data.slice());
    for (let i = 5; i < bad.data.length; i += 80) bad.data[i] = NaN;
    await expect(trainSae(matrixSource(bad), small)).rejects.toThrow(/is NaN at step \d+; the activations hold NaN/);
  });

  it('stops with a clear error when the loss diverges', async () => {
    await expect(
      trainSae(matrixSource(x), { ...small, architecture: 'standard', k: undefined, lr: 1e18, maxGradNorm: null }),
    ).rejects.toThrow(/at step \d+; try a lower \{ lr \}/);
  });

  it.each([
    [{ k: 25 }, /k from 1 to d_sae = 24/],
    [{ steps: 0 }, /steps is 0; expected a whole number of at least 1/],
    [{ lrWarmUpSteps: 8, lrDecaySteps: 8 }, /take more than the 12 steps/],
    [{ bufferTokens: 16 }, /less than a batch/],
    [{ architecture: 'groupmax' as 'topk' }, /"groupmax" are not trained here; trained are standard, topk, gated/],
    [
      { l1Coefficient: 2 },
      /l1Coefficient means nothing to a topk SAE: it is an option of standard, gated, transcoder, skip_transcoder; leave it/,
    ],
    [{ architecture: 'batchtopk', k: 25 }, /k from 1 to d_sae = 24/],
    [{ architecture: 'matryoshka_batchtopk', matryoshkaWidths: [4, 30] }, /matryoshkaWidths are 4, 30 of 24 features/],
    [{ architecture: 'jumprelu', k: undefined, jumpreluSparsityLossMode: 'quadratic' }, /give \{ l0Target \}/],
    [
      { architecture: 'jumprelu', k: undefined, jumpreluTanhScale: 2 },
      /means nothing to jumpreluSparsityLossMode 'step'/,
    ],
    [{ learningRate: 1 } as object, /no option "learningRate"; it has architecture, features/],
    [{ adamBeta1: 1 }, /adamBeta1 is 1; expected a number at least 0 and below 1/],
  ] as Array<[SaeTrainOptions, RegExp]>)('refuses %o', async (options, message) => {
    await expect(trainSae(matrixSource(x), { ...small, ...options })).rejects.toThrow(message);
  });

  it('refuses an empty source', async () => {
    await expect(trainSae(matrixSource(matrix(0, 8)), small)).rejects.toThrow(/gave no rows/);
  });
});

/** Cancels at the `n`-th step whose batch is about to be computed. */
function cutAfter(stop: AbortController, n: number): Pick<SaeTrainOptions, never> {
  let left = n;
  const signal = stop.signal;
  // The trainer asks the signal once before each step; the n-th question after the start cancels.
  const proxy = new Proxy(signal, {
    get(target, key) {
      if (key === 'aborted' && !target.aborted && left-- <= 0) stop.abort();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { signal: proxy } as Pick<SaeTrainOptions, never>;
}
