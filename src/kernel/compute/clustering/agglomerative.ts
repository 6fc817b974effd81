/** Agglomerative clustering by single, complete and average linkage, cut at a threshold, a number or a gap. */
import { find, singletons } from '../unionFind.js';

export type Linkage = 'single' | 'complete' | 'average';

/** The linkage, and where merging stops: at a number of clusters, at a height, or at the first gap (clustersAtGap). */
export type AgglomerativeSettings = { linkage: Linkage } & (
  { nClusters: number } | { distanceThreshold: number } | { gap: number; maxFraction: number }
);

/** m-1 merges in ascending height; a and b are any points of the two that merge. */
export interface Merges {
  a: Int32Array;
  b: Int32Array;
  heights: Float64Array;
}

/** Sorts merges by height; equal heights keep their order, in which a merge comes after those it builds on. */
function sorted(a: Int32Array, b: Int32Array, heights: Float64Array): Merges {
  const order = Array.from(heights.keys()).sort((p, q) => heights[p] - heights[q] || p - q);
  return {
    a: Int32Array.from(order, (e) => a[e]),
    b: Int32Array.from(order, (e) => b[e]),
    heights: Float64Array.from(order, (e) => heights[e]),
  };
}

/**
 * The minimum spanning tree by Prim's method: `take` is called m − 1 times with the distances of point `at` to those that
 * are not in the tree yet.
 */
export class SpanningTree {
  /** The point that came into the tree last. */
  at = 0;
  readonly #a: Int32Array;
  readonly #b: Int32Array;
  readonly #heights: Float64Array;
  readonly #near: Float64Array;
  readonly #from: Int32Array;
  readonly #inside: Uint8Array;
  #edges = 0;

  constructor(m: number) {
    this.#a = new Int32Array(Math.max(0, m - 1));
    this.#b = new Int32Array(this.#a.length);
    this.#heights = new Float64Array(this.#a.length);
    this.#near = new Float64Array(m).fill(Infinity);
    this.#from = new Int32Array(m);
    this.#inside = new Uint8Array(m);
  }

  get whole(): boolean {
    return this.#edges === this.#a.length;
  }

