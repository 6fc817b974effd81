/** Exact nearest neighbours by blocks of a matrix product. */
import { breathe, checkAborted, type CallOptions } from './call.js';
import { Candidates } from './candidates.js';
import { graphDevice } from './graphs/current.js';
import { gemm, hasNativeProduct } from './gemm.js';
import type { GraphDevice } from './graphs/host.js';
import {
  exactSquare,
  longestRow,
  prepare,
  requireNumbers,
  scoreError,
  unitOf,
  type Metric,
  type Side,
} from './knnSide.js';
import { deviceCandidates, worthDevice } from './knnOnDevice.js';
import type { Matrix } from './matrix.js';
import { memoryBudget, requireMemory } from './memory.js';
import { columnMeans } from './rows.js';
import type { TeamOptions } from './shared/phases.js';
import { sharedKnn, worthSharing, type SharedSearch } from './shared/search.js';

export interface KnnOptions extends CallOptions, TeamOptions {
  metric: Metric;
  /** Bits of the factors in the workers' products: 8 where these suffice, by default. Changes no result. */
  bits?: SharedSearch['bits'];
  /** Device that finds the candidates, however few they are; default: that in use, for large searches. Changes no result. */
  device?: GraphDevice;
}

/** Nearest neighbours of n rows, k for each. */
export interface Neighbors {
  /** n × k, row-major, nearest first; equal distances in order of index. */
  indices: Int32Array;
  /** n × k; euclidean lengths, or 1 - cosine similarity. Each is computed in float64 and rounded once. */
  distances: Float32Array;
}

/** A block of the product: at most this many bytes, and about 0.3 s of native work. */
const BLOCK_BYTES = 256 * 2 ** 20;
const BLOCK_FLOPS = 4e10;
/** Candidates kept beyond k, so that rounding of the float32 product seldom makes a second search necessary. */
const SPARE = 16;

interface Search {
  queries: Side;
  base: Side;
  /** The two sides are one: a row is not its own neighbour, and a block serves its rows and its columns. */
  same: boolean;
  k: number;
  options: KnnOptions;
  longest: number;
  /** Finds the candidates, in float32 altogether. */
  device: GraphDevice | undefined;
  /** Unit of the scores: they are measured in squares of it; 1 for cosine. */
  unit: number;
}

/** scoreError, and on a device the three roundings of a score that is put together in float32. */
function errorOf(s: Search, i: number): number {
  const error = scoreError(s.queries, i, s.longest);
  return s.device ? error + 2 ** -22 * (Math.sqrt(s.queries.squares[i]) + s.longest) ** 2 : error;
}

/** Rows per block, for `cols` columns. */
function blockRows(cols: number, d: number): number {
  const bytes = Math.min(BLOCK_BYTES, memoryBudget() / 4);
  return Math.max(1, Math.min(1024, Math.floor(bytes / (4 * cols)), Math.floor(BLOCK_FLOPS / (2 * cols * d))));
}

/** Reads rows i0 … i1-1 of a product block whose columns start at j0; with `both`, entry (i, j) also serves row j. */
function scan(s: Search, found: Candidates, c: Float32Array, i0: number, i1: number, j0: number, j1: number): void {
  const { limits } = found;
  const qs = s.queries.squares;
  const bs = s.base.squares;
  const width = j1 - j0;
  for (let i = i0; i < i1; i++) {
    const at = (i - i0) * width - j0;
    const q = qs[i];
    let limit = limits[i];
    if (s.same) {
      for (let j = Math.max(j0, i + 1); j < j1; j++) {
        const score = q + bs[j] - 2 * c[at + j];
        if (score < limit) {
          found.add(i, j, score);
          limit = limits[i];
        }
        if (score < limits[j]) found.add(j, i, score);
      }
    } else {
      for (let j = j0; j < j1; j++) {
        const score = q + bs[j] - 2 * c[at + j];
        if (score < limit) {
          found.add(i, j, score);
          limit = limits[i];
        }
      }
    }
  }
}

