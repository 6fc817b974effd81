/** Text generation and loss of a text, token by token. */
import { breathe, checkAborted } from '../compute/call.js';
import { Random } from '../compute/random.js';
import { tf } from '../compute/tf.js';
import { filled, type Filled } from '../verb/filled.js';
import { parseOptions, type Given } from '../verb/option.js';
import { editsOf, listOf, lookAt } from './edits.js';
import { checkEdits } from './hooks.js';
import { GENERATE } from './generateOptions.js';
import { encodePrompt } from './prompt.js';
import type { ForwardOptions, GenerateOptions, ModelConfig, Tokenizer } from './types.js';

/** What generation needs of a model. */
export interface Generator {
  readonly name: string;
  readonly id: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** `offset`: position in the text of the first token. */
  nextLogits(tokens: Int32Array, edits?: ForwardOptions['edits'], offset?: number): tf.Tensor1D;
}

/**
 * Continues a prompt and returns the new text alone.
 *
 * Edits act on every step, on all positions of the window that they select. Past the model's context the window slides:
 * each step sees the last `context` tokens, at the model's positions 0, 1, …; edits know where in the text that is. The
 * same seed gives the same text.
 *
 * @throws when the prompt has no tokens and the tokenizer has no start token, and when an edit cannot act on the prompt
 */
export async function generate(model: Generator, prompt: string, options: GenerateOptions = {}): Promise<string> {
  const { tokenizer, config } = model;
  const sampling = samplingOf(options);
  const { tokens: count } = sampling;
  const eos = sampling.stopAtEos ? tokenizer.eosId : undefined;
  const random = new Random(sampling.seed);
  const prefix = promptTokens(tokenizer, prompt, model.name);
  const edits = allEdits(options);
  checkEdits(edits, { model, tokens: Int32Array.from(prefix), length: prefix.length, added: count });
  if (sampling.conformance) await lookAt(listOf(options.interventions), Int32Array.from(prefix));
  const ids = [...prefix];
  for (let step = 0; step < count; step++) {
    checkAborted(options.signal, 'generation');
    const window = Int32Array.from(ids.slice(-config.context));
    const next = await nextToken(model, window, ids.length - window.length, { ...sampling, edits }, random);
    if (next === eos) break;
    ids.push(next);
    options.onProgress?.({ label: `generating with ${model.name}`, done: step + 1, total: count });
    await breathe();
  }
  return tokenizer.decode(ids.slice(prefix.length));
}

/** Edits and interventions together, in that order. */
function allEdits({ edits, interventions }: GenerateOptions): ForwardOptions['edits'] {
  if (!interventions) return edits;
  const all = new Map(edits);
  for (const [hook, list] of editsOf(listOf(interventions))) all.set(hook, [...(all.get(hook) ?? []), ...list]);
  return all;
}

type Sampling = Filled<typeof GENERATE, Given<typeof GENERATE>>;

/** @throws RangeError for a value outside its range, TypeError for an option that there is not */
function samplingOf({
  interventions: _,
  edits: __,
  signal: ___,
  onProgress: ____,
  ...given
}: GenerateOptions): Sampling {
  return filled(GENERATE, parseOptions('generate', given, GENERATE));
}

function promptTokens(tokenizer: Tokenizer, prompt: string, name: string): number[] {
  const ids = [...encodePrompt(tokenizer, prompt)];
  const start = tokenizer.bosId ?? tokenizer.eosId;
  if (ids.length === 0 && start !== undefined) ids.push(start);
  if (ids.length === 0)
    throw new Error(
      `the prompt has no tokens and the tokenizer of ${name} has no start token; give a prompt of at least one token`,
    );
  return ids;
}

async function nextToken(
  model: Generator,
  window: Int32Array,
  offset: number,
  o: Pick<Sampling, 'temperature' | 'topK'> & Pick<GenerateOptions, 'edits'>,
  random: Random,
): Promise<number> {
  const tensor = model.nextLogits(window, o.edits, offset);
  const logits = await tensor.data<'float32'>();
  tensor.dispose();
  return sampleToken(logits, o.temperature, o.topK ?? logits.length, random);
}

/** Greedy at temperature 0 (ties to the lower id), else a draw from softmax(logits / temperature) of the topK largest. */
export function sampleToken(logits: Float32Array, temperature: number, topK: number, random: Random): number {
  const best = greedy(logits);
  if (temperature === 0 || topK === 1) return best;
  let ids = Array.from(logits.keys());
  // Stable sort: among equal logits the lower id is kept.
  if (topK < ids.length) ids = ids.sort((a, b) => logits[b] - logits[a]).slice(0, topK);
  const weights = ids.map((id) => Math.exp((logits[id] - logits[best]) / temperature));
  let left = random.next() * weights.reduce((sum, w) => sum + w, 0);
  for (let i = 0; i < ids.length; i++) {
    left -= weights[i];
    if (left < 0) return ids[i];
  }
  return best; // rounding used up the last weight
}

function greedy(logits: Float32Array): number {
  let best = -1;
  for (let id = 0; id < logits.length; id++) {
    if (best < 0 || logits[id] > logits[best]) best = id;
  }
  if (best < 0 || !Number.isFinite(logits[best])) {
    throw new Error(
      `the model gave no finite logits (largest ${logits[best]}): its weights or an edit hold NaN or infinity`,
    );
  }
  return best;
}
