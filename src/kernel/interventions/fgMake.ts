/** fg.interventions: the verbs that make interventions, and what these are made from. */
import type { SparseActivations } from '../activations/types.js';
import type { FeatureMap } from '../correlation/types.js';
import { looking } from '../models/edits.js';
import type { LanguageModel } from '../models/types.js';
import { textItem, withSummary } from '../present/items.js';
import { CONFORMANCE, pairs, promptTokens, tellConformance } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { argOf, CALL, requireThing, thing, words, type Arg } from '../verb/common.js';
import { byType, form, listOf } from '../verb/kinds.js';
import { renamed } from '../verb/nulls.js';
import { only, whole, written } from '../verb/option.js';
import type { Environment } from '../verb/environment.js';
import { syncVerb, verb } from '../verb/verb.js';
import { ABLATE, ablate as ablation, CLAMP, clamp as clamped, SCALE, scale as scaled, type Features } from './clamp.js';
import { direction as directionOf } from './direction.js';
import { modelArg, saeArg, textsArg, textsOf, textsOption, tokensOf, type TokenData } from './fgArgs.js';
import { saeOf, type Intervention } from './intervention.js';
import { ERROR, FEATURE, samples, SEQUENCES } from './options.js';
import {
  BOTH,
  bothModels as pairOfInterventions,
  PAIR,
  pairOf as matchedPair,
  SIDE,
  type MatchedPair,
  type ModelSide,
} from './pairs.js';
import { PATCH, patch as patched, patchFeatures as patchedFeatures } from './patch.js';
import { interventionPairings, pairingsOf } from './pairings.js';
import { placesOption } from './positions.js';
import { featureSource, savedSource, SOURCE, type FeatureSource } from './source.js';
import {
  CAP,
  capProjection,
  PROJECT,
  project as projected,
  STEER,
  steer as steered,
  steerFeature as steeredFeature,
  type Vector,
} from './steer.js';

const hookArg = words('hook', 'Hook to change, such as "blocks.0.hook_resid_post".');
const vectorArg = thing<Vector>(
  'vector',
  'A Float32Array of the width of the hook, or what direction returned.',
  (given, at) => {
    if (given instanceof Float32Array || given.vector instanceof Float32Array) return given;
    throw new TypeError(
      `${at} is ${written(given)}; expected a Float32Array or what fg.interventions.direction returned`,
    );
  },
);
const feature = whole({ doc: 'Id of the feature.', min: 0 });
const featureArg = argOf('feature', feature);
const features = byType(
  { texts: ['all'], number: feature, array: listOf(feature) },
  {
    doc: "Id of a feature, several in an array, or 'all'.",
    expected: "the id of a feature, several in an array, or 'all'",
  },
);
const featuresArg = argOf<Features>('features', {
  ...features,
  parse: (given, at) => (features.parse(given instanceof Int32Array ? [...given] : given, at), given as Features),
});
const mapArg = thing<FeatureMap>('map', 'What fg.correlation.map returned.');
/** The intervention that was made: where model.generate runs it, conformance looks as it does in verbs. */
function watched(env: Environment, made: Intervention): Intervention {
  const used = saeOf(made);
  if (!used) return made;
  const { model } = used;
  return looking(made, (tokens) =>
    tellConformance(env, interventionPairings(model, [made], promptTokens(model.tokenizer, tokens))),
  );
}

/** An intervention shows what it does. */
const described = ({ description }: { readonly description: string }) => [textItem(description)];

export const steer = syncVerb({
  doc: 'Adds scale × vector to the activation at a hook: any vector, a decoder row (see steerFeature), or what direction returned.',
  args: [modelArg, hookArg, vectorArg],
  options: { ...STEER, ...PROJECT },
  errors: ['A vector of another width than the hook, or with NaN or infinity, is refused.'],
  run: ({ options }, model, at, vector): Intervention => steered(model, at, vector, options),
  show: (made) => described(made),
});

