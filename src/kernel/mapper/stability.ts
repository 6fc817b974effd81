/** How much of a Mapper graph comes back when the points are drawn again. */
import { filled } from '../verb/filled.js';
import type { CallOptions } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { meanAndStd } from '../compute/statistics.js';
import { graphStatistics, type GraphStatistics } from './findings.js';
import { mapperGraph, type MapperOptions } from './graph.js';
import type { Remember } from './nulls.js';
import {
  bestJaccard,
  componentOfPoints,
  drawRows,
  nodesOfPoints,
  optionsOf,
  rowsOf,
  weightedByMembers,
  type NodesOfPoints,
  type ResampleKind,
} from './resample.js';
import type { MapperGraph } from './types.js';
import { renamed } from '../verb/nulls.js';
import { choice, group, membersGiven, real, whole, type Given } from '../verb/option.js';

export const STABILITY = {
  draws: group(
    {
      runs: whole({ doc: 'Draws of the points.', min: 1, usual: 20 }),
      kind: choice(['bootstrap', 'subsample'], {
        doc: "'bootstrap': n of n points with replacement; 'subsample': a share without.",
        usual: 'bootstrap',
      }),
      share: real({ doc: 'Of a subsample.', above: 0, max: 1, usual: 0.8 }),
      seed: whole({ doc: 'Of draws and pairs.', usual: 0 }),
    },
    { doc: 'How the points are drawn again, and how often.', short: 'runs' },
  ),
  pairs: whole({ doc: 'Pairs of points that are followed, of each kind.', min: 1, usual: 2000 }),
};
/** The options of a call as mapperStability() takes them. */
export const stabilitySettings = ({ draws, pairs }: Given<typeof STABILITY>) => ({
  ...renamed(membersGiven(draws, 'runs'), { kind: 'resample' }),
  ...(pairs === undefined ? {} : { pairs }),
});
type MapperStabilityOptions = ReturnType<typeof stabilitySettings>;

const withDefaults = (settings: MapperStabilityOptions) => {
  const { kind: resample, ...draws } = STABILITY.draws.members;
  return filled({ ...draws, resample, pairs: STABILITY.pairs }, settings);
};

/** How often pairs of points are together in the graphs of the draws that hold both. */
export interface PairStability {
  /** Pairs followed that are together in the graph, and the share of their draws in which they are again. */
  together: { pairs: number; share: number };
  /** Pairs that are apart, and the share of their draws in which they are together: what chance and the cover give. */
  apart: { pairs: number; share: number };
}

export interface MapperStability {
  runs: number;
  seed: number;
  resample: ResampleKind;
  /** [nodes] mean over the draws of the best Jaccard index with a node of the draw's graph. */
  jaccard: Float64Array;
  /** The same over all nodes, weighted by members: mean and standard deviation over the draws. */
  overall: { mean: number; std: number };
  /**
   * The same with the points of each draw's graph exchanged at random: what nodes of these sizes give by chance; p =
   * (k + 1)/(R + 1), k = draws whose exchanged graph reaches the mean.
   */
  chance: { mean: number; std: number; p: number };
  node: PairStability;
  component: PairStability;
  observed: GraphStatistics;
  /** Statistics of the graph of each draw. */
  statistics: GraphStatistics[];
}

interface Pairs {
  a: Int32Array;
  b: Int32Array;
}

interface PairKinds {
  nodeTogether: Pairs;
  nodeApart: Pairs;
  componentTogether: Pairs;
  componentApart: Pairs;
}

function shareNode({ at, nodes }: NodesOfPoints, a: number, b: number): boolean {
  for (let i = at[a]; i < at[a + 1]; i++)
    for (let j = at[b]; j < at[b + 1]; j++) if (nodes[i] === nodes[j]) return true;
  return false;
}

/** Up to `count` draws that are accepted, out of at most 50 times as many. */
function pairsWhere(count: number, draw: () => [number, number], accept: (a: number, b: number) => boolean): Pairs {
  const [a, b]: [number[], number[]] = [[], []];
  for (let tries = 0; tries < 50 * count && a.length < count; tries++) {
    const [p, q] = draw();
    if (p === q || !accept(p, q)) continue;
    a.push(p);
    b.push(q);
  }
  return { a: Int32Array.from(a), b: Int32Array.from(b) };
}

function choosePairs(
  graph: MapperGraph,
  of: NodesOfPoints,
  component: Int32Array,
  count: number,
  seed: number,
): PairKinds {
  const random = new Random(seed).fork('stability pairs');
  const inside = Int32Array.from(component.keys()).filter((i) => component[i] >= 0);
  const none: Pairs = { a: new Int32Array(0), b: new Int32Array(0) };
  if (inside.length < 2) return { nodeTogether: none, nodeApart: none, componentTogether: none, componentApart: none };
  // A member of a node drawn by members, and another of the same node.
  const within = (): [number, number] => {
    const e = random.int(graph.members.length);
    let low = 0;
    let high = graph.nodes;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (graph.membersAt[middle] <= e) low = middle;
      else high = middle;
    }
    const first = graph.membersAt[low];
    return [graph.members[e], graph.members[first + random.int(graph.membersAt[low + 1] - first)]];
  };
  const any = (): [number, number] => [inside[random.int(inside.length)], inside[random.int(inside.length)]];
  return {
    nodeTogether: pairsWhere(count, within, () => true),
    nodeApart: pairsWhere(count, any, (a, b) => !shareNode(of, a, b)),
    componentTogether: pairsWhere(count, any, (a, b) => component[a] === component[b]),
    componentApart: pairsWhere(count, any, (a, b) => component[a] !== component[b]),
  };
}

