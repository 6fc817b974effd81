/** fg.models: language models by hub id or folder. */
import { loadModel, type LoadModelOptions } from '../models/load.js';
import type { LanguageModel } from '../models/types.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireOptions, type OptionNames } from './given.js';
import { count, withSummary } from '../present/items.js';

/** Language models with hook points. */
export interface ModelsApi {
  /**
   * Loads GPT-2, GPT-Neo or GPT-NeoX from a folder in Hugging Face layout (relative to the notebook), or from the hub
   * by id, such as 'roneneldan/TinyStories-1Layer-21M'; downloads are kept in the cache that Python uses. Weights become
   * float32. `model.hooks` lists the hook points, by TransformerLens names.
   */
  load(idOrFolder: string, options?: LoadModelOptions): Promise<LanguageModel>;
}

const LOAD_OPTIONS: OptionNames<LoadModelOptions> = {
  revision: true,
  token: true,
  endpoint: true,
  cacheFolder: true,
  process: true,
  dtype: true,
  ...CALL,
};

function describe({ name, config }: LanguageModel): string {
  const { family, layers, dModel, heads, vocab, context } = config;
  return `${name}: ${family}, ${layers} ${layers === 1 ? 'layer' : 'layers'}, d_model ${dModel}, ${heads} heads, vocabulary ${count(vocab)}, context ${count(context)}`;
}

export function modelsApi(env: Environment): ModelsApi {
  return {
    load: (idOrFolder, options = {}) =>
      env.call(options, async (call) => {
        requireOptions('fg.models.load', options, LOAD_OPTIONS);
        const model = await loadModel(env.locate(idOrFolder), { ...env.withCacheFolder(options), ...call });
        return withSummary(model, () => describe(model));
      }),
  };
}
