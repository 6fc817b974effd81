/** Float32 products over typed arrays and over tensors, against numpy with OpenBLAS tuned for this CPU. */
import { initDevice } from '#kernel/compute/device.js';
import { gemm } from '#kernel/compute/gemm.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

/** m, n, k, left operand stored transposed. */
const SIZES: Array<[number, number, number, boolean]> = [
  [2048, 2048, 2048, false],
  [4096, 4096, 1024, false],
  [1024, 1024, 16384, false],
  [4096, 4096, 1024, true],
];
const RUNS = 15;

function bestGflops(flops: number, run: () => void): number {
  let best = Infinity;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return flops / best / 1e6;
}

export async function run(): Promise<BenchResult[]> {
  await initDevice({ device: 'cpu' });
  const peers = runPeer<number[]>('gemm', [JSON.stringify(SIZES), RUNS]);
  const random = new Random(0);
  return SIZES.flatMap(([m, n, k, transA], i) => {
    const a = random.normals(new Float32Array(m * k));
    const b = random.normals(new Float32Array(k * n));
    const out = new Float32Array(m * n);
    const arrays = bestGflops(2 * m * n * k, () => gemm(a, b, m, n, k, { transA, out }));
    const left = tf.tensor2d(a, transA ? [k, m] : [m, k]);
    const right = tf.tensor2d(b, [k, n]);
    const tensors = bestGflops(2 * m * n * k, () => tf.matMul(left, right, transA).dispose());
    tf.dispose([left, right]);
    const size = `${m} x ${k} x ${n}${transA ? ', left transposed' : ''}`;
    const result = (what: string, ours: number): BenchResult => ({
      name: 'gemm',
      size: `${size}, ${what}`,
      ours,
      peer: peers[i],
      unit: 'GFLOP/s',
      speedup: ours / peers[i],
    });
    return [result('typed arrays', arrays), result('tensors', tensors)];
  });
}
