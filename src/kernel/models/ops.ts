/**
 * The transformer's own operations, differentiable on every device: chains of tf operations, and on the cpu device one
 * fused kernel each (fusedOps.ts) with the same results.
 */
import { tf } from '../compute/tf.js';
import {
  attentionForward,
  biasBackward,
  embeddingForward,
  crossEntropyBackward,
  crossEntropyForward,
  embeddingBackward,
  geluForward,
  geluNewBackward,
  geluNewForward,
  hasFusedOps,
  layerNormBackward,
  layerNormForward,
  linearForward,
  rmsNormBackward,
  rmsNormForward,
  siluBackward,
  siluForward,
} from './fusedOps.js';
import type { NativeLinear } from './nativeOps.js';

type Save = (tensors: tf.Tensor[]) => void;

/** An operation with a gradient of its own; `forward` may save tensors for `backward`. */
function withGradient<T extends tf.Tensor>(
  inputs: tf.Tensor[],
  forward: (inputs: tf.Tensor[], save: Save) => tf.Tensor,
  backward: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
): T {
  const operation = tf.customGrad((...args) => {
    const save = args.pop() as Save;
    return { value: forward(args as tf.Tensor[], save) as T, gradFunc: backward };
  });
  return operation(...inputs) as T;
}

/** Rows of a table [V, d] by id: [N, d]. */
export function embedding(table: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  if (!hasFusedOps()) return tf.gather(table, tf.tensor1d(ids, 'int32'));
  return withGradient(
    [table],
    ([from]) => embeddingForward(from, ids),
    (dy) => embeddingBackward(ids, dy, table.shape[0]),
  );
}

/**
 * x [N, in] · weight + bias → [N, out]; the weight is [in, out], or [out, in] when `outIn`. `packed` is the same weight
 * and bias in another form, for the forward pass.
 */
export function linear(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  bias: tf.Tensor1D | undefined,
  outIn: boolean,
  packed?: NativeLinear,
): tf.Tensor2D {
  if (!hasFusedOps() || (!bias && !packed)) {
    const product: tf.Tensor2D = tf.matMul(x, weight, false, outIn);
    return bias ? product.add(bias) : product;
  }
  return withGradient(
    bias ? [x, weight, bias] : [x, weight],
    ([input, w, b], save) => {
      save([input, w]);
      if (packed) return linearForward(input, packed, w.shape[outIn ? 0 : 1] as number);
      return tf.matMul(input, w, false, outIn).add(b);
    },
    (dy, [input, w]) => [
      tf.matMul(dy, w, false, !outIn),
      outIn ? tf.matMul(dy, input, true, false) : tf.matMul(input, dy, true, false),
      ...(bias ? [biasBackward(dy, bias.size)] : []),
    ],
  );
}

/** [B, T, H, Dh] → [B, H, T, Dh], and back. */
const byHead = (x: tf.Tensor): tf.Tensor4D => x.transpose([0, 2, 1, 3]);

/** Attention scores q kᵀ · scale + mask: q, k [B, T, H, Dh], mask [T, T] → [B, H, T, T]; `cap` bounds them before the mask. */
export function attentionScores(
  q: tf.Tensor4D,
  k: tf.Tensor4D,
  mask: tf.Tensor,
  scale: number,
  cap?: number,
): tf.Tensor4D {
  const scaled = scale === 1 ? q : q.mul(scale);
  const scores: tf.Tensor4D = tf.matMul(byHead(scaled), byHead(k), false, true);
  return (cap === undefined ? scores : softCap(scores, cap)).add<tf.Tensor4D>(mask);
}

/** Each head's mixture of values: pattern [B, H, T, T], v [B, T, H, Dh] → [B, T, H, Dh]. */
export function attentionMix(pattern: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  return byHead(tf.matMul(pattern, byHead(v)));
}

/** attentionMix(softmax(attentionScores(…)), v) in one operation, for when nothing between is asked for. */
export function attention(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, mask: tf.Tensor, scale: number): tf.Tensor4D {
  const plain = (): tf.Tensor4D => attentionMix(tf.softmax(attentionScores(q, k, mask, scale)), v);
  if (!hasFusedOps()) return plain();
  return withGradient(
    [q, k, v],
    ([queries, keys, values], save) => {
      save([queries, keys, values, mask]);
      return attentionForward(queries, keys, values, mask, scale) ?? tf.tidy(plain);
    },
    (dy, saved) => attentionBackward(dy, saved as tf.Tensor4D[], scale),
  );
}

/** Gradients of attention in q, k and v; the pattern is computed once more. */
function attentionBackward(dy: tf.Tensor, [q, k, v, mask]: tf.Tensor4D[], scale: number): tf.Tensor[] {
  return tf.tidy(() => {
    const pattern = tf.softmax(attentionScores(q, k, mask, scale)); // [B, H, T, T]
    const dz = byHead(dy); // [B, H, T, Dh]
    const dPattern = tf.matMul(dz, byHead(v), false, true);
    const mean = dPattern.mul(pattern).sum(-1, true);
    const dScores = pattern.mul(dPattern.sub(mean)).mul<tf.Tensor4D>(scale);
    const dq = tf.matMul(dScores, byHead(k));
    const dk = tf.matMul(dScores, byHead(q), true, false);
    return [dq, dk, tf.matMul(pattern, dz, true, false)].map(byHead);
  });
}

