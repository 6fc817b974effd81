/** fg.activations: sparse feature activations on disk, and the dataset examples in them. */
import type { FeatureExample } from '../../protocol/map.js';
import { topExamples, type TopExamplesOptions } from '../activations/examples.js';
import { featureLabels } from '../activations/labels.js';
import { saveActivations, type SaveActivationsOptions } from '../activations/save.js';
import type { SparseActivations } from '../activations/types.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import type { Environment } from './environment.js';

export interface ActivationsApi {
  /** Encodes every token at the SAE's hook and stores what fires; the same call again loads it. */
  save(model: LanguageModel, sae: Sae, data: Tokens, options?: SaveActivationsOptions): Promise<SparseActivations>;
  /** Top dataset examples by feature id; dead features have none. */
  examples(activations: SparseActivations, options?: TopExamplesOptions): Promise<FeatureExample[][]>;
  /** Up to 5 peak tokens by feature id. */
  labels(activations: SparseActivations): Promise<string[][]>;
}

/** Default examples and labels of a store, made once however many maps and tables ask for them. */
const known = new WeakMap<SparseActivations, Promise<FeatureExample[][]>>();

export function defaultExamples(env: Environment, activations: SparseActivations): Promise<FeatureExample[][]> {
  let examples = known.get(activations);
  if (!examples) {
    examples = env.call(undefined, (call) => topExamples(activations, call));
    known.set(activations, examples);
    // A cancelled run is not remembered: the next call starts over.
    examples.catch(() => known.delete(activations));
  }
  return examples;
}

export function activationsApi(env: Environment): ActivationsApi {
  return {
    async save(model, sae, data, options) {
      const saved = await env.call(options, (call) =>
        saveActivations(model, sae, tokenSet(data, model), env.store, { ...options, ...call }),
      );
      const { meta } = saved.activations;
      env.tellCached(`Activations of ${sae.name}`, saved.cached, saved.record);
      for (const warning of saved.warnings) env.context.print(`Warning: ${warning}`);
      env.context.print(
        `${meta.model.name} × ${meta.sae.name}: ${meta.tokens.toLocaleString('en')} tokens, ${meta.nonZeros.toLocaleString('en')} non-zeros, L0 ${saved.l0.toFixed(1)}, density ${(100 * saved.density).toFixed(3)} %`,
      );
      return saved.activations;
    },
    examples: (activations, options) =>
      options
        ? env.call(options, (call) => topExamples(activations, { ...options, ...call }))
        : defaultExamples(env, activations),
    labels: async (activations) => featureLabels(await defaultExamples(env, activations)),
  };
}
