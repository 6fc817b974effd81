/**
 * Vietoris-Rips persistence: 400 points of 256 dimensions to H1, and 100 points of a sphere to H2, against gudhi
 * (RipsComplex, simplex tree, persistent cohomology), both on given distances cut at the same enclosing radius. gudhi's
 * edge collapse is left off. Both must find the same numbers of bars.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { PointDistances } from '#kernel/mapper/landmarks.js';
import { ripsBarcodes } from '#kernel/mapper/rips.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

function normals(n: number, d: number): Matrix {
  const x = matrix(n, d);
  new Random(1).normals(x.data);
  return x;
}

function sphere(n: number): Matrix {
  const x = normals(n, 3);
  for (let i = 0; i < n; i++) {
    const row = x.data.subarray(3 * i, 3 * i + 3);
    const length = Math.hypot(...row);
    for (let j = 0; j < 3; j++) row[j] /= length;
  }
  return x;
}

async function compare(folder: string, name: string, x: Matrix, maxDim: 1 | 2): Promise<BenchResult> {
  const distances = await new PointDistances(x, 'euclidean').among(Int32Array.from({ length: x.rows }, (_, i) => i));
  let ours = Infinity;
  let bars: number[] = [];
  for (let repeat = 0; repeat < 3; repeat++) {
    const start = performance.now();
    const { barcodes } = await ripsBarcodes(distances, { maxDim });
    ours = Math.min(ours, (performance.now() - start) / 1000);
    bars = barcodes.map((b) => b.births.length);
  }
  const file = join(folder, 'points.bin');
  writeFileSync(file, x.data);
  const peer = runPeer<{ seconds: number; bars: number[]; gudhi: string }>('rips', [file, x.rows, x.cols, maxDim]);
  // gudhi leaves out bars of length 0 as we do.
  if (bars.join() !== peer.bars.join()) throw new Error(`bars differ: ours ${bars.join()}, gudhi ${peer.bars.join()}`);
  return {
    name: `Vietoris-Rips persistence to H${maxDim}`,
    size: name,
    ours,
    peer: peer.seconds,
    unit: 's',
    speedup: peer.seconds / ours,
    note: `gudhi ${peer.gudhi} without edge collapse; same bars: ${bars.join(', ')}`,
  };
}

export async function run(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fgnb-bench-'));
  try {
    return [
      await compare(folder, '400 points, d = 256', normals(400, 256), 1),
      await compare(folder, '100 points on a sphere', sphere(100), 2),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
