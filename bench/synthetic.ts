/**
 * Sampling of a world of 512 features in 256 dimensions, 5 active: independent, and with firings correlated in blocks of
 * 8 by a Gaussian copula, against the same in vectorised numpy (float32 masks and magnitudes, one OpenBLAS product).
 * Both sides stream in batches and give x and the sparse codes. Seconds of CPU, as both may use every core, for
 * 10 million samples; ours and the peer's are measured on a share and scaled.
 */
import { jointOfLatent, phiOfJoint } from '../src/kernel/compute/sampling/normal.js';
import { createWorld } from '../src/kernel/synthetic/world.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const [FEATURES, DIM, L0, BATCH] = [512, 256, 5, 4096];
const SAMPLES = 10_000_000;
const OURS = 400_000;
const PEER = 200_000;
const LATENT = 0.3;

async function row(name: string, block: number): Promise<BenchResult> {
  const world = await createWorld({
    features: FEATURES,
    dim: DIM,
    l0: L0,
    ...(block ? { correlations: { kind: 'block', size: block, correlation: LATENT, of: 'latent' } } : {}),
  });
  for await (const batch of world.sample(2 * BATCH)) void batch;
  const before = process.cpuUsage();
  const start = performance.now();
  let firings = 0;
  for await (const { codes } of world.sample(OURS)) firings += codes.values.length;
  const wall = (performance.now() - start) / 1000;
  const used = process.cpuUsage(before);
  const ours = ((used.user + used.system) / 1e6) * (SAMPLES / OURS);
  const peer = runPeer<{ wall: number; cpu: number; l0: number }>('synthetic', [
    PEER,
    FEATURES,
    DIM,
    L0,
    BATCH,
    block,
    LATENT,
  ]);
  const theirs = peer.cpu * (SAMPLES / PEER);
  const p = L0 / FEATURES;
  const phi = block ? `, phi ${phiOfJoint(p, p, jointOfLatent(p, p, LATENT)).toFixed(3)} inside blocks` : '';
  return {
    name,
    size: `${SAMPLES} samples, ${FEATURES} features in ${DIM} dimensions, L0 ${L0}${phi}`,
    ours,
    peer: theirs,
    unit: 's',
    speedup: theirs / ours,
    note:
      `CPU seconds, ours on ${OURS} samples (wall ${((wall * SAMPLES) / OURS).toFixed(0)} s, L0 ${(firings / OURS).toFixed(3)}), peer on ${PEER} ` +
      `(wall ${((peer.wall * SAMPLES) / PEER).toFixed(0)} s, L0 ${peer.l0.toFixed(3)}); heap and buffers ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`,
  };
}

export async function run(): Promise<BenchResult[]> {
  return [await row('synthetic', 0), await row('synthetic, copula', 8)];
}
