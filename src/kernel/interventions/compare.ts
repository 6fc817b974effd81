/** What an intervention does to text and to next-token probabilities: the same prompt and seed, before and after. */
import { filled } from '../verb/filled.js';
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { valuesOf } from '../compute/tf.js';
import type { ForwardOptions, LanguageModel } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import { seed } from '../verb/common.js';
import { real, whole, type Given } from '../verb/option.js';
import { tokenChoice, tokenIds } from './probe.js';
import { describeAll, editsOf, requireRunnable, type Intervention } from './intervention.js';

export const COMPARE = {
  tokens: whole({ doc: 'New tokens per continuation.', min: 1, default: 30 }),
  temperature: real({ doc: '0 = greedy.', min: 0, default: 0 }),
  topK: whole({ doc: 'Keep the k likeliest tokens when sampling.', min: 1, fallback: 'all' }),
  seed: seed('Of sampling, the same before and after.'),
  draws: whole({
    doc: 'Continuations of each prompt, by seeds seed, seed + 1, …; more than one needs a temperature.',
    min: 1,
    default: 1,
  }),
  top: whole({ doc: 'Next tokens listed, those whose probability moved most.', min: 1, default: 10 }),
  watch: tokenChoice('Next tokens listed instead, in this order: a text is exactly one token.'),
};
interface CompareOptions extends Given<typeof COMPARE>, CallOptions {}

/** Logits of the token after a prompt and their softmax in float64, both [vocab]. */
interface Prediction {
  logits: Float32Array;
  p: Float64Array;
}

/**
 * The next token's, with edits that were checked; of a prompt longer than the model's context its end counts.
 * @throws Error when the logits are not finite.
 */
function prediction(model: LanguageModel, prompt: string, ids: Int32Array, edits: ForwardOptions['edits']): Prediction {
  const kept = ids.slice(Math.max(0, ids.length - model.config.context));
  const logits = valuesOf(() => {
    const { logits } = model.forward(kept, 1, { edits, offset: ids.length - kept.length, sequence: 0 });
    return logits!.slice([0, kept.length - 1, 0], [1, 1, -1]);
  });
  const top = logits.reduce((m, v) => Math.max(m, v), -Infinity);
  const p = Float64Array.from(logits, (v) => Math.exp(v - top));
  const sum = p.reduce((s, v) => s + v, 0);
  for (let v = 0; v < p.length; v++) p[v] /= sum;
  if (logits.every(Number.isFinite)) return { logits, p };
  throw new Error(
    `${model.name} gives no finite next-token probabilities after ${JSON.stringify(prompt)}: an edit holds NaN or a scale is too large`,
  );
}

function promptTokens(model: LanguageModel, prompt: string): Int32Array {
  const ids = encodePrompt(model.tokenizer, prompt);
  if (ids.length === 0)
    throw new Error(`the prompt ${JSON.stringify(prompt)} has no tokens; give it at least one word`);
  return ids;
}

/**
 * Continues every prompt before and after, with the same seed; the token table is of the first prompt, sorted by
 * |after − before|, ties to the lower token id, or in the order of `watch`.
 * @throws Error for a prompt without tokens, one on which an intervention cannot act, a watched token
 * that is none, or several draws of greedy decoding, before anything is generated.
 */
export async function compare(
  model: LanguageModel,
  interventions: readonly Intervention[],
  prompts: readonly string[],
  options: CompareOptions = {},
): Promise<ComparisonDescriptor> {
  const { tokens, temperature, topK, seed, draws, top, signal, onProgress } = filled(COMPARE, options);
  for (const prompt of prompts) requireRunnable(model, interventions, promptTokens(model, prompt), tokens);
  requireDraws(draws, temperature);
  const watched = options.watch === undefined ? undefined : tokenIds(model, options.watch);
  const edits = editsOf(interventions);
  const total = prompts.length * draws;
  const rows: ComparisonDescriptor['rows'] = [];
  const report = (done: number): void =>
    onProgress?.({ label: 'generating before and after', done, total, unit: draws > 1 ? 'texts' : 'prompts' });
  for (let i = 0; i < total; i++) {
    checkAborted(signal, 'comparison');
    report(i);
    const prompt = prompts[Math.floor(i / draws)];
    const how = { tokens, temperature, topK, seed: seed + (i % draws), signal };
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
        ? `temperature ${temperature}, ${topK === undefined ? '' : `top ${topK}, `}${draws > 1 ? `seeds ${seed} to ${seed + draws - 1}` : `seed ${seed}`}`
        : 'greedy decoding',
  };
}

function requireDraws(draws: number, temperature: number): void {
  if (draws > 1 && temperature === 0)
    throw new RangeError(`greedy decoding gives ${draws} times the same text; give a temperature above 0`);
}

function nextTokenTable(
  model: LanguageModel,
  prompt: string,
  edits: ForwardOptions['edits'],
  top: number,
  watched: readonly number[] | undefined,
): NonNullable<ComparisonDescriptor['tokens']> {
  const ids = promptTokens(model, prompt);
  const before = prediction(model, prompt, ids, undefined);
  const after = prediction(model, prompt, ids, edits);
  const move = (id: number): number => Math.abs(after.p[id] - before.p[id]);
  const moved = (): number[] => [...before.p.keys()].sort((a, b) => move(b) - move(a) || a - b).slice(0, top);
  return (watched ?? moved()).map((id) => {
    const logit = { before: before.logits[id], after: after.logits[id], delta: after.logits[id] - before.logits[id] };
    return { token: model.tokenizer.piece(id), before: before.p[id], after: after.p[id], logit };
  });
}
