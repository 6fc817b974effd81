/** fg.interventions: changes to activations, and the same prompts with and without them. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import type { SparseActivations } from '../activations/types.js';
import type { FeatureMap } from '../correlation/types.js';
import {
  ablate,
  clamp,
  scale,
  type AblateOptions,
  type ClampOptions,
  type Features,
  type ScaleOptions,
} from '../interventions/clamp.js';
import { compare, type CompareOptions } from '../interventions/compare.js';
import { direction, type DirectionOptions } from '../interventions/direction.js';
import { describeAll, requireRunnable, type Intervention } from '../interventions/intervention.js';
import {
  bothModels,
  pairOf,
  type BothModelsOptions,
  type MatchedPair,
  type ModelSide,
  type PairedInterventions,
} from '../interventions/pairs.js';
import { patch, patchFeatures, type PatchFeaturesOptions, type PatchOptions } from '../interventions/patch.js';
import { run, type RunOptions, type RunResult } from '../interventions/run.js';
import { featureSource, savedSource, type FeatureSource, type SourceOptions } from '../interventions/source.js';
import {
  capProjection,
  project,
  steer,
  steerFeature,
  type CapOptions,
  type Direction,
  type ProjectOptions,
  type SteerFeatureOptions,
  type SteerOptions,
  type Vector,
} from '../interventions/steer.js';
import type { LanguageModel } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import type { Sae } from '../sae/types.js';
import { Dataset, tokenSet, type Tokens } from './datasets.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { comparisonItems, count, withDisplay, withSummary, type Displayed } from '../present/items.js';

/** One prompt, several, or a data set. */
type Side = string | readonly string[] | Tokens;

/**
 * Change activations and see what moves. An intervention is a value: nothing runs when it is made (but a patch reads its
 * prompt once), it prints what it does, and it goes into run, compare, effects, fg.activations.save, fg.sae.evaluate and model.generate({ interventions }).
 * Several act in the order in which the model reaches their hooks, at one hook in the order given: each sees what the one
 * before left, features re-encoded.
 */
export interface InterventionsApi {
  /**
   * Adds scale × vector to the activation at a hook: any vector, a decoder row (see steerFeature), or what direction()
   * returned. A scale of 0 changes nothing, bit for bit.
   */
  steer(
    model: LanguageModel,
    hook: string,
    vector: Vector,
    options: SteerOptions & {
      /** How the description names the vector; default "vector" or the direction's own words. */
      name?: string;
    },
  ): Intervention;
  /** Adds scale × the decoder row of a feature at the SAE's hook. An SAE of another model is refused. */
  steerFeature(model: LanguageModel, sae: Sae, feature: number, options: SteerFeatureOptions): Intervention;
  /**
   * A direction to steer along: the mean activation of prompts (at their last token) or of a dataset (all tokens), less
   * that of others where `minus` is given: await fg.interventions.direction(lm, hook, ' love', ' hate').
   */
  direction(
    model: LanguageModel,
    hook: string,
    plus: Side,
    minus?: Side | null,
    options?: DirectionOptions,
  ): Promise<Direction>;
  /**
   * Clamps a feature, several at once or 'all' to { value }: x + (value − f)·W_dec. f is the activation that sae.encode
   * gives, so 0 where a topk SAE does not select the feature. What the SAE does not explain stays, unless { errorTerm:
   * 'drop' }.
   */
  clamp(model: LanguageModel, sae: Sae, features: Features, options: ClampOptions): Intervention;
  /** Multiplies activations of features by { by }. Where a feature does not fire nothing changes. */
  scale(model: LanguageModel, sae: Sae, features: Features, options: ScaleOptions): Intervention;
  /**
   * Ablates a feature, a set or 'all': to zero, to the mean over { source }, or to the activations of another token of it
   * drawn by the seed. Sources are made by source().
   */
  ablate(model: LanguageModel, sae: Sae, features: Features, options?: AblateOptions): Intervention;
  /** Feature activations over a dataset, or saved ones, which ablate's 'mean' and 'resample' take values from. */
  source(
    model: LanguageModel,
    sae: Sae,
    data: Tokens | SparseActivations,
    options?: SourceOptions,
  ): Promise<FeatureSource>;
  /**
   * Replaces the activation at a hook by that of another prompt, or of another position of the same text: { prompt },
   * { from }, or both. A text patched from itself does not change, bit for bit.
   */
  patch(model: LanguageModel, hook: string, options: PatchOptions): Intervention;
  /** Sets features to what they are in another prompt or at another position; other features and the error term stay. */
  patchFeatures(model: LanguageModel, sae: Sae, features: Features, options: PatchFeaturesOptions): Intervention;
  /** Takes the component along a direction out of the activation (orthogonal projection). */
  project(model: LanguageModel, hook: string, vector: Vector, options?: ProjectOptions): Intervention;
  /** Lowers the component along a direction to { cap } where it is above (projection cap). */
  cap(model: LanguageModel, hook: string, vector: Vector, options: CapOptions): Intervention;
  /** The matched pair of a feature in a map: its counterpart in the other model and their correlation. */
  pairOf(map: FeatureMap, feature: number, side?: 'A' | 'B'): MatchedPair;
  /**
   * The same kind of intervention on a feature of A and on its counterpart in B, each in units of its own activation: its
   * standard deviation ('std'), its largest activation ('max'), or as it is ('raw').
   */
  bothModels(
    map: FeatureMap,
    feature: number | MatchedPair,
    a: ModelSide,
    b: ModelSide,
    options: BothModelsOptions,
  ): PairedInterventions;
  /** Runs one text (or its token ids) with interventions: logits [T, vocab], and activations at the hooks in { capture }. */
  run(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    text: string | Int32Array,
    options?: RunOptions,
  ): Promise<RunResult>;
  /**
   * Refuses, by name, interventions that cannot act as meant on a prompt or dataset: a position beyond its end, a token that
   * does not occur, a pattern without a match, another model. Every call does this itself before anything runs.
   */
  validate(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    text: string | Int32Array | Tokens,
  ): void;
  /**
   * Continues prompts before and after, with the same seed (several with { samples } and a temperature), and lists
   * probabilities and logits of the first prompt's next token: of those whose probability moved most, or of { watch }.
   */
  compare(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    prompts: string | readonly string[],
    options?: CompareOptions,
  ): Promise<Displayed<ComparisonDescriptor>>;
}

