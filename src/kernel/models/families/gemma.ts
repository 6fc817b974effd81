/**
 * Gemma 1, 2 and 3 (text): embeddings times √d, norms by 1 + weight, tanh GELU in a gated MLP, heads of a width of their
 * own. Gemma 2 adds norms behind attention and MLP, soft caps and alternating windows; Gemma 3 drops the caps, norms q
 * and k, and gives layers with a window a rotary base of their own.
 * Source: Hugging Face transformers' modeling files of the families.
 */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { ModelConfig, ModelFamily, Rotary } from '../types.js';
import type { Family } from './family.js';
import { Fields } from './fields.js';
import { llamaNames, readLlamaLike, readWindow, writeLlamaLike } from './llama.js';
import { readRope, readScaling, writeScaling } from './rope.js';

function readGemma(family: ModelFamily, f: Fields): ModelConfig {
  f.requireValue('attention_bias', false);
  // Without hidden_activation the weights were trained on tanh GELU, whatever hidden_act says: so transformers reads it.
  const activation = f.activation(['hidden_activation'], 'gelu_pytorch_tanh');
  const base = readLlamaLike(family, new Fields({ ...f.json, hidden_act: 'gelu_pytorch_tanh' }, f.where), 256);
  return {
    ...base,
    activation,
    tiedEmbeddings: f.boolean('tie_word_embeddings', true),
    norm: 'rms-plus-one',
    embedScale: Math.fround(Math.sqrt(base.dModel)),
  };
}

/** Soft caps and the scale of scores that Gemma 2 and 3 name. */
function readScores(f: Fields): Pick<ModelConfig, 'attnScale' | 'attnSoftCap' | 'logitSoftCap'> {
  return {
    attnScale: f.number(['query_pre_attn_scalar'], 256) ** -0.5,
    ...(f.has('attn_logit_softcapping') && { attnSoftCap: positive(f, 'attn_logit_softcapping') }),
    ...(f.has('final_logit_softcapping') && { logitSoftCap: positive(f, 'final_logit_softcapping') }),
  };
}

function positive(f: Fields, name: string): number {
  const value = f.number([name]);
  if (value > 0) return value;
  throw new Error(`${f.where}: ${name} must be positive but is ${value}`);
}

const writeScores = (config: ModelConfig): JsonObject => ({
  hidden_activation: config.activation === 'gelu_new' ? 'gelu_pytorch_tanh' : config.activation,
  query_pre_attn_scalar: (config.attnScale ?? 1 / 16) ** -2,
  attn_logit_softcapping: config.attnSoftCap ?? null,
  final_logit_softcapping: config.logitSoftCap ?? null,
});

export const gemma: Family = {
  name: 'gemma',
  architecture: 'GemmaForCausalLM',
  prefix: 'model.',
  read: (f) => readGemma('gemma', f),
  write: (config) => ({
    ...writeLlamaLike(config),
    hidden_activation: config.activation === 'gelu_new' ? 'gelu_pytorch_tanh' : config.activation,
  }),
  names: llamaNames,
};

export const gemma2: Family = {
  name: 'gemma2',
  architecture: 'Gemma2ForCausalLM',
  prefix: 'model.',
  read(f) {
    f.requireValue('use_bidirectional_attention', false);
    const base = readGemma('gemma2', f);
    // Absent caps are the class's defaults, null ones are none.
    const capped = new Fields({ attn_logit_softcapping: 50, final_logit_softcapping: 30, ...f.json }, f.where);
    const windowed = new Fields({ sliding_window: 4096, ...f.json }, f.where);
    return {
      ...base,
      postNorms: true,
      ...readScores(capped),
      ...readWindow(windowed, base.layers, (layer) => layer % 2 === 0),
    };
  },
  write: (config) => ({ ...writeLlamaLike(config), ...writeScores(config) }),
  names: llamaNames,
};

/** What the configs of multimodal models leave to transformers' Gemma3TextConfig. */
const GEMMA3_DEFAULTS: JsonObject = {
  vocab_size: 262208,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  max_position_embeddings: 131072,
  sliding_window: 4096,
};

export const gemma3: Family = {
  name: 'gemma3_text',
  architecture: 'Gemma3ForCausalLM',
  prefix: 'model.',
  read(given) {
    const f = new Fields({ ...GEMMA3_DEFAULTS, ...given.json }, given.where);
    f.requireValue('use_bidirectional_attention', false);
    const { global, local } = readRopes(f);
    const base = readGemma(
      'gemma3_text',
      new Fields({ ...f.json, rope_scaling: null, rope_parameters: null }, f.where),
    );
    const pattern = f.integer(['sliding_window_pattern', '_sliding_window_pattern'], 6);
    return {
      ...base,
      rotary: { ...global, dims: base.dHead },
      localRotary: { ...local, dims: base.dHead },
      postNorms: true,
      qkNorm: true,
      ...readScores(f),
      ...readWindow(f, base.layers, (layer) => (layer + 1) % pattern !== 0),
    };
  },
  write: (config) => ({
    ...writeLlamaLike(config),
    ...writeScores(config),
    rope_local_base_freq: config.localRotary?.base ?? 10000,
    rope_scaling: writeScaling(config.rotary?.scaling),
  }),
  names: llamaNames,
};

/** Bases of layers that see all and of layers with a window; only the former are scaled. In the old and new spelling. */
function readRopes(f: Fields): {
  global: Rotary;
  local: Rotary;
} {
  const nested = f.inner('rope_parameters');
  const [full, sliding] = [nested?.inner('full_attention'), nested?.inner('sliding_attention')];
  if (full && sliding) {
    const positions = f.integer(['max_position_embeddings']);
    const read = (r: Fields, base: number): Rotary => {
      const scaling = readScaling(r, positions);
      return { dims: 2, base: r.number(['rope_theta'], base), ...(scaling && { scaling }) };
    };
    return { global: read(full, 1e6), local: read(sliding, 1e4) };
  }
  const base = f.number(['rope_local_base_freq'], 10000);
  return { global: readRope(f, 2, 1e6), local: { dims: 2, base } };
}
