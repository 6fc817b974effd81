/**
 * UMAP with umap-js's parameters and umap-learn's semantics: exact neighbours by GEMM, the fuzzy graph and the layout
 * in typed arrays. umap-js's own neighbour search and array-of-array optimiser are replaced because they are too slow
 * beyond about 10,000 points, its curve fit where it fails (umapCurve.ts; docs/architecture.md, maps).
 */
import { exactKnn } from '../compute/knn.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { sha256 } from '../io/hash.js';
import { only, parseOptions, type Parsed } from '../verb/option.js';
import { components, fuzzyUnion, memberships, type FuzzyGraph, type Neighbours } from './fuzzyGraph.js';
import { principalAxes, project } from './pca.js';
import { UMAP, UMAP_VERSION, type GivenNeighbours, type UmapOptions } from './options.js';
import { finiteRows, spread } from './rows.js';
import { spectralLayout } from './spectral.js';
import { trustworthiness } from './trustworthiness.js';
import type { Layout } from './types.js';
import { curveParameters } from './umapCurve.js';
import { optimizeLayout } from './umapLayout.js';

type Settings = Parsed<typeof UMAP> & { readonly nEpochs: number };

/** Neighbours of every row and their fuzzy graph: what several layouts of the same rows can share. */
export interface UmapGraph {
  graph: FuzzyGraph;
  neighbours: Neighbours;
}

/** @throws RangeError with the option's name, what was given and what is allowed. */
function settings(options: UmapOptions, points: number): Settings {
  const parsed = parseOptions('UMAP', only(UMAP, { ...options }), UMAP);
  const { nNeighbors, minDist, spread, nEpochs = points <= 10_000 ? 500 : 200 } = parsed;
  if (minDist > spread)
    throw new RangeError(
      `UMAP: minDist is ${minDist}; expected a number from 0 to spread, which is ${spread}: lower minDist or raise spread`,
    );
  const { a, b } = parsed;
  if ((a === undefined) !== (b === undefined))
    throw new RangeError(
      `UMAP: a is ${a} and b is ${b}; expected both or neither: give the other too, or minDist and spread`,
    );
  return { ...parsed, nNeighbors: Math.min(nNeighbors, points), nEpochs };
}

/** @throws RangeError that names what does not fit */
function requireNeighbours({ indices, distances }: GivenNeighbours, n: number): void {
  const k = indices.length / n;
  const refuse = (what: string): never => {
    throw new RangeError(`UMAP: ${what}; expected n × k neighbours of ${n} rows, nearest first, none a row itself`);
  };
  if (!Number.isInteger(k) || k < 1 || distances.length !== indices.length)
    refuse(`neighbours have ${indices.length} indices and ${distances.length} distances`);
  for (let e = 0; e < indices.length; e++) {
    const i = Math.floor(e / k);
    if (!(indices[e] >= 0 && indices[e] < n) || indices[e] === i) refuse(`row ${i} has neighbour ${indices[e]}`);
    const least = e % k === 0 ? 0 : distances[e - 1];
    if (!(distances[e] >= least && distances[e] < Infinity)) refuse(`row ${i} has a distance of ${distances[e]}`);
  }
}

/** @throws RangeError where they are not n × 2 finite numbers */
function requirePositions(positions: Float32Array, n: number): void {
  const odd = positions.findIndex((v) => !Number.isFinite(v));
  if (positions.length !== 2 * n || odd >= 0)
    throw new RangeError(
      `UMAP: positions are ${positions.length} numbers${odd >= 0 ? `, number ${odd} is ${positions[odd]}` : ''}; expected ${n} × 2 finite ones`,
    );
}

/** The exact neighbour graph of n × d rows. */
export async function umapGraph(x: Matrix, options: UmapOptions = {}): Promise<UmapGraph> {
  const s = settings(options, x.rows);
  const given = options.neighbours;
  const k = given ? given.indices.length / x.rows : Math.min(s.nNeighbors, x.rows) - 1;
  if (given) requireNeighbours(given, x.rows);
  const found =
    given ?? (await exactKnn(x, k, { metric: s.metric, signal: options.signal, onProgress: options.onProgress }));
  const neighbours = { ...found, k };
  const strengths = memberships(x.rows, neighbours, s.localConnectivity);
  return { graph: fuzzyUnion(x.rows, neighbours, strengths, s.setOpMixRatio), neighbours };
}

/**
 * A two-dimensional UMAP layout of the rows of x. Rows with NaN or infinity are left out and counted.
 * The same seed gives the same layout.
 * @throws Error with fewer than 4 finite rows; RangeError for options out of range; AbortError.
 */
