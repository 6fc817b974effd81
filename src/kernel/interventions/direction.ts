/** Directions to steer along: means of activations, and differences of means, of prompts or datasets. */
import { SAMPLES } from './options.js';
import { captureActivations } from '../models/capture.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import { requireDirectionHook } from './intervention.js';
import { selectorOf, type Positions, type Selector } from './positions.js';
import type { Direction } from './steer.js';

/** Prompts, or a token set. */
export type DirectionSide = string | readonly string[] | TokenSet;

export interface DirectionOptions extends CallOptions {
  /** Positions whose activations are averaged. Default: 'last' of prompts, 'all' of token sets. */
  positions?: Positions;
  /** Sequences of a token set, from the first; default 64, fewer where there are fewer. */
  sequences?: number;
}

/**
 * Mean activation of `plus` less that of `minus` (nothing, where it is left out): of prompts the mean over prompts of
 * the mean over each one's positions, of token sets the mean over all positions chosen. Sums are float64.
 * @throws RangeError on prompts without tokens, positions that are not there, and a mean that is not finite.
 */
export async function direction(
  model: LanguageModel,
  hook: string,
  plus: DirectionSide,
  minus: DirectionSide | undefined,
  options: DirectionOptions = {},
): Promise<Direction> {
  requireDirectionHook(model, hook);
  const sides = [plus, ...(minus === undefined ? [] : [minus])];
  const prepared = sides.map((side) => prepare(model, side, options));
  const means: Float64Array[] = [];
  for (const texts of prepared) means.push(await meanOf(model, hook, texts, options));
  const vector = Float32Array.from(means[0], (v, j) => v - (means[1]?.[j] ?? 0));
  const bad = vector.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0)
    throw new RangeError(`the mean of ${hook} is ${vector[bad]} at dimension ${bad}: the activation is not usable`);
  const where = prepared[0].selector.parameters === 'last' ? '' : ` ${prepared[0].selector.where}`;
  return { vector, hook, description: `(${sides.map(nameOf).join(' − ')}${where})` };
}

function nameOf(side: DirectionSide): string {
  if (typeof side === 'string') return JSON.stringify(side);
  if (!isTokenSet(side)) return side.length === 1 ? JSON.stringify(side[0]) : `mean of ${side.length} prompts`;
  return `mean of ${side.sequences.toLocaleString('en')} sequences`;
}

const isTokenSet = (side: DirectionSide): side is TokenSet => typeof side === 'object' && 'tokenizer' in side;

interface Texts {
  sets: TokenSet[];
  selector: Selector;
}

/** One token set, or one of a single sequence per prompt; checked before anything runs. */
function prepare(model: LanguageModel, side: DirectionSide, options: DirectionOptions): Texts {
  const { sequences = SAMPLES } = options;
  const fromSet = isTokenSet(side);
  const selector = selectorOf(model, options.positions ?? (fromSet ? 'all' : 'last'));
  const prompts = typeof side === 'string' ? [side] : side;
  const sets = isTokenSet(prompts) ? [prompts] : prompts.map((prompt) => promptSet(model, prompt));
  if (fromSet && side.sequences === 0)
    throw new RangeError('the token set is empty, so it has no mean; give one with at least one sequence');
  for (const { tokens, context } of sets)
    selector.check({ model, tokens: tokens.subarray(0, sequences * context), length: context });
  return { sets, selector };
}

function promptSet(model: LanguageModel, prompt: string): TokenSet {
  const tokens = encodePrompt(model.tokenizer, prompt);
  if (tokens.length === 0)
    throw new RangeError(`the prompt ${JSON.stringify(prompt)} has no tokens; give it at least one word`);
  if (tokens.length > model.config.context)
    throw new RangeError(`the prompt has ${tokens.length} tokens but ${model.name} reads ${model.config.context}`);
  const { tokenizer } = model;
  return { id: 'prompt', tokens, sequences: 1, context: tokens.length, tokenizer, source: {} };
}

/** Mean over sets of the mean over the rows chosen. */
async function meanOf(
  model: LanguageModel,
  hook: string,
  { sets, selector }: Texts,
  { sequences = SAMPLES, signal, onProgress }: DirectionOptions,
): Promise<Float64Array> {
  const mean = new Float64Array(requireDirectionHook(model, hook));
  for (const set of sets) {
    const sum = new Float64Array(mean.length);
    let n = 0;
    const count = Math.min(sequences, set.sequences);
    for await (const { firstToken, x } of captureActivations(model, set, hook, {
      sequences: count,
      signal,
      onProgress,
    }))
      n += addRows(sum, x, set, firstToken, selector);
    for (let j = 0; j < sum.length; j++) mean[j] += sum[j] / n / sets.length;
  }
  return mean;
}

/** Adds the rows of a block that the selector picks; how many they are. */
function addRows(sum: Float64Array, x: Matrix, set: TokenSet, firstToken: number, selector: Selector): number {
  let n = 0;
  for (let at = 0; at < x.rows; at += set.context) {
    const ids = set.tokens.subarray(firstToken + at, firstToken + at + set.context);
    for (const t of selector.find(ids, 0)) {
      n++;
      for (let j = 0; j < x.cols; j++) sum[j] += x.data[(at + t) * x.cols + j];
    }
  }
  return n;
}
