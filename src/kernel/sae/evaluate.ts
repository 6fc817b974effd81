/** Evaluates SAEs inside their model: sparsity, reconstruction, and what replacing the activation costs the model. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { graphDevice } from '../compute/graphs/current.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { listOf, requireRunnable } from '../models/edits.js';
import { canonicalJson } from '../io/hash.js';
import { ignoredPositions, ignoringParameters, type Ignoring } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { text, whole, type Given } from '../verb/option.js';
import type { Remember } from '../verb/remember.js';
import { requirePairing } from './conformance.js';
import { EvaluationSums, SharedSums, type EvaluationState, type SaeEvaluation } from './evaluationSums.js';
import type { EvaluatedModel, EvaluatedRuns } from './evaluatedRuns.js';
import { runsOn } from './evaluatedRunsOnDevice.js';
import type { NextTokenSums } from './nextToken.js';
import { interventionsOption } from './pairing.js';
import { reconstructOn, type Reconstruct } from './decodeOnDevice.js';
import { requireReconstructs } from './sae.js';
import { COUNTED, leftOut } from './trainedOn.js';
import type { Sae } from './types.js';

/** Activations of what is left out (COUNTED) stay as they are and count in no figure. */
export const EVALUATE = {
  hook: text({ doc: 'Hook to replace.', fallback: "the SAE's own" }),
  samples: whole({ doc: 'Sequences to use, from the first.', min: 1, fallback: 'all' }),
  batchTokens: whole({
    doc: 'Tokens of one forward pass, at least one sequence.',
    min: 1,
    fallback: '1,024, fewer where logits would pass 128 MB',
  }),
  ...COUNTED,
  interventions: interventionsOption(
    "Changes to the model's activations in every run, the clean one included, in order; the SAE reconstructs what they leave at its hook.",
  ),
} as const;

export type EvaluateOptions = Given<typeof EVALUATE> &
  CallOptions & {
    /** Gives parts that are made already; see evaluationParts. */
    remember?: Remember;
    /** Where passes run and SAEs encode and decode; default: the devices in use, and the CPU for parts that are remembered. */
    devices?: Devices;
  };

type Devices = Parameters<typeof reconstructOn>[1] & { pass?: GraphDevice };

const LOGIT_FLOATS = 1 << 25;

/** evaluateSaes() of one. */
export async function evaluateSae(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  options: EvaluateOptions = {},
): Promise<SaeEvaluation> {
  const [found] = await evaluateSaes(model, [sae], tokens, options);
  return found;
}

/**
 * Runs each batch clean, with zeros and with the mean activation at the hook, and with the reconstruction of each SAE
 * there. Sums are float64 and stream over batches; the mean is that of all counted tokens. Several SAEs share the runs
 * without one, and each gets what it gets alone.
 * @throws where the hook's width is not an SAE's, SAEs are of several hooks or leave out other tokens, an intervention
 * cannot act on the tokens, or nothing is left to evaluate
 */
