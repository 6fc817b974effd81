/** GPT-2. Weights of linear layers are Conv1D's: [in, out]; q, k and v are one projection. */
import { both, type Family } from './family.js';
import { gptNames } from './gptNames.js';

export const gpt2: Family = {
  name: 'gpt2',
  architecture: 'GPT2LMHeadModel',
  prefix: 'transformer.',
  read(f) {
    f.requireValue('scale_attn_weights', true);
    f.requireValue('scale_attn_by_inverse_layer_idx', false);
    f.requireValue('add_cross_attention', false);
    const dModel = f.integer(['n_embd', 'hidden_size']);
    const heads = f.integer(['n_head', 'num_attention_heads']);
    return {
      family: 'gpt2',
      layers: f.layers(['n_layer', 'num_hidden_layers']),
      dModel,
      heads,
      dHead: f.headWidth(dModel, heads),
      dMlp: f.integer(['n_inner'], 4 * dModel),
      vocab: f.integer(['vocab_size']),
      context: f.integer(['n_positions', 'n_ctx', 'max_position_embeddings']),
      layerNormEps: f.number(['layer_norm_epsilon'], 1e-5),
      activation: f.activation(['activation_function'], 'gelu_new'),
      parallelResidual: false,
      tiedEmbeddings: f.boolean('tie_word_embeddings', true),
    };
  },
  write: (config) => ({
    n_layer: config.layers,
    n_embd: config.dModel,
    n_head: config.heads,
    n_inner: config.dMlp,
    n_positions: config.context,
    layer_norm_epsilon: config.layerNormEps,
    activation_function: config.activation,
  }),
  names: (config) => gptNames(config, (h) => [both(`${h}.attn.c_attn`)], 'attn.c_proj', false),
};
