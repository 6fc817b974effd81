/** Every trained architecture as a whole: it learns, goes on after a stop, and is written and read back. */
import { beforeEach, describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { TRAINED_NAMES, TRANSCODERS } from '#kernel/sae/architectures/trained.js';
import { loadSae } from '#kernel/sae/load.js';
import { saveSae } from '#kernel/sae/save.js';
import { matrixSource, type ActivationSource } from '#kernel/sae/source.js';
import { trainSae } from '#kernel/sae/train.js';
import type { SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import type { Sae } from '#kernel/sae/types.js';
import { predicted, trainingSource } from '#test/kit/deviceCases.js';
import { testFolder } from '#test/kit/folder.js';

let folder: string;
beforeEach(() => void (folder = testFolder('sae')));

/** Sums of 2 of 24 unit directions. */
function planted(rows: number, seed: number): Matrix {
  const d = 12;
  const random = new Random(4);
  const directions = Array.from({ length: 24 }, () => {
    const row = random.normals(new Float32Array(d));
    const norm = Math.hypot(...row);
    return row.map((v) => v / norm);
  });
  const draw = new Random(seed);
  const x = matrix(rows, d);
  for (let i = 0; i < rows; i++)
    for (const f of draw.permutation(24).subarray(0, 2)) {
      const strength = 1 + draw.next();
      for (let j = 0; j < d; j++) x.data[i * d + j] += strength * directions[f][j];
    }
  return x;
}
const x = planted(1024, 1);

const targetOf = (architecture: (typeof TRAINED_NAMES)[number], from: Matrix): Matrix =>
  TRANSCODERS.includes(architecture) ? predicted(from) : from;

const sourceOf = (architecture: (typeof TRAINED_NAMES)[number], rowsPerBatch?: number): ActivationSource =>
  trainingSource(architecture, x, rowsPerBatch);

const common: SaeTrainOptions = { dSae: 32, steps: 300, trainBatchSizeTokens: 128, lr: 1e-2, deadFeatureWindow: 40 };
/** What makes each learn these data, and the variance that it explains at least. */
const OPTIONS: Record<(typeof TRAINED_NAMES)[number], [SaeTrainOptions, number]> = {
  standard: [{ l1Coefficient: 0.1 }, 0.85],
  topk: [{ k: 2, tied: true }, 0.85],
  abstopk: [{ k: 2 }, 0.8],
  batchtopk: [{ k: 2 }, 0.85],
  matryoshka_batchtopk: [{ k: 2, matryoshkaWidths: [8, 16] }, 0.75],
  jumprelu: [{ jumpreluInitThreshold: 0.1, l0Coefficient: 0.02, preActLossCoefficient: 1e-4 }, 0.85],
  gated: [{ l1Coefficient: 0.1 }, 0.85],
  matching_pursuit: [{ maxIterations: 2, stopOnDuplicateSupport: false }, 0.85],
  transcoder: [{ l1Coefficient: 0.1 }, 0.85],
  skip_transcoder: [{ l1Coefficient: 0.1 }, 0.9],
  jumprelu_transcoder: [{ jumpreluInitThreshold: 0.1, l0Coefficient: 0.02 }, 0.85],
  jumprelu_skip_transcoder: [{ jumpreluInitThreshold: 0.1, l0Coefficient: 0.02 }, 0.9],
};

/** A signal that cancels at its n-th question. */
function stopAt(n: number): AbortSignal {
  const stop = new AbortController();
  let left = n;
  return new Proxy(stop.signal, {
    get(target, key) {
      if (key === 'aborted' && !target.aborted && left-- <= 0) stop.abort();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The share of the variance of `of` that the SAE gives back when it reads `read`. */
const explained = (sae: Sae, read: Matrix, of: Matrix): number => {
  const out = sae.decode(sae.encode(read));
  const mean = Array.from({ length: of.cols }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < of.rows; i++) sum += of.data[i * of.cols + j];
    return sum / of.rows;
  });
  let error = 0;
  let spread = 0;
  of.data.forEach((v, at) => {
    error += (out.data[at] - v) ** 2;
    spread += (v - mean[at % of.cols]) ** 2;
  });
  return 1 - error / spread;
};

describe.each(TRAINED_NAMES)('%s', (architecture) => {
  const [own, least] = OPTIONS[architecture];
  const options = { ...common, ...own, architecture };

  it('learns, is saved in the layout of SAELens and read back to the same features and figures', async () => {
    const { sae } = await trainSae(sourceOf(architecture), options);
    const held = planted(512, 2);
    expect(explained(sae, held, targetOf(architecture, held))).toBeGreaterThan(least);
    await saveSae(sae, folder);
    const back = await loadSae(folder);
    const features = sae.encode(held);
    expect(back.encode(held)).toEqual(features);
    expect(back.name).toBe(sae.name);
    // SAELens has a BatchTopK SAE as a JumpReLU one for inference.
    if (!architecture.endsWith('batchtopk')) expect(back.id).toBe(sae.id);
    expect(back.name).toMatch(new RegExp(`${architecture} 32$`));
    expect(back.decode(features)).toEqual(sae.decode(features));
    const training = sae.config.metadata.training as Record<string, unknown>;
    for (const name of Object.keys(own)) expect(training, name).toHaveProperty(name);
  });

  it('stopped goes on to the same bits, with activations scaled', async () => {
    const short: SaeTrainOptions = { ...options, steps: 24, normalizeActivations: 'expected_average_only_in' };
    const source = () => sourceOf(architecture, 100);
    const whole = await trainSae(source(), short);
    for (const n of [9, 14])
      await expect(
        trainSae(source(), { ...short, checkpoint: { folder, every: 5 }, signal: stopAt(n) }),
      ).rejects.toThrow(/cancelled/);
    const resumed = await trainSae(source(), { ...short, checkpoint: { folder } });
    expect(resumed.sae.id).toBe(whole.sae.id);
    expect(resumed.history).toEqual(whole.history);
  });
});

describe('the threshold of a batchtopk SAE', () => {
  it.each([1, 50])(
    'gives the L0 of training on new tokens, of activations %s times as large and scaled',
    async (factor) => {
      const large = (of: Matrix): Matrix => ({ ...of, data: of.data.map((v) => v * factor) });
      const { sae } = await trainSae(matrixSource(large(x)), {
        ...common,
        architecture: 'batchtopk',
        k: 2,
        steps: 400,
        normalizeActivations: 'expected_average_only_in',
      });
      const held = large(planted(512, 3));
      const l0 = sae.encode(held).values.length / held.rows;
      expect(l0).toBeGreaterThan(1.8);
      expect(l0).toBeLessThan(2.2);
      expect(new Set(sae.threshold)).toHaveProperty('size', 1);
    },
  );
});