  /** @param distance of point `at` to point j; any number of at least `below` where it is no smaller than that */
  take(distance: (j: number, below: number) => number): void {
    const [near, from, inside, { at }] = [this.#near, this.#from, this.#inside, this];
    inside[at] = 1;
    let next = -1;
    for (let j = 0; j < near.length; j++) {
      if (inside[j]) continue;
      const d = distance(j, near[j]);
      if (d < near[j]) {
        near[j] = d;
        from[j] = at;
      }
      if (next < 0 || near[j] < near[next]) next = j;
    }
    this.#a[this.#edges] = from[next];
    this.#b[this.#edges] = next;
    this.#heights[this.#edges++] = near[next];
    this.at = next;
  }

  /** Point `at` and the `count` − 1 points outside, or somewhat fewer, that are nearest to the tree: those that come soon. */
  soon(count: number): Int32Array {
    const outside = this.#near.filter((_, j) => !this.#inside[j] && j !== this.at).sort();
    const limit = outside[Math.min(count - 1, outside.length) - 1] ?? -1;
    const found = [this.at];
    for (let j = 0; j < this.#near.length && found.length < count; j++)
      if (!this.#inside[j] && j !== this.at && this.#near[j] <= limit) found.push(j);
    return Int32Array.from(found);
  }

  /** Its edges by length. */
  merges(): Merges {
    return sorted(this.#a, this.#b, this.#heights);
  }
}

/** The minimum spanning tree of m × m symmetric distances, edges by length. */
export function minimumSpanningTree(distances: Float64Array, m: number): Merges {
  const tree = new SpanningTree(m);
  while (!tree.whole) {
    const row = tree.at * m;
    tree.take((j) => distances[row + j]);
  }
  return tree.merges();
}

/** Nearest-neighbour chain (Müllner 2011); overwrites the distances. */
function chainMerges(d: Float64Array, m: number, linkage: Exclude<Linkage, 'single'>): Merges {
  const a = new Int32Array(m - 1);
  const b = new Int32Array(m - 1);
  const heights = new Float64Array(m - 1);
  const size = new Int32Array(m).fill(1);
  const chain = new Int32Array(m);
  let length = 0;
  for (let e = 0; e < m - 1; e++) {
    if (length === 0) chain[length++] = size.findIndex((s) => s > 0);
    let p = 0;
    let q = 0;
    let height = 0;
    for (;;) {
      p = chain[length - 1];
      // The previous link is looked at first, so that among equals the chain turns back and ends.
      q = length > 1 ? chain[length - 2] : -1;
      height = q < 0 ? Infinity : d[p * m + q];
      for (let j = 0; j < m; j++)
        if (size[j] > 0 && j !== p && d[p * m + j] < height) {
          height = d[p * m + j];
          q = j;
        }
      if (length > 1 && q === chain[length - 2]) break;
      chain[length++] = q;
    }
    length -= 2;
    const [low, high] = p < q ? [p, q] : [q, p];
    a[e] = low;
    b[e] = high;
    heights[e] = height;
    for (let j = 0; j < m; j++) {
      if (size[j] === 0 || j === low || j === high) continue;
      const x = d[low * m + j];
      const y = d[high * m + j];
      const v = linkage === 'complete' ? Math.max(x, y) : (size[low] * x + size[high] * y) / (size[low] + size[high]);
      d[high * m + j] = d[j * m + high] = v;
    }
    size[high] += size[low];
    size[low] = 0;
  }
  return sorted(a, b, heights);
}

/** Clusters left when merges below index `count` are made; numbered by their first point. */
function cut(merges: Merges, m: number, count: number): Int32Array {
  const parent = singletons(m);
  for (let e = 0; e < count; e++) {
    const x = find(parent, merges.a[e]);
    const y = find(parent, merges.b[e]);
    parent[Math.max(x, y)] = Math.min(x, y);
  }
  const labels = new Int32Array(m);
  let next = 0;
  for (let i = 0; i < m; i++) {
    const root = find(parent, i);
    labels[i] = root === i ? next++ : labels[root];
  }
  return labels;
}

/**
 * Clusters at the first gap (giotto-tda's FirstSimpleGap): merge heights, 0 put before them, are followed up to the
 * first that is above the one before by at least `gap` of the largest; that merge and those after it are not made. One
 * cluster where there is no such gap or all points coincide; at most maxFraction of the points as clusters.
 */
function clustersAtGap(heights: Float64Array, m: number, gap: number, maxFraction: number): number {
  const largest = heights[m - 2];
  if (largest === 0) return 1;
  const first = heights.findIndex((h, e) => h - (e > 0 ? heights[e - 1] : 0) >= gap * largest);
  return first < 0 ? 1 : Math.max(1, Math.min(m - first, Math.floor(maxFraction * m)));
}

/**
 * Labels of m points, all of them in a cluster: numbered by the first point of each.
 * Threshold: merges at a height of at least the threshold are not made (scikit-learn's rule).
 * @param distances m × m, symmetric; overwritten
 */
export function agglomerative(distances: Float64Array, m: number, s: AgglomerativeSettings): Int32Array {
  if (m < 2) return new Int32Array(m);
  const merges = s.linkage === 'single' ? minimumSpanningTree(distances, m) : chainMerges(distances, m, s.linkage);
  if ('nClusters' in s) return cut(merges, m, m - Math.min(m, s.nClusters));
  if ('gap' in s) return cut(merges, m, m - clustersAtGap(merges.heights, m, s.gap, s.maxFraction));
  let count = 0;
  while (count < m - 1 && merges.heights[count] < s.distanceThreshold) count++;
  return cut(merges, m, count);
}
