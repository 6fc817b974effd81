/** fg.mapper, its doubt: persistence, null graphs, stability, sweeps, findings, and the overlap of two graphs. */
import type { GraphFinding } from '../../protocol/graph.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { asMatrix } from '../compute/matrixInput.js';
import { matrixId } from '../io/hash.js';
import { requireSame } from '../artifacts/store.js';
import { asParameters } from '../mapper/describe.js';
import { findings, functionName, graphPersistence, type FindingsNull, type NodeFunction } from '../mapper/findings.js';
import { mapperGraph } from '../mapper/graph.js';
import { mapperNulls, type MapperNullOptions, type MapperNulls } from '../mapper/nulls.js';
import type { MapperOptions, PlanOptions } from '../mapper/options.js';
import { nodeOverlap, type NodeOverlap } from '../mapper/overlap.js';
import type { ExtendedPersistence } from '../mapper/persistence.js';
import {
  ripsPersistence,
  ripsSettings,
  type RipsPersistence,
  type RipsPersistenceOptions,
} from '../mapper/ripsSample.js';
import { mapperStability, type MapperStability, type MapperStabilityOptions } from '../mapper/stability.js';
import { mapperSweep, type MapperSweep, type MapperSweepOptions } from '../mapper/sweep.js';
import type { MapperGraph } from '../mapper/types.js';
import type { PairedMap } from './correlation.js';
import type { Environment } from './environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { kept, type KeepOptions } from './kept.js';
import { withDistances, type MapperPoints } from './mapper.js';
import { withDisplay, type Displayed } from './present.js';
import { resumable, type Remember } from './resume.js';
import * as show from './topologyCharts.js';

/** How a result of many runs is kept and stopped. */
export interface KeptCall extends KeepOptions, CallOptions {}

export interface OverlapOptions extends KeptCall {
  /** Counterpart of a feature: 'best' (default), the highest r; 'pairs', the matched pairs of the map alone. */
  by?: 'best' | 'pairs';
  /** Runs with counterparts exchanged at random; default 100. */
  nulls?: number;
  /** Of the exchanges; default 0. */
  seed?: number;
}

export interface FindingsOptions {
  /** What branches and loops are measured by: a dimension of the lens (default 0), or one value per point. */
  by?: NodeFunction;
  /** What fg.mapper.nulls returned for the same graph and `by`; without, findings have no p. */
  nulls?: FindingsNull & { readonly by?: string };
}

export interface ExtendedOptions {
  /** What nodes are ordered by: a dimension of the lens (default 0), or one value per point. */
  by?: NodeFunction;
}

/** Mapper with its doubt: how much of a shape is there, and how much of it chance would give. */
export interface TopologyApi {
  /**
   * Vietoris-Rips persistence of n × d points (or an n × n matrix of distances with `precomputed`): components, loops and,
   * with maxDim 2, hollows; through landmarks where there are many points, with the covering radius as error bound, and
   * the longest bars beside those of null data. Shown as barcode and diagram. The same call again loads the result.
   */
  persistence(
    points: MapperPoints,
    options?: RipsPersistenceOptions & KeepOptions,
  ): Promise<Displayed<RipsPersistence>>;
  /** Shows the barcode of what fg.mapper.persistence returned. */
  barcode(persistence: RipsPersistence): void;
  /** Shows the diagram, birth against death, of what fg.mapper.persistence returned. */
  diagram(persistence: RipsPersistence): void;
  /**
   * Extended persistence of a Mapper graph by a node function: components, branches and loops with the values at which
   * they begin and end and the nodes that realise them. Loops that triangles fill are no loops.
   */
  extended(graph: MapperGraph, options?: ExtendedOptions): Displayed<ExtendedPersistence>;
  /**
   * The same pipeline (`options` as in fg.mapper.graph) on null data: distributions of nodes, edges, components, loops, noise
   * and the longest branch and loop beside those of the points, with p; one null graph to be shown beside. A call that was
   * stopped goes on where it was; the same call again loads the result.
   */
  nulls(
    points: MapperPoints,
    options?: MapperOptions,
    settings?: MapperNullOptions & KeptCall,
  ): Promise<Displayed<MapperNulls>>;
  /**
   * The pipeline over a grid of cubes × overlap, lens and neighbours computed once (`options` as in fg.mapper.graph, without
   * cover): heatmaps of components, loops, noise share and stability. A call that was stopped goes on where it was.
   */
  sweep(
    points: MapperPoints,
    options?: PlanOptions,
    settings?: MapperSweepOptions & KeptCall,
  ): Promise<Displayed<MapperSweep>>;
  /**
   * The pipeline on points drawn again (`options` as in fg.mapper.graph): how well each node comes back, and how often points
   * that share a node or a component share one again, beside chance. A call that was stopped goes on where it was.
   */
  stability(
    points: MapperPoints,
    options?: MapperOptions,
    settings?: MapperStabilityOptions & KeptCall,
  ): Promise<Displayed<MapperStability>>;
  /**
   * Which nodes of two SAEs' graphs hold counterparts of one another: share of the members of each node of A whose
   * counterpart is in each node of B, beside counterparts exchanged at random. A graph of other rows than the decoder of
   * the map's SAE is refused.
   */
  overlap(
    graphA: MapperGraph,
    graphB: MapperGraph,
    map: PairedMap,
    options?: OverlapOptions,
  ): Promise<Displayed<NodeOverlap>>;
  /** Loops, branches and further components of a graph, longest first, with p where null graphs are given. */
  findings(graph: MapperGraph, options?: FindingsOptions): Displayed<GraphFinding[]>;
}