/** GELU with tanh: x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))). Hendrycks & Gimpel 2016; "gelu_new". */
export function geluNew<T extends tf.Tensor>(x: T): T {
  if (hasFusedOps()) {
    return withGradient(
      [x],
      ([input], save) => {
        save([input]);
        return geluNewForward(input);
      },
      (dy, [input]) => geluNewBackward(input, dy),
    );
  }
  return tf.tidy(() => {
    const inner = x
      .square()
      .mul(0.044715)
      .add(1)
      .mul(x)
      .mul(Math.sqrt(2 / Math.PI));
    return x.mul(0.5).mul<T>(inner.tanh().add(1));
  });
}

/** Exact GELU: x/2 · (1 + erf(x/√2)). */
export function gelu<T extends tf.Tensor>(x: T): T {
  const chain = (from: tf.Tensor): tf.Tensor => from.mul(0.5).mul(tf.erf(from.mul(Math.SQRT1_2)).add(1));
  if (!hasFusedOps()) return tf.tidy(() => chain(x) as T);
  return withGradient(
    [x],
    ([input], save) => {
      save([input]);
      return geluForward(input) ?? tf.tidy(() => chain(input));
    },
    // Φ(x) + x φ(x), with the normal distribution's function Φ and density φ.
    (dy, [input]) =>
      tf.tidy(() => {
        const cumulative = tf.erf(input.mul(Math.SQRT1_2)).add(1).mul(0.5);
        const density = input
          .square()
          .mul(-0.5)
          .exp()
          .mul(1 / Math.sqrt(2 * Math.PI));
        return dy.mul(cumulative.add(input.mul(density)));
      }),
  );
}

/** (x − mean) / √(variance + eps) · weight + bias over the last axis; variance is biased. Ba et al. 2016. */
export function layerNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, bias: tf.Tensor1D, eps: number): T {
  if (hasFusedOps()) {
    return withGradient(
      [x, weight, bias],
      ([input, w, b], save) => {
        save([input, w]);
        return layerNormForward(input, w, b, eps);
      },
      (dy, [input, w]) => layerNormBackward(input, w, dy, eps),
    );
  }
  return tf.tidy(() => {
    const centred = x.sub(x.mean(-1, true));
    const scale = centred.square().mean(-1, true).add(eps).sqrt();
    return centred.div(scale).mul(weight).add<T>(bias);
  });
}

/**
 * x / √(mean x² + eps) · weight over the last axis; `shift` is added to the weight first (1 for Gemma). Zhang & Sennrich
 * 2019.
 */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, eps: number, shift: 0 | 1): T {
  if (hasFusedOps()) {
    return withGradient(
      [x, weight],
      ([input, w], save) => {
        save([input, w]);
        return rmsNormForward(input, w, eps, shift);
      },
      (dy, [input, w]) => rmsNormBackward(input, w, dy, eps, shift),
    );
  }
  return tf.tidy(() => {
    const scale = x.square().mean(-1, true).add(eps).sqrt();
    return x.div(scale).mul<T>(shift === 0 ? weight : weight.add(shift));
  });
}

/** x · sigmoid(x): SiLU, or Swish. */
export function silu<T extends tf.Tensor>(x: T): T {
  if (!hasFusedOps()) return x.mul(tf.sigmoid(x));
  return withGradient(
    [x],
    ([input], save) => {
      save([input]);
      return siluForward(input);
    },
    (dy, [input]) => siluBackward(input, dy),
  );
}

/** cap · tanh(x / cap): nearly x near 0, never beyond the cap. */
export function softCap<T extends tf.Tensor>(x: T, cap: number): T {
  return tf.tidy(() =>
    x
      .mul(1 / cap)
      .tanh()
      .mul<T>(cap),
  );
}

/** Heads of keys or values for every query head: [B, T, Hkv, Dh] → [B, T, Hkv · group, Dh], each repeated in place. */
export function repeatHeads(x: tf.Tensor4D, group: number): tf.Tensor4D {
  if (group === 1) return x;
  const [batch, length, heads, dHead] = x.shape;
  // tile has no gradient beyond rank 4.
  const repeated = x.reshape([batch * length * heads, 1, dHead]).tile([1, group, 1]);
  return repeated.reshape([batch, length, heads * group, dHead]);
}

/**
 * Cross-entropy of each row: log Σ exp(logits) − logits[target], in nats. logits [N, V], targets N ids → [N].
 * The log-sum-exp is taken as max − log p(max), with p from the softmax: p(max) ≥ 1/V, so nothing underflows.
 */
export function crossEntropy(logits: tf.Tensor2D, targets: Int32Array): tf.Tensor1D {
  const [rows, classes] = logits.shape;
  const fused = hasFusedOps();
  return withGradient(
    [logits],
    ([x], save) => {
      const probabilities = tf.softmax(x);
      save([probabilities]);
      if (fused) return crossEntropyForward(x, probabilities, targets);
      const places = Int32Array.from(targets, (target, row) => row * classes + target);
      const target = x.reshape([rows * classes]).gather(tf.tensor1d(places, 'int32'));
      return x.max(-1).sub(probabilities.max(-1).log()).sub(target);
    },
    (dy, [probabilities]) => {
      if (fused) return crossEntropyBackward(probabilities, targets, dy);
      const oneHot = tf.oneHot(tf.tensor1d(targets, 'int32'), classes);
      return probabilities.sub(oneHot).mul(dy.reshape([rows, 1]));
    },
  );
}
