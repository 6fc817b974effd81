/**
 * UMAP with umap-js's parameters and umap-learn's semantics: exact neighbours by GEMM, the fuzzy graph and the layout
 * in typed arrays. umap-js's own neighbour search and array-of-array optimiser are replaced because they are too slow
 * beyond about 10,000 points, its curve fit where it fails (umapCurve.ts; docs/architecture.md, maps).
 */
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { exactKnn } from '../compute/knn.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { sha256 } from '../io/hash.js';
import { only, parseOptions, type Parsed } from '../verb/option.js';
import { ActivationRows } from './activationRows.js';
import { components, fuzzyUnion, memberships, type FuzzyGraph, type Neighbours } from './fuzzyGraph.js';
import { principalAxes, project } from './pca.js';
import { asMatrixNow } from '../io/matrixInput.js';
import { UMAP, UMAP_VERSION, type GivenNeighbors, type UmapOptions } from './options.js';
import { finiteRows, spread } from './rows.js';
import { spectralLayout } from './spectral.js';
import { trustworthiness } from './trustworthiness.js';
import type { Layout } from './types.js';
import { curveParameters } from './umapCurve.js';
import { optimizeLayout, type LayoutParameters } from './umapLayout.js';

export type Settings = Parsed<typeof UMAP> & Required<Pick<UmapOptions, 'nEpochs' | 'metric'>>;

/** Neighbours of every row and their fuzzy graph: what several layouts of the same rows can share. */
export interface UmapGraph {
  graph: FuzzyGraph;
  neighbours: Neighbours;
}

/** @throws RangeError with the option's name, what was given and what is allowed. */
export function settings(options: UmapOptions, points: number): Settings {
  const parsed = parseOptions('UMAP', only(UMAP, { ...options }), UMAP);
  const { nNeighbors, minDist, spread, metric = 'euclidean', nEpochs = points <= 10_000 ? 500 : 200 } = parsed;
  if (minDist > spread)
    throw new RangeError(
      `UMAP: minDist is ${minDist}; expected a number from 0 to spread, which is ${spread}: lower minDist or raise spread`,
    );
  const { a, b } = parsed;
  if ((a === undefined) !== (b === undefined))
    throw new RangeError(
      `UMAP: a is ${a} and b is ${b}; expected both or neither: give the other too, or minDist and spread`,
    );
  return { ...parsed, nNeighbors: Math.min(nNeighbors, points), metric, nEpochs };
}

/**
 * @param among rows that the neighbours of n other rows are of; absent: they are of the n rows themselves
 * @throws RangeError that names what does not fit
 */
export function requireNeighbours({ indices, distances }: GivenNeighbors, n: number, among?: number): void {
  const k = indices.length / n;
  const expected =
    among === undefined
      ? `n × k neighbours of ${n} rows, nearest first, none a row itself`
      : `n × k neighbours of ${n} rows among ${among} others, nearest first`;
  const refuse = (what: string): never => {
    throw new RangeError(`UMAP: ${what}; expected ${expected}`);
  };
  if (!Number.isInteger(k) || k < 1 || distances.length !== indices.length)
    refuse(`neighbours have ${indices.length} indices and ${distances.length} distances`);
  for (let e = 0; e < indices.length; e++) {
    const i = Math.floor(e / k);
    const inside = indices[e] >= 0 && indices[e] < (among ?? n) && (among !== undefined || indices[e] !== i);
    if (!inside) refuse(`row ${i} has neighbour ${indices[e]}`);
    const least = e % k === 0 ? 0 : distances[e - 1];
    if (!(distances[e] >= least && distances[e] < Infinity)) refuse(`row ${i} has a distance of ${distances[e]}`);
  }
}

