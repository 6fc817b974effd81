/** Llama, Mistral, Qwen and Gemma against the float64 reference, at every hook, from config.json on. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#protocol/notebook.js';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { readConfig, writeConfig } from '#kernel/models/config.js';
import { toBf16, fromBf16 } from '#kernel/io/ndarray.js';
import { rotaryFrequencies } from '#kernel/models/positions.js';
import { TransformerModel } from '#kernel/models/transformer.js';
import { modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { expectKnownBits } from '#test/kit/knownPasses.js';
import { relativeError } from '#test/kit/numbers.js';
import { inverseFrequencies, rmsReference } from './rmsReference.js';

const B = 3;
const T = 11;
const tokens = Int32Array.from({ length: B * T }, (_, i) => (i * 17 + (i % 5)) % 37);
/** Relative error allowed at every hook. */
const TOLERANCE = 1e-5;

const base = {
  hidden_size: 18,
  intermediate_size: 23,
  num_hidden_layers: 3,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  vocab_size: 37,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-5,
};
const llama = { ...base, model_type: 'llama', hidden_act: 'silu', hidden_size: 24, rope_theta: 10000 };
const gemma = { ...base, head_dim: 8, rope_theta: 10000, tie_word_embeddings: true };

/** config.json of a small model of each variant. */
const CONFIGS: Record<string, JsonObject> = {
  'Llama 2, as many key heads as heads': { ...llama, num_key_value_heads: 6 },
  'Llama 3, tied, biased': { ...llama, tie_word_embeddings: true, attention_bias: true, mlp_bias: true },
  'Llama with linear rope scaling': { ...llama, rope_scaling: { type: 'linear', factor: 4 } },
  'Llama with dynamic rope scaling beyond its length': {
    ...llama,
    max_position_embeddings: 8,
    rope_scaling: { rope_type: 'dynamic', factor: 3 },
  },
  'Llama 3.1 rope scaling': {
    ...llama,
    rope_scaling: {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 40,
    },
  },
  'Llama with yarn, head width apart': {
    ...llama,
    head_dim: 10,
    rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64, beta_fast: 8, beta_slow: 1 },
  },
  'Mistral with a window': { ...llama, model_type: 'mistral', sliding_window: 4 },
  'Mistral without a window': { ...llama, model_type: 'mistral', sliding_window: null },
  'Qwen 2': { ...llama, model_type: 'qwen2', use_sliding_window: false, sliding_window: 4, max_window_layers: 1 },
  'Qwen 2 with windows in upper layers': {
    ...llama,
    model_type: 'qwen2',
    use_sliding_window: true,
    sliding_window: 3,
    max_window_layers: 1,
  },
  'Qwen 3': { ...llama, model_type: 'qwen3', head_dim: 6, rope_theta: 1e6 },
  'Gemma 1': { ...gemma, model_type: 'gemma', hidden_act: 'gelu' },
  'Gemma 2': {
    ...gemma,
    model_type: 'gemma2',
    hidden_activation: 'gelu_pytorch_tanh',
    sliding_window: 4,
    query_pre_attn_scalar: 12,
    attn_logit_softcapping: 5,
    final_logit_softcapping: 3,
  },
  'Gemma 3': {
    ...gemma,
    model_type: 'gemma3_text',
    hidden_activation: 'gelu_pytorch_tanh',
    sliding_window: 4,
    sliding_window_pattern: 2,
    query_pre_attn_scalar: 8,
    rope_theta: 1e6,
    rope_local_base_freq: 500,
    rope_scaling: { rope_type: 'linear', factor: 8 },
  },
};

beforeAll(async () => {
  await initDevice();
});

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore);
});

function expectedOf(json: JsonObject, weights: ReturnType<typeof randomWeights>): Map<string, Float64Array> {
  const joined = new Map<string, Float64Array>();
  for (let b = 0; b < B; b++)
    for (const [hook, values] of rmsReference(json, weights, Array.from(tokens.subarray(b * T, (b + 1) * T)))) {
      if (!joined.has(hook)) joined.set(hook, new Float64Array(B * values.length));
      joined.get(hook)?.set(values, b * values.length);
    }
  return joined;
}

it('gives the bits of the whole pass of Gemma 2 where activations before a change are known', () => {
  const config = readConfig(CONFIGS['Gemma 2']);
  const model = modelOf(config, randomWeights(config, 4));
  expectKnownBits(model, tokens, B);
  model.dispose();
});