const KEPT = { fresh: true, ...CALL } as const;
const RIPS_OPTIONS: OptionNames<RipsPersistenceOptions & KeepOptions> = {
  maxDim: true,
  metric: true,
  precomputed: true,
  landmarks: true,
  sampling: true,
  threshold: true,
  nulls: true,
  null: true,
  seed: true,
  ...KEPT,
};
const PLAN_OPTIONS: OptionNames<PlanOptions> = {
  lens: true,
  clusterer: true,
  distances: true,
  minIntersection: true,
  seed: true,
  allowConstantLens: true,
};
const GRAPH_OPTIONS: OptionNames<MapperOptions> = { ...PLAN_OPTIONS, cover: true };
const NULL_OPTIONS: OptionNames<MapperNullOptions & KeptCall> = {
  kind: true,
  runs: true,
  seed: true,
  by: true,
  ...KEPT,
};
const SWEEP_OPTIONS: OptionNames<MapperSweepOptions & KeptCall> = {
  cubes: true,
  overlaps: true,
  cover: true,
  bootstraps: true,
  nulls: true,
  null: true,
  seed: true,
  ...KEPT,
};
const STABILITY_OPTIONS: OptionNames<MapperStabilityOptions & KeptCall> = {
  runs: true,
  resample: true,
  share: true,
  pairs: true,
  seed: true,
  ...KEPT,
};
const OVERLAP_OPTIONS: OptionNames<OverlapOptions> = { by: true, nulls: true, seed: true, ...KEPT };
const FINDINGS_OPTIONS: OptionNames<FindingsOptions> = { by: true, nulls: true };

const CODE_VERSION = 2;

/** Settings that change a result. */
function settingsOf<T extends KeptCall>(settings: T): Omit<T, keyof KeptCall> {
  const { fresh: _, signal: __, onProgress: ___, ...rest } = settings;
  return rest;
}

interface Work {
  kind: string;
  what: string;
  x: Matrix;
  options: MapperOptions;
  settings: KeptCall;
}

/** A result of many runs: kept when done, taken up where it was when it was stopped. */
async function keptRuns<T extends object>(
  env: Environment,
  { kind, what, x, options, settings }: Work,
  make: (call: Required<CallOptions>, remember: Remember) => Promise<T>,
): Promise<T> {
  const { distances, ...given } = options;
  const key = {
    kind,
    parameters: asParameters({ pipeline: given, settings: settingsOf(settings) }) as JsonObject,
    inputs: { points: matrixId(x), ...(distances ? { distances: matrixId(distances) } : {}) },
    codeVersion: CODE_VERSION,
  };
  const name = `${kind}-${env.store.idOf(key).slice(0, 16)}`;
  return kept(env, what, key, settings, () =>
    env.call(settings, (call) => resumable(env, name, settings.fresh, (remember) => make(call, remember))),
  );
}

async function nullsOf(
  env: Environment,
  points: MapperPoints,
  options: MapperOptions,
  settings: MapperNullOptions & KeptCall,
): Promise<Displayed<MapperNulls>> {
  const x = await asMatrix(points, 'points');
  requireOptions<MapperOptions>('fg.mapper.nulls', options, GRAPH_OPTIONS);
  requireOptions<MapperNullOptions & KeptCall>('fg.mapper.nulls settings', settings, NULL_OPTIONS);
  if (options.distances)
    throw new RangeError('fg.mapper.nulls: precomputed distances have no null data; pass points and a metric');
  const work = { kind: 'mapper-nulls', what: 'Null graphs', x, options, settings };
  const nulls = await keptRuns(env, work, async (call, remember) => {
    const make = (data: Matrix, own: CallOptions): Promise<MapperGraph> => mapperGraph(data, { ...options, ...own });
    return mapperNulls(x, await make(x, call), make, settingsOf(settings), call, remember);
  });
  return withDisplay(nulls, () => show.nullItems(nulls));
}

