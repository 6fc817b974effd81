/** GPT-Neo: attention alternates between all tokens and a window, and its scores are not scaled. */
import type { Json } from '../../../protocol/notebook.js';
import { weightOnly, type Family } from './family.js';
import { brief, type Fields } from './fields.js';
import { gptNames } from './gptNames.js';

export const gptNeo: Family = {
  name: 'gpt_neo',
  architecture: 'GPTNeoForCausalLM',
  prefix: 'transformer.',
  read(f) {
    const dModel = f.integer(['hidden_size']);
    const heads = f.integer(['num_heads', 'num_attention_heads']);
    const layers = f.layers(['num_layers', 'num_hidden_layers']);
    return {
      family: 'gpt_neo',
      layers,
      dModel,
      heads,
      dHead: f.headWidth(dModel, heads),
      dMlp: f.integer(['intermediate_size'], 4 * dModel),
      vocab: f.integer(['vocab_size']),
      context: f.integer(['max_position_embeddings']),
      layerNormEps: f.number(['layer_norm_epsilon'], 1e-5),
      activation: f.activation(['activation_function'], 'gelu_new'),
      attention: attentionKinds(f, layers),
      window: f.integer(['window_size'], 256),
      parallelResidual: false,
      tiedEmbeddings: f.boolean('tie_word_embeddings', true),
    };
  },
  write: (config) => ({
    num_layers: config.layers,
    hidden_size: config.dModel,
    num_heads: config.heads,
    intermediate_size: config.dMlp,
    max_position_embeddings: config.context,
    layer_norm_epsilon: config.layerNormEps,
    activation_function: config.activation,
    attention_types: (config.attention ?? Array<'global'>(config.layers).fill('global')).map((kind) => [[kind], 1]),
    window_size: config.window ?? 256,
  }),
  names(config) {
    const part = (h: string, name: string) => weightOnly(`${h}.attn.attention.${name}_proj`);
    return gptNames(config, (h) => [part(h, 'q'), part(h, 'k'), part(h, 'v')], 'attn.attention.out_proj', true);
  },
};

/** attention_types [[["global","local"], 4], …] repeated out, or attention_layers as it is. */
function attentionKinds(f: Fields, layers: number): Array<'global' | 'local'> {
  const { attention_types: types, attention_layers: plain } = f.json;
  let kinds: Json[] = [];
  if (Array.isArray(types)) {
    for (const group of types) {
      const [pattern, times] = Array.isArray(group) ? group : [];
      if (!Array.isArray(pattern) || typeof times !== 'number') {
        throw new Error(`${f.where}: attention_types must be [[kinds, times], …] but is ${brief(types)}`);
      }
      // One more than there are layers is enough to be refused below.
      const some = pattern.slice(0, layers + 1);
      for (let i = 0; i < times && some.length > 0 && kinds.length <= layers; i++) kinds = kinds.concat(some);
    }
  } else if (Array.isArray(plain)) {
    kinds = plain;
  } else {
    kinds = Array.from({ length: layers }, (_, layer) => (layer % 2 === 0 ? 'global' : 'local')); // the family's default
  }
  if (kinds.length !== layers || kinds.some((kind) => kind !== 'global' && kind !== 'local')) {
    throw new Error(
      `${f.where}: attention kinds ${brief(kinds)} must be "global" or "local", one for each of ${layers} layers`,
    );
  }
  return kinds as Array<'global' | 'local'>;
}
