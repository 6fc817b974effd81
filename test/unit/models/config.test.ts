import { describe, expect, it } from 'vitest';
import { readConfig, writeConfig } from '#kernel/models/config.js';
import { weightShapes } from '#kernel/models/layout.js';
import { CONFIGS } from '#test/kit/model.js';

/** As published on the hub, less what nothing here reads. */
const TINY_STORIES_1M = {
  activation_function: 'gelu_new',
  architectures: ['GPTNeoForCausalLM'],
  attention_layers: ['global', 'local', 'global', 'local', 'global', 'local', 'global', 'local'],
  attention_types: [[['global', 'local'], 4]],
  hidden_size: 64,
  intermediate_size: null,
  layer_norm_epsilon: 1e-5,
  max_position_embeddings: 2048,
  model_type: 'gpt_neo',
  num_heads: 16,
  num_layers: 8,
  vocab_size: 50257,
  window_size: 256,
};
const GPT2 = {
  activation_function: 'gelu_new',
  architectures: ['GPT2LMHeadModel'],
  layer_norm_epsilon: 1e-5,
  model_type: 'gpt2',
  n_ctx: 1024,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  vocab_size: 50257,
};
const PYTHIA_70M = {
  architectures: ['GPTNeoXForCausalLM'],
  hidden_act: 'gelu',
  hidden_size: 512,
  intermediate_size: 2048,
  layer_norm_eps: 1e-5,
  max_position_embeddings: 2048,
  model_type: 'gpt_neox',
  num_attention_heads: 8,
  num_hidden_layers: 6,
  rotary_emb_base: 10000,
  rotary_pct: 0.25,
  tie_word_embeddings: false,
  use_parallel_residual: true,
  vocab_size: 50304,
};

describe('readConfig', () => {
  it('reads TinyStories-1M: MLP of 4 d, alternating local layers, tied embeddings', () => {
    expect(readConfig(TINY_STORIES_1M)).toEqual({
      family: 'gpt_neo',
      layers: 8,
      dModel: 64,
      heads: 16,
      dHead: 4,
      dMlp: 256,
      vocab: 50257,
      context: 2048,
      layerNormEps: 1e-5,
      activation: 'gelu_new',
      attention: ['global', 'local', 'global', 'local', 'global', 'local', 'global', 'local'],
      window: 256,
      parallelResidual: false,
      tiedEmbeddings: true,
    });
  });

  it('reads gpt2, whose fields have names of their own', () => {
    const config = readConfig(GPT2);
    expect(config).toMatchObject({
      family: 'gpt2',
      dModel: 768,
      heads: 12,
      dHead: 64,
      dMlp: 3072,
      context: 1024,
      tiedEmbeddings: true,
    });
  });

  it('has the 124,439,808 parameters of gpt2', () => {
    let count = 0;
    for (const shape of weightShapes(readConfig(GPT2)).values()) count += shape.reduce((a, b) => a * b, 1);
    expect(count).toBe(124_439_808);
  });

  it('reads pythia-70m: a quarter of each head rotary, parallel residual, untied', () => {
    const config = readConfig(PYTHIA_70M);
    expect(config).toMatchObject({
      family: 'gpt_neox',
      dHead: 64,
      rotary: { dims: 16, base: 10000 },
      parallelResidual: true,
      tiedEmbeddings: false,
      activation: 'gelu',
    });
  });

  it('has the 70,426,624 parameters of pythia-70m', () => {
    let count = 0;
    for (const shape of weightShapes(readConfig(PYTHIA_70M)).values()) count += shape.reduce((a, b) => a * b, 1);
    expect(count).toBe(70_426_624);
  });

  it('reads the newer spelling of rotary parameters', () => {
    const { rotary_pct: _, rotary_emb_base: __, ...rest } = PYTHIA_70M;
    const rope = { rope_type: 'default', rope_theta: 500, partial_rotary_factor: 0.5 };
    expect(readConfig({ ...rest, rope_parameters: rope }).rotary).toEqual({ dims: 32, base: 500 });
  });

  it.each(Object.entries(CONFIGS))('gives back what writeConfig wrote: %s', (_, config) => {
    const read = readConfig(JSON.parse(JSON.stringify(writeConfig(config))));
    expect(read).toEqual(config);
  });

  it.each([1, 2, 3, 5, 7, 9, 11, 13].map((n) => [2 * n]))(
    'rotary dims of %d survive as a fraction of any head width',
    (dims) => {
      for (let dHead = dims; dHead < 100; dHead++) {
        const config = { ...CONFIGS['GPT-NeoX'], heads: 2, dHead, dModel: 2 * dHead, rotary: { dims, base: 10000 } };
        expect(readConfig(writeConfig(config)).rotary?.dims).toBe(dims);
      }
    },
  );

  it.each([
    [
      'an unknown architecture',
      { ...GPT2, model_type: 'mamba' },
      /model_type "mamba".*supported are gpt2, gpt_neo, gpt_neox/,
    ],
    ['heads that do not divide the width', { ...GPT2, n_head: 7 }, /width 768 is not divisible by 7 heads/],
    ['a missing size', { ...GPT2, n_layer: undefined }, /n_layer or num_hidden_layers must be a number but is missing/],
    ['a broken size', { ...GPT2, vocab_size: 1.5 }, /vocab_size must be a positive integer/],
    ['an activation it does not have', { ...GPT2, activation_function: 'quick_gelu' }, /"quick_gelu" is not supported/],
    ['attention for other layers', { ...TINY_STORIES_1M, num_layers: 7 }, /one for each of 7 layers/],
    [
      'scaled-by-layer attention',
      { ...GPT2, scale_attn_by_inverse_layer_idx: true },
      /scale_attn_by_inverse_layer_idx = true is not supported/,
    ],
    ['scaled rotary positions', { ...PYTHIA_70M, rope_scaling: { type: 'linear', factor: 2 } }, /rope_scaling/],
    ['an odd number of rotary dims', { ...PYTHIA_70M, rotary_pct: 0.24 }, /rotary dims must be even/],
  ])('refuses config.json with %s', (_, json, message) => {
    expect(() => readConfig(JSON.parse(JSON.stringify(json)))).toThrow(message);
  });
});
