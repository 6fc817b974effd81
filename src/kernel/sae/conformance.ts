/**
 * Does this SAE belong to these activations? Asked once for a model, an SAE and a hook, on a few hundred tokens: how much
 * of the variance it explains where it was asked for, beside the neighbouring hooks and the usual mistakes (centred or
 * not, scaled or not, with BOS or without). The mistakes that have spoilt published runs show here, in figures.
 */
import { capturedWidth, requireTokenizer } from '../models/capture.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { ignoredPositions } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import {
  activationsAt,
  centredRows,
  meanNorm,
  otherBos,
  sampleOf,
  scaledRows,
  turnedRows,
  withoutFirst,
  type Sample,
} from './conformanceSample.js';
import { warningsOf } from './conformanceWords.js';
import { STREAM, wantsCentred } from './processing.js';
import { ReconstructionSums } from './reconstruction.js';
import { reconstruct } from './sae.js';
import { unscaledThreshold } from './threshold.js';
import { leftOut } from './trainedOn.js';
import type { Sae, SaeConfig } from './types.js';
import { isJsonObject } from '../../protocol/objects.js';

/** Tokens looked at: as many as these multiplications of the encoder and pre-activations allow. */
const MOST_TOKENS = 256;
const LEAST_TOKENS = 64;
const MULTIPLICATIONS = 3e10;
const PRE_ACTIVATIONS = 4e7;
/** Encodings at the hook that was asked for, besides one for each neighbour. */
const FORMS = 8;
/** Draws of activations in another basis. */
const TURNS = 2;

/** What was done to the activations before the SAE saw them. */
export type Variant =
  'as they are' | 'centred' | 'scaled' | 'divided' | 'with BOS' | 'without BOS' | 'without first tokens';

/** How an SAE does on activations. */
export interface Fit {
  hook: string;
  variant: Variant;
  tokens: number;
  /** 1 − SSE/SST about the mean activation; NaN when all activations are equal, or nothing is reconstructed. */
  explainedVariance: number;
  /**
   * Share of the squared error that is that of the mean: N ‖mean(x − x̂)‖² / SSE. Training on squared error takes it away
   * at the hook that it is on, long before much is explained; at other hooks it stays. NaN like explainedVariance.
   */
  meanError: number;
  /** Mean firing features per token. */
  l0: number;
  /** Mean ‖x‖. */
  norm: number;
}

export interface Conformance {
  /** Where it was asked for, as the activations are. */
  asked: Fit;
  /** Neighbouring hooks and other forms of the activations. */
  others: Fit[];
  /**
   * Explained variance of the same activations in a random other basis, the mean of two draws: what chance gives. Absent
   * where the SAE's file names this very model and hook.
   */
  turned?: number;
  /** k, or the L0 that the SAE records, when it says it. */
  expectedL0?: number;
  /** Whether the SAE's config says center_writing_weights: true, and that shows at the hook. */
  wantsCentred: boolean;
  /** Whether the sequences begin with the tokenizer's begin token; absent when it has none. */
  bos?: boolean;
  /** Whether every activation has mean 0 over its width, as in a model loaded with { process: 'center' }. */
  centred: boolean;
  /** A threshold in other units than the weights, with the option that mends it. */
  threshold?: string;
  /** Of a transcoder: the hook whose activations it predicts; '' when it does not say it. */
  predicts?: string;
  /** For people; empty when all looks well. */
  warnings: string[];
}

/** Refuses what cannot be meant: tokens of another tokenizer, or an SAE of another width than the hook's. */
export function requirePairing(model: LanguageModel, sae: Sae, tokens: TokenSet, hook: string): void {
  requireTokenizer(model, tokens);
  const width = capturedWidth(model, hook);
  const { dIn, hookName, modelName } = sae.config;
  if (dIn === width) return;
  throw new Error(
    `SAE ${sae.name} expects activations of width ${dIn}${hookName ? ` (${hookName} of ${modelName})` : ''} ` +
      `but ${hook} of ${model.name} has width ${width}; load the SAE trained on this hook or change { hook }`,
  );
}

