/** fg.activations: sparse feature activations on disk, and the dataset examples in them. */
import type { FeatureExample } from '../../protocol/map.js';
import { from } from '../activations/fgFrom.js';
import { topExamples, type TopExamplesOptions } from '../activations/examples.js';
import { defaultExamples } from '../activations/kept.js';
import { featureLabels } from '../activations/labels.js';
import { saveActivations, type SaveActivationsOptions } from '../activations/save.js';
import { density, meanL0 } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import type { Environment } from '../verb/environment.js';
import type { Call } from '../verb/verb.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { count, withSummary } from '../present/items.js';

/** Feature activations over many tokens, kept sparse. */
export interface ActivationsApi {
  /**
   * Runs the model over every token, encodes what is at the SAE's hook and stores what fires; the same call again loads
   * it. Refuses an SAE of another width or another model and tokens of another tokenizer, and stops on the first NaN.
   * Saving two models from one dataset gives stores that can be correlated.
   */
  save(model: LanguageModel, sae: Sae, data: Tokens, options?: SaveActivationsOptions): Promise<SparseActivations>;
  /**
   * Top dataset examples by feature id: the k (5) largest activations of each feature in their context, best first; []
   * for dead features and for features that were not asked for.
   */
  examples(activations: SparseActivations, options?: TopExamplesOptions): Promise<FeatureExample[][]>;
  /**
   * A store from arrays of another program: dense [N, F] or [S, T, F], or CSR { indptr, indices, values, shape }, with
   * tokens if there are any. `name` says what the features are of.
   */
  from: Call<typeof from>;
  /** Up to 5 peak tokens by feature id, best first, repeats kept; [] for a dead feature. */
  labels(activations: SparseActivations): Promise<string[][]>;
}

const SAVE_OPTIONS: OptionNames<SaveActivationsOptions> = {
  hook: true,
  batchTokens: true,
  fresh: true,
  allowOtherModel: true,
  interventions: true,
  conformance: true,
  ...CALL,
};
const EXAMPLES_OPTIONS: OptionNames<TopExamplesOptions> = {
  features: true,
  k: true,
  before: true,
  after: true,
  dedupe: true,
  ...CALL,
};

function describe({ meta }: SparseActivations): string {
  return `${meta.model.name} × ${meta.sae.name}: ${count(meta.tokens)} tokens, ${count(meta.nonZeros)} non-zeros, L0 ${meanL0(meta).toFixed(1)}, density ${(100 * density(meta)).toFixed(3)} %`;
}

export function activationsApi(env: Environment): ActivationsApi {
  return {
    from: from.bind(env, 'fg.activations.from') as Call<typeof from>,
    async save(model, sae, data, options) {
      requireGiven({ model, sae, data });
      requireOptions('fg.activations.save', options, SAVE_OPTIONS);
      const { activations, cached, record, warnings } = await env.call(options, (call) =>
        saveActivations(model, sae, tokenSet(data, model), env.store, { ...options, ...call }),
      );
      env.tellCached(`Activations of ${sae.name}`, cached, record);
      for (const warning of warnings) env.context.print(`Warning: ${warning}`);
      env.context.print(describe(activations));
      return withSummary(activations, () => describe(activations));
    },
    async examples(activations, options) {
      if (!options) return defaultExamples(env, activations);
      requireGiven({ activations });
      requireOptions('fg.activations.examples', options, EXAMPLES_OPTIONS);
      return env.call(options, (call) => topExamples(activations, { ...options, ...call }));
    },
    labels: async (activations) => featureLabels(await defaultExamples(env, activations)),
  };
}