export const steerFeature = syncVerb({
  doc: "Adds scale × the decoder row of a feature at the SAE's hook.",
  args: [modelArg, saeArg(), featureArg],
  options: { ...STEER, ...FEATURE },
  errors: ['An SAE of another model is refused, unless `allowOtherModel`.'],
  run: ({ env, options }, model, sae, feature): Intervention =>
    watched(env, steeredFeature(model, sae, feature, options)),
  show: (made) => described(made),
});

export const clamp = syncVerb({
  doc: 'Clamps a feature, several at once or all to a value: x + (value − f)·W_dec. f is the activation that sae.encode gives, so 0 where a topk SAE does not select the feature.',
  args: [modelArg, saeArg(), featuresArg],
  options: CLAMP,
  run: ({ env, options }, model, sae, features): Intervention => watched(env, clamped(model, sae, features, options)),
  show: (made) => described(made),
});

export const scale = syncVerb({
  doc: 'Multiplies activations of features. Where a feature does not fire nothing changes.',
  args: [modelArg, saeArg(), featuresArg],
  options: SCALE,
  run: ({ env, options }, model, sae, features): Intervention => watched(env, scaled(model, sae, features, options)),
  show: (made) => described(made),
});

export const ablate = syncVerb({
  doc: 'Ablates a feature, a set or all: to zero, to the mean over a source, or to the activations of another token of it.',
  args: [modelArg, saeArg(), featuresArg],
  options: ABLATE,
  errors: ['A source of another SAE, hook or model, and a source for zero-ablation, are refused.'],
  run: ({ env, options }, model, sae, features): Intervention => watched(env, ablation(model, sae, features, options)),
  show: (made) => described(made),
});

export const patch = syncVerb({
  doc: 'Replaces the activation at a hook by that of another prompt, or of another position of the same text: `prompt`, `from`, or both. A text patched from itself does not change, bit for bit.',
  args: [modelArg, hookArg],
  options: { ...PATCH, ...ERROR },
  errors: ['A patch with neither `prompt` nor `from` is refused.'],
  run: ({ options }, model, at): Intervention => patched(model, at, options),
  show: (made) => described(made),
});

export const patchFeatures = syncVerb({
  doc: 'Sets features to what they are in another prompt or at another position; other features and the error term stay.',
  args: [modelArg, saeArg(), featuresArg],
  options: { ...PATCH, ...FEATURE },
  errors: ['A patch with neither `prompt` nor `from` is refused.'],
  run: ({ env, options }, model, sae, features): Intervention =>
    watched(env, patchedFeatures(model, sae, features, options)),
  show: (made) => described(made),
});

export const project = syncVerb({
  doc: 'Takes the component along a direction out of the activation (orthogonal projection).',
  args: [modelArg, hookArg, vectorArg],
  options: PROJECT,
  run: ({ options }, model, at, vector): Intervention => projected(model, at, vector, options),
  show: (made) => described(made),
});

export const cap = syncVerb({
  doc: 'Lowers the component along a direction to a cap where it is above (projection cap).',
  args: [modelArg, hookArg, vectorArg],
  options: CAP,
  run: ({ options }, model, at, vector): Intervention => capProjection(model, at, vector, options),
  show: (made) => described(made),
});

export const direction = verb({
  doc: 'A direction to steer along: the mean activation of prompts (at their last token) or of a dataset (all tokens), less that of others where `minus` is given.',
  args: [
    modelArg,
    words('hook', 'Hook that is read.'),
    textsArg('plus', 'One prompt, several in an array, or a dataset.'),
  ],
  options: {
    minus: textsOption('What is taken away: a prompt, several in an array, or a dataset.'),
    positions: placesOption({
      doc: 'Positions whose activations are averaged.',
      fallback: "'last' of prompts, 'all' of datasets",
    }),
    samples: samples(),
    ...CALL,
  },
  async run({ options, call }, model, at, plus) {
    const { minus, positions, samples: sequences } = options;
    const less = minus === undefined ? undefined : textsOf(minus, model);
    const found = await directionOf(model, at, textsOf(plus, model), less, { positions, sequences, ...call });
    const norm = Math.hypot(...found.vector).toPrecision(4);
    // One line wherever it is shown, in arrays and prints too: the numbers of a vector mean nothing to a reader.
    return withSummary(found, () => `${found.description} at ${at} of ${model.name}, norm ${norm}`);
  },
});

