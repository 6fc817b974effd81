/** Two Mapper graphs, joined by a map between their points: which nodes hold counterparts of which. */
import { filled } from '../verb/filled.js';
import type { CallOptions } from '../compute/call.js';
import { breathe, checkAborted } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import { Random } from '../compute/random.js';
import { meanAndStd } from '../compute/statistics.js';
import type { FeatureMap } from '../correlation/types.js';
import type { MapperGraph } from './types.js';
import { nulls as nullRuns } from '../verb/common.js';
import type { NullsApart } from '../verb/nulls.js';
import { choice, type Given } from '../verb/option.js';

/** What this room reads of a correlation map. */
export type CounterpartMap = Pick<
  FeatureMap,
  'featuresA' | 'featuresB' | 'counterparts' | 'bestAofB' | 'rAofB' | 'bestBofA' | 'rBofA' | 'pairs'
>;

export interface Counterparts {
  /** [points] the best counterpart on the other side; -1 = none. */
  counterpart: Int32Array;
  /** [points] Pearson r with it, or the map's measure; NaN where there is none. */
  r: Float32Array;
}

/**
 * Counterparts of the points of both sides. 'best': the feature of the other side with the highest r, several may share
 * one; 'pairs': the matched pairs that passed the map's filters alone, of several pairs of a feature the one with the
 * highest r.
 */
export function counterpartsOf(
  map: CounterpartMap,
  by: 'best' | 'pairs' = OVERLAP.by.usual,
): { a: Counterparts; b: Counterparts } {
  const empty = (n: number): Counterparts => ({
    counterpart: new Int32Array(n).fill(-1),
    r: new Float32Array(n).fill(NaN),
  });
  const [a, b] = [empty(map.featuresA), empty(map.featuresB)];
  const take = (side: Counterparts, i: number, other: number, r: number): void => {
    if (side.counterpart[i] >= 0 && !(r > side.r[i])) return;
    side.counterpart[i] = other;
    side.r[i] = r;
  };
  if (by === 'pairs') {
    const { pairs } = map;
    for (let i = 0; i < pairs.a.length; i++) {
      take(a, pairs.a[i], pairs.b[i], pairs.r[i]);
      take(b, pairs.b[i], pairs.a[i], pairs.r[i]);
    }
    return { a, b };
  }
  const n = map.counterparts;
  for (let i = 0; i < map.featuresA; i++)
    if (map.bestBofA[i * n] >= 0) take(a, i, map.bestBofA[i * n], map.rBofA[i * n]);
  for (let i = 0; i < map.featuresB; i++)
    if (map.bestAofB[i * n] >= 0) take(b, i, map.bestAofB[i * n], map.rAofB[i * n]);
  return { a, b };
}

/** How often each pair of nodes holds counterparts. */
export interface OverlapMatrix {
  /** Row-major [nodes of A, nodes of B]: share of A's members whose counterpart is in B's node. */
  overlap: Float32Array;
  /** The same as counts. */
  hits: Int32Array;
}

/** Nodes of B of each of its points: offsets and node numbers. */
function nodesOf(graph: MapperGraph): { at: Int32Array; nodes: Int32Array } {
  const at = new Int32Array(graph.points + 1);
  for (const m of graph.members) at[m + 1]++;
  for (let i = 0; i < graph.points; i++) at[i + 1] += at[i];
  const fill = at.slice(0, graph.points);
  const nodes = new Int32Array(graph.members.length);
  for (let node = 0; node < graph.nodes; node++)
    for (let e = graph.membersAt[node]; e < graph.membersAt[node + 1]; e++) nodes[fill[graph.members[e]]++] = node;
  return { at, nodes };
}

function countHits(
  a: MapperGraph,
  b: MapperGraph,
  of: { at: Int32Array; nodes: Int32Array },
  counterpart: Int32Array,
  hits: Int32Array,
): void {
  hits.fill(0);
  for (let node = 0; node < a.nodes; node++)
    for (let e = a.membersAt[node]; e < a.membersAt[node + 1]; e++) {
      const other = counterpart[a.members[e]];
      if (other < 0) continue;
      for (let o = of.at[other]; o < of.at[other + 1]; o++) hits[node * b.nodes + of.nodes[o]]++;
    }
}