/** Positions that were given, n × axes. @throws RangeError where they are not as many finite numbers */
function positionsOf(given: NonNullable<UmapOptions['positions']>, n: number, axes: number): Float32Array {
  const rows = given instanceof Float32Array ? undefined : asMatrixNow(given, 'UMAP: positions');
  const y = given instanceof Float32Array ? given : rows!.data;
  const odd = y.findIndex((v) => !Number.isFinite(v));
  const sizes = rows ? `${rows.rows} × ${rows.cols}` : String(y.length);
  if (y.length !== axes * n || (rows && rows.cols !== axes) || odd >= 0)
    throw new RangeError(
      `UMAP: positions are ${sizes} numbers${odd >= 0 ? `, number ${odd} is ${y[odd]}` : ''}; expected ${n} × ${axes} finite ones`,
    );
  return y;
}

/** The exact neighbour graph of n × d rows. */
export async function umapGraph(x: Matrix, options: UmapOptions = {}): Promise<UmapGraph> {
  const s = settings(options, x.rows);
  const given = options.neighbors;
  const k = given ? given.indices.length / x.rows : Math.min(s.nNeighbors, x.rows) - 1;
  if (given) requireNeighbours(given, x.rows);
  const found =
    given ?? (await exactKnn(x, k, { metric: s.metric, signal: options.signal, onProgress: options.onProgress }));
  const neighbours = { ...found, k };
  const strengths = await memberships(x.rows, neighbours, s.localConnectivity, options);
  return { graph: fuzzyUnion(x.rows, neighbours, strengths, s.setOpMixRatio), neighbours };
}

export interface LaidOut {
  /** n × axes. */
  y: Float32Array;
  start: Start;
  settings: Settings;
}

/** Moves the points of a graph; \`x\`: rows whose principal axes are a start. */
async function laidOut(x: Matrix, graph: FuzzyGraph, s: Settings, options: UmapOptions): Promise<LaidOut> {
  const start = await initialPositions(x, graph, s, options);
  await optimizeLayout(start.y, graph, movesOf(s), options);
  return { y: start.y, start, settings: s };
}

/** How points move, by the options. */
export const movesOf = (s: Settings): LayoutParameters => ({
  ...curveOf(s),
  axes: axesOf(s),
  epochs: s.nEpochs,
  learningRate: s.learningRate,
  negativeSampleRate: s.negativeSampleRate,
  repulsionStrength: s.repulsionStrength,
  seed: new Random(s.seed).fork('negative samples').int(2 ** 31),
});

/** What the layout is of, and what was measured. */
interface Of {
  identity: ReadonlyArray<string | ArrayBufferView>;
  /** How neighbours were found, in words. */
  near: string;
  index: Int32Array;
  points: number;
  trust?: number;
}

export function layoutOf({ y, start, settings }: LaidOut, { identity, near, index, points, trust }: Of): Layout {
  const parameters = withoutUndefined({ ...settings, init: start.init, engine: `fgnb-${UMAP_VERSION}` });
  return {
    id: sha256([UMAP_VERSION, JSON.stringify(parameters), ...identity]),
    coordinates: spread(y, index, points, axesOf(settings)),
    ...(axesOf(settings) === 3 && { axes: 3 as const }),
    points,
    method: 'umap',
    description: describe(settings, start.note, near),
    parameters,
    excluded: points - index.length,
    ...(trust === undefined ? {} : { trustworthiness: trust }),
  };
}

/** Trustworthiness over at most this many points, where it is asked for. */
const MEASURED_POINTS = 2_000;

async function measured(
  x: Matrix | ActivationRows,
  { y, settings: { metric, seed } }: LaidOut,
  { trustworthiness: k, signal }: UmapOptions,
): Promise<number | undefined> {
  if (k === undefined) return undefined;
  return trustworthiness(x, matrix(x.rows, y.length / x.rows, y), {
    k,
    metric,
    samples: MEASURED_POINTS,
    seed,
    signal,
  });
}

