/**
 * Sampling of a world of 512 features in 256 dimensions, 5 active: independent, and with firings correlated in blocks of
 * 8 by a Gaussian copula, against the same in vectorised numpy (float32 masks and magnitudes, one OpenBLAS product).
 * Both sides stream in batches and give x and the sparse codes. Seconds of CPU, as both may use every core, for
 * 10 million samples: ours drawn whole in a process of its own (with a copula a tenth of them), the peer's a share, scaled.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { jointOfLatent, phiOfJoint } from '#kernel/compute/sampling/normal.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const [FEATURES, DIM, L0, BATCH] = [512, 256, 5, 4096];
const SAMPLES = 10_000_000;
/** The share of the copula's row; the independent row draws all. */
const COPULA = 1_000_000;
const PEER = 200_000;
const LATENT = 0.3;

interface OurRun {
  wall: number;
  cpu: number;
  firings: number;
  before: number;
  peak: number;
}

/** Ours in a fresh process, so that the peak of its memory is the stream's. */
function runOurs(samples: number, block: number): OurRun {
  const script = fileURLToPath(new URL('./runs/sampling.ts', import.meta.url));
  const args = [samples, FEATURES, DIM, L0, block, LATENT].map(String);
  return JSON.parse(
    execFileSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8' }),
  ) as OurRun;
}

function row(name: string, block: number, samples: number): BenchResult {
  const our = runOurs(samples, block);
  const ours = our.cpu * (SAMPLES / samples);
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
      `CPU seconds, ours on ${samples} samples (wall ${((our.wall * SAMPLES) / samples).toFixed(0)} s, L0 ${(our.firings / samples).toFixed(3)}; ` +
      `peak memory of its process ${our.peak.toFixed(0)} MB, ${our.before.toFixed(0)} before the stream), peer on ${PEER} ` +
      `(wall ${((peer.wall * SAMPLES) / PEER).toFixed(0)} s, L0 ${peer.l0.toFixed(3)})`,
  };
}

export function run(): Promise<BenchResult[]> {
  return Promise.resolve([row('synthetic', 0, SAMPLES), row('synthetic, copula', 8, COPULA)]);
}
