/** fg.models: language models by hub id or folder. */
import { loadModel, type LoadModelOptions } from '../models/load.js';
import type { LanguageModel } from '../models/types.js';
import type { Environment } from './environment.js';

export interface ModelsApi {
  /** GPT-2, GPT-Neo or GPT-NeoX from a folder in Hugging Face layout, or from the hub. */
  load(idOrFolder: string, options?: LoadModelOptions): Promise<LanguageModel>;
}

export function modelsApi(env: Environment): ModelsApi {
  return {
    load: (idOrFolder, options) =>
      env.call(options, (call) => loadModel(env.locate(idOrFolder), { ...options, ...call })),
  };
}
