/**
 * Recovery: how much of a world's ground truth a dictionary or an SAE has found, every score beside its floor or null.
 */
import { filled } from '../../verb/filled.js';
import { checkAborted, type CallOptions } from '../../compute/call.js';
import type { Matrix } from '../../compute/matrix.js';
import { requireMemory } from '../../compute/memory.js';
import type { SparseRows } from '../../compute/sparse.js';
import { rowNorms } from '../../compute/rows.js';
import type { SimilarityScore } from '../../correlation/types.js';
import { ReconstructionSums } from '../../sae/reconstruction.js';
import { reconstruct } from '../../sae/sae.js';
import type { Sae } from '../../sae/types.js';
import { AbsorptionCounter, splitCounts, type Absorption } from './absorption.js';
import { bestOfColumns, cosines, unitRows } from '../../compute/cosines.js';
import { cosineRecovery } from './cosines.js';
import { firingRecovery, type FiringRecovery, type Firings } from './firing.js';
import { RECOVERY, type RecoveryParameters } from './options.js';
import type { World } from '../types.js';

/** Bumped when the same inputs give another recovery. */
export const RECOVERY_VERSION = 1;

/** How recovery is measured. */
export interface RecoveryOptions extends RecoveryParameters, CallOptions {}

/** Figures of an SAE on the world's samples; none of them can be fooled by chance alone, so none has a null. */
export interface RecoveryFigures {
  /** Mean true features per sample, and mean latents. */
  trueL0: number;
  saeL0: number;
  /** 1 − SSE/SST about the mean. */
  explainedVariance: number;
  /** Mean ‖x̂‖/‖x‖ over samples with x ≠ 0: SAELens's shrinkage, 1 = none. */
  shrinkage: number;
  /**
   * Median over features with a main latent of Σ latent·‖decoder row‖ / Σ code·‖feature‖ over the samples on which both
   * fire: below 1, the latent fires too weakly.
   */
  activationShrinkage: number;
  /** Latents that fire on no sample / latents. */
  deadShare: number;
  /** Features with |cosine| ≥ recoveredAt / features. */
  recoveredShare: number;
  /** Features whose share of absorbed firings is ≥ absorbedAt, and those of them absorbed mostly by descendants. */
  absorbedFeatures: number;
  absorbedByDescendants: number;
  /** Absorbed firings / firings, over features with a main latent: all, with children in the hierarchy, without. */
  absorptionRate: number;
  absorptionRateOfParents: number;
  absorptionRateOfOthers: number;
  /** Features with a main latent: those that absorption is counted over. */
  featuresWithMain: number;
  /** Features held by two or more latents. */
  splitFeatures: number;
}

export interface Recovery {
  /** Name and identity of the SAE or dictionary that was measured. */
  of: { name: string; id: string };
  world: { id: string; description: string };
  features: number;
  latents: number;
  /** Samples; 0 where a dictionary alone was given. */
  samples: number;
  scores: SimilarityScore[];
  /** Only of an SAE. */
  figures?: RecoveryFigures;
  /** By true feature: assigned latent by |cosine| (−1 = none) and that cosine, signed. */
  ofFeature: { latent: Int32Array; cosine: Float32Array };
  /** By latent: feature of largest |cosine| and that cosine, signed. */
  ofLatent: { feature: Int32Array; cosine: Float32Array };
  /**
   * Only of an SAE: detection by latent and by feature, latents matched by activation, absorption, latents per feature.
   */
  firing?: Pick<FiringRecovery, 'latents' | 'features' | 'correlated'>;
  absorption?: Absorption;
  splits?: Uint32Array;
}

export type RecoverySettings = Required<RecoveryParameters>;

/** Options with their defaults. */
export function recoverySettings(o: RecoveryParameters): RecoverySettings {
  const { runs, seed: from } = RECOVERY.nulls.members;
  const { samples, sampleSeed, floors, nulls, seed, recoveredAt, absorbedAt, mainCosine, absorberCosine, ...rest } =
    filled({ ...RECOVERY, floors: runs, nulls: runs, seed: from }, o);
  const { projectionShare } = rest;
  return {
    ...{ samples, sampleSeed, floors, nulls, seed, recoveredAt, absorbedAt, mainCosine, absorberCosine },
    projectionShare,
  };
}

