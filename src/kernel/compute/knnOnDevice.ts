/**
 * Candidates for nearest neighbours from a device: blocks of the product with a running top-k. Only candidates: knn.ts
 * computes their distances in float64 and searches doubtful rows again, so that what it gives does not depend on who
 * found them.
 */
import { checkAborted, type CallOptions } from './call.js';
import { Candidates } from './candidates.js';
import { DeviceMemoryError } from './graphs/failures.js';
import { Graph } from './graphs/graph.js';
import type { DeviceTensor, GraphDevice, Program } from './graphs/host.js';

/** Floats of one block of scores: 128 MiB. */
const BLOCK_FLOATS = 2 ** 25;
/** Multiplications below which the way to the device costs more than it saves. */
const WORTH = 2e9;

/** The rows of one side as knn.ts prepares them: [n × d], and their squared lengths. */
export interface DeviceSide {
  rows: number;
  cols: number;
  shifted: Float32Array;
  squares: Float64Array;
}

export const worthDevice = (queries: number, base: number, d: number): boolean => queries * base * d >= WORTH;

/** −(|a|² + |b|² − 2ab) of a block [R, C], and its k largest. */
const PROGRAM: Program = {
  key: 'nearest rows',
  build: () => {
    const g = new Graph();
    const [a, b] = [g.input('a'), g.input('b')]; // [R, d], [C, d]
    const squares = g.add(g.input('aSquares'), g.input('bSquares')); // [R, 1] + [C]
    const scores = g.sub(g.mul(g.gemm(a, b, { transB: true }), g.number(2)), squares);
    return g.build({ ...g.topK(scores, g.input('k', 'int64'), 1) }, { indices: 'int64' });
  },
};

interface Tile {
  first: number;
  end: number;
  b: DeviceTensor;
  bSquares: DeviceTensor;
}

/**
 * The `size` base rows of smallest score for each query, scores in float32. `same`: the sides are one, and a row is no
 * candidate of its own.
 * @throws DeviceMemoryError where not even one row fits
 */
export async function deviceCandidates(
  device: GraphDevice,
  queries: DeviceSide,
  base: DeviceSide,
  same: boolean,
  size: number,
  options: CallOptions & { blockFloats?: number } = {},
): Promise<Candidates> {
  const { blockFloats = BLOCK_FLOATS, signal, onProgress } = options;
  const found = new Candidates(queries.rows, size);
  // Rows of a tile: what is multiplied at once, and what lies on the device, is bounded.
  const wide = Math.max(1, Math.min(base.rows, Math.floor(blockFloats / Math.max(base.cols, 64))));
  let step = Math.max(1, Math.min(4096, Math.floor(blockFloats / Math.max(wide, base.cols))));
  for (let first = 0; first < base.rows; first += wide) {
    const tile = await uploadTile(device, base, first, Math.min(base.rows, first + wide));
    try {
      for (let i = 0; i < queries.rows;) {
        checkAborted(signal, 'nearest neighbours');
        const end = Math.min(queries.rows, i + step);
        try {
          await scan(device, queries, i, end, tile, same, found, signal);
          i = end;
        } catch (error) {
          if (!(error instanceof DeviceMemoryError) || step === 1) throw error;
          step = Math.ceil(step / 2);
        }
        const done = first * queries.rows + i * (tile.end - first);
        onProgress?.({ done: Math.floor(done / base.rows), total: queries.rows, unit: 'rows', label: 'nearest neighbours' }); // prettier-ignore
      }
    } finally {
      device.free(tile.b, tile.bSquares);
    }
  }
  return found;
}

async function uploadTile(device: GraphDevice, base: DeviceSide, first: number, end: number): Promise<Tile> {
  const { cols, shifted, squares } = base;
  const b = await device.upload(shifted.subarray(first * cols, end * cols), [end - first, cols]);
  const bSquares = await device.upload(Float32Array.from(squares.subarray(first, end)), [end - first]);
  return { first, end, b, bSquares };
}

/** The candidates of the queries from … end − 1 in a tile. */
async function scan(
  device: GraphDevice,
  { cols, shifted, squares }: DeviceSide,
  from: number,
  end: number,
  { first, end: tileEnd, b, bSquares }: Tile,
  same: boolean,
  found: Candidates,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = end - from;
  // One more where the row itself may be among them.
  const k = Math.min(found.size + Number(same), tileEnd - first);
  const feeds = {
    a: { data: shifted.subarray(from * cols, end * cols), shape: [rows, cols] },
    aSquares: { data: Float32Array.from(squares.subarray(from, end)), shape: [rows, 1] },
    k: { data: BigInt64Array.of(BigInt(k)), shape: [1] },
  };
  const { host } = await device.run(PROGRAM, { ...feeds, b, bSquares }, { signal });
  const [values, indices] = [host.values.data as Float32Array, host.indices.data as BigInt64Array];
  for (let i = 0, at = 0; i < rows; i++) {
    const row = from + i;
    for (let e = 0; e < k; e++, at++) {
      const j = first + Number(indices[at]);
      if (!(same && j === row) && -values[at] < found.limits[row]) found.add(row, j, -values[at]);
    }
  }
}
