/**
 * Operators of ONNX Runtime on plain views of memory, on all cores: GELU, LayerNorm, attention, and the linear layers of
 * a model that is not trained. Each is compared with a reference when opened, and is undefined where it differs or where
 * ONNX Runtime is missing or not in use.
 */
import { gemm, gemmReport } from '../compute/gemm.js';
import type { OnnxNode } from '../compute/onnxModel.js';
import { openSession, type NativeSession, type Shaped } from '../compute/ort.js';
import { Random } from '../compute/random.js';

/** Opens an operator and keeps it if it passes its check. */
function checked<T>(open: () => { session: NativeSession; run: T; agrees: () => boolean }): T | undefined {
  try {
    if (gemmReport().engine !== 'onnxruntime') return undefined;
    const { session, run, agrees } = open();
    if (agrees()) return run;
    session.close();
    return undefined;
  } catch {
    return undefined;
  }
}

const opened = new Map<string, unknown>();

/** What `open` gave the first time. */
function once<T>(key: string, open: () => T): T {
  if (!opened.has(key)) opened.set(key, open());
  return opened.get(key) as T;
}

const normals = (seed: number, n: number): Float32Array => new Random(seed).normals(new Float32Array(n));

/** Elements per call: the operator passes over them several times, which takes twice as long outside the cache. */
const BLOCK = 2 ** 20;

/** y = op(x), element by element; y is overwritten. */
export type NativeUnary = (x: Float32Array, y: Float32Array) => void;

/** checkedUnary, once per operator. */
export function nativeUnary(
  op: 'FastGelu' | 'Gelu' | 'QuickGelu',
  reference: (x: number) => number,
  attributes?: OnnxNode['attributes'],
): NativeUnary | undefined {
  return once(op, () => checkedUnary(op, reference, attributes));
}

/** An operator that was found to agree with `reference` within 1e-5 from −12 to 12. */
export function checkedUnary(
  op: string,
  reference: (x: number) => number,
  attributes?: OnnxNode['attributes'],
): NativeUnary | undefined {
  return checked(() => {
    const node: OnnxNode = { op, inputs: ['x'], output: 'y', domain: 'com.microsoft', attributes };
    const session = openSession({ nodes: [node], inputs: ['x'], outputs: ['y'] });
    const run: NativeUnary = (x, y) => {
      for (let from = 0; from < x.length; from += BLOCK) {
        const part = (of: Float32Array): Shaped => {
          const view = of.subarray(from, from + BLOCK);
          return [view, [view.length]];
        };
        session.run({ x: part(x) }, { y: part(y) });
      }
    };
    const agrees = (): boolean => {
      const x = Float32Array.from({ length: 1003 }, (_, i) => -12 + (24 * i) / 1002);
      const y = new Float32Array(x.length);
      run(x, y);
      return y.every((value, i) => Math.abs(value - reference(x[i])) < 1e-5);
    };
    return { session, run, agrees };
  });
}

/** y = LayerNorm(x) · weight + bias of rows as long as `weight`; y is overwritten. */
export type NativeLayerNorm = (x: Float32Array, weight: Float32Array, bias: Float32Array, y: Float32Array) => void;

/** Rows whose means are summed together: those left over would be summed in another order. */
const GROUP = 4;

/**
 * The means of rows as [1, rows]: a product, since ONNX Runtime's ReduceMean gives other digits at other addresses. As one
 * row of a result it is shared out in whole groups of rows, so that the number of threads leaves the digits alone
 * (compute/nativeProduct.ts); beyond x64 that takes a left operand that is transposed.
 */
const rowMeans: OnnxNode = {
  op: 'FusedMatMul',
  inputs: ['share', 'x'],
  output: 'means',
  attributes: { transA: Number(process.arch !== 'x64'), transB: 1 },
  domain: 'com.microsoft',
};

/**
 * LayerNorm with this epsilon; a row's result does not depend on the rows beside it. Rows are centred first: ONNX Runtime's
 * own sums lose digits where means are large.
 */
