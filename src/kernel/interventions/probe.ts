/** One number read from a model after a hook whose activation is given: its value, and its exact gradient there. */
import { breathe, checkAborted } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import { tf } from '../compute/tf.js';
import { rowNorms } from '../compute/rows.js';
import { crossEntropy } from '../models/ops.js';
import { nextTokens } from '../models/transformer.js';
import type { LanguageModel } from '../models/types.js';
import { normalizeInput, type InputNorm } from '../sae/normalize.js';
import { architectureOf } from '../sae/architectures/index.js';
import { type Option, required, whole } from '../verb/option.js';
import { requireReconstructs } from '../sae/sae.js';
import type { Sae } from '../sae/types.js';
import { byType, form, listOf } from '../verb/kinds.js';

/** What is read: one number per copy of the sequence. Made of tensor operations, so that it has a gradient. */
export interface Probe {
  /** Hook that is read; the forward pass stops there. */
  readonly at: string;
  /** As shown: 'logit of " she" − logit of " he" after token 4'. */
  readonly description: string;
  /** [B, T, …] of copies first … first + B − 1 → [B]. */
  read(x: tf.Tensor, first: number): tf.Tensor;
  /** Copies that one pass may hold. */
  readonly copies: number;
}

/** A token by its text or id, or several: their logits are averaged. */
export type TokenChoice = string | number | ReadonlyArray<string | number>;

/** What is attributed: the logit of `token`, less that of `minus`, after a position; or the mean next-token loss. */
export type AttributionTarget =
  | {
      /** Token whose logit is read; of several, their mean. A text must be exactly one token, its space included. */
      token: TokenChoice;
      /** Token whose logit is taken away. */
      minus?: TokenChoice;
      /** Position that predicts, negative from the end; default −1, the last. */
      position?: number;
    }
  | 'loss';

const position = whole({ doc: 'Position that predicts, negative from the end: −1 is the last.', usual: -1 });
const aToken = { texts: 'any', number: whole({ doc: 'Id of a token.' }) } as const;

/** A token, or several, as cells give them. */
export const tokenChoice = (doc: string, fallback?: string): Option<TokenChoice> =>
  byType(
    { ...aToken, array: listOf(byType(aToken, { doc, expected: 'a token as a text or its id' }), 1) },
    { doc, expected: "a token as a text such as ' king' or its id, or several in an array", fallback },
  );

/** What is attributed, as cells give it. */
export const TARGET: Option<AttributionTarget> = byType(
  {
    texts: ['loss'],
    object: form(
      {
        token: required(tokenChoice('Token whose logit is read.')),
        minus: tokenChoice('Token whose logit is taken away.'),
        position,
      },
      { doc: 'A logit, or a difference of two.' },
    ),
  },
  {
    doc: "{ token, minus, position }: the logit of a token, less that of `minus`, after a position, default the last; or 'loss', the mean next-token loss.",
    expected: "{ token, minus, position } or 'loss'",
  },
);

/** Activations of one pass: 2,048 rows; logits of one pass: 64 MB. */
const ROWS = 2048;
const LOGITS = 1 << 24;
const FINAL = 'ln_final.hook_normalized';

/** Ids of the tokens chosen. @throws Error for ids outside the vocabulary and texts that are not one token. */
export function tokenIds(model: LanguageModel, choice: TokenChoice): number[] {
  const list: ReadonlyArray<string | number> =
    typeof choice === 'string' || typeof choice === 'number' ? [choice] : choice;
  return list.map((token) => {
    if (typeof token === 'number') {
      if (token >= 0 && token < model.config.vocab) return token;
      throw new RangeError(`token id ${token} is outside ${model.name}, which has ids 0 to ${model.config.vocab - 1}`);
    }
    const ids = model.tokenizer.encode(token);
    if (ids.length === 1) return ids[0];
    const pieces = Array.from(ids, (id) => JSON.stringify(model.tokenizer.piece(id))).join(' ');
    throw new Error(
      `${JSON.stringify(token)} is ${ids.length} tokens of ${model.name}${pieces ? ` (${pieces})` : ''}, expected one; mind the space before a word, or give a token id`,
    );
  });
}

/** A position from the front. @throws RangeError outside the sequence. */
export function positionOf(position: number, length: number): number {
  const at = position < 0 ? length + position : position;
  if (at >= 0 && at < length) return at;
  throw new RangeError(`position ${position} is outside a sequence of ${length} tokens (0 to ${length - 1})`);
}

