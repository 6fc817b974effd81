/** The presets by name: where they come from, and what is wrong with them. */
import type { CallOptions } from '../../compute/call.js';
import { choice, flag, real, whole, type Given } from '../../verb/option.js';
import { noise } from '../world/options.js';

export type PresetName =
  | 'sharkey-2022'
  | 'sharkey-2022-corrected'
  | 'marks-2024'
  | 'marks-2024-corrected'
  | 'lan-2024'
  | 'lan-2024-corrected'
  | 'synthsaebench'
  | 'synthsaebench-corrected';

/** What presets may be asked for; each has its own of these, as PRESETS lists them. */
export const PRESET = {
  features: whole({ doc: 'True features.', min: 1, fallback: '512; synthsaebench 16,384' }),
  dim: whole({ doc: 'Width of x.', min: 1, fallback: '256; synthsaebench 768' }),
  seed: whole({ doc: 'Of the world and its samples.', usual: 0 }),
  noise,
  lambda: real({ doc: 'Of sharkey, marks and lan: λ of the decay of frequencies.', usual: 0.99 }),
  l0: real({ doc: 'Of sharkey: active features in a sample.', above: 0, usual: 5 }),
  correlated: flag({
    doc: 'Of `sharkey-2022`: false gives the uncorrelated generator, p = λ^i · l0 / features.',
    usual: true,
  }),
  k: whole({ doc: 'Of marks: active features; of lan: mean active features.', min: 1, fallback: 'marks 32, lan 16' }),
  groups: whole({ doc: 'Of marks: number of groups.', min: 1, usual: 12 }),
  perPoint: flag({
    doc: 'Of `marks-2024`: draw the active set for every point, as the first version did, not once per group and batch.',
    usual: false,
  }),
  directions: choice(['gaussian', 'blobs', 'blobs-intended'], {
    doc: "Of `lan-2024`: 'blobs' are clusters over dimensions, as published; 'blobs-intended' over features.",
    usual: 'gaussian',
  }),
  standardized: flag({
    doc: 'Of `lan-2024`: take the correlation matrix of A·Aᵀ; probabilities then leave [0, 1] and sampling stops, unless `clip`.',
    usual: false,
  }),
  clip: flag({ doc: 'Of `lan-2024`: cut probabilities to 1.', usual: false }),
  strength: real({
    doc: 'Of the corrected sharkey and lan: squared length of the factor loadings.',
    usual: 0.3,
  }),
  roots: whole({ doc: 'Of synthsaebench: trees.', min: 1, fallback: 'features / 128' }),
  orthogonalSteps: whole({ doc: 'Of synthsaebench: descent steps that spread the directions.', min: 0, usual: 0 }),
  publishedBatch: whole({
    doc: 'Samples of one batch of the published code, where a fault depends on it.',
    min: 1,
    max: 65_536,
    fallback: 'sharkey 4,096, marks 10,000',
  }),
};

/** A recipe of a preset. */
export interface PresetOptions extends Given<typeof PRESET>, CallOptions {
  /** Name of a published generator or of its corrected form; fg.synthetic.presets() lists them. */
  preset: PresetName;
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