/** Hooks beside `hook` that the SAE could have been trained on: of its layer and the next ones, no activation twice. */
export function neighboursOf(model: Pick<LanguageModel, 'hooks' | 'hookWidth' | 'config'>, hook: string): string[] {
  const [, layer, name] = /^blocks\.(\d+)\.(.+)$/.exec(hook) ?? [];
  if (layer === undefined) return [];
  const names = ['hook_resid_pre', 'hook_resid_mid', 'hook_resid_post', 'hook_attn_out', 'hook_mlp_out'];
  const near = [0, -1, 1].map((step) => Number(layer) + step);
  const found = [name, ...names].flatMap((n) => near.map((l) => `blocks.${l}.${n}`));
  // The stream behind a block is the stream before the next one; it goes by the kind of name that was asked for.
  const same = (h: string): string => {
    const [, l, n] = /^blocks\.(\d+)\.(.+)$/.exec(h) as RegExpExecArray;
    return n === 'hook_resid_post' ? `blocks.${Number(l) + 1}.hook_resid_pre` : h;
  };
  const seen = new Set([same(hook)]);
  const width = capturedWidth(model as LanguageModel, hook);
  return found.filter((h) => {
    if (h === hook || !model.hooks.includes(h) || capturedWidth(model as LanguageModel, h) !== width) return false;
    if (seen.has(same(h))) return false;
    seen.add(same(h));
    return true;
  });
}

/** What an SAE is said to keep: k, or the L0 that its file or its training recorded. */
export function expectedL0({ k, metadata }: Pick<SaeConfig, 'k' | 'metadata'>): number | undefined {
  if (k !== undefined) return k;
  const recorded = isJsonObject(metadata.training) ? metadata.training.finalL0 : metadata.average_l0;
  return typeof recorded === 'number' && recorded > 0 ? recorded : undefined;
}

/** What a pairing is looked at on. */
export function conformanceSample(model: LanguageModel, sae: Sae, tokens: TokenSet, hook: string): Sample {
  const { dIn, dSae } = sae.config;
  const each = dSae * (neighboursOf(model, hook).length + FORMS);
  const work = Math.min(MULTIPLICATIONS / (dIn * each), PRE_ACTIVATIONS / each);
  const wanted = Math.max(LEAST_TOKENS, Math.min(MOST_TOKENS, Math.floor(work)));
  return sampleOf(tokens, wanted, model.config.context, ignoredPositions(tokens, leftOut(tokens, sae)));
}

/** N ‖mean(x − x̂)‖² / Σ ‖x − x̂‖², in float64; NaN when nothing is left. */
function meanErrorShare(x: Matrix, reconstruction: Matrix): number {
  const mean = new Float64Array(x.cols);
  let all = 0;
  for (let at = 0; at < x.data.length;)
    for (let j = 0; j < x.cols; j++, at++) {
      const error = x.data[at] - reconstruction.data[at];
      mean[j] += error / x.rows;
      all += error * error;
    }
  return (x.rows * mean.reduce((sum, m) => sum + m * m, 0)) / all;
}

/** `target`: what is to be reconstructed; null where nothing of the kind is at hand. */
function fitOf(sae: Sae, x: Matrix, hook: string, variant: Variant, target: Matrix | null = x): Fit {
  const { features, reconstruction } = reconstruct(sae, x);
  const found = { hook, variant, tokens: x.rows, l0: features.values.length / x.rows, norm: meanNorm(x) };
  if (!target) return { ...found, explainedVariance: NaN, meanError: NaN };
  const sums = new ReconstructionSums(target.cols);
  sums.add(target, reconstruction);
  const { explainedVariance } = sums.metrics();
  return { ...found, explainedVariance, meanError: meanErrorShare(target, reconstruction) };
}

/** Explained variance of the same activations in another basis: chance. */
function turnedFit(sae: Sae, x: Matrix, hook: string): number {
  const fits = Array.from({ length: TURNS }, (_, seed) => fitOf(sae, turnedRows(x, seed), hook, 'as they are'));
  return fits.reduce((sum, fit) => sum + fit.explainedVariance / TURNS, 0);
}

/** Other forms of the activations at the hook that was asked for. */
function formsOf(x: Matrix, hook: string, sample: Sample): Array<[Variant, Matrix]> {
  const forms: Array<[Variant, Matrix]> = [];
  const s = Math.sqrt(x.cols) / meanNorm(x);
  if (STREAM.test(hook)) forms.push(['centred', centredRows(x).rows]);
  if (s > 0 && Number.isFinite(s) && Math.abs(s - 1) > 0.05)
    forms.push(['scaled', scaledRows(x, s)], ['divided', scaledRows(x, 1 / s)]);
  if (sample.rows.some((r) => r % sample.length === 0) && x.rows > 1)
    forms.push(['without first tokens', withoutFirst(x, sample)]);
  return forms.filter(([, rows]) => rows.rows > 0);
}

