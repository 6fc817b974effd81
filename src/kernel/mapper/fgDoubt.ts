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
import { KEPT, nulls as nullRuns, nullsOf, thing } from '../verb/common.js';
import { choice, flag, group, membersGiven, numbers, only, real, value, whole, type Given } from '../verb/option.js';
import { CLUSTER, type Pieces } from '../verb/split.js';
import { syncVerb, verb } from '../verb/verb.js';
import {
  findings as findingsOf,
  functionName,
  graphPersistence,
  type FindingsNull,
  type NodeFunction,
} from './findings.js';
import { mapperGraph } from './graph.js';
import { layoutVersion } from './layoutVersion.js';
import { NULL_KINDS } from './nullData.js';
import { mapperNulls, nullRunNames } from './nulls.js';
import { PIPELINE, PLAN, type LensSpec, type MapperOptions, type PlanOptions } from './options.js';
import { nodeOverlap } from './overlap.js';
import { graphArg, points } from './points.js';
import { describeSample, ripsPersistence, ripsSettings } from './ripsSample.js';
import { drawNames, mapperStability } from './stability.js';
import { mapperSweep, sweepRunNames } from './sweep.js';
import type { MapperGraph } from './types.js';

const matrixIds = (
  { distances, lens }: { distances?: Matrix; lens?: LensSpec },
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

const nodeFunction = value<NodeFunction>(
  'a dimension of the lens, or one value per point',
  { doc: 'What nodes are ordered by: a dimension of the lens, or one value per point.', fallback: '0' },
  (v) => typeof v === 'number' || Array.isArray(v) || ArrayBuffer.isView(v),
);

const RIPS = {
  maxDim: choice([0, 1, 2], { doc: 'Highest dimension of homology: 0 components, 1 loops, 2 hollows.', fallback: '1' }),
  metric: choice(['euclidean', 'cosine'], { doc: 'Of points.', fallback: "'euclidean'" }),
  precomputed: flag({ doc: 'The points are an n × n matrix of distances.', fallback: 'false' }),
  landmarks: whole({
    doc: 'Points that the complex is built on. Fewer points than that are all taken.',
    min: 1,
    fallback: '1,000, or 250 with maxDim 2',
  }),
  sampling: choice(['maxmin', 'random'], {
    doc: "'maxmin': spread out, with the least covering radius; 'random': a plain sample, dense where the data is.",
    fallback: "'maxmin'",
  }),
  threshold: real({
    doc: 'Largest edge.',
    min: 0,
    fallback: 'the enclosing radius, beyond which nothing changes',
  }),
  nulls: nullsOf(NULL_KINDS, {
    doc: 'Null data sets that the longest bars are held against; precomputed distances have none.',
    fallback: '20 (0 for precomputed distances)',
    seed: 'seed + 1',
  }),
  seed: whole({ doc: 'Of landmarks.', fallback: '0' }),
};
/** The options that a cell gave, as ripsPersistence() takes them. */
function ripsOptions(given: Given<typeof RIPS>) {
  const { nulls, ...rest } = only(RIPS, given);
  const { runs, kind, seed: nullSeed } = membersGiven(nulls, 'runs');
  return { ...rest, nulls: runs, null: kind, nullSeed };
}

export const persistence = verb({
  doc: 'Vietoris-Rips persistence of n × d points (or an n × n matrix of distances with `precomputed`): components, loops and, with maxDim 2, hollows; through landmarks where there are many points, with the covering radius as error bound, and the longest bars beside those of null data. Shown as barcode and diagram; `fg.show(found, { as })` draws one of the two. The same call again loads the result.',
  args: [points],
  options: { ...RIPS, ...KEPT },
  errors: ['Precomputed distances take neither a metric nor nulls, and must be symmetric with 0 on the diagonal.'],
  check: (options) => void ripsSettings(ripsOptions(options)),
  run: ({ options, call }, x) => ripsPersistence(x, { ...ripsOptions(options), ...call }),
  keep: {
    kind: 'persistence',
    version: 2,
    what: 'Persistence',
    inputs: (_, x) => ({ points: matrixId(x) }),
    parameters: ({ given }) => asParameters(ripsSettings(ripsOptions(given))),
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

const NULLS = {
  nulls: nullsOf(NULL_KINDS, { doc: 'Null data sets that the same pipeline runs on.', runs: 20, min: 1 }),
  by: nodeFunction,
};
const nullOptions = (given: Given<typeof NULLS>) => ({
  ...membersGiven(given.nulls, 'runs'),
  by: given.by,
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
    return mapperNulls(x, await make(x, call), make, nullOptions(options), call, remember);
  },
  keep: {
    kind: 'mapper-nulls',
    version: 2,
    what: 'Null graphs',
    resume: true,
    inputs: matrixIds,
    parameters: ({ given }) => asParameters({ pipeline: pipelineGiven(given), settings: nullOptions(given) }),
  },
  split: {
    unit: 'null graphs',
    version: 1,
    pieces: (options, x) => runsOf(x, nullRunNames(nullOptions(options)), 1, 'null graphs'),
  },
  show: (found) => picture.nullItems(found),
});

const SWEEP = {
  cubes: numbers({ doc: 'Cubes per dimension.', min: 1, whole: true, fallback: '[5, 8, 10, 15, 20]' }),
  overlaps: numbers({
    doc: 'Share of a cube in common with the next.',
    min: 0,
    below: 1,
    fallback: '[0.1, 0.2, 0.3, 0.4, 0.5]',
  }),
  cover: choice(['cubes', 'balanced'], { doc: 'Cover whose cubes and overlap are varied.', fallback: "'cubes'" }),
  draws: group(
    {
      runs: whole({ doc: 'Bootstrap draws of every cell.', min: 0, fallback: '0' }),
      seed: whole({ doc: 'Of draws, and of the points compared between cells.', fallback: '0' }),
    },
    { doc: 'Bootstrap draws of every cell, each of which costs about as much as the sweep itself.', short: 'runs' },
  ),
  nulls: nullsOf(NULL_KINDS, {
    doc: 'Null data sets that are swept too, each of which costs as much again, lens included.',
    runs: 0,
    seed: 'the seed of the draws',
  }),
};
/** The options that a cell gave, as mapperSweep() takes them; a seed of draws or null data alone serves both. */
function sweepSettings({ draws, nulls, ...rest }: Given<typeof SWEEP>) {
  const drawn = membersGiven(draws, 'runs');
  const chance = membersGiven(nulls, 'runs');
  const seedOf = drawn.seed ?? chance.seed;
  return {
    ...rest,
    bootstraps: drawn.runs,
    nulls: chance.runs,
    null: chance.kind,
    seed: seedOf,
    nullSeed: chance.seed === seedOf ? undefined : chance.seed,
  };
}

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

const STABILITY = {
  draws: group(
    {
      runs: whole({ doc: 'Draws of the points.', min: 1, fallback: '20' }),
      kind: choice(['bootstrap', 'subsample'], {
        doc: "'bootstrap': n of n points with replacement; 'subsample': a share without.",
        fallback: "'bootstrap'",
      }),
      share: real({ doc: 'Of a subsample.', above: 0, max: 1, fallback: '0.8' }),
      seed: whole({ doc: 'Of draws and pairs.', fallback: '0' }),
    },
    { doc: 'How the points are drawn again, and how often.', short: 'runs' },
  ),
  pairs: whole({ doc: 'Pairs of points that are followed, of each kind.', min: 1, fallback: '2,000' }),
};
function stabilitySettings({ draws, pairs }: Given<typeof STABILITY>) {
  const { kind, ...rest } = membersGiven(draws, 'runs');
  return { ...rest, resample: kind, pairs };
}

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

const OVERLAP = {
  by: choice(['best', 'pairs'], {
    doc: "Counterpart of a feature: 'best', the highest r; 'pairs', the matched pairs of the map alone.",
    fallback: "'best'",
  }),
  nulls: nullRuns({ doc: 'Runs with counterparts exchanged at random.', runs: 100 }),
};
function overlapSettings({ by, nulls }: Given<typeof OVERLAP>) {
  const { runs, seed } = membersGiven(nulls, 'runs');
  return { by, nulls: runs, seed };
}

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
    nodeOverlap(graphA, graphB, map, { ...overlapSettings(options), ...call }),
  keep: {
    kind: 'mapper-overlap',
    version: 2,
    what: 'Node overlap',
    inputs: (_, graphA, graphB, map) => ({ a: graphA.id, b: graphB.id, map: map.id }),
    parameters: ({ given }) => asParameters(overlapSettings(given)),
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
    const { by = 0, beside } = options;
    const name = functionName(graph, by);
    if (beside?.by !== undefined && beside.by !== name)
      throw new RangeError(
        `fg.mapper.findings: the null was measured by ${beside.by} but the findings by ${name}; pass the same by to both`,
      );
    return findingsOf(graph, by, beside);
  },
  show: (found, _, graph) => picture.findingItems(found, graph.points),
});
