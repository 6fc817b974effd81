/** Rows as a search for neighbours takes them (knn.ts), and their exact distances. */
import { powerBelow, type Matrix } from './matrix.js';
import { allFinite } from './require.js';

export type Metric = 'euclidean' | 'cosine';

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

/** Names the first entry that is not a finite number, of a matrix that has one. */
export function notNumbers(name: string, { data, cols }: Matrix): RangeError {
  const at = data.findIndex((v) => !Number.isFinite(v));
  return new RangeError(
    `nearest neighbours: row ${Math.floor(at / cols)} of ${name} has ${data[at]} at column ${at % cols}; leave such rows out first`,
  );
}

export function requireNumbers(name: string, x: Matrix): void {
  if (!allFinite(x.data)) throw notNumbers(name, x);
}

/**
 * Subtracts the mean of the base: distances stay, and |a|² + |b|² - 2ab loses fewer digits. Cosine: rows of length one,
 * zero rows staying zero, so that their product with anything is 0.
 */
export function prepare(x: Matrix, metric: Metric, mean: Float64Array | undefined, unit: number): Side {
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

/** A power of two near the largest difference from the mean: products of such rows neither overflow nor vanish. */
export function unitOf(sides: readonly Matrix[], mean: Float64Array | undefined): number {
  let largest = 0;
  if (!mean) return 1;
  for (const { data, rows, cols } of sides)
    for (let r = 0, i = 0; r < rows; r++)
      for (let j = 0; j < cols; j++, i++) {
        const size = Math.abs(data[i] - mean[j]);
        if (size > largest) largest = size;
      }
  return powerBelow(largest);
}

/** The squared euclidean distance, or twice the cosine distance, in float64 from the rows as given. */
export function exactSquare(a: Side, i: number, b: Side, j: number, metric: Metric): number {
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

export function longestRow(side: Side): number {
  return Math.sqrt(side.squares.reduce((m, x) => Math.max(m, x), 0));
}