/**
 * A dictionary [latents × dim] against the true one: MMCS both ways, signed and absolute, Hungarian-matched cosine, MCC
 * and uniqueness, each beside the floor of random dictionaries of the same size.
 */
export async function dictionaryRecovery(
  world: World,
  dictionary: Matrix,
  of: { name: string; id: string },
  options: RecoveryOptions = {},
): Promise<Recovery> {
  const { floors, seed } = recoverySettings(options);
  const { signal, onProgress } = options;
  const { scores, assigned, featureOf } = await cosineRecovery(world.dictionary, dictionary, {
    floors,
    seed,
    signal,
    onProgress,
  });
  return {
    of,
    world: { id: world.id, description: world.description },
    features: world.features,
    latents: dictionary.rows,
    samples: 0,
    scores,
    ofFeature: { latent: assigned.index, cosine: assigned.cosine },
    ofLatent: { feature: featureOf.index, cosine: featureOf.cosine },
  };
}

/**
 * An SAE against the world: what dictionaryRecovery says of its decoder, and over fresh samples the MCC of activations,
 * precision, recall and F1 of firing, shrinkage, dead share, absorption and splitting. Throws on an SAE of another
 * width.
 */
export async function saeRecovery(world: World, sae: Sae, options: RecoveryOptions = {}): Promise<Recovery> {
  const settings = recoverySettings(options);
  const { signal, onProgress } = options;
  const call = { signal, onProgress };
  if (sae.config.dIn !== world.dim)
    throw new RangeError(`the SAE takes activations of width ${sae.config.dIn} but the world has ${world.dim}`);
  const base = await dictionaryRecovery(world, sae.W_dec, { name: sae.name, id: sae.id }, options);
  const c = await cosines(world.dictionary, sae.W_dec, call);
  const norms = rowNorms(sae.W_dec);
  const absorption = new AbsorptionCounter(
    unitRows(world.dictionary),
    c,
    { norms, bias: sae.b_dec },
    base.ofFeature.latent,
    world.parents,
    settings,
  );
  const { firings, reconstruction } = await collect(world, sae, settings, absorption, call);
  const { nulls, seed, samples } = settings;
  const match = { featureOf: base.ofLatent.feature, assigned: base.ofFeature.latent };
  const firing = await firingRecovery(firings, match, { nulls, seed, signal, onProgress });
  const absorbed = absorption.finish();
  const splits = splitCounts(firings, bestOfColumns(c, false).index);
  const latentsPerSample = firings.latents.indptr[samples] / samples;
  const figures: RecoveryFigures = {
    trueL0: firings.codes.indptr[samples] / samples,
    saeL0: latentsPerSample,
    explainedVariance: reconstruction.explainedVariance,
    shrinkage: reconstruction.l2Ratio,
    activationShrinkage: activationShrinkage(firings, absorbed.main, norms, rowNorms(world.dictionary)),
    deadShare: firing.latents.firings.filter((n) => n === 0).length / sae.config.dSae,
    recoveredShare: base.ofFeature.cosine.filter((x) => Math.abs(x) >= settings.recoveredAt).length / world.features,
    ...absorptionFigures(absorbed, world.parents, settings.absorbedAt),
    splitFeatures: splits.filter((n) => n >= 2).length,
  };
  const { latents, features, correlated } = firing;
  return {
    ...base,
    samples,
    scores: [...base.scores, ...firing.scores],
    figures,
    firing: { latents, features, correlated },
    absorption: absorbed,
    splits,
  };
}

/** Runs the SAE over the samples; keeps what fires, sums up the rest. */
async function collect(
  world: World,
  sae: Sae,
  { samples, sampleSeed }: RecoverySettings,
  absorption: AbsorptionCounter,
  { signal, onProgress }: CallOptions,
): Promise<{ firings: Firings; reconstruction: ReturnType<ReconstructionSums['metrics']> }> {
  const sums = new ReconstructionSums(world.dim);
  const codes = new RowCollector(world.features);
  const latents = new RowCollector(sae.config.dSae);
  let done = 0;
  for await (const batch of world.sample(samples, { seed: sampleSeed, signal })) {
    checkAborted(signal, 'recovery');
    const { features, reconstruction } = reconstruct(sae, batch.x);
    sums.add(batch.x, reconstruction);
    absorption.add(batch.x, batch.codes, features);
    if (done === 0) {
      const perRow = (batch.codes.values.length + features.values.length) / batch.x.rows;
      requireMemory('the firings of the samples', 20 * perRow * samples);
    }
    codes.add(batch.codes);
    latents.add(features);
    done += batch.x.rows;
    onProgress?.({ label: 'recovery', done, total: samples, unit: 'samples' });
  }
  return {
    firings: { samples: done, codes: codes.rows(), latents: latents.rows() },
    reconstruction: sums.metrics(),
  };
}

