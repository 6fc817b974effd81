/** The presets by name: where they come from, and what is wrong with them. */
import type { CallOptions } from '../../compute/call.js';
import { choice } from '../../verb/option.js';
import type { NoiseOptions } from '../world/options.js';

export type PresetName =
  | 'sharkey-2022'
  | 'sharkey-2022-corrected'
  | 'marks-2024'
  | 'marks-2024-corrected'
  | 'lan-2024'
  | 'lan-2024-corrected'
  | 'synthsaebench'
  | 'synthsaebench-corrected';

export interface PresetOptions extends CallOptions {
  /** Name of a published generator or of its corrected form; fg.synthetic.presets() lists them. */
  preset: PresetName;
  /** Default 512; SynthSAEBench 16,384. */
  features?: number;
  /** Default 256; SynthSAEBench 768. */
  dim?: number;
  /** Default 0. */
  seed?: number;
  /** Default none, as published. */
  noise?: NoiseOptions;
  /** λ of the decay of frequencies, default 0.99. */
  lambda?: number;
  /** sharkey: active features a sample, default 5. */
  l0?: number;
  /** sharkey: false gives the uncorrelated generator, p = λ^i · l0 / G. Default true. */
  correlated?: boolean;
  /**
   * marks: active features, 32 (default; also 36 and 42 were used). lan: mean active features, default 16 (also 32).
   */
  k?: number;
  /** marks: number of groups, default 12. */
  groups?: number;
  /** marks: draw the active set for every point, as the first version did, instead of once per group and batch. */
  perPoint?: boolean;
  /** lan: 'gaussian' (default), 'blobs' (clusters over dimensions, as published), 'blobs-intended' (over features). */
  directions?: 'gaussian' | 'blobs' | 'blobs-intended';
  /** lan: take the correlation matrix of A·Aᵀ; probabilities then leave [0, 1] and sampling stops, unless `clip`. */
  standardized?: boolean;
  /** lan: cut probabilities to 1. */
  clip?: boolean;
  /** Corrected forms of sharkey and lan: squared length of the factor loadings, default 0.3. */
  strength?: number;
  /** synthsaebench: trees, default features/128. */
  roots?: number;
  /** synthsaebench: descent steps that spread the directions, default 0. */
  orthogonalSteps?: number;
  /** Samples of one batch of the published code, where a fault depends on it. */
  publishedBatch?: number;
}

export interface PresetEntry {
  name: PresetName;
  /** Who published it, where. */
  source: string;
  /** What it draws. */
  draws: string;
  /** What is known to be wrong with it at its published sizes; a world says what holds at its own. */
  faults: readonly string[];
  /** Its own options besides features, dim, seed and noise. */
  options: readonly (keyof PresetOptions)[];
}

/** What the published generator of groups does wrong at these sizes: features past whole groups belong to none. */
export function marksFaults(world: { features: number; groups: number; perPoint: boolean }): string[] {
  const { features, groups, perPoint } = world;
  const size = Math.floor(features / groups);
  const used = groups * size;
  const unused = features - used > 1 ? `(${used} to ${features - 1}) never fire` : `(${used}) never fires`;
  return [
    ...(perPoint
      ? []
      : [
          'the active set is drawn once per group and batch: within a batch all points of a group fire the same features',
        ]),
    'features are not brought to unit length (about √dim), so cosines and magnitudes mix',
    ...(used < features ? [`features past ${groups} × ${size} ${unused}`] : []),
    `at k = ${size} a whole group fires: its features cannot be told apart but by their magnitudes`,
  ];
}

