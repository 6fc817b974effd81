/**
 * One-pass kernels of the transformer's own operations on the cpu device: plain loops over tfjs-wasm's memory, without
 * copies. A chain of tf operations reads and writes every activation several times, and tfjs-wasm has no gradient
 * kernel for some of them. Each function takes and returns tensors; ops.ts gives them gradients.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { tf } from '../compute/tf.js';
import { nativeAttention, nativeLayerNorm, nativeUnary, type NativeLinear } from './nativeOps.js';

/** Whether tensors live where these kernels reach them. */
export const hasFusedOps = (): boolean => tf.getBackend() === 'wasm';

const backend = (): BackendWasm => tf.backend() as BackendWasm;

function empty(shape: readonly number[]): tf.Tensor {
  const info: TensorInfo = backend().makeOutput([...shape], 'float32');
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** A tensor's values in place. Take views after the last output was made: the heap can grow and move. */
const view = (x: tf.Tensor): Float32Array => backend().typedArrayFromHeap(x) as Float32Array;

/** A tensor's values in place: to be read at once, and not kept. */
export const valuesOf = (x: tf.Tensor): Float32Array => view(x);

/** x [N, in] → [N, width] by a packed layer. */
export function linearForward(x: tf.Tensor, layer: NativeLinear, width: number): tf.Tensor {
  const y = empty([x.shape[0], width]);
  layer.run(view(x), view(y));
  return y;
}

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** tanh as a ratio of polynomials (Eigen's and MLAS's coefficients), within 4e-7: four times as fast as Math.tanh. */
function tanh(x: number): number {
  const u = x > 9 ? 9 : x < -9 ? -9 : x;
  const s = u * u;
  const p =
    ((((((-2.76076847742355e-16 * s + 2.00018790482477e-13) * s - 8.60467152213735e-11) * s + 5.12229709037114e-8) * s +
      1.48572235717979e-5) *
      s +
      6.37261928875436e-4) *
      s +
      4.89352455891786e-3) *
    u;
  const q = ((1.19825839466702e-6 * s + 1.18534705686654e-4) * s + 2.268434632439e-3) * s + 4.89352518554385e-3;
  return p / q;
}

const geluNewOf = (x: number): number => 0.5 * x * (1 + tanh(SQRT_2_OVER_PI * x * (1 + 0.044715 * x * x)));

/** softmax(q kᵀ · scale + mask) v by head, all [B, T, H, Dh], mask [T, T]; undefined where ONNX Runtime is not in use. */
export function attentionForward(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  mask: tf.Tensor,
  scale: number,
): tf.Tensor | undefined {
  const [batch, length, heads, dHead] = q.shape;
  const native = nativeAttention(heads, scale);
  if (!native) return undefined;
  const z = empty(q.shape);
  native(view(q), view(k), view(v), view(mask), view(z), { batch, length, heads, dHead });
  return z;
}

/** Tanh GELU of every element. */
export function geluNewForward(x: tf.Tensor): tf.Tensor {
  const y = empty(x.shape);
  const [from, to] = [view(x), view(y)];
  const native = nativeUnary('FastGelu', geluNewOf);
  if (native) native(from, to);
  else for (let i = 0; i < from.length; i++) to[i] = geluNewOf(from[i]);
  return y;
}

/** Exact GELU of every element, by ONNX Runtime; undefined where that is not in use. */
export function geluForward(x: tf.Tensor): tf.Tensor | undefined {
  const native = nativeUnary('Gelu', (v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2)));
  if (!native) return undefined;
  const y = empty(x.shape);
  native(view(x), view(y));
  return y;
}

/** erf within 2e-7 (Abramowitz & Stegun 7.1.26): enough to check another's. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}

/** dy · derivative of the tanh GELU at x. */
export function geluNewBackward(x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const dx = empty(x.shape);
  const at = view(x);
  const from = view(dy);
  const to = view(dx);
  for (let i = 0; i < at.length; i++) {
    const v = at[i];
    const t = tanh(SQRT_2_OVER_PI * v * (1 + 0.044715 * v * v));
    to[i] = from[i] * 0.5 * (1 + t + v * (1 - t * t) * SQRT_2_OVER_PI * (1 + 0.134145 * v * v));
  }
  return dx;
}