const PLACE = { positions: true, errorTerm: true } as const;
const FEATURE = { ...PLACE, hook: true, allowOtherModel: true } as const;
const PATCH = { prompt: true, from: true } as const;
const STEER_OPTIONS = { ...PLACE, scale: true, normalize: true } as const;
const SOURCE_OPTIONS: OptionNames<SourceOptions> = { hook: true, sequences: true, allowOtherModel: true, ...CALL };
const PAIR_OPTIONS: OptionNames<BothModelsOptions> = {
  ...PLACE,
  kind: true,
  amount: true,
  units: true,
  side: true,
  allowOtherModel: true,
};
const COMPARE_OPTIONS: OptionNames<CompareOptions> = {
  tokens: true,
  temperature: true,
  topK: true,
  seed: true,
  samples: true,
  top: true,
  watch: true,
  ...CALL,
};
const list = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? (one as readonly T[]) : [one as T]);
const told = (one: Intervention): Intervention => withSummary(one, () => one.description);

/** A dataset as the model's tokens; prompts as they are. */
const sideOf = (side: Side, model: LanguageModel) =>
  typeof side === 'string' || Array.isArray(side)
    ? (side as string | readonly string[])
    : tokenSet(side as Tokens, model);

const isSaved = (data: Tokens | SparseActivations): data is SparseActivations =>
  !(data instanceof Dataset) && 'statistics' in data;

/** Everything that makes an intervention. */
function makers(): Pick<
  InterventionsApi,
  'steer' | 'steerFeature' | 'clamp' | 'scale' | 'ablate' | 'patch' | 'patchFeatures' | 'project' | 'cap'
