/**
 * The fuzzy simplicial set of UMAP in typed arrays, umap-learn's definition to the letter (McInnes et al. 2018;
 * umap_.py fuzzy_simplicial_set; memberships are in compute/shared/strengths.ts).
 */
import type { CallOptions } from '../compute/call.js';
import { shareMemory, viewsOf } from '../compute/shared/memory.js';
import { runPhase, type TeamOptions } from '../compute/shared/phases.js';
import { strengthFields, strengths } from '../compute/shared/strengths.js';

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

/** Below this many memberships, workers cost more than they save. */
const SHARED_MEMBERSHIPS = 50_000;

/** Membership strength of each directed neighbour, n × k; by the pool's workers where there are many. */
export async function memberships(
  points: number,
  { distances, k }: Neighbours,
  localConnectivity: number,
  call: CallOptions & TeamOptions = {},
): Promise<Float32Array> {
  let total = 0;
  for (const distance of distances) total += distance;
  // umap-learn averages over the point itself too.
  const parameters = { points, k, localConnectivity, meanDistance: total / (points * (k + 1)) };
  const fields = strengthFields(parameters);
  const memory = shareMemory(fields);
  const m = viewsOf(memory, fields);
  m.distances.set(distances);
  await runPhase({ phase: 'strengths', memory, parameters }, strengths, {
    workers: points * k < SHARED_MEMBERSHIPS ? 0 : undefined,
    ...call,
    onProgress: undefined,
    label: 'UMAP graph',
    unit: 'rows',
  });
  return m.strengths.slice();
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
