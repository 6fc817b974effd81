/** What the Mapper pipeline takes: lens, cover, clusterer. Names follow KeplerMapper and scikit-learn in camelCase. */
import type { FiringStatistics } from '../activations/types.js';
import type { Matrix } from '../compute/matrix.js';
import type { Layout } from '../maps/types.js';
import { flag, value, whole, type Given } from '../verb/option.js';
import { rowsOption } from '../verb/common.js';
import type { LensValues } from './types.js';

/** What a lens of activation statistics needs: a SparseActivations, or its counts alone. */
export interface LensActivations {
  readonly meta: { readonly tokens: number; readonly ignored?: number };
  readonly statistics: FiringStatistics;
}

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

export interface PcaLens {
  kind: 'pca';
  /** Axes kept; default 2. */
  components?: number;
}

/** Two-dimensional, with umap-learn's parameters. */
export interface UmapLens {
  kind: 'umap';
  /** Default 15. */
  nNeighbors?: number;
  /** Default 0.1. */
  minDist?: number;
  /** Default 'euclidean'. */
  metric?: 'euclidean' | 'cosine';
  /** Default 500 up to 10,000 points, else 200. */
  nEpochs?: number;
  /** Default the seed of the call. */
  seed?: number;
}

/** Geodesic distances along the graph of nearest neighbours, embedded by classical scaling (scikit-learn's Isomap). */
export interface IsomapLens {
  kind: 'isomap';
  /** Default 2. */
  components?: number;
  /** Neighbours of the graph, the point itself not counted; default 5. */
  nNeighbors?: number;
  /** Default 'euclidean'. */
  metric?: 'euclidean' | 'cosine';
  /**
   * Points that geodesics start from. Default: all up to 1,500 points (scikit-learn's result up to sign), else 1,000
   * drawn by the seed (at least five times the components); the others are placed by their distances to these
   * (de Silva and Tenenbaum 2003).
   */
  landmarks?: number;
  /** Default the seed of the call. */
  seed?: number;
}

export interface DensityLens {
  /** Mean of exp(−d² / 2σ²) over the other points. */
  kind: 'density';
  /** σ; default the median distance to the 15th neighbour. */
  bandwidth?: number;
  /** Default 'euclidean'. */
  metric?: 'euclidean' | 'cosine';
}

export interface EccentricityLens {
  /** (mean of dᵖ over the other points)^(1/p). */
  kind: 'eccentricity';
  /** p; default 2, Infinity = the farthest point. */
  exponent?: number;
  /** Default 'euclidean'. */
  metric?: 'euclidean' | 'cosine';
}

export interface KnnDistanceLens {
  /** Distance to the k-th nearest other point. */
  kind: 'knnDistance';
  /** Default 15. */
  k?: number;
  /** Default 'euclidean'. */
  metric?: 'euclidean' | 'cosine';
}

/** Each dimension to 0 … 1. */
export interface MinMaxLens {
  kind: 'minmax';
}

/** One number per point that you have. */
export interface ColumnLens {
  kind: 'column';
  /** One per point; points with NaN are left out and counted. */
  values: ArrayLike<number>;
  /** For people; default "column". */
  name?: string;
}

/** Several numbers per point that you have: a lens that was computed, a layout, a matrix. */
export interface ValuesLens {
  kind: 'values';
  /** n × dims, row-major; points with NaN are left out and counted. */
  values: ArrayLike<number>;
  /** Numbers per point. */
  dims: number;
  /** One per dimension. */
  names?: readonly string[];
  /** For people; default "values". */
  description?: string;
}

/** Column numbers of the points themselves. */
export interface DimensionsLens {
  kind: 'dimensions';
  /** Such as [0, 3]. */
  columns: readonly number[];
}

/** What features did over the tokens; the points are the features. */
export interface ActivationLens {
  /**
   * firingRate = share of tokens; meanActivation = mean over the firings (dead features have none and are left out);
   * maxActivation; activationStd = standard deviation over all tokens.
   */
  kind: 'firingRate' | 'meanActivation' | 'maxActivation' | 'activationStd';
  /** The activation store whose features the points are. */
  activations: LensActivations;
}

/** Several lenses of the same points side by side. */
export interface JoinedLens {
  kind: 'join';
  /** In the order of the dimensions. */
  lenses: readonly LensSpec[];
}

export type LensStep =
  | LensName
  | PcaLens
  | UmapLens
  | IsomapLens
  | DensityLens
  | EccentricityLens
  | KnnDistanceLens
  | MinMaxLens
  | ColumnLens
  | ValuesLens
  | DimensionsLens
  | ActivationLens
  | JoinedLens;

/**
 * One lens; a chain of lenses, each of which sees the values of the one before; or what you have: an array with a value
 * per point, what fg.mapper.lens or fg.maps.umap and fg.maps.pca returned, a matrix with a row per point.
 */
export type LensSpec = LensStep | readonly LensStep[] | Float32Array | Float64Array | LensValues | Layout | Matrix;

