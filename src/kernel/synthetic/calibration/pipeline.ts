/** The mapping pipeline on twins, scored against truth: from the true codes, or from SAEs trained on the two models. */
import { filled } from '../../verb/filled.js';
import { pushAll } from '../../../protocol/lists.js';
import type { CallOptions } from '../../compute/call.js';
import { correlate } from '../../correlation/map.js';
import type { Match } from '../../correlation/match.js';
import type { Sae } from '../../sae/types.js';
import type { NullsApart } from '../../verb/nulls.js';
import { real, several, whole, type Given } from '../../verb/option.js';
import { SCORED, scorePairs, type MethodSummary, type ReliabilityRow, type ThresholdRow } from './pairs.js';
import { sampleActivations } from '../recovery/activations.js';
import { bestOfColumns, cosines } from '../../compute/cosines.js';
import { latentRelations, relationsOf, type Relations } from '../twins/truth.js';
import type { Twins } from '../twins/twins.js';
import type { TwinSaes } from '../args.js';
import type { World } from '../types.js';

/** Bumped when the same inputs give another calibration. */
export const CALIBRATION_VERSION = 2;

export const MATCHERS: readonly Match[] = ['argmax', 'mutual', 'one-to-one'];

export const CALIBRATE = {
  samples: whole({ doc: 'Events correlated over.', min: 1, usual: 20_000 }),
  sampleSeed: whole({
    doc: 'Of the events: others than those an SAE was trained on.',
    usual: 1_000_003,
  }),
  methods: several(MATCHERS, { doc: 'Matchers.', usual: MATCHERS, fallback: 'all' }),
  minFirings: whole({ doc: 'Features that fire more rarely take no part.', min: 0, usual: 10 }),
  minCosine: real({
    doc: 'With SAEs: a latent holds the feature of largest |cosine| when it is at least this.',
    min: 0,
    max: 1,
    usual: 0.7,
  }),
  ...SCORED,
};
export interface CalibrationParameters extends NullsApart<Given<typeof CALIBRATE>> {}

export interface CalibrateOptions extends CalibrationParameters, CallOptions {
  /** SAEs trained on twins.a and twins.b; default the true codes themselves. */
  saes?: TwinSaes;
}

export interface Calibration {
  /** "true codes", or the names of the SAEs. */
  from: string;
  twins: string;
  samples: number;
  /** Features (or latents) of either side, and those of B with a counterpart in A. */
  featuresA: number;
  featuresB: number;
  findable: number;
  /** One per method. */
  summaries: MethodSummary[];
  thresholds: ThresholdRow[];
  reliability: ReliabilityRow[];
  nulls: number;
  seed: number;
}

/** Which feature every latent holds: largest |cosine|. */
async function held(world: World, sae: Sae, call: CallOptions): Promise<{ feature: Int32Array; cosine: Float32Array }> {
  if (sae.config.dIn !== world.dim)
    throw new RangeError(
      `${sae.name} takes activations of width ${sae.config.dIn} but ${world.description} has ${world.dim}: give { saes: { a, b } } in the order of the twins`,
    );
  const { index, cosine } = bestOfColumns(await cosines(world.dictionary, sae.W_dec, call), true);
  return { feature: index, cosine };
}

async function truthFor(twins: Twins, options: CalibrateOptions, call: CallOptions): Promise<Relations> {
  const truth = relationsOf(twins.truth, twins.a.features, twins.b.features);
  if (!options.saes) return truth;
  const a = await held(twins.a, options.saes.a, call);
  const b = await held(twins.b, options.saes.b, call);
  return latentRelations(truth, a, b, options.minCosine ?? CALIBRATE.minCosine.usual);
}

/**
 * Correlates the activations of both twins over the same events, matches, and holds the pairs against truth. Recall is
 * over features of B that have a counterpart in A; with SAEs, over latents of B whose feature has one that an SAE of A
 * holds.
 */
export async function calibrateTwins(twins: Twins, options: CalibrateOptions = {}): Promise<Calibration> {
  const { runs, seed: from } = CALIBRATE.nulls.members;
  const { samples, sampleSeed, methods, minFirings, saes } = filled(CALIBRATE, options);
  const { signal, onProgress, thresholds, bin, nulls = runs.usual, seed = from.usual } = options;
  const call = { signal, onProgress };
  const stream = { ...call, samples, seed: sampleSeed, events: twins.events.id };
  const truth = await truthFor(twins, options, call);
  const a = await sampleActivations(twins.a, saes?.a, stream);
  const b = await sampleActivations(twins.b, saes?.b, stream);
  const result: Calibration = {
    from: saes ? `SAEs ${saes.a.name} and ${saes.b.name}` : 'true codes',
    twins: twins.id,
    samples,
    featuresA: truth.featuresA,
    featuresB: truth.featuresB,
    findable: truth.findable.length,
    summaries: [],
    thresholds: [],
    reliability: [],
    nulls,
    seed,
  };
  for (const match of methods) {
    const { pairs } = await correlate(a, b, { ...call, match, minFirings, counterparts: 1 });
    const scored = scorePairs(pairs, truth, match, { thresholds, bin, nulls, seed });
    result.summaries.push(scored.summary);
    pushAll(result.thresholds, scored.thresholds);
    pushAll(result.reliability, scored.reliability);
  }
  return result;
}