/** The probe of a target for one sequence. */
export function targetProbe(model: LanguageModel, ids: Int32Array, target: AttributionTarget): Probe {
  const { vocab } = model.config;
  const length = ids.length;
  if (target === 'loss') {
    if (length < 2)
      throw new Error('the loss needs a sequence of at least 2 tokens: there is no next token to predict');
    return {
      at: FINAL,
      description: 'mean next-token loss',
      copies: Math.max(1, Math.floor(Math.min(ROWS / length, LOGITS / (length * vocab)))),
      read(x) {
        const batch = x.shape[0];
        const rows = model.unembed(x.slice([0, 0, 0], [-1, length - 1, -1]) as tf.Tensor3D);
        const next = nextTokens(ids, 1, length);
        const targets = new Int32Array(batch * next.length);
        for (let b = 0; b < batch; b++) targets.set(next, b * next.length);
        return crossEntropy(rows.reshape([targets.length, vocab]), targets)
          .reshape([batch, next.length])
          .mean(1);
      },
    };
  }
  const plus = tokenIds(model, target.token);
  const minus = target.minus === undefined ? [] : tokenIds(model, target.minus);
  const at = positionOf(target.position ?? position.usual, length);
  const weights = new Float32Array(vocab);
  for (const id of plus) weights[id] += 1 / plus.length;
  for (const id of minus) weights[id] -= 1 / minus.length;
  const name = (list: number[]): string => list.map((id) => JSON.stringify(model.tokenizer.piece(id))).join(', ');
  return {
    at: FINAL,
    description: `logit of ${name(plus)}${minus.length > 0 ? ` − logit of ${name(minus)}` : ''} after token ${at}`,
    copies: Math.max(1, Math.floor(Math.min(ROWS / length, LOGITS / vocab))),
    read(x) {
      const batch = x.shape[0];
      const logits = model.unembed(x.slice([0, at, 0], [-1, 1, -1]) as tf.Tensor3D).reshape([batch, vocab]);
      return logits.mul(tf.tensor(weights, [1, vocab])).sum(1);
    },
  };
}

/** Normalises rows as sae/normalize does, in tensor operations. */
function normalized(x: tf.Tensor, norm: InputNorm): tf.Tensor {
  const d = x.shape[1] as number;
  if (norm === 'none') return x;
  if (norm === 'constant_norm_rescale') return x.mul(Math.sqrt(d)).div(x.square().sum(1, true).sqrt());
  const centred = x.sub(x.mean(1, true));
  const std = centred
    .square()
    .sum(1, true)
    .div(d - 1)
    .sqrt();
  return centred.div(std.add(1e-5));
}

/**
 * Reads pre-activations of features of an SAE after one position, copy b that of features[b]: where a feature fires,
 * its activation and its pre-activation are the same number with the same slope.
 */
export function featureProbe(
  sae: Sae,
  at: string,
  features: readonly number[],
  position: number,
  length: number,
): Probe {
  const { dIn, dSae, architecture, applyBDecToInput, normalizeActivations, rescaleActsByDecoderNorm } = sae.config;
  const { slope } = architectureOf(architecture);
  if (!slope(sae.config, sae, 0))
    throw new Error(
      `${sae.name} has no linear read of its features (tanh-relu, or no encoder), which attribution needs`,
    );
  const norms = rescaleActsByDecoderNorm ? rowNorms(sae.W_dec) : undefined;
  return {
    at,
    description: `features of ${sae.name} at token ${position}`,
    copies: Math.max(1, Math.floor(ROWS / length)),
    read(x, first) {
      const batch = x.shape[0];
      const row = x.reshape([batch, length, dIn]).slice([0, position, 0], [-1, 1, -1]).reshape([batch, dIn]);
      const encoders = new Float32Array(batch * dIn);
      const biases = new Float32Array(batch);
      for (let b = 0; b < batch; b++) {
        const f = features[first + b];
        const own = slope(sae.config, sae, f)!;
        const scale = own.scale * (norms ? norms[f] : 1);
        biases[b] = own.bias * (norms ? norms[f] : 1);
        for (let j = 0; j < dIn; j++) encoders[b * dIn + j] = sae.W_enc.data[j * dSae + f] * scale;
      }
      let input = normalized(row, normalizeActivations as InputNorm);
      if (applyBDecToInput) input = input.sub(tf.tensor(sae.b_dec, [1, dIn]));
      return input
        .mul(tf.tensor(encoders, [batch, dIn]))
        .sum(1)
        .add(tf.tensor(biases, [batch]));
    },
  };
}

/** A sequence, and the activation at the hook where features are written. */
export interface Site {
  model: LanguageModel;
  ids: Int32Array;
  hook: string;
  /** [T, d], heads one after the other. */
  x: Matrix;
  /** Shape at the hook without the batch axis. */
  shape: number[];
}

/** Runs a sequence up to a hook. */
export async function siteOf(model: LanguageModel, ids: Int32Array, hook: string): Promise<Site> {
  const { captured, logits } = model.forward(ids, 1, { capture: [hook], stopAt: hook });
  const activation = captured.get(hook)!;
  try {
    const data = ((await activation.data()) as Float32Array).slice();
    const x = matrix(ids.length, data.length / ids.length, data);
    return { model, ids, hook, x, shape: activation.shape.slice(1) };
  } finally {
    logits?.dispose();
    activation.dispose();
  }
}

