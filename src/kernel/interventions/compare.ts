/** What an intervention does to text and to next-token probabilities: the same prompt and seed, before and after. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { tf } from '../compute/tf.js';
import type { ForwardOptions, LanguageModel } from '../models/types.js';
import { editsOf, type Intervention } from './intervention.js';

export interface CompareOptions extends CallOptions {
  /** New tokens per continuation, default 30. */
  tokens?: number;
  /** 0 = greedy (default). */
  temperature?: number;
  seed?: number;
  /** Next tokens listed, those that moved most; default 10. */
  top?: number;
}

/** Probabilities of the token after the prompt, [vocab]. */
export function nextTokenProbabilities(
  model: LanguageModel,
  prompt: string,
  edits?: ForwardOptions['edits'],
): Float32Array {
  const ids = model.tokenizer.encode(prompt);
  if (ids.length === 0)
    throw new Error(`the prompt ${JSON.stringify(prompt)} has no tokens; give it at least one word`);
  const kept = ids.subarray(Math.max(0, ids.length - model.config.context));
  return tf.tidy(() => {
    const { logits } = model.forward(kept, 1, edits ? { edits } : {});
    const last = logits!.slice([0, kept.length - 1, 0], [1, 1, -1]).flatten();
    return tf.softmax(last).dataSync<'float32'>().slice();
  });
}

/** Runs every prompt before and after; the token table is of the first prompt. */
export async function compare(
  model: LanguageModel,
  interventions: readonly Intervention[],
  prompts: readonly string[],
  options: CompareOptions = {},
): Promise<ComparisonDescriptor> {
  const { tokens = 30, temperature = 0, seed = 0, top = 10, signal, onProgress } = options;
  if (prompts.length === 0) throw new Error('compare needs at least one prompt');
  const edits = editsOf(interventions);
  const rows: ComparisonDescriptor['rows'] = [];
  for (const [i, prompt] of prompts.entries()) {
    checkAborted(signal, 'comparison');
    onProgress?.({ label: 'Generating before and after', done: i, total: prompts.length, unit: 'prompts' });
    const how = { tokens, temperature, seed, signal };
    const before = await model.generate(prompt, how);
    const after = await model.generate(prompt, { ...how, edits });
    rows.push({ prompt, before, after });
    await breathe();
  }
  return {
    version: 1,
    intervention: interventions.map((i) => i.description).join('; '),
    rows,
    tokens: movedTokens(model, prompts[0], edits, top),
    note: temperature > 0 ? `temperature ${temperature}, seed ${seed}` : 'greedy decoding',
  };
}

function movedTokens(
  model: LanguageModel,
  prompt: string,
  edits: ForwardOptions['edits'],
  top: number,
): NonNullable<ComparisonDescriptor['tokens']> {
  const before = nextTokenProbabilities(model, prompt);
  const after = nextTokenProbabilities(model, prompt, edits);
  return [...before.keys()]
    .sort((a, b) => Math.abs(after[b] - before[b]) - Math.abs(after[a] - before[a]) || a - b)
    .slice(0, top)
    .map((id) => ({ token: model.tokenizer.piece(id), before: before[id], after: after[id] }));
}
