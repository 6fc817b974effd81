/**
 * Nearest neighbours by the pool's workers (knn.ts beside this): decides between 8 bits and float32, and runs the
 * phases.
 */
import type { Matrix } from '../matrix.js';
import { notNumbers, type Metric } from '../knnSide.js';
import { memoryBudget } from '../memory.js';
import { pool } from '../pool.js';
import * as knn from './knn.js';
import { fewKept, knnFields, mostKept, type KnnParameters } from './knnFields.js';
import { probe, TOO_FEW, UNFIT } from './knnProbe.js';
import { measure, measured, quantise } from './knnRows.js';
import { bytesOf, fitsMemory, shareMemory, viewsOf } from './memory.js';
import { runPhase, type PhaseOptions } from './phases.js';
import { largestWhole, MOST_COLUMNS } from './wholes.js';

export interface SharedSearch {
  metric: Metric;
  /** Tiles of integers where they suffice (default), or float32 always: for tests and comparison. */
  bits?: 8 | 32;
}

export interface SharedNeighbors {
  indices: Int32Array;
  distances: Float32Array;
  /** Rows whose neighbours rounding leaves in doubt, and for every row the k-th square found, in units. */
  doubtful: number[];
  worst: Float64Array;
  /** Subtracted from the rows; euclidean only. */
  mean: Float64Array | undefined;
  /** A power of two near the largest difference from the mean; 1 for cosine. */
  unit: number;
}

/** Below this many multiplications, workers cost more than they save. */
const SHARED_PRODUCT = 2e9;

const parametersOf = (x: Matrix, k: number, workers: number, metric: Metric): KnnParameters => ({
  n: x.rows,
  d: x.cols,
  k,
  metric,
  unit: 1,
  whole: 0,
  kept: mostKept(k),
  workers,
});

/** Whether a search is worth workers, and fits one memory and the budget. */
export function worthSharing(x: Matrix, k: number, workers: number | undefined, metric: Metric): boolean {
  const large = (x.rows * x.rows * x.cols) / 2 >= SHARED_PRODUCT;
  if (workers === undefined && !(large && pool().threaded)) return false;
  if (x.rows <= 2 * mostKept(k)) return false;
  const fields = knnFields(parametersOf(x, k, workers ?? pool().size + 1, metric));
  return fitsMemory(fields) && bytesOf(fields) <= memoryBudget();
}

/**
 * The k nearest other rows of each row, except for the rows in doubt.
 * @throws RangeError where an entry is not a finite number
 */
export async function sharedKnn(
  x: Matrix,
  k: number,
  search: SharedSearch,
  options: Omit<PhaseOptions, 'label' | 'unit'>,
): Promise<SharedNeighbors> {
  const workers = options.workers ?? pool().size + 1;
  (options.pool ?? pool()).start(workers);
  const p = parametersOf(x, k, workers, search.metric);
  const fields = knnFields(p);
  const memory = shareMemory(fields);
  const m = viewsOf(memory, fields);
  m.x.set(x.data);
  const team = { ...options, workers, label: 'nearest neighbours', unit: 'rows', total: x.rows };
  const quiet = { ...team, onProgress: undefined };
  await runPhase({ phase: 'knnMeasure', memory, parameters: p }, measure, quiet);
  const columns = measured(m, p);
  if (!columns) throw notNumbers('x', x);
  const mean = search.metric === 'euclidean' ? columns.mean : undefined;
  if (mean) {
    p.unit = columns.unit;
    m.shift.set(mean.map((v) => v / p.unit));
  }
  p.whole = search.bits === 32 || x.cols > MOST_COLUMNS ? 0 : largestWhole();
  await runPhase({ phase: 'knnQuantise', memory, parameters: p }, quantise, quiet);
  if (p.whole > 0) {
    await runPhase({ phase: 'knnProbe', memory, parameters: p }, probe, quiet);
    if (m.unfit[TOO_FEW] === 0) p.kept = fewKept(k);
    if (m.unfit[UNFIT] !== 0) {
      p.whole = 0;
      await runPhase({ phase: 'knnQuantise', memory, parameters: p }, quantise, quiet);
    }
  }
  await runPhase({ phase: 'knnCandidates', memory, parameters: p }, knn.candidates, team);
  await runPhase({ phase: 'knnRefine', memory, parameters: p }, knn.refine, quiet);
  const doubtful: number[] = [];
  m.doubtful.forEach((doubt, i) => {
    if (doubt) doubtful.push(i);
  });
  const { unit } = p;
  return { indices: m.indices.slice(), distances: m.distances.slice(), doubtful, worst: m.worst.slice(), mean, unit };
}
