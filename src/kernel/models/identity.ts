/** Identity of a model: one hash over config and weights, whatever the container they came in. */
import { tf } from '../compute/tf.js';
import { canonicalJson, sha256, type InPieces } from '../io/hash.js';
import type { ModelConfig } from './types.js';

/** Hash of one weight by its float32 values. */
export function weightHash(name: string, shape: readonly number[], values: Float32Array | InPieces): string {
  return sha256([name, shape.join(','), values]);
}

/** Identity from the hashes of all weights by name; the order of the map does not matter. */
export function identity(config: ModelConfig, weightHashes: ReadonlyMap<string, string>): string {
  const known = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const hashes = [...weightHashes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, hash]) => hash);
  return sha256([canonicalJson(known), ...hashes]);
}

/** Identity of weights that live in tensors. */
export function modelId(config: ModelConfig, weights: ReadonlyMap<string, tf.Tensor>): string {
  const hashes = new Map<string, string>();
  for (const [name, weight] of weights) {
    hashes.set(name, weightHash(name, weight.shape, weight.dataSync<'float32'>()));
  }
  return identity(config, hashes);
}
