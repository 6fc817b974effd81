/**
 * The fuzzy simplicial set of UMAP in typed arrays, umap-learn's definition to the letter (McInnes et al. 2018;
 * umap_.py smooth_knn_dist, compute_membership_strengths, fuzzy_simplicial_set).
 */
export interface FuzzyGraph {
  points: number;
  /** Undirected edges, head < tail not implied, each once. */
  head: Int32Array;
  tail: Int32Array;
  /** Membership in (0, 1]. */
  weight: Float32Array;
}

export interface Neighbours {
  /** n × k, self excluded, nearest first. */
  indices: Int32Array;
  distances: Float32Array;
  /** Neighbours per point: n_neighbors − 1, since umap-learn counts the point itself. */
  k: number;
}

const TOLERANCE = 1e-5;
const MIN_K_DISTANCE_SCALE = 1e-3;

/** Distance to the local_connectivity-th distinct neighbour, interpolated; 0 when every neighbour is a duplicate. */
function localRadius(distances: Float32Array, localConnectivity: number): number {
  let first = 0;
  while (first < distances.length && distances[first] <= 0) first++;
  const nonZero = distances.length - first;
  if (nonZero === 0) return 0;
  if (nonZero < localConnectivity) return distances[distances.length - 1];
  const index = Math.floor(localConnectivity);
  const fraction = localConnectivity - index;
  if (index === 0) return fraction * distances[first];
  const at = distances[first + index - 1];
  return fraction > TOLERANCE ? at + fraction * (distances[first + index] - at) : at;
}

/** σ with Σ exp(−max(0, d − ρ)/σ) = log2(n_neighbors), by bisection. */
function bandwidth(distances: Float32Array, rho: number, target: number): number {
  let low = 0;
  let high = Infinity;
  let middle = 1;
  for (let i = 0; i < 64; i++) {
    let sum = 0;
    for (const distance of distances) sum += distance > rho ? Math.exp(-(distance - rho) / middle) : 1;
    if (Math.abs(sum - target) < TOLERANCE) break;
    if (sum > target) {
      high = middle;
      middle = (low + high) / 2;
    } else {
      low = middle;
      middle = high === Infinity ? middle * 2 : (low + high) / 2;
    }
  }
  return middle;
}

/** Membership strength of each directed neighbour, n × k. */
export function memberships(points: number, { distances, k }: Neighbours, localConnectivity = 1): Float32Array {
  const out = new Float32Array(points * k);
  const target = Math.log2(k + 1);
  let total = 0;
  for (const distance of distances) total += distance;
  // umap-learn averages over the point itself too.
  const meanDistance = total / (points * (k + 1));
  for (let i = 0; i < points; i++) {
    const own = distances.subarray(i * k, (i + 1) * k);
    const rho = localRadius(own, localConnectivity);
    let sum = 0;
    for (const distance of own) sum += distance;
    const floor = MIN_K_DISTANCE_SCALE * (rho > 0 ? sum / (k + 1) : meanDistance);
    const sigma = Math.max(bandwidth(own, rho, target), floor);
    for (let p = 0; p < k; p++) out[i * k + p] = own[p] <= rho || sigma === 0 ? 1 : Math.exp(-(own[p] - rho) / sigma);
  }
  return out;
}

/**
 * Symmetric union of the directed memberships a, b: mix·(a + b − ab) + (1 − mix)·ab; edges of weight 0 are dropped.
 */
export function fuzzyUnion(
  points: number,
  { indices, k }: Neighbours,
  strengths: Float32Array,
  setOpMixRatio = 1,
): FuzzyGraph {
  const head = new Int32Array(points * k);
  const tail = new Int32Array(points * k);
  const weight = new Float32Array(points * k);
  let edges = 0;
  for (let i = 0; i < points; i++) {
    for (let p = i * k; p < (i + 1) * k; p++) {
      const j = indices[p];
      let back = 0;
      for (let q = j * k; q < (j + 1) * k; q++) {
        if (indices[q] === i) {
          back = strengths[q];
          // The pair is met twice; it is kept on the side of the lower index.
          if (j < i) back = -1;
          break;
        }
      }
      if (back < 0) continue;
      const product = strengths[p] * back;
      const w = setOpMixRatio * (strengths[p] + back - product) + (1 - setOpMixRatio) * product;
      if (w <= 0) continue;
      head[edges] = i;
      tail[edges] = j;
      weight[edges++] = w;
    }
  }
  return { points, head: head.slice(0, edges), tail: tail.slice(0, edges), weight: weight.slice(0, edges) };
}

/** Connected components: component id of each point, ids from 0 by first point. */
export function components(graph: FuzzyGraph): { ids: Int32Array; count: number } {
  const parent = Int32Array.from({ length: graph.points }, (_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (let e = 0; e < graph.head.length; e++) {
    const a = find(graph.head[e]);
    const b = find(graph.tail[e]);
    if (a !== b) parent[Math.max(a, b)] = Math.min(a, b);
  }
  const ids = new Int32Array(graph.points).fill(-1);
  let count = 0;
  for (let i = 0; i < graph.points; i++) {
    const root = find(i);
    ids[i] = root === i ? count++ : ids[root];
  }
  return { ids, count };
}
