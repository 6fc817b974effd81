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

/** The minimum spanning tree by Prim's method, edges by length: m × m symmetric distances. */
export function minimumSpanningTree(distances: Float64Array, m: number): Merges {
  const a = new Int32Array(Math.max(0, m - 1));
  const b = new Int32Array(a.length);
  const heights = new Float64Array(a.length);
  const near = new Float64Array(m).fill(Infinity);
  const from = new Int32Array(m);
  const inside = new Uint8Array(m);
  for (let at = 0, e = 0; e < a.length; e++) {
    inside[at] = 1;
    let next = -1;
    for (let j = 0; j < m; j++) {
      if (inside[j]) continue;
      const d = distances[at * m + j];
      if (d < near[j]) {
        near[j] = d;
        from[j] = at;
      }
      if (next < 0 || near[j] < near[next]) next = j;
    }
    a[e] = from[next];
    b[e] = next;
    heights[e] = near[next];
    at = next;
  }
  return sorted(a, b, heights);
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
