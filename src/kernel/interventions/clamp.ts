/** Clamping, scaling and ablating features of an SAE. */
import { formatNumber } from '../../protocol/display.js';
import { filled } from '../verb/filled.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { requireSame } from '../artifacts/store.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { FeatureRows, featureSet, nameOf, type FeatureSet, type FeatureValues } from './features.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import { choice, real, required, value, whole, type Given } from '../verb/option.js';
import { rowIntervention, type Intervention, type RowChange, type RowEdit } from './intervention.js';
import { FEATURE, type FeatureOptions } from './options.js';
import type { FeatureSource } from './source.js';
import { decoderPeers, hookOf } from './steer.js';

/** A feature id, several, or every feature. */
export type Features = number | readonly number[] | Int32Array | 'all';

export interface FeatureEdit {
  what(name: string): string;
  parameters: JsonObject;
  /** The new values of the features, [rows × |set|], from their present ones. */
  wanted(now: FeatureValues, at: FeatureRowsAt): Float32Array;
  check?: RowEdit['check'];
}

/** Rows b·T + t of a pass, and the whole activation of the pass, [B·T, d]. */
export type FeatureRowsAt = Pick<RowChange, 'rows' | 'context' | 'all'>;

/** The intervention that sets some features of an SAE, all from one reading of the activation. */
export function featureIntervention(
  model: LanguageModel,
  sae: Sae,
  features: Features,
  options: FeatureOptions,
  edit: (set: FeatureSet, rows: FeatureRows) => FeatureEdit,
): Intervention {
  const set = featureSet(sae, features);
  requireModelOfSae(sae, model, options.allowOtherModel);
  const hook = hookOf(sae, options.hook);
  const chosen = new FeatureRows(sae, set);
  const { what, parameters, wanted, check } = edit(set, chosen);
  return rowIntervention(model, {
    hook,
    what: what(nameOf(sae, set)),
    parameters: { ...parameters, sae: sae.id, features: set === 'all' ? 'all' : [...set] },
    place: options,
    sae,
    peers: set === 'all' ? undefined : decoderPeers(sae, set),
    check,
    change({ x, original, rows, context, all, out }) {
      const step = Math.max(1, Math.floor(DENSE / chosen.ids.length));
      for (let first = 0; first < rows.length; first += step) {
        const part = (m: Matrix): Matrix => rowsFrom(m, first, step);
        const now = chosen.read(part(original));
        const values = wanted(now, { rows: rows.subarray(first, first + step), context, all });
        chosen.write(part(original), part(x), now, values, part(out));
      }
    },
  });
}

/** Values of features held dense at once. */
const DENSE = 1 << 22;

/** Some rows of a matrix, as a view. */
function rowsFrom(m: Matrix, first: number, count: number): Matrix {
  const rows = Math.min(count, m.rows - first);
  return matrix(rows, m.cols, m.data.subarray(first * m.cols, (first + rows) * m.cols));
}

export const CLAMP = {
  value: required(real({ doc: "Activation that the features get (c), in the SAE's own units. 0 is zero-ablation." })),
  ...FEATURE,
};

/**
 * Clamps features to c at every position chosen: x + (c − f)·W_dec[feature], where f is the activation as sae.encode
 * gives it (0 for a feature that a topk SAE does not select). Several features are clamped at once, from one reading.
 * Where a feature already has the value c, to the rounding of the encoder, nothing changes, bit for bit.
 * @throws RangeError on ids outside the SAE, an empty set, or another width.
 */
export function clamp(model: LanguageModel, sae: Sae, features: Features, options: Given<typeof CLAMP>): Intervention {
  const { value } = options;
  return featureIntervention(model, sae, features, options, () => ({
    what: (name) => `clamp ${name} to ${formatNumber(value)}`,
    parameters: { kind: 'clamp', value },
    wanted: (now) => new Float32Array(now.values.length).fill(value),
  }));
}

export const SCALE = {
  by: required(real({ doc: 'Factor: 1 changes nothing, 0 is zero-ablation, negative values turn the feature round.' })),
  ...FEATURE,
};

/**
 * Multiplies activations of features by s: x + (s − 1)·f·W_dec[feature]. Where a feature does not fire nothing changes.
 * @throws RangeError as clamp does.
 */
export function scale(model: LanguageModel, sae: Sae, features: Features, options: Given<typeof SCALE>): Intervention {
  const { by } = options;
  return featureIntervention(model, sae, features, options, () => ({
    what: (name) => `scale ${name} by ${formatNumber(by)}`,
    parameters: { kind: 'scale', by },
    wanted: (now) => now.values.map((f) => by * f),
  }));
}

export const ABLATE = {
  method: choice(['zero', 'mean', 'resample'], {
    doc: "'zero': activations become 0. 'mean': their mean over the tokens of `source`, silent ones included. 'resample': their activations on another token of `source`, drawn by `seed` for each position.",
    usual: 'zero',
  }),
  source: value<FeatureSource>('what fg.interventions.source returned', {
    doc: "Activations that 'mean' and 'resample' take values from.",
  }),
  seed: whole({ doc: "Of 'resample'.", usual: 0 }),
  ...FEATURE,
};

/**
 * Ablates a feature, a set, or 'all'. Resampling draws one token of the source for each position and takes every
 * feature of the set from it, so that features that fire together still do; a draw never is the very position that is
 * changed. The draw depends on seed, sequence and position alone, not on how many sequences run at once.
 * @throws RangeError as clamp does; TypeError when 'mean' or 'resample' has no source.
 */
export function ablate(
  model: LanguageModel,
  sae: Sae,
  features: Features,
  options: Given<typeof ABLATE> = {},
): Intervention {
  const { method, source, seed } = filled(ABLATE, options);
  if (method === 'zero' && source)
    throw new TypeError(
      "a source is given but zero-ablation takes no values from it; give method: 'mean' or 'resample'",
    );
  if (method === 'zero')
    return featureIntervention(model, sae, features, options, () => ({
      what: (name) => `ablate ${name}`,
      parameters: { kind: 'ablate', method },
      wanted: (now) => new Float32Array(now.values.length),
    }));
  if (!source) throw new TypeError(`${method}-ablation takes values from activations; give { source }`);
  if (source.sae !== sae.id)
    throw new RangeError(`the source holds activations of another SAE than ${sae.name}; make it with this SAE`);
  const hook = hookOf(sae, options.hook);
  if (source.hook !== hook)
    throw new RangeError(
      `the source holds activations at ${source.hook}, not at ${hook}; make it with { hook: ${JSON.stringify(hook)} }`,
    );
  if (!options.allowOtherModel)
    requireSame(
      'values for ablation come from the model that runs ({ allowOtherModel: true } overrides)',
      { name: `the source's model ${source.model.name}`, id: source.model.id },
      { name: `model ${model.name}`, id: model.id },
    );
  return featureIntervention(model, sae, features, options, (_, { ids }) => {
    const fill = method === 'mean' ? source.means(ids) : source.draws(ids, seed);
    return {
      what: (name) =>
        method === 'mean'
          ? `ablate ${name} to the mean over ${source.description}`
          : `resample ${name} from ${source.description} (seed ${seed})`,
      parameters: {
        kind: 'ablate',
        method,
        source: source.id,
        ...(method === 'resample' ? { seed } : {}),
      },
      wanted: (_now, { rows, context }) => fill(rows, context),
    };
  });
}