export const PRESETS: readonly PresetEntry[] = [
  {
    name: 'sharkey-2022',
    source: 'Sharkey, Braun, Millidge 2022, interim report; frozen replication in HoagyC/sparse_coding',
    draws: 'unit-norm Gaussian features, p = Φ(z)·λ^i scaled to 5 active in the mean, magnitudes uniform',
    faults: [
      'z is drawn once per batch: inside a batch features are independent, the correlation is between batches only',
      'z has the variance of the shifted matrix (about 10 at 512 features), not 1: Φ(z) is nearly 0 or 1, and half the features are off for a whole batch',
      'samples without any active feature get a random one at 1, outside the law',
    ],
    options: ['lambda', 'l0', 'correlated', 'publishedBatch'],
  },
  {
    name: 'sharkey-2022-corrected',
    source: 'this project',
    draws:
      'the same directions and decay; frequencies exact; a factor copula drawn for every sample; no forced firings',
    faults: [],
    options: ['lambda', 'l0', 'strength'],
  },
  {
    name: 'marks-2024',
    source: 'Marks et al. 2024, mutual-feature-regularization, arXiv 2411.01220',
    draws: 'one of 12 groups of 42 features, k of it without replacement with weights λ^j, magnitudes uniform',
    faults: marksFaults({ features: 512, groups: 12, perPoint: false }),
    options: ['lambda', 'k', 'groups', 'perPoint', 'publishedBatch'],
  },
  {
    name: 'marks-2024-corrected',
    source: 'this project',
    draws: 'unit-norm features, all in use; one context a sample, features independent in it with exact frequencies',
    faults: [],
    options: ['lambda', 'k', 'groups'],
  },
  {
    name: 'lan-2024',
    source: 'Lan 2024, notebook test_synthActvs',
    draws:
      'z ~ N(0, AAᵀ) per sample with A uniform, p = Φ(z)^(0.99·i) scaled to k active in the mean, all magnitudes 1',
    faults: [
      'AAᵀ has diagonal near 170 (deviation 13, at the published 512 features): Φ(z) is 0 or 1, and correlations near 0.75 make it one switch for all features: L0 16 ± 14, 15 % of samples empty',
      'the exponent is 0.99·i, not 0.99^i: after saturation frequencies hardly decay (0.045, 0.030, …, 0.029), feature 0 has the same p always',
      'standardizing the matrix (standardized: true) brings the decay back, and probabilities up to 2.2',
      'all magnitudes are 1; features are not of unit length',
      "directions: 'blobs' clusters the dimensions of the model, not the features",
      'the published loop counts batches instead of samples (min(batch, total − batches)); a stream here has the samples asked for, so that this fault is named but not drawn',
    ],
    options: ['lambda', 'k', 'directions', 'standardized', 'clip', 'publishedBatch'],
  },
  {
    name: 'lan-2024-corrected',
    source: 'this project',
    draws:
      'unit-norm features (clusters of features with directions blobs), λ^i exact, factor copula, uniform magnitudes',
    faults: [],
    options: ['lambda', 'k', 'directions', 'strength'],
  },
  {
    name: 'synthsaebench',
    source: 'Chanin and Garriga-Alonso 2026, SynthSAEBench-16k, arXiv 2602.14687; sae_lens.synthetic',
    draws:
      'Zipf frequencies (0.5, 0.4 to 5e-4), 128 trees of 4 children and 3 levels, exclusive siblings, rank-25 copula, magnitudes 5 to 4',
    faults: [
      'children of a parent are asked to fire more often in sum than the parent, which exclusive siblings cannot: the compensated probabilities are cut at 1 or fall short, and realised frequencies miss the configuration',
      'compensation assumes independence, but parents and children share the copula',
      'the correlation is of the normals before gates and exclusion, not of the firings',
    ],
    options: ['roots', 'orthogonalSteps', 'publishedBatch'],
  },
  {
    name: 'synthsaebench-corrected',
    source: 'this project',
    draws:
      'the same trees, with children brought down to what their parent leaves; frequencies exact; the copula over roots and free features',
    faults: [],
    options: ['roots', 'orthogonalSteps'],
  },
];

export const PRESET_NAME = choice(
  PRESETS.map(({ name }) => name),
  { doc: "Such as 'marks-2024' or 'marks-2024-corrected'." },
);