async function overlapOf(
  env: Environment,
  graphA: MapperGraph,
  graphB: MapperGraph,
  map: PairedMap,
  options: OverlapOptions,
): Promise<Displayed<NodeOverlap>> {
  requireGiven({ graphA, graphB, map });
  requireOptions<OverlapOptions>('fg.mapper.overlap', options, OVERLAP_OPTIONS);
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
  const key = {
    kind: 'mapper-overlap',
    parameters: asParameters(settingsOf(options)) as JsonObject,
    inputs: { a: graphA.id, b: graphB.id, map: map.id },
    codeVersion: CODE_VERSION,
  };
  const overlap = await kept(env, 'Node overlap', key, options, () =>
    env.call(options, (call) => nodeOverlap(graphA, graphB, map, { ...settingsOf(options), ...call })),
  );
  return withDisplay(overlap, () => show.overlapItems(overlap));
}

async function persistenceOf(
  env: Environment,
  points: MapperPoints,
  options: RipsPersistenceOptions & KeepOptions,
): Promise<Displayed<RipsPersistence>> {
  const x = await asMatrix(points, 'points');
  requireOptions<RipsPersistenceOptions & KeepOptions>('fg.mapper.persistence', options, RIPS_OPTIONS);
  const given = settingsOf(options);
  const key = {
    kind: 'persistence',
    parameters: asParameters(ripsSettings(given)) as JsonObject,
    inputs: { points: matrixId(x) },
    codeVersion: CODE_VERSION,
  };
  const found = await kept(env, 'Persistence', key, options, () =>
    env.call(options, (call) => ripsPersistence(x, { ...given, ...call })),
  );
  return withDisplay(found, () => show.persistenceItems(found, 'both'));
}

function findingsOf(graph: MapperGraph, options: FindingsOptions): Displayed<GraphFinding[]> {
  requireGiven({ graph });
  requireOptions<FindingsOptions>('fg.mapper.findings', options, FINDINGS_OPTIONS);
  const { by = 0, nulls } = options;
  if (nulls) requireGiven({ nulls });
  const name = functionName(graph, by);
  if (nulls?.by !== undefined && nulls.by !== name)
    throw new RangeError(`the null was measured by ${nulls.by} but the findings by ${name}; pass the same by to both`);
  const found = findings(graph, by, nulls);
  return withDisplay(found, () => show.findingItems(found, graph.points));
}

export function topologyApi(env: Environment): TopologyApi {
  return {
    persistence: (points, options = {}) => persistenceOf(env, points, options),
    barcode(persistence) {
      requireGiven({ persistence });
      env.context.display(show.persistenceItems(persistence, 'barcode'));
    },
    diagram(persistence) {
      requireGiven({ persistence });
      env.context.display(show.persistenceItems(persistence, 'diagram'));
    },
    extended(graph, options = {}) {
      requireGiven({ graph });
      requireOptions<ExtendedOptions>('fg.mapper.extended', options, { by: true });
      const found = graphPersistence(graph, options.by);
      return withDisplay(found, () => show.extendedItems(found, functionName(graph, options.by)));
    },
    nulls: (points, options = {}, settings = {}) => nullsOf(env, points, options, settings),
    async sweep(points, given = {}, settings = {}) {
      const x = await asMatrix(points, 'points');
      const options = await withDistances(given);
      requireOptions<PlanOptions>('fg.mapper.sweep', options, PLAN_OPTIONS);
      requireOptions<MapperSweepOptions & KeptCall>('fg.mapper.sweep settings', settings, SWEEP_OPTIONS);
      if (options.distances && (settings.nulls ?? 0) > 0)
        throw new RangeError('fg.mapper.sweep: precomputed distances have no null data; pass points and a metric');
      const work = { kind: 'mapper-sweep', what: 'Mapper sweep', x, options, settings };
      const sweep = await keptRuns(env, work, (call, remember) =>
        mapperSweep(x, options, settingsOf(settings), call, remember),
      );
      return withDisplay(sweep, () => show.sweepItems(sweep));
    },
    async stability(points, given = {}, settings = {}) {
      const x = await asMatrix(points, 'points');
      const options = await withDistances(given);
      requireOptions<MapperOptions>('fg.mapper.stability', options, GRAPH_OPTIONS);
      requireOptions<MapperStabilityOptions & KeptCall>('fg.mapper.stability settings', settings, STABILITY_OPTIONS);
      const work = { kind: 'mapper-stability', what: 'Stability', x, options, settings };
      const stability = await keptRuns(env, work, async (call, remember) =>
        mapperStability(
          x,
          await mapperGraph(x, { ...options, ...call }),
          options,
          settingsOf(settings),
          call,
          remember,
        ),
      );
      return withDisplay(stability, () => show.stabilityItems(stability));
    },
    overlap: (graphA, graphB, map, options = {}) => overlapOf(env, graphA, graphB, map, options),
    findings: (graph, options = {}) => findingsOf(graph, options),
  };
}
