/** TransformerLens' center_writing_weights: every write into the residual stream gets mean 0 over the model's width. */
import { modelNames, weightShapes, type LinearNames } from './layout.js';
import type { ModelConfig } from './types.js';

/**
 * Subtracts from each vector that is written into the residual stream its mean over d_model: embedding rows, position
 * rows, and the outputs of attention and MLP. LayerNorm removes that mean anyway, so logits stay as they are; residual
 * activations do not. Changes `weights` in place (embeddings are copied when the unembedding shares them) and returns
 * the config, which is untied then.
 */
export function centerWritingWeights(config: ModelConfig, weights: Map<string, Float32Array>): ModelConfig {
  // RMSNorm keeps the mean: centring would change the logits.
  if (config.norm) throw new Error(`process: 'center' is for models with LayerNorm; ${config.family} has RMSNorm`);
  const shapes = weightShapes(config);
  const names = modelNames(config);
  const untied: ModelConfig = { ...config, tiedEmbeddings: false };
  // The unembedding reads the stream, it does not write: it keeps the uncentred values.
  if (config.tiedEmbeddings) weights.set(modelNames(untied).unembed, Float32Array.from(take(weights, names.embed)));
  const centreRows = (name: string): void => centre(take(weights, name), 1, config.dModel);
  const centreLinear = (linear: LinearNames): void => {
    const [first, second] = shapes.get(linear.weight) as number[];
    const values = take(weights, linear.weight);
    if (names.linearIsOutIn) centre(values, second, first);
    else centre(values, 1, second);
    if (linear.bias) centreRows(linear.bias);
  };
  centreRows(names.embed);
  if (names.position) centreRows(names.position);
  for (const block of names.blocks) {
    centreLinear(block.attnOut);
    centreLinear(block.mlpOut);
  }
  return untied;
}

function take(weights: Map<string, Float32Array>, name: string): Float32Array {
  const values = weights.get(name);
  if (!values) throw new Error(`no weight ${name} to centre`);
  return values;
}

/** Subtracts the mean of every vector of `width` values that lie `stride` apart; vectors fill the array. */
function centre(values: Float32Array, stride: number, width: number): void {
  const block = stride * width;
  for (let start = 0; start < values.length; start += block) {
    for (let offset = 0; offset < stride; offset++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += values[start + offset + i * stride];
      const mean = sum / width;
      for (let i = 0; i < width; i++) values[start + offset + i * stride] -= mean;
    }
  }
}