export async function evaluateSaes(
  model: LanguageModel,
  saes: readonly Sae[],
  tokens: TokenSet,
  options: EvaluateOptions = {},
): Promise<SaeEvaluation[]> {
  const hook = hookOf(saes, options.hook);
  const sequences = Math.min(options.samples ?? tokens.sequences, tokens.sequences);
  const { context } = tokens;
  if (sequences < 1) throw new RangeError('the token set is empty: there is nothing to evaluate');
  if (context < 2)
    throw new RangeError('evaluation needs sequences of at least 2 tokens: there is no next token to predict');
  for (const sae of saes) requirePairing(model, sae, tokens, hook);
  const interventions = listOf(options.interventions);
  const used = { tokens: tokens.tokens.subarray(0, sequences * context), context };
  requireRunnable(model, interventions, used);
  const mask = ignoredPositions(tokens, sharedIgnoring(tokens, saes, options));
  const devices = devicesOf(options);
  const reconstructs = saes.map((sae) => reconstructOn(sae, devices));
  const runs = runsOn({ model, hook, interventions }, devices.pass);
  const at = { model, saes, reconstructs, hook, interventions, runs };
  const { perBatch, parts } = evaluationParts(model, tokens, options);
  const { remember = (_, make) => make() } = options;
  // Of the whole text, and only where a part must be made: every part needs it.
  let mean: Promise<Float32Array> | undefined;
  const all: EvaluationState[][] = [];
  try {
    for (const part of parts)
      all.push(
        await remember(part.name, async () => {
          mean ??= meanActivation(at, tokens, mask, { perBatch, sequences }, options);
          const fill = await mean;
          const sums = await evaluatePart({ ...at, mean: fill }, tokens, mask, { ...part, perBatch }, options);
          return sums.map((of) => of.state());
        }),
      );
  } finally {
    runs.end();
  }
  return saes.map((sae, i) => {
    const sums = new EvaluationSums(sae);
    for (const states of all) sums.addState(states[i]);
    if (sums.reconstruction.tokens === 0)
      throw new RangeError(
        'every token is left out (ignoreTokens, padding, marks of begin and end): nothing to evaluate',
      );
    return sums.result(sequences);
  });
}

/** Parts made by several processes have the bits of one: they know no device of their own. */
function devicesOf({ devices, remember }: EvaluateOptions): Devices {
  if (devices) return devices;
  if (remember && !remember.plain) return {};
  const encode = graphDevice('encoding');
  return { encode, decode: graphDevice('decoding'), pass: encode };
}

/** The hook that is replaced: the one given, or that of the SAEs. */
function hookOf(saes: readonly Sae[], given: string | undefined): string {
  for (const sae of saes) requireReconstructs(sae, 'evaluation replaces an activation by its reconstruction');
  const hooks = [...new Set(saes.map((sae) => given ?? sae.config.hookName))];
  if (hooks.length !== 1) throw new Error(`SAEs of one hook share their runs, but these are of ${hooks.join(', ')}`);
  if (!hooks[0]) throw new Error('this SAE does not say its hook; give { hook }');
  return hooks[0];
}

function sharedIgnoring(tokens: TokenSet, saes: readonly Sae[], options: EvaluateOptions): Ignoring {
  const [first, ...others] = saes.map((sae) => leftOut(tokens, sae, options));
  const said = canonicalJson(ignoringParameters(first));
  if (others.some((other) => canonicalJson(ignoringParameters(other)) !== said))
    throw new Error('these SAEs leave out other tokens each, so they do not share their runs; give { ignoreTokens }');
  return first;
}

/** Mean activation at the hook over the counted tokens, summed in float64; zeros when none is counted. */
async function meanActivation(
  { runs }: Evaluated,
  tokens: TokenSet,
  mask: Uint8Array | undefined,
  { perBatch, sequences }: { perBatch: number; sequences: number },
  { signal }: EvaluateOptions,
): Promise<Float32Array> {
  let sum: Float64Array | undefined;
  let counted = 0;
  const capture = { batchTokens: perBatch * tokens.context, sequences, signal };
  for await (const { firstToken, x } of runs.activations(tokens, capture)) {
    sum ??= new Float64Array(x.cols);
    for (let i = 0; i < x.rows; i++) {
      if (mask?.[firstToken + i] === 1) continue;
      counted++;
      for (let j = 0, at = i * x.cols; j < x.cols; j++, at++) sum[j] += x.data[at];
    }
  }
  return Float32Array.from(sum!, (v) => v / Math.max(1, counted));
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
  options: Pick<EvaluateOptions, 'samples' | 'batchTokens'>,
): { perBatch: number; parts: Part[] } {
  const sequences = Math.min(options.samples ?? all, all);
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
  at: Evaluated & { mean: Float32Array },
  tokens: TokenSet,
  mask: Uint8Array | undefined,
  { first: from, end, perBatch }: Part & { perBatch: number },
  { signal, onProgress, samples: asked = tokens.sequences }: EvaluateOptions,
): Promise<EvaluationSums[]> {
  const shared = new SharedSums();
  const sums = at.saes.map((sae) => new EvaluationSums(sae, shared));
  const { context } = tokens;
  const total = Math.min(asked, tokens.sequences);
  for (let first = from; first < end; first += perBatch) {
    checkAborted(signal, 'SAE evaluation');
    const batch = Math.min(perBatch, end - first);
    const ids = tokens.tokens.subarray(first * context, (first + batch) * context);
    const part = (of: Uint8Array | undefined): Uint8Array | undefined =>
      of?.subarray(first * context, (first + batch) * context);
    const ignored: Uncounted = { mask: part(mask), padding: part(tokens.padding) };
    await evaluateBatch(at, first, ids, batch, ignored, sums, signal);
    onProgress?.({
      label: `evaluating ${at.saes.length === 1 ? at.saes[0].name : `${at.saes.length} SAEs`}`,
      done: first + batch,
      total,
      unit: 'sequences',
    });
  }
  return sums;
}

