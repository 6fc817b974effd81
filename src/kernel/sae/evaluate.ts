/** Evaluates an SAE inside its model: sparsity, reconstruction, and what replacing the activation costs the model. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { tf } from '../compute/tf.js';
import { editsOf, listOf, requireRunnable, type Intervention } from '../models/edits.js';
import { ignoredPositions } from '../models/ignored.js';
import type { HookEdit, LanguageModel, TokenSet } from '../models/types.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import { requirePairing } from './conformance.js';
import { NextTokenSums } from './nextToken.js';
import { ReconstructionSums, type ReconstructionMetrics } from './reconstruction.js';
import { reconstruct, requireReconstructs } from './sae.js';
import { leftOut, type CountedOptions } from './trainedOn.js';
import type { Sae } from './types.js';

/** Activations of what is left out (CountedOptions) stay as they are and count in no figure. */
export interface EvaluateOptions extends CallOptions, CountedOptions {
  /** Hook to replace; default the SAE's own. */
  hook?: string;
  /** Sequences to use, from the first; default all. */
  sequences?: number;
  /** Tokens of one forward pass, at least one sequence; default 1,024, fewer where logits would pass 128 MB. */
  batchTokens?: number;
  /**
   * Changes to the model's activations in every run, clean one included, in order; the SAE reconstructs what they leave
   * at its hook. Default: none.
   */
  interventions?: Intervention | readonly Intervention[];
  /** Gives parts that are made already; see evaluationParts. */
  remember?: Remember;
}

export interface SaeEvaluation extends ReconstructionMetrics {
  /** Tokens counted. */
  tokens: number;
  sequences: number;
  /** Mean firing features per token, and mean Σ f. */
  l0: number;
  l1: number;
  /** Mean next-token cross-entropy (nats): as is, with x̂ at the hook, with zeros at the hook. */
  ceClean: number;
  ceSae: number;
  ceZero: number;
  /** (ceZero − ceSae) / (ceZero − ceClean): 1 = nothing lost, 0 = as bad as zeros. NaN when zeros cost nothing. */
  ceLossRecovered: number;
  /** Mean KL(clean ‖ replaced) of the next-token distribution (nats), and (klZero − klSae) / klZero. */
  klSae: number;
  klZero: number;
  klScore: number;
  /** Features that fired on no token. */
  dead: number;
  /** [d_sae]: share of tokens on which each feature fires. */
  density: Float64Array;
  densityHistogram: DensityHistogram;
}

/** Alive features by log10 of their density; dead ones are in no bin. */
export interface DensityHistogram {
  /** bins + 1 edges, ascending, the last 0; a bin holds edge[i] ≤ log10(density) < edge[i + 1], the last one 0 too. */
  edges: Float64Array;
  counts: Uint32Array;
}

const LOGIT_FLOATS = 1 << 25;

/**
 * Runs each batch three times: clean, with the SAE's reconstruction at the hook, and with zeros there. Sums are float64
 * and stream over batches. Throws when the hook's width is not the SAE's, an intervention cannot act on the tokens, or
 * nothing is left to evaluate.
 */
export async function evaluateSae(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  options: EvaluateOptions = {},
): Promise<SaeEvaluation> {
  requireReconstructs(sae, 'evaluation replaces an activation by its reconstruction');
  const hook = options.hook ?? sae.config.hookName;
  if (!hook) throw new Error('this SAE does not say its hook; give { hook }');
  const sequences = Math.min(options.sequences ?? tokens.sequences, tokens.sequences);
  const { context } = tokens;
  if (!(Number.isInteger(sequences) && sequences >= 1))
    throw new RangeError(`sequences must be a positive integer but is ${sequences}`);
  if (context < 2)
    throw new RangeError('evaluation needs sequences of at least 2 tokens: there is no next token to predict');
  requirePairing(model, sae, tokens, hook);
  const interventions = listOf(options.interventions);
  const used = { tokens: tokens.tokens.subarray(0, sequences * context), context };
  requireRunnable(model, interventions, used);
  const mask = ignoredPositions(tokens, leftOut(tokens, sae, options));
  const at = { model, sae, hook, interventions };
  const { perBatch, parts } = evaluationParts(model, tokens, options);
  const { remember = (_, make) => make() } = options;
  const all: State[] = [];
  for (const part of parts)
    all.push(
      await remember(part.name, async () =>
        (await evaluatePart(at, tokens, mask, { ...part, perBatch }, options)).state(),
      ),
    );
  const sums = new EvaluationSums(sae);
  for (const state of all) sums.addState(state);
  if (sums.reconstruction.tokens === 0)
    throw new RangeError(
      'every token is left out (ignoreTokens, padding, marks of begin and end): nothing to evaluate',
    );
  return sums.result(sequences);
}