/**
 * A UMAP layout of the rows of x in two dimensions, or three. Rows with NaN or infinity are left out and counted.
 * The same seed gives the same layout.
 * @throws Error with fewer than 4 finite rows; RangeError for options out of range; AbortError.
 */
export async function umap(x: Matrix, options: UmapOptions = {}): Promise<Layout> {
  const kept = finiteRows(x);
  const n = kept.matrix.rows;
  if (n < 4) throw new Error(`UMAP needs at least 4 finite rows but got ${n} of ${x.rows}; use PCA or give more rows`);
  const s = settings(options, n);
  if (n < x.rows && (options.neighbors || options.positions))
    throw new RangeError(
      `UMAP: ${x.rows - n} of ${x.rows} rows have NaN or infinity; leave them out before giving neighbours or positions`,
    );
  const { graph } = await umapGraph(kept.matrix, options);
  const made = await laidOut(kept.matrix, graph, s, options);
  return layoutOf(made, {
    identity: [`${x.rows} ${x.cols}`, x.data, ...foundBefore(options, n, s)],
    near: options.neighbors ? GIVEN : `n_neighbors ${s.nNeighbors}`,
    index: kept.index,
    points: x.rows,
    trust: await measured(kept.matrix, made, options),
  });
}

async function activationGraph(x: ActivationRows, s: Settings, call: CallOptions): Promise<FuzzyGraph> {
  const k = s.nNeighbors - 1;
  const found = { ...(await x.neighbours(k, call)), k };
  return fuzzyUnion(x.rows, found, await memberships(x.rows, found, s.localConnectivity, call), s.setOpMixRatio);
}

/**
 * The same of the features of a store, whose rows are their activations on all tokens, by cosine. Dead features are left
 * out and counted.
 * @throws Error with fewer than 4 features that fire; TypeError for another metric, or neighbours or positions
 */
export async function umapOfActivations(activations: SparseActivations, options: UmapOptions = {}): Promise<Layout> {
  if (options.metric === 'euclidean' || options.neighbors || options.positions)
    throw new TypeError(
      'UMAP: activations are laid out by the cosine of their features; leave out metric, neighbours and positions',
    );
  const { features } = activations.meta;
  const x = await ActivationRows.read(activations, options);
  const n = x.rows;
  if (n < 4) throw new Error(`UMAP needs at least 4 features that fire but got ${n} of ${features}; give more text`);
  const s = settings({ ...options, metric: 'cosine' }, n);
  const made = await laidOut(x.sketch(), await activationGraph(x, s, options), s, options);
  return layoutOf(made, {
    identity: ['activations', activations.id],
    near: `of activations, n_neighbors ${s.nNeighbors}`,
    index: x.features,
    points: features,
    trust: await measured(x, made, options),
  });
}

/** Options of UMAP that a layout was made by. @throws TypeError for positions, neighbours or pairs that were given */
function optionsOf({ parameters, description }: Layout): UmapOptions {
  if ('regularisation' in parameters)
    throw new TypeError(
      'the layout was made together with that of another model, so that its other seeds cannot be drawn alone; give one of fg.maps.umap',
    );
  if (parameters.init === 'given' || description.includes(GIVEN))
    throw new TypeError(
      'the layout was made of given neighbours or positions, so that its other seeds cannot be drawn; make one without',
    );
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => name in UMAP));
}

/**
 * The layout's points by other seeds, on one search for neighbours; each without the rows that have no place.
 * @throws TypeError for layouts of given neighbours or positions
 */
export async function otherSeeds(
  source: Matrix | SparseActivations,
  layout: Layout,
  seeds: readonly number[],
  call: CallOptions,
): Promise<Float32Array[]> {
  const options = { ...optionsOf(layout), ...call };
  const sparse = 'shards' in source ? await ActivationRows.read(source, call) : undefined;
  const x = sparse?.sketch() ?? finiteRows(source as Matrix).matrix;
  const s = settings(options, x.rows);
  const graph = sparse ? await activationGraph(sparse, s, options) : (await umapGraph(x, options)).graph;
  const made: Float32Array[] = [];
  for (const seed of seeds) made.push((await laidOut(x, graph, { ...s, seed }, call)).y);
  return made;
}

