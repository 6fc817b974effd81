/** fg.interventions: change activations and see what moves. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { compare, type CompareOptions } from '../interventions/compare.js';
import { featureEffects, type FeatureEffect, type FeatureEffectOptions } from '../interventions/effects.js';
import { steer, steerFeature, type Intervention, type SteerOptions } from '../interventions/intervention.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import type { Environment } from './environment.js';
import { comparisonItems, tableItems, tableOf, withDisplay, type Displayed } from './present.js';

export interface InterventionsApi {
  /** Adds scale × vector at a hook. */
  steer(
    model: LanguageModel,
    hook: string,
    vector: Float32Array,
    options: SteerOptions & { name?: string },
  ): Intervention;
  /** Adds scale × the decoder row of a feature at the SAE's hook. */
  steerFeature(model: LanguageModel, sae: Sae, feature: number, options: SteerOptions): Intervention;
  /** Continues prompts before and after, with the same seed, and lists the next tokens that moved. */
  compare(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    prompts: string | readonly string[],
    options?: CompareOptions,
  ): Promise<Displayed<ComparisonDescriptor>>;
  /** Mean activation of every SAE feature before and after, over tokens; those that moved most first. */
  effects(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    sae: Sae,
    data: Tokens,
    options?: FeatureEffectOptions,
  ): Promise<Displayed<FeatureEffect[]>>;
}

const list = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? (one as readonly T[]) : [one as T]);

export function interventionsApi(env: Environment): InterventionsApi {
  return {
    steer,
    steerFeature,
    async compare(model, interventions, prompts, options) {
      const result = await env.call(options, (call) =>
        compare(model, list(interventions), list(prompts), { ...options, ...call }),
      );
      return withDisplay(result, () => comparisonItems(result));
    },
    async effects(model, interventions, sae, data, options) {
      const chosen = list(interventions);
      const result = await env.call(options, (call) =>
        featureEffects(model, chosen, sae, tokenSet(data, model), { ...options, ...call }),
      );
      const title = `Features moved by: ${chosen.map((i) => i.description).join('; ')}`;
      return withDisplay(result, () =>
        tableItems(
          tableOf(
            result.map((e) => ({ ...e })),
            title,
          ),
        ),
      );
    },
  };
}