/** Column sums of dy [rows, n], in float64: the gradient of a bias. */
export function biasBackward(dy: tf.Tensor, width: number): tf.Tensor {
  const db = empty([width]);
  const from = view(dy);
  const sums = new Float64Array(width);
  for (let at = 0; at < from.length; at += width) {
    for (let i = 0; i < width; i++) sums[i] += from[at + i];
  }
  view(db).set(sums);
  return db;
}

/** LayerNorm over the last axis. */
export function layerNormForward(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, eps: number): tf.Tensor {
  const y = empty(x.shape);
  const width = weight.size;
  const [from, to, w, b] = [view(x), view(y), view(weight), view(bias)];
  const native = nativeLayerNorm(eps);
  if (native) {
    native(from, w, b, to);
    return y;
  }
  for (let at = 0; at < from.length; at += width) {
    const { mean, scale } = moments(from, at, width, eps);
    for (let i = 0; i < width; i++) to[at + i] = (from[at + i] - mean) * scale * w[i] + b[i];
  }
  return y;
}

/** Gradients of LayerNorm in x, weight and bias. */
export function layerNormBackward(x: tf.Tensor, weight: tf.Tensor, dy: tf.Tensor, eps: number): tf.Tensor[] {
  const [dx, dw, db] = [empty(x.shape), empty(weight.shape), empty(weight.shape)];
  const width = weight.size;
  const [from, w, upstream, to] = [view(x), view(weight), view(dy), view(dx)];
  const sumW = new Float64Array(width);
  const sumB = new Float64Array(width);
  for (let at = 0; at < from.length; at += width) {
    const { mean, scale } = moments(from, at, width, eps);
    let sum = 0;
    let sumNormalized = 0;
    for (let i = 0; i < width; i++) {
      const normalized = (from[at + i] - mean) * scale;
      const g = upstream[at + i];
      sumW[i] += g * normalized;
      sumB[i] += g;
      sum += g * w[i];
      sumNormalized += g * w[i] * normalized;
    }
    for (let i = 0; i < width; i++) {
      const normalized = (from[at + i] - mean) * scale;
      to[at + i] = scale * (upstream[at + i] * w[i] - (sum + normalized * sumNormalized) / width);
    }
  }
  view(dw).set(sumW);
  view(db).set(sumB);
  return [dx, dw, db];
}

/** Mean and 1 / √(variance + eps) of one row. Four sums at once: one alone would wait for every addition. */
function moments(x: Float32Array, at: number, width: number, eps: number): { mean: number; scale: number } {
  const whole = at + width - (width % 4);
  const end = at + width;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = at; i < whole; i += 4) {
    a += x[i];
    b += x[i + 1];
    c += x[i + 2];
    d += x[i + 3];
  }
  for (let i = whole; i < end; i++) a += x[i];
  const mean = (a + b + c + d) / width;
  a = b = c = d = 0;
  for (let i = at; i < whole; i += 4) {
    a += (x[i] - mean) * (x[i] - mean);
    b += (x[i + 1] - mean) * (x[i + 1] - mean);
    c += (x[i + 2] - mean) * (x[i + 2] - mean);
    d += (x[i + 3] - mean) * (x[i + 3] - mean);
  }
  for (let i = whole; i < end; i++) a += (x[i] - mean) * (x[i] - mean);
  return { mean, scale: 1 / Math.sqrt((a + b + c + d) / width + eps) };
}

/** RMSNorm over the last axis; `shift` is added to the weight. */
export function rmsNormForward(x: tf.Tensor, weight: tf.Tensor, eps: number, shift: number): tf.Tensor {
  const y = empty(x.shape);
  const width = weight.size;
  const [from, to, w] = [view(x), view(y), view(weight)];
  for (let at = 0; at < from.length; at += width) {
    const scale = rootScale(from, at, width, eps);
    for (let i = 0; i < width; i++) to[at + i] = from[at + i] * scale * (w[i] + shift);
  }
  return y;
}