export function nativeLayerNorm(eps: number): NativeLayerNorm | undefined {
  return once(`LayerNorm ${eps}`, () =>
    checked(() => {
      const session = openSession({
        nodes: [
          rowMeans,
          { op: 'Transpose', inputs: ['means'], output: 'mean', attributes: { perm: [1, 0] } },
          { op: 'Sub', inputs: ['x', 'mean'], output: 'centred' },
          {
            op: 'LayerNormalization',
            inputs: ['centred', 'w', 'b'],
            output: 'y',
            attributes: { axis: 1, epsilon: { float: eps } },
          },
        ],
        inputs: ['x', 'w', 'b', 'share'],
        outputs: ['y'],
      });
      const groups: NativeLayerNorm = (x, w, b, y) => {
        const width = w.length;
        const shape = [x.length / width, width];
        const share: Shaped = [
          new Float32Array(width).fill(1 / width),
          rowMeans.attributes?.transA ? [width, 1] : [1, width],
        ];
        session.run({ x: [x, shape], w: [w, [width]], b: [b, [width]], share }, { y: [y, shape] });
      };
      const run: NativeLayerNorm = (x, w, b, y) => {
        const group = GROUP * w.length;
        const whole = x.length - (x.length % group);
        if (whole > 0) groups(x.subarray(0, whole), w, b, y.subarray(0, whole));
        if (whole === x.length) return;
        const [rest, out] = [new Float32Array(group), new Float32Array(group)];
        rest.set(x.subarray(whole));
        groups(rest, w, b, out);
        y.set(out.subarray(0, x.length - whole), whole);
      };
      return { session, run, agrees: () => layerNormAgrees(run, eps) };
    }),
  );
}

function layerNormAgrees(run: NativeLayerNorm, eps: number): boolean {
  const width = 37;
  const [x, w, b] = [normals(12, 3 * width), normals(13, width), normals(14, width)];
  for (let i = 0; i < width; i++) x[i] = 1000 + x[i] / 100;
  const y = new Float32Array(x.length).fill(NaN);
  run(x, w, b, y);
  for (let row = 0; row < 3; row++) {
    const values = Array.from(x.subarray(row * width, (row + 1) * width));
    const mean = values.reduce((sum, v) => sum + v, 0) / width;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
    for (let i = 0; i < width; i++) {
      const expected = ((values[i] - mean) / Math.sqrt(variance + eps)) * w[i] + b[i];
      if (!(Math.abs(y[row * width + i] - expected) < 1e-4)) return false;
    }
  }
  return true;
}

/** Sizes of an attention: B sequences of T tokens, H heads of Dh dimensions. */
export interface AttentionShape {
  batch: number;
  length: number;
  heads: number;
  dHead: number;
}

/** z = softmax(q kᵀ · scale + mask) v by head: q, k, v, z are [B, T, H, Dh], mask [T, T]; z is overwritten. */
export type NativeAttention = (
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  mask: Float32Array,
  z: Float32Array,
  shape: AttentionShape,
) => void;

/** Scores held by one call: the sequences are taken a few at a time. */
const SCORES = 2 ** 22;

export function nativeAttention(heads: number, scale: number): NativeAttention | undefined {
  return once(`attention ${heads} ${scale}`, () =>
    checked(() => {
      const session = openSession({
        nodes: [
          {
            op: 'MultiHeadAttention',
            inputs: ['q', 'k', 'v', '', '', 'mask'],
            output: 'z',
            attributes: { num_heads: heads, scale: { float: scale } },
            domain: 'com.microsoft',
          },
        ],
        inputs: ['q', 'k', 'v', 'mask'],
        outputs: ['z'],
      });
      const run: NativeAttention = (q, k, v, mask, z, { batch, length, dHead }) => {
        const width = heads * dHead;
        const step = Math.max(1, Math.floor(SCORES / (heads * length * length)));
        for (let from = 0; from < batch; from += step) {
          const some = Math.min(step, batch - from);
          const part = (x: Float32Array): [Float32Array, number[]] => [
            x.subarray(from * length * width, (from + some) * length * width),
            [some, length, width],
          ];
          session.run({ q: part(q), k: part(k), v: part(v), mask: [mask, [1, 1, length, length]] }, { z: part(z) });
        }
      };
      return { session, run, agrees: () => attentionAgrees(run, heads, scale) };
    }),
  );
}

