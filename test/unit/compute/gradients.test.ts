import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { initDevice } from '#kernel/compute/device.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';

beforeAll(async () => {
  await initDevice({ device: 'cpu' });
});
beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

/** Largest difference of the gradient of f at x from central differences, relative to the largest gradient. */
function gradientError(f: (x: Tensor) => Tensor, x: Tensor, step = 1e-2): number {
  const random = new Random(11);
  let weights: Tensor | undefined;
  // A random weighting of the outputs: a plain sum would hide permuted gradients.
  const scalar = (y: Tensor): Tensor => {
    weights ??= tf.tensor(random.normals(new Float32Array(y.size)), y.shape);
    return y.toFloat().mul(weights).sum();
  };
  scalar(f(x));
  const gradient = tf
    .grad((z: Tensor) => scalar(f(z)))(x)
    .dataSync();
  const data = x.dataSync();
  let worst = 0;
  let scale = 1e-3;
  for (let i = 0; i < data.length; i++) {
    const at = (delta: number): number => {
      const moved = data.slice() as Float32Array;
      moved[i] += delta;
      // Summed in float64: float32 sums would drown the difference.
      const y = f(tf.tensor(moved, x.shape)).toFloat().dataSync();
      const w = weights!.dataSync();
      let sum = 0;
      for (let j = 0; j < y.length; j++) sum += y[j] * w[j];
      return sum;
    };
    // Fourth-order differences leave an error of step^4.
    const expected = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
    worst = Math.max(worst, Math.abs(gradient[i] - expected));
    scale = Math.max(scale, Math.abs(expected));
  }
  return worst / scale;
}

const ids = (...values: number[]): Tensor1D => tf.tensor1d(values, 'int32');
// Square on purpose: a transposed gradient keeps its shape and would pass unseen. No entry lies near a kink.
const square = (): Tensor => tf.tensor2d([0.31, -0.72, 1.23, 2.11, 0.43, -1.34, -0.25, 0.87, 1.55], [3, 3]);

