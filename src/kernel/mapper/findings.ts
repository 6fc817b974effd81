/** Statistics of a Mapper graph, and its branches and loops as findings beside a null. */
import { usually } from '../verb/filled.js';
import type { GraphFinding } from '../../protocol/graph.js';
import { extendedPersistence, type ExtendedPair, type ExtendedPersistence } from './persistence.js';
import type { MapperGraph } from './types.js';
import { value } from '../verb/option.js';

/** What nodes are ordered by: a dimension of the lens, or one value per point. The default is dimension 0. */
export type NodeFunction = number | ArrayLike<number>;

export const nodeFunction = usually(
  value<NodeFunction>(
    'a dimension of the lens, or one value per point',
    { doc: 'What nodes are ordered by: a dimension of the lens, or one value per point.' },
    (v) => typeof v === 'number' || Array.isArray(v) || ArrayBuffer.isView(v),
  ),
  0,
);

/** Statistics of a whole graph. */
export interface GraphStatistics {
  nodes: number;
  edges: number;
  components: number;
  /** b1 of the nerve. */
  loops: number;
  /** Share of the points that could have been in a node and are in none. */
  noiseShare: number;
  /** Longest branch and loop, and the widest component but the first, in shares of the function's range. */
  longestBranch: number;
  longestLoop: number;
  secondComponent: number;
}

/** Names of the statistics as shown, in the order in which they are shown. */
export const STATISTIC_NAMES: Readonly<Record<keyof GraphStatistics, string>> = {
  nodes: 'nodes',
  edges: 'edges',
  components: 'components',
  loops: 'loops (b1)',
  noiseShare: 'noise share',
  longestBranch: 'longest branch',
  longestLoop: 'longest loop',
  secondComponent: 'second component',
};

/** Name of a node function. @throws RangeError for a dimension that the lens does not have */
export function functionName(graph: MapperGraph, by: NodeFunction = nodeFunction.usual): string {
  if (typeof by !== 'number') return 'given values';
  // Without a point that could be placed there is no lens, and no node either.
  if (by === 0 && graph.lens.dims === 0) return 'no lens';
  if (!Number.isInteger(by) || by < 0 || by >= graph.lens.dims)
    throw new RangeError(`by is ${by}: the lens has dimensions 0 to ${graph.lens.dims - 1}`);
  return graph.lens.names[by];
}

/**
 * [nodes] Mean of the members' values, from 0 at the least value of any point to 1 at the greatest (0 when all are
 * equal); NaN for a node none of whose members has a value. In these units lenses of other data can be compared.
 * @throws RangeError on a wrong number of values
 */
export function nodeValues(graph: MapperGraph, by: NodeFunction = nodeFunction.usual): Float64Array {
  functionName(graph, by);
  if (typeof by !== 'number' && by.length !== graph.points)
    throw new RangeError(`by has ${by.length} values but the graph is of ${graph.points} points`);
  const { values, dims } = graph.lens;
  const of = typeof by === 'number' ? (i: number): number => values[i * dims + by] : (i: number): number => by[i];
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < graph.points; i++) {
    const v = of(i);
    if (!Number.isFinite(v)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  const range = high > low ? high - low : 1;
  return Float64Array.from({ length: graph.nodes }, (_, node) => {
    let sum = 0;
    let count = 0;
    for (let e = graph.membersAt[node]; e < graph.membersAt[node + 1]; e++) {
      const v = of(graph.members[e]);
      if (!Number.isFinite(v)) continue;
      sum += v;
      count++;
    }
    return count > 0 ? (sum / count - low) / range : NaN;
  });
}

/** Extended persistence of a Mapper graph by a node function in shares of its range; filled loops are no loops. */
export function graphPersistence(graph: MapperGraph, by: NodeFunction = nodeFunction.usual): ExtendedPersistence {
  return extendedPersistence(graph.nodes, graph.edges, graph.triangles, nodeValues(graph, by));
}

const persistenceOf = (pair: ExtendedPair | undefined): number => pair?.persistence ?? 0;

/** Statistics of a graph by a node function. `persistence`: that of graphPersistence(), when it is known already. */
export function graphStatistics(
  graph: MapperGraph,
  by: NodeFunction = nodeFunction.usual,
  persistence = graphPersistence(graph, by),
): GraphStatistics {
  const points = graph.points - graph.excluded.length;
  return {
    nodes: graph.nodes,
    edges: graph.edges.length / 2,
    components: graph.components,
    loops: graph.betti[1] ?? 0,
    noiseShare: points > 0 ? graph.noise.length / points : 0,
    longestBranch: persistenceOf(persistence.branches[0]),
    longestLoop: persistenceOf(persistence.loops[0]),
    secondComponent: persistenceOf(persistence.components[1]),
  };
}

/** The null that findings are compared with: statistics of graphs of null data by the same node function. */
export interface FindingsNull {
  /** As shown: "rotated singular vectors, same spectrum". */
  name: string;
  runs: readonly GraphStatistics[];
  seed: number;
}

/** p = (k + 1)/(R + 1), k = null values that reach the value. */
export function exceedance(value: number, nullValues: readonly number[]): number {
  // Values that differ by the rounding of a mean reach it too.
  const k = nullValues.filter((v) => v >= value - 1e-9).length;
  return (k + 1) / (nullValues.length + 1);
}

/**
 * The branches and loops of a graph, and its components but the widest, each longest first. With a null, p of a branch
 * is the share of null graphs whose longest branch is as long, likewise loops and second components: the chance that
 * any false one is called significant at p is p, however many there are (maximum statistic). Persistence is in shares
 * of the function's range. Loops on one level have persistence 0, which every null graph reaches: p = 1.
 */
export function findings(
  graph: MapperGraph,
  by: NodeFunction = nodeFunction.usual,
  nulls?: FindingsNull,
): GraphFinding[] {
  const { branches, loops, components } = graphPersistence(graph, by);
  const name = functionName(graph, by);
  const finding = (pair: ExtendedPair, statistic: keyof GraphStatistics): GraphFinding => ({
    kind: pair.kind,
    nodes: pair.nodes,
    persistence: pair.persistence,
    by: name,
    ...(nulls && nulls.runs.length > 0
      ? {
          p: exceedance(
            pair.persistence,
            nulls.runs.map((run) => run[statistic]),
          ),
          null: nulls.name,
          runs: nulls.runs.length,
          seed: nulls.seed,
        }
      : {}),
  });
  return [
    ...loops.map((pair) => finding(pair, 'longestLoop')),
    ...branches.map((pair) => finding(pair, 'longestBranch')),
    ...components.slice(1).map((pair) => finding(pair, 'secondComponent')),
  ];
}
