/** fg.interventions: what interventions do to features, logits and densities. */
import {
  densityEffects,
  featureEffects,
  type DensityEffect,
  type DensityOptions,
  type FeatureEffect,
  type FeatureEffectOptions,
} from '../interventions/effects.js';
import { describeAll, type Intervention } from '../interventions/intervention.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import type { Environment } from './environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { count, tableItems, tableOf, withDisplay, type Displayed } from './present.js';

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
    options?: FeatureEffectOptions,
  ): Promise<Displayed<FeatureEffect[]>>;
  /** Firing density of each SAE before and after: one row per layer, with paired tests over sequences. */
  densities(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    saes: Sae | readonly Sae[],
    data: Tokens,
    options?: DensityOptions,
  ): Promise<Displayed<DensityEffect[]>>;
}

const RUN = { sequences: true, batchTokens: true, ...CALL } as const;
const EFFECT_OPTIONS: OptionNames<FeatureEffectOptions> = {
  hook: true,
  top: true,
  allowOtherModel: true,
  untouched: true,
  test: true,
  permutations: true,
  seed: true,
  ...RUN,
};
const DENSITY_OPTIONS: OptionNames<DensityOptions> = { allowOtherModel: true, untouched: true, ...RUN };

const list = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? (one as readonly T[]) : [one as T]);

/** What the tests say and do not say, under every table of them. */
function testNote(rows: ReadonlyArray<{ n: number; untouched: number; sequences: number }>): string {
  const [{ n, untouched, sequences }] = rows;
  const left = untouched > 0 ? `; ${count(untouched)} untouched tokens left out` : '';
  return `means over ${count(n)} tokens${left}. Tests are paired over ${count(sequences)} sequences, since tokens of one sequence depend on each other`;
}

function effectRows(effects: readonly FeatureEffect[]): ReturnType<typeof tableOf>['rows'] {
  const several = new Set(effects.map((e) => `${e.sae} ${e.hook}`)).size > 1;
  return effects.map((e) => ({
    ...(several ? { hook: e.hook, SAE: e.sae } : {}),
    feature: e.feature,
    'mean before': e.before,
    'mean after': e.after,
    'Δ mean': e.delta,
    'fires on, before': e.firingBefore,
    'fires on, after': e.firingAfter,
    'effect size d_z': e.effectSize,
    't-test p (adjusted)': e.pTAdjusted,
    'rank or sign p (adjusted)': e.pAdjusted,
  }));
}

export function effectsApi(env: Environment): EffectsApi {
  return {
    async effects(model, interventions, saes, data, options) {
      requireGiven({ model, interventions, saes, data });
      requireOptions('fg.interventions.effects', options, EFFECT_OPTIONS);
      const chosen = list(interventions);
      const result = await env.call(options, (call) =>
        featureEffects(model, chosen, saes, tokenSet(data, model), { ...options, ...call }),
      );
      const title = `Features moved by: ${describeAll(chosen)}`;
      return withDisplay(result, () =>
        tableItems({
          ...tableOf(effectRows(result), title),
          note:
            result.length > 0
              ? `${testNote(result)}; p adjusted by Benjamini-Hochberg over ${count(result[0].tested)} features that fire`
              : 'no feature moved: does the intervention act before the hook of the SAE?',
        }),
      );
    },
    async densities(model, interventions, saes, data, options) {
      requireGiven({ model, interventions, saes, data });
      requireOptions('fg.interventions.densities', options, DENSITY_OPTIONS);
      const chosen = list(interventions);
      const result = await env.call(options, (call) =>
        densityEffects(model, chosen, saes, tokenSet(data, model), { ...options, ...call }),
      );
      return withDisplay(result, () =>
        tableItems({
          ...tableOf(
            result.map((e) => ({
              hook: e.hook,
              SAE: e.sae,
              'density before': e.densityBefore,
              'density after': e.densityAfter,
              'L0 before': e.l0Before,
              'L0 after': e.l0After,
              'Δ L0': e.delta,
              'effect size d_z': e.effectSize,
              't-test p': e.pT,
              'signed-rank p': e.p,
              tokens: e.n,
              'untouched, left out': e.untouched,
            })),
            `Firing density, before and after: ${describeAll(chosen)}`,
          ),
          note: 'tests are paired over sequences, since tokens of one sequence depend on each other',
        }),
      );
    },
  };
}
