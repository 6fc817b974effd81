/**
 * The transformer's own operations, differentiable on every device. Written as chains of tf operations; where the cpu
 * device has a fused kernel (fusedOps.ts), that runs instead and gives the same numbers.
 */
import { tf } from '../compute/tf.js';

/** GELU with the tanh approximation: x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))). Hendrycks & Gimpel 2016; "gelu_new". */
export function geluNew<T extends tf.Tensor>(x: T): T {
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
  return tf.tidy(() => x.mul(0.5).mul<T>(tf.erf(x.mul(Math.SQRT1_2)).add(1)));
}

/** (x − mean) / √(variance + eps) · weight + bias over the last axis; variance is biased. Ba et al. 2016. */
export function layerNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, bias: tf.Tensor1D, eps: number): T {
  return tf.tidy(() => {
    const centred = x.sub(x.mean(-1, true));
    const scale = centred.square().mean(-1, true).add(eps).sqrt();
    return centred.div(scale).mul(weight).add<T>(bias);
  });
}

/**
 * Cross-entropy of each row: log Σ exp(logits) − logits[target], in nats. logits [N, V], targets N ids → [N].
 * The log-sum-exp is taken as max − log p(max), with p from the softmax: p(max) ≥ 1/V, so nothing underflows.
 */
export function crossEntropy(logits: tf.Tensor2D, targets: Int32Array): tf.Tensor1D {
  const [rows, classes] = logits.shape;
  const op = tf.customGrad((x, save) => {
    const value = tf.tidy(() => {
      const probabilities = tf.softmax(x as tf.Tensor2D);
      (save as tf.GradSaveFunc)([tf.keep(probabilities)]);
      const flat = (x as tf.Tensor).reshape([rows * classes]);
      const places = Int32Array.from(targets, (target, row) => row * classes + target);
      const target = flat.gather(tf.tensor1d(places, 'int32'));
      const logSumExp = (x as tf.Tensor).max(-1).sub(probabilities.max(-1).log());
      return logSumExp.sub<tf.Tensor1D>(target);
    });
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => [
      tf.tidy(() => {
        const target = tf.oneHot(tf.tensor1d(targets, 'int32'), classes);
        return saved[0].sub(target).mul(dy.reshape([rows, 1]));
      }),
    ];
    return { value, gradFunc: (d: tf.Tensor, s: tf.Tensor[]) => gradFunc(d, s) };
  });
  return op(logits) as tf.Tensor1D;
}
