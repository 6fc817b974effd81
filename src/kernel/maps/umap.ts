/**
 * UMAP with umap-js's parameters and umap-learn's semantics: exact neighbours by GEMM, the fuzzy graph and the layout in
 * typed arrays. umap-js's own neighbour search and array-of-array optimiser are replaced because they are too slow beyond
 * about 10,000 points, its curve fit where it fails (umapCurve.ts; docs/architecture.md, maps).
 */
import type { CallOptions } from '../compute/call.js';
import { exactKnn } from '../compute/knn.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { sha256 } from '../io/hash.js';
import { components, fuzzyUnion, memberships, type FuzzyGraph, type Neighbours } from './fuzzyGraph.js';
import { principalAxes, project } from './pca.js';
import { finiteRows, spread } from './rows.js';
import { spectralLayout } from './spectral.js';
import { trustworthiness } from './trustworthiness.js';
import type { Layout } from './types.js';
import { curveParameters } from './umapCurve.js';
import { optimizeLayout } from './umapLayout.js';

export interface UmapOptions extends CallOptions {
  /** Size of the local neighbourhood, the point itself included; default 15, at most the number of points. */
  nNeighbors?: number;
  /** Distance up to which points count as together in the layout, from 0 to spread; default 0.1. */
  minDist?: number;
  /** Length over which membership falls by e beyond minDist; default 1. */
  spread?: number;
  /** Default 'euclidean'. */
  metric?: 'euclidean' | 'cosine';
  /** Default 500 up to 10,000 points, else 200. */
  nEpochs?: number;
  /** Default 1. */
  learningRate?: number;
  /** Default 5. */
  negativeSampleRate?: number;
  /** Default 1. */
  repulsionStrength?: number;
  /** 1 = fuzzy union (default), 0 = intersection. */
  setOpMixRatio?: number;
  /** Default 1. */
  localConnectivity?: number;
  /** Default 'spectral'; a graph in pieces starts from 'pca', and the description says so. */
  init?: 'spectral' | 'pca' | 'random';
  /** Default 0. */
  seed?: number;
  /** Also measure trustworthiness with this many neighbours, over at most 2,000 points drawn by the seed. */
  trustworthiness?: number;
}

type Settings = Required<Omit<UmapOptions, keyof CallOptions | 'trustworthiness'>>;

/** Neighbours of every row and their fuzzy graph: what several layouts of the same rows can share. */
export interface UmapGraph {
  graph: FuzzyGraph;
  neighbours: Neighbours;
}

/** @throws RangeError with the option's name, what was given and what is allowed. */
function settings(options: UmapOptions, points: number): Settings {
  const s: Settings = {
    nNeighbors: Math.min(options.nNeighbors ?? 15, points),
    minDist: options.minDist ?? 0.1,
    spread: options.spread ?? 1,
    metric: options.metric ?? 'euclidean',
    nEpochs: options.nEpochs ?? (points <= 10_000 ? 500 : 200),
    learningRate: options.learningRate ?? 1,
    negativeSampleRate: options.negativeSampleRate ?? 5,
    repulsionStrength: options.repulsionStrength ?? 1,
    setOpMixRatio: options.setOpMixRatio ?? 1,
    localConnectivity: options.localConnectivity ?? 1,
    init: options.init ?? 'spectral',
    seed: options.seed ?? 0,
  };
  const require = (ok: boolean, name: keyof Settings, expected: string): void => {
    if (!ok) throw new RangeError(`UMAP's ${name} is ${options[name] ?? s[name]}; expected ${expected}`);
  };
  require(Number.isInteger(s.nNeighbors) && s.nNeighbors >= 2, 'nNeighbors', 'a whole number of at least 2');
  require(s.spread > 0 && Number.isFinite(s.spread), 'spread', 'a number above 0');
  require(s.minDist >= 0 &&
    s.minDist <= s.spread, 'minDist', `a number from 0 to spread, which is ${s.spread}: lower minDist or raise spread`);
  require(Number.isInteger(s.nEpochs) && s.nEpochs >= 1, 'nEpochs', 'a whole number of at least 1');
  require(s.learningRate > 0, 'learningRate', 'a number above 0');
  require(s.negativeSampleRate >= 1, 'negativeSampleRate', 'a number of at least 1');
  require(s.repulsionStrength >= 0, 'repulsionStrength', 'a number of at least 0');
  require(s.setOpMixRatio >= 0 && s.setOpMixRatio <= 1, 'setOpMixRatio', 'a number from 0 to 1');
  require(s.localConnectivity >= 1, 'localConnectivity', 'a number of at least 1');
  require(s.metric === 'euclidean' || s.metric === 'cosine', 'metric', "'euclidean' or 'cosine'");
  require(['spectral', 'pca', 'random'].includes(s.init), 'init', "'spectral', 'pca' or 'random'");
  require(Number.isInteger(s.seed), 'seed', 'a whole number');
  return s;
}

/** The exact neighbour graph of n × d rows. */
export async function umapGraph(x: Matrix, options: UmapOptions = {}): Promise<UmapGraph> {
  const s = settings(options, x.rows);
  const k = Math.min(s.nNeighbors, x.rows) - 1;
  const found = await exactKnn(x, k, { metric: s.metric, signal: options.signal, onProgress: options.onProgress });
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
  const { graph } = await umapGraph(kept.matrix, options);
  const start = await initialPositions(kept.matrix, graph, s, options);
  const { a, b } = curveParameters(s.spread, s.minDist);
  await optimizeLayout(
    start.y,
    graph,
    {
      a,
      b,
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
  const parameters = { ...s, init: start.init, engine: 'fgnb-umap 3' };
  return {
    id: sha256(['umap 3', JSON.stringify(parameters), `${x.rows} ${x.cols}`, x.data]),
    coordinates: spread(start.y, kept.index, x.rows),
    points: x.rows,
    method: 'umap',
    description: describe(s, start.init),
    parameters,
    excluded: x.rows - n,
    ...(trust === undefined ? {} : { trustworthiness: trust }),
  };
}

function describe(s: Settings, init: string): string {
  const start = init === s.init ? '' : `, ${init} start (graph in pieces)`;
  return `UMAP n_neighbors ${s.nNeighbors}, min_dist ${s.minDist}, ${s.metric}, ${s.nEpochs} epochs, seed ${s.seed}${start}`;
}

/** Starting positions scaled to [0, 10] as umap-learn does, with its 1e-4 jitter. */
async function initialPositions(
  x: Matrix,
  graph: FuzzyGraph,
  s: Settings,
  call: CallOptions,
): Promise<{ y: Float32Array; init: Settings['init'] }> {
  const random = new Random(s.seed).fork('start');
  if (s.init === 'random')
    return { y: Float32Array.from({ length: 2 * x.rows }, () => 20 * random.next() - 10), init: 'random' };
  let y: Float32Array | undefined;
  if (s.init === 'spectral' && components(graph).count === 1) y = spectralLayout(graph, random.fork('lanczos'));
  const init = y ? 'spectral' : 'pca';
  y ??= project(x, await principalAxes(x, 2, call), 2);
  let largest = 0;
  for (const v of y) largest = Math.max(largest, Math.abs(v));
  const scale = largest > 0 ? 10 / largest : 1;
  for (let i = 0; i < y.length; i++) y[i] = y[i] * scale + 1e-4 * random.normal();
  for (let c = 0; c < 2; c++) rescale(y, c);
  return { y, init };
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
