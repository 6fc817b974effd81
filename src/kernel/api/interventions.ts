/** fg.interventions: change activations and see what moves. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { compare, type CompareOptions } from '../interventions/compare.js';
import {
  steer,
  steerFeature,
  type Intervention,
  type SteerFeatureOptions,
  type SteerOptions,
} from '../interventions/intervention.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import type { Environment } from './environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { comparisonItems, withDisplay, type Displayed } from './present.js';

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
  };
}
