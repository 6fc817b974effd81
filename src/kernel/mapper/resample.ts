/** Rows drawn again, and how alike the graphs of two draws are. */
import { countedTokens } from '../activations/statistics.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import type { Random } from '../compute/random.js';
import { stepsOf } from './lens.js';
import type { LensActivations, LensSpec, LensStep, PlanOptions } from './options.js';
import type { MapperGraph } from './types.js';

export type ResampleKind = 'bootstrap' | 'subsample';

/** Row numbers, ascending: n of n with replacement (bootstrap), or a share of them without (subsample). */
export function drawRows(n: number, kind: ResampleKind, share: number, random: Random): Int32Array {
  if (kind === 'subsample') return Int32Array.from(random.permutation(n).subarray(0, Math.round(share * n))).sort();
  return Int32Array.from({ length: n }, () => random.int(n)).sort();
}

/** The given rows of x, in this order, as a matrix of their own. */
export function rowsOf(x: Matrix, rows: Int32Array): Matrix {
  const out = matrix(rows.length, x.cols);
  rows.forEach((from, to) => out.data.set(row(x, from), to * x.cols));
  return out;
}

function statisticsOf(activations: LensActivations, rows: Int32Array): LensActivations {
  const { firings, sum, sumSquares, max } = activations.statistics;
  return {
    meta: { tokens: countedTokens(activations.meta) },
    statistics: {
      firings: Uint32Array.from(rows, (i) => firings[i]),
      sum: Float64Array.from(rows, (i) => sum[i]),
      sumSquares: Float64Array.from(rows, (i) => sumSquares[i]),
      max: Float32Array.from(rows, (i) => max[i]),
    },
  };
}

function lensOf(spec: LensSpec, rows: Int32Array): LensSpec {
  const step = (s: LensStep): LensStep => {
    if (typeof s === 'string') return s;
    if ('values' in s) {
      const dims = 'dims' in s ? Number(s.dims) : 1;
      const values = new Float64Array(rows.length * dims);
      rows.forEach((from, to) => {
        for (let k = 0; k < dims; k++) values[to * dims + k] = s.values[from * dims + k];
      });
      return { ...s, values };
    }
    if (s.kind === 'join') return { ...s, lenses: Array.from(s.lenses, (l) => lensOf(l, rows)) };
    return 'activations' in s ? { ...s, activations: statisticsOf(s.activations, rows) } : s;
  };
  return stepsOf(spec).map(step);
}

/**
 * Options for some rows: what they hold per point (columns, activation statistics, distances) is taken for those rows.
 */
export function optionsOf(options: PlanOptions, rows: Int32Array): PlanOptions {
  const { lens, distances } = options;
  const n = rows.length;
  const among = (d: Matrix): Matrix => {
    const out = matrix(n, n);
    for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++) out.data[at++] = d.data[rows[i] * d.cols + rows[j]];
    return out;
  };
  return {
    ...options,
    ...(lens === undefined ? {} : { lens: lensOf(lens, rows) }),
    ...(distances === undefined ? {} : { distances: among(distances) }),
  };
}

/** Nodes of each point: [points + 1] offsets, and node numbers. */
export interface NodesOfPoints {
  at: Int32Array;
  nodes: Int32Array;
}

/**
 * Nodes of each of `points` points, each once; `rows` says which point a graph's row is (a bootstrap holds points more
 * than once).
 */
export function nodesOfPoints(graph: MapperGraph, points: number, rows?: Int32Array): NodesOfPoints {
  const at = new Int32Array(points + 1);
  const seen = new Int32Array(points);
  const each = (visit: (point: number, node: number) => void): void => {
    seen.fill(-1);
    for (let node = 0; node < graph.nodes; node++)
      for (let e = graph.membersAt[node]; e < graph.membersAt[node + 1]; e++) {
        const point = rows ? rows[graph.members[e]] : graph.members[e];
        if (seen[point] === node) continue;
        seen[point] = node;
        visit(point, node);
      }
  };
  each((point) => at[point + 1]++);
  for (let i = 0; i < points; i++) at[i + 1] += at[i];
  const fill = at.slice(0, points);
  const nodes = new Int32Array(at[points]);
  each((point, node) => (nodes[fill[point]++] = node));
  return { at, nodes };
}

/**
 * [nodes] Of each node of `graph`, cut to the points that are present: the best Jaccard index with a node of the other
 * graph (Hennig 2007, "Cluster-wise assessment of cluster stability"). NaN for a node none of whose members is present.
 */
export function bestJaccard(graph: MapperGraph, other: NodesOfPoints, present: Uint8Array): Float64Array {
  const size = new Map<number, number>();
  for (const node of other.nodes) size.set(node, (size.get(node) ?? 0) + 1);
  return Float64Array.from({ length: graph.nodes }, (_, node) => {
    const common = new Map<number, number>();
    let own = 0;
    for (let e = graph.membersAt[node]; e < graph.membersAt[node + 1]; e++) {
      const point = graph.members[e];
      if (!present[point]) continue;
      own++;
      for (let o = other.at[point]; o < other.at[point + 1]; o++)
        common.set(other.nodes[o], (common.get(other.nodes[o]) ?? 0) + 1);
    }
    let best = own > 0 ? 0 : NaN;
    for (const [b, shared] of common) best = Math.max(best, shared / (own + size.get(b)! - shared));
    return best;
  });
}

/** Mean of [nodes] values, every node weighted by its members; NaN values left out. */
export function weightedByMembers(graph: MapperGraph, values: ArrayLike<number>): number {
  let sum = 0;
  let weight = 0;
  for (let node = 0; node < graph.nodes; node++) {
    const members = graph.membersAt[node + 1] - graph.membersAt[node];
    if (Number.isNaN(values[node])) continue;
    sum += members * values[node];
    weight += members;
  }
  return weight > 0 ? sum / weight : NaN;
}

/** [points] Component of each point by its first node; -1 where it is in none. */
export function componentOfPoints(graph: MapperGraph, of: NodesOfPoints): Int32Array {
  return Int32Array.from({ length: of.at.length - 1 }, (_, i) =>
    of.at[i] < of.at[i + 1] ? graph.component[of.nodes[of.at[i]]] : -1,
  );
}

/**
 * Adjusted Rand index of two labelings (Hubert and Arabie 1985): 1 for the same partition, 0 on average for chance. Two
 * partitions that are both one class, or both all singletons, are the same.
 */
export function adjustedRand(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new RangeError(`labelings of ${a.length} and ${b.length} points were given; expected two of the same points`);
  const pairs = (n: number): number => (n * (n - 1)) / 2;
  const tally = (keys: Iterable<string | number>): number => {
    const counts = new Map<string | number, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    let sum = 0;
    for (const n of counts.values()) sum += pairs(n);
    return sum;
  };
  const both = tally(Array.from(a, (v, i) => `${v} ${b[i]}`));
  const ofA = tally(Array.from(a));
  const ofB = tally(Array.from(b));
  const expected = a.length > 1 ? (ofA * ofB) / pairs(a.length) : 0;
  const most = (ofA + ofB) / 2;
  return most === expected ? 1 : (both - expected) / (most - expected);
}