/** The hook that a transcoder predicts when it reads `hook`: as many layers from it as the file says of its own. */
function predictedHook({ hookName, hookNameOut = '' }: SaeConfig, model: LanguageModel, hook: string): string {
  const layerOf = (name: string): number => Number(/^blocks\.(\d+)\./.exec(name)?.[1]);
  const [own, out, now] = [hookName || hook, hookNameOut, hook].map(layerOf);
  const at = Number.isNaN(own + out + now) ? hookNameOut : hookNameOut.replace(/\d+/, String(out + now - own));
  return model.hooks.includes(at) ? at : '';
}

/** A transcoder beside the activations that it predicts, at its layer and the neighbouring ones. */
async function transcoderFits(model: LanguageModel, sae: Sae, sample: Sample, hook: string): Promise<Fit[]> {
  const { dIn, dOut = dIn } = sae.config;
  const kind = hook.replace(/^blocks\.\d+\./, '');
  const hooks = [hook, ...neighboursOf(model, hook).filter((h) => h.endsWith(`.${kind}`))];
  const outs = hooks.map((h) => predictedHook(sae.config, model, h));
  const at = await activationsAt(model, sample, [...new Set([...hooks, ...outs.filter((out) => out !== '')])]);
  return hooks.map((h, i) => {
    const target = at.get(outs[i]);
    return fitOf(sae, at.get(h) as Matrix, h, 'as they are', target?.cols === dOut ? target : null);
  });
}

/**
 * The figures of a pairing, and what they warn of. Costs two forward passes of at most 256 tokens, and an encoding at
 * the hook, at each neighbour and for each form. A transcoder is looked at beside the activations that it predicts.
 * @throws on a width or a tokenizer that cannot be meant (requirePairing)
 */
export async function conformanceOf(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  hook: string,
  call: CallOptions = {},
): Promise<Conformance> {
  requirePairing(model, sae, tokens, hook);
  const sample = conformanceSample(model, sae, tokens, hook);
  const l0 = expectedL0(sae.config);
  const found = sae.config.transcoder
    ? await transcoderFigures(model, sae, sample, hook)
    : await figuresOf(model, sae, sample, hook, call);
  const figures = {
    ...found,
    ...(l0 === undefined ? {} : { expectedL0: l0 }),
    wantsCentred: wantsCentred(sae.config, hook),
  };
  return { ...figures, warnings: warningsOf(figures, sae) };
}

type Figures = Omit<Conformance, 'warnings' | 'expectedL0' | 'wantsCentred'>;

async function transcoderFigures(model: LanguageModel, sae: Sae, sample: Sample, hook: string): Promise<Figures> {
  const [asked, ...others] = await transcoderFits(model, sae, sample, hook);
  return { asked, others, centred: false, predicts: predictedHook(sae.config, model, hook) };
}

async function figuresOf(
  model: LanguageModel,
  sae: Sae,
  sample: Sample,
  hook: string,
  { signal }: CallOptions,
): Promise<Figures> {
  const neighbours = neighboursOf(model, hook);
  const at = await activationsAt(model, sample, [hook, ...neighbours]);
  const x = at.get(hook) as Matrix;
  const others: Fit[] = [];
  const asked = fitOf(sae, x, hook, 'as they are');
  for (const [variant, rows] of formsOf(x, hook, sample)) others.push(fitOf(sae, rows, hook, variant));
  for (const neighbour of neighbours) {
    checkAborted(signal, 'looking whether the SAE fits');
    others.push(fitOf(sae, at.get(neighbour) as Matrix, neighbour, 'as they are'));
  }
  const bos = otherBos(model, sample);
  if (bos && bos.sample.rows.length > 0) {
    const rows = (await activationsAt(model, bos.sample, [hook])).get(hook) as Matrix;
    others.push(fitOf(sae, rows, hook, bos.added ? 'with BOS' : 'without BOS'));
  }
  const expected = expectedL0(sae.config);
  const threshold = expected === undefined ? undefined : unscaledThreshold(sae, x, asked.l0, expected);
  return {
    ...{ asked, others, centred: centredRows(x).centred },
    // On the model and hook of its training a low figure means a poorly trained SAE, not a wrong pairing.
    ...(sae.config.modelId === model.id && hook === sae.config.hookName ? {} : { turned: turnedFit(sae, x, hook) }),
    ...(bos ? { bos: !bos.added } : {}),
    ...(threshold === undefined ? {} : { threshold }),
  };
}
