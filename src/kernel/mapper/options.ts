/** What the Mapper pipeline takes: lens, cover, clusterer. Names follow KeplerMapper and scikit-learn in camelCase. */
import { isTypedArray } from '../../protocol/objects.js';
import { usually } from '../verb/filled.js';
import { types } from 'node:util';
import type { FiringStatistics } from '../activations/types.js';
import type { Matrix } from '../compute/matrix.js';
import { exactMatrix, type MatrixInput } from '../io/matrixInput.js';
import { UMAP } from '../maps/options.js';
import type { Layout } from '../maps/types.js';
import { rowsOption } from '../verb/common.js';
import { formed, kinds, listOf, ofKind, oneOrSeveral, refuseKind, type OfKind, type OneOf } from '../verb/kinds.js';
import {
  choice,
  flag,
  numbers,
  real,
  required,
  text,
  value,
  whole,
  written,
  type Given,
  type Option,
  type Schema,
} from '../verb/option.js';
import type { LensValues } from './types.js';

/** What a lens of activation statistics needs: a SparseActivations, or its counts alone. */
export interface LensActivations {
  readonly meta: { readonly tokens: number; readonly ignored?: number };
  readonly statistics: FiringStatistics;
}

const metric = choice(['euclidean', 'cosine'], { doc: 'Of the rows.', usual: 'euclidean' });
const ofCall = (doc: string) => whole({ doc, fallback: 'the seed of the call' });

const isList = (v: unknown): boolean => Array.isArray(v) || isTypedArray(v);
const perPoint = (doc: string) => required(value<ArrayLike<number>>('an array of numbers', { doc }, isList));

const { seed: umapSeed, ...umap } = UMAP;

/** Lenses of what features did over the tokens; the points are the features. */
const OF_ACTIVATIONS = {
  activations: required(
    value<LensActivations>(
      'what fg.activations.save returned',
      { doc: 'The activation store whose features the points are.', telling: false },
      (v) => typeof v === 'object' && v !== null && 'statistics' in v && 'meta' in v,
    ),
  ),
};

/**
 * Lenses inside a lens. An array's members are written out: a type derived from LENSES cannot refer to itself, nor can
 * the base of an interface, but members of an interface can.
 */
export interface JoinedLenses {
  readonly length: number;
  readonly [index: number]: LensSpec;
  [Symbol.iterator](): IterableIterator<LensSpec>;
}
const joined: Option<JoinedLenses> = {
  ...value<JoinedLenses>('an array of lenses', { doc: 'In the order of the dimensions.' }, Array.isArray),
  parse(given, at) {
    if (!Array.isArray(given)) throw new TypeError(`${at} is ${written(given)}; expected an array of lenses`);
    if (given.length === 0) throw new RangeError(`${at} is []; expected at least one lens`);
    return given.map((lens: unknown, i) => readLens(lens, `${at}[${i}]`));
  },
  rows: true,
};