async function collect(s: Search): Promise<Candidates> {
  const { queries, base, options } = s;
  const d = base.x.cols;
  const n = queries.x.rows;
  const size = Math.min(s.k + SPARE, base.x.rows - (s.same ? 1 : 0));
  if (s.device) {
    const [a, b] = [queries, base].map((side) => ({ ...side, rows: side.x.rows, cols: d }));
    return deviceCandidates(s.device, a, b, s.same, size, options);
  }
  const found = new Candidates(n, size);
  // Wide bases are cut by columns, so that a block of a few hundred rows still fits.
  const maxCols = Math.max(1, Math.min(base.x.rows, Math.floor(BLOCK_BYTES / (4 * 256))));
  let out = new Float32Array(0);
  for (let i0 = 0; i0 < n;) {
    const i1 = Math.min(n, i0 + blockRows(Math.min(maxCols, base.x.rows), d));
    for (let j0 = s.same ? i0 : 0; j0 < base.x.rows; j0 += maxCols) {
      checkAborted(options.signal, 'nearest neighbours');
      const j1 = Math.min(base.x.rows, j0 + maxCols);
      const size = (i1 - i0) * (j1 - j0);
      if (out.length < size) out = new Float32Array(size);
      const c = out.subarray(0, size);
      const rows = queries.shifted.subarray(i0 * d, i1 * d);
      gemm(rows, base.shifted.subarray(j0 * d, j1 * d), i1 - i0, j1 - j0, d, { transB: true, out: c });
      scan(s, found, c, i0, i1, j0, j1);
      await breathe();
    }
    i0 = i1;
    options.onProgress?.({ done: i0, total: n, unit: 'rows', label: 'nearest neighbours' });
  }
  return found;
}

/**
 * Sorts candidates by exact distance, then index; writes the k best and returns the k-th square in the unit of the
 * scores.
 */
function writeBest(s: Search, out: Neighbors, row: number, candidates: ArrayLike<number>): number {
  const squares = Float64Array.from(candidates, (j) => exactSquare(s.queries, row, s.base, j, s.options.metric));
  const order = Array.from(squares.keys()).sort((p, q) => squares[p] - squares[q] || candidates[p] - candidates[q]);
  for (let r = 0; r < s.k; r++) {
    out.indices[row * s.k + r] = candidates[order[r]];
    const square = squares[order[r]];
    out.distances[row * s.k + r] = s.options.metric === 'euclidean' ? Math.sqrt(square) : square / 2;
  }
  return squares[order[s.k - 1]] / s.unit ** 2;
}

/** The candidates of a row that rounding (`error` a score) does not keep out of the k best. */
function nearest(found: Candidates, row: number, k: number, error: number): Int32Array {
  const from = row * found.size;
  const to = from + found.count(row);
  const scores = found.scores.subarray(from, to);
  const limit = scores.slice().sort()[k - 1] + 2 * error;
  return found.indices.subarray(from, to).filter((_, c) => scores[c] <= limit);
}

/**
 * Searches again the rows whose candidates rounding leaves in doubt: among all base rows that could be among the k
 * nearest.
 */
async function lookAgain(s: Search, out: Neighbors, rows: number[], worst: Float64Array): Promise<void> {
  const d = s.base.x.cols;
  const n = s.base.x.rows;
  const step = Math.min(256, blockRows(n, d));
  for (let from = 0; from < rows.length; from += step) {
    checkAborted(s.options.signal, 'nearest neighbours');
    const some = rows.slice(from, from + step);
    const queries = new Float32Array(some.length * d);
    some.forEach((row, i) => queries.set(s.queries.shifted.subarray(row * d, (row + 1) * d), i * d));
    const c = gemm(queries, s.base.shifted, some.length, n, d, { transB: true });
    for (const [i, row] of some.entries()) {
      const limit = worst[row] + scoreError(s.queries, row, s.longest);
      const near: number[] = [];
      for (let j = 0; j < n; j++) {
        if (s.queries.squares[row] + s.base.squares[j] - 2 * c[i * n + j] <= limit && !(s.same && j === row))
          near.push(j);
      }
      writeBest(s, out, row, near);
      if (near.length > 10_000) await breathe();
    }
    await breathe();
  }
}