const isSaved = (data: TokenData | SparseActivations): data is SparseActivations => 'statistics' in data;

export const source = verb({
  doc: "Feature activations over a dataset, or saved ones, which ablate's 'mean' and 'resample' take values from.",
  args: [
    modelArg,
    saeArg(),
    thing<TokenData | SparseActivations>('data', 'A dataset, or what fg.activations.save returned.'),
  ],
  options: { ...SOURCE, ...CONFORMANCE, ...CALL },
  before: pairs(({ hook, allowOtherModel }, model, sae, data) =>
    isSaved(data) ? [] : pairingsOf(model, [sae], tokensOf(data, model), { hook, allowOtherModel }),
  ),
  errors: ['Saved activations have their own hook and tokens: `hook` and `samples` are refused with them.'],
  check(options, _model, _sae, data) {
    const given = isSaved(data) && (['hook', 'samples'] as const).find((name) => options[name] !== undefined);
    if (given) throw new TypeError(`saved activations have their own hook and tokens: leave { ${given} } out`);
  },
  run: ({ options, call }, model, sae, data): Promise<FeatureSource> =>
    isSaved(data)
      ? savedSource(sae, data)
      : featureSource(model, sae, tokensOf(data, model), {
          ...renamed(only(SOURCE, options), SEQUENCES),
          ...call,
        }),
  show: ({ description }, _, _model, sae) => [textItem(`activations of ${sae.name} on ${description}`)],
});

export const pairOf = syncVerb({
  doc: 'The matched pair of a feature in a map: its counterpart in the other model and their correlation.',
  args: [mapArg, featureArg],
  options: SIDE,
  errors: ['A feature that is in no matched pair is refused.'],
  run: ({ options }, map, feature): MatchedPair => matchedPair(map, feature, options.side),
});

/** A model and its SAE, and further parts by name, each of which must be there. */
export const sideArg = <T extends { model: LanguageModel; sae: Sae }>(
  name: string,
  doc: string,
  ...further: ReadonlyArray<keyof T & string>
): Arg<T> =>
  thing<T>(name, doc, (given, at) => {
    for (const part of ['model', 'sae', ...further] as const) requireThing(given[part], `${at}.${part}`);
    return given;
  });
const modelSide = (name: string): Arg<ModelSide> =>
  sideArg(
    name,
    `Side ${name.toUpperCase()} of the map: { model, sae, activations }; units come from the activations.`,
    'activations',
  );

export const bothModels = syncVerb({
  doc: 'The same kind of intervention on a feature of A and on its counterpart in B, each in units of its own activation.',
  args: [
    modelSide('a'),
    modelSide('b'),
    mapArg,
    argOf(
      'feature',
      byType(
        { number: feature, object: form(PAIR, { doc: 'A matched pair.' }) },
        {
          doc: 'Id of the feature on `side`, or the pair that pairOf returned.',
          expected: 'the id of a feature, or { a, b, r }',
        },
      ),
    ),
  ],
  options: BOTH,
  errors: ['A feature that never fires has no unit but `raw`; ablating takes no amount.'],
  run({ env, options }, a, b, map, feature) {
    const made = pairOfInterventions(map, feature, { a, b }, only(BOTH, options));
    watched(env, made.a);
    watched(env, made.b);
    return made;
  },
  show: (made) => described(made),
});
