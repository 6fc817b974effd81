/**
 * 1,000 null runs of corrected SVCCA on 5,000 pairs of 512 and 768 dimensions, the whole call: the exact value too. The
 * peer is numpy's road: float64, a product and its singular values for each shuffle, on OpenBLAS; a share of its runs is
 * measured and scaled.
 */
import { availableParallelism } from 'node:os';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { disposePool, openPool } from '#kernel/compute/pool.js';
import { Random } from '#kernel/compute/random.js';
import { poolNulls } from '#kernel/correlation/poolNulls.js';
import { similarityScores } from '#kernel/correlation/scores.js';
import { poolBundle } from '#test/kit/poolBundle.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const PAIRS = 5000;
const RUNS = 1000;
const WIDTHS = { x: 512, y: 768 };
const PEER_RUNS = 10;
const AIM_SECONDS = 60;

/** Rows of a spectrum that falls as 1/√rank, as decoders' do, with a shared part of rank 64. */
function pairs(): { x: Matrix; y: Matrix } {
  const random = new Random(1);
  const rank = 64;
  const shared = Float32Array.from({ length: PAIRS * rank }, () => random.normal());
  const side = (d: number): Matrix => {
    const data = new Float32Array(PAIRS * d);
    for (let i = 0; i < PAIRS; i++)
      for (let j = 0; j < d; j++)
        data[i * d + j] = (random.normal() + (j < rank ? shared[i * rank + j] : 0)) / Math.sqrt(1 + j / 32);
    return matrix(PAIRS, d, data);
  };
  return { x: side(WIDTHS.x), y: side(WIDTHS.y) };
}

export async function run(): Promise<BenchResult[]> {
  await initDevice({ device: 'cpu' });
  const { x, y } = pairs();
  const { bundle, remove } = await poolBundle();
  await openPool({ bundle });
  const start = performance.now();
  const cpu = process.cpuUsage();
  const [score] = await similarityScores(x, y, { metrics: ['svcca'], nulls: RUNS, shareNulls: poolNulls });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await disposePool();
  remove();
  const peer = runPeer<{ prepare: number; run: number }>('svcca_null', [PAIRS, WIDTHS.x, WIDTHS.y, PEER_RUNS]);
  const peerSeconds = peer.prepare + peer.run * RUNS;
  return [
    {
      name: 'svcca-null',
      size: `${RUNS} shuffles, ${PAIRS} pairs, ${WIDTHS.x} and ${WIDTHS.y} dimensions`,
      ours: seconds,
      peer: peerSeconds,
      unit: 's',
      speedup: peerSeconds / seconds,
      note: `${((user + system) / 1e6).toFixed(0)} s of CPU on ${availableParallelism()} cores; the aim: ${AIM_SECONDS} s; ${score.variant}; value ${score.value.toFixed(4)}, null ${score.null.mean.toFixed(4)} ± ${score.null.std.toFixed(5)}`,
    },
  ];
}