async function search(s: Search): Promise<Neighbors> {
  const n = s.queries.x.rows;
  const found = await collect(s);
  const out: Neighbors = { indices: new Int32Array(n * s.k), distances: new Float32Array(n * s.k) };
  const worst = new Float64Array(n);
  const doubtful: number[] = [];
  for (let i = 0; i < n; i++) {
    const error = errorOf(s, i);
    worst[i] = writeBest(s, out, i, nearest(found, i, s.k, error));
    if (found.limits[i] - error <= worst[i] && found.size < s.base.x.rows - (s.same ? 1 : 0)) doubtful.push(i);
    if (i % 1024 === 1023) {
      checkAborted(s.options.signal, 'nearest neighbours');
      await breathe();
    }
  }
  await lookAgain(s, out, doubtful, worst);
  return out;
}

function requireK(k: number, available: number, what: string): void {
  if (!Number.isInteger(k) || k < 1 || k > available) {
    throw new RangeError(`nearest neighbours: k must be from 1 to ${available} (${what}) but is ${k}`);
  }
}

function deviceFor(queries: Matrix, base: Matrix, { device, workers, bits }: KnnOptions): GraphDevice | undefined {
  if (device) return device;
  const asked = workers !== undefined || bits !== undefined;
  return !asked && worthDevice(queries.rows, base.rows, base.cols) ? graphDevice('neighbours') : undefined;
}

/** Bytes held at once: shifted rows, candidates, results, one block. */
function bytesNeeded(queries: Matrix, base: Matrix, k: number): number {
  const rows = queries === base ? base.rows : queries.rows + base.rows;
  const block = Math.min(BLOCK_BYTES, 4 * Math.min(1024, queries.rows) * base.rows);
  return 4 * rows * base.cols + 8 * rows + queries.rows * (12 * (k + SPARE) + 8 * k) + block;
}

/**
 * The k nearest other rows of each row of x, exactly: candidates come from a float32 product, their distances are
 * computed in float64, and rows that rounding leaves in doubt are searched again. Equal distances go in order of index.
 * Large searches run on the device in use, else in the pool's workers, with products of 8-bit integers where these leave few rows in doubt.
 * Under cosine a zero row is at distance 1 from every row, as in scikit-learn.
 *
 * @throws RangeError when k is not in 1 … rows-1, or an entry of x is not a finite number
 */
export async function exactKnn(x: Matrix, k: number, options: KnnOptions): Promise<Neighbors> {
  requireK(k, x.rows - 1, `${x.rows} rows, a row is not its own neighbour`);
  const { metric, bits, workers } = options;
  const device = deviceFor(x, x, options);
  const whole = (mean: Float64Array | undefined, unit: number): Search => {
    const side = prepare(x, metric, mean, unit);
    return { queries: side, base: side, same: true, k, options, longest: longestRow(side), unit, device };
  };
  if (!device && hasNativeProduct() && worthSharing(x, k, workers, metric)) {
    const { indices, distances, doubtful, worst, mean, unit } = await sharedKnn(x, k, { metric, bits }, options);
    if (doubtful.length > 0) await lookAgain(whole(mean, unit), { indices, distances }, doubtful, worst);
    return { indices, distances };
  }
  requireNumbers('x', x);
  const mean = metric === 'euclidean' ? columnMeans(x) : undefined;
  requireMemory(`nearest neighbours of ${x.rows} × ${x.cols}`, bytesNeeded(x, x, k));
  return search(whole(mean, unitOf([x], mean)));
}

/**
 * The k nearest rows of `base` for each row of `queries`; otherwise as exactKnn.
 *
 * @throws RangeError when the widths differ, k is not in 1 … base.rows, or an entry is not a finite number
 */
export async function crossKnn(queries: Matrix, base: Matrix, k: number, options: KnnOptions): Promise<Neighbors> {
  if (queries.cols !== base.cols) {
    throw new RangeError(`nearest neighbours: queries have ${queries.cols} columns but base has ${base.cols}`);
  }
  requireK(k, base.rows, `${base.rows} base rows`);
  requireNumbers('queries', queries);
  requireNumbers('base', base);
  requireMemory(
    `nearest neighbours of ${queries.rows} among ${base.rows} × ${base.cols}`,
    bytesNeeded(queries, base, k),
  );
  const mean = options.metric === 'euclidean' ? columnMeans(base) : undefined;
  const unit = unitOf([queries, base], mean);
  const side = prepare(base, options.metric, mean, unit);
  return search({
    queries: prepare(queries, options.metric, mean, unit),
    base: side,
    same: false,
    k,
    options,
    longest: longestRow(side),
    unit,
    device: deviceFor(queries, base, options),
  });
}