/** Batches of a part: sums are made by part and added in order, wherever the parts are made. */
const BATCHES_OF_PART = 64;

interface Part {
  /** Name by which its sums are remembered. */
  readonly name: string;
  /** Sequences first … end − 1. */
  readonly first: number;
  readonly end: number;
}

/** Sequences of a forward pass, and the parts that an evaluation is made of. */
export function evaluationParts(
  model: LanguageModel,
  { sequences: all, context }: Pick<TokenSet, 'sequences' | 'context'>,
  options: Pick<EvaluateOptions, 'sequences' | 'batchTokens'>,
): { perBatch: number; parts: Part[] } {
  const sequences = Math.min(options.sequences ?? all, all);
  const budget = Math.min(options.batchTokens ?? 1024, Math.floor(LOGIT_FLOATS / model.config.vocab));
  const perBatch = Math.max(1, Math.floor(budget / context));
  const perPart = perBatch * BATCHES_OF_PART;
  const parts = Array.from({ length: Math.ceil(sequences / perPart) }, (_, i): Part => {
    const [first, end] = [i * perPart, Math.min(sequences, (i + 1) * perPart)];
    return { name: `sequences ${first} to ${end - 1}, ${perBatch} at once`, first, end };
  });
  return { perBatch, parts };
}

async function evaluatePart(
  at: Evaluated,
  tokens: TokenSet,
  mask: Uint8Array | undefined,
  { first: from, end, perBatch }: Part & { perBatch: number },
  { signal, onProgress, sequences: asked = tokens.sequences }: EvaluateOptions,
): Promise<EvaluationSums> {
  const sums = new EvaluationSums(at.sae);
  const { context } = tokens;
  const total = Math.min(asked, tokens.sequences);
  for (let first = from; first < end; first += perBatch) {
    checkAborted(signal, 'SAE evaluation');
    const batch = Math.min(perBatch, end - first);
    const ids = tokens.tokens.subarray(first * context, (first + batch) * context);
    const part = (of: Uint8Array | undefined): Uint8Array | undefined =>
      of?.subarray(first * context, (first + batch) * context);
    const ignored: Ignored = { mask: part(mask), padding: part(tokens.padding) };
    await evaluateBatch(at, first, ids, batch, ignored, sums, signal);
    onProgress?.({ label: `evaluating ${at.sae.name}`, done: first + batch, total, unit: 'sequences' });
  }
  return sums;
}

/** Sums as JSON holds them. */
interface State {
  readonly sums: ReadonlyArray<ReadonlyArray<number | string>>;
  /** Features that fired, and how often. */
  readonly fired: ReadonlyArray<readonly [feature: number, times: number]>;
  readonly l1: number | string;
}

/** Sums over batches, and the evaluation that they give. */
class EvaluationSums {
  readonly reconstruction: ReconstructionSums;
  readonly clean = new NextTokenSums();
  readonly withSae = new NextTokenSums();
  readonly withZero = new NextTokenSums();
  readonly firings: Float64Array;
  l1 = 0;

  constructor(sae: Sae) {
    this.reconstruction = new ReconstructionSums(sae.config.dIn);
    this.firings = new Float64Array(sae.config.dSae);
  }

  state(): State {
    const sums = [this.reconstruction, this.clean, this.withSae, this.withZero].map((of) =>
      of.state().map(plainNumber),
    );
    const fired: Array<[number, number]> = [];
    this.firings.forEach((times, feature) => times > 0 && fired.push([feature, times]));
    return { sums, fired, l1: plainNumber(this.l1) };
  }

  addState({ sums, fired, l1 }: State): void {
    for (const [i, of] of [this.reconstruction, this.clean, this.withSae, this.withZero].entries())
      of.addState(sums[i].map(Number));
    for (const [feature, times] of fired) this.firings[feature] += times;
    this.l1 += Number(l1);
  }

  result(sequences: number): SaeEvaluation {
    const { clean, withSae, withZero, firings } = this;
    const { tokens } = this.reconstruction;
    const density = firings.map((n) => n / tokens);
    const [ceClean, ceSae, ceZero] = [clean, withSae, withZero].map((s) => s.crossEntropy / s.positions);
    const [klSae, klZero] = [withSae, withZero].map((s) => s.divergence / s.positions);
    return {
      tokens,
      sequences,
      l0: firings.reduce((sum, n) => sum + n, 0) / tokens,
      l1: this.l1 / tokens,
      ...this.reconstruction.metrics(),
      ceClean,
      ceSae,
      ceZero,
      ceLossRecovered: ceZero === ceClean ? NaN : (ceZero - ceSae) / (ceZero - ceClean),
      klSae,
      klZero,
      klScore: klZero === 0 ? NaN : (klZero - klSae) / klZero,
      dead: firings.reduce((n, count) => n + (count === 0 ? 1 : 0), 0),
      density,
      densityHistogram: histogramOfDensity(density, tokens),
    };
  }
}