/** KeplerMapper's cubes: equal intervals in every dimension of the lens. */
export interface CubesCover {
  /** Default 'cubes'. */
  kind?: 'cubes';
  /** Cubes per dimension, one number or one for each; default 10. */
  cubes?: number | readonly number[];
  /** Share of a cube that it has in common with the next, from 0 up to but not 1; default 0.1. */
  overlap?: number | readonly number[];
  /** [lower, upper] of each dimension; null = the lens's own. Points outside are in no cube. */
  limits?: ReadonlyArray<readonly [number | null, number | null]>;
}

/** As cubes, over ranks: every interval holds about as many points (ties share a rank). */
export interface BalancedCover {
  kind: 'balanced';
  /** Intervals per dimension; default 10. */
  cubes?: number | readonly number[];
  /** Default 0.1. */
  overlap?: number | readonly number[];
}

/** Balls of one radius around points that no earlier ball holds (Ball Mapper's ε-net), in the lens. */
export interface BallsCover {
  kind: 'balls';
  /** In units of the lens. */
  radius: number;
}

/** The k nearest points of points that no earlier element holds, in the lens. */
export interface KnnCover {
  kind: 'knn';
  /** Points of each element, its centre included. */
  k: number;
}

export type CoverSpec = CubesCover | BalancedCover | BallsCover | KnnCover;

export type MapperMetric = 'cosine' | 'euclidean' | 'precomputed';

export interface DbscanSpec {
  kind: 'dbscan';
  /** Default 'cosine'; 'precomputed' with the option distances. */
  metric?: MapperMetric;
  /** Points at most this far apart are neighbours; default 0.5. */
  eps?: number;
  /** Neighbours, itself counted, that make a point a core; default 5. Smaller cover elements are skipped. */
  minSamples?: number;
}

/** Campello, Moulavi and Sander 2013: mutual reachability, condensed tree, excess of mass. */
export interface HdbscanSpec {
  kind: 'hdbscan';
  /** Default 'euclidean'. */
  metric?: MapperMetric;
  /** Smallest group that is a cluster; default 5. Smaller cover elements are skipped. */
  minClusterSize?: number;
  /** Neighbours, itself counted, of the core distance; default minClusterSize. */
  minSamples?: number;
  /** An element may be one cluster as a whole; default false, as in hdbscan. */
  allowSingleCluster?: boolean;
}

export interface AgglomerativeSpec {
  kind: 'agglomerative';
  /** Default 'euclidean'. */
  metric?: MapperMetric;
  /** Default 'single'. */
  linkage?: 'single' | 'complete' | 'average';
  /** Clusters at or above this distance stay apart. */
  distanceThreshold?: number;
  /** Clusters in every element; smaller elements are skipped. */
  nClusters?: number;
  /**
   * Without threshold and number: cut where merge heights first rise by at least this share of the highest
   * (giotto-tda's FirstSimpleGap, relative_gap_size); default 0.3.
   */
  gap?: number;
  /** With gap: at most this share of the points as clusters; default 1. */
  maxFraction?: number;
}

export type ClustererSpec = DbscanSpec | HdbscanSpec | AgglomerativeSpec;

const isSpec = (given: unknown): boolean => typeof given === 'object' && given !== null && !Array.isArray(given);

/** Everything but the cover: what runs over several covers share. */
export const PLAN = {
  lens: value<LensSpec>("a lens such as { kind: 'pca' }, a chain of lenses, or values of the points", {
    doc: 'What the points are seen through.',
    fallback: "{ kind: 'pca', components: 2 }",
  }),
  clusterer: value<ClustererSpec>(
    "a clusterer such as { kind: 'dbscan', eps: 0.5 }",
    {
      doc: 'Labels the points of each cover element in the space of the points as given, not of the lens.',
      fallback: "{ kind: 'dbscan', metric: 'cosine', eps: 0.5, minSamples: 5 }",
    },
    isSpec,
  ),
  distances: rowsOption({ doc: "n × n distances between the points, for metric 'precomputed'.", identity: false }),
  minIntersection: whole({ doc: 'Members that nodes share to be joined.', min: 1, fallback: '1' }),
  seed: whole({ doc: "Draws UMAP and Isomap's landmarks.", fallback: '0' }),
  allowConstantLens: flag({
    doc: 'Go on with a lens that is nearly constant in every dimension, which is refused otherwise.',
    fallback: 'false',
  }),
} as const;

const { lens, ...others } = PLAN;

/** Lens, cover, clusterer. */
export const PIPELINE = {
  lens,
  cover: value<CoverSpec>(
    'a cover such as { cubes: 10, overlap: 0.1 }',
    { doc: 'Cuts the lens into overlapping elements.', fallback: "{ kind: 'cubes', cubes: 10, overlap: 0.1 }" },
    isSpec,
  ),
  ...others,
} as const;

/** What the room computes with: distances are a matrix by then. */
type Read<T> = Omit<T, 'distances'> & { readonly distances?: Matrix };
export type PlanOptions = Read<Given<typeof PLAN>>;
export type MapperOptions = Read<Given<typeof PIPELINE>>;
