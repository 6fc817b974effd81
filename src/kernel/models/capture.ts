/** Runs a model over token sequences up to a hook and hands out its activations, block by block. */
import type * as tf from '@tensorflow/tfjs-core';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { askedSequences } from './datasets.js';
import { checkEdits, hookHeads } from './hooks.js';
import type { ForwardOptions, LanguageModel, TokenSet } from './types.js';

export interface CaptureOptions extends CallOptions {
  /** Tokens per forward pass, rounded down to whole sequences (at least one). Default 2,048. */
  batchTokens?: number;
  /** First sequence to run; default 0. */
  firstSequence?: number;
  /** Sequences to run; default all that follow. */
  sequences?: number;
  /** Changes at hooks, as in the model's forward. */
  edits?: ForwardOptions['edits'];
}

export interface CapturedBlock {
  /** Index in the token set of the block's first token. */
  firstToken: number;
  /** Row i = token firstToken + i. Whole sequences. */
  x: Matrix;
}

/** Activations at several hooks, in the order in which they were asked for. */
export interface CapturedBlocks {
  firstToken: number;
  xs: Matrix[];
}

/** Refuses token sets whose ids mean other words to this model: equal ids would silently be other tokens. */
export function requireTokenizer(model: LanguageModel, tokens: TokenSet): void {
  if (model.tokenizer.id === tokens.tokenizer.id) return;
  throw new Error(
    `token set ${tokens.id} was made with tokenizer ${tokens.tokenizer.id} but model ${model.name} reads tokenizer ` +
      `${model.tokenizer.id}; tokenize the text with this model's tokenizer`,
  );
}

/** Sequences of one forward pass. */
export const sequencesPerPass = (context: number, batchTokens = 2048): number =>
  Math.max(1, Math.floor(batchTokens / context));

/** Columns that captureActivations gives for a hook: all heads together where the hook has heads. */
export function capturedWidth(model: LanguageModel, hook: string): number {
  return model.hookWidth(hook) * hookHeads(model.config, hook);
}

/**
 * Activations at `hook` for every token, in order, in blocks of whole sequences. The forward pass stops at the hook.
 * Hooks with heads, [B, T, heads, dHead], come out as [tokens, heads × dHead], head-major. Attention scores and
 * patterns have no row per token and are refused, as is a tokenizer other than the model's.
 */
export async function* captureActivations(
  model: LanguageModel,
  tokens: TokenSet,
  hook: string,
  options: CaptureOptions = {},
): AsyncGenerator<CapturedBlock> {
  for await (const { firstToken, xs } of captureHooks(model, tokens, [hook], options)) yield { firstToken, x: xs[0] };
}

/** captureActivations() at several hooks of one forward pass, which stops at the last of them. */
export async function* captureHooks(
  model: LanguageModel,
  tokens: TokenSet,
  hooks: readonly string[],
  options: CaptureOptions = {},
): AsyncGenerator<CapturedBlocks> {
  const widths = hooks.map((hook) => capturedWidth(model, hook));
  for await (const { sequence, batch } of passes(model, tokens, hooks, options)) {
    const xs = await forwardBlock(model, tokens, hooks, widths, sequence, batch, options.edits);
    yield { firstToken: sequence * tokens.context, xs };
  }
}

/**
 * The forward passes of a capture, after all checks: their first sequences, and how many these are. Progress is told, and
 * the loop breathes, when the next one is asked for.
 */
export async function* passes(
  model: LanguageModel,
  tokens: TokenSet,
  hooks: readonly string[],
  options: CaptureOptions,
): AsyncGenerator<{ sequence: number; batch: number }> {
  requireTokenizer(model, tokens);
  for (const hook of hooks) model.hookWidth(hook);
  const pairwise = hooks.find((hook) => /hook_(attn_scores|pattern)$/.test(hook));
  if (pairwise)
    throw new Error(`${pairwise} holds one value per pair of tokens, not a row per token; capture another hook`);
  const { context } = tokens;
  const { first, count } = askedSequences(tokens, options);
  const asked = tokens.tokens.subarray(first * context, (first + count) * context);
  checkEdits(options.edits, { model, tokens: asked, length: context });
  const perBlock = sequencesPerPass(context, options.batchTokens);
  const what = hooks.join(', ');
  for (let s = first; s < first + count; s += perBlock) {
    checkAborted(options.signal, `capturing ${what}`);
    const batch = Math.min(perBlock, first + count - s);
    yield { sequence: s, batch };
    options.onProgress?.({
      label: `${model.name} ${what}`,
      done: (s + batch - first) * context,
      total: count * context,
      unit: 'tokens',
    });
    await breathe();
  }
}

async function forwardBlock(
  model: LanguageModel,
  tokens: TokenSet,
  hooks: readonly string[],
  widths: readonly number[],
  sequence: number,
  batch: number,
  edits: ForwardOptions['edits'],
): Promise<Matrix[]> {
  const { context } = tokens;
  const ids = tokens.tokens.slice(sequence * context, (sequence + batch) * context);
  const last = [...hooks].sort((a, b) => model.hooks.indexOf(a) - model.hooks.indexOf(b)).at(-1);
  const { logits, captured } = model.forward(ids, batch, { capture: [...hooks], stopAt: last, edits, sequence });
  try {
    const xs: Matrix[] = [];
    for (const [i, hook] of hooks.entries()) xs.push(await rowsOf(captured.get(hook), hook, batch, context, widths[i]));
    return xs;
  } finally {
    logits?.dispose();
    for (const tensor of captured.values()) tensor.dispose();
  }
}

async function rowsOf(
  activation: tf.Tensor | undefined,
  hook: string,
  batch: number,
  context: number,
  width: number,
): Promise<Matrix> {
  if (!activation) throw new Error(`the model returned no activation for hook ${hook}`);
  const rows = batch * context;
  // The last axes of [B, T, heads, dHead] are contiguous per token: head-major as they lie.
  if (activation.shape[0] !== batch || activation.shape[1] !== context || activation.size !== rows * width) {
    throw new Error(
      `hook ${hook} gave shape [${activation.shape.join(', ')}] where [${batch}, ${context}, ${width}] was expected`,
    );
  }
  return matrix(rows, width, (await activation.data()) as Float32Array);
}
