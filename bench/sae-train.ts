/**
 * Training steps of SAEs (batch 4,096 tokens): forward, gradients, gradient-norm clipping and Adam, against the same step
 * in PyTorch (dense autograd, as SAELens runs it) on all threads. Median of several (41 of small ones, of which the first
 * few wait for code to be compiled), in tokens per second.
 *
 * Architectures that select a number of features have k = 32. How much standard and jumprelu have to do depends on how
 * many features fire, which k does not set: the encoder's bias puts it at about 32 of a token, as late in training, on both
 * sides, and a learning rate of 0 keeps it there (at 3e-4 this one batch would have 74 firing after ten steps). Each result says the most memory that this process has taken so far: of one size, run that size alone.
 *
 *   npm run bench -- sae-train [--dim 128|1024] [--features 1024|16384|32768] [--architecture topk]
 */
import { parseArgs } from 'node:util';
import { initDevice } from '#kernel/compute/device.js';
import { disposePool, openPool } from '#kernel/compute/pool.js';
import { Random } from '#kernel/compute/random.js';
import { clipFactor } from '#kernel/sae/adam.js';
import { trainingOf } from '#kernel/sae/architectures/trained.js';
import { initialParameters } from '#kernel/sae/parameters.js';
import { TrainingStep } from '#kernel/sae/step.js';
import { CpuSteps } from '#kernel/sae/steps.js';
import { poolBundle } from '#test/kit/poolBundle.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const BATCH = 4096;
const K = 32;
/** Of unit normal activations and rows of norm 0.1, z is normal with this deviation. */
const DEVIATION = 0.1;
const SIZES: Array<[architecture: string, dIn: number, dSae: number, repeats: number]> = [
  ['topk', 128, 1024, 41],
  ['batchtopk', 128, 1024, 41],
  ['matryoshka_batchtopk', 128, 1024, 41],
  ['standard', 128, 1024, 41],
  ['jumprelu', 128, 1024, 41],
  ['topk', 1024, 16_384, 3],
  ['batchtopk', 1024, 16_384, 3],
  ['matryoshka_batchtopk', 1024, 16_384, 3],
  ['standard', 1024, 16_384, 3],
  ['jumprelu', 1024, 16_384, 3],
  ['topk', 1024, 32_768, 3],
];
const OPTIONS: Readonly<Record<string, object>> = {
  topk: { k: K },
  batchtopk: { k: K },
  matryoshka_batchtopk: { k: K },
  standard: { l1Coefficient: 1 },
  jumprelu: { l0Coefficient: 1, jumpreluBandwidth: 0.01 },
};

/** By features: the deviations that 32 of them lie above, in float64. */
const ABOVE: Readonly<Record<number, number>> = { 1024: 1.863, 16_384: 2.886 };

/** b_enc at which about 32 features fire, above θ = 0.01. */
const biasOf = (architecture: string, dSae: number): number =>
  architecture === 'standard'
    ? -ABOVE[dSae] * DEVIATION
    : architecture === 'jumprelu'
      ? 0.01 - ABOVE[dSae] * DEVIATION
      : 0;

async function secondsPerStep(architecture: string, dIn: number, dSae: number, repeats: number): Promise<number> {
  const training = trainingOf(architecture).start(OPTIONS[architecture], {
    dIn,
    dSae,
  });
  const p = initialParameters({ dIn, dSae }, 0.1, 0, training.parameters);
  p.b_enc.fill(biasOf(architecture, dSae));
  const moments = { m: new Float32Array(p.flat.length), v: new Float32Array(p.flat.length) };
  const steps = new CpuSteps(new TrainingStep(training, { applyBDecToInput: true }), p, moments, undefined);
  const x = new Random(1).normals(new Float32Array(BATCH * dIn));
  const times: number[] = [];
  for (let t = 1; t <= repeats + 1; t++) {
    const start = performance.now();
    const { l0 } = await steps.run({ x, step: t - 1 });
    if (l0 < K / 4 || l0 > 4 * K) throw new Error(`${architecture} fires on ${l0} features of a token, not about ${K}`);
    const clip = clipFactor(await steps.norm(), 1);
    await steps.update({ t, lr: 0, clip, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    if (t > 1) times.push((performance.now() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

/** The sizes that the arguments leave. */
function sizesOf(args: readonly string[]): typeof SIZES {
  const options = { dim: { type: 'string' }, features: { type: 'string' }, architecture: { type: 'string' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const found = SIZES.filter(([architecture, dIn, dSae]) =>
    [
      [values.architecture, architecture],
      [values.dim, String(dIn)],
      [values.features, String(dSae)],
    ].every(([asked, has]) => asked === undefined || asked === has),
  );
  if (found.length === 0) throw new RangeError(`no size is left by ${args.join(' ')}; there are ${SIZES.map((size) => size.slice(0, 3).join(' ')).join(', ')}`); // prettier-ignore
  return found;
}

export async function run(args: readonly string[]): Promise<BenchResult[]> {
  const { bundle, remove } = await poolBundle();
  await openPool({ bundle });
  try {
    return await measured(args);
  } finally {
    await disposePool();
    remove();
  }
}

async function measured(args: readonly string[]): Promise<BenchResult[]> {
  await initDevice();
  const results: BenchResult[] = [];
  for (const [architecture, dIn, dSae, repeats] of sizesOf(args)) {
    const ours = BATCH / (await secondsPerStep(architecture, dIn, dSae, repeats));
    const peak = process.resourceUsage().maxRSS / 1024 ** 2;
    const given = [dIn, dSae, K, BATCH, repeats, architecture, biasOf(architecture, dSae)];
    const { seconds } = runPeer<{ seconds: number }>('sae_train', given);
    const peer = BATCH / seconds;
    const size = `${architecture}, d=${dIn}, F=${dSae}, ${K} firing, batch ${BATCH}`;
    results.push({
      name: 'sae-train',
      size,
      ours,
      peer,
      unit: 'tokens/s',
      speedup: ours / peer,
      note: `at most ${peak.toFixed(1)} GiB so far`,
    });
  }
  return results;
}
