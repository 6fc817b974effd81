/** The same intervention in two models, through a matched pair of features. */
import { formatNumber } from '../../protocol/display.js';
import { requireSame } from '../artifacts/store.js';
import type { SparseActivations } from '../activations/types.js';
import { row } from '../compute/matrix.js';
import { countedTokens } from '../activations/statistics.js';
import { centredSquares } from '../compute/statistics.js';
import { rowNorms } from '../compute/rows.js';
import type { FeatureMap } from '../correlation/types.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { ablate, clamp, featureIntervention, scale } from './clamp.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import { choice, real, required, whole, type Given } from '../verb/option.js';
import type { Intervention } from './intervention.js';
import { allowOtherModel, PLACE } from './options.js';
import { hookOf, requireFeature, steer } from './steer.js';

/** A feature of A, its counterpart in B, and how well their activations correlate. */
export const PAIR = {
  a: required(whole({ doc: 'Feature of A.', min: 0 })),
  b: required(whole({ doc: 'Feature of B.', min: 0 })),
  r: required(real({ doc: 'Correlation of the two, or the measure of the map.' })),
};
export interface MatchedPair extends Given<typeof PAIR> {}

/** Which side of a map a feature is of. */
export const SIDE = {
  side: choice(['A', 'B'], { doc: 'Side of the map that the feature is given on.', usual: 'A' }),
};

/**
 * The matched pair of a feature: of the map's pairs that hold it the one of highest r, ties to the lower id.
 * @throws RangeError when the feature is outside the map or no pair holds it (dead, too few firings, below minR).
 */
export function pairOf(map: FeatureMap, feature: number, side: 'A' | 'B' = SIDE.side.usual): MatchedPair {
  const features = side === 'A' ? map.featuresA : map.featuresB;
  if (feature >= features)
    throw new RangeError(
      `feature ${feature} is outside side ${side} of the map, which has features 0 to ${features - 1}`,
    );
  const { a, b, r } = map.pairs;
  const own = side === 'A' ? a : b;
  const other = side === 'A' ? b : a;
  let best = -1;
  for (let i = 0; i < own.length; i++) {
    if (own[i] !== feature) continue;
    if (best < 0 || r[i] > r[best] || (r[i] === r[best] && other[i] < other[best])) best = i;
  }
  if (best < 0)
    throw new RangeError(
      `feature ${feature} of side ${side} is in no matched pair (${map.method}, at least ${map.minFirings} firings); the map's counterpart lists may still hold a near one`,
    );
  return { a: a[best], b: b[best], r: r[best] };
}

/** A model, its SAE, and saved activations of that SAE: what a unit of a feature's activation is. */
export interface ModelSide {
  /** Model that runs. */
  model: LanguageModel;
  /** SAE whose features the map pairs. */
  sae: Sae;
  /** Saved activations of the SAE, which the units come from. */
  activations: SparseActivations;
}

export const BOTH = {
  kind: required(
    choice(['steer', 'clamp', 'scale', 'ablate'], {
      doc: "'steer' adds what that much of the feature writes, 'clamp', 'scale', or 'ablate' to zero. Of an SAE that normalises its input by row a unit writes more where the row is larger; steering does so too.",
    }),
  ),
  amount: real({
    doc: 'How much: units that are added (steer) or that the activation gets (clamp), or the factor (scale). Not for ablate.',
  }),
  units: choice(['std', 'max', 'raw'], {
    doc: "What 1 is, in each model by itself, for steer and clamp: 'std', the standard deviation of the feature's activation over all tokens, silent ones included; 'max', its largest activation; 'raw', the SAE's own units.",
    usual: 'std',
  }),
  ...SIDE,
  ...PLACE,
  allowOtherModel,
};
export interface BothModelsOptions extends Given<typeof BOTH> {}

/** An intervention and its counterpart. */
export interface PairedInterventions {
  readonly pair: MatchedPair;
  /** For the first model. */
  readonly a: Intervention;
  /** For the second. */
  readonly b: Intervention;
  /** As shown to the user. */
  readonly description: string;
}

