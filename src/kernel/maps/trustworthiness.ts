/**
 * How far neighbours in a layout are neighbours in the data (Venna & Kaski 2001; scikit-learn's
 * sklearn.manifold.trustworthiness): 1 − 2/(nk(2n − 3k − 1)) Σ_i Σ_{j ∈ kNN of layout} max(0, rank(i, j) − k); and
 * continuity, the same with the roles of data and layout exchanged.
 */
import type { CallOptions } from '../compute/call.js';
import { crossKnn } from '../compute/knn.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { ranksAmong } from '../compute/ranks.js';
import { gatherRows } from '../compute/rows.js';
import type { ActivationRows } from './activationRows.js';

type Metric = 'euclidean' | 'cosine';

export interface TrustworthinessOptions extends CallOptions {
  /** Neighbours, default 5; must be below n / 2. */
  k?: number;
  /** Of the data; activations are compared by cosine. */
  metric?: Metric;
  /** Average over this many points drawn without replacement; default all. */
  samples?: number;
  seed?: number;
}

const isMatrix = (x: Matrix | ActivationRows): x is Matrix => 'data' in x;

/** @throws RangeError when the sizes do not fit or k is not in 1 … (n − 1)/2 */
function requireSizes(n: number, layout: Matrix, k: number): void {
  if (layout.rows !== n) throw new RangeError(`trustworthiness needs a layout of ${n} points but got ${layout.rows}`);
  if (k >= n / 2)
    throw new RangeError(`trustworthiness of ${n} points needs k from 1 to ${Math.ceil(n / 2) - 1} but got ${k}`);
}

/** The k nearest other rows of some rows of x; q × k. */
async function nearestOthers(
  x: Matrix,
  of: Uint32Array,
  k: number,
  metric: Metric,
  call: CallOptions,
): Promise<Int32Array> {
  // One more than k: the point finds itself, unless others lie on it.
  const { indices } = await crossKnn(gatherRows(x, of), x, k + 1, { metric, ...call });
  const near = new Int32Array(of.length * k);
  for (let q = 0; q < of.length; q++) {
    const own = indices.subarray(q * (k + 1), (q + 1) * (k + 1));
    near.set(own.filter((j) => j !== of[q]).subarray(0, k), q * k);
  }
  return near;
}

/** Shares of points by how far the ranks of their neighbours exceed k: 1 for none; their mean is trustworthiness. */
function sharesOf(ranks: Int32Array, k: number, n: number): Float64Array {
  const scale = 2 / (k * (2 * n - 3 * k - 1));
  return Float64Array.from({ length: ranks.length / k }, (_, q) => {
    let penalty = 0;
    for (let p = q * k; p < (q + 1) * k; p++) penalty += Math.max(0, ranks[p] - k);
    return 1 - scale * penalty;
  });
}

const mean = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Trust of each of some points, in [q]. */
async function trusts(
  x: Matrix | ActivationRows,
  layout: Matrix,
  of: Uint32Array,
  o: TrustworthinessOptions,
): Promise<Float64Array> {
  const { k = 5, metric = 'euclidean', signal, onProgress } = o;
  const near = await nearestOthers(layout, of, k, 'euclidean', { signal });
  const ranks = isMatrix(x)
    ? await ranksAmong(x, of, near, { metric, signal, onProgress })
    : await x.ranks(of, near, { signal, onProgress });
  return sharesOf(ranks, k, x.rows);
}

/** @returns a value up to 1; @throws RangeError when k is not in 1 … (n − 1)/2. */
export async function trustworthiness(
  x: Matrix | ActivationRows,
  layout: Matrix,
  options: TrustworthinessOptions = {},
): Promise<number> {
  const { k = 5, seed = 0 } = options;
  const n = x.rows;
  requireSizes(n, layout, k);
  const samples = Math.min(n, options.samples ?? n);
  const chosen =
    samples === n
      ? Uint32Array.from({ length: n }, (_, i) => i)
      : new Random(seed).fork('trustworthiness').permutation(n).slice(0, samples);
  return mean(await trusts(x, layout, chosen, options));
}

export interface PointQuality {
  /** [n]: 1 where all k neighbours in the layout are among the k nearest of the data; their mean is trustworthiness. */
  trust: Float64Array;
  /** [n]: 1 where all k nearest of the data are among the k neighbours in the layout; their mean is continuity. */
  continuity: Float64Array;
}

/** Trust and continuity of every point. @throws RangeError when k is not in 1 … (n − 1)/2 */
export async function pointQuality(
  x: Matrix | ActivationRows,
  layout: Matrix,
  options: Omit<TrustworthinessOptions, 'samples' | 'seed'> = {},
): Promise<PointQuality> {
  const { k = 5, metric = 'euclidean', signal, onProgress } = options;
  const n = x.rows;
  requireSizes(n, layout, k);
  const all = Uint32Array.from({ length: n }, (_, i) => i);
  const trust = await trusts(x, layout, all, options);
  const near = isMatrix(x)
    ? await nearestOthers(x, all, k, metric, { signal, onProgress })
    : (await x.neighbours(k, { signal, onProgress })).indices;
  const ranks = await ranksAmong(layout, all, near, { metric: 'euclidean', signal, onProgress });
  return { trust, continuity: sharesOf(ranks, k, n) };
}
