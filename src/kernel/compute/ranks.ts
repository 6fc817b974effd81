/**
 * Ranks by distance, exactly: a float32 product tells rows that are surely nearer from rows that are surely farther,
 * and those in between are measured in float64.
 */
import { breathe, checkAborted, type CallOptions } from './call.js';
import { gemm } from './gemm.js';
import { exactSquare, longestRow, prepare, requireNumbers, scoreError, unitOf, type Side } from './knnSide.js';
import type { Matrix } from './matrix.js';
import { columnMeans } from './rows.js';

export interface RankOptions extends CallOptions {
  metric: 'euclidean' | 'cosine';
}

/** Rows of a block of the product. */
const BLOCK = 256;

/** The rank of row j among all rows from row i, whose scores with all rows lie in `scores`. */
function rankOf(
  side: Side,
  i: number,
  j: number,
  scores: Float32Array,
  error: number,
  o: RankOptions,
  unit: number,
): number {
  const square = (r: number): number => exactSquare(side, i, side, r, o.metric);
  const limit = square(j);
  const score = limit / unit ** 2;
  let rank = 1;
  for (let r = 0; r < scores.length; r++) {
    if (r === i || r === j) continue;
    const s = side.squares[i] + side.squares[r] - 2 * scores[r];
    if (s > score + error) continue;
    if (s < score - error) rank++;
    else {
      const own = square(r);
      if (own < limit || (own === limit && r < j)) rank++;
    }
  }
  return rank;
}

/**
 * Of k rows for each of some rows of x, the rank among all rows by distance from it: 1 is the nearest; equal distances go
 * in order of index; the row itself has none.
 *
 * @param of q rows of x
 * @param near q × k other rows
 * @returns q × k
 * @throws RangeError when an entry of x is not a finite number; AbortError
 */
export async function ranksAmong(x: Matrix, of: Uint32Array, near: Int32Array, o: RankOptions): Promise<Int32Array> {
  requireNumbers('x', x);
  const k = near.length / of.length;
  const mean = o.metric === 'euclidean' ? columnMeans(x) : undefined;
  const unit = unitOf([x], mean);
  const side = prepare(x, o.metric, mean, unit);
  const longest = longestRow(side);
  const ranks = new Int32Array(near.length);
  const { rows: n, cols: d } = x;
  for (let from = 0; from < of.length; from += BLOCK) {
    checkAborted(o.signal, 'ranks');
    const some = of.subarray(from, from + BLOCK);
    const queries = new Float32Array(some.length * d);
    some.forEach((i, q) => queries.set(side.shifted.subarray(i * d, (i + 1) * d), q * d));
    const product = gemm(queries, side.shifted, some.length, n, d, { transB: true });
    for (const [q, i] of some.entries()) {
      const scores = product.subarray(q * n, (q + 1) * n);
      const error = scoreError(side, i, longest);
      for (let p = (from + q) * k; p < (from + q + 1) * k; p++)
        ranks[p] = rankOf(side, i, near[p], scores, error, o, unit);
      if (q % 64 === 63) await breathe();
    }
    o.onProgress?.({ label: 'Ranks', done: from + some.length, total: of.length, unit: 'rows' });
    await breathe();
  }
  return ranks;
}