> {
  const check = <T extends object>(
    name: string,
    given: object,
    options: T | undefined,
    known: OptionNames<T>,
  ): void => {
    requireGiven(given as Record<string, unknown>);
    requireOptions(`fg.interventions.${name}`, options, known);
  };
  return {
    steer(model, hook, vector, options) {
      check('steer', { model, vector, options }, options, { ...STEER_OPTIONS, sae: true, name: true });
      return told(steer(model, hook, vector, options));
    },
    steerFeature(model, sae, feature, options) {
      check('steerFeature', { model, sae, options }, options, { ...STEER_OPTIONS, hook: true, allowOtherModel: true });
      return told(steerFeature(model, sae, feature, options));
    },
    clamp(model, sae, features, options) {
      check('clamp', { model, sae, options }, options, { ...FEATURE, value: true });
      return told(clamp(model, sae, features, options));
    },
    scale(model, sae, features, options) {
      check('scale', { model, sae, options }, options, { ...FEATURE, by: true });
      return told(scale(model, sae, features, options));
    },
    ablate(model, sae, features, options) {
      check('ablate', { model, sae }, options, { ...FEATURE, method: true, source: true, seed: true });
      return told(ablate(model, sae, features, options));
    },
    patch(model, hook, options) {
      check('patch', { model, options }, options, { ...PLACE, ...PATCH, sae: true });
      return told(patch(model, hook, options));
    },
    patchFeatures(model, sae, features, options) {
      check('patchFeatures', { model, sae, options }, options, { ...FEATURE, ...PATCH });
      return told(patchFeatures(model, sae, features, options));
    },
    project(model, hook, vector, options) {
      check('project', { model, vector }, options, { ...PLACE, sae: true, name: true });
      return told(project(model, hook, vector, options));
    },
    cap(model, hook, vector, options) {
      check('cap', { model, vector, options }, options, { ...PLACE, sae: true, name: true, cap: true });
      return told(capProjection(model, hook, vector, options));
    },
  };
}

/** What interventions are made from. */
function materials(env: Environment): Pick<InterventionsApi, 'direction' | 'source' | 'pairOf' | 'bothModels'> {
  return {
    async direction(model, hook, plus, minus, options) {
      requireGiven({ model });
      requireOptions('fg.interventions.direction', options, { positions: true, sequences: true, ...CALL });
      const made = await env.call(options, (call) =>
        direction(
          model,
          hook,
          sideOf(plus, model),
          minus === undefined || minus === null ? undefined : sideOf(minus, model),
          { ...options, ...call },
        ),
      );
      return withSummary(
        made,
        () => `${made.description} at ${hook} of ${model.name}, norm ${Math.hypot(...made.vector).toPrecision(4)}`,
      );
    },
    async source(model, sae, data, options) {
      requireGiven({ model, sae, data });
      requireOptions('fg.interventions.source', options, SOURCE_OPTIONS);
      const given = isSaved(data) && (['hook', 'sequences'] as const).find((name) => options?.[name] !== undefined);
      if (given) throw new TypeError(`saved activations have their own hook and tokens: leave { ${given} } out`);
      const made = await env.call(options, (call) =>
        isSaved(data)
          ? savedSource(sae, data)
          : featureSource(model, sae, tokenSet(data, model), { ...options, ...call }),
      );
      return withSummary(made, () => `activations of ${sae.name} on ${made.description}`);
    },
    pairOf(map, feature, side) {
      requireGiven({ map });
      return pairOf(map, feature, side);
    },
    bothModels(map, feature, a, b, options) {
      requireGiven({ map, a, b, options });
      requireOptions('fg.interventions.bothModels', options, PAIR_OPTIONS);
      const made = bothModels(map, feature, { a, b }, options);
      return withSummary(made, () => made.description);
    },
  };
}

export function interventionsApi(env: Environment): InterventionsApi {
  return {
    ...makers(),
    ...materials(env),
    async run(model, interventions, text, options) {
      requireGiven({ model, interventions });
      requireOptions('fg.interventions.run', options, { capture: true, ...CALL });
      const chosen = list(interventions);
      const result = await env.call(options, (call) => run(model, chosen, text, { ...options, ...call }));
      const captured = Object.keys(result.captured).join(', ');
      return withSummary(
        result,
        () =>
          `${count(result.tokens.length)} tokens through ${model.name}, ${describeAll(chosen)}${captured ? `; captured ${captured}` : ''}`,
      );
    },
    validate(model, interventions, text) {
      requireGiven({ model, interventions });
      const tokens =
        typeof text === 'string'
          ? encodePrompt(model.tokenizer, text)
          : text instanceof Int32Array
            ? text
            : tokenSet(text, model);
      requireRunnable(model, list(interventions), tokens);
    },
    async compare(model, interventions, prompts, options) {
      requireGiven({ model, interventions });
      requireOptions('fg.interventions.compare', options, COMPARE_OPTIONS);
      const result = await env.call(options, (call) =>
        compare(model, list(interventions), list(prompts), { ...options, ...call }),
      );
      return withDisplay(result, () => comparisonItems(result));
    },
  };
}