/** Gradients of RMSNorm in x and weight. */
export function rmsNormBackward(
  x: tf.Tensor,
  weight: tf.Tensor,
  dy: tf.Tensor,
  eps: number,
  shift: number,
): tf.Tensor[] {
  const [dx, dw] = [empty(x.shape), empty(weight.shape)];
  const width = weight.size;
  const [from, w, upstream, to] = [view(x), view(weight), view(dy), view(dx)];
  const sumW = new Float64Array(width);
  for (let at = 0; at < from.length; at += width) {
    const scale = rootScale(from, at, width, eps);
    let along = 0;
    for (let i = 0; i < width; i++) {
      const g = upstream[at + i];
      sumW[i] += g * from[at + i] * scale;
      along += g * (w[i] + shift) * from[at + i];
    }
    const pull = (along * scale * scale) / width;
    for (let i = 0; i < width; i++) to[at + i] = scale * (upstream[at + i] * (w[i] + shift) - from[at + i] * pull);
  }
  view(dw).set(sumW);
  return [dx, dw];
}

/** 1 / √(mean x² + eps) of one row. Four sums at once, as in moments. */
function rootScale(x: Float32Array, at: number, width: number, eps: number): number {
  const whole = at + width - (width % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = at; i < whole; i += 4) {
    a += x[i] * x[i];
    b += x[i + 1] * x[i + 1];
    c += x[i + 2] * x[i + 2];
    d += x[i + 3] * x[i + 3];
  }
  for (let i = whole; i < at + width; i++) a += x[i] * x[i];
  return 1 / Math.sqrt((a + b + c + d) / width + eps);
}

const siluOf = (x: number): number => x / (1 + Math.exp(-x));

/** SiLU of every element: ONNX Runtime's QuickGelu with alpha 1. */
export function siluForward(x: tf.Tensor): tf.Tensor {
  const y = empty(x.shape);
  const [from, to] = [view(x), view(y)];
  const native = nativeUnary('QuickGelu', siluOf, { alpha: { float: 1 } });
  if (native) native(from, to);
  else for (let i = 0; i < from.length; i++) to[i] = siluOf(from[i]);
  return y;
}

/** dy · derivative of SiLU at x. */
export function siluBackward(x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const dx = empty(x.shape);
  const [at, from, to] = [view(x), view(dy), view(dx)];
  for (let i = 0; i < at.length; i++) {
    const s = 1 / (1 + Math.exp(-at[i]));
    to[i] = from[i] * s * (1 + at[i] * (1 - s));
  }
  return dx;
}

/** Rows of a table [V, d] by id: [N, d]. */
export function embeddingForward(table: tf.Tensor, ids: Int32Array): tf.Tensor {
  const width = table.shape[1] as number;
  const rows = empty([ids.length, width]);
  const [from, to] = [view(table), view(rows)];
  for (let n = 0; n < ids.length; n++) to.set(from.subarray(ids[n] * width, (ids[n] + 1) * width), n * width);
  return rows;
}

/** Rows of table [V, d] summed into by id: the gradient of an embedding look-up. dy [N, d] → [V, d]. */
export function embeddingBackward(ids: Int32Array, dy: tf.Tensor, vocab: number): tf.Tensor {
  const width = dy.size / ids.length;
  const table = empty([vocab, width]);
  const from = view(dy);
  const to = view(table).fill(0);
  for (let n = 0; n < ids.length; n++) {
    const row = ids[n] * width;
    for (let i = 0; i < width; i++) to[row + i] += from[n * width + i];
  }
  return table;
}

/** log Σ exp(logits) − logits[target] of each row, given the rows' softmax. */
export function crossEntropyForward(logits: tf.Tensor, probabilities: tf.Tensor, targets: Int32Array): tf.Tensor {
  const loss = empty([targets.length]);
  const classes = logits.size / targets.length;
  const [x, p, to] = [view(logits), view(probabilities), view(loss)];
  for (let n = 0; n < targets.length; n++) {
    const target = n * classes + targets[n];
    let safe = target;
    // Where the target's probability underflows, the log-sum-exp is taken from the likeliest class, which is ≥ 1/V.
    if (!(p[target] > 1e-30)) {
      for (let i = n * classes; i < (n + 1) * classes; i++) if (p[i] > p[safe]) safe = i;
    }
    to[n] = x[safe] - Math.log(p[safe]) - x[target];
  }
  return loss;
}

/** (softmax − one-hot target) · dy of each row. */
export function crossEntropyBackward(probabilities: tf.Tensor, targets: Int32Array, dy: tf.Tensor): tf.Tensor {
  const dx = probabilities.mul(dy.reshape([targets.length, 1]));
  const classes = probabilities.size / targets.length;
  const [g, to] = [view(dy), view(dx)];
  for (let n = 0; n < targets.length; n++) to[n * classes + targets[n]] -= g[n];
  return dx;
}
