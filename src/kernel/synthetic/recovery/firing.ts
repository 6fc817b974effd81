/**
 * Do latents fire when their features do? Precision, recall and F1 per latent, and the mean correlation coefficient of
 * activations, each beside a null in which the samples of one side are shuffled.
 */
import { pauses, type CallOptions } from '../../compute/call.js';
import { requireMemory } from '../../compute/memory.js';
import { Random } from '../../compute/random.js';
import type { SparseRows } from '../../compute/sparse.js';
import { centredSquares, mean } from '../../compute/statistics.js';
import { besideNull } from '../../correlation/nulls.js';
import type { SimilarityScore } from '../../correlation/types.js';
import { linearAssignment } from '../../compute/assignment.js';
import { RECOVERY, type RecoveryParameters } from './options.js';

/** Firing of both sides over the same samples: row i of `codes` and of `latents` are of sample i. */
export interface Firings {
  samples: number;
  codes: SparseRows;
  latents: SparseRows;
}

/**
 * Counts of a detector of one feature, and what follows from them; a ratio without a denominator is 0, as SAELens has
 * it.
 */
export interface Detection {
  precision: Float32Array;
  recall: Float32Array;
  f1: Float32Array;
}

/** How often each column of CSR rows is > 0. */
export function firingCounts(rows: SparseRows): Uint32Array {
  const counts = new Uint32Array(rows.cols);
  const end = rows.indptr[rows.rows];
  for (let p = 0; p < end; p++) if (rows.values[p] > 0) counts[rows.indices[p]]++;
  return counts;
}

/**
 * [latents] samples on which latent ℓ and feature featureOf[ℓ] both fire; sample i of `codes` goes with sample order[i]
 * of `latents` (default itself).
 */
export function coFirings(
  { samples, codes, latents }: Firings,
  featureOf: Int32Array,
  order?: Uint32Array,
): Uint32Array {
  const both = new Uint32Array(latents.cols);
  const active = new Uint8Array(codes.cols);
  for (let i = 0; i < samples; i++) {
    const j = order ? order[i] : i;
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) active[codes.indices[p]] = codes.values[p] > 0 ? 1 : 0;
    for (let p = latents.indptr[j]; p < latents.indptr[j + 1]; p++) {
      const latent = latents.indices[p];
      if (latents.values[p] > 0 && featureOf[latent] >= 0 && active[featureOf[latent]]) both[latent]++;
    }
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) active[codes.indices[p]] = 0;
  }
  return both;
}

/** Precision both/fires, recall both/feature fires and F1 per latent. */
export function detection(
  both: ArrayLike<number>,
  fires: ArrayLike<number>,
  featureFires: (latent: number) => number,
): Detection {
  const n = both.length;
  const out: Detection = { precision: new Float32Array(n), recall: new Float32Array(n), f1: new Float32Array(n) };
  for (let l = 0; l < n; l++) {
    const p = fires[l] > 0 ? both[l] / fires[l] : 0;
    const truth = featureFires(l);
    const r = truth > 0 ? both[l] / truth : 0;
    out.precision[l] = p;
    out.recall[l] = r;
    out.f1[l] = p + r > 0 ? (2 * p * r) / (p + r) : 0;
  }
  return out;
}

/** Milliseconds of work between two looks at the signal. */
const PIECE_MS = 200;
const LOOK = 1024;

/**
 * Σ_samples code_f · latent_ℓ, features × latents, float64; sample i of `codes` goes with sample order[i] of `latents`.
 */
async function products(
  { samples, codes, latents }: Firings,
  order: Uint32Array | undefined,
  call: CallOptions,
): Promise<Float64Array> {
  const sums = new Float64Array(codes.cols * latents.cols);
  const pause = pauses(call.signal, 'recovery', PIECE_MS);
  for (let i = 0; i < samples; i++) {
    const j = order ? order[i] : i;
    const from = latents.indptr[j];
    const to = latents.indptr[j + 1];
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) {
      const at = codes.indices[p] * latents.cols;
      const value = codes.values[p];
      for (let q = from; q < to; q++) sums[at + latents.indices[q]] += value * latents.values[q];
    }
    if (i % LOOK === 0) await pause();
  }
  return sums;
}

/** Σ x and 1/√(Σ (x − x̄)²) of each column; 0 for a dead or constant one, which then correlates with nothing. */
function columnMoments(rows: SparseRows, samples: number): { sum: Float64Array; inverse: Float64Array } {
  const sum = new Float64Array(rows.cols);
  const squares = new Float64Array(rows.cols);
  const end = rows.indptr[rows.rows];
  for (let p = 0; p < end; p++) {
    sum[rows.indices[p]] += rows.values[p];
    squares[rows.indices[p]] += rows.values[p] * rows.values[p];
  }
  const inverse = new Float64Array(rows.cols);
  for (let c = 0; c < rows.cols; c++) {
    const centred = centredSquares(sum[c], squares[c], samples);
    if (centred > 0) inverse[c] = 1 / Math.sqrt(centred);
  }
  return { sum, inverse };
}

