/**
 * Exact Pearson correlation between the features of two activation stores over the same tokens, from the sparse data:
 *
 *   r(a, b) = (Σ x_a x_b − Σ x_a Σ x_b / N) / √((Σ x_a² − (Σ x_a)² / N) (Σ x_b² − (Σ x_b)² / N))
 *
 * Only tokens on which both fire add to Σ x_a x_b, so a feature costs (its firings) × (features that fire with it), not
 * N × F. All sums are float64. A pair that never fires together has r = −u_a u_b / N with u = Σ x / √(Σ x² − (Σ x)²/N),
 * so the best of those is the one with the smallest u, and no pair has to be looked at one by one.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { FiringStatistics } from '../activations/types.js';
import { columnsOf, type Columns, type Rows, type TokenSpan } from './spans.js';

/** Centred sums of the features of one side; what correlating with them needs. */
export interface FeatureSums {
  features: number;
  tokens: number;
  sum: Float64Array;
  /** 1 / √(Σ x² − (Σ x)²/N); NaN for features that take no part. */
  inverseNorm: Float64Array;
  /** Features that take part, by ascending Σ x · inverseNorm: those least anticorrelated when they never co-fire. */
  quietest: Int32Array;
}

/**
 * Below this share of Σ x² a feature's centred Σ (x − x̄)² is rounding, not variance: it fires on (nearly) every token
 * with (nearly) one value, and correlates with nothing.
 */
const CONSTANT = 1e-10;

/** `usable`: 1 = the feature takes part. Dead and constant features never do. */
export function featureSums(statistics: FiringStatistics, tokens: number, usable: Uint8Array): FeatureSums {
  const { sum, sumSquares, firings } = statistics;
  const features = sum.length;
  const inverseNorm = new Float64Array(features).fill(NaN);
  const taking: number[] = [];
  for (let f = 0; f < features; f++) {
    const centred = sumSquares[f] - (sum[f] * sum[f]) / tokens;
    if (!usable[f] || firings[f] === 0 || !(centred > CONSTANT * sumSquares[f])) continue;
    inverseNorm[f] = 1 / Math.sqrt(centred);
    taking.push(f);
  }
  const u = (f: number): number => sum[f] * inverseNorm[f];
  const quietest = Int32Array.from(taking.sort((a, b) => u(a) - u(b) || a - b));
  return { features, tokens, sum, inverseNorm, quietest };
}

/** Best partners per query: row i holds n partners of query i, best first, ties to the lower index; -1 and NaN = none. */
export interface Partners {
  n: number;
  index: Int32Array;
  r: Float64Array;
}

export interface PartnersOptions extends CallOptions {
  /** Query features in order; default all. */
  queries?: Int32Array;
  /** Partners kept per query. */
  n: number;
  /** Bytes for the block of correlation rows in work; default 1 MiB, which stays in the cache. */
  blockBytes?: number;
  label?: string;
}

/** Milliseconds of work between two looks at the signal. */
const PIECE_MS = 200;

/**
 * The n base features that correlate best with each query feature. `spans` is read once per block of queries; every
 * span carries both sides' rows of the same tokens, query side under `query`, base side under `base`.
 */
export async function bestPartners(
  query: FeatureSums,
  base: FeatureSums,
  spans: () => AsyncIterable<TokenSpan>,
  options: PartnersOptions,
): Promise<Partners> {
  const { n, signal } = options;
  const queries = options.queries ?? Int32Array.from({ length: query.features }, (_, f) => f);
  const out: Partners = {
    n,
    index: new Int32Array(queries.length * n).fill(-1),
    r: new Float64Array(queries.length * n).fill(NaN),
  };
  const perBlock = Math.max(1, Math.floor((options.blockBytes ?? 2 ** 20) / (8 * Math.max(1, base.features))));
  const products = new Float64Array(Math.min(perBlock, queries.length) * base.features);
  let clock = performance.now();
  const pause = async (done: number): Promise<void> => {
    if (performance.now() - clock < PIECE_MS) return;
    checkAborted(signal, 'correlate');
    options.onProgress?.({ label: options.label ?? 'correlation', done, total: queries.length, unit: 'features' });
    await breathe();
    clock = performance.now();
  };
  checkAborted(signal, 'correlate');
  for (let from = 0; from < queries.length; from += perBlock) {
    const block = queries.subarray(from, from + perBlock);
    for await (const span of spans()) {
      const columns = span.columns ?? columnsOf(span.query, query.features, block);
      for (let i = 0; i < block.length; i++) {
        if (Number.isNaN(query.inverseNorm[block[i]])) continue;
        addProducts(products, i * base.features, columns, block[i], span.base);
        if (i % 64 === 63) await pause(from);
      }
    }
    for (let i = 0; i < block.length; i++) {
      if (Number.isNaN(query.inverseNorm[block[i]])) continue;
      const row = products.subarray(i * base.features, (i + 1) * base.features);
      selectBest(row, query, block[i], base, out, (from + i) * n);
      row.fill(0);
      if (i % 64 === 63) await pause(from + i);
    }
    await pause(from + block.length);
  }
  return out;
}

/** products[at + a] += Σ over tokens of x_q · x_a. */
function addProducts(products: Float64Array, at: number, columns: Columns, feature: number, base: Rows): void {
  const { indptr, indices, values, first } = base;
  const { starts, tokens } = columns;
  for (let c = starts[feature]; c < starts[feature + 1]; c++) {
    const t = first + tokens[c];
    const weight = columns.values[c];
    const end = indptr[t + 1];
    for (let p = indptr[t]; p < end; p++) products[at + indices[p]] += weight * values[p];
  }
}

function selectBest(
  row: Float64Array,
  query: FeatureSums,
  feature: number,
  base: FeatureSums,
  out: Partners,
  at: number,
): void {
  const { sum, inverseNorm, quietest, features } = base;
  const { n, index, r } = out;
  if (n === 0) return;
  const mean = query.sum[feature] / query.tokens;
  const scale = query.inverseNorm[feature];
  const last = at + n - 1;
  let bar = -Infinity;
  for (let a = 0; a < features; a++) {
    if (row[a] === 0) continue;
    // NaN for features that take no part: never above the bar.
    const value = (row[a] - mean * sum[a]) * inverseNorm[a] * scale;
    if (value > bar) {
      insert(index, r, at, n, a, value);
      if (index[last] >= 0) bar = r[last];
    }
  }
  // Those never firing together with the query are all ≤ 0.
  if (bar > 0) return;
  for (let i = 0; i < quietest.length; i++) {
    const a = quietest[i];
    if (row[a] !== 0) continue;
    const value = -mean * sum[a] * inverseNorm[a] * scale;
    if (index[last] >= 0 && !(value > r[last] || (value === r[last] && a < index[last]))) break;
    insert(index, r, at, n, a, value);
  }
}

/** Puts a partner in its place among the n slots at `at`; the last one falls off. r is kept within [-1, 1]. */
function insert(index: Int32Array, r: Float64Array, at: number, n: number, partner: number, value: number): void {
  const clamped = Math.min(1, Math.max(-1, value));
  let slot = at + n - 1;
  // Equal correlations are ordered by index; -1 is an empty slot.
  while (
    slot > at &&
    (index[slot - 1] < 0 || r[slot - 1] < clamped || (r[slot - 1] === clamped && index[slot - 1] > partner))
  ) {
    index[slot] = index[slot - 1];
    r[slot] = r[slot - 1];
    slot--;
  }
  index[slot] = partner;
  r[slot] = clamped;
}
