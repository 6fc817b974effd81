/** Causal masks and rotary position embeddings. */
import { tf } from '../compute/tf.js';
import type { ModelConfig } from './types.js';

/** [T, T]: 0 where query i may look at key j, -Infinity elsewhere. Causal: j ≤ i; with a window also j > i − window. */
export function attentionMask(length: number, window = Infinity): tf.Tensor2D {
  const mask = new Float32Array(length * length).fill(-Infinity);
  for (let i = 0; i < length; i++) {
    const first = Math.max(0, i - window + 1);
    mask.fill(0, i * length + first, i * length + i + 1);
  }
  return tf.tensor2d(mask, [length, length]);
}

/** cos and sin of position × frequency, each [T, 1, dims]; pairs are (i, i + dims/2), as in GPT-NeoX. */
export function rotaryTables(length: number, rotary: NonNullable<ModelConfig['rotary']>): tf.Tensor[] {
  const { dims, base } = rotary;
  const half = dims / 2;
  const cos = new Float32Array(length * dims);
  const sin = new Float32Array(length * dims);
  for (let t = 0; t < length; t++) {
    for (let i = 0; i < dims; i++) {
      const angle = t * base ** (-(2 * (i % half)) / dims);
      cos[t * dims + i] = Math.cos(angle);
      sin[t * dims + i] = Math.sin(angle);
    }
  }
  return [tf.tensor3d(cos, [length, 1, dims]), tf.tensor3d(sin, [length, 1, dims])];
}

/** Rotates the first dims of each head of x [B, T, H, Dh]; the rest passes unchanged. */
export function rotate(x: tf.Tensor4D, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor4D {
  const dHead = x.shape[3];
  const dims = cos.shape[2] as number;
  const half = dims / 2;
  const sizes = dims < dHead ? [half, half, dHead - dims] : [half, half];
  const [first, second, ...rest] = tf.split(x, sizes, 3);
  const turned = tf
    .concat([first, second], 3)
    .mul(cos)
    .add(tf.concat([second.neg(), first], 3).mul(sin)); // [B, T, H, dims]
  return tf.concat([turned, ...rest], 3) as tf.Tensor4D;
}