/** The parameters without options that were not given and have no default. */
const withoutUndefined = (all: Record<string, string | number | boolean | undefined>): Layout['parameters'] =>
  Object.fromEntries(Object.entries(all).flatMap(([name, v]) => (v === undefined ? [] : [[name, v]])));

const axesOf = ({ nComponents = UMAP.nComponents.usual }: Settings): 2 | 3 => nComponents;

const curveOf = ({ a, b, spread, minDist }: Settings): { a: number; b: number } =>
  a === undefined || b === undefined ? curveParameters(spread, minDist) : { a, b };

/** What was given in place of the search and the start, for the identity of the layout of n rows. */
function foundBefore({ neighbors, positions }: UmapOptions, n: number, s: Settings): Array<string | ArrayBufferView> {
  return [
    ...(neighbors ? ['neighbours', neighbors.indices, neighbors.distances] : []),
    ...(positions ? ['positions', positionsOf(positions, n, axesOf(s))] : []),
  ];
}

/** How a description says that neighbours were given. */
export const GIVEN = 'given neighbours';

function describe(s: Settings, note: string | undefined, near: string): string {
  const start = note === undefined ? '' : `, ${note}`;
  const curve = s.a === undefined ? `min_dist ${s.minDist}` : `a ${s.a}, b ${s.b}`;
  const metric = near === GIVEN ? '' : `${s.metric}, `;
  return `UMAP${axesOf(s) === 3 ? ' in 3-D' : ''} ${near}, ${curve}, ${metric}${s.nEpochs} epochs, seed ${s.seed}${start}`;
}

export interface Start {
  y: Float32Array;
  init: Settings['init'] | 'given';
  /** Note for the description where the start is not the one that was asked for. */
  note?: string;
}

/** Starting positions scaled to [0, 10] as umap-learn does, with its 1e-4 jitter. */
export async function initialPositions(x: Matrix, graph: FuzzyGraph, s: Settings, call: UmapOptions): Promise<Start> {
  const axes = axesOf(s);
  if (call.positions)
    return { y: positionsOf(call.positions, x.rows, axes).slice(), init: 'given', note: 'given start' };
  const random = new Random(s.seed).fork('start');
  if (s.init === 'random')
    return { y: Float32Array.from({ length: axes * x.rows }, () => 20 * random.next() - 10), init: 'random' };
  const connected = components(graph).count === 1;
  let y: Float32Array | undefined;
  if (s.init === 'spectral' && connected)
    y = await spectralLayout(graph, random.fork('spectrum'), { ...call, dimensions: axes });
  const init = y ? 'spectral' : 'pca';
  const why = connected ? 'the spectrum of the graph was not found' : 'graph in pieces';
  y ??= project(x, await principalAxes(x, axes, call), axes);
  let largest = 0;
  for (const v of y) largest = Math.max(largest, Math.abs(v));
  const scale = largest > 0 ? 10 / largest : 1;
  for (let i = 0; i < y.length; i++) y[i] = y[i] * scale + 1e-4 * random.normal();
  for (let c = 0; c < axes; c++) rescale(y, c, axes);
  return { y, init, ...(init === s.init ? {} : { note: `${init} start (${why})` }) };
}

/** Axis c to [0, 10]. */
function rescale(y: Float32Array, c: number, axes: number): void {
  let low = Infinity;
  let high = -Infinity;
  for (let i = c; i < y.length; i += axes) {
    low = Math.min(low, y[i]);
    high = Math.max(high, y[i]);
  }
  const span = high - low || 1;
  for (let i = c; i < y.length; i += axes) y[i] = (10 * (y[i] - low)) / span;
}
