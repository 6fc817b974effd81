/**
 * UMAP of 16,384 × 1,024 rows, 200 epochs, against umap-learn with a seed, both from rows to layout in one run: in clusters,
 * and connected (a curved sheet, whose graph is one piece and starts from its spectrum). umap-learn is measured in a fresh
 * process, as a user meets it (it compiles itself on the first call), and once more with its compilation behind it.
 * embedding-atlas's UMAP in WebAssembly comes from npm, is installed on demand and runs in a process of its own.
 * scikit-learn's trustworthiness and the neighbour recall of all layouts on the same 4,096 rows.
 *
 * Options: `--rows N` for fewer rows.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { disposePool, openPool } from '#kernel/compute/pool.js';
import { Random } from '#kernel/compute/random.js';
import { umap } from '#kernel/maps/umap.js';
import { poolBundle } from '#test/kit/poolBundle.js';
import { ATLAS, runAtlas } from './runs/embeddingAtlas.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const ROWS = 16_384;
const LEAST_ROWS = 1_000;
const COLUMNS = 1_024;
const CLUSTERS = 64;
const EPOCHS = 200;

type Rows = Float32Array<ArrayBuffer>;

function clusteredRows(rows: number): Rows {
  const random = new Random(1);
  const centres = random.normals(new Float32Array(CLUSTERS * COLUMNS));
  const data = random.normals(new Float32Array(rows * COLUMNS)) as Rows;
  for (let i = 0; i < data.length; i++)
    data[i] = 0.8 * data[i] + centres[(Math.floor(i / COLUMNS) % CLUSTERS) * COLUMNS + (i % COLUMNS)];
  return data;
}

/** A sheet of two coordinates, bent by waves into all columns, with a little noise. */
function connectedRows(rows: number): Rows {
  const random = new Random(2);
  const waves = random.normals(new Float32Array(3 * COLUMNS));
  const data = random.normals(new Float32Array(rows * COLUMNS)) as Rows;
  for (let r = 0; r < rows; r++) {
    const [u, v] = [4 * random.next(), 4 * random.next()];
    for (let j = 0; j < COLUMNS; j++) {
      const [a, b, phase] = [waves[3 * j], waves[3 * j + 1], 3 * waves[3 * j + 2]];
      data[r * COLUMNS + j] = Math.sin(a * u + b * v + phase) + 0.05 * data[r * COLUMNS + j];
    }
  }
  return data;
}

interface Peer {
  seconds: number;
  warm: number;
  trustOurs: number;
  trustPeer: number;
  recallOurs: number;
  recallPeer: number;
  trustAtlas: number;
  recallAtlas: number;
  version: string;
}

async function compare(name: string, rows: number, size: string, data: Rows): Promise<BenchResult[]> {
  const started = performance.now();
  const layout = await umap(matrix(rows, COLUMNS, data), { nEpochs: EPOCHS, seed: 0 });
  const ours = (performance.now() - started) / 1000;
  const folder = mkdtempSync(path.join(tmpdir(), 'fgnb-bench-'));
  try {
    writeFileSync(path.join(folder, 'x.f32'), data);
    writeFileSync(path.join(folder, 'y.f32'), layout.coordinates);
    const atlas = runAtlas(folder, rows, COLUMNS, EPOCHS);
    const peer = runPeer<Peer>('umap_learn', [folder, rows, COLUMNS, EPOCHS]);
    const line = { size: `${rows} × ${COLUMNS}, ${size}, ${EPOCHS} epochs`, ours, unit: 's' };
    const ofAtlas = `embedding-atlas ${ATLAS}, k 15: trustworthiness ${peer.trustAtlas.toFixed(4)}, neighbour recall ${peer.recallAtlas.toFixed(4)}`;
    const quality = `k 15, ours and umap-learn ${peer.version}: trustworthiness ${peer.trustOurs.toFixed(4)}, ${peer.trustPeer.toFixed(4)}; neighbour recall ${peer.recallOurs.toFixed(4)}, ${peer.recallPeer.toFixed(4)}`;
    return [
      { ...line, name, peer: peer.seconds, speedup: peer.seconds / ours, note: `${quality}; ${layout.description}` },
      { ...line, name: `${name}, second call`, peer: peer.warm, speedup: peer.warm / ours },
      { ...line, name: `${name}, embedding-atlas`, peer: atlas, speedup: atlas / ours, note: ofAtlas },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `--rows N`. @throws Error for anything else */
function rowsOf(args: readonly string[]): number {
  if (args.length === 0) return ROWS;
  const rows = Number(args[1]);
  if (args[0] !== '--rows' || args.length !== 2 || !(Number.isInteger(rows) && rows >= LEAST_ROWS))
    throw new Error(`its options are --rows N, of at least ${LEAST_ROWS}, but it got ${args.join(' ')}`);
  return rows;
}

export async function run(args: readonly string[]): Promise<BenchResult[]> {
  const rows = rowsOf(args);
  await initDevice({ device: 'cpu' });
  const { bundle, remove } = await poolBundle();
  await openPool({ bundle });
  try {
    return [
      ...(await compare('umap', rows, `${CLUSTERS} clusters`, clusteredRows(rows))),
      ...(await compare('umap connected', rows, 'a bent sheet', connectedRows(rows))),
    ];
  } finally {
    await disposePool();
    remove();
  }
}
