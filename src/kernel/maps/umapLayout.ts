/**
 * UMAP's layout: umap-learn's objective and its schedule, by steps that any number of workers share
 * out with the same bits (compute/shared/layout.ts).
 *
 * The gradient coefficients depend on the squared distance alone; a table over the top 15 bits of the float32 takes
 * the place of Math.pow (relative step 1/128, below the noise of sampling).
 */
import type { CallOptions } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import { epochs, layoutFields, positionsAfter, TABLE, type LayoutViews } from '../compute/shared/layout.js';
import { Random } from '../compute/random.js';
import { bytesOf, shareMemory, viewsOf } from '../compute/shared/memory.js';
import { runPhase, type TeamOptions } from '../compute/shared/phases.js';
import type { Given } from '../verb/option.js';
import type { FuzzyGraph } from './fuzzyGraph.js';
import type { UMAP } from './options.js';
import type { Watched } from './types.js';

type Chosen = 'a' | 'b' | 'learningRate' | 'negativeSampleRate' | 'repulsionStrength' | 'seed';

/** Options of UMAP, resolved; seeds are of 32 bits. */
export type LayoutParameters = Required<Pick<Given<typeof UMAP>, Chosen>> & {
  readonly epochs: number;
  /** Dimensions; default 2. */
  readonly axes?: 2 | 3;
};

/**
 * Two layouts that move together: vertices of both in one graph without edges between them, and ties that pull a vertex
 * towards its counterparts in the other. A tie's weight is of one sampling of one edge of the vertex, as the
 * regularisation of umap-learn's AlignedUMAP is.
 */
export interface Ties {
  /** [points] 0 or 1: which layout a vertex is of. Vertices push off those of their own alone. */
  side: Uint8Array;
  /** Each direction by itself: vertex `from` is pulled towards vertex `to`. */
  from: Int32Array;
  to: Int32Array;
  weight: Float32Array;
}

/** Below this many updates of vertices, workers cost more than they save. */
const SHARED_UPDATES = 1e6;

/**
 * Calls `use` for both directions of every edge that would be sampled at least once, with its weight divided by the
 * largest.
 */
function eachDirected(graph: FuzzyGraph, epochCount: number, use: (i: number, j: number, w: number) => void): void {
  let heaviest = 0;
  for (const w of graph.weight) if (w > heaviest) heaviest = w;
  for (let e = 0; e < graph.head.length; e++) {
    if (graph.weight[e] < heaviest / epochCount) continue;
    use(graph.head[e], graph.tail[e], graph.weight[e] / heaviest);
    use(graph.tail[e], graph.head[e], graph.weight[e] / heaviest);
  }
}

/** Where the edges of each vertex begin: [points + 1], in fours. */
function edgeStarts(graph: FuzzyGraph, epochCount: number): Int32Array {
  const first = new Int32Array(graph.points + 1);
  eachDirected(graph, epochCount, (i) => first[i + 1]++);
  for (let i = 0; i < graph.points; i++) first[i + 1] = first[i] + 4 * Math.ceil(first[i + 1] / 4);
  return first;
}

/** Edges by vertex; what fills a vertex up to fours leads to itself with weight 0. */
function fillEdges(m: LayoutViews, first: Int32Array, graph: FuzzyGraph, p: LayoutParameters): void {
  m.first.set(first);
  for (let i = 0; i < graph.points; i++) m.to.fill(i, first[i], first[i + 1]);
  const next = first.slice(0, graph.points);
  eachDirected(graph, p.epochs, (i, j, w) => {
    m.to[next[i]] = j;
    m.weight[next[i]++] = w;
    m.increment[i] += p.negativeSampleRate * w;
  });
}

