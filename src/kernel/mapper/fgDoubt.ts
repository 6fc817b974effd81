/**
 * fg.mapper, checks of a graph against chance: persistence, null graphs, stability, sweeps, findings, and the overlap
 * of two graphs.
 */
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import type { PairedMap } from '../correlation/types.js';
import { matrixId } from '../io/hash.js';
import * as picture from '../present/mapper.js';
import { KEPT, thing } from '../verb/common.js';
import { nullsApart, nullsInline } from '../verb/nulls.js';
import { only, value } from '../verb/option.js';
import { CLUSTER, type Pieces } from '../verb/split.js';
import { syncVerb, verb } from '../verb/verb.js';
import { findings as findingsOf, functionName, graphPersistence, nodeFunction, type FindingsNull } from './findings.js';
import { mapperGraph } from './graph.js';
import { layoutVersion } from './layoutVersion.js';
import { mapperNulls, NULLS, nullRunNames } from './nulls.js';
import { PIPELINE, PLAN, type MapperOptions, type PlanOptions } from './options.js';
import { nodeOverlap, OVERLAP } from './overlap.js';
import { graphArg, points } from './points.js';
import { RIPS } from './ripsOptions.js';
import { describeSample, ripsPersistence, ripsSettings } from './ripsSample.js';
import { drawNames, mapperStability, STABILITY, stabilitySettings } from './stability.js';
import { mapperSweep, SWEEP, sweepRunNames, sweepSettings } from './sweep.js';
import type { MapperGraph } from './types.js';

const matrixIds = (
  { distances, lens }: Pick<PlanOptions, 'distances' | 'lens'>,
  x: Matrix,
): Record<string, string | undefined> => ({
  points: matrixId(x),
  distances: distances && matrixId(distances),
  layout: layoutVersion(lens),
});
/** The options of the pipeline that go into an identity; distances are left out, since they are an input. */
const pipelineGiven = (given: object): object => {
  const { distances: _, ...rest } = only(PIPELINE, given as Record<string, unknown>);
  return rest;
};
function refuseNulls(verbName: string, distances: Matrix | undefined): void {
  if (distances)
    throw new RangeError(`fg.mapper.${verbName}: precomputed distances have no null data; pass points and a metric`);
}

export const persistence = verb({
  doc: 'Vietoris-Rips persistence of n × d points (or an n × n matrix of distances with `precomputed`): components, loops and, with maxDim 2, hollows; through landmarks where there are many points, with the covering radius as error bound, and the longest bars beside those of null data. Shown as barcode and diagram; `fg.show(found, { as })` draws one of the two. The same call again loads the result.',
  args: [points],
  options: { ...RIPS, ...KEPT },
  errors: ['Precomputed distances take neither a metric nor nulls, and must be symmetric with 0 on the diagonal.'],
  check: (options) => void ripsSettings(nullsApart(only(RIPS, options), 'own seed')),
  run: ({ options, call }, x) => ripsPersistence(x, { ...nullsApart(only(RIPS, options), 'own seed'), ...call }),
  keep: {
    kind: 'persistence',
    version: 2,
    what: 'Persistence',
    inputs: (_, x) => ({ points: matrixId(x) }),
    parameters: ({ given }) => asParameters(ripsSettings(nullsApart(only(RIPS, given), 'own seed'))),
  },
  show: (found) => picture.persistenceItems(found, 'both', describeSample(found)),
});

export const extended = syncVerb({
  doc: 'Extended persistence of a Mapper graph by a node function: components, branches and loops with the values at which they begin and end and the nodes that realise them. Loops that triangles fill are no loops.',
  args: [graphArg('graph')],
  options: { by: nodeFunction },
  run: ({ options }, graph) => graphPersistence(graph, options.by),
  show: (found, { options }, graph) => picture.extendedItems(found, functionName(graph, options.by)),
});

/** Pieces of a call that makes a graph of as many points in every run. */
const runsOf = (x: Matrix, names: readonly string[], graphs: number, unit: string): Pieces => ({
  pieces: names,
  work: { amount: names.length * graphs, unit },
  // The points, those drawn, and their neighbours or distances by blocks.
  memory: 12 * x.rows * x.cols + 2 ** 28,
  disk: 2048 * names.length * graphs,
});

export const nulls = verb({
  doc: 'The same pipeline on null data: distributions of nodes, edges, components, loops, noise and the longest branch and loop beside those of the points, with p; one null graph to be shown beside. A call that was stopped goes on where it was; the same call again loads the result.',
  args: [points],
  options: { ...PIPELINE, ...NULLS, ...CLUSTER, ...KEPT },
  errors: ['Precomputed distances have no null data.'],
  check: ({ distances }) => refuseNulls('nulls', distances),
  async run({ options, call, remember }, x) {
    const pipeline = only(PIPELINE, options) as MapperOptions;
    const make = (data: Matrix, own: CallOptions): Promise<MapperGraph> => mapperGraph(data, { ...pipeline, ...own });
    return mapperNulls(x, await make(x, call), make, nullsInline(only(NULLS, options)), call, remember);
  },
  keep: {
    kind: 'mapper-nulls',
    version: 2,
    what: 'Null graphs',
    resume: true,
    inputs: matrixIds,
    parameters: ({ given }) =>
      asParameters({ pipeline: pipelineGiven(given), settings: nullsInline(only(NULLS, given)) }),
  },
  split: {
    unit: 'null graphs',
    version: 1,
    pieces: (options, x) => runsOf(x, nullRunNames(nullsInline(only(NULLS, options))), 1, 'null graphs'),
  },
  show: (found) => picture.nullItems(found),
});