/**
 * The same kind of intervention on both features of a matched pair, each in units of its own feature.
 * @throws RangeError on a feature without a pair, one that never fires where units need it, and bad amounts;
 * MismatchError when activations, SAEs and models do not belong together.
 */
export function bothModels(
  map: FeatureMap,
  feature: number | MatchedPair,
  sides: { a: ModelSide; b: ModelSide },
  options: BothModelsOptions,
): PairedInterventions {
  const { kind, amount } = options;
  if ((kind === 'ablate') === (amount !== undefined))
    throw new TypeError(
      kind === 'ablate' ? 'ablating has no amount; leave it out' : `how much to ${kind} is not said; give { amount }`,
    );
  if (options.units !== undefined && (kind === 'scale' || kind === 'ablate'))
    throw new TypeError(`${kind} is the same in any units: leave { units } out`);
  const pair = typeof feature === 'number' ? pairOf(map, feature, options.side) : feature;
  requireSide('A', sides.a, map.featuresA, options.allowOtherModel);
  requireSide('B', sides.b, map.featuresB, options.allowOtherModel);
  const a = oneSide(sides.a, pair.a, options);
  const b = oneSide(sides.b, pair.b, options);
  return { pair, a, b, description: `A: ${a.description}; B: ${b.description} (r ${pair.r.toFixed(3)})` };
}

function requireSide(name: string, { model, sae, activations }: ModelSide, features: number, other?: boolean): void {
  requireModelOfSae(sae, model, other);
  if (sae.config.dSae !== features)
    throw new RangeError(`side ${name} of the map has ${features} features but ${sae.name} has ${sae.config.dSae}`);
  requireSame(
    `units of side ${name} come from activations of its SAE`,
    { name: `SAE ${sae.name}`, id: sae.id },
    { name: `the activations of ${activations.meta.sae.name}`, id: activations.meta.sae.id },
  );
}

/** One unit of a feature's activation. @throws RangeError when the feature never fires. */
export function unitOf({ sae, activations }: ModelSide, feature: number, units: 'std' | 'max' | 'raw'): number {
  requireFeature(sae, feature);
  if (units === 'raw') return 1;
  const { max, sum, sumSquares } = activations.statistics;
  const n = countedTokens(activations.meta);
  const variance = centredSquares(sum[feature], sumSquares[feature], n) / n;
  const unit = units === 'max' ? max[feature] : Math.sqrt(variance);
  if (!(unit > 0))
    throw new RangeError(
      `feature ${feature} of ${sae.name} ${max[feature] > 0 ? 'does not vary' : 'never fires'} in ${n.toLocaleString('en')} tokens: its ${units} is no unit; give units 'raw'`,
    );
  return unit;
}

function oneSide(side: ModelSide, feature: number, options: BothModelsOptions): Intervention {
  const { model, sae } = side;
  const { kind, amount = 0, units = BOTH.units.usual, positions, errorTerm, allowOtherModel } = options;
  const place = { positions, errorTerm, allowOtherModel };
  if (kind === 'ablate') return ablate(model, sae, feature, place);
  if (kind === 'scale') return scale(model, sae, feature, { by: amount, ...place });
  const value = amount * unitOf(side, feature, units);
  requireFeature(sae, feature);
  if (kind === 'clamp') return clamp(model, sae, feature, { value, ...place });
  if (sae.config.normalizeActivations !== 'none')
    return featureIntervention(model, sae, feature, place, () => ({
      what: (name) => `raise ${name} by ${formatNumber(value)}`,
      parameters: { kind: 'raise', value },
      wanted: (now) => now.values.map((f) => f + value),
    }));
  // One unit of a rescaled activation writes the decoder row at length 1.
  const norm = sae.config.rescaleActsByDecoderNorm
    ? rowNorms({ rows: 1, cols: sae.W_dec.cols, data: row(sae.W_dec, feature) })[0]
    : 1;
  return steer(model, hookOf(sae), row(sae.W_dec, feature), {
    scale: value / norm,
    positions,
    errorTerm,
    sae,
    name: `feature ${feature} of ${sae.name}`,
  });
}
