/**
 * Representational similarity analysis: Spearman's rank correlation (ties get average ranks) between the upper
 * triangles of the two sides' similarity matrices, whose entries are Pearson correlations between rows. Shuffling the
 * pairing reorders one matrix, so its ranks are computed once and a null run only sums products.
 */
import { breathe } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { Random } from '../compute/random.js';
import { outerProduct, type Side } from './coordinates.js';
import type { Metric } from './metric.js';

interface Ranks {
  /** Rows compared, and how many there were. */
  rows: number;
  of: number;
  /** Which rows, ascending; undefined = all. */
  chosen: Uint32Array | undefined;
  /** rows × rows, symmetric: rank of the pair's similarity minus the mean rank. Halves below 2²³: exact in float32. */
  ranks: Float32Array;
  /** Σ ranks² over the upper triangle. */
  squares: number;
}

/** Multiply-adds up to which similarities are summed in float64. */
const EXACT_UP_TO = 2e9;

/** `maxRows`: more rows than this are subsampled, the same rows on both sides, by the seed. At most 4,096. */
export function rsa(maxRows: number, seed: number): Metric<Ranks> {
  return {
    async prepare(side) {
      const chosen =
        side.n > maxRows ? new Random(seed).fork('rsa rows').permutation(side.n).slice(0, maxRows).sort() : undefined;
      const rows = chosen?.length ?? side.n;
      const ranks = await rankPairs(await similarities(side, chosen), rows);
      let squares = 0;
      for (let i = 0; i < rows; i++) for (let j = i + 1; j < rows; j++) squares += ranks[i * rows + j] ** 2;
      return { rows, of: side.n, chosen, ranks, squares };
    },
    async value(x, y, order) {
      const { rows } = x;
      const p = x.chosen ? withinChosen(order, x.chosen) : order;
      let sum = 0;
      for (let i = 0; i < rows; i++) {
        const at = i * rows;
        const to = p[i] * rows;
        for (let j = i + 1; j < rows; j++) sum += x.ranks[at + j] * y.ranks[to + p[j]];
        if (i % 1024 === 1023) await breathe();
      }
      // 0 where all similarities of a side are equal: no order, nothing shared.
      return sum === 0 ? 0 : sum / Math.sqrt(x.squares * y.squares);
    },
    describe: (x) =>
      `Spearman of Pearson similarities between rows${x.rows < x.of ? `, ${x.rows} of ${x.of} rows sampled (seed ${seed})` : ''}`,
  };
}

/** The order in which the sampled rows follow each other under a shuffle of all rows; the identity stays itself. */
function withinChosen(order: Uint32Array, chosen: Uint32Array): Uint32Array {
  const targets = chosen.map((i) => order[i]);
  const sorted = targets.slice().sort();
  const rank = new Map(Array.from(sorted, (t, i) => [t, i]));
  return targets.map((t) => rank.get(t)!);
}

/** Pearson similarities of rows, rows × rows, in units of the precision kept (1e-12; 1e-6 for large sets). */
async function similarities(side: Side, chosen: Uint32Array | undefined): Promise<Float64Array | Float32Array> {
  const { d } = side;
  const n = chosen?.length ?? side.n;
  const z = new Float64Array(n * d);
  for (let i = 0; i < n; i++) {
    const row = side.rows.subarray((chosen ? chosen[i] : i) * d, ((chosen ? chosen[i] : i) + 1) * d);
    const mean = row.reduce((s, v) => s + v, 0) / d;
    const norm = Math.sqrt(row.reduce((s, v) => s + (v - mean) ** 2, 0));
    const size = Math.sqrt(row.reduce((s, v) => s + v * v, 0));
    if (!(norm > 1e-12 * size)) {
      throw new RangeError(
        `RSA: row ${chosen ? chosen[i] : i} is constant and correlates with nothing; leave such pairs out`,
      );
    }
    for (let k = 0; k < d; k++) z[i * d + k] = (row[k] - mean) / norm;
  }
  // Equal similarities must tie: what lies below the rounding of the sums is not an order.
  if ((n * n * d) / 2 <= EXACT_UP_TO) return (await outerProduct(z, n, d)).map((r) => Math.round(r * 1e12));
  const single = Float32Array.from(z);
  await breathe();
  return gemm(single, single, n, n, d, { transB: true }).map((r) => Math.round(r * 1e6));
}

async function rankPairs(similarity: Float64Array | Float32Array, n: number): Promise<Float32Array> {
  const pairs = (n * (n - 1)) / 2;
  const sorted = new Float64Array(pairs);
  for (let i = 0, at = 0; i < n; i++) for (let j = i + 1; j < n; j++) sorted[at++] = similarity[i * n + j];
  sorted.sort();
  const ranks = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const value = similarity[i * n + j];
      const rank = (countBelow(sorted, value, false) + countBelow(sorted, value, true) - pairs) / 2;
      ranks[i * n + j] = rank;
      ranks[j * n + i] = rank;
    }
    if (i % 128 === 127) await breathe();
  }
  return ranks;
}

/** How many are below the value, or at most the value. */
function countBelow(sorted: Float64Array, value: number, orEqual: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value || (orEqual && sorted[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