/** Of one batch: positions that count in no figure (1), and those of them that are padding. */
interface Uncounted {
  mask: Uint8Array | undefined;
  padding: Uint8Array | undefined;
}

/** The model, SAEs, hook and interventions that are evaluated. */
interface Evaluated extends EvaluatedModel {
  saes: readonly Sae[];
  /** Of each of them. */
  reconstructs: readonly Reconstruct[];
  runs: EvaluatedRuns;
}

async function evaluateBatch(
  at: Evaluated & { mean: Float32Array },
  sequence: number,
  ids: Int32Array,
  batch: number,
  ignored: Uncounted,
  sums: readonly EvaluationSums[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { model, reconstructs, mean, runs } = at;
  const { scores, x } = await runs.clean({ ids, batch, sequence });
  requireWidth(at, x.cols);
  const kept = Int32Array.from(ids.keys()).filter((i) => ignored.mask?.[i] !== 1);
  const part = ignored.mask === undefined ? x : rowsOf(x, kept);
  const size = { length: ids.length, context: ids.length / batch, vocab: model.config.vocab };
  // What comes after the end of a padded text is no prediction of the model's.
  const counted = (position: number): boolean =>
    ignored.mask?.[position] !== 1 && ignored.padding?.[position + 1] !== 1;
  /** Adds the run with `rowAt(i)` in the place of counted row i. */
  const addRun = async (target: NextTokenSums, rowAt: (i: number) => Float32Array): Promise<void> => {
    checkAborted(signal, 'SAE evaluation');
    const replacement = x.data.slice();
    for (let i = 0; i < kept.length; i++) replacement.set(rowAt(i), kept[i] * x.cols);
    await target.add(await runs.replaced(replacement), size, counted);
  };
  await breathe();
  checkAborted(signal, 'SAE evaluation');
  const zeros = new Float32Array(x.cols);
  const { shared } = sums[0];
  await shared.clean.add(scores, size, counted);
  await addRun(shared.withZero, () => zeros);
  await addRun(shared.withMean, () => mean);
  for (const [s, reconstruct] of reconstructs.entries()) {
    const { features, reconstruction } = await reconstruct(part, { signal });
    sums[s].reconstruction.add(part, reconstruction);
    for (let e = 0; e < features.values.length; e++) {
      sums[s].firings[features.indices[e]]++;
      sums[s].l1 += features.values[e];
    }
    await addRun(sums[s].withSae, (i) => row(reconstruction, i));
  }
}

function requireWidth({ model, saes, hook }: Evaluated, cols: number): void {
  const other = saes.find(({ config }) => config.dIn !== cols);
  if (other)
    throw new RangeError(
      `SAE expects activations of width ${other.config.dIn} but ${hook} of ${model.name} has ${cols}; load the SAE trained on this hook or change { hook }`,
    );
}

function rowsOf(x: Matrix, rows: Int32Array): Matrix {
  const out = matrix(rows.length, x.cols);
  for (let i = 0; i < rows.length; i++)
    out.data.set(x.data.subarray(rows[i] * x.cols, (rows[i] + 1) * x.cols), i * x.cols);
  return out;
}