/** Ties by vertex; to be called behind fillEdges, whose increments know how often the edges of a vertex are sampled. */
function fillTies(m: LayoutViews, place: Uint32Array, ties: Ties, { negativeSampleRate }: LayoutParameters): void {
  const points = place.length;
  const own = [0, 0];
  ties.side.forEach((side, i) => {
    m.side[place[i]] = side;
    own[side]++;
  });
  ties.from.forEach((i) => m.tieFirst[place[i] + 1]++);
  for (let i = 0; i < points; i++) m.tieFirst[i + 1] += m.tieFirst[i];
  const next = m.tieFirst.slice(0, points);
  ties.from.forEach((vertex, t) => {
    const i = place[vertex];
    m.tieTo[next[i]] = place[ties.to[t]];
    m.tieWeight[next[i]++] = (ties.weight[t] * m.increment[i]) / negativeSampleRate;
  });
  // Samples are drawn among all vertices, and those of the other layout are passed over.
  for (let i = 0; i < points; i++) m.increment[i] *= points / own[m.side[i]];
}

function fillTables({ attract, repel }: LayoutViews, { a, b, repulsionStrength }: LayoutParameters): void {
  const float = new Float32Array(1);
  const bits = new Int32Array(float.buffer);
  // Entry 0, for points that coincide, stays 0: they neither attract nor repel.
  for (let q = 1; q < TABLE; q++) {
    bits[0] = (q << 16) | 0x8000;
    const d2 = float[0];
    if (!(d2 > 0) || !Number.isFinite(d2)) continue;
    const power = Math.pow(d2, b);
    attract[q] = (2 * a * b * power) / d2 / (a * power + 1);
    repel[q] = (2 * repulsionStrength * b) / ((0.001 + d2) * (a * power + 1));
  }
}

/** The graph with its vertices in the order given: place[i] is where vertex i is put. */
function reordered({ points, head, tail, weight }: FuzzyGraph, place: Uint32Array): FuzzyGraph {
  return { points, head: head.map((i) => place[i]), tail: tail.map((i) => place[i]), weight };
}

/**
 * Moves `y` (n × axes, changed in place) through all epochs. The vertices move in groups of a random order (by the seed).
 * @param ties of two layouts that move together
 */
export async function optimizeLayout(
  y: Float32Array,
  graph: FuzzyGraph,
  parameters: LayoutParameters,
  call: CallOptions & TeamOptions & Watched = {},
  ties?: Ties,
): Promise<void> {
  if (graph.head.length === 0) return;
  const { points } = graph;
  const { axes = 2, epochs: count, learningRate, seed } = parameters;
  const place = new Random(parameters.seed).permutation(points);
  const placed = reordered(graph, place);
  const first = edgeStarts(placed, parameters.epochs);
  const sizes = { points, axes, edges: first[points], ties: ties?.from.length ?? 0 };
  const fields = layoutFields(sizes);
  requireMemory(`the UMAP layout of ${points} points`, bytesOf(fields));
  const memory = shareMemory(fields);
  const m = viewsOf(memory, fields);
  fillTables(m, parameters);
  fillEdges(m, first, placed, parameters);
  if (sizes.ties > 0) fillTies(m, place, ties!, parameters);
  place.forEach((to, i) => m.y0.set(y.subarray(axes * i, axes * (i + 1)), axes * to));
  const read = (epoch: number, into: Float32Array): Float32Array => {
    const after = positionsAfter(m, epoch);
    place.forEach((from, i) => into.set(after.subarray(axes * from, axes * (from + 1)), axes * i));
    return into;
  };
  await runPhase(
    { phase: 'layoutEpochs', memory, parameters: { ...sizes, epochs: count, learningRate, seed } },
    epochs,
    {
      label: 'UMAP layout',
      unit: 'epochs',
      total: count,
      workers: call.workers ?? (points * count < SHARED_UPDATES ? 0 : undefined),
      pool: call.pool,
      signal: call.signal,
      onProgress: (progress) => {
        call.onProgress?.(progress);
        call.onMoved?.(progress.done, count, () => [read(progress.done, new Float32Array(y.length)), axes]);
      },
    },
  );
  read(count, y);
}