/** Lenses by kind; those that need no further word may be given by their name alone. */
export const LENSES = kinds('LensKind', {
  pca: {
    doc: 'Principal components.',
    members: { components: whole({ doc: 'Axes kept.', min: 1, usual: 2 }) },
  },
  umap: {
    doc: "In two dimensions, or three (`nComponents`), with umap-learn's parameters.",
    members: { ...umap, seed: ofCall(umapSeed.doc) },
  },
  isomap: {
    doc: "Geodesic distances along the graph of nearest neighbours, embedded by classical scaling (scikit-learn's Isomap).",
    members: {
      components: whole({ doc: 'Axes kept.', min: 1, usual: 2 }),
      nNeighbors: whole({ doc: 'Neighbours of the graph, the point itself not counted.', min: 1, usual: 5 }),
      metric,
      landmarks: whole({
        doc: 'Points that geodesics start from; the others are placed by their distances to these (de Silva and Tenenbaum 2003).',
        min: 1,
        fallback:
          "all up to 1,500 points (scikit-learn's result up to sign), else 1,000 drawn by the seed (at least five times the components)",
      }),
      seed: ofCall('Draws the landmarks.'),
    },
  },
  'isomap-umap': {
    doc: 'Isomap in 100 dimensions, scaled to 0 … 1, then UMAP, scaled to 0 … 1.',
    members: {},
  },
  density: {
    doc: 'Mean of exp(−d² / 2σ²) over the other points.',
    members: {
      bandwidth: real({ doc: 'σ.', above: 0, fallback: 'the median distance to the 15th neighbour' }),
      metric,
    },
  },
  eccentricity: {
    doc: '(mean of dᵖ over the other points)^(1/p).',
    members: {
      exponent: real({ doc: 'p; Infinity is the farthest point.', above: 0, infinite: true, usual: 2 }),
      metric,
    },
  },
  knnDistance: {
    doc: 'Distance to the k-th nearest other point.',
    members: { k: whole({ doc: 'Which neighbour.', min: 1, usual: 15 }), metric },
  },
  l2norm: { doc: 'Length of the row.', members: {} },
  distanceToMean: { doc: 'Distance of the row to the mean of all rows.', members: {} },
  sum: { doc: 'Sum of the row.', members: {} },
  mean: { doc: 'Mean of the row.', members: {} },
  median: { doc: 'Median of the row.', members: {} },
  max: { doc: 'Largest value of the row.', members: {} },
  min: { doc: 'Least value of the row.', members: {} },
  std: { doc: 'Standard deviation of the row, n in the divisor.', members: {} },
  minmax: { doc: 'Each dimension to 0 … 1.', members: {} },
  column: {
    doc: 'One number per point that you have.',
    members: {
      values: perPoint('One per point; points with NaN are left out and counted.'),
      name: text({ doc: 'As the graph shows it.', usual: 'column' }),
    },
  },
  values: {
    doc: 'Several numbers per point that you have: a lens that was computed, a layout, a matrix.',
    members: {
      values: perPoint('n × dims, row-major; points with NaN are left out and counted.'),
      dims: required(whole({ doc: 'Numbers per point.', min: 1 })),
      names: listOf(text({ doc: 'One per dimension.' })),
      description: text({ doc: 'As the graph shows it.', usual: 'values' }),
    },
  },
  dimensions: {
    doc: 'Column numbers of the points themselves.',
    members: {
      columns: required(numbers({ doc: 'Such as [0, 3].', min: 0, whole: true, repeats: true })),
    },
  },
  firingRate: { doc: 'Share of the tokens on which the feature fires.', members: OF_ACTIVATIONS },
  meanActivation: {
    doc: 'Mean over the firings; dead features have none and are left out.',
    members: OF_ACTIVATIONS,
  },
  maxActivation: { doc: 'Largest activation.', members: OF_ACTIVATIONS },
  activationStd: { doc: 'Standard deviation over all tokens.', members: OF_ACTIVATIONS },
  join: { doc: 'Several lenses of the same points side by side.', members: { lenses: required(joined) } },
});

export type LensKind = OneOf<typeof LENSES>;
export type PcaLens = OfKind<typeof LENSES, 'pca'>;
export type UmapLens = OfKind<typeof LENSES, 'umap'>;
export type IsomapLens = OfKind<typeof LENSES, 'isomap'>;
export type DensityLens = OfKind<typeof LENSES, 'density'>;
export type EccentricityLens = OfKind<typeof LENSES, 'eccentricity'>;
export type ValuesLens = OfKind<typeof LENSES, 'values'>;
type ColumnLens = OfKind<typeof LENSES, 'column'>;
export type ActivationLensKind = 'firingRate' | 'meanActivation' | 'maxActivation' | 'activationStd';

/** Lenses that need no further word. */
export type LensName =
  | 'pca'
  | 'umap'
  | 'isomap'
  | 'isomap-umap'
  | 'l2norm'
  | 'density'
  | 'eccentricity'
  | 'knnDistance'
  | 'distanceToMean'
  | 'sum'
  | 'mean'
  | 'median'
  | 'max'
  | 'min'
  | 'std'
  | 'minmax';

export type LensStep = LensName | LensKind;

/**
 * One lens; a chain of lenses, each of which sees the values of the one before; or what you have: an array with a value
 * per point, what fg.mapper.lens or fg.maps.umap and fg.maps.pca returned, a matrix with a row per point in any form.
 */
export type LensSpec = LensStep | GivenLens | ReadonlyArray<LensStep | GivenLens>;

/** Values of the points that one has. */
type GivenLens = readonly number[] | Float32Array | Float64Array | LensValues | Layout | MatrixInput;

const LENS = "a lens such as { kind: 'pca' }, a chain of lenses, or values of the points";
const byName = Object.entries(LENSES.table as Record<string, { members: Schema }>)
  .filter(([, { members }]) => !Object.values(members).some((member) => member.required))
  .map(([name]) => name);