function attentionAgrees(run: NativeAttention, heads: number, scale: number): boolean {
  const [batch, length, dHead] = [2, 5, 3];
  const width = heads * dHead;
  const [q, k, v] = [15, 16, 17].map((seed) => normals(seed, batch * length * width));
  const mask = Float32Array.from({ length: length * length }, (_, i) => (i % length > i / length ? -Infinity : 0));
  const z = new Float32Array(q.length).fill(NaN);
  run(q, k, v, mask, z, { batch, length, heads, dHead });
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const at = (t: number): number => (b * length + t) * width + h * dHead;
      for (let t = 0; t < length; t++) {
        const weights = Array.from({ length: t + 1 }, (_, s) => {
          let dot = 0;
          for (let i = 0; i < dHead; i++) dot += q[at(t) + i] * k[at(s) + i];
          return Math.exp(dot * scale);
        });
        const total = weights.reduce((sum, w) => sum + w, 0);
        for (let i = 0; i < dHead; i++) {
          const expected = weights.reduce((sum, w, s) => sum + w * v[at(s) + i], 0) / total;
          if (!(Math.abs(z[at(t) + i] - expected) < 1e-4)) return false;
        }
      }
    }
  }
  return true;
}

/** A linear layer whose weight was copied and packed for the product: 15 to 20 % faster than one that packs as it goes. */
export interface NativeLinear {
  /** y [rows, output] = x [rows, input] · weight + bias; y is overwritten. */
  run(x: Float32Array, y: Float32Array): void;
  close(): void;
}

/** Sizes of a linear layer; `outIn`: the weight is stored [output, input], else [input, output]. */
export interface LinearShape {
  input: number;
  output: number;
  outIn: boolean;
}

/** Rows per call: their part of x stays in the cache (as in compute/gemm.ts); packed weights cost nothing per call. */
const BLOCK_ROWS = 256;

/** A packed linear layer, if it agrees with gemm(). */
export function checkedLinear(
  weight: Float32Array,
  bias: Float32Array | undefined,
  shape: LinearShape,
): NativeLinear | undefined {
  return checked(() => {
    const session = openLinear(weight, bias, shape);
    const run = linearOf(session, shape);
    return { session, run, agrees: () => agreesWithGemm(run, weight, bias, shape) };
  });
}

function openLinear(weight: Float32Array, bias: Float32Array | undefined, shape: LinearShape): NativeSession {
  const { input, output, outIn } = shape;
  const weights = { name: 'w', shape: outIn ? [output, input] : [input, output], data: weight };
  const attributes = { transB: Number(outIn) };
  const product: OnnxNode = { op: 'Gemm', inputs: ['x', 'w'], output: bias ? 'product' : 'y', attributes };
  if (!bias) return openSession({ nodes: [product], inputs: ['x'], outputs: ['y'], constants: [weights] });
  // Gemm's own bias costs a pass of its own, first; added to a block that is in the cache it costs nothing.
  const sum: OnnxNode = { op: 'Add', inputs: ['product', 'b'], output: 'y' };
  const constants = [weights, { name: 'b', shape: [output], data: bias }];
  return openSession({ nodes: [product, sum], inputs: ['x'], outputs: ['y'], constants });
}

function linearOf(session: NativeSession, { input, output }: LinearShape): NativeLinear {
  return {
    run(x, y) {
      const rows = x.length / input;
      for (let from = 0; from < rows; from += BLOCK_ROWS) {
        const to = Math.min(rows, from + BLOCK_ROWS);
        session.run(
          { x: [x.subarray(from * input, to * input), [to - from, input]] },
          { y: [y.subarray(from * output, to * output), [to - from, output]] },
        );
      }
    },
    close: () => session.close(),
  };
}

function agreesWithGemm(
  layer: NativeLinear,
  weight: Float32Array,
  bias: Float32Array | undefined,
  { input, output, outIn }: LinearShape,
): boolean {
  const rows = 3;
  const x = normals(11, rows * input);
  const y = new Float32Array(rows * output).fill(NaN);
  layer.run(x, y);
  const expected = gemm(x, weight, rows, output, input, { transB: outIn });
  let size = 0;
  for (let i = 0; i < expected.length; i++) size = Math.max(size, Math.abs((expected[i] += bias?.[i % output] ?? 0)));
  return y.every((value, i) => Math.abs(value - expected[i]) <= 1e-4 * size);
}
