/** What the phases of a search for neighbours (knn.ts beside this) share in memory, and their parameters. */
import { CONTROL } from './pieces.js';
import type { Fields, Views } from './memory.js';

export interface KnnParameters {
  n: number;
  d: number;
  k: number;
  metric: 'euclidean' | 'cosine';
  /** Largest size of the left integers; 0: float32. */
  whole: number;
  /** Candidates that a row keeps (mostKept, or fewKept where these suffice); its list holds twice as many. */
  kept: number;
  /** Unit of the rows: a power of two (euclidean), or 1. */
  unit: number;
  /** Most workers that take part. */
  workers: number;
}

/** Rows of a tile of the product. */
export const TILE = 1024;
/** Candidates kept beyond k, most and where fewer suffice: a list of twice as many is trimmed to its better half. */
const SPARE = 82;
const FEW_SPARE = 34;
/** Index in `control` of the count of workers that have a tile of their own. */
export const SEATS = 3;
/** Sums of a worker that kernels write. */
export const SUMS = 3;

/** Rows that are turned into columns at a time (knnRows.ts). */
export const TURNED = 32;

/** Most candidates that a row keeps: even, since its list has room for twice as many, in fours. */
export const mostKept = (k: number): number => 2 * Math.ceil((k + SPARE) / 2);
/** Candidates that a row keeps where errors are small beside the distances from neighbour to neighbour (knnProbe.ts). */
export const fewKept = (k: number): number => 2 * Math.ceil((k + FEW_SPARE) / 2);

/** Columns, filled up to fours. */
export const inFours = (d: number): number => 4 * Math.ceil(d / 4);

export function knnFields({ n, d, k, workers }: KnnParameters) {
  const room = 2 * mostKept(k) * n;
  const seats = Math.max(1, workers);
  const wide = inFours(d);
  const tiles = Math.ceil(n / TILE);
  return {
    control: ['i32', CONTROL],
    locks: ['i32', tiles],
    x: ['f32', n * d],
    columnSums: ['f64', wide * tiles],
    columnLeast: ['f32', wide * tiles],
    columnMost: ['f32', wide * tiles],
    shift: ['f64', wide],
    lengths: ['f64', n],
    squares: ['f64', n],
    squares32: ['f32', n],
    left: ['u8', n * d],
    right: ['i8', n * d],
    scaleLeft: ['f32', n],
    scaleRight: ['f32', n],
    errorLeft: ['f32', n],
    errorRight: ['f32', n],
    zero: ['i32', n],
    limits: ['f32', n],
    counts: ['i32', n],
    scores: ['f32', room],
    found: ['i32', room],
    tiles: ['i32', seats * TILE * TILE],
    scratch: ['i32', 4 * seats],
    row: ['f32', seats * (wide + 4)],
    wholes: ['i8', seats * TURNED * wide],
    unsigned: ['u8', seats * wide],
    sums: ['f64', SUMS * seats],
    unfit: ['i32', 2],
    doubtful: ['u8', n],
    worst: ['f64', n],
    indices: ['i32', n * k],
    distances: ['f32', n * k],
  } as const satisfies Fields;
}
export type KnnViews = Views<ReturnType<typeof knnFields>>;

/** What row r is multiplied by: by the unit (euclidean), or to length one (cosine; a zero row stays zero). */
export const factorOf = (m: KnnViews, { metric, unit }: KnnParameters, r: number): number =>
  metric === 'euclidean' ? 1 / unit : m.lengths[r] > 0 ? 1 / m.lengths[r] : 0;

/** Row r in units minus the shift. */
export function takeShifted(m: KnnViews, p: KnnParameters, r: number, v: Float32Array, to: number): void {
  const { d } = p;
  const base = r * d;
  const factor = factorOf(m, p, r);
  for (let j = 0; j < d; j++) v[to + j] = m.x[base + j] * factor - m.shift[j];
}