function requireFit(a: MapperGraph, b: MapperGraph, counterpart: Int32Array): void {
  if (counterpart.length !== a.points)
    throw new RangeError(`graph A is of ${a.points} points but the map has ${counterpart.length} features on side A`);
  const beyond = counterpart.findIndex((v) => v >= b.points);
  if (beyond >= 0)
    throw new RangeError(
      `feature ${beyond} of A has counterpart ${counterpart[beyond]} but graph B is of ${b.points} points`,
    );
}

/** @param counterpart [points of A] row of B, or -1 */
export function overlapMatrix(a: MapperGraph, b: MapperGraph, counterpart: Int32Array): OverlapMatrix {
  requireFit(a, b, counterpart);
  requireMemory(`overlap of ${a.nodes} × ${b.nodes} nodes`, 8 * a.nodes * b.nodes);
  const hits = new Int32Array(a.nodes * b.nodes);
  countHits(a, b, nodesOf(b), counterpart, hits);
  const overlap = Float32Array.from(hits, (h, e) => {
    const node = Math.floor(e / b.nodes);
    return h / (a.membersAt[node + 1] - a.membersAt[node]);
  });
  return { overlap, hits };
}

/** log n! for n ≤ max. */
function logFactorials(max: number): Float64Array {
  const out = new Float64Array(max + 1);
  for (let n = 2; n <= max; n++) out[n] = out[n - 1] + Math.log(n);
  return out;
}

/** P(X ≥ k) for X hypergeometric: k marked among m drawn of N, K of them marked. */
export function hypergeometricTail(k: number, N: number, K: number, m: number, logs = logFactorials(N)): number {
  const most = Math.min(m, K);
  if (k <= Math.max(0, m - (N - K))) return 1;
  if (k > most) return 0;
  const choose = (n: number, r: number): number => logs[n] - logs[r] - logs[n - r];
  let term = Math.exp(choose(K, k) + choose(N - K, m - k) - choose(N, m));
  let sum = term;
  for (let x = k; x < most; x++) {
    term *= ((K - x) * (m - x)) / ((x + 1) * (N - K - m + x + 1));
    sum += term;
    if (term < sum * 1e-17) break;
  }
  return Math.min(1, sum);
}

/** A node of A and the node of B that holds most of its counterparts. */
export interface NodeMatch {
  a: number;
  /** -1 when no counterpart of the members is in a node. */
  b: number;
  /** Members of A's node; those with a counterpart; those whose counterpart is in B's node. */
  members: number;
  withCounterpart: number;
  hits: number;
  overlap: number;
  /** Share expected when counterparts are exchanged at random. */
  expected: number;
  /**
   * Hypergeometric P(at least as many hits) for this pair of nodes, times the number of nodes of B (Bonferroni, at most
   * 1): B's node was chosen as the best of them.
   */
  p: number;
}

export interface NodeOverlap extends OverlapMatrix, Counterparts {
  nodesA: number;
  nodesB: number;
  /** Per node of A. */
  best: NodeMatch[];
  /**
   * Mean over the nodes of A, weighted by members, of the best overlap, beside the same with counterparts exchanged at
   * random among the points of A that have one; p = (k + 1)/(R + 1).
   */
  mean: { value: number; null: { mean: number; std: number; max: number; runs: number }; p: number; seed: number };
  /** Points of A with a counterpart, and with one that is in a node of B. */
  matched: number;
  inNodes: number;
}