/** Results of one draw; counts are pairs present and pairs together. */
interface Draw {
  jaccard: Array<number | null>;
  chance: number | null;
  statistics: GraphStatistics;
  counts: Record<keyof PairKinds, [number, number]>;
}

function countTogether(
  pairs: Pairs,
  present: Uint8Array,
  together: (a: number, b: number) => boolean,
): [number, number] {
  let both = 0;
  let kept = 0;
  for (let i = 0; i < pairs.a.length; i++) {
    if (!present[pairs.a[i]] || !present[pairs.b[i]]) continue;
    both++;
    if (together(pairs.a[i], pairs.b[i])) kept++;
  }
  return [both, kept];
}

/** Compares the graph of a draw with the whole. */
export function compareDraw(
  graph: MapperGraph,
  drawn: MapperGraph,
  rows: Int32Array,
  pairs: PairKinds,
  random: Random,
): Draw {
  const present = new Uint8Array(graph.points);
  for (const i of rows) present[i] = 1;
  const of = nodesOfPoints(drawn, graph.points, rows);
  const component = componentOfPoints(drawn, of);
  const sameComponent = (a: number, b: number): boolean => component[a] >= 0 && component[a] === component[b];
  const sameNode = (a: number, b: number): boolean => shareNode(of, a, b);
  // Present points change places.
  const places = Int32Array.from(present.keys()).filter((i) => present[i] === 1);
  const moved = places.slice();
  random.shuffle(moved);
  const to = Int32Array.from(present.keys());
  places.forEach((from, i) => (to[from] = moved[i]));
  const exchanged = nodesOfPoints(drawn, graph.points, rows.map((i) => to[i])); // prettier-ignore
  const orNull = (v: number): number | null => (Number.isNaN(v) ? null : v);
  return {
    jaccard: Array.from(bestJaccard(graph, of, present), orNull),
    chance: orNull(weightedByMembers(graph, bestJaccard(graph, exchanged, present))),
    statistics: graphStatistics(drawn),
    counts: {
      nodeTogether: countTogether(pairs.nodeTogether, present, sameNode),
      nodeApart: countTogether(pairs.nodeApart, present, sameNode),
      componentTogether: countTogether(pairs.componentTogether, present, sameComponent),
      componentApart: countTogether(pairs.componentApart, present, sameComponent),
    },
  };
}

function spread(values: readonly number[]): { mean: number; std: number } {
  return meanAndStd(values.filter((v) => !Number.isNaN(v)));
}

function summarise(
  graph: MapperGraph,
  draws: readonly Draw[],
  pairs: PairKinds,
): Omit<MapperStability, 'runs' | 'seed' | 'resample'> {
  const number = (v: number | null): number => v ?? NaN;
  const jaccard = Float64Array.from(
    { length: graph.nodes },
    (_, node) => spread(draws.map((d) => number(d.jaccard[node]))).mean,
  );
  const overall = spread(draws.map((d) => weightedByMembers(graph, d.jaccard.map(number))));
  const chances = draws.map((d) => number(d.chance));
  const chance = spread(chances);
  const share = (kind: keyof PairKinds): { pairs: number; share: number } => {
    const both = draws.reduce((sum, d) => sum + d.counts[kind][0], 0);
    return { pairs: pairs[kind].a.length, share: draws.reduce((sum, d) => sum + d.counts[kind][1], 0) / both };
  };
  return {
    jaccard,
    overall,
    chance: { ...chance, p: (chances.filter((v) => v >= overall.mean).length + 1) / (chances.length + 1) },
    node: { together: share('nodeTogether'), apart: share('nodeApart') },
    component: { together: share('componentTogether'), apart: share('componentApart') },
    observed: graphStatistics(graph),
    statistics: draws.map((d) => d.statistics),
  };
}

/** Runs that mapperStability asks `remember` for. */
export function drawNames(settings: MapperStabilityOptions): string[] {
  const { runs, resample, share, pairs, seed } = withDefaults(settings);
  return Array.from({ length: runs }, (_, run) => `${resample} ${share} ${pairs} ${seed} ${run}`);
}

/**
 * Draws the points again and runs the same pipeline on each draw, lens included. A node made by the cover alone comes
 * back too: compare with the stability of null data. Shares and Jaccard indices of a graph without nodes are NaN.
 * @param graph mapperGraph(x, options)
 * @throws RangeError for the graph of other points
 */
export async function mapperStability(
  x: Matrix,
  graph: MapperGraph,
  options: MapperOptions,
  settings: MapperStabilityOptions = {},
  call: CallOptions = {},
  remember: Remember = (_, run) => run(),
): Promise<MapperStability> {
  const { runs, resample, share, pairs: count, seed } = withDefaults(settings);
  if (graph.points !== x.rows) throw new RangeError(`the graph is of ${graph.points} points but x has ${x.rows} rows`);
  requireMemory(`a resample of ${x.rows} × ${x.cols}`, 4 * x.rows * x.cols);
  const of = nodesOfPoints(graph, graph.points);
  const pairs = choosePairs(graph, of, componentOfPoints(graph, of), count, seed);
  const draws: Draw[] = [];
  const names = drawNames(settings);
  for (let run = 0; run < runs; run++) {
    call.onProgress?.({ label: 'Stability', done: run, total: runs, unit: 'draws' });
    const make = async (): Promise<Draw> => {
      const random = new Random(seed).fork(`draw ${run}`);
      const rows = drawRows(x.rows, resample, share, random);
      const { cover, ...plan } = options;
      const drawn = await mapperGraph(rowsOf(x, rows), { ...optionsOf(plan, rows), cover, signal: call.signal });
      return compareDraw(graph, drawn, rows, pairs, random);
    };
    draws.push(await remember(names[run], make));
  }
  return { runs, seed, resample, ...summarise(graph, draws, pairs) };
}
