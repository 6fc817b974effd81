/** What a device is compared on with the cpu device: SAEs of every architecture, models of every family, and how near they come. */
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { transposed } from '#kernel/compute/gemm.js';
import { Random } from '#kernel/compute/random.js';
import { rowNorms } from '#kernel/compute/rows.js';
import type { ShuffledProduct } from '#kernel/compute/shuffledNorms.js';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { aroundSides } from '#kernel/crosscoder/run.js';
import { singularValues } from '#kernel/correlation/coordinates.js';
import { readConfig } from '#kernel/models/config.js';
import type { ModelConfig, TokenSet } from '#kernel/models/types.js';
import { TRANSCODERS } from '#kernel/sae/architectures/trained.js';
import type { EvaluatedRuns } from '#kernel/sae/evaluatedRuns.js';
import type { SaeWeights } from '#kernel/sae/sae.js';
import { beside, matrixSource, type ActivationSource } from '#kernel/sae/source.js';
import type { SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { CONFIGS } from './model.js';
import { normals } from './numbers.js';
import { saeOf } from './sae.js';

/** Saved activations agree in this share of their entries, and in value to this share of the largest. */
export const SUPPORT = 0.999;
export const VALUE = 1e-4;

/** Configs of every architecture; k and groups are shares of the features. */
export function saeKinds(features: number): Record<string, Partial<SaeConfig>> {
  const k = Math.max(1, Math.floor(features / 14));
  return {
    standard: {},
    'standard, tanh-relu, b_dec kept': { activation: 'tanh-relu', applyBDecToInput: false },
    'standard, layer_norm': { normalizeActivations: 'layer_norm' },
    topk: { architecture: 'topk', k },
    'topk, rescaled, constant_norm_rescale': {
      architecture: 'topk',
      k,
      rescaleActsByDecoderNorm: true,
      normalizeActivations: 'constant_norm_rescale',
    },
    abstopk: { architecture: 'abstopk', k },
    groupmax: { architecture: 'groupmax', k: features / 8 },
    jumprelu: { architecture: 'jumprelu' },
    batchtopk: { architecture: 'batchtopk', k },
    matryoshka: { architecture: 'matryoshka_batchtopk', rescaleActsByDecoderNorm: true },
    gated: { architecture: 'gated' },
    transcoder: { architecture: 'transcoder', transcoder: true, applyBDecToInput: false, dOut: 10 },
    matching_pursuit: {
      architecture: 'matching_pursuit',
      pursuit: { residualThreshold: 0.5, maxIterations: 2 * k, stopOnDuplicateSupport: true },
    },
  };
}

/** An SAE of that kind with random weights, whose features fire on a few percent of rows of deviation 1. */
export function saeOfKind(config: Partial<SaeConfig>, dIn: number, dSae: number, seed = 71): Sae {
  const next = normals(seed);
  const random = (n: number, by = 1): Float32Array => Float32Array.from({ length: n }, () => by * next());
  const dOut = config.dOut ?? dIn;
  const { architecture = 'standard' } = config;
  const weights: SaeWeights = {
    W_enc: matrix(dIn, dSae, random(dIn * dSae, 1.5 / Math.sqrt(dIn))),
    b_enc: random(dSae, 0.5).map((v) => v - 1),
    W_dec: matrix(dSae, dOut, random(dSae * dOut)),
    b_dec: random(dOut, 0.3),
  };
  if (/jumprelu|batchtopk/.test(architecture)) weights.threshold = random(dSae).map((v) => 0.4 + 0.5 * Math.abs(v));
  if (architecture === 'matching_pursuit') pursue(weights);
  if (architecture === 'gated') Object.assign(weights, { r_mag: random(dSae, 0.2), b_mag: random(dSae, 0.3) });
  return saeOf(weights, { ...config, dIn });
}

/** Decoder rows of norm 1, which are the encoder's too. */
function pursue({ W_dec, W_enc, b_enc }: SaeWeights): void {
  const norms = rowNorms(W_dec);
  W_dec.data.forEach((v, at) => (W_dec.data[at] = v / norms[Math.floor(at / W_dec.cols)]));
  W_enc.data.set(transposed(W_dec.data, W_dec.rows, W_dec.cols));
  b_enc.fill(0);
}

/**
 * Trainings whose steps run on a device: every architecture and penalty, what holds a decoder near its start, and
 * crosscoders of two sides, with a few features a token. @param width of the activations
 */
export function trainedKinds(k = 3, width = 12): Record<string, SaeTrainOptions> {
  const sides = (dedicated: number[]) => aroundSides({ offsets: [0, 5, width], dedicated });
  const jump = { architecture: 'jumprelu', jumpreluInitThreshold: 0.05, preActLossCoefficient: 1e-3, l0Coefficient: 0.02 } as const; // prettier-ignore
  return {
    standard: { l1Coefficient: 0.1 },
    'standard, L_p': { l1Coefficient: 0.05, lpNorm: 1.5, applyBDecToInput: false },
    'standard, tanh': { l1Coefficient: 0.05, sparsityPenalty: 'tanh', tanhScale: 2, l1WarmUpSteps: 20 },
    topk: { architecture: 'topk', k },
    'topk, not rescaled, with b_dec': {
      architecture: 'topk',
      k,
      rescaleActsByDecoderNorm: false,
      auxIncludesBDec: true,
    },
    abstopk: { architecture: 'abstopk', k },
    batchtopk: { architecture: 'batchtopk', k },
    jumprelu: jump,
    'jumprelu, tanh': { ...jump, jumpreluSparsityLossMode: 'tanh', jumpreluThreshold: 'direct' },
    'jumprelu, quadratic': { ...jump, jumpreluSparsityLossMode: 'quadratic', l0Target: 4 },
    gated: { architecture: 'gated', l1Coefficient: 0.1 },
    // Widths that are no multiples of 4 are compiled for themselves on a GPU.
    matryoshka: { architecture: 'matryoshka_batchtopk', k, matryoshkaWidths: [8, 20] },
    'standard, tied': { l1Coefficient: 0.1, tied: true },
    'topk, tied': { architecture: 'topk', k, tied: true },
    transcoder: { architecture: 'transcoder', l1Coefficient: 0.1 },
    'skip transcoder': { architecture: 'skip_transcoder', l1Coefficient: 0.1 },
    'jumprelu skip transcoder': { ...jump, architecture: 'jumprelu_skip_transcoder' },
    'matching pursuit': { architecture: 'matching_pursuit' },
    'standard, decoder held softly': { l1Coefficient: 0.1, baseline: 'softFrozenDecoder' },
    'crosscoder, standard, dedicated': { l1Coefficient: 0.05, around: sides([4, 3]) },
    'crosscoder, topk': { architecture: 'topk', k, around: sides([0, 0]) },
    'crosscoder, batchtopk, dedicated': { architecture: 'batchtopk', k, around: sides([4, 3]) },
  };
}

/** What transcoders predict: ReLU of 8 combinations of x, and a part of x itself. */
export function predicted(from: Matrix): Matrix {
  const mix = new Random(6).normals(new Float32Array(from.cols * 8));
  const y = matrix(from.rows, 8);
  for (let i = 0; i < y.data.length; i++) {
    let sum = 0;
    for (let j = 0; j < from.cols; j++)
      sum += from.data[Math.floor(i / 8) * from.cols + j] * mix[(i % 8) * from.cols + j];
    y.data[i] = Math.max(0, sum) + 0.5 * from.data[Math.floor(i / 8) * from.cols + (i % 8)];
  }
  return y;
}

/** Rows of x, with what they predict beside them for a transcoder. */
export function trainingSource(
  architecture: SaeTrainOptions['architecture'],
  x: Matrix,
  rowsPerBatch?: number,
): ActivationSource {
  if (!TRANSCODERS.some((name) => name === architecture)) return matrixSource(x, { rowsPerBatch });
  const y = predicted(x);
  return {
    ...matrixSource(beside(x, y), { rowsPerBatch, hookName: 'in' }),
    target: { hookName: 'out', width: y.cols },
  };
}

/** Sums of 2 of 24 unit directions of width 12, or of twice as many as the width. */
export function planted(rows: number, seed: number, d = 12): Matrix {
  const random = new Random(4);
  const directions = Array.from({ length: 2 * d }, () => {
    const row = random.normals(new Float32Array(d));
    const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    return row.map((v) => v / norm);
  });
  const draw = new Random(seed);
  const x = matrix(rows, d);
  for (let i = 0; i < rows; i++)
    for (let n = 0; n < 2; n++) {
      const strength = 1 + draw.next();
      const row = directions[Math.floor(draw.next() * directions.length)];
      for (let j = 0; j < d; j++) x.data[i * d + j] += strength * row[j];
    }
  return x;
}

/** Rows on a large offset, one of zeros, two alike, and others. */
export function oddRows(rows: number, cols: number): Matrix {
  const next = normals(72);
  const x = matrix(
    rows,
    cols,
    Float32Array.from({ length: rows * cols }, (_, i) => next() + (i < 3 * cols ? 30 : 0)),
  );
  x.data.fill(0, 5 * cols, 6 * cols);
  x.data.copyWithin(9 * cols, 8 * cols, 9 * cols);
  return x;
}

/** Share of the entries of either that the other has too, and the largest difference of values, relative to the largest. */
export function compareEntries(got: SparseRows, wanted: SparseRows): { support: number; error: number } {
  let [common, error, scale] = [0, 0, 0];
  for (const value of wanted.values) scale = Math.max(scale, Math.abs(value));
  for (let i = 0; i < wanted.rows; i++) {
    const row = new Map<number, number>();
    for (let e = wanted.indptr[i]; e < wanted.indptr[i + 1]; e++) row.set(wanted.indices[e], wanted.values[e]);
    for (let e = got.indptr[i]; e < got.indptr[i + 1]; e++) {
      const value = row.get(got.indices[e]);
      if (value === undefined) continue;
      common++;
      error = Math.max(error, Math.abs(got.values[e] - value) / scale);
    }
  }
  return { support: common / Math.max(1, got.values.length, wanted.values.length), error };
}

const base = {
  hidden_size: 18,
  intermediate_size: 23,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  vocab_size: 37,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  rope_theta: 10000,
};
const rms = (json: Record<string, unknown>): ModelConfig => readConfig({ ...base, ...json } as never, 'config.json');
const gemma = {
  head_dim: 8,
  hidden_activation: 'gelu_pytorch_tanh',
  query_pre_attn_scalar: 20,
  sliding_window: 4,
};

/** Small models of every family that differs in its forward pass. */
export const FAMILIES: Record<string, ModelConfig> = {
  ...CONFIGS,
  'Llama 3': rms({ model_type: 'llama', hidden_size: 24, attention_bias: true, mlp_bias: true }),
  'Mistral with a window': rms({ model_type: 'mistral', hidden_size: 24, sliding_window: 4 }),
  'Qwen 3': rms({ model_type: 'qwen3', head_dim: 8 }),
  'Gemma 2': rms({ model_type: 'gemma2', ...gemma, attn_logit_softcapping: 5, final_logit_softcapping: 3 }),
  'Gemma 3': rms({
    model_type: 'gemma3_text',
    ...gemma,
    rope_local_base_freq: 100,
    layer_types: ['sliding_attention', 'full_attention'],
  }),
};

/**
 * Figures of all positions of `set` that predict a token: of a clean run, and of one with another activation at the hook;
 * and the activation itself.
 */
export async function figuresOfRuns(
  runs: EvaluatedRuns,
  { tokens, sequences, context }: TokenSet,
): Promise<{ x: Float32Array; figures: number[] }> {
  const { x, scores } = await runs.clean({ ids: tokens, batch: sequences, sequence: 0 });
  const changed = await runs.replaced(x.data.map((v, i) => v / 2 + 0.5 * (i % 3)));
  const figures: number[] = [];
  for (let i = 0; i < tokens.length; i++)
    if (i % context < context - 1) {
      const { crossEntropy, divergence } = changed(i);
      figures.push(scores(i).crossEntropy, scores(i).divergence, crossEntropy, divergence);
    }
  runs.end();
  return { x: x.data, figures };
}

/** Largest difference of values, relative to the largest; NaN counts as the worst. */
export function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [worst, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    scale = Math.max(scale, Math.abs(wanted[i]));
    const error = Math.abs(got[i] - wanted[i]);
    if (!(error <= worst)) worst = error;
  }
  return scale === 0 ? worst : worst / scale;
}

