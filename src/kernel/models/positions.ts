/** Causal masks and rotary position embeddings. */
import { tf } from '../compute/tf.js';
import type { RopeScaling, Rotary } from './types.js';

/** [T, T]: 0 where query i may look at key j, -Infinity elsewhere. Causal: j ≤ i; with a window also j > i − window. */
export function attentionMask(length: number, window = Infinity): tf.Tensor2D {
  return tf.tensor2d(maskValues(length, -Infinity, window), [length, length]);
}

/** Values of attentionMask with `masked` in the place of -Infinity. */
export function maskValues(length: number, masked: number, window = Infinity): Float32Array {
  const mask = new Float32Array(length * length).fill(masked);
  for (let i = 0; i < length; i++) {
    const first = Math.max(0, i - window + 1);
    mask.fill(0, i * length + first, i * length + i + 1);
  }
  return mask;
}

/**
 * cos and sin of position × frequency, each [T, 1, dims]; pairs are (i, i + dims/2), as in GPT-NeoX and Hugging Face's
 * Llama.
 */
export function rotaryTables(length: number, rotary: Rotary): tf.Tensor[] {
  const { cos, sin } = rotaryValues(length, rotary);
  return [cos, sin].map((values) => tf.tensor3d(values, [length, 1, rotary.dims]));
}

/** Values of rotaryTables. */
export function rotaryValues(length: number, rotary: Rotary): { cos: Float32Array; sin: Float32Array } {
  const { dims } = rotary;
  const half = dims / 2;
  const frequencies = rotaryFrequencies(rotary, length);
  const scale = rotary.scaling?.type === 'yarn' ? rotary.scaling.attentionFactor : 1;
  const cos = new Float32Array(length * dims);
  const sin = new Float32Array(length * dims);
  for (let t = 0; t < length; t++) {
    for (let i = 0; i < dims; i++) {
      const angle = t * frequencies[i % half];
      cos[t * dims + i] = scale * Math.cos(angle);
      sin[t * dims + i] = scale * Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** Radians a position, [dims / 2]: base^(−2i/dims), stretched by the scaling. `length` matters to dynamic scaling alone. */
export function rotaryFrequencies({ dims, base, scaling }: Rotary, length: number): Float64Array {
  const plain = (b: number): Float64Array => Float64Array.from({ length: dims / 2 }, (_, i) => b ** (-(2 * i) / dims));
  switch (scaling?.type) {
    case undefined:
      return plain(base);
    case 'linear':
      return plain(base).map((f) => f / scaling.factor);
    case 'dynamic': {
      // A base that grows with the text, so that the longest wave spans it (NTK-aware, bloc97 and emozilla 2023).
      const stretch = (scaling.factor * Math.max(length, scaling.original)) / scaling.original - (scaling.factor - 1);
      return plain(base * stretch ** (dims / (dims - 2)));
    }
    case 'llama3':
      return plain(base).map((f) => llama3Frequency(f, scaling));
    case 'yarn':
      return yarnFrequencies(plain(base), dims, base, scaling);
  }
}

/** Llama 3.1: long waves are stretched by the factor, short ones stay, and those between are blended. */
function llama3Frequency(f: number, s: Extract<RopeScaling, { type: 'llama3' }>): number {
  const turns = (s.original * f) / (2 * Math.PI);
  if (turns < s.lowFreqFactor) return f / s.factor;
  if (turns > s.highFreqFactor) return f;
  const smooth = (turns - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor);
  return ((1 - smooth) * f) / s.factor + smooth * f;
}

/** YaRN (Peng et al. 2023, arXiv 2309.00071): a ramp over dimensions between stretched and plain frequencies. */
function yarnFrequencies(
  plain: Float64Array,
  dims: number,
  base: number,
  s: Extract<RopeScaling, { type: 'yarn' }>,
): Float64Array {
  const dimensionOf = (turns: number): number =>
    (dims * Math.log(s.original / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const [first, last] = [dimensionOf(s.betaFast), dimensionOf(s.betaSlow)];
  const low = Math.max(0, s.truncate ? Math.floor(first) : first);
  let high = Math.min(dims - 1, s.truncate ? Math.ceil(last) : last);
  if (high === low) high += 0.001;
  return plain.map((f, i) => {
    const stretched = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return (f / s.factor) * stretched + f * (1 - stretched);
  });
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