function copiesOf(ids: Int32Array, copies: number): Int32Array {
  const all = new Int32Array(copies * ids.length);
  for (let b = 0; b < copies; b++) all.set(ids, b * ids.length);
  return all;
}

/** The probe of some copies with the activation at the hook replaced by `x`, as a tensor [B]. */
function readings(site: Site, probe: Probe, x: tf.Tensor, first: number): tf.Tensor {
  const { model, ids, hook } = site;
  const result = model.forward(copiesOf(ids, x.shape[0]), x.shape[0], {
    edits: new Map([[hook, [() => x]]]),
    capture: [probe.at],
    stopAt: probe.at,
  });
  return probe.read(result.captured.get(probe.at)!, first);
}

/** Runs `each` over copies in passes that fit; `make(b)` writes the activation of copy b into a view. */
async function passes(
  site: Site,
  probe: Probe,
  count: number,
  make: (copy: number, out: Float32Array) => void,
  signal: AbortSignal | undefined,
  each: (x: tf.Tensor, first: number) => Promise<void>,
): Promise<void> {
  const size = site.x.data.length;
  for (let first = 0; first < count; first += probe.copies) {
    checkAborted(signal, 'attribution');
    const copies = Math.min(probe.copies, count - first);
    const data = new Float32Array(copies * size);
    for (let b = 0; b < copies; b++) make(first + b, data.subarray(b * size, (b + 1) * size));
    const x = tf.tensor(data, [copies, ...site.shape]);
    try {
      await each(x, first);
    } finally {
      x.dispose();
    }
    await breathe();
  }
}

/** The probe's value for each of `count` activations at the hook. */
export async function probeValues(
  site: Site,
  probe: Probe,
  count: number,
  make: (copy: number, out: Float32Array) => void,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const values = new Float64Array(count);
  await passes(site, probe, count, make, signal, async (x, first) => {
    const y = tf.tidy(() => readings(site, probe, x, first));
    values.set(await y.data(), first);
    y.dispose();
  });
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new Error(`${probe.description} is ${values[bad]}: the activation at ${site.hook} is not usable`);
  return values;
}

/**
 * The probe's gradient in the activation at the hook, for each of `count` activations: `take(copy, gradient [T, d])`.
 */
export async function probeGradients(
  site: Site,
  probe: Probe,
  count: number,
  make: (copy: number, out: Float32Array) => void,
  take: (copy: number, gradient: Float32Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  const size = site.x.data.length;
  await passes(site, probe, count, make, signal, async (x, first) => {
    const gradient = tf.grad((at: tf.Tensor) => readings(site, probe, at, first).sum())(x);
    const data = (await gradient.data()) as Float32Array;
    gradient.dispose();
    if (!data.every(Number.isFinite))
      throw new Error(`the gradient of ${probe.description} at ${site.hook} is not finite`);
    for (let b = 0; b < x.shape[0]; b++) take(first + b, data.subarray(b * size, (b + 1) * size));
  });
}

/** Features at a hook and what each adds to the activation: coefficient × decoder row. */
export interface Written {
  features: SparseRows;
  /** Per entry, in the units of the activation: rescaling divided out, a row's normalisation undone. */
  coefficients: Float64Array;
}

/** Encodes activations and says what each feature writes; the rest of the activation is bias and error. */
export function written(sae: Sae, x: Matrix): Written {
  requireReconstructs(sae, 'what features write is taken from the activation that they read');
  const features = sae.encode(x);
  const norms = sae.config.rescaleActsByDecoderNorm ? rowNorms(sae.W_dec) : undefined;
  const { scale } = normalizeInput(x, sae.config.normalizeActivations as InputNorm);
  const coefficients = new Float64Array(features.values.length);
  for (let i = 0; i < features.rows; i++)
    for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++)
      coefficients[e] = (features.values[e] / (norms ? norms[features.indices[e]] : 1)) * (scale ? scale[i] : 1);
  return { features, coefficients };
}

/** x − share × what the features that pass write; the error term stays. */
export function withoutFeatures(
  sae: Sae,
  x: Matrix,
  { features, coefficients }: Written,
  out: Float32Array,
  passes: (feature: number) => boolean,
  share = 1,
): void {
  out.set(x.data);
  const d = x.cols;
  const sum = new Float64Array(d);
  for (let i = 0; i < features.rows; i++) {
    let any = false;
    for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++) {
      const f = features.indices[e];
      if (!passes(f)) continue;
      if (!any) for (let j = 0; j < d; j++) sum[j] = x.data[i * d + j];
      any = true;
      for (let j = 0; j < d; j++) sum[j] -= share * coefficients[e] * sae.W_dec.data[f * d + j];
    }
    if (any) out.set(sum, i * d);
  }
}
