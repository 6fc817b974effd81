/**
 * UMAP of clustered rows, 16,384 × 1,024, 200 epochs, against umap-learn with a seed, both from rows to layout in one
 * run, each in a fresh process as a user meets it (umap-learn compiles itself on the first call; its second is in the note);
 * scikit-learn's trustworthiness of both layouts on the same 4,096 rows.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { umap } from '#kernel/maps/umap.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const ROWS = 16_384;
const COLUMNS = 1_024;
const CLUSTERS = 64;
const EPOCHS = 200;

function clusteredRows(): Float32Array<ArrayBuffer> {
  const random = new Random(1);
  const centres = random.normals(new Float32Array(CLUSTERS * COLUMNS));
  const data = random.normals(new Float32Array(ROWS * COLUMNS)) as Float32Array<ArrayBuffer>;
  for (let i = 0; i < data.length; i++)
    data[i] = 0.8 * data[i] + centres[(Math.floor(i / COLUMNS) % CLUSTERS) * COLUMNS + (i % COLUMNS)];
  return data;
}

export async function run(): Promise<BenchResult[]> {
  await initDevice({ device: 'cpu' });
  const data = clusteredRows();
  const started = performance.now();
  const layout = await umap(matrix(ROWS, COLUMNS, data), { nEpochs: EPOCHS, seed: 0 });
  const ours = (performance.now() - started) / 1000;
  const folder = mkdtempSync(path.join(tmpdir(), 'fgnb-bench-'));
  try {
    writeFileSync(path.join(folder, 'x.f32'), data);
    writeFileSync(path.join(folder, 'y.f32'), layout.coordinates);
    const peer = runPeer<{ seconds: number; warm: number; trustOurs: number; trustPeer: number; version: string }>(
      'umap_learn',
      [folder, ROWS, COLUMNS, EPOCHS],
    );
    return [
      {
        name: 'umap',
        size: `${ROWS} × ${COLUMNS}, ${CLUSTERS} clusters, ${EPOCHS} epochs`,
        ours,
        peer: peer.seconds,
        unit: 's',
        speedup: peer.seconds / ours,
        note: `umap-learn's second call ${peer.warm.toFixed(1)} s; trustworthiness (k 15) ours ${peer.trustOurs.toFixed(4)}, umap-learn ${peer.version} ${peer.trustPeer.toFixed(4)}; ${layout.description}`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
