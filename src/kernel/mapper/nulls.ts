/** The same Mapper pipeline on null data, and its statistics beside those of the points. */
import { filled } from '../verb/filled.js';
import { maxOf, minOf } from '../../protocol/lists.js';
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { meanAndStd } from '../compute/statistics.js';
import { finiteRows } from '../maps/rows.js';
import {
  exceedance,
  functionName,
  graphStatistics,
  nodeFunction,
  STATISTIC_NAMES,
  type FindingsNull,
  type GraphStatistics,
} from './findings.js';
import { NULL_KINDS, NULL_NAMES, NullData, type NullKind } from './nullData.js';
import type { MapperGraph } from './types.js';
import { nullsOf } from '../verb/common.js';
import type { NullsInline } from '../verb/nulls.js';
import type { Given } from '../verb/option.js';

/** The pipeline: lens, cover, clusterer and nerve of some points, all rows given. */
export type MakeGraph = (x: Matrix, call: CallOptions) => Promise<MapperGraph>;

/** Keeps the results of single runs, so that a call that was stopped goes on where it was. */
export type Remember = <T>(run: string, make: () => Promise<T>) => Promise<T>;

export const NULLS = {
  nulls: nullsOf(NULL_KINDS, { doc: 'Null data sets that the same pipeline runs on.', runs: 20, min: 1 }),
  by: nodeFunction,
};
export interface MapperNullOptions extends NullsInline<Given<typeof NULLS>> {}

/** One figure of the graph beside the null graphs. */
export interface NullComparison {
  statistic: string;
  value: number;
  null: { mean: number; std: number; min: number; max: number };
  /** p = (k + 1)/(R + 1), k = null runs at or above the value, and at or below it. */
  pMore: number;
  pFewer: number;
}

export interface MapperNulls extends FindingsNull {
  kind: NullKind;
  by: string;
  observed: GraphStatistics;
  comparison: NullComparison[];
  /** The graph of the first null run, to be shown beside the data's. */
  graph: MapperGraph;
}

/** The statistics of a graph beside those of null graphs, in the order of STATISTIC_NAMES. */
export function compareWithNull(observed: GraphStatistics, runs: readonly GraphStatistics[]): NullComparison[] {
  return (Object.keys(STATISTIC_NAMES) as Array<keyof GraphStatistics>).map((key) => {
    const values = runs.map((run) => run[key]);
    return {
      statistic: STATISTIC_NAMES[key],
      value: observed[key],
      null: {
        ...meanAndStd(values),
        min: minOf(values),
        max: maxOf(values),
      },
      pMore: exceedance(observed[key], values),
      pFewer: exceedance(
        -observed[key],
        values.map((v) => -v),
      ),
    };
  });
}

/** Null rows at the places of the finite rows; the others stay as they are, so that row numbers keep their meaning. */
export function inPlace(x: Matrix, index: Int32Array, drawn: Matrix): Matrix {
  if (index.length === x.rows) return drawn;
  const out = matrix(x.rows, x.cols, x.data.slice());
  index.forEach((to, from) => out.data.set(drawn.data.subarray(from * x.cols, (from + 1) * x.cols), to * x.cols));
  return out;
}

const runName = (kind: NullKind, seed: number): string => `${kind} ${seed}`;

/** Runs that mapperNulls asks `remember` for; the first one, whose graph is shown, is made in every call. */
export function nullRunNames(options: MapperNullOptions): string[] {
  const { kind, runs, seed } = filled(NULLS.nulls.members, options);
  return Array.from({ length: Math.max(0, runs - 1) }, (_, i) => runName(kind, seed + i + 1));
}

/**
 * Runs `make` on null data `runs` times and compares with `graph`, which it made of x. A lens of the points is computed
 * anew from each null data set; values that are given per point (a column, a firing rate) stay with their rows.
 * @throws RangeError for fewer than one run or two finite rows, or an unknown kind
 */
export async function mapperNulls(
  x: Matrix,
  graph: MapperGraph,
  make: MakeGraph,
  options: MapperNullOptions = {},
  call: CallOptions = {},
  remember: Remember = (_, run) => run(),
): Promise<MapperNulls> {
  const { kind, runs, seed, by } = filled({ ...NULLS, ...NULLS.nulls.members }, options);
  const name = functionName(graph, by);
  const kept = finiteRows(x);
  const source = new NullData(kept.matrix, kind);
  const graphOf = async (run: number): Promise<MapperGraph> => {
    const drawn = await source.draw(seed + run, { signal: call.signal });
    return make(inPlace(x, kept.index, drawn), { signal: call.signal });
  };
  call.onProgress?.({ label: 'Null graphs', done: 0, total: runs });
  const first = await graphOf(0);
  const statistics: GraphStatistics[] = [graphStatistics(first, by)];
  for (let run = 1; run < runs; run++) {
    call.onProgress?.({ label: 'Null graphs', done: run, total: runs });
    statistics.push(await remember(runName(kind, seed + run), async () => graphStatistics(await graphOf(run), by)));
  }
  const observed = graphStatistics(graph, by);
  return {
    kind,
    name: NULL_NAMES[kind],
    seed,
    by: name,
    runs: statistics,
    observed,
    comparison: compareWithNull(observed, statistics),
    graph: first,
  };
}