/** Quarter-decade bins from below 1/tokens, the smallest density there can be, to 1. */
export function histogramOfDensity(density: Float64Array, tokens: number): DensityHistogram {
  const perDecade = 4;
  const bins = Math.max(1, Math.ceil(Math.log10(tokens) * perDecade));
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => (i - bins) / perDecade);
  const counts = new Uint32Array(bins);
  for (const share of density) {
    if (share === 0) continue;
    const bin = Math.floor(Math.log10(share) * perDecade) + bins;
    counts[Math.max(0, Math.min(bins - 1, bin))]++;
  }
  return { edges, counts };
}

/** Of one batch: positions that count in no figure (1), and those of them that are padding. */
interface Ignored {
  mask: Uint8Array | undefined;
  padding: Uint8Array | undefined;
}

/** The model, SAE, hook and interventions that are evaluated. */
interface Evaluated {
  model: LanguageModel;
  sae: Sae;
  hook: string;
  interventions: readonly Intervention[];
}

async function evaluateBatch(
  at: Evaluated,
  sequence: number,
  ids: Int32Array,
  batch: number,
  ignored: Ignored,
  sums: EvaluationSums,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { model, sae } = at;
  const { logits: clean, x } = cleanRun(at, sequence, ids, batch);
  const kept = Int32Array.from(ids.keys()).filter((i) => ignored.mask?.[i] !== 1);
  const part = ignored.mask === undefined ? x : rowsOf(x, kept);
  const { features, reconstruction } = reconstruct(sae, part);
  sums.reconstruction.add(part, reconstruction);
  for (let e = 0; e < features.values.length; e++) {
    sums.firings[features.indices[e]]++;
    sums.l1 += features.values[e];
  }
  const vocab = model.config.vocab;
  // What comes after the end of a padded text is no prediction of the model's.
  const counted = (position: number): boolean =>
    ignored.mask?.[position] !== 1 && ignored.padding?.[position + 1] !== 1;
  await breathe();
  checkAborted(signal, 'SAE evaluation');
  await sums.clean.add(clean, clean, ids, batch, vocab, counted);
  for (const [target, filled] of [
    [sums.withSae, reconstruction.data],
    [sums.withZero, new Float32Array(reconstruction.data.length)],
  ] as const) {
    checkAborted(signal, 'SAE evaluation');
    const replacement = x.data.slice();
    for (let i = 0; i < kept.length; i++) {
      replacement.set(filled.subarray(i * x.cols, (i + 1) * x.cols), kept[i] * x.cols);
    }
    await target.add(clean, replacedRun(at, sequence, ids, batch, replacement), ids, batch, vocab, counted);
  }
}

/** Logits [B·T·V] and the activation at the hook, [B·T, width], heads flattened. */
function cleanRun(
  { model, sae, hook, interventions }: Evaluated,
  sequence: number,
  ids: Int32Array,
  batch: number,
): { logits: Float32Array; x: Matrix } {
  const width = sae.config.dIn;
  const { logits, captured } = model.forward(ids, batch, { capture: [hook], edits: editsOf(interventions), sequence });
  const activation = captured.get(hook)!;
  try {
    const cols = activation.size / ids.length;
    if (cols !== width) {
      throw new RangeError(
        `SAE expects activations of width ${width} but ${hook} of ${model.name} has ${cols}; load the SAE trained on this hook or change { hook }`,
      );
    }
    return { logits: logits!.dataSync<'float32'>(), x: matrix(ids.length, cols, activation.dataSync<'float32'>()) };
  } finally {
    logits?.dispose();
    activation.dispose();
  }
}

function replacedRun(
  { model, hook, interventions }: Evaluated,
  sequence: number,
  ids: Int32Array,
  batch: number,
  replacement: Float32Array,
): Float32Array {
  const edits = new Map<string, readonly HookEdit[]>(editsOf(interventions));
  edits.set(hook, [(activation: tf.Tensor) => tf.tensor(replacement, activation.shape)]);
  const { logits } = model.forward(ids, batch, { edits, sequence });
  try {
    return logits!.dataSync<'float32'>();
  } finally {
    logits?.dispose();
  }
}

function rowsOf(x: Matrix, rows: Int32Array): Matrix {
  const out = matrix(rows.length, x.cols);
  for (let i = 0; i < rows.length; i++)
    out.data.set(x.data.subarray(rows[i] * x.cols, (rows[i] + 1) * x.cols), i * x.cols);
  return out;
}
