/**
 * The linear assignment problem, 3,000 × 3,000, against scipy's linear_sum_assignment: correlations as of features, many
 * of them near 0 and few large, and uniform costs. And the assignment of largest total r among all pairs of 8,192 × 8,192
 * features from sparse activations, which scipy would need the whole matrix for.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linearAssignment } from '#kernel/compute/assignment.js';
import { Random } from '#kernel/compute/random.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { correlate } from '#kernel/correlation/map.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const N = 3000;

/** r of features that share hidden causes, with noise: rows compete for the same columns. */
function correlations(): Float64Array {
  const random = new Random(1);
  const dims = 24;
  const side = () => Float32Array.from({ length: N * dims }, () => random.normal());
  const [x, y] = [side(), side()];
  const norm = (m: Float32Array, i: number) => Math.hypot(...m.subarray(i * dims, (i + 1) * dims));
  const [nx, ny] = [x, y].map((m) => Float64Array.from({ length: N }, (_, i) => norm(m, i)));
  const r = new Float64Array(N * N);
  for (let i = 0; i < N; i++)
    for (let j = 0; j < N; j++) {
      let dot = 0;
      for (let k = 0; k < dims; k++) dot += x[i * dims + k] * y[j * dims + k];
      r[i * N + j] = dot / (nx[i] * ny[j]);
    }
  return r;
}

async function compare(folder: string, size: string, matrix: Float64Array): Promise<BenchResult> {
  const file = join(folder, 'matrix.bin');
  writeFileSync(file, matrix);
  const peer = runPeer<{ seconds: number; total: number; scipy: string }>('hungarian', [file, N]);
  let ours = Infinity;
  let total = 0;
  for (let repeat = 0; repeat < 3; repeat++) {
    const start = performance.now();
    total = (await linearAssignment(matrix, N, N, { maximize: true })).total;
    ours = Math.min(ours, (performance.now() - start) / 1000);
  }
  if (Math.abs(total - peer.total) > 1e-6 * Math.abs(peer.total))
    throw new Error(`totals differ: ours ${total}, scipy ${peer.total}`);
  const note = `the same total, ${total.toFixed(3)}; scipy ${peer.scipy}; the aim: under 5 s`;
  return { name: 'assignment', size, ours, peer: peer.seconds, unit: 's', speedup: peer.seconds / ours, note };
}

/** Activations of features that share tokens in groups, about 20 a token. */
function store(features: number, tokens: number, seed: number) {
  const causes = new Random(7);
  const random = new Random(seed);
  const indptr = new Uint32Array(tokens + 1);
  const rows: number[][] = [];
  for (let t = 0; t < tokens; t++) {
    const fired = new Set<number>();
    for (let k = 0; k < 12; k++) fired.add((causes.int(features >> 1) * 2 + random.int(2)) % features);
    for (let k = 0; k < 8; k++) fired.add(random.int(features));
    rows.push([...fired].sort((a, b) => a - b));
    indptr[t + 1] = indptr[t] + fired.size;
  }
  const indices = Int32Array.from(rows.flat());
  const values = Float32Array.from(indices, () => 0.5 + random.next());
  return memoryActivations({ rows: tokens, cols: features, indptr, indices, values });
}

async function sparse(features: number): Promise<BenchResult> {
  const [a, b] = [store(features, 64_000, 1), store(features, 64_000, 2)];
  const time = async (match: 'argmax' | 'hungarian') => {
    const start = performance.now();
    const map = await correlate(a, b, { match });
    return { seconds: (performance.now() - start) / 1000, map };
  };
  const plain = await time('argmax');
  const whole = await time('hungarian');
  const total = whole.map.pairs.r.reduce((sum, r) => sum + r, 0);
  return {
    name: "match: 'hungarian' on all features",
    size: `64,000 tokens, ${features} × ${features} features`,
    ours: whole.seconds,
    peer: plain.seconds,
    unit: 's',
    speedup: plain.seconds / whole.seconds,
    note: `peer: match 'argmax' by us; ${whole.map.pairs.r.length} pairs, total r ${total.toFixed(1)}`,
  };
}

export async function run(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fgnb-bench-'));
  try {
    const random = new Random(2);
    return [
      await compare(folder, `${N} × ${N} correlations of 24 hidden dimensions`, correlations()),
      await compare(
        folder,
        `${N} × ${N} uniform`,
        Float64Array.from({ length: N * N }, () => random.next()),
      ),
      await sparse(8192),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
