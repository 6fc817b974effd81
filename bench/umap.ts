/**
 * UMAP of 16,384 × 1,024 rows, 200 epochs, against umap-learn with a seed, both from rows to layout in one run: in clusters,
 * and connected (a curved sheet, whose graph is one piece and starts from its spectrum). umap-learn is measured in a fresh
 * process, as a user meets it (it compiles itself on the first call), and once more with its compilation behind it.
 * embedding-atlas's UMAP in WebAssembly comes from npm, is installed on demand and runs in a process of its own.
 * scikit-learn's trustworthiness and the neighbour recall of all layouts on the same 4,096 rows.
 *
 * Options: `--rows N` and `--columns N` for other sizes, `--data clustered|connected` for one of the two data sets. Beside
 * the seconds stand the processor's of ours, which other work on the machine changes less.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
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
const LEAST_COLUMNS = 8;
const CLUSTERS = 64;
const EPOCHS = 200;

type Rows = Float32Array<ArrayBuffer>;

function clusteredRows(rows: number, columns: number): Rows {
  const random = new Random(1);
  const centres = random.normals(new Float32Array(CLUSTERS * columns));
  const data = random.normals(new Float32Array(rows * columns)) as Rows;
  for (let i = 0; i < data.length; i++)
    data[i] = 0.8 * data[i] + centres[(Math.floor(i / columns) % CLUSTERS) * columns + (i % columns)];
  return data;
}

/** A sheet of two coordinates, bent by waves into all columns, with a little noise. */
function connectedRows(rows: number, columns: number): Rows {
  const random = new Random(2);
  const waves = random.normals(new Float32Array(3 * columns));
  const data = random.normals(new Float32Array(rows * columns)) as Rows;
  for (let r = 0; r < rows; r++) {
    const [u, v] = [4 * random.next(), 4 * random.next()];
    for (let j = 0; j < columns; j++) {
      const [a, b, phase] = [waves[3 * j], waves[3 * j + 1], 3 * waves[3 * j + 2]];
      data[r * columns + j] = Math.sin(a * u + b * v + phase) + 0.05 * data[r * columns + j];
    }
  }
  return data;
}

interface Sized {
  rows: number;
  columns: number;
  data: Rows;
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

async function compare(name: string, size: string, { rows, columns, data }: Sized): Promise<BenchResult[]> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  const layout = await umap(matrix(rows, columns, data), { nEpochs: EPOCHS, seed: 0 });
  const ours = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  const folder = mkdtempSync(path.join(tmpdir(), 'fgnb-bench-'));
  try {
    writeFileSync(path.join(folder, 'x.f32'), data);
    writeFileSync(path.join(folder, 'y.f32'), layout.coordinates);
    const atlas = runAtlas(folder, rows, columns, EPOCHS);
    const peer = runPeer<Peer>('umap_learn', [folder, rows, columns, EPOCHS]);
    const line = { size: `${rows} × ${columns}, ${size}, ${EPOCHS} epochs`, ours, unit: 's' };
    const ofAtlas = `embedding-atlas ${ATLAS}, k 15: trustworthiness ${peer.trustAtlas.toFixed(4)}, neighbour recall ${peer.recallAtlas.toFixed(4)}`;
    const quality = `k 15, ours and umap-learn ${peer.version}: trustworthiness ${peer.trustOurs.toFixed(4)}, ${peer.trustPeer.toFixed(4)}; neighbour recall ${peer.recallOurs.toFixed(4)}, ${peer.recallPeer.toFixed(4)}`;
    return [
      {
        ...line,
        name,
        peer: peer.seconds,
        speedup: peer.seconds / ours,
        note: `${((user + system) / 1e6).toFixed(1)} s of processor time; ${quality}; ${layout.description}`,
      },
      { ...line, name: `${name}, second call`, peer: peer.warm, speedup: peer.warm / ours },
      { ...line, name: `${name}, embedding-atlas`, peer: atlas, speedup: atlas / ours, note: ofAtlas },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const DATA = {
  clustered: { name: 'umap', size: `${CLUSTERS} clusters`, rowsOf: clusteredRows },
  connected: { name: 'umap connected', size: 'a bent sheet', rowsOf: connectedRows },
} as const;
type Data = keyof typeof DATA;

/** @throws Error for options that it has not, and for numbers out of range */
function optionsOf(args: readonly string[]): { rows: number; columns: number; data: readonly Data[] } {
  const { values } = parseArgs({
    args: [...args],
    options: { rows: { type: 'string' }, columns: { type: 'string' }, data: { type: 'string' } },
  });
  const { rows = ROWS, columns = COLUMNS, data } = values;
  const whole = (name: string, value: string | number, least: number): number => {
    if (!(Number.isInteger(Number(value)) && Number(value) >= least))
      throw new Error(`--${name} is ${value}; expected a whole number of at least ${least}`);
    return Number(value);
  };
  if (data !== undefined && !Object.hasOwn(DATA, data))
    throw new Error(`--data is ${data}; expected one of ${Object.keys(DATA).join(', ')}`);
  return {
    rows: whole('rows', rows, LEAST_ROWS),
    columns: whole('columns', columns, LEAST_COLUMNS),
    data: data === undefined ? (Object.keys(DATA) as Data[]) : [data as Data],
  };
}

export async function run(args: readonly string[]): Promise<BenchResult[]> {
  const { rows, columns, data } = optionsOf(args);
  await initDevice({ device: 'cpu' });
  const { bundle, remove } = await poolBundle();
  await openPool({ bundle });
  try {
    const results: BenchResult[] = [];
    for (const one of data) {
      const { name, size, rowsOf } = DATA[one];
      results.push(...(await compare(name, size, { rows, columns, data: rowsOf(rows, columns) })));
    }
    return results;
  } finally {
    await disposePool();
    remove();
  }
}