/** |Pearson r| of every feature with every latent, features × latents. */
async function absoluteCorrelations(
  firings: Firings,
  order: Uint32Array | undefined,
  call: CallOptions,
): Promise<Float64Array> {
  const { codes, latents, samples } = firings;
  const r = await products(firings, order, call);
  const x = columnMoments(codes, samples);
  const y = columnMoments(latents, samples);
  for (let f = 0, at = 0; f < codes.cols; f++) {
    for (let l = 0; l < latents.cols; l++, at++)
      r[at] = Math.min(1, Math.abs((r[at] - (x.sum[f] * y.sum[l]) / samples) * x.inverse[f] * y.inverse[l]));
  }
  return r;
}

export interface FiringRecovery {
  /** MCC of activations, then precision, recall and F1 over latents and F1 over features. */
  scores: SimilarityScore[];
  /** Per latent, as a detector of featureOf. */
  latents: Detection & { firings: Uint32Array };
  /** Per feature, as detected by the latent assigned to it. */
  features: Detection & { firings: Uint32Array };
  /** [features] latent assigned by |r| of activations, −1 = none; and that |r|. */
  correlated: { index: Int32Array; r: Float32Array };
}

interface Measured {
  values: number[];
  latents: Detection;
  features: Detection;
  correlated: { index: Int32Array; r: Float32Array };
}

async function measure(
  firings: Firings,
  match: { featureOf: Int32Array; assigned: Int32Array },
  counts: { codes: Uint32Array; latents: Uint32Array },
  order: Uint32Array | undefined,
  call: CallOptions,
): Promise<Measured> {
  const { codes, latents } = firings;
  const { featureOf, assigned } = match;
  const r = await absoluteCorrelations(firings, order, call);
  const assignment = await linearAssignment(r, codes.cols, latents.cols, { ...call, maximize: true });
  const correlated = { index: new Int32Array(codes.cols).fill(-1), r: new Float32Array(codes.cols) };
  assignment.rows.forEach((f, i) => {
    correlated.index[f] = assignment.cols[i];
    correlated.r[f] = r[f * latents.cols + assignment.cols[i]];
  });
  const perLatent = detection(coFirings(firings, featureOf, order), counts.latents, (l) => counts.codes[featureOf[l]]);
  const ownFeature = new Int32Array(latents.cols).fill(-1);
  assigned.forEach((l, f) => void (l >= 0 && (ownFeature[l] = f)));
  const bothOwn = coFirings(firings, ownFeature, order);
  const perFeature = detection(
    assigned.map((l) => (l >= 0 ? bothOwn[l] : 0)),
    Array.from(assigned, (l) => (l >= 0 ? counts.latents[l] : 0)),
    (f) => counts.codes[f],
  );
  const values = [
    assignment.total / assignment.rows.length,
    mean(perLatent.precision),
    mean(perLatent.recall),
    mean(perLatent.f1),
    mean(perFeature.f1),
  ];
  return { values, latents: perLatent, features: perFeature, correlated };
}

const SCORES: ReadonlyArray<readonly [metric: string, variant: string]> = [
  ['MCC (activations)', 'mean |r| of the assignment of largest total |r| between features and latents'],
  ['precision', 'mean over latents, as detectors of their best feature (|cosine|), as SAELens'],
  ['recall', 'the same'],
  ['F1', 'the same'],
  ['F1 of features', 'mean over features, detected by the latent assigned to them'],
];

/**
 * Firing of latents against firing of features. `featureOf` [latents]: the feature each latent is compared with
 * (SAELens: of largest |cosine|); `assigned` [features]: the latent of each feature, −1 = none. Dead latents and
 * features that never fire count 0, as in SAELens. Memory: 16 bytes per feature × latent.
 */
export async function firingRecovery(
  firings: Firings,
  match: { featureOf: Int32Array; assigned: Int32Array },
  options: Pick<RecoveryParameters, 'nulls' | 'seed'> & CallOptions = {},
): Promise<FiringRecovery> {
  const { nulls: runs = RECOVERY.nulls.members.runs.usual, signal, onProgress } = options;
  const seed = options.seed ?? RECOVERY.nulls.members.seed.usual;
  const { codes, latents, samples } = firings;
  if (samples < 2) throw new RangeError(`recovery needs at least 2 samples but got ${samples}`);
  requireMemory('correlations of features with latents', 16 * codes.cols * latents.cols);
  const counts = { codes: firingCounts(codes), latents: firingCounts(latents) };
  const found = await measure(firings, match, counts, undefined, { signal });
  const random = new Random(seed).fork('recovery shuffle');
  const nulls = SCORES.map(() => new Float64Array(runs));
  for (let run = 0; run < runs; run++) {
    const { values } = await measure(firings, match, counts, random.permutation(samples), { signal });
    values.forEach((value, s) => (nulls[s][run] = value));
    onProgress?.({ label: 'shuffled samples', done: run + 1, total: runs, unit: 'runs' });
  }
  const ns = [Math.min(codes.cols, latents.cols), latents.cols, latents.cols, latents.cols, codes.cols];
  return {
    scores: SCORES.map(([metric, variant], s) =>
      besideNull(found.values[s], nulls[s], { metric, variant, n: ns[s], seed, kind: 'shuffled samples' }),
    ),
    latents: { ...found.latents, firings: counts.latents },
    features: { ...found.features, firings: counts.codes },
    correlated: found.correlated,
  };
}