/**
 * Matrices whose columns have norm about `by`, so that singular values of their product are below about by², and orders.
 */
export function shuffledCase(
  n: number,
  p: number,
  q: number,
  runs: number,
  lowest = 0,
  by = 1,
): { product: ShuffledProduct; orders: Uint32Array } {
  // prettier-ignore
  const draw = (seed: number, length: number): Float32Array =>
    new Random(seed).normals(new Float32Array(length)).map((v) => (by * v) / Math.sqrt(n));
  const random = new Random(9);
  const orders = new Uint32Array(runs * n);
  for (let run = 0; run < runs; run++) orders.set(random.permutation(n), run * n);
  return { product: { n, p, q, left: draw(1, p * n), right: draw(2, n * q), lowest }, orders };
}

/** Sums of the singular values of each order's product, in float64. */
export async function exactNorms({ n, p, q, left, right }: ShuffledProduct, orders: Uint32Array): Promise<number[]> {
  const sums: number[] = [];
  for (let run = 0; run < orders.length / n; run++) {
    const cross = new Float64Array(p * q);
    for (let i = 0; i < n; i++)
      for (let a = 0; a < p; a++)
        for (let b = 0; b < q; b++) cross[a * q + b] += left[a * n + i] * right[orders[run * n + i] * q + b];
    sums.push((await singularValues(cross, p, q)).reduce((sum, v) => sum + v, 0));
  }
  return sums;
}