export const sweep = verb({
  doc: 'The pipeline over a grid of cubes × overlap, lens and neighbours computed once: heatmaps of components, loops, noise share and stability. A call that was stopped goes on where it was.',
  args: [points],
  options: { ...PLAN, ...SWEEP, ...CLUSTER, ...KEPT },
  errors: ['Precomputed distances have no null data.'],
  check: ({ distances, nulls }) => refuseNulls('sweep', nulls.runs ? distances : undefined),
  run: ({ options, call, remember }, x) =>
    mapperSweep(x, only(PLAN, options) as PlanOptions, sweepSettings(only(SWEEP, options)), call, remember),
  keep: {
    kind: 'mapper-sweep',
    version: 2,
    what: 'Mapper sweep',
    resume: true,
    inputs: matrixIds,
    parameters: ({ given }) =>
      asParameters({ pipeline: pipelineGiven(only(PLAN, given)), settings: sweepSettings(only(SWEEP, given)) }),
  },
  split: {
    unit: 'cells, draws and null sweeps',
    version: 1,
    pieces(options, x) {
      const { names, graphs } = sweepRunNames(sweepSettings(only(SWEEP, options)));
      return runsOf(x, names, graphs / names.length, 'graphs');
    },
  },
  show: (found) => picture.sweepItems(found),
});

export const stability = verb({
  doc: 'The pipeline on points drawn again: how well each node comes back, and how often points that share a node or a component share one again, beside chance. A call that was stopped goes on where it was.',
  args: [points],
  options: { ...PIPELINE, ...STABILITY, ...CLUSTER, ...KEPT },
  async run({ options, call, remember }, x) {
    const pipeline = only(PIPELINE, options) as MapperOptions;
    const graph = await mapperGraph(x, { ...pipeline, ...call });
    return mapperStability(x, graph, pipeline, stabilitySettings(options), call, remember);
  },
  keep: {
    kind: 'mapper-stability',
    version: 2,
    what: 'Stability',
    resume: true,
    inputs: matrixIds,
    parameters: ({ given }) => asParameters({ pipeline: pipelineGiven(given), settings: stabilitySettings(given) }),
  },
  split: {
    unit: 'draws',
    version: 1,
    pieces: (options, x) => runsOf(x, drawNames(stabilitySettings(options)), 1, 'graphs'),
  },
  show: (found) => picture.stabilityItems(found),
});

export const overlap = verb({
  doc: "Which nodes of two SAEs' graphs hold counterparts of one another: share of the members of each node of A whose counterpart is in each node of B, beside counterparts exchanged at random.",
  args: [graphArg('graphA'), graphArg('graphB'), thing<PairedMap>('map', 'What fg.correlation.map returned.')],
  options: { ...OVERLAP, ...KEPT },
  errors: ["A graph of other rows than the decoder of the map's SAE is refused."],
  check(_, graphA, graphB, map) {
    for (const [side, graph, { meta }] of [
      ['A', graphA, map.a],
      ['B', graphB, map.b],
    ] as const)
      if (graph.rows && meta.sae.decoder)
        requireSame(
          `graph ${side} is of other rows than the decoder of the map's side ${side}`,
          { name: 'points of the graph', id: graph.rows },
          { name: `decoder of ${meta.sae.name}`, id: meta.sae.decoder },
        );
  },
  run: ({ options, call }, graphA, graphB, map) =>
    nodeOverlap(graphA, graphB, map, { ...nullsApart(only(OVERLAP, options)), ...call }),
  keep: {
    kind: 'mapper-overlap',
    version: 2,
    what: 'Node overlap',
    inputs: (_, graphA, graphB, map) => ({ a: graphA.id, b: graphB.id, map: map.id }),
    parameters: ({ given }) => asParameters(nullsApart(only(OVERLAP, given))),
  },
  show: (found) => picture.overlapItems(found),
});

export const findings = syncVerb({
  doc: 'Loops, branches and further components of a graph, longest first, with p where null graphs are given.',
  args: [graphArg('graph')],
  options: {
    by: nodeFunction,
    beside: value<FindingsNull & { readonly by?: string }>(
      'what fg.mapper.nulls returned',
      { doc: 'What fg.mapper.nulls returned for the same graph and `by`; without, findings have no p.' },
      (v) => typeof v === 'object' && v !== null,
    ),
  },
  errors: ['Nulls that were measured by another function than `by` are refused.'],
  run({ options }, graph) {
    const { by = nodeFunction.usual, beside } = options;
    const name = functionName(graph, by);
    if (beside?.by !== undefined && beside.by !== name)
      throw new RangeError(
        `fg.mapper.findings: the null was measured by ${beside.by} but the findings by ${name}; pass the same by to both`,
      );
    return findingsOf(graph, by, beside);
  },
  show: (found, _, graph) => picture.findingItems(found, graph.points),
});
