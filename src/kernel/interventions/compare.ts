/** What an intervention does to text and to next-token probabilities: the same prompt and seed, before and after. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { tf } from '../compute/tf.js';
import { checkEdits } from '../models/hooks.js';
import type { ForwardOptions, LanguageModel } from '../models/types.js';
import { tokenIds, type TokenChoice } from './probe.js';
import { describeAll, editsOf, requireRunnable, type Intervention } from './intervention.js';

export interface CompareOptions extends CallOptions {
  /** New tokens per continuation, default 30. */
  tokens?: number;
  /** 0 = greedy (default). */
  temperature?: number;
  /** Keep the k likeliest tokens when sampling; default all. */
  topK?: number;
  /** Seed of sampling, the same before and after; default 0. */
  seed?: number;
  /** Continuations of each prompt, by seeds seed, seed + 1, …; more than one needs a temperature. Default 1. */
  samples?: number;
  /** Next tokens listed, those that moved most; default 10. */
  top?: number;
  /** Next tokens listed instead, by text (" she", exactly one token) or id, in this order. */
  watch?: TokenChoice;
}

/**
 * Probabilities of the token after the prompt, [vocab]; of a prompt longer than the model's context its end counts.
 * @throws Error on a prompt without tokens, and when the logits are not finite.
 */
export function nextTokenProbabilities(
  model: LanguageModel,
  prompt: string,
  edits?: ForwardOptions['edits'],
): Float32Array {
  const ids = promptTokens(model, prompt);
  checkEdits(edits, { model, tokens: ids, length: ids.length });
  return probabilities(model, prompt, ids, edits);
}

/** The same of edits that were checked, which may wait for text that is yet to come. */
function probabilities(
  model: LanguageModel,
  prompt: string,
  ids: Int32Array,
  edits: ForwardOptions['edits'],
): Float32Array {
  const kept = ids.slice(Math.max(0, ids.length - model.config.context));
  const values = tf.tidy(() => {
    const { logits } = model.forward(kept, 1, { edits, offset: ids.length - kept.length, sequence: 0 });
    const last = logits!.slice([0, kept.length - 1, 0], [1, 1, -1]).flatten();
    return tf.softmax(last).dataSync<'float32'>().slice();
  });
  if (values.every(Number.isFinite)) return values;
  throw new Error(
    `${model.name} gives no finite next-token probabilities after ${JSON.stringify(prompt)}: an edit holds NaN or a scale is too large`,
  );
}

function promptTokens(model: LanguageModel, prompt: string): Int32Array {
  const ids = model.tokenizer.encode(prompt);
  if (ids.length === 0)
    throw new Error(`the prompt ${JSON.stringify(prompt)} has no tokens; give it at least one word`);
  return ids;
}

/**
 * Continues every prompt before and after, with the same seed; the token table is of the first prompt, sorted by
 * |after − before|, ties to the lower token id, or in the order of `watch`.
 * @throws Error when there is no prompt, one without tokens, one on which an intervention cannot act, a watched token that
 * is none, or several samples of greedy decoding, before anything is generated.
 */
export async function compare(
  model: LanguageModel,
  interventions: readonly Intervention[],
  prompts: readonly string[],
  options: CompareOptions = {},
): Promise<ComparisonDescriptor> {
  const { tokens = 30, temperature = 0, topK, seed = 0, samples = 1, top = 10, signal, onProgress } = options;
  if (prompts.length === 0) throw new Error('compare needs at least one prompt');
  for (const prompt of prompts) requireRunnable(model, interventions, promptTokens(model, prompt), tokens);
  requireSamples(samples, temperature);
  const watched = options.watch === undefined ? undefined : tokenIds(model, options.watch);
  const edits = editsOf(interventions);
  const total = prompts.length * samples;
  const rows: ComparisonDescriptor['rows'] = [];
  const report = (done: number): void =>
    onProgress?.({ label: 'generating before and after', done, total, unit: samples > 1 ? 'texts' : 'prompts' });
  for (let i = 0; i < total; i++) {
    checkAborted(signal, 'comparison');
    report(i);
    const prompt = prompts[Math.floor(i / samples)];
    const how = { tokens, temperature, topK, seed: seed + (i % samples), signal };
    const before = await model.generate(prompt, how);
    const after = await model.generate(prompt, { ...how, edits });
    rows.push({ prompt, before, after });
    await breathe();
  }
  report(total);
  return {
    version: 1,
    intervention: describeAll(interventions),
    rows,
    tokens: nextTokenTable(model, prompts[0], edits, top, watched),
    note:
      temperature > 0
        ? `temperature ${temperature}, ${topK === undefined ? '' : `top ${topK}, `}${samples > 1 ? `seeds ${seed} to ${seed + samples - 1}` : `seed ${seed}`}`
        : 'greedy decoding',
  };
}

function requireSamples(samples: number, temperature: number): void {
  if (!Number.isInteger(samples) || samples < 1)
    throw new RangeError(`samples must be a whole number from 1 but is ${samples}`);
  if (samples > 1 && temperature === 0)
    throw new RangeError(`greedy decoding gives ${samples} times the same text; give a temperature above 0`);
}

function nextTokenTable(
  model: LanguageModel,
  prompt: string,
  edits: ForwardOptions['edits'],
  top: number,
  watched: readonly number[] | undefined,
): NonNullable<ComparisonDescriptor['tokens']> {
  const ids = promptTokens(model, prompt);
  const before = probabilities(model, prompt, ids, undefined);
  const after = probabilities(model, prompt, ids, edits);
  const moved = (): number[] =>
    [...before.keys()]
      .sort((a, b) => Math.abs(after[b] - before[b]) - Math.abs(after[a] - before[a]) || a - b)
      .slice(0, top);
  return (watched ?? moved()).map((id) => ({ token: model.tokenizer.piece(id), before: before[id], after: after[id] }));
}
