/**
 * Does this SAE belong to these activations? Asked once for a model, an SAE and a hook, on a few hundred tokens: how much
 * of the variance it explains where it was asked for, beside the neighbouring hooks and the usual mistakes (centred or
 * not, scaled or not, with BOS or without). The mistakes that have spoilt published runs show here, in figures.
 */
import { capturedWidth, requireTokenizer } from '../models/capture.js';
import { loadResult, saveResult } from '../artifacts/result.js';
import type { ArtifactStore } from '../artifacts/store.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { sha256 } from '../io/hash.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { isObject } from './cfg.js';
import { warningsOf } from './conformanceWords.js';
import { ReconstructionSums } from './reconstruction.js';
import { reconstruct } from './sae.js';
import type { Sae, SaeConfig } from './types.js';

/** Raised when the same pairing would give other figures. */
const CODE_VERSION = 1;
/** Tokens looked at: as many as these multiplications of the encoder allow. */
const MOST_TOKENS = 256;
const LEAST_TOKENS = 64;
const MULTIPLICATIONS = 3e10;

/** What was done to the activations before the SAE saw them. */
export type Variant = 'as they are' | 'centred' | 'scaled' | 'with BOS' | 'without BOS' | 'without first tokens';

/** How an SAE does on activations. */
export interface Fit {
  hook: string;
  variant: Variant;
  tokens: number;
  /** 1 − SSE/SST about the mean activation; NaN when all activations are equal. */
  explainedVariance: number;
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
  /** k, or the L0 at the end of training, when the SAE says it. */
  expectedL0?: number;
  /** Whether the SAE's config says center_writing_weights: true. */
  wantsCentred: boolean;
  /** Whether every activation has mean 0 over its width, as in a model loaded with { process: 'center' }. */
  centred: boolean;
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

/** What a topk SAE keeps, or what training recorded. */
function expectedL0({ k, architecture, metadata }: SaeConfig): number | undefined {
  if (architecture === 'topk' && k !== undefined) return k;
  const recorded = isObject(metadata.training) ? metadata.training.finalL0 : undefined;
  return typeof recorded === 'number' && recorded > 0 ? recorded : undefined;
}

function wantsCentred({ metadata }: SaeConfig): boolean {
  const { model_from_pretrained_kwargs: given, center_writing_weights: flat } = metadata;
  return flat === true || (isObject(given) && given.center_writing_weights === true);
}

interface Sample {
  ids: Int32Array;
  sequences: number;
  length: number;
}

/** The first whole sequences, or the beginning of the first, within what the encoder's work allows. */
function sampleOf(tokens: TokenSet, sae: Sae, encodes: number): Sample {
  const { dIn, dSae } = sae.config;
  const work = MULTIPLICATIONS / (dIn * dSae * encodes);
  const wanted = Math.max(LEAST_TOKENS, Math.min(MOST_TOKENS, Math.floor(work)));
  const length = Math.min(tokens.context, wanted);
  const sequences = Math.min(tokens.sequences, Math.max(1, Math.floor(wanted / tokens.context)));
  const ids = new Int32Array(sequences * length);
  for (let s = 0; s < sequences; s++)
    ids.set(tokens.tokens.subarray(s * tokens.context, s * tokens.context + length), s * length);
  return { ids, sequences, length };
}

/** Activations of a sample at some hooks, one pass of the model. */
async function activationsAt(
  model: LanguageModel,
  { ids, sequences }: Sample,
  hooks: readonly string[],
): Promise<Map<string, Matrix>> {
  const last = [...hooks].sort((a, b) => model.hooks.indexOf(a) - model.hooks.indexOf(b)).at(-1) as string;
  const { logits, captured } = model.forward(ids, sequences, { capture: hooks, stopAt: last });
  try {
    const found = new Map<string, Matrix>();
    for (const [hook, tensor] of captured)
      found.set(hook, matrix(ids.length, tensor.size / ids.length, Float32Array.from(await tensor.data())));
    return found;
  } finally {
    logits?.dispose();
    for (const tensor of captured.values()) tensor.dispose();
  }
}

function fitOf(sae: Sae, x: Matrix, hook: string, variant: Variant): Fit {
  const { features, reconstruction } = reconstruct(sae, x);
  const sums = new ReconstructionSums(x.cols);
  sums.add(x, reconstruction);
  const { explainedVariance } = sums.metrics();
  return { hook, variant, tokens: x.rows, explainedVariance, l0: features.values.length / x.rows, norm: meanNorm(x) };
}

function meanNorm(x: Matrix): number {
  let sum = 0;
  for (let i = 0; i < x.rows; i++) {
    let squares = 0;
    for (let j = i * x.cols; j < (i + 1) * x.cols; j++) squares += x.data[j] ** 2;
    sum += Math.sqrt(squares);
  }
  return sum / x.rows;
}

/** Rows minus their mean over the width: what centring the writing weights does to the stream. */
function centredRows(x: Matrix): { rows: Matrix; centred: boolean } {
  const rows = matrix(x.rows, x.cols);
  let off = 0;
  for (let i = 0; i < x.rows; i++) {
    let mean = 0;
    for (let j = 0; j < x.cols; j++) mean += x.data[i * x.cols + j] / x.cols;
    off += Math.abs(mean);
    for (let j = 0; j < x.cols; j++) rows.data[i * x.cols + j] = x.data[i * x.cols + j] - mean;
  }
  return { rows, centred: (off / x.rows) * Math.sqrt(x.cols) < 1e-3 * meanNorm(x) };
}

/** Rows at positions of at least `first`. */
function fromPosition(x: Matrix, length: number, first: number): Matrix {
  const kept = Array.from({ length: x.rows }, (_, i) => i).filter((i) => i % length >= first);
  const out = matrix(kept.length, x.cols);
  kept.forEach((i, at) => out.data.set(x.data.subarray(i * x.cols, (i + 1) * x.cols), at * x.cols));
  return out;
}

/** Other forms of the activations at the hook that was asked for. */
function formsOf(x: Matrix, hook: string, length: number): Array<[Variant, Matrix]> {
  const forms: Array<[Variant, Matrix]> = [];
  const norm = meanNorm(x);
  if (/hook_(resid_\w+|attn_out|mlp_out|embed|pos_embed)$/.test(hook)) forms.push(['centred', centredRows(x).rows]);
  const s = Math.sqrt(x.cols) / norm;
  if (s > 0 && Number.isFinite(s) && Math.abs(s - 1) > 0.05)
    forms.push(['scaled', matrix(x.rows, x.cols, x.data.map((v) => v * s))]); // prettier-ignore
  if (length > 1 && x.rows > 1) forms.push(['without first tokens', fromPosition(x, length, 1)]);
  return forms;
}

/** The same tokens with BOS before each sequence, or without the one that they begin with; undefined without either. */
function otherBos(
  model: LanguageModel,
  { ids, sequences, length }: Sample,
): { sample: Sample; first: number } | undefined {
  const bos = model.tokenizer.bosId;
  if (bos === undefined || length < 3) return undefined;
  const begins = Array.from({ length: sequences }, (_, s) => ids[s * length]).every((id) => id === bos);
  const row = (s: number): number[] => [...ids.subarray(s * length, (s + 1) * length)];
  const change = begins
    ? (s: number) => row(s).slice(1)
    : (s: number) => [bos, ...row(s)].slice(0, model.config.context);
  const changed = Array.from({ length: sequences }, (_, s) => change(s));
  const sample = { ids: Int32Array.from(changed.flat()), sequences, length: changed[0].length };
  return { sample, first: begins ? 0 : 1 };
}

/**
 * The figures of a pairing, and what they warn of. Costs two forward passes of at most 256 tokens, and an encoding at
 * the hook, at each neighbour and for each form.
 * @throws on a width or a tokenizer that cannot be meant (requirePairing)
 */
export async function conformanceOf(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  hook: string,
  { signal }: CallOptions = {},
): Promise<Conformance> {
  requirePairing(model, sae, tokens, hook);
  const neighbours = neighboursOf(model, hook);
  const sample = sampleOf(tokens, sae, neighbours.length + 5);
  const at = await activationsAt(model, sample, [hook, ...neighbours]);
  const x = at.get(hook) as Matrix;
  const others: Fit[] = [];
  const asked = fitOf(sae, x, hook, 'as they are');
  for (const [variant, rows] of formsOf(x, hook, sample.length)) others.push(fitOf(sae, rows, hook, variant));
  for (const neighbour of neighbours) {
    checkAborted(signal, 'looking whether the SAE fits');
    others.push(fitOf(sae, at.get(neighbour) as Matrix, neighbour, 'as they are'));
  }
  const bos = otherBos(model, sample);
  if (bos) {
    const rows = (await activationsAt(model, bos.sample, [hook])).get(hook) as Matrix;
    const variant = bos.first === 1 ? 'with BOS' : 'without BOS';
    others.push(fitOf(sae, fromPosition(rows, bos.sample.length, bos.first), hook, variant));
  }
  const l0 = expectedL0(sae.config);
  const figures = {
    asked,
    others,
    ...(l0 === undefined ? {} : { expectedL0: l0 }),
    wantsCentred: wantsCentred(sae.config),
    centred: centredRows(x).centred,
  };
  return { ...figures, warnings: warningsOf(figures, sae) };
}

/** Pairings that this session has looked at, by the store that it keeps results in. */
const seen = new WeakMap<ArtifactStore, Set<string>>();

/**
 * Warnings of a pairing, the first time that a session meets it; none afterwards. The figures are kept as an artifact,
 * and not worked out again while model, SAE, hook and tokens stay.
 * @throws on a width or a tokenizer that cannot be meant, every time
 */
export async function conformanceWarnings(
  pairing: { model: LanguageModel; sae: Sae; tokens: TokenSet; hook: string },
  store: ArtifactStore,
  options: CallOptions = {},
): Promise<string[]> {
  const { model, sae, tokens, hook } = pairing;
  requirePairing(model, sae, tokens, hook);
  const known = seen.get(store) ?? new Set<string>();
  seen.set(store, known);
  const name = [model.id, sae.id, hook].join(' ');
  if (known.has(name) || tokens.tokens.length === 0) return [];
  const { ids, sequences, length } = sampleOf(tokens, sae, neighboursOf(model, hook).length + 5);
  const { value } = await store.compute<Conformance>(
    {
      kind: 'conformance',
      parameters: { hook, sequences, length },
      inputs: { model: model.id, sae: sae.id, tokens: sha256([ids]), tokenizer: tokens.tokenizer.id },
      codeVersion: CODE_VERSION,
    },
    {
      title: `fit of ${sae.name} to ${model.name} ${hook}`,
      make: async (folder) => saveResult(folder, await conformanceOf(model, sae, tokens, hook, options)),
      load: (folder) => loadResult<Conformance>(folder),
    },
  );
  known.add(name);
  return value.warnings;
}

/** Prints the warnings of a pairing where a call meets it first; see conformanceWarnings. */
export async function tellConformance(
  env: { readonly store: ArtifactStore; readonly context: { print(text: string): void } },
  pairing: { model: LanguageModel; sae: Sae; tokens: TokenSet; hook?: string },
  call: CallOptions = {},
): Promise<void> {
  const hook = pairing.hook ?? pairing.sae.config.hookName;
  // Whoever measures refuses an SAE without a hook, with what to do.
  if (!hook) return;
  for (const warning of await conformanceWarnings({ ...pairing, hook }, env.store, call))
    env.context.print(`Warning: ${warning}`);
}
