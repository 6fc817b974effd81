/**
 * Exact Pearson correlation between the features of two activation stores over the same tokens, from the sparse data:
 *
 *   r(a, b) = (Σ x_a x_b − Σ x_a Σ x_b / N) / √((Σ x_a² − (Σ x_a)² / N) (Σ x_b² − (Σ x_b)² / N))
 *
 * Only tokens on which both fire add to Σ x_a x_b, so a feature costs (its firings) × (features that fire with it), not
 * N × F. All sums are float64. A pair that never fires together has r = −u_a u_b / N with u = Σ x / √(Σ x² − (Σ x)²/N),
 * so the best of those is the one with the smallest u, and no pair has to be looked at one by one.
 */
import { checkAborted, type CallOptions } from '../compute/call.js';
import { centredSquares } from '../compute/statistics.js';
import type { FiringStatistics } from '../activations/types.js';
import { eachProductRow, type ProductRow, type Spans } from './products.js';

/** Centred sums of the features of one side; what correlating with them needs. */
export interface FeatureSums {
  features: number;
  tokens: number;
  sum: Float64Array;
  /** 1 / √(Σ x² − (Σ x)²/N); NaN for features that take no part. */
  inverseNorm: Float64Array;
  /** Features that take part, by ascending Σ x · inverseNorm: those least anticorrelated when they never co-fire. */
  quietest: Int32Array;
  /** Instead of r: a measure of Σ x_q x_a and the two sums, over `tokens` tokens. */
  score?: (product: number, query: number, base: number, tokens: number) => number;
}

/** `usable`: 1 = the feature takes part. Dead and constant features never do. */
export function featureSums(statistics: FiringStatistics, tokens: number, usable: Uint8Array): FeatureSums {
  const { sum, sumSquares, firings } = statistics;
  const features = sum.length;
  const inverseNorm = new Float64Array(features).fill(NaN);
  const taking: number[] = [];
  for (let f = 0; f < features; f++) {
    const centred = centredSquares(sum[f], sumSquares[f], tokens);
    if (!usable[f] || firings[f] === 0 || !(centred > 0)) continue;
    inverseNorm[f] = 1 / Math.sqrt(centred);
    taking.push(f);
  }
  const u = (f: number): number => sum[f] * inverseNorm[f];
  const quietest = Int32Array.from(taking.sort((a, b) => u(a) - u(b) || a - b));
  return { features, tokens, sum, inverseNorm, quietest };
}

/**
 * Best partners per query: row i holds n partners of query i, best first, ties to the lower index; -1 and NaN = none.
 */
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
  /** Rows of Σ x_q x_a that are built at once when spans are read from disk. Default what 256 MiB hold. */
  rows?: number;
  label?: string;
  /** Leaves out base features that are taken at a better r; see Taken. */
  taken?: Taken;
  /** Leaves out pairs whose r is not above the sum of their prices. */
  prices?: Prices;
}

/** Prices of the features of both sides, [features], as an assignment has them. */
export interface Prices {
  query: Float64Array;
  base: Float64Array;
}

/** Matches so far. A base feature is only worth listing for a query that it would leave its holder for, at r > 0. */
export interface Taken {
  /** [base features]: the query each is matched with, -1 = none. */
  holder: Int32Array;
  /** [base features]: r of that match; 0 = none. */
  held: Float64Array;
}

/**
 * The n base features that correlate best with each query feature. Every span carries both sides' rows of the same
 * tokens, the query side under `query`, the base side under `base`; together they are all tokens.
 */
export async function bestPartners(
  query: FeatureSums,
  base: FeatureSums,
  spans: Spans,
  options: PartnersOptions,
): Promise<Partners> {
  const queries = options.queries ?? Int32Array.from({ length: query.features }, (_, f) => f);
  const selection = new Selection(query, base, queries, options.n, options);
  const total = selection.features.length;
  await eachProductRow({
    ...{ queries: selection.features, queryFeatures: query.features, baseFeatures: base.features },
    ...{ tokens: query.tokens, spans, rows: options.rows },
    take: (row, i) => selection.take(row, i),
    pause(done) {
      checkAborted(options.signal, 'correlate');
      options.onProgress?.({ label: options.label ?? 'correlation', done, total, unit: 'features' });
    },
  });
  return selection.out;
}

/** The partners of some queries, selected from their rows of products. */
export class Selection {
  /** Rows of `out` whose query takes part. */
  private readonly slots: Int32Array;
  /** Those queries. */
  readonly features: Int32Array;
  readonly out: Partners;
  private readonly selector: Selector;

