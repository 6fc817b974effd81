/** Exact nearest neighbours by blocks of a matrix product. */
import { breathe, checkAborted, type CallOptions } from './call.js';
import { Candidates } from './candidates.js';
import { graphDevice } from './graphs/current.js';
import { gemm, hasNativeProduct } from './gemm.js';
import type { GraphDevice } from './graphs/host.js';
import { deviceCandidates, worthDevice } from './knnOnDevice.js';
import { powerBelow, type Matrix } from './matrix.js';
import { memoryBudget, requireMemory } from './memory.js';
import type { TeamOptions } from './shared/phases.js';
import { sharedKnn, worthSharing, type SharedSearch } from './shared/search.js';

export interface KnnOptions extends CallOptions, TeamOptions {
  metric: 'euclidean' | 'cosine';
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

/** The rows of one side: float64 squared lengths, and the rows that the product sees. */
export interface Side {
  x: Matrix;
  /** The rows that the product multiplies: centred, in units of Search.unit (euclidean), or of length one (cosine). */
  shifted: Float32Array;
  /** Squared lengths of `shifted` in float64; 1 for a zero row under cosine, which puts it at distance 1 from all. */
  squares: Float64Array;
  /** Lengths of the rows as given, float64; cosine only. */
  lengths: Float64Array;
}

/** A block of the product: at most this many bytes, and about 0.3 s of native work. */
const BLOCK_BYTES = 256 * 2 ** 20;
const BLOCK_FLOPS = 4e10;
/** Candidates kept beyond k, so that rounding of the float32 product seldom makes a second search necessary. */
const SPARE = 16;

export function requireNumbers(name: string, x: Matrix): void {
  for (let i = 0; i < x.data.length; i++) {
    if (!Number.isFinite(x.data[i])) {
      const r = Math.floor(i / x.cols);
      throw new RangeError(
        `nearest neighbours: row ${r} of ${name} has ${x.data[i]} at column ${i % x.cols}; leave such rows out first`,
      );
    }
  }
}

/**
 * Subtracts the mean of the base: distances stay, and |a|² + |b|² - 2ab loses fewer digits. Cosine: rows of length one,
 * zero rows staying zero, so that their product with anything is 0.
 */
export function prepare(x: Matrix, metric: KnnOptions['metric'], mean: Float64Array | undefined, unit: number): Side {
  const { rows, cols, data } = x;
  const shifted = new Float32Array(data.length);
  const squares = new Float64Array(rows);
  const lengths = new Float64Array(metric === 'cosine' ? rows : 0);
  for (let r = 0; r < rows; r++) {
    const base = r * cols;
    let scale = 1;
    if (metric === 'cosine') {
      const length = Math.sqrt(dot(data, base, data, base, cols));
      scale = length > 0 ? 1 / length : 0;
      lengths[r] = length;
    }
    for (let j = 0; j < cols; j++)
      shifted[base + j] = mean ? (data[base + j] - mean[j]) / unit : data[base + j] * scale;
    squares[r] = dot(shifted, base, shifted, base, cols);
    if (metric === 'cosine' && squares[r] === 0) squares[r] = 1;
  }
  return { x, shifted, squares, lengths };
}

/** Four sums, since a single one would wait for every addition. */
function dot(a: Float32Array, p: number, b: Float32Array, q: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < n; k += 4) {
    s0 += a[p + k] * b[q + k];
    s1 += a[p + k + 1] * b[q + k + 1];
    s2 += a[p + k + 2] * b[q + k + 2];
    s3 += a[p + k + 3] * b[q + k + 3];
  }
  for (; k < n; k++) s0 += a[p + k] * b[q + k];
  return s0 + s1 + (s2 + s3);
}

function squaredDistance(a: Float32Array, p: number, b: Float32Array, q: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < n; k += 4) {
    const d0 = a[p + k] - b[q + k];
    const d1 = a[p + k + 1] - b[q + k + 1];
    const d2 = a[p + k + 2] - b[q + k + 2];
    const d3 = a[p + k + 3] - b[q + k + 3];
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (; k < n; k++) s0 += (a[p + k] - b[q + k]) ** 2;
  return s0 + s1 + (s2 + s3);
}

function columnMeans(x: Matrix): Float64Array {
  const mean = new Float64Array(x.cols);
  for (let r = 0; r < x.rows; r++) for (let j = 0; j < x.cols; j++) mean[j] += x.data[r * x.cols + j];
  for (let j = 0; j < x.cols; j++) mean[j] /= x.rows;
  return mean;
}

/** A power of two near the largest difference from the mean: products of such rows neither overflow nor vanish. */
export function unitOf(sides: readonly Matrix[], mean: Float64Array | undefined): number {
  let largest = 0;
  if (!mean) return 1;
  for (const { data, rows, cols } of sides)
    for (let r = 0, i = 0; r < rows; r++)
      for (let j = 0; j < cols; j++, i++) largest = Math.max(largest, Math.abs(data[i] - mean[j]));
  return powerBelow(largest);
}

/** The squared euclidean distance, or twice the cosine distance, in float64 from the rows as given. */
export function exactSquare(a: Side, i: number, b: Side, j: number, metric: KnnOptions['metric']): number {
  const cols = a.x.cols;
  const p = i * cols;
  const q = j * cols;
  if (metric === 'euclidean') return squaredDistance(a.x.data, p, b.x.data, q, cols);
  const lengths = a.lengths[i] * b.lengths[j];
  if (lengths === 0) return 2;
  return Math.min(4, Math.max(0, 2 - (2 * dot(a.x.data, p, b.x.data, q, cols)) / lengths));
}

/**
 * How far a score |a|² + |b|² - 2ab from the float32 product can be from the exact one, for row i of `a` and any row of
 * the other side (longest row `longest`): the bound of a float32 sum of d terms, and the rounding of the rows. The
 * sum's bound is the smaller of the worst case d·u and the probabilistic 8·√d·u, which one sum in 10¹³ exceeds (Higham
 * and Mary 2019, theorem 2.4, λ = 8).
 */
export function scoreError(side: Side, i: number, longest: number): number {
  const d = side.x.cols;
  const length = Math.sqrt(side.squares[i]);
  const sum = Math.min(d + 2, 8 * Math.sqrt(d)) * 2 ** -24;
  return 2 * sum * length * longest + 2 ** -22 * (length + longest) ** 2;
}

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

export function longestRow(side: Side): number {
  return Math.sqrt(side.squares.reduce((m, x) => Math.max(m, x), 0));
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
  requireNumbers('x', x);
  const { metric, bits, workers } = options;
  const mean = metric === 'euclidean' ? columnMeans(x) : undefined;
  const unit = unitOf([x], mean);
  const device = deviceFor(x, x, options);
  const whole = (): Search => {
    const side = prepare(x, metric, mean, unit);
    return { queries: side, base: side, same: true, k, options, longest: longestRow(side), unit, device };
  };
  const shared = { metric, mean, unit, bits };
  if (!device && hasNativeProduct() && worthSharing(x, k, workers, shared)) {
    const { indices, distances, doubtful, worst } = await sharedKnn(x, k, shared, options);
    if (doubtful.length > 0) await lookAgain(whole(), { indices, distances }, doubtful, worst);
    return { indices, distances };
  }
  requireMemory(`nearest neighbours of ${x.rows} × ${x.cols}`, bytesNeeded(x, x, k));
  return search(whole());
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
