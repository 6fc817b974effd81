/** fg.models: language models by hub id or folder. */
import { HUB } from '../io/hub.js';
import { count, withSummary } from '../present/items.js';
import { CALL, words } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { only } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { LOAD, loadModel } from './load.js';
import type { LanguageModel } from './types.js';

function describe({ name, config }: LanguageModel): string {
  const { family, layers, dModel, heads, vocab, context } = config;
  return `${name}: ${family}, ${layers} ${layers === 1 ? 'layer' : 'layers'}, d_model ${dModel}, ${heads} heads, vocabulary ${count(vocab)}, context ${count(context)}`;
}

const load = verb({
  doc: "Loads GPT-2, GPT-Neo, GPT-NeoX, Llama, Mistral, Qwen 2 and 3 and Gemma 1 to 3 models from a folder in Hugging Face's layout, or from the hub by id; downloads are kept in the cache that Python uses. `model.hooks` lists the hook points, by TransformerLens names.",
  args: [
    words(
      'idOrFolder',
      "Folder against the notebook's folder, or an id on the hub, such as 'roneneldan/TinyStories-1Layer-21M'.",
    ),
  ],
  options: { ...LOAD, ...HUB, ...CALL },
  errors: [
    'Unknown architectures, sizes that do not fit, missing or unexpected tensors and too little memory are refused by name.',
  ],
  async run({ env, options, call }, idOrFolder): Promise<LanguageModel> {
    const model = await loadModel(env.locate(idOrFolder), {
      ...only(LOAD, options),
      ...env.withCacheFolder(only(HUB, options)),
      ...call,
    });
    return withSummary(model, () => describe(model));
  },
});

export const models = namespace({
  name: 'models',
  doc: 'Language models with hook points.',
  example: `const lm = await fg.models.load('models/tiny-stories-1L')
lm.hooks`,
  verbs: { load },
});