const allAre = (list: unknown, type: (v: unknown) => boolean): boolean =>
  Array.isArray(list) && list.length > 0 && list.every(type);

const isMatrix = (given: object): given is MatrixInput & object =>
  ['cols', 'shape', 'decoder'].some((name) => name in given) || allAre(given, Array.isArray);

/** Numbers of the points as a step of kind 'column' or 'values'; undefined for what is a step, or a chain, already. */
export function valuesGiven(given: unknown, at: string): ColumnLens | ValuesLens | undefined {
  if (ArrayBuffer.isView(given) || allAre(given, (v) => typeof v === 'number'))
    return { kind: 'column', values: given as ArrayLike<number> };
  if (typeof given !== 'object' || given === null || 'kind' in given) return undefined;
  if ('coordinates' in given) {
    const { coordinates, axes, description } = given as Layout;
    return { kind: 'values', values: coordinates, dims: axes ?? 2, description };
  }
  if ('dims' in given) return { ...(given as LensValues), kind: 'values' };
  if (!isMatrix(given)) return undefined;
  const { data, cols } = exactMatrix(given, at);
  return { kind: 'values', values: data, dims: cols };
}

/**
 * The lens as it was given, but a matrix in another form than { rows, cols, data } in this one.
 * @throws TypeError or RangeError that names the part of `given` that is no lens
 */
export function readLens(given: unknown, at: string): LensSpec {
  if (!Array.isArray(given) || allAre(given, Array.isArray) || allAre(given, (v) => typeof v === 'number'))
    return readStep(given, at);
  if (given.length === 0) throw new RangeError(`${at}: a chain needs at least one step`);
  return given.map((step: unknown, i) => readStep(step, `${at}[${i}]`)) as readonly LensStep[];
}

function readStep(given: unknown, at: string): LensSpec {
  if (typeof given === 'string') return byName.includes(given) ? (given as LensName) : refuseKind(at, given, byName);
  if (types.isPromise(given)) throw new TypeError(`${at} is a promise: write "await" before the call that made it`);
  if (typeof given !== 'object' || given === null) throw new TypeError(`${at} is ${written(given)}; expected ${LENS}`);
  if ('kind' in given) return LENSES.read(given, at) as LensKind;
  if ('coordinates' in given || 'dims' in given) return given as LensSpec;
  if (isMatrix(given)) return exactMatrix(given, at);
  if (valuesGiven(given, at)) return given as LensSpec;
  throw new TypeError(`${at} is an object without a kind; expected ${LENS}`);
}

const countOf = (doc: string) => usually(oneOrSeveral(whole({ doc, min: 1 })), 10);
const shareOf = (doc: string) => usually(oneOrSeveral(real({ doc, min: 0, below: 1 })), 0.1);

const isLimit = (v: unknown): boolean => v === null || (typeof v === 'number' && !Number.isNaN(v));

export const COVERS = kinds(
  'CoverSpec',
  {
    cubes: {
      doc: "KeplerMapper's cubes: equal intervals in every dimension of the lens.",
      members: {
        cubes: countOf('Cubes per dimension, one number or one for each.'),
        overlap: shareOf('Share of a cube that it has in common with the next.'),
        limits: value<ReadonlyArray<readonly [number | null, number | null]>>(
          'an array of [lower, upper], a number or null each',
          { doc: "Of each dimension; null is the lens's own. Points outside are in no cube." },
          (v) => Array.isArray(v) && v.every((two) => Array.isArray(two) && two.length === 2 && two.every(isLimit)),
        ),
      },
    },
    balanced: {
      doc: 'As cubes, over ranks: every interval holds about as many points (ties share a rank).',
      members: {
        cubes: countOf('Intervals per dimension.'),
        overlap: shareOf('Share of an interval that it has in common with the next.'),
      },
    },
    balls: {
      doc: "Balls of one radius around points that no earlier ball holds (Ball Mapper's ε-net), in the lens.",
      members: { radius: required(real({ doc: 'In units of the lens.', above: 0 })) },
    },
    knn: {
      doc: 'The k nearest points of points that no earlier element holds, in the lens.',
      members: { k: required(whole({ doc: 'Points of each element, its centre included.', min: 1 })) },
    },
  },
  'cubes',
);
export type CoverSpec = OneOf<typeof COVERS>;
export type CubesCover = OfKind<typeof COVERS, 'cubes'>;
export type BalancedCover = OfKind<typeof COVERS, 'balanced'>;