describe.each(Object.entries(CONFIGS))('a model of %s', (_, json) => {
  const config = readConfig(json);

  it('agrees with the float64 reference at every hook and in the logits', () => {
    const weights = randomWeights(config, 1);
    const model = modelOf(config, weights);
    const expected = expectedOf(json, weights);
    const { captured, logits } = model.forward(tokens, B, { capture: model.hooks });
    expect([...captured.keys()].sort()).toEqual([...expected.keys()].filter((k) => k !== 'logits').sort());
    for (const [hook, x] of [...captured, ['logits', logits as tf.Tensor] as const]) {
      expect(relativeError(x.dataSync(), expected.get(hook) ?? []), hook).toBeLessThan(TOLERANCE);
      x.dispose();
    }
    model.dispose();
  });

  it('gives the same logits when nothing is captured', () => {
    const weights = randomWeights(config, 2);
    const model = modelOf(config, weights);
    const { logits } = model.forward(tokens, B);
    expect(relativeError(logits?.dataSync() ?? [], expectedOf(json, weights).get('logits') ?? [])).toBeLessThan(
      TOLERANCE,
    );
    logits?.dispose();
    model.dispose();
  });

  it('has the gradients of finite differences in its weights', () => {
    const weights = randomWeights(config, 3);
    const model = modelOf(config, weights, true);
    const variables = [...model.parameters().values()] as tf.Variable[];
    const { grads, value } = tf.variableGrads(() => model.loss(tokens, B), variables);
    value.dispose();
    const lossOf = (of: typeof weights): number => {
      let sum = 0;
      const logits = expectedOf(json, of).get('logits') as Float64Array;
      for (let b = 0; b < B; b++)
        for (let t = 0; t + 1 < T; t++) {
          const row = logits.subarray((b * T + t) * 37, (b * T + t + 1) * 37);
          const top = Math.max(...row);
          sum += top + Math.log(row.reduce((a, v) => a + Math.exp(v - top), 0)) - row[tokens[b * T + t + 1]];
        }
      return sum / (B * (T - 1));
    };
    // Along one random direction per weight: the reference's difference quotient against the gradient.
    let seed = 10;
    for (const [name, variable] of model.parameters()) {
      const gradient = grads[(variable as tf.Variable).name].dataSync<'float32'>();
      const { shape, data } = weights.get(name) as { shape: number[]; data: ArrayLike<number> };
      const direction = [...randomWeights({ ...config, layers: 1 }, seed++).values()][0].data;
      const at = (i: number): number => direction[i % direction.length];
      const moved = (h: number): number =>
        lossOf(new Map([...weights, [name, { shape, data: Float64Array.from(data, (v, i) => v + h * at(i)) }]]));
      const quotient = (moved(1e-4) - moved(-1e-4)) / 2e-4;
      const along = gradient.reduce((a, g, i) => a + g * at(i), 0);
      expect(Math.abs(along - quotient), name).toBeLessThan(2e-3 * Math.max(0.01, Math.abs(quotient)));
    }
    tf.dispose(grads);
    model.dispose();
  });

  it('is read back from the config that is written', () => {
    expect(readConfig(JSON.parse(JSON.stringify(writeConfig(config))) as JsonObject)).toStrictEqual(config);
  });

  it('gives with weights in bfloat16 what it gives with their rounded values', () => {
    const weights = randomWeights(config, 4);
    const rounded = new Map(
      [...weights].map(([name, { shape, data }]) => [
        name,
        { shape, data: shape.length > 1 ? fromBf16(toBf16(Float32Array.from(data))) : data },
      ]),
    );
    const parameters = new Map<string, tf.Tensor>();
    const halves = new Map<string, { shape: number[]; bits: Uint16Array }>();
    for (const [name, { shape, data }] of weights)
      if (shape.length > 1) halves.set(name, { shape, bits: toBf16(Float32Array.from(data)) });
      else parameters.set(name, tf.tensor(Float32Array.from(data), shape));
    const model = new TransformerModel({ name: 'half', config, tokenizer, parameters, halves });
    const { logits } = model.forward(tokens, B);
    expect(relativeError(logits?.dataSync() ?? [], expectedOf(json, rounded).get('logits') ?? [])).toBeLessThan(
      TOLERANCE,
    );
    logits?.dispose();
    model.dispose();
  });
});

describe('rotary frequencies', () => {
  it.each([
    ['linear', { rope_type: 'linear', factor: 8 }],
    ['dynamic', { rope_type: 'dynamic', factor: 4, original_max_position_embeddings: 2048 }],
    [
      'llama3',
      {
        rope_type: 'llama3',
        factor: 32,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    ],
    ['yarn', { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32768 }],
  ])('of %s scaling at published sizes are those of the published formula', (_, scaling) => {
    const { rotary } = readConfig({
      ...llama,
      head_dim: 128,
      max_position_embeddings: 2048,
      rope_theta: 500000,
      rope_scaling: scaling,
    });
    for (const length of [100, 2048, 5000]) {
      const { inv } = inverseFrequencies(128, 500000, scaling, 2048, length);
      const ours = rotaryFrequencies(rotary as NonNullable<typeof rotary>, length);
      inv.forEach((f, i) => expect(Math.abs(ours[i] / f - 1)).toBeLessThan(1e-12));
    }
  });
});

describe('config.json that is refused by name', () => {
  it.each([
    [{ ...llama, rope_scaling: { rope_type: 'longrope', factor: 4 } }, /rope_type "longrope" is not supported/],
    [{ ...llama, hidden_act: 'relu2' }, /hidden_act "relu2" is not supported/],
    [{ ...llama, quantization_config: { bits: 8 } }, /quantised weights are not read/],
    [{ ...llama, num_key_value_heads: 4 }, /6 query heads cannot share 4 heads/],
    [{ ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor = 0.5 is not supported/],
    [{ ...llama, num_hidden_layers: 1e8 }, /at most 4096 layers/],
    [
      { ...CONFIGS['Gemma 3'], use_bidirectional_attention: true },
      /use_bidirectional_attention = true is not supported/,
    ],
    [{ ...llama, model_type: 'mamba' }, /model_type "mamba" .* supported are gpt2, .*gemma3_text/],
    [{ ...CONFIGS['Gemma 2'], layer_types: ['full_attention'] }, /layer_types must name one of/],
  ])('case %#: %j', (json, message) => {
    expect(() => readConfig(json as JsonObject)).toThrow(message);
  });

  it('is not one with rope_type default, or of a multimodal Gemma 3', () => {
    expect(readConfig({ ...llama, rope_scaling: { rope_type: 'default' } }).rotary?.scaling).toBeUndefined();
    const config = readConfig({
      model_type: 'gemma3',
      architectures: ['Gemma3ForConditionalGeneration'],
      vision_config: {},
      text_config: { ...CONFIGS['Gemma 3'] },
    });
    expect(config).toEqual(readConfig(CONFIGS['Gemma 3']));
  });
});
