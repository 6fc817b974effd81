/** fg.interventions: what interventions do to features, predictions, maps and other models. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import {
  densityEffects,
  featureEffects,
  saesAt,
  type DensityEffect,
  type DensityOptions,
  type FeatureEffect,
  type FeatureEffectOptions,
} from '../interventions/effects.js';
import { describeAll, identityOf, type Intervention } from '../interventions/intervention.js';
import { logitEffects, type LogitEffectOptions, type LogitEffects } from '../interventions/logitEffects.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { tellConformance } from '../sae/conformance.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import { densityTable, effectTable, logitTable } from './effectTables.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { kept, type KeepOptions } from './kept.js';
import { withDisplay, type Displayed } from '../present/items.js';

/** One prompt, several, or a data set. */
export type Texts = string | readonly string[] | Tokens;

export interface FitOption {
  /** Look once whether each SAE fits the model's activations, and warn when it does not; default true. */
  conformance?: boolean;
}

/** What interventions do. */
export interface EffectsApi {
  /**
   * Mean activation and firing share of every feature before and after, of one SAE or of several at hooks downstream, over
   * the tokens that the interventions can have touched; those that moved most first, with paired tests over sequences.
   */
  effects(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    saes: Sae | readonly Sae[],
    data: Tokens,
    options?: FeatureEffectOptions & KeepOptions & FitOption,
  ): Promise<Displayed<FeatureEffect[]>>;
  /** Firing density of each SAE before and after: one row per layer, with paired tests over sequences. */
  densities(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    saes: Sae | readonly Sae[],
    data: Tokens,
    options?: DensityOptions & KeepOptions & FitOption,
  ): Promise<Displayed<DensityEffect[]>>;
  /**
   * Logits and probabilities of chosen tokens, or of those that moved most, before and after; the divergence of the two
   * predictions and the loss, by token and position. Beside each stand directions of the same norm that
   * mean nothing: random ones, differences of two tokens' activations and other decoder rows.
   */
  logitEffects(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    data: Texts,
    options?: LogitEffectOptions & KeepOptions,
  ): Promise<Displayed<LogitEffects>>;
}

const RUN = { sequences: true, batchTokens: true, ...CALL } as const;
const EFFECT_OPTIONS: OptionNames<FeatureEffectOptions & KeepOptions & FitOption> = {
  hook: true,
  top: true,
  allowOtherModel: true,
  conformance: true,
  untouched: true,
  test: true,
  permutations: true,
  seed: true,
  fresh: true,
  ...RUN,
};
const DENSITY_OPTIONS: OptionNames<DensityOptions & KeepOptions & FitOption> = {
  allowOtherModel: true,
  conformance: true,
  untouched: true,
  fresh: true,
  ...RUN,
};
const LOGIT_OPTIONS: OptionNames<LogitEffectOptions & KeepOptions> = {
  tokens: true,
  top: true,
  positions: true,
  untouched: true,
  nulls: true,
  nullKinds: true,
  seed: true,
  fresh: true,
  ...RUN,
};

/** Of every result in this file and its neighbours: raised when numbers change. */
export const EFFECTS_VERSION = 3;

export const listOf = <T>(one: T | readonly T[]): readonly T[] =>
  Array.isArray(one) ? (one as readonly T[]) : [one as T];

/** Prompts as they are, a data set as the model's tokens; with what identifies them. */
export function textsOf(
  data: Texts,
  model: LanguageModel,
): { texts: string | readonly string[] | TokenSet; parameters: JsonObject; inputs: Record<string, string> } {
  if (typeof data === 'string') return { texts: [data], parameters: { prompts: [data] }, inputs: {} };
  if (Array.isArray(data)) {
    const prompts = data as readonly string[];
    const wrong = prompts.find((prompt) => typeof prompt !== 'string');
    if (wrong !== undefined) throw new TypeError(`prompts are texts but one is ${typeof wrong}`);
    return { texts: prompts, parameters: { prompts: [...prompts] }, inputs: {} };
  }
  requireGiven({ data });
  const tokens = tokenSet(data as Tokens, model);
  return { texts: tokens, parameters: {}, inputs: { tokens: tokens.id } };
}

