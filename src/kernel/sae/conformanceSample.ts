/** A few hundred tokens of a text, the activations of a model at their places, and other forms of these. */
import { pushAll } from '../../protocol/lists.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import type { LanguageModel, TokenSet } from '../models/types.js';

/** Whole sequences, and which of their rows are text. */
export interface Sample {
  /** sequences × length, row-major. */
  ids: Int32Array;
  sequences: number;
  length: number;
  /** Rows s · length + p that count, ascending: no padding, and nothing that is left out. */
  rows: Int32Array;
}

/**
 * The first whole sequences of up to `wanted` tokens, or the beginning of the first where that is longer; at most `most`
 * tokens of each. What is ignored (1, by position of the set) is in no row.
 */
export function sampleOf(tokens: TokenSet, wanted: number, most: number, ignored?: Uint8Array): Sample {
  const { context } = tokens;
  const length = Math.min(context, wanted, most);
  const ids: number[] = [];
  const rows: number[] = [];
  for (let s = 0; s < tokens.sequences && ids.length < 4 * wanted; s++) {
    const text = Array.from({ length }, (_, p) => p).filter((p) => ignored?.[s * context + p] !== 1);
    if (rows.length > 0 && rows.length + text.length > wanted) break;
    for (const p of text) rows.push(ids.length + p);
    pushAll(ids, tokens.tokens.subarray(s * context, s * context + length));
  }
  return { ids: Int32Array.from(ids), sequences: ids.length / length, length, rows: Int32Array.from(rows) };
}

/** Activations of a sample at some hooks, a row for each token that is text; one pass of the model. */
export async function activationsAt(
  model: LanguageModel,
  { ids, sequences, rows }: Sample,
  hooks: readonly string[],
): Promise<Map<string, Matrix>> {
  const last = [...hooks].sort((a, b) => model.hooks.indexOf(a) - model.hooks.indexOf(b)).at(-1) as string;
  const { logits, captured } = model.forward(ids, sequences, { capture: hooks, stopAt: last });
  try {
    const found = new Map<string, Matrix>();
    for (const [hook, tensor] of captured)
      found.set(hook, rowsOf(matrix(ids.length, tensor.size / ids.length, await tensor.data<'float32'>()), rows));
    return found;
  } finally {
    logits?.dispose();
    for (const tensor of captured.values()) tensor.dispose();
  }
}

function rowsOf(x: Matrix, rows: ArrayLike<number>): Matrix {
  const out = matrix(rows.length, x.cols);
  for (let i = 0; i < rows.length; i++)
    out.data.set(x.data.subarray(rows[i] * x.cols, (rows[i] + 1) * x.cols), i * x.cols);
  return out;
}

/** The activations (rows of the sample) of all tokens but the first of each sequence. */
export function withoutFirst(x: Matrix, { rows, length }: Sample): Matrix {
  return rowsOf(
    x,
    Array.from(rows.keys()).filter((i) => rows[i] % length > 0),
  );
}

/**
 * The same text with BOS before each sequence, or without the one that they begin with, and without rows of BOS itself;
 * undefined where the tokenizer has none.
 */
export function otherBos(
  model: LanguageModel,
  { ids, sequences, length, rows }: Sample,
): { sample: Sample; added: boolean } | undefined {
  const bos = model.tokenizer.bosId;
  if (bos === undefined || length < 3) return undefined;
  const begins = Array.from({ length: sequences }, (_, s) => ids[s * length]).every((id) => id === bos);
  const changed = Array.from({ length: sequences }, (_, s) => {
    const row = [...ids.subarray(s * length, (s + 1) * length)];
    return begins ? row.slice(1) : [bos, ...row].slice(0, model.config.context);
  });
  const longer = changed[0].length;
  const step = begins ? -1 : 1;
  const moved = Array.from(rows, (r) => ({ s: Math.floor(r / length), p: (r % length) + step }));
  const sample = {
    ids: Int32Array.from(changed.flat()),
    sequences,
    length: longer,
    rows: Int32Array.from(moved.filter(({ p }) => p >= 0 && p < longer).map(({ s, p }) => s * longer + p)),
  };
  return { sample, added: !begins };
}

/** Mean ‖x‖; 0 without rows. */
export function meanNorm(x: Matrix): number {
  let sum = 0;
  for (let i = 0; i < x.rows; i++) {
    let squares = 0;
    for (let j = i * x.cols; j < (i + 1) * x.cols; j++) squares += x.data[j] ** 2;
    sum += Math.sqrt(squares);
  }
  return x.rows === 0 ? 0 : sum / x.rows;
}

/** Rows minus their mean over the width: what centring the writing weights does to the stream. */
export function centredRows(x: Matrix): { rows: Matrix; centred: boolean } {
  const rows = matrix(x.rows, x.cols);
  let off = 0;
  for (let i = 0; i < x.rows; i++) {
    let mean = 0;
    for (let j = 0; j < x.cols; j++) mean += x.data[i * x.cols + j] / x.cols;
    off += Math.abs(mean);
    for (let j = 0; j < x.cols; j++) rows.data[i * x.cols + j] = x.data[i * x.cols + j] - mean;
  }
  return { rows, centred: (off / x.rows) * Math.sqrt(x.cols) < 1e-3 * meanNorm(x) };
}

/**
 * The same activations in another basis: dimensions permuted and signs flipped at random, by the seed. Norms and the
 * spectrum stay, the directions that an SAE was trained on do not: what it explains of these is chance.
 */
export function turnedRows(x: Matrix, seed: number): Matrix {
  const random = new Random(seed).fork('turned');
  const from = random.permutation(x.cols);
  const signs = Float32Array.from(from, () => (random.int(2) === 0 ? 1 : -1));
  const rows = matrix(x.rows, x.cols);
  for (let i = 0; i < x.rows; i++)
    for (let j = 0; j < x.cols; j++) rows.data[i * x.cols + j] = signs[j] * x.data[i * x.cols + from[j]];
  return rows;
}

/** Every activation times a number. */
export const scaledRows = (x: Matrix, by: number): Matrix =>
  matrix(
    x.rows,
    x.cols,
    x.data.map((v) => v * by),
  );