const METRICS = ['cosine', 'euclidean', 'precomputed'] as const;
export type MapperMetric = (typeof METRICS)[number];

const metricOf = (usual: MapperMetric) =>
  choice(METRICS, { doc: "Of the points; 'precomputed' with the option distances.", usual });

export const CLUSTERERS = kinds('ClustererSpec', {
  dbscan: {
    doc: 'Ester and others 1996.',
    members: {
      metric: metricOf('cosine'),
      eps: real({ doc: 'Points at most this far apart are neighbours.', above: 0, usual: 0.5 }),
      minSamples: whole({
        doc: 'Neighbours, itself counted, that make a point a core. Smaller cover elements are skipped.',
        min: 1,
        usual: 5,
      }),
    },
  },
  hdbscan: {
    doc: 'Campello, Moulavi and Sander 2013: mutual reachability, condensed tree, excess of mass, from all distances of an element.',
    members: {
      metric: metricOf('euclidean'),
      minClusterSize: whole({
        doc: 'Smallest group that is a cluster. Smaller cover elements are skipped.',
        min: 2,
        usual: 5,
      }),
      minSamples: whole({
        doc: 'Neighbours, itself counted, of the core distance.',
        min: 1,
        fallback: 'minClusterSize',
      }),
      allowSingleCluster: flag({ doc: 'An element may be one cluster as a whole.', usual: false }),
    },
  },
  agglomerative: {
    doc: 'One of `distanceThreshold`, `nClusters` and `gap` says where the tree is cut.',
    members: {
      metric: metricOf('euclidean'),
      linkage: choice(['single', 'complete', 'average'], {
        doc: 'Distance between two clusters.',
        usual: 'single',
      }),
      distanceThreshold: real({ doc: 'Clusters at or above this distance stay apart.', min: 0 }),
      nClusters: whole({ doc: 'Clusters in every element; smaller elements are skipped.', min: 1 }),
      gap: real({
        doc: "Cut where merge heights first rise by at least this share of the highest (giotto-tda's FirstSimpleGap, relative_gap_size).",
        above: 0,
        max: 1,
        fallback: '0.3, without threshold and number',
      }),
      maxFraction: real({
        doc: 'With gap: at most this share of the points as clusters.',
        above: 0,
        max: 1,
        usual: 1,
      }),
    },
  },
});
export type ClustererSpec = OneOf<typeof CLUSTERERS>;

const lens = usually(formed<LensSpec>({ expected: LENS, doc: 'What the points are seen through.' }, readLens, LENSES), {
  kind: 'pca',
  components: 2,
});

/** Everything but lens and cover. */
export const OTHERS = {
  clusterer: usually<ClustererSpec>(
    ofKind(CLUSTERERS, {
      expected: "a clusterer such as { kind: 'dbscan', eps: 0.5 }",
      doc: 'Labels the points of each cover element in the space of the points as given, not of the lens.',
    }),
    { kind: 'dbscan' },
  ),
  distances: rowsOption({ doc: "n × n distances between the points, for metric 'precomputed'.", identity: false }),
  minIntersection: whole({ doc: 'Members that nodes share to be joined.', min: 1, usual: 1 }),
  seed: whole({ doc: "Draws UMAP and Isomap's landmarks.", usual: 0 }),
  allowConstantLens: flag({
    doc: 'Go on with a lens that is nearly constant in every dimension, which is refused otherwise.',
    usual: false,
  }),
} as const;

/** Everything but the cover: what runs over several covers share. */
export const PLAN = { lens, ...OTHERS } as const;

/** Lens, cover, clusterer. */
export const PIPELINE = {
  lens,
  cover: usually<CoverSpec>(
    ofKind(COVERS, {
      expected: 'a cover such as { cubes: 10, overlap: 0.1 }',
      doc: 'Cuts the lens into overlapping elements.',
    }),
    { kind: 'cubes' },
  ),
  ...OTHERS,
} as const;

/** Options as the functions of this room take them: distances as a matrix. */
type Read<T> = Omit<T, 'distances'> & { readonly distances?: Matrix };
export type PlanOptions = Read<Given<typeof PLAN>>;
export type MapperOptions = Read<Given<typeof PIPELINE>>;