/** Parameters of a result: its options, and what the interventions say of themselves. */
export function keyOf(
  kind: string,
  options: CallOptions | undefined,
  interventions: readonly JsonObject[],
  inputs: Record<string, string>,
  more: JsonObject = {},
) {
  const parameters = {
    ...parametersOf(options ?? {}, ['batchTokens', 'sae']),
    ...(interventions.length > 0 ? { interventions: [...interventions] } : {}),
    ...more,
  };
  return { kind, parameters, inputs, codeVersion: EFFECTS_VERSION };
}

/** Identities of SAEs by their place. */
export const saeInputs = (saes: readonly Sae[]): Record<string, string> =>
  Object.fromEntries(saes.map((sae, i) => [`sae${i}`, sae.id]));

/** Says once of each SAE whether it fits the model's activations. */
async function tellAll(
  env: Environment,
  model: LanguageModel,
  saes: readonly Sae[],
  tokens: TokenSet,
  options: CallOptions & { hook?: string; allowOtherModel?: boolean },
): Promise<void> {
  // What cannot be meant is refused before anything runs.
  const at = saesAt(model, saes, options);
  await env.call(options, async (call) => {
    for (const { sae, hook } of at) await tellConformance(env, { model, sae, tokens, hook }, call);
  });
}

export function effectsApi(env: Environment): EffectsApi {
  return {
    async effects(model, interventions, saes, data, given) {
      requireGiven({ model, interventions, saes, data });
      requireOptions('fg.interventions.effects', given, EFFECT_OPTIONS);
      const [chosen, tokens] = [listOf(interventions), tokenSet(data, model)];
      const { conformance = true, ...options } = given ?? {};
      if (conformance) await tellAll(env, model, listOf(saes), tokens, options);
      const inputs = { model: model.id, tokens: tokens.id, ...saeInputs(listOf(saes)) };
      const result = await env.call(options, (call) =>
        kept(env, 'Effects on features', keyOf('effects', options, identityOf(model, chosen), inputs), options, () =>
          featureEffects(model, chosen, saes, tokens, { ...options, ...call }),
        ),
      );
      return withDisplay(result, () => effectTable(result, describeAll(chosen)));
    },
    async densities(model, interventions, saes, data, given) {
      requireGiven({ model, interventions, saes, data });
      requireOptions('fg.interventions.densities', given, DENSITY_OPTIONS);
      const [chosen, tokens] = [listOf(interventions), tokenSet(data, model)];
      const { conformance = true, ...options } = given ?? {};
      if (conformance) await tellAll(env, model, listOf(saes), tokens, options);
      const inputs = { model: model.id, tokens: tokens.id, ...saeInputs(listOf(saes)) };
      const result = await env.call(options, (call) =>
        kept(env, 'Firing densities', keyOf('densities', options, identityOf(model, chosen), inputs), options, () =>
          densityEffects(model, chosen, saes, tokens, { ...options, ...call }),
        ),
      );
      return withDisplay(result, () => densityTable(result, describeAll(chosen)));
    },
    async logitEffects(model, interventions, data, options) {
      requireGiven({ model, interventions });
      requireOptions('fg.interventions.logitEffects', options, LOGIT_OPTIONS);
      const chosen = listOf(interventions);
      const { texts, parameters, inputs } = textsOf(data, model);
      const key = keyOf(
        'logit-effects',
        options,
        identityOf(model, chosen),
        { model: model.id, ...inputs },
        parameters,
      );
      const result = await env.call(options, (call) =>
        kept(env, 'Effects on predictions', key, options, () =>
          logitEffects(model, chosen, texts, { ...options, ...call }),
        ),
      );
      return withDisplay(result, () => logitTable(result, describeAll(chosen)));
    },
  };
}
