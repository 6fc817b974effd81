/**
 * Training steps of a topk SAE (k = 32, batch 4,096 tokens): forward, gradients, gradient-norm clipping and Adam, against
 * the same step in PyTorch (dense autograd, as SAELens runs it) on all threads. Median of several, in tokens per second.
 */
import { initDevice } from '#kernel/compute/device.js';
import { Random } from '#kernel/compute/random.js';
import { adamUpdate, clipFactor, gradientNorm } from '#kernel/sae/adam.js';
import { topk } from '#kernel/sae/architectures/topk.js';
import { initialParameters, parameters } from '#kernel/sae/parameters.js';
import { TrainingStep } from '#kernel/sae/step.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const BATCH = 4096;
const K = 32;
const SIZES: Array<[dIn: number, dSae: number, repeats: number]> = [
  [128, 1024, 9],
  [1024, 16_384, 3],
];

async function secondsPerStep(dIn: number, dSae: number, repeats: number): Promise<number> {
  const p = initialParameters(dIn, dSae, 0.1, 0);
  const g = parameters(dIn, dSae);
  const state = { m: new Float32Array(p.flat.length), v: new Float32Array(p.flat.length) };
  const step = new TrainingStep(topk.training.start({ k: K }, { dIn, dSae }), { applyBDecToInput: true });
  const x = new Random(1).normals(new Float32Array(BATCH * dIn));
  const times: number[] = [];
  for (let t = 1; t <= repeats + 1; t++) {
    const start = performance.now();
    await step.run(p, g, { x, step: t - 1 });
    const clip = clipFactor(gradientNorm(g.flat), 1);
    adamUpdate(p.flat, g.flat, state, t, 3e-4, clip, { beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    if (t > 1) times.push((performance.now() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

export async function run(): Promise<BenchResult[]> {
  await initDevice();
  const results: BenchResult[] = [];
  for (const [dIn, dSae, repeats] of SIZES) {
    const ours = BATCH / (await secondsPerStep(dIn, dSae, repeats));
    const { seconds } = runPeer<{ seconds: number }>('sae_train', [dIn, dSae, K, BATCH, repeats]);
    const peer = BATCH / seconds;
    const size = `d=${dIn}, F=${dSae}, k=${K}, batch ${BATCH}`;
    results.push({ name: 'sae-train', size, ours, peer, unit: 'tokens/s', speedup: ours / peer });
  }
  return results;
}
