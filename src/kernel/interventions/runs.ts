/** The same tokens through a model twice, without and with interventions, and which rows that touched. */
import { capturedWidth, requireTokenizer } from '../models/capture.js';
import { breathe, checkAborted } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { tf } from '../compute/tf.js';
import { requireHook } from '../models/hooks.js';
import { knownHooks } from '../models/known.js';
import type { ForwardOptions, LanguageModel, TokenSet } from '../models/types.js';
import { editsOf, requireRunnable, type Intervention } from './intervention.js';
import { batchTokens as ofPass, SAMPLES, type RunOptions } from './options.js';

/**
 * One side of a comparison: activations by hook, in the order asked for; rows are tokens, heads one after the other.
 */
export interface Variant {
  rows: Matrix[];
  /**
   * Per sequence the first position that an intervention changed at its own hook; the context where it changed none.
   */
  firstEdited: Int32Array;
}

/** Some sequences before, and after each of several sets of interventions. */
export interface VariantBlock {
  /** The first sequence in the token set, and how many. */
  first: number;
  sequences: number;
  before: Matrix[];
  variants: Variant[];
}

/** Some sequences, before and after. */
export interface PairedBlock {
  first: number;
  sequences: number;
  /** By hook in the order asked for. */
  before: Matrix[];
  after: Matrix[];
  firstEdited: Int32Array;
}

/** Sequences that a call looks at. */
export const sequencesOf = (tokens: TokenSet, asked = SAMPLES): number => Math.min(tokens.sequences, asked);

/** Refuses hooks without a row per token, and unknown ones, before anything runs. */
export function requireRowHook(model: LanguageModel, hook: string): void {
  requireHook(model.hooks, hook);
  if (isPerPair(hook))
    throw new RangeError(`${hook} holds one value per pair of tokens, not a row per token; take another hook`);
}

/** Tokens of one forward pass. */
export const batchTokensOf = ({ batchTokens = ofPass.usual }: RunOptions): number => batchTokens;

const isPerPair = (hook: string): boolean => /attn\.hook_(attn_scores|pattern)$/.test(hook);

/** variantRuns() of one set of interventions. */
export async function* pairedRuns(
  model: LanguageModel,
  interventions: readonly Intervention[],
  tokens: TokenSet,
  hooks: readonly string[],
  options: RunOptions = {},
): AsyncGenerator<PairedBlock> {
  for await (const { variants, ...block } of variantRuns(model, [interventions], tokens, hooks, options))
    yield { ...block, after: variants[0].rows, firstEdited: variants[0].firstEdited };
}

/**
 * Runs the first sequences of a token set before, and after each set of interventions, in blocks of whole sequences,
 * and hands out the activations at `hooks`. All runs capture the same hooks, so that they take the same path and what
 * nothing touched is equal to the last bit.
 * @throws Error for unknown hooks, hooks without rows and another tokenizer, before anything runs.
 */
