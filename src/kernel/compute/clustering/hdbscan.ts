/**
 * HDBSCAN (Campello, Moulavi and Sander 2013) as scikit-learn 1.3 defines it: the minimum spanning tree of mutual
 * reachability, condensed by the smallest cluster, clusters chosen by excess of mass.
 *
 * Where all distances of the points are at hand, a core distance is one of a row of these. Where they do not fit memory,
 * core distances come from the search for neighbours and the tree from distances as it asks for them
 * (mapper/largeElements.ts).
 */
import { minimumSpanningTree, type Merges } from './agglomerative.js';

/** The parameters of scikit-learn's HDBSCAN under their names there in camel case. */
export interface HdbscanSettings {
  minClusterSize: number;
  /** Neighbours, the point itself counted, of the core distance. */
  minSamples: number;
  allowSingleCluster: boolean;
}

/** The largest of the least numbers of a row, as many as `least` takes. */
function lastOfLeast(d: Float64Array, from: number, m: number, least: Float64Array): number {
  const last = least.length - 1;
  least.fill(Infinity);
  for (let e = from; e < from + m; e++) {
    if (d[e] >= least[last]) continue;
    let at = last;
    for (; at > 0 && least[at - 1] > d[e]; at--) least[at] = least[at - 1];
    least[at] = d[e];
  }
  return least[last];
}

/** max(distance, core distance of either), in place; the diagonal stays 0. */
function mutualReachability(d: Float64Array, m: number, minSamples: number): void {
  const core = new Float64Array(m);
  const least = new Float64Array(Math.min(minSamples, m));
  for (let i = 0; i < m; i++) core[i] = lastOfLeast(d, i * m, m, least);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < m; j++) if (i !== j) d[i * m + j] = Math.max(d[i * m + j], core[i], core[j]);
}

/** Dendrogram: node m + e joins left[e] and right[e] at heights[e]. */
interface Dendrogram {
  left: Int32Array;
  right: Int32Array;
  size: Int32Array;
  heights: Float64Array;
}

function dendrogram({ a, b, heights }: Merges, m: number): Dendrogram {
  const parent = Int32Array.from({ length: 2 * m - 1 }, (_, i) => i);
  const find = (v: number): number => {
    while (parent[v] !== v) v = parent[v] = parent[parent[v]];
    return v;
  };
  const left = new Int32Array(m - 1);
  const right = new Int32Array(m - 1);
  const size = new Int32Array(2 * m - 1).fill(1);
  for (let e = 0; e < m - 1; e++) {
    left[e] = find(a[e]);
    right[e] = find(b[e]);
    parent[left[e]] = parent[right[e]] = m + e;
    size[m + e] = size[left[e]] + size[right[e]];
  }
  return { left, right, size, heights };
}

/** Clusters of the condensed tree: 0 is everything, parents come before children. */
interface Condensed {
  parent: number[];
  birth: number[];
  stability: number[];
  /** [m] the cluster that a point falls out of, and its λ there. */
  cluster: Int32Array;
  lambda: Float64Array;
}

function condense(tree: Dendrogram, m: number, minClusterSize: number): Condensed {
  const { left, right, size, heights } = tree;
  const c: Condensed = {
    parent: [-1],
    birth: [0],
    stability: [0],
    cluster: new Int32Array(m),
    lambda: new Float64Array(m),
  };
  // λ of coinciding points is infinite, and so is their parent's birth where all coincide.
  const add = (cluster: number, lambda: number, count: number): void => {
    if (lambda !== c.birth[cluster]) c.stability[cluster] += (lambda - c.birth[cluster]) * count;
  };
  const fall = (root: number, cluster: number, lambda: number): void => {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.pop()!;
      if (node < m) {
        c.cluster[node] = cluster;
        c.lambda[node] = lambda;
        add(cluster, lambda, 1);
      } else stack.push(left[node - m], right[node - m]);
    }
  };
  const queue: Array<[node: number, cluster: number]> = [[2 * m - 2, 0]];
  for (let at = 0; at < queue.length; at++) {
    const [node, cluster] = queue[at];
    const e = node - m;
    const lambda = heights[e] > 0 ? 1 / heights[e] : Infinity;
    const sides = [left[e], right[e]];
    const big = sides.filter((s) => size[s] >= minClusterSize);
    for (const side of sides) {
      if (size[side] < minClusterSize) fall(side, cluster, lambda);
      else if (big.length === 1) queue.push([side, cluster]);
      else {
        add(cluster, lambda, size[side]);
        c.parent.push(cluster);
        c.birth.push(lambda);
        c.stability.push(0);
        queue.push([side, c.parent.length - 1]);
      }
    }
  }
  return c;
}

/** 1 for each cluster that is chosen: it is at least as stable as the clusters below it together. */
function excessOfMass(c: Condensed, allowSingleCluster: boolean): Uint8Array {
  const count = c.parent.length;
  const chosen = new Uint8Array(count);
  const below = new Float64Array(count);
  const has = new Uint8Array(count);
  for (let k = count - 1; k >= 0; k--) {
    const root = k === 0;
    if (root && !allowSingleCluster) break;
    const own = !has[k] || c.stability[k] >= below[k];
    if (own) chosen[k] = 1;
    if (!root) {
      below[c.parent[k]] += own ? c.stability[k] : below[k];
      has[c.parent[k]] = 1;
    }
  }
  // Clusters below a chosen one belong to it.
  for (let k = 1; k < count; k++) {
    for (let up = c.parent[k]; up >= 0; up = c.parent[up]) if (chosen[up]) chosen[k] = 0;
  }
  return chosen;
}

/** Labels of m points from all distances among them. @param d m × m, symmetric; overwritten */
export function hdbscan(d: Float64Array, m: number, s: HdbscanSettings): Int32Array {
  if (m < Math.max(2, s.minClusterSize)) return new Int32Array(m).fill(-1);
  mutualReachability(d, m, s.minSamples);
  return hdbscanOfTree(minimumSpanningTree(d, m), m, s);
}

/**
 * Labels of m points by the minimum spanning tree of their mutual reachability: clusters numbered by their first point,
 * noise -1. When everything is one cluster (allowSingleCluster), points that leave it before its last do are noise, as in
 * scikit-learn.
 */
export function hdbscanOfTree(tree: Merges, m: number, s: HdbscanSettings): Int32Array {
  const labels = new Int32Array(m).fill(-1);
  const c = condense(dendrogram(tree, m), m, s.minClusterSize);
  const chosen = excessOfMass(c, s.allowSingleCluster);
  let last = 0;
  for (let i = 0; i < m; i++) if (c.cluster[i] === 0) last = Math.max(last, c.lambda[i]);
  for (let k = 1; k < c.parent.length; k++) if (c.parent[k] === 0) last = Math.max(last, c.birth[k]);
  const number = new Map<number, number>();
  for (let i = 0; i < m; i++) {
    let k = c.cluster[i];
    while (k >= 0 && !chosen[k]) k = c.parent[k];
    if (k < 0 || (k === 0 && c.lambda[i] < last && c.cluster[i] === 0)) continue;
    if (!number.has(k)) number.set(k, number.size);
    labels[i] = number.get(k)!;
  }
  return labels;
}
