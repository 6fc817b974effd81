/** One run of a model with interventions: logits and activations as plain matrices. */
import { capturedWidth } from '../models/capture.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { LanguageModel } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import { editsOf, requireDirectionHook, requireRunnable, type Intervention } from './intervention.js';

export interface RunOptions extends CallOptions {
  /** Hooks whose activations are returned, as the interventions left them. */
  capture?: readonly string[];
}

export interface RunResult {
  /** Token ids, [T]. */
  readonly tokens: Int32Array;
  /** Text of each token. */
  readonly pieces: string[];
  /** [T, vocab]: row t predicts token t + 1. */
  readonly logits: Matrix;
  /** By hook, [T, width]; heads one after the other. */
  readonly captured: Record<string, Matrix>;
}

/**
 * Runs one text (or its token ids) with interventions, in the order given; with none, as it is.
 * @throws Error before anything runs: interventions that cannot act on the text, unknown hooks, hooks without a row per
 * token, a text without tokens or longer than the context.
 */
export async function run(
  model: LanguageModel,
  interventions: readonly Intervention[],
  text: string | Int32Array,
  options: RunOptions = {},
): Promise<RunResult> {
  const { capture = [], signal } = options;
  const tokens = typeof text === 'string' ? encodePrompt(model.tokenizer, text) : text;
  if (tokens.length === 0) throw new RangeError(`${JSON.stringify(text)} has no tokens; give it at least one word`);
  for (const hook of capture) requireDirectionHook(model, hook);
  requireRunnable(model, interventions, tokens);
  checkAborted(signal, 'run');
  const result = model.forward(tokens, 1, { capture, edits: editsOf(interventions) });
  const tensors = [...result.captured.values(), ...(result.logits ? [result.logits] : [])];
  try {
    const captured: Record<string, Matrix> = {};
    for (const [hook, x] of result.captured)
      captured[hook] = matrix(tokens.length, capturedWidth(model, hook), ((await x.data()) as Float32Array).slice());
    const logits = matrix(tokens.length, model.config.vocab, (await result.logits!.data<'float32'>()).slice());
    await breathe();
    return { tokens, pieces: Array.from(tokens, (id) => model.tokenizer.piece(id)), logits, captured };
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}