export async function* variantRuns(
  model: LanguageModel,
  variants: ReadonlyArray<readonly Intervention[]>,
  tokens: TokenSet,
  hooks: readonly string[],
  options: RunOptions = {},
): AsyncGenerator<VariantBlock> {
  requireTokenizer(model, tokens);
  for (const hook of hooks) requireRowHook(model, hook);
  const { context } = tokens;
  const count = sequencesOf(tokens, options.sequences);
  const batchTokens = batchTokensOf(options);
  const text = { tokens: tokens.tokens.subarray(0, count * context), context };
  for (const set of variants) requireRunnable(model, set, text);
  const order = (hook: string): number => model.hooks.indexOf(hook);
  const stopAt = [...hooks].sort((a, b) => order(b) - order(a))[0];
  // Changes after the last hook that is read cannot be seen there.
  const edited = [...new Set(variants.flat().map((i) => i.hook))].filter((hook) => order(hook) <= order(stopAt));
  const edits = variants.map((set) => editsOf(set.filter((i) => edited.includes(i.hook))));
  const capture = [...new Set([...hooks, ...edited])];
  const shared = knownHooks(model, edited, capture);
  const perBlock = Math.max(1, Math.floor(batchTokens / context));
  for (let first = 0; first < count; first += perBlock) {
    checkAborted(options.signal, 'effects of an intervention');
    const sequences = Math.min(perBlock, count - first);
    const ids = tokens.tokens.slice(first * context, (first + sequences) * context);
    const rows = (side: Map<string, Activation>): Matrix[] =>
      hooks.map((hook) => matrix(sequences * context, capturedWidth(model, hook), side.get(hook)!.data));
    const before = await captured(model, ids, sequences, { capture: [...capture, ...shared], stopAt, sequence: first });
    const known = tensorsOf(before, shared);
    const after: Variant[] = [];
    try {
      for (const edit of edits) {
        const side = await captured(model, ids, sequences, { capture, stopAt, edits: edit, known, sequence: first });
        const firstEdited = new Int32Array(sequences).fill(context);
        for (const hook of edited)
          noteFirstDifference(before.get(hook)!, side.get(hook)!, isPerPair(hook), context, firstEdited);
        after.push({ rows: rows(side), firstEdited });
        await breathe();
        checkAborted(options.signal, 'effects of an intervention');
      }
    } finally {
      for (const x of known.values()) x.dispose();
    }
    yield { first, sequences, before: rows(before), variants: after };
    options.onProgress?.({ label: 'before and after', done: first + sequences, total: count, unit: 'sequences' });
    await breathe();
  }
}

export interface Activation {
  shape: number[];
  data: Float32Array;
}

/** Activations at some hooks as tensors, which the caller disposes. */
export const tensorsOf = (from: ReadonlyMap<string, Activation>, hooks: Iterable<string>): Map<string, tf.Tensor> =>
  new Map(Array.from(hooks, (hook) => [hook, tf.tensor(from.get(hook)!.data, from.get(hook)!.shape)]));

/** What a pass captures, as arrays of their own. */
export async function captured(
  model: LanguageModel,
  ids: Int32Array,
  batch: number,
  options: ForwardOptions,
): Promise<Map<string, Activation>> {
  const result = model.forward(ids, batch, options);
  const out = new Map<string, Activation>();
  try {
    for (const [hook, x] of result.captured)
      out.set(hook, { shape: x.shape, data: ((await x.data()) as Float32Array).slice() });
  } finally {
    result.logits?.dispose();
    for (const x of result.captured.values()) x.dispose();
  }
  return out;
}

const bits = (x: Float32Array): Int32Array => new Int32Array(x.buffer, x.byteOffset, x.length);

/**
 * Lowers first[s] to the first position of sequence s whose row differs; of scores and patterns, the query's position.
 */
function noteFirstDifference(
  before: Activation,
  after: Activation,
  perPair: boolean,
  context: number,
  first: Int32Array,
): void {
  const [a, b] = [bits(before.data), bits(after.data)];
  // [B, T, …] has one part per sequence, [B, heads, T, T] one per head.
  const parts = perPair ? before.shape[1] : 1;
  const width = a.length / (first.length * parts * context);
  for (let at = 0; at < a.length; at++) {
    if (a[at] === b[at]) continue;
    const row = Math.floor(at / width);
    const sequence = Math.floor(row / (parts * context));
    first[sequence] = Math.min(first[sequence], row % context);
    at = (row + 1) * width - 1;
  }
}

/**
 * 1 for each row that the interventions may have touched: not before the sequence's first edited position, and not
 * equal to the last bit.
 */
export function touchedRows(before: Matrix, after: Matrix, block: Pick<PairedBlock, 'firstEdited'>): Uint8Array {
  const { rows, cols } = before;
  const context = rows / block.firstEdited.length;
  const [a, b] = [bits(before.data), bits(after.data)];
  const touched = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    if (i % context < block.firstEdited[Math.floor(i / context)]) continue;
    for (let j = i * cols; j < (i + 1) * cols; j++) {
      if (a[j] === b[j]) continue;
      touched[i] = 1;
      break;
    }
  }
  return touched;
}
