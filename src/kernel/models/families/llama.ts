/**
 * Llama 2 and 3, Mistral, Qwen 2, 2.5 and 3: RMSNorm, rotary positions, grouped queries, SwiGLU. They differ in biases,
 * in the window of attention and, for Qwen 3, in norms of q and k.
 * Source: Hugging Face transformers' modeling files of the families.
 */
import type { BlockNames, ModelNames } from '../layout.js';
import type { ModelConfig, ModelFamily } from '../types.js';
import { both, weightOnly, type Family } from './family.js';
import type { Fields } from './fields.js';
import { readRope, ropeContext, writeScaling } from './rope.js';

const LAYER_TYPES = { full_attention: 'global', sliding_attention: 'local' } as const;

/** What these families share. `heads` may be wider or narrower together than the model. */
export function readLlamaLike(family: ModelFamily, f: Fields, dHead?: number): ModelConfig {
  const dModel = f.integer(['hidden_size']);
  const heads = f.integer(['num_attention_heads']);
  const width = f.has('head_dim') ? f.integer(['head_dim']) : (dHead ?? f.headWidth(dModel, heads));
  const maxPositions = f.integer(['max_position_embeddings'], 2048);
  const rotary = readRope(f, width);
  return {
    family,
    layers: f.layers(['num_hidden_layers']),
    dModel,
    heads,
    kvHeads: f.integer(['num_key_value_heads'], heads),
    dHead: width,
    dMlp: f.integer(['intermediate_size']),
    vocab: f.integer(['vocab_size']),
    context: ropeContext(maxPositions, rotary.scaling),
    layerNormEps: f.number(['rms_norm_eps'], 1e-6),
    norm: 'rms',
    activation: f.activation(['hidden_act', 'hidden_activation'], 'silu'),
    gatedMlp: true,
    rotary,
    parallelResidual: false,
    tiedEmbeddings: f.boolean('tie_word_embeddings', false),
  };
}

/** Which layers see a window alone: `layer_types`, else what the family does. Undefined when none does. */
export function readWindow(
  f: Fields,
  layers: number,
  isLocal: ((layer: number) => boolean) | undefined,
): Pick<ModelConfig, 'attention' | 'window'> {
  const given = f.has('layer_types') ? f.perLayer('layer_types', layers, LAYER_TYPES) : undefined;
  const kind = (layer: number): 'local' | 'global' => (isLocal?.(layer) ? 'local' : 'global');
  const attention = given ?? (isLocal && Array.from({ length: layers }, (_, layer) => kind(layer)));
  if (!attention?.includes('local')) return {};
  return { attention, window: f.integer(['sliding_window']) };
}

export function llamaNames(config: ModelConfig): ModelNames {
  const projection = (module: string, biased: boolean | undefined) => (biased ? both(module) : weightOnly(module));
  const block = (h: string): BlockNames => {
    const attention = (name: string) => projection(`${h}.self_attn.${name}_proj`, config.qkvBias);
    const mlp = (name: string) => projection(`${h}.mlp.${name}_proj`, config.mlpBias);
    const norms = config.postNorms
      ? {
          ln1Post: weightOnly(`${h}.post_attention_layernorm`),
          ln2: weightOnly(`${h}.pre_feedforward_layernorm`),
          ln2Post: weightOnly(`${h}.post_feedforward_layernorm`),
        }
      : { ln2: weightOnly(`${h}.post_attention_layernorm`) };
    return {
      ln1: weightOnly(`${h}.input_layernorm`),
      qkv: [attention('q'), attention('k'), attention('v')],
      ...(config.qkNorm && {
        qNorm: weightOnly(`${h}.self_attn.q_norm`),
        kNorm: weightOnly(`${h}.self_attn.k_norm`),
      }),
      attnOut: projection(`${h}.self_attn.o_proj`, config.attnOutBias),
      ...norms,
      mlpGate: mlp('gate'),
      mlpIn: mlp('up'),
      mlpOut: mlp('down'),
    };
  };
  return {
    embed: 'model.embed_tokens.weight',
    blocks: Array.from({ length: config.layers }, (_, layer) => block(`model.layers.${layer}`)),
    lnFinal: weightOnly('model.norm'),
    unembed: config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight',
    linearIsOutIn: true,
  };
}

/** config.json of what readLlamaLike and readWindow read. */
export function writeLlamaLike(config: ModelConfig): ReturnType<Family['write']> {
  return {
    hidden_size: config.dModel,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads ?? config.heads,
    head_dim: config.dHead,
    intermediate_size: config.dMlp,
    max_position_embeddings: config.context,
    rms_norm_eps: config.layerNormEps,
    hidden_act: config.activation === 'gelu_new' ? 'gelu_pytorch_tanh' : config.activation,
    rope_theta: config.rotary?.base ?? 10000,
    rope_scaling: writeScaling(config.rotary?.scaling),
    ...(config.window !== undefined && { sliding_window: config.window }),
    ...(config.attention && {
      layer_types: config.attention.map((kind) => (kind === 'local' ? 'sliding_attention' : 'full_attention')),
    }),
  };
}

export const llama: Family = {
  name: 'llama',
  architecture: 'LlamaForCausalLM',
  prefix: 'model.',
  read(f) {
    const bias = f.boolean('attention_bias', false);
    const mlpBias = f.boolean('mlp_bias', false);
    return {
      ...readLlamaLike('llama', f),
      ...(bias && { qkvBias: true, attnOutBias: true }),
      ...(mlpBias && { mlpBias }),
    };
  },
  write: (config) => ({
    ...writeLlamaLike(config),
    attention_bias: config.qkvBias ?? false,
    mlp_bias: config.mlpBias ?? false,
  }),
  names: llamaNames,
};

export const mistral: Family = {
  name: 'mistral',
  architecture: 'MistralForCausalLM',
  prefix: 'model.',
  read(f) {
    const base = readLlamaLike('mistral', f);
    return { ...base, ...readWindow(f, base.layers, f.has('sliding_window') ? () => true : undefined) };
  },
  write: writeLlamaLike,
  names: llamaNames,
};

/** Qwen 2 and 3 count layers from max_window_layers on as local, when use_sliding_window says so at all. */
function qwenWindow(f: Fields, layers: number): Pick<ModelConfig, 'attention' | 'window'> {
  if (!f.boolean('use_sliding_window', false) || !f.has('sliding_window')) return {};
  const first = f.number(['max_window_layers'], 28);
  return readWindow(f, layers, (layer) => layer >= first);
}

export const qwen2: Family = {
  name: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  prefix: 'model.',
  read(f) {
    const base = readLlamaLike('qwen2', f);
    return { ...base, qkvBias: true, ...qwenWindow(f, base.layers) };
  },
  write: (config) => ({ ...writeLlamaLike(config), use_sliding_window: config.window !== undefined }),
  names: llamaNames,
};

export const qwen3: Family = {
  name: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  prefix: 'model.',
  read(f) {
    const base = readLlamaLike('qwen3', f, 128);
    const bias = f.boolean('attention_bias', false);
    return {
      ...base,
      qkNorm: true,
      ...(bias && { qkvBias: true, attnOutBias: true }),
      ...qwenWindow(f, base.layers),
    };
  },
  write: (config) => ({
    ...writeLlamaLike(config),
    attention_bias: config.qkvBias ?? false,
    use_sliding_window: config.window !== undefined,
  }),
  names: llamaNames,
};