export async function umap(x: Matrix, options: UmapOptions = {}): Promise<Layout> {
  const kept = finiteRows(x);
  const n = kept.matrix.rows;
  if (n < 4) throw new Error(`UMAP needs at least 4 finite rows but got ${n} of ${x.rows}; use PCA or give more rows`);
  const s = settings(options, n);
  if (n < x.rows && (options.neighbours || options.positions))
    throw new RangeError(
      `UMAP: ${x.rows - n} of ${x.rows} rows have NaN or infinity; leave them out before giving neighbours or positions`,
    );
  const { graph } = await umapGraph(kept.matrix, options);
  const start = await initialPositions(kept.matrix, graph, s, options);
  const curve = curveOf(s);
  await optimizeLayout(
    start.y,
    graph,
    {
      ...curve,
      epochs: s.nEpochs,
      learningRate: s.learningRate,
      negativeSampleRate: s.negativeSampleRate,
      repulsionStrength: s.repulsionStrength,
      seed: new Random(s.seed).fork('negative samples').int(2 ** 31),
    },
    options,
  );
  const trust =
    options.trustworthiness === undefined
      ? undefined
      : await trustworthiness(kept.matrix, matrix(n, 2, start.y), {
          k: options.trustworthiness,
          metric: s.metric,
          samples: 2_000,
          seed: s.seed,
          signal: options.signal,
        });
  const parameters = withoutUndefined({ ...s, init: start.init, engine: `fgnb-${UMAP_VERSION}` });
  return {
    id: sha256([UMAP_VERSION, JSON.stringify(parameters), `${x.rows} ${x.cols}`, x.data, ...foundBefore(options)]),
    coordinates: spread(start.y, kept.index, x.rows),
    points: x.rows,
    method: 'umap',
    description: describe(s, start.note, options.neighbours !== undefined),
    parameters,
    excluded: x.rows - n,
    ...(trust === undefined ? {} : { trustworthiness: trust }),
  };
}

/** The parameters without options that were not given and have no default. */
const withoutUndefined = (all: Record<string, string | number | boolean | undefined>): Layout['parameters'] =>
  Object.fromEntries(Object.entries(all).flatMap(([name, v]) => (v === undefined ? [] : [[name, v]])));

const curveOf = ({ a, b, spread, minDist }: Settings): { a: number; b: number } =>
  a === undefined || b === undefined ? curveParameters(spread, minDist) : { a, b };

/** What was given in place of the search and the start, for the identity of the layout. */
function foundBefore({ neighbours, positions }: UmapOptions): Array<string | ArrayBufferView> {
  return [
    ...(neighbours ? ['neighbours', neighbours.indices, neighbours.distances] : []),
    ...(positions ? ['positions', positions] : []),
  ];
}

function describe(s: Settings, note: string | undefined, given: boolean): string {
  const start = note === undefined ? '' : `, ${note}`;
  const near = given ? `given neighbours` : `n_neighbors ${s.nNeighbors}`;
  const curve = s.a === undefined ? `min_dist ${s.minDist}` : `a ${s.a}, b ${s.b}`;
  return `UMAP ${near}, ${curve}, ${given ? '' : `${s.metric}, `}${s.nEpochs} epochs, seed ${s.seed}${start}`;
}

interface Start {
  y: Float32Array;
  init: Settings['init'] | 'given';
  /** Note for the description where the start is not the one that was asked for. */
  note?: string;
}

/** Starting positions scaled to [0, 10] as umap-learn does, with its 1e-4 jitter. */
async function initialPositions(x: Matrix, graph: FuzzyGraph, s: Settings, call: UmapOptions): Promise<Start> {
  if (call.positions) {
    requirePositions(call.positions, x.rows);
    return { y: call.positions.slice(), init: 'given', note: 'given start' };
  }
  const random = new Random(s.seed).fork('start');
  if (s.init === 'random')
    return { y: Float32Array.from({ length: 2 * x.rows }, () => 20 * random.next() - 10), init: 'random' };
  const connected = components(graph).count === 1;
  let y: Float32Array | undefined;
  if (s.init === 'spectral' && connected) y = await spectralLayout(graph, random.fork('spectrum'), call);
  const init = y ? 'spectral' : 'pca';
  const why = connected ? 'the spectrum of the graph was not found' : 'graph in pieces';
  y ??= project(x, await principalAxes(x, 2, call), 2);
  let largest = 0;
  for (const v of y) largest = Math.max(largest, Math.abs(v));
  const scale = largest > 0 ? 10 / largest : 1;
  for (let i = 0; i < y.length; i++) y[i] = y[i] * scale + 1e-4 * random.normal();
  for (let c = 0; c < 2; c++) rescale(y, c);
  return { y, init, ...(init === s.init ? {} : { note: `${init} start (${why})` }) };
}

/** Axis c to [0, 10]. */
function rescale(y: Float32Array, c: number): void {
  let low = Infinity;
  let high = -Infinity;
  for (let i = c; i < y.length; i += 2) {
    low = Math.min(low, y[i]);
    high = Math.max(high, y[i]);
  }
  const span = high - low || 1;
  for (let i = c; i < y.length; i += 2) y[i] = (10 * (y[i] - low)) / span;
}
