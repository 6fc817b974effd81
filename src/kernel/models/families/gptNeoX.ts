/** GPT-NeoX (Pythia): rotary positions on a part of each head; attention and MLP side by side unless the config says no. */
import type { BlockNames } from '../layout.js';
import { both, type Family } from './family.js';

export const gptNeoX: Family = {
  name: 'gpt_neox',
  architecture: 'GPTNeoXForCausalLM',
  prefix: 'gpt_neox.',
  read(f) {
    f.requireValue('attention_bias', true);
    f.requireValue('rope_scaling', null);
    const dModel = f.integer(['hidden_size']);
    const heads = f.integer(['num_attention_heads']);
    const dHead = f.headWidth(dModel, heads);
    const rope = f.neoxRope();
    return {
      family: 'gpt_neox',
      layers: f.layers(['num_hidden_layers']),
      dModel,
      heads,
      dHead,
      dMlp: f.integer(['intermediate_size'], 4 * dModel),
      vocab: f.integer(['vocab_size']),
      context: f.integer(['max_position_embeddings']),
      layerNormEps: f.number(['layer_norm_eps'], 1e-5),
      activation: f.activation(['hidden_act'], 'gelu'),
      rotary: { dims: Math.floor(dHead * rope.part), base: rope.base },
      parallelResidual: f.boolean('use_parallel_residual', true),
      tiedEmbeddings: f.boolean('tie_word_embeddings', false),
    };
  },
  write: (config) => ({
    num_hidden_layers: config.layers,
    hidden_size: config.dModel,
    num_attention_heads: config.heads,
    intermediate_size: config.dMlp,
    max_position_embeddings: config.context,
    layer_norm_eps: config.layerNormEps,
    hidden_act: config.activation,
    rotary_pct: rotaryPart(config.rotary?.dims ?? 0, config.dHead),
    rotary_emb_base: config.rotary?.base ?? 10000,
    use_parallel_residual: config.parallelResidual,
  }),
  names(config) {
    const block = (h: string): BlockNames => ({
      ln1: both(`${h}.input_layernorm`),
      qkv: [both(`${h}.attention.query_key_value`)],
      attnOut: both(`${h}.attention.dense`),
      ln2: both(`${h}.post_attention_layernorm`),
      mlpIn: both(`${h}.mlp.dense_h_to_4h`),
      mlpOut: both(`${h}.mlp.dense_4h_to_h`),
    });
    return {
      embed: 'gpt_neox.embed_in.weight',
      blocks: Array.from({ length: config.layers }, (_, layer) => block(`gpt_neox.layers.${layer}`)),
      lnFinal: both('gpt_neox.final_layer_norm'),
      unembed: config.tiedEmbeddings ? 'gpt_neox.embed_in.weight' : 'embed_out.weight',
      linearIsOutIn: true,
    };
  },
};

/** A fraction that gives `dims` back when multiplied by the head width and floored. */
function rotaryPart(dims: number, dHead: number): number {
  const part = dims / dHead;
  return Math.floor(part * dHead) === dims ? part : (dims + 0.25) / dHead;
}
