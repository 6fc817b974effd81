/** What a world may be asked for. Names and defaults as docs/synthetic.md gives them. */
import type { CallOptions } from '../../compute/call.js';

/** Directions of a part of the features; `count` features, default (of one part at most) all that the others leave. */
export type GeometryPart =
  | { kind: 'random'; count?: number }
  /**
   * Spread by gradient descent on the sum of cos⁴, `steps` steps (default 100); orthonormal when they fit the width.
   * `maxCosine`: refuse to go on unless the largest |cos| inside the part comes down to it.
   */
  | { kind: 'near-orthogonal'; count?: number; steps?: number; maxCosine?: number }
  /** Around `clusters` random centres (default 10), every feature at cosine `cosine` (default 0.8) to its centre. */
  | { kind: 'clusters'; count?: number; clusters?: number; cosine?: number }
  /**
   * Evenly spaced on `circles` circles (default 1), each in a random plane; `radius` r < 1 (default 1) moves the circle
   * out to √(1 − r²) along a direction of its own, so that every point keeps length 1.
   */
  | { kind: 'circle'; count?: number; circles?: number; radius?: number }
  /** cos and sin of `turns` turns (default 3) and `pitch` × t for t from −1 to 1 (default 1), then brought to length 1. */
  | { kind: 'helix'; count?: number; turns?: number; pitch?: number }
  /**
   * Fours (a, a + u, a + v, a + u + v), such as man, king, woman, queen: king − man + woman = queen exactly. Edges of
   * length `edges` (default [0.8, 0.8]); `sharedRelation` (default true): u is the same in every four.
   */
  | { kind: 'parallelograms'; count?: number; edges?: [number, number]; sharedRelation?: boolean }
  /**
   * `roots` trees (default 1) of `branching` children (default 2), breadth first; a child has cosine `cosine` (default
   * 0.5) to its parent and fires only when the parent does. `share` (default 0.4): its frequency over its parent's;
   * 'given' takes the frequencies as they are. `exclusive` (default false): at most one child of a parent fires.
   */
  | {
      kind: 'hierarchy';
      count?: number;
      roots?: number;
      branching?: number;
      cosine?: number;
      share?: number | 'given';
      exclusive?: boolean;
    }
  /** Copies of random features of the other parts, at cosine `cosine` (default 1, the same direction) to the original. */
  | { kind: 'duplicates'; count?: number; cosine?: number };

/** How often each feature fires. A shape without a level is scaled to `l0`. */
export type FrequencySpec =
  | number
  | readonly number[]
  | Float64Array
  /** All the same; `p` sets the level. */
  | { kind: 'uniform'; p?: number }
  /** λ^i; `max` is the frequency of feature 0. */
  | { kind: 'geometric'; lambda?: number; max?: number }
  /** (i + 1)^−exponent (default 1); `max` is the frequency of feature 0; with `min` too, SAELens's affine scaling to [min, max]. */
  | { kind: 'zipf'; exponent?: number; max?: number; min?: number }
  /** exp(sigma × z) at evenly spaced quantiles z, most frequent first (sigma default 1); `median` sets the level. */
  | { kind: 'log-normal'; sigma?: number; median?: number };

/** What a given correlation is of: the binary firings (phi), or the normals behind them (tetrachoric). */
export type CorrelationOf = 'firing' | 'latent';

export type CorrelationSpec =
  | { kind: 'independent' }
  /** Blocks of `size` consecutive features, or the given `blocks`, each pair inside correlated by `correlation`. */
  | { kind: 'block'; size?: number; blocks?: readonly (readonly number[])[]; correlation: number; of?: CorrelationOf }
  /**
   * Latent normals Λf + √(1 − ‖Λ‖²)ε of `rank` factors: loadings given (features × rank), or random of squared length
   * `strength` (default 0.3), or random normal of deviation `scale` with rows longer than √0.99 shortened to it.
   */
  | {
      kind: 'low-rank';
      rank?: number;
      strength?: number;
      scale?: number;
      loadings?: readonly (readonly number[])[];
      features?: readonly number[];
    }
  /**
   * A correlation matrix of `features` (default all): refused unless positive semidefinite. 'cholesky' (default) takes it
   * as it is, at features²/2 products a sample; 'factors' the nearest of `rank` factors (default 8), and says how near.
   */
  | {
      kind: 'matrix';
      matrix: readonly (readonly number[])[];
      of?: CorrelationOf;
      method?: 'cholesky' | 'factors';
      rank?: number;
      features?: readonly number[];
    }
  /** Of each group at most one member fires. */
  | { kind: 'exclusive'; groups?: readonly (readonly number[])[]; size?: number }
  /** Every sample is in one of `count` contexts, equally likely; equal runs of consecutive features fire in one context alone. */
  | { kind: 'contexts'; count: number }
  /**
   * `children` fire only when `parent` does, independently of each other, or at most one (`exclusive`). `scale`: a
   * child's magnitude is multiplied by the parent's over the parent's mean.
   */
  | { kind: 'gate'; parent: number; children: readonly number[]; exclusive?: boolean; scale?: boolean };

/** The size of a feature when it fires; always > 0. */
export type MagnitudeSpec =
  | { kind: 'constant'; value?: number }
  | { kind: 'uniform'; low?: number; high?: number }
  /** |N(0, scale²)|. */
  | { kind: 'half-normal'; scale?: number }
  | { kind: 'exponential'; mean?: number }
  /** exp(N(mu, sigma²)). */
  | { kind: 'log-normal'; mu?: number; sigma?: number }
  /** N(mean, std²), drawn again until above 0. */
  | { kind: 'truncated-normal'; mean?: number; std?: number };

export interface NoiseOptions {
  /** Standard deviation of isotropic Gaussian noise in each dimension, default 0. */
  std?: number;
  /** Gaussian noise in `rank` random directions, of standard deviation `std` along each. */
  lowRank?: { rank: number; std: number };
}

export interface WorldOptions extends CallOptions {
  /** Number of features. */
  features: number;
  /** Width of x. Give this or `superposition`. */
  dim?: number;
  /** Features per dimension: dim = round(features / superposition). */
  superposition?: number;
  /** Default 0. The same options and seed give the same world and samples. */
  seed?: number;
  /** Default random directions; an array combines parts. */
  geometry?: GeometryPart | readonly GeometryPart[];
  /** Default uniform. */
  frequencies?: FrequencySpec;
  /** Mean number of features that fire in a sample: scales the frequencies, none above `maxFrequency`, exactly. */
  l0?: number;
  /** Cap of a frequency while scaling to `l0`, default 1. */
  maxFrequency?: number;
  /** Default independent; an array gives several, of different features. */
  correlations?: CorrelationSpec | readonly CorrelationSpec[];
  /** One law for all (default uniform on (0, 1]), or one for each feature. */
  magnitudes?: MagnitudeSpec | readonly MagnitudeSpec[];
  /** Default none. */
  noise?: NoiseOptions;
  /** Added to every x: a vector, or the length of a random one. Default none. */
  mean?: number | readonly number[];
}
