/** fg.interventions: change activations and see what moves. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { compare, type CompareOptions } from '../interventions/compare.js';
import { featureEffects, type FeatureEffect, type FeatureEffectOptions } from '../interventions/effects.js';
import {
  describeAll,
  steer,
  steerFeature,
  type Intervention,
  type SteerFeatureOptions,
  type SteerOptions,
} from '../interventions/intervention.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import type { Environment } from './environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { comparisonItems, count, tableItems, tableOf, withDisplay, type Displayed } from './present.js';

/** Change activations and see what moves. */
export interface InterventionsApi {
  /**
   * Adds scale × vector to the activation at a hook, at all positions or the last. Nothing runs yet: give the result to
   * compare or effects, or its `edit` to model.generate.
   */
  steer(
    model: LanguageModel,
    hook: string,
    vector: Float32Array,
    options: SteerOptions & {
      /** How the description names the vector; default "vector". */
      name?: string;
    },
  ): Intervention;
  /** Adds scale × the decoder row of a feature at the SAE's hook. An SAE of another model is refused. */
  steerFeature(model: LanguageModel, sae: Sae, feature: number, options: SteerFeatureOptions): Intervention;
  /**
   * Continues prompts before and after, with the same seed, and lists the probabilities of the first prompt's next token
   * that moved most.
   */
  compare(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    prompts: string | readonly string[],
    options?: CompareOptions,
  ): Promise<Displayed<ComparisonDescriptor>>;
  /** Mean activation and firing share of every SAE feature before and after, over tokens; those that moved most first. */
  effects(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    sae: Sae,
    data: Tokens,
    options?: FeatureEffectOptions,
  ): Promise<Displayed<FeatureEffect[]>>;
}

const STEER_OPTIONS = { scale: true, positions: true } as const;
const COMPARE_OPTIONS: OptionNames<CompareOptions> = {
  tokens: true,
  temperature: true,
  topK: true,
  seed: true,
  top: true,
  ...CALL,
};
const EFFECT_OPTIONS: OptionNames<FeatureEffectOptions> = {
  hook: true,
  sequences: true,
  top: true,
  allowOtherModel: true,
  ...CALL,
};

const list = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? (one as readonly T[]) : [one as T]);

export function interventionsApi(env: Environment): InterventionsApi {
  return {
    steer(model, hook, vector, options) {
      requireGiven({ model, vector, options });
      requireOptions('fg.interventions.steer', options, { ...STEER_OPTIONS, name: true });
      return steer(model, hook, vector, options);
    },
    steerFeature(model, sae, feature, options) {
      requireGiven({ model, sae, options });
      requireOptions('fg.interventions.steerFeature', options, { ...STEER_OPTIONS, hook: true, allowOtherModel: true });
      return steerFeature(model, sae, feature, options);
    },
    async compare(model, interventions, prompts, options) {
      requireGiven({ model, interventions });
      requireOptions('fg.interventions.compare', options, COMPARE_OPTIONS);
      const result = await env.call(options, (call) =>
        compare(model, list(interventions), list(prompts), { ...options, ...call }),
      );
      return withDisplay(result, () => comparisonItems(result));
    },
    async effects(model, interventions, sae, data, options) {
      requireGiven({ model, interventions, sae, data });
      requireOptions('fg.interventions.effects', options, EFFECT_OPTIONS);
      const chosen = list(interventions);
      const result = await env.call(options, (call) =>
        featureEffects(model, chosen, sae, tokenSet(data, model), { ...options, ...call }),
      );
      const title = `Features moved by: ${describeAll(chosen)}`;
      return withDisplay(result, () =>
        tableItems({
          ...tableOf(
            result.map((e) => ({
              feature: e.feature,
              'mean before': e.before,
              'mean after': e.after,
              'Δ mean': e.delta,
              'fires on, before': e.firingBefore,
              'fires on, after': e.firingAfter,
            })),
            title,
          ),
          note:
            result.length > 0
              ? `means and shares over ${count(result[0].n)} tokens`
              : 'no feature moved: does the intervention act before the hook of the SAE?',
        }),
      );
    },
  };
}
