/** Pairs by optimal transport of whole features: the assignment of largest total r, and Sinkhorn's plan. */
import type { CallOptions } from '../compute/call.js';
import { sparseAssignment, type Edges } from '../compute/sparseAssignment.js';
import { MORE, pairsOf, type Pairs } from './match.js';
import type { Partners, Prices } from './pearson.js';

/** Counterparts of a feature that these look at first. */
export const CANDIDATES = 32;

/** r of pairs by their B feature: what the lists of both directions name, each pair once. */
export class Candidates {
  private readonly ofB: Array<Map<number, number>>;

  constructor(
    private readonly featuresA: number,
    featuresB: number,
  ) {
    this.ofB = Array.from({ length: featuresB }, () => new Map<number, number>());
  }

  /** Takes a list of B's features with their As, or of A's with their Bs. True when a pair is new. */
  add({ n, index, r }: Partners, direction: 'aOfB' | 'bOfA', features?: Int32Array): boolean {
    let grown = false;
    index.forEach((other, i) => {
      if (other < 0) return;
      const own = features ? features[Math.floor(i / n)] : Math.floor(i / n);
      const [a, b] = direction === 'aOfB' ? [other, own] : [own, other];
      grown ||= !this.ofB[b].has(a);
      this.ofB[b].set(a, r[i]);
    });
    return grown;
  }

  /** B features as rows, As as columns. */
  edges(): Edges {
    const starts = Uint32Array.from({ length: this.ofB.length + 1 });
    this.ofB.forEach((row, b) => (starts[b + 1] = starts[b] + row.size));
    const column = new Int32Array(starts[this.ofB.length]);
    const weight = new Float64Array(column.length);
    this.ofB.forEach((row, b) => {
      [...row.entries()]
        .sort((x, y) => x[0] - y[0])
        .forEach(([a, r], i) => {
          column[starts[b] + i] = a;
          weight[starts[b] + i] = r;
        });
    });
    return { rows: this.ofB.length, columns: this.featuresA, starts, column, weight };
  }
}

/**
 * Each feature at most once, so that the total r is the largest of all such choices among all pairs with r > 0. Solved
 * over candidates; then `more(prices, n)` looks, among all pairs, for those of r above the sum of their prices, the
 * only ones that could raise the total. They join the candidates until none is left. In order of b.
 */
export async function hungarianPairs(
  candidates: Candidates,
  more: (prices: Prices, n: number) => Promise<Partners>,
  call: CallOptions = {},
): Promise<Pairs> {
  for (;;) {
    const edges = candidates.edges();
    const { columnOf, rowPrice, columnPrice } = await sparseAssignment(edges, call);
    const outside = await more({ query: rowPrice, base: columnPrice }, MORE);
    if (candidates.add(outside, 'aOfB')) continue;
    const pairs: Array<[number, number, number]> = [];
    for (let b = 0; b < edges.rows; b++)
      for (let e = edges.starts[b]; e < edges.starts[b + 1]; e++)
        if (edges.column[e] === columnOf[b]) pairs.push([columnOf[b], b, edges.weight[e]]);
    return pairsOf(pairs);
  }
}

/** The published settings: cost 1 − r, regularisation 0.05, 80 iterations. */
const SINKHORN = { regularization: 0.05, iterations: 80 };

/**
 * For each B the A that has the largest share of it in the entropic transport plan of cost 1 − r between the features
 * that take part, all of equal mass. Pairs that are no candidates count as r = 0; a B whose largest share is one of
 * those has no pair. In order of b.
 * @param taking features that take part, as 1: of A and of B
 */
export function sinkhornPairs(
  candidates: Candidates,
  taking: { a: ArrayLike<unknown>; b: ArrayLike<unknown> },
  { regularization, iterations } = SINKHORN,
): Pairs {
  const { starts, column, weight, rows } = candidates.edges();
  const kernel = weight.map((r) => Math.exp((r - 1) / regularization));
  const background = Math.exp(-1 / regularization);
  const [liveA, liveB] = [indicesOf(taking.a), indicesOf(taking.b)];
  const u = new Float64Array(rows);
  const v = new Float64Array(taking.a.length);
  for (const a of liveA) v[a] = 1;
  const products = { a: new Float64Array(v.length), b: new Float64Array(rows) };
  for (let turn = 0; turn < iterations; turn++) {
    const all = background * liveA.reduce((sum, a) => sum + v[a], 0);
    for (const b of liveB) {
      let sum = all;
      for (let e = starts[b]; e < starts[b + 1]; e++) sum += (kernel[e] - background) * v[column[e]];
      u[b] = 1 / (liveB.length * sum);
    }
    products.a.fill(background * liveB.reduce((sum, b) => sum + u[b], 0));
    for (const b of liveB)
      for (let e = starts[b]; e < starts[b + 1]; e++) products.a[column[e]] += (kernel[e] - background) * u[b];
    for (const a of liveA) v[a] = 1 / (liveA.length * products.a[a]);
  }
  const byShare = [...liveA].sort((x, y) => v[y] - v[x] || x - y);
  const pairs: Array<[number, number, number]> = [];
  for (const b of liveB) {
    const named = new Set<number>();
    let [best, share] = [-1, 0];
    for (let e = starts[b]; e < starts[b + 1]; e++) {
      named.add(column[e]);
      const own = kernel[e] * v[column[e]];
      if (own > share) [best, share] = [e, own];
    }
    const other = byShare.find((a) => !named.has(a));
    if (best >= 0 && !(other !== undefined && background * v[other] > share))
      pairs.push([column[best], b, weight[best]]);
  }
  return pairsOf(pairs);
}

const indicesOf = (marks: ArrayLike<unknown>): Int32Array =>
  Int32Array.from([...Array(marks.length).keys()].filter((i) => marks[i]));
