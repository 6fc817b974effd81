/** New models with random weights, for training and for tests. */
import { Random } from '../compute/random.js';
import { tf } from '../compute/tf.js';
import { requireConfig } from './config.js';
import { weightShapes } from './layout.js';
import { TransformerModel } from './transformer.js';
import type { ModelConfig, Tokenizer } from './types.js';

export interface CreateModelOptions {
  seed: number;
  tokenizer: Tokenizer;
  name: string;
  /** Weights become tf.Variables that an optimiser can change. Default false. */
  trainable?: boolean;
}

/**
 * A model with weights as GPT-2 starts them: normal with deviation 0.02, the two projections that write into the
 * residual stream scaled down by √(2·layers), biases 0, LayerNorm weights 1. The same seed gives the same weights.
 */
export function createModel(config: ModelConfig, options: CreateModelOptions): TransformerModel {
  requireConfig(config);
  const random = new Random(options.seed);
  const parameters = new Map<string, tf.Tensor>();
  for (const [name, shape] of weightShapes(config)) {
    const values = initialWeight(name, shape, config, random.fork(name));
    // Variables copy their initial value's reference: the tensor itself goes with the tidy.
    const weight = tf.tidy(() => {
      const tensor = tf.tensor(values, shape, 'float32');
      return options.trainable ? tf.variable(tensor) : tf.keep(tensor);
    });
    parameters.set(name, weight);
  }
  return new TransformerModel({ ...options, config, parameters });
}

function initialWeight(name: string, shape: number[], config: ModelConfig, random: Random): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (name.endsWith('.bias')) return values;
  // Norm weights are the only other vectors; Gemma's act as 1 + weight.
  if (shape.length === 1) return values.fill(config.norm === 'rms-plus-one' ? 0 : 1);
  const writesResidual =
    /(attn\.c_proj|mlp\.c_proj|out_proj|attention\.dense|dense_4h_to_h|o_proj|down_proj)\.weight$/.test(name);
  const deviation = 0.02 / (writesResidual ? Math.sqrt(2 * config.layers) : 1);
  random.normals(values);
  for (let i = 0; i < values.length; i++) values[i] *= deviation;
  return values;
}
