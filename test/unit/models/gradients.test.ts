import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import type { ModelConfig } from '#kernel/models/types.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings } from '#test/kit/model.js';
import { relativeError } from '#test/kit/numbers.js';
import { referenceForward, type Weights } from '#test/kit/referenceModel.js';

const B = 2;
const T = 7;
const tokens = Int32Array.from({ length: B * T }, (_, i) => (i * 23 + 5) % 37);

/** Mean next-token cross-entropy in float64. */
function referenceLoss(config: ModelConfig, weights: Weights): number {
  const settings = referenceSettings(config);
  let sum = 0;
  for (let b = 0; b < B; b++) {
    const ids = Array.from(tokens.subarray(b * T, (b + 1) * T));
    const logits = referenceForward(settings, weights, ids).get('logits') as Float64Array;
    for (let t = 0; t < T - 1; t++) {
      const row = logits.subarray(t * config.vocab, (t + 1) * config.vocab);
      const top = Math.max(...row);
      sum += top + Math.log(row.reduce((total, x) => total + Math.exp(x - top), 0)) - row[ids[t + 1]];
    }
  }
  return sum / (B * (T - 1));
}

/** Central difference of the reference's loss in one entry of one weight. */
function slope(config: ModelConfig, weights: Weights, name: string, index: number): number {
  const step = 1e-5;
  const { shape, data } = weights.get(name) as { shape: number[]; data: Float64Array };
  const at = (value: number): number => {
    const changed = Float64Array.from(data);
    changed[index] = value;
    return referenceLoss(config, new Map(weights).set(name, { shape, data: changed }));
  };
  return (at(data[index] + step) - at(data[index] - step)) / (2 * step);
}

/** Some entries of every weight: the first, the last and steps between. */
function someEntries(size: number): number[] {
  return [...new Set([0, Math.floor(size / 3), Math.floor((2 * size) / 3), size - 1])];
}

function checkGradients(config: ModelConfig): void {
  const weights = randomWeights(config, 11);
  const model = modelOf(config, weights, true);
  const { value, grads } = tf.variableGrads(() => model.loss(tokens, B));
  expect(Math.abs(value.dataSync()[0] - referenceLoss(config, weights))).toBeLessThan(1e-5);
  const found: number[] = [];
  const expected: number[] = [];
  for (const [name, weight] of model.parameters()) {
    const gradient = grads[(weight as tf.Variable).name];
    expect(gradient.shape, name).toEqual(weight.shape);
    const values = gradient.dataSync();
    const entries = someEntries(weight.size);
    const here = entries.map((i) => values[i]);
    const slopes = entries.map((i) => slope(config, weights, name, i));
    const worst = Math.max(...entries.map((_, i) => Math.abs(here[i] - slopes[i])));
    expect(worst, name).toBeLessThan(1e-4);
    found.push(...here);
    expected.push(...slopes);
  }
  expect(relativeError(found, expected)).toBeLessThan(1e-4);
  tf.dispose([value, grads]);
  model.dispose();
}

describe.each(['GPT-2', 'GPT-Neo', 'GPT-NeoX'])('the gradient of %s', (name) => {
  it('loss and its gradient in every weight agree with finite differences of the float64 reference', async () => {
    await initDevice();
    const before = tf.memory().numTensors;
    checkGradients(CONFIGS[name]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('agrees with them too without the fused kernels of the cpu device', async () => {
    await initDevice();
    const backend = tf.getBackend();
    await tf.setBackend('cpu');
    try {
      checkGradients(CONFIGS[name]);
    } finally {
      await tf.setBackend(backend);
    }
  });
});

describe('the loss of a model', () => {
  beforeAll(async () => {
    await initDevice();
  });

  it('falls when an optimizer follows its gradient, without leaving tensors behind', () => {
    const model = modelOf(CONFIGS['GPT-Neo'], randomWeights(CONFIGS['GPT-Neo'], 3), true);
    const optimizer = tf.train.adam(0.02);
    const variables = [...model.parameters().values()] as tf.Variable[];
    const losses: number[] = [];
    let tensors = 0;
    for (let step = 0; step < 30; step++) {
      const loss = optimizer.minimize(() => model.loss(tokens, B), true, variables) as tf.Scalar;
      losses.push(loss.dataSync()[0]);
      loss.dispose();
      if (step === 0) tensors = tf.memory().numTensors;
    }
    expect(losses[29]).toBeLessThan(0.2 * losses[0]);
    expect(tf.memory().numTensors).toBe(tensors);
    optimizer.dispose();
    model.dispose();
  });

  it('stays finite and exact when the right token is all but impossible', () => {
    const config = CONFIGS['GPT-Neo'];
    const weights = randomWeights(config, 5);
    const embed = weights.get('transformer.wte.weight') as { shape: number[]; data: Float32Array };
    const large = { shape: embed.shape, data: embed.data.map((x) => 60 * x) };
    const changed = new Map(weights).set('transformer.wte.weight', large);
    const model = modelOf(config, changed);
    const loss = model.loss(tokens, B);
    const expected = referenceLoss(config, changed);
    expect(expected).toBeGreaterThan(50);
    expect(Math.abs(loss.dataSync()[0] - expected) / expected).toBeLessThan(1e-4);
    loss.dispose();
    model.dispose();
  });

  it('gives each trainable model an identity that follows its weights', () => {
    const model = modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 3), true);
    const before = model.id;
    expect(model.id).toBe(before);
    const bias = model.parameters().get('transformer.ln_f.bias') as tf.Variable;
    bias.assign(tf.tidy(() => bias.add(1)));
    expect(model.id).not.toBe(before);
    model.dispose();
  });

  it('is refused for sequences of one token', () => {
    const model = modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 3));
    expect(() => model.loss(Int32Array.of(1, 2), 2)).toThrow(/at least 2 tokens/);
    model.dispose();
  });
});

describe('a model that is not trained', () => {
  it.each(Object.keys(CONFIGS))(
    '%s: gradients reach an activation, by one operation for attention and step by step',
    (name) => {
      const model = modelOf(CONFIGS[name], randomWeights(CONFIGS[name], 12));
      const first = 'blocks.0.hook_resid_pre';
      const gradient = (stepByStep: boolean): Float32Array => {
        const shift = tf.variable(tf.zeros([CONFIGS[name].dModel]));
        const { grads } = tf.variableGrads(() => {
          const edits = new Map([[first, [(x: tf.Tensor) => x.add(shift)]]]);
          // An edit that changes nothing asks for the scores.
          const scores = ['blocks.0', 'blocks.1'].map((at) => `${at}.attn.hook_attn_scores`);
          if (stepByStep) for (const hook of scores) edits.set(hook, [(x: tf.Tensor) => x]);
          const { logits } = model.forward(tokens, B, { edits });
          return (logits as tf.Tensor).square().mean<tf.Scalar>();
        });
        const values = grads[shift.name].dataSync() as Float32Array;
        tf.dispose(grads);
        shift.dispose();
        return values;
      };
      const fused = gradient(false);
      expect(Math.max(...fused.map(Math.abs))).toBeGreaterThan(1e-3);
      expect(relativeError(fused, Float64Array.from(gradient(true)))).toBeLessThan(1e-5);
      model.dispose();
    },
  );
});
