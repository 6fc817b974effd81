/**
 * Nearest neighbours by the pool's workers (knn.ts beside this): decides between 8 bits and float32, and runs the
 * phases.
 */
import { breathe, checkAborted } from '../call.js';
import type { Matrix } from '../matrix.js';
import { memoryBudget } from '../memory.js';
import { pool } from '../pool.js';
import * as knn from './knn.js';
import { bytesOf, fitsMemory, kernelsOf, shareMemory, viewsOf, type SharedMemory } from './memory.js';
import { runPhase, type PhaseOptions } from './phases.js';

export interface SharedSearch {
  metric: 'euclidean' | 'cosine';
  /** Subtracted from the rows; euclidean only. */
  mean: Float64Array | undefined;
  /** A power of two near the largest difference from the mean; 1 for cosine. */
  unit: number;
  /** Tiles of integers where they suffice (default), or float32 always: for tests and comparison. */
  bits?: 8 | 32;
}

export interface SharedNeighbors {
  indices: Int32Array;
  distances: Float32Array;
  /** Rows whose neighbours rounding leaves in doubt, and for every row the k-th square found, in units. */
  doubtful: number[];
  worst: Float64Array;
}

/** Below this many multiplications, workers cost more than they save. */
const SHARED_PRODUCT = 2e9;
/** Beyond this many columns, sums of products of 8 bits could overflow 32. */
const MOST_COLUMNS = 60_000;

const parametersOf = (x: Matrix, k: number, workers: number, { metric, unit }: SharedSearch): knn.KnnParameters => ({
  n: x.rows,
  d: x.cols,
  k,
  metric,
  unit,
  whole: 0,
  workers,
});

/** Whether a search is worth workers, and fits one memory and the budget. */
export function worthSharing(x: Matrix, k: number, workers: number | undefined, search: SharedSearch): boolean {
  const large = (x.rows * x.rows * x.cols) / 2 >= SHARED_PRODUCT;
  if (workers === undefined && !(large && pool().threaded)) return false;
  if (x.rows <= 2 * knn.keptOf(k)) return false;
  const fields = knn.knnFields(parametersOf(x, k, workers ?? pool().size + 1, search));
  return fitsMemory(fields) && bytesOf(fields) <= memoryBudget();
}

let whole: number | undefined;

/**
 * Largest size of the left integers. Processors without VNNI add pairs of products in 16 bits, which 8-bit factors
 * overflow; 0 where even 7 bits are multiplied wrongly.
 */
function largestWhole(): number {
  if (whole !== undefined) return whole;
  const product = knn.openTileProduct(true);
  try {
    whole = [127, 63].find((most) => {
      const c = new Int32Array(64 * 64);
      const a = new Uint8Array(64 * 64).fill(2 * most + 1);
      product.run({ a: [a, [64, 64]], b: [new Int8Array(64 * 64).fill(127), [64, 64]] }, { c: [c, [64, 64]] });
      return c.every((v) => v === 64 * (2 * most + 1) * 127);
    });
  } finally {
    product.close();
  }
  return (whole ??= 0);
}

/**
 * Whether 8 bits leave few rows in doubt and their errors are as random as their bound assumes. Tried on some rows:
 * their distances to all rows, and the scores of a part of these.
 */
async function wholeIsEnough(memory: SharedMemory, p: knn.KnnParameters, signal?: AbortSignal): Promise<boolean> {
  const m = viewsOf(memory, knn.knnFields(p));
  const exact = knn.exactOf(m, kernelsOf(memory), p);
  const { longest, error } = knn.errorBounds(m, p);
  const { n, d, k } = p;
  const units = p.unit * p.unit;
  const samples = Math.max(8, Math.floor(2 ** 18 / n));
  const squares = new Float64Array(n);
  const score = (i: number, j: number): number => {
    const from = j - (j % knn.TILE);
    const width = Math.min(knn.TILE, n - from);
    let sum = -m.zero[j];
    for (let c = 0, at = from * d + (j - from); c < d; c++, at += width) sum += m.left[i * d + c] * m.right[at];
    return m.squares[i] + m.squares[j] - 2 * m.scaleLeft[i] * m.scaleRight[j] * sum;
  };
  for (let s = 0; s < samples; s++) {
    const i = Math.floor((s * n) / samples);
    for (let j = 0; j < n; j++) squares[j] = exact(i, j) / units;
    for (let j = s; j < n; j += 61)
      if (Math.abs(score(i, j) - squares[j]) > 0.75 * error(i, Math.sqrt(m.squares[j]))) return false;
    const sorted = squares.slice().sort(); // the row itself first
    const reach = Math.min(longest, Math.sqrt(m.squares[i]) + Math.sqrt(sorted[k]));
    if (sorted[knn.keptOf(k)] - error(i, reach) <= sorted[k]) return false;
    await breathe();
    checkAborted(signal, 'nearest neighbours');
  }
  return true;
}

/** The k nearest other rows of each row, except for the rows in doubt. The rows must be finite numbers. */
export async function sharedKnn(
  x: Matrix,
  k: number,
  search: SharedSearch,
  options: Omit<PhaseOptions, 'label' | 'unit'>,
): Promise<SharedNeighbors> {
  const workers = options.workers ?? pool().size + 1;
  const p = parametersOf(x, k, workers, search);
  const fields = knn.knnFields(p);
  const memory = shareMemory(fields);
  const m = viewsOf(memory, fields);
  m.x.set(x.data);
  if (search.mean) m.shift.set(search.mean);
  const team = { ...options, workers, label: 'nearest neighbours', unit: 'rows', total: x.rows };
  const quiet = { ...team, onProgress: undefined };
  p.whole = search.bits === 32 || x.cols > MOST_COLUMNS ? 0 : largestWhole();
  await runPhase({ phase: 'knnQuantise', memory, parameters: p }, knn.quantise, quiet);
  if (p.whole > 0 && !(await wholeIsEnough(memory, p, options.signal))) {
    p.whole = 0;
    await runPhase({ phase: 'knnQuantise', memory, parameters: p }, knn.quantise, quiet);
  }
  await runPhase({ phase: 'knnCandidates', memory, parameters: p }, knn.candidates, team);
  await runPhase({ phase: 'knnRefine', memory, parameters: p }, knn.refine, quiet);
  const doubtful: number[] = [];
  m.doubtful.forEach((doubt, i) => {
    if (doubt) doubtful.push(i);
  });
  return { indices: m.indices.slice(), distances: m.distances.slice(), doubtful, worst: m.worst.slice() };
}
