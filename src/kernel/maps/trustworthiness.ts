/**
 * How far neighbours in a layout are neighbours in the data (Venna & Kaski 2001; scikit-learn's
 * sklearn.manifold.trustworthiness): 1 − 2/(nk(2n − 3k − 1)) Σ_i Σ_{j ∈ kNN of layout} max(0, rank(i, j) − k).
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { crossKnn } from '../compute/knn.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';

export interface TrustworthinessOptions extends CallOptions {
  /** Neighbours, default 5; must be below n / 2. */
  k?: number;
  metric?: 'euclidean' | 'cosine';
  /** Average over this many points drawn without replacement; default all. */
  samples?: number;
  seed?: number;
}

/** Distance that orders as the metric does: squared euclidean, or 1 − cosine. */
function distanceFrom(
  x: Matrix,
  i: number,
  metric: 'euclidean' | 'cosine',
  norms: Float64Array,
  out: Float64Array,
): void {
  const from = row(x, i);
  for (let j = 0; j < x.rows; j++) {
    const at = j * x.cols;
    let sum = 0;
    if (metric === 'euclidean') for (let c = 0; c < x.cols; c++) sum += (from[c] - x.data[at + c]) ** 2;
    else {
      for (let c = 0; c < x.cols; c++) sum += from[c] * x.data[at + c];
      const scale = norms[i] * norms[j];
      sum = scale > 0 ? 1 - sum / scale : 1;
    }
    out[j] = sum;
  }
}

/** @returns a value up to 1; @throws RangeError when k is not in 1 … (n − 1)/2. */
export async function trustworthiness(
  x: Matrix,
  layout: Matrix,
  options: TrustworthinessOptions = {},
): Promise<number> {
  const { k = 5, metric = 'euclidean', seed = 0 } = options;
  const n = x.rows;
  if (layout.rows !== n) throw new RangeError(`trustworthiness needs a layout of ${n} points but got ${layout.rows}`);
  if (k >= n / 2)
    throw new RangeError(`trustworthiness of ${n} points needs k from 1 to ${Math.ceil(n / 2) - 1} but got ${k}`);
  const samples = Math.min(n, options.samples ?? n);
  const chosen =
    samples === n
      ? Uint32Array.from({ length: n }, (_, i) => i)
      : new Random(seed).fork('trustworthiness').permutation(n).slice(0, samples);
  const queries = matrix(
    samples,
    2,
    Float32Array.from({ length: samples * 2 }, (_, e) => layout.data[2 * chosen[e >> 1] + (e & 1)]),
  );
  // One more than k: the point finds itself.
  const near = await crossKnn(queries, layout, k + 1, { metric: 'euclidean', signal: options.signal });
  const norms = Float64Array.from({ length: metric === 'cosine' ? n : 0 }, (_, i) => Math.hypot(...row(x, i)));
  const distances = new Float64Array(n);
  let penalty = 0;
  for (let s = 0; s < samples; s++) {
    const i = chosen[s];
    distanceFrom(x, i, metric, norms, distances);
    let taken = 0;
    for (let p = 0; p <= k && taken < k; p++) {
      const j = near.indices[s * (k + 1) + p];
      if (j === i) continue;
      taken++;
      let rank = 1;
      for (let o = 0; o < n; o++)
        if (o !== i && o !== j && (distances[o] < distances[j] || (distances[o] === distances[j] && o < j))) rank++;
      if (rank > k) penalty += rank - k;
    }
    if (s % 64 === 63) {
      checkAborted(options.signal, 'trustworthiness');
      options.onProgress?.({ label: 'Trustworthiness', done: s + 1, total: samples, unit: 'points' });
      await breathe();
    }
  }
  return 1 - (2 / (samples * k * (2 * n - 3 * k - 1))) * penalty;
}