function bestMatches(
  a: MapperGraph,
  b: MapperGraph,
  { hits, overlap }: OverlapMatrix,
  counterpart: Int32Array,
): NodeMatch[] {
  const N = counterpart.reduce((n, v) => n + (v >= 0 ? 1 : 0), 0);
  // How many points of A have their counterpart in each node of B.
  const marked = new Int32Array(b.nodes);
  const inside = new Int32Array(b.points);
  for (const v of counterpart) if (v >= 0) inside[v]++;
  for (let node = 0; node < b.nodes; node++)
    for (let e = b.membersAt[node]; e < b.membersAt[node + 1]; e++) marked[node] += inside[b.members[e]];
  const logs = logFactorials(N);
  return Array.from({ length: a.nodes }, (_, node): NodeMatch => {
    const ids = a.members.subarray(a.membersAt[node], a.membersAt[node + 1]);
    const m = ids.reduce((n, i) => n + (counterpart[i] >= 0 ? 1 : 0), 0);
    let match = -1;
    let p = 1;
    for (let other = 0; other < b.nodes; other++) {
      const at = node * b.nodes + other;
      if (hits[at] === 0) continue;
      const tail = hypergeometricTail(hits[at], N, marked[other], m, logs);
      if (
        match >= 0 &&
        (hits[at] < hits[node * b.nodes + match] || (hits[at] === hits[node * b.nodes + match] && tail >= p))
      )
        continue;
      match = other;
      p = tail;
    }
    const at = node * b.nodes + match;
    return {
      a: node,
      b: match,
      members: ids.length,
      withCounterpart: m,
      hits: match < 0 ? 0 : hits[at],
      overlap: match < 0 ? 0 : overlap[at],
      expected: match < 0 ? NaN : (m * marked[match]) / N / ids.length,
      p: match < 0 ? 1 : Math.min(1, p * b.nodes),
    };
  });
}

/** Mean over the nodes of A, weighted by members, of the share of members in the best node of B. */
function meanBest(a: MapperGraph, nodesB: number, hits: Int32Array): number {
  let sum = 0;
  for (let node = 0; node < a.nodes; node++) {
    let best = 0;
    for (let other = 0; other < nodesB; other++) best = Math.max(best, hits[node * nodesB + other]);
    sum += best;
  }
  return a.members.length > 0 ? sum / a.members.length : NaN;
}

export const OVERLAP = {
  by: choice(['best', 'pairs'], {
    doc: "Counterpart of a feature: 'best', the highest r; 'pairs', the matched pairs of the map alone.",
    usual: 'best',
  }),
  nulls: nullRuns({ doc: 'Runs with counterparts exchanged at random.', runs: 100 }),
};

/**
 * How the nodes of two Mapper graphs correspond through a map between their points (the features of two SAEs). Points
 * are row numbers of the decoders that the graphs were made of, which are the map's features.
 * @throws RangeError when a graph is of another number of points than the map has features
 */
export async function nodeOverlap(
  a: MapperGraph,
  b: MapperGraph,
  map: CounterpartMap,
  options: NullsApart<Given<typeof OVERLAP>> & CallOptions = {},
): Promise<NodeOverlap> {
  const { runs, seed: from } = OVERLAP.nulls.members;
  const { by, nulls = runs.usual, seed = from.usual } = filled(OVERLAP, options);
  if (map.featuresB !== b.points)
    throw new RangeError(`graph B is of ${b.points} points but the map has ${map.featuresB} features on side B`);
  checkAborted(options.signal, 'node overlap');
  const { counterpart, r } = counterpartsOf(map, by).a;
  const found = overlapMatrix(a, b, counterpart);
  const of = nodesOf(b);
  const value = meanBest(a, b.nodes, found.hits);
  const having = Int32Array.from(counterpart.keys()).filter((i) => counterpart[i] >= 0);
  const random = new Random(seed).fork('node overlap');
  const values: number[] = [];
  const hits = new Int32Array(found.hits.length);
  const exchanged = counterpart.slice();
  const drawn = having.map((i) => counterpart[i]);
  for (let run = 0; run < nulls; run++) {
    checkAborted(options.signal, 'node overlap');
    random.shuffle(drawn);
    having.forEach((i, at) => (exchanged[i] = drawn[at]));
    countHits(a, b, of, exchanged, hits);
    values.push(meanBest(a, b.nodes, hits));
    options.onProgress?.({ label: 'Node overlap', done: run + 1, total: nulls });
    await breathe();
  }
  const { mean, std } = meanAndStd(values);
  const k = values.filter((v) => !(v < value - 1e-9)).length;
  return {
    ...found,
    counterpart,
    r,
    nodesA: a.nodes,
    nodesB: b.nodes,
    best: bestMatches(a, b, found, counterpart),
    mean: {
      value,
      null: { mean, std, max: values.reduce((m, v) => Math.max(m, v), -Infinity), runs: nulls },
      p: (k + 1) / (nulls + 1),
      seed,
    },
    matched: having.length,
    inNodes: having.filter((i) => of.at[counterpart[i]] < of.at[counterpart[i] + 1]).length,
  };
}