const operations: Record<string, (x: Tensor) => Tensor> = {
  abs: (x) => x.abs(),
  exp: (x) => x.exp(),
  log: (x) => x.abs().log(),
  sqrt: (x) => x.abs().sqrt(),
  rsqrt: (x) => x.square().add(0.5).rsqrt(),
  erf: (x) => x.erf(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  softplus: (x) => x.softplus(),
  'log of sigmoid': (x) => x.logSigmoid(),
  relu: (x) => x.relu(),
  elu: (x) => x.elu(),
  'leaky relu': (x) => x.leakyRelu(0.1),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  pow: (x) => x.abs().pow(2.5),
  'pow of tensors': (x) => x.abs().pow(x),
  'gelu by erf': (x) => x.mul(0.5).mul(x.div(Math.SQRT2).erf().add(1)),
  'gelu by tanh': (x) => x.mul(0.5).mul(x.pow(3).mul(0.044715).add(x).mul(0.7978845608).tanh().add(1)),
  div: (x) => tf.div(1, x),
  'div without NaN': (x) => tf.divNoNan(x, x.add(3)),
  maximum: (x) => tf.maximum(x, 0.5),
  minimum: (x) => tf.minimum(x, x.transpose().mul(0.7)),
  clip: (x) => x.clipByValue(-0.5, 1),
  'where on itself': (x) => tf.where(x.greater(0.4), x.square(), x.mul(2)),
  'mask by comparison': (x) => x.mul(x.lessEqual(1).toFloat()),
  'logical masks': (x) => tf.where(x.greater(0).logicalAnd(x.less(1).logicalNot()), x.square(), x),
  softmax: (x) => x.softmax(),
  'log of softmax': (x) => x.logSoftmax(),
  'log of summed exponentials': (x) => x.logSumExp(1),
  'sum over rows': (x) => x.sum(0),
  mean: (x) => x.mean(1),
  variance: (x) => tf.moments(x, 1).variance,
  max: (x) => x.max(0),
  min: (x) => x.min(1),
  prod: (x) => x.prod(1),
  norm: (x) => x.norm('euclidean', 1),
  'layer norm': (x) => {
    const c = x.sub(x.mean(-1, true));
    return c.div(c.square().mean(-1, true).add(1e-5).sqrt());
  },
  'cumulative sum along rows': (x) => x.cumsum(1),
  'cumulative sum along columns': (x) => x.cumsum(0),
  'cumulative sum, exclusive and reversed': (x) => x.cumsum(0, true, true),
  'cumulative sum, axis -2': (x) => x.cumsum(-2),
  transpose: (x) => x.transpose(),
  reverse: (x) => x.reverse(1),
  'concat and slice': (x) => tf.concat([x, x.mul(2)], 1).slice([1, 2], [2, 3]),
  stack: (x) => tf.stack([x, x.square()], 1),
  unstack: (x) => tf.unstack(x, 1)[1],
  'unstack of one': (x) => tf.unstack(x.expandDims(0))[0],
  split: (x) => tf.split(x, 3, 1)[2],
  'split into one': (x) => tf.split(x, 1, 0)[0],
  pad: (x) => x.pad([[1, 0], [0, 2]]), // prettier-ignore
  tile: (x) => x.tile([2, 1]),
  broadcast: (x) => tf.broadcastTo(x.expandDims(1), [3, 2, 3]),
  gather: (x) => tf.gather(x, ids(0, 2, 2, 0, 2)),
  'gather columns': (x) => tf.gather(x, ids(2, 0, 2), 1),
  'gather by a matrix': (x) => tf.gather(x, tf.tensor2d([[0, 1], [1, 1]], [2, 2], 'int32')), // prettier-ignore
  'gather by batch': (x) => tf.gather(x, tf.tensor2d([[0, 1], [1, 2], [2, 2]], [3, 2], 'int32'), 1, 1), // prettier-ignore
  'gather inside a batch, axis 2': (x) => tf.gather(x.reshape([3, 1, 3]), tf.tensor2d([[0, 1], [1, 2], [2, 2]], [3, 2], 'int32'), 2, 1), // prettier-ignore
  'gatherND with a repeated place': (x) => tf.gatherND(x, tf.tensor2d([[0, 1], [1, 2], [0, 1]], [3, 2], 'int32')), // prettier-ignore
  scatterND: (x) => tf.scatterND(tf.tensor2d([[2], [0], [1]], [3, 1], 'int32'), x, [4, 3]), // prettier-ignore
  'segment sum': (x) => tf.unsortedSegmentSum(x, ids(1, 0, 1), 3),
  'top-k values': (x) => tf.topk(x, 2).values,
  'top-k kept in place': (x) => {
    const least = tf.topk(x, 2).values.min(-1, true);
    return tf.where(x.greaterEqual(least), x, tf.zerosLike(x)).square();
  },
  bandPart: (x) => tf.linalg.bandPart(x.matMul(x, false, true), 0, -1),
  'product with itself': (x) => tf.matMul(x, x),
  'product with its transpose': (x) => tf.matMul(x, x, true, false).add(tf.matMul(x, x, false, true)),
  'both transposed': (x) => tf.matMul(x, x.square(), true, true),
  'batched product': (x) => tf.matMul(tf.stack([x, x.mul(2)]), tf.stack([x, x.square()]), false, true),
  'fused product with relu': (x) => tf.fused.matMul({ a: x, b: x, bias: tf.tensor1d([1, 2, 3]), activation: 'relu' }),
  'fused product, gradient of the bias': (x) =>
    tf.fused.matMul({ a: square(), b: square(), bias: x.mean(0) as Tensor1D }),
  einsum: (x) => tf.einsum('ij,kj->ik', x, x.square()),
  'einsum over three': (x) => tf.einsum('ij,jk,kl->il', x, x, x),
  'einsum that sums an index away': (x) => tf.einsum('ij,jk->k', x, x),
  'einsum of heads': (x) =>
    tf.einsum('bhd,ehd->hbe', x.reshape([3, 1, 3]).tile([1, 2, 1]), x.reshape([3, 1, 3]).tile([1, 2, 1])),
  'einsum of one': (x) => tf.einsum('ij->ji', x),
  'softmax cross-entropy': (x) => tf.losses.softmaxCrossEntropy(tf.oneHot(ids(0, 2, 1), 3), x),
  'sigmoid cross-entropy': (x) => tf.losses.sigmoidCrossEntropy(tf.ones([3, 3]), x),
  huber: (x) => tf.losses.huberLoss(tf.zeros([3, 3]), x),
};

describe('gradients on the cpu device agree with finite differences', () => {
  it.each(Object.keys(operations))('%s', (name) => {
    expect(gradientError(operations[name], square())).toBeLessThan(2e-3);
  });
});

describe('forward values of kernels of our own', () => {
  it('segment sums add in float64, drop negative ids and leave empty segments at zero', () => {
    const n = 100_000;
    const sum = tf.unsortedSegmentSum(tf.fill([n, 1], 0.1), tf.zeros([n], 'int32') as Tensor1D, 2);
    expect(sum.dataSync()[0]).toBe(Math.fround(n * Math.fround(0.1)));
    const some = tf.unsortedSegmentSum(tf.tensor2d([[1, 2], [3, 4], [5, 6]]), ids(2, -1, 2), 4); // prettier-ignore
    expect(some.arraySync()).toEqual([[0, 0], [0, 0], [6, 8], [0, 0]]); // prettier-ignore
  });

  it('segment sums refuse an id that is too large', () => {
    const before = tf.memory().numTensors;
    expect(() => tf.unsortedSegmentSum(tf.ones([2, 1]), ids(0, 5), 3)).toThrow('segment id 5');
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 2);
  });

  it('einsum agrees with loops', () => {
    const random = new Random(4);
    const a = random.normals(new Float32Array(2 * 3 * 4));
    const b = random.normals(new Float32Array(5 * 3 * 4));
    const c = tf.einsum('bhd,ehd->hbe', tf.tensor3d(a, [2, 3, 4]), tf.tensor3d(b, [5, 3, 4]));
    expect(c.shape).toEqual([3, 2, 5]);
    const got = c.dataSync();
    for (let h = 0; h < 3; h++)
      for (let i = 0; i < 2; i++)
        for (let e = 0; e < 5; e++) {
          let sum = 0;
          for (let d = 0; d < 4; d++) sum += a[(i * 3 + h) * 4 + d] * b[(e * 3 + h) * 4 + d];
          expect(got[(h * 2 + i) * 5 + e]).toBeCloseTo(sum, 5);
        }
    expect(tf.einsum('ij->', tf.ones([3, 4])).dataSync()[0]).toBe(12);
    expect(tf.einsum('i,j->ji', tf.tensor1d([1, 2]), tf.tensor1d([3, 4])).arraySync()).toEqual([[3, 6], [4, 8]]); // prettier-ignore
  });

  it.each([
    ['ij,jk', 'write the output'],
    ['ii->i', 'repeats an index'],
    ['ij->ik', 'index k of the output'],
    ['ijk->i', 'not 3 dimensions'],
  ])('einsum refuses %s', (equation, message) => {
    const two = equation.includes(',');
    expect(() => tf.einsum(equation, ...(two ? [square(), square()] : [square()]))).toThrow(message);
  });
});