/** CSR rows that arrive in batches, as one. */
export class RowCollector {
  private readonly parts: SparseRows[] = [];

  constructor(private readonly cols: number) {}

  add(rows: SparseRows): void {
    if (rows.cols !== this.cols) throw new RangeError(`rows of ${this.cols} columns expected but got ${rows.cols}`);
    this.parts.push(rows);
  }

  rows(): SparseRows {
    const count = this.parts.reduce((sum, p) => sum + p.rows, 0);
    const entries = this.parts.reduce((sum, p) => sum + p.indptr[p.rows], 0);
    const out: SparseRows = {
      rows: count,
      cols: this.cols,
      indptr: new Uint32Array(count + 1),
      indices: new Int32Array(entries),
      values: new Float32Array(entries),
    };
    let row = 0;
    let at = 0;
    for (const part of this.parts) {
      const end = part.indptr[part.rows];
      out.indices.set(part.indices.subarray(0, end), at);
      out.values.set(part.values.subarray(0, end), at);
      for (let i = 1; i <= part.rows; i++) out.indptr[row + i] = at + part.indptr[i];
      row += part.rows;
      at += end;
    }
    return out;
  }
}

/** Median over features with a main latent of the ratio of magnitudes where both fire; NaN when none ever does. */
function activationShrinkage(
  { samples, codes, latents }: Firings,
  main: Int32Array,
  decoderNorms: Float64Array,
  featureNorms: Float64Array,
): number {
  const truth = new Float64Array(main.length);
  const found = new Float64Array(main.length);
  const value = new Float32Array(latents.cols);
  for (let i = 0; i < samples; i++) {
    for (let p = latents.indptr[i]; p < latents.indptr[i + 1]; p++) value[latents.indices[p]] = latents.values[p];
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) {
      const f = codes.indices[p];
      const l = main[f];
      if (l < 0 || !(value[l] > 0)) continue;
      truth[f] += codes.values[p] * featureNorms[f];
      found[f] += value[l] * decoderNorms[l];
    }
    for (let p = latents.indptr[i]; p < latents.indptr[i + 1]; p++) value[latents.indices[p]] = 0;
  }
  const ratios = Array.from(truth.keys())
    .filter((f) => truth[f] > 0)
    .map((f) => found[f] / truth[f])
    .sort((a, b) => a - b);
  const half = ratios.length / 2;
  if (ratios.length === 0) return NaN;
  return Number.isInteger(half) ? (ratios[half - 1] + ratios[half]) / 2 : ratios[Math.floor(half)];
}

function absorptionFigures(
  { main, firings, absorbed, byDescendant }: Absorption,
  parents: Int32Array,
  absorbedAt: number,
): Pick<
  RecoveryFigures,
  | 'absorbedFeatures'
  | 'absorbedByDescendants'
  | 'absorptionRate'
  | 'absorptionRateOfParents'
  | 'absorptionRateOfOthers'
  | 'featuresWithMain'
> {
  const isParent = new Uint8Array(main.length);
  for (const p of parents) if (p >= 0) isParent[p] = 1;
  const all = Array.from(main.keys()).filter((f) => main[f] >= 0);
  const hit = all.filter((f) => firings[f] > 0 && absorbed[f] / firings[f] >= absorbedAt);
  const rate = (of: number[]): number =>
    of.reduce((sum, f) => sum + absorbed[f], 0) / of.reduce((sum, f) => sum + firings[f], 0);
  return {
    absorbedFeatures: hit.length,
    absorbedByDescendants: hit.filter((f) => byDescendant[f] > absorbed[f] / 2).length,
    absorptionRate: rate(all),
    absorptionRateOfParents: rate(all.filter((f) => isParent[f])),
    absorptionRateOfOthers: rate(all.filter((f) => !isParent[f])),
    featuresWithMain: all.length,
  };
}