  constructor(
    private readonly query: FeatureSums,
    base: FeatureSums,
    queries: Int32Array,
    n: number,
    limits: Pick<PartnersOptions, 'taken' | 'prices'> = {},
  ) {
    this.slots = Int32Array.from(queries.keys()).filter((i) => !Number.isNaN(query.inverseNorm[queries[i]]));
    this.features = this.slots.map((slot) => queries[slot]);
    const size = queries.length * n;
    this.out = { n, index: new Int32Array(size).fill(-1), r: new Float64Array(size).fill(NaN) };
    this.selector = new Selector(base, this.out, limits);
  }

  /** Selects from the row of features[i]. */
  take(row: ProductRow, i: number): void {
    const { sum, tokens, inverseNorm } = this.query;
    const feature = this.features[i];
    this.selector.select(row, feature, sum[feature] / tokens, inverseNorm[feature], this.slots[i] * this.out.n);
  }
}

/** Selects the n best partners of one product row into the slots `at` … `at + n - 1`, empty so far. */
class Selector {
  constructor(
    private readonly base: FeatureSums,
    private readonly out: Partners,
    private readonly limits: Pick<PartnersOptions, 'taken' | 'prices'>,
  ) {}

  select(row: ProductRow, query: number, mean: number, scale: number, at: number): void {
    if (this.out.n === 0) return;
    this.insertTouched(row, query, mean, scale, at);
    // These have r ≤ 0, which no limit lets through.
    if (!this.limits.taken && !this.limits.prices) this.insertUntouched(row, mean, scale, at);
  }

  private insertTouched(row: ProductRow, query: number, mean: number, scale: number, at: number): void {
    const { products, touched, count } = row;
    const { sum, inverseNorm, score, tokens } = this.base;
    const { index, r } = this.out;
    const last = at + this.out.n - 1;
    let bar = -Infinity;
    for (let i = 0; i < count; i++) {
      const a = touched[i];
      // NaN for features that take no part: never at or above the bar.
      const value = score
        ? score(products[a], mean * tokens, sum[a], tokens) * inverseNorm[a]
        : (products[a] - mean * sum[a]) * inverseNorm[a] * scale;
      if (value >= bar && this.admits(a, query, clamp(value))) {
        this.insert(a, value, at);
        if (index[last] >= 0) bar = r[last];
      }
    }
  }

  private admits(a: number, query: number, r: number): boolean {
    const { taken, prices } = this.limits;
    if (taken && !wouldTake(taken, a, query, r)) return false;
    return !prices || r > prices.query[query] + prices.base[a] + PRICE_ROUNDING;
  }

  /** Features that never fire together with the query have r ≤ 0: they fill what is left, the quietest first. */
  private insertUntouched({ products }: ProductRow, mean: number, scale: number, at: number): void {
    const { sum, inverseNorm, quietest } = this.base;
    const { index, r } = this.out;
    const last = at + this.out.n - 1;
    if (index[last] >= 0 && r[last] > 0) return;
    for (let i = 0; i < quietest.length; i++) {
      const a = quietest[i];
      if (products[a] !== 0) continue;
      const value = -mean * sum[a] * inverseNorm[a] * scale;
      if (index[last] >= 0 && !(value > r[last] || (value === r[last] && a < index[last]))) break;
      this.insert(a, value, at);
    }
  }

  /** Puts a partner in its place, if it has one; the last one falls off. */
  private insert(partner: number, value: number, at: number): void {
    const { index, r, n } = this.out;
    const clamped = clamp(value);
    let slot = at + n;
    while (slot > at && ranksBelow(index[slot - 1], r[slot - 1], partner, clamped)) {
      slot--;
      if (slot < at + n - 1) {
        index[slot + 1] = index[slot];
        r[slot + 1] = r[slot];
      }
    }
    if (slot === at + n) return;
    index[slot] = partner;
    r[slot] = clamped;
  }
}

/** Prices are sums of many r: an excess below this is rounding. */
const PRICE_ROUNDING = 1e-10;

/** Whether base feature `a` is free for the query: at a better r than it is held, or an equal one and a lower index. */
export function wouldTake({ holder, held }: Taken, a: number, query: number, r: number): boolean {
  return r > 0 && (r > held[a] || (r === held[a] && query < holder[a]));
}

/** Whether a slot yields to (partner, value): it is empty, or of lower r, or of equal r and higher index. */
function ranksBelow(index: number, r: number, partner: number, value: number): boolean {
  return index < 0 || r < value || (r === value && index > partner);
}

/** Rounding may leave [-1, 1] by a few units in the last place. */
function clamp(r: number): number {
  return r > 1 ? 1 : r < -1 ? -1 : r;
}