describe('a transformer block', () => {
  const T = 4;
  const d = 6;
  const heads = 2;
  const vocab = 7;
  const random = new Random(8);
  const weight = (...shape: number[]): Tensor =>
    tf.tensor(random.normals(new Float32Array(shape.reduce((x, y) => x * y, 1))), shape).mul(0.4);

  const loss = (w: Record<string, Tensor>): Tensor => {
    const tokens = ids(1, 5, 1, 3);
    const norm = (x: Tensor): Tensor => {
      const c = x.sub(x.mean(-1, true));
      return c.div(c.square().mean(-1, true).add(1e-5).sqrt()).mul(w.gain);
    };
    let x: Tensor = tf.gather(w.embed, tokens).add(w.position);
    const split = (m: Tensor): Tensor =>
      norm(x)
        .matMul(m)
        .reshape([T, heads, d / heads])
        .transpose([1, 0, 2]);
    const mask = tf.linalg
      .bandPart(tf.ones([T, T]), -1, 0)
      .sub(1)
      .mul(1e9);
    const scores = split(w.q)
      .matMul(split(w.k), false, true)
      .div(Math.sqrt(d / heads))
      .add(mask);
    const mixed = scores.softmax().matMul(split(w.v)).transpose([1, 0, 2]).reshape([T, d]);
    x = x.add(mixed.matMul(w.o));
    const hidden = norm(x).matMul(w.up);
    const gelu = hidden.mul(0.5).mul(hidden.pow(3).mul(0.044715).add(hidden).mul(0.7978845608).tanh().add(1));
    x = x.add(gelu.matMul(w.down));
    const logits = norm(x).matMul(w.embed, false, true);
    return tf.losses.softmaxCrossEntropy(tf.oneHot(ids(5, 1, 3, 0), vocab), logits);
  };

  it.each(['embed', 'position', 'gain', 'q', 'k', 'v', 'o', 'up', 'down'])('has a true gradient for %s', (name) => {
    const w: Record<string, Tensor> = {
      embed: weight(vocab, d),
      position: weight(T, d),
      gain: weight(d).add(1),
      q: weight(d, d),
      k: weight(d, d),
      v: weight(d, d),
      o: weight(d, d),
      up: weight(d, 4 * d),
      down: weight(4 * d, d),
    };
    expect(gradientError((x) => loss({ ...w, [name]: x }), w[name], 5e-3)).toBeLessThan(5e-3);
  });

  it('is learned by Adam', () => {
    const w: Record<string, Tensor> = {};
    const shapes = {
      embed: [vocab, d],
      position: [T, d],
      q: [d, d],
      k: [d, d],
      v: [d, d],
      o: [d, d],
      up: [d, 24],
      down: [24, d],
    };
    for (const [name, shape] of Object.entries(shapes)) w[name] = tf.variable(weight(...shape));
    w.gain = tf.variable(tf.ones([d]));
    const adam = tf.train.adam(0.02);
    const first = loss(w).dataSync()[0];
    for (let step = 0; step < 60; step++) adam.minimize(() => loss(w).asScalar());
    expect(loss(w).dataSync()[0]).toBeLessThan(0.1 * first);
  });
});

describe('an SAE loss', () => {
  const random = new Random(9);
  const n = 5;
  const d = 4;
  const f = 9;
  const make = (...shape: number[]): Tensor =>
    tf.tensor(random.normals(new Float32Array(shape.reduce((x, y) => x * y, 1))), shape);

  it.each(['W_enc', 'b_enc', 'W_dec', 'b_dec'])(
    'of ReLU + L1 weighted by decoder norm has a true gradient for %s',
    (name) => {
      const x = make(n, d);
      const w: Record<string, Tensor> = { W_enc: make(d, f), b_enc: make(f), W_dec: make(f, d), b_dec: make(d) };
      const loss = (p: Record<string, Tensor>): Tensor => {
        const z = x.sub(p.b_dec).matMul(p.W_enc).add(p.b_enc).relu();
        const error = z.matMul(p.W_dec).add(p.b_dec).sub(x).square().sum(-1).mean();
        return error.add(z.mul(p.W_dec.norm('euclidean', 1)).sum(-1).mean().mul(0.3));
      };
      expect(gradientError((p) => loss({ ...w, [name]: p }), w[name], 1e-3)).toBeLessThan(5e-3);
    },
  );
});
