/**
 * Conformance on arrival: whatever a verb pairs, a model with an SAE at a hook, is looked at once, stored beside the
 * other results, and told in words where it does not fit. Verbs declare their pairings by `before: pairs(…)`.
 */
import { loadResult, saveResult } from '../artifacts/result.js';
import type { ArtifactStore } from '../artifacts/store.js';
import type { ArtifactRecord } from '../artifacts/types.js';
import type { CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { createTokenSet } from '../models/datasets.js';
import { encodePrompt } from '../models/prompt.js';
import type { LanguageModel, Tokenizer, TokenSet } from '../models/types.js';
import { isObject } from '../../protocol/objects.js';
import type { Intervention } from '../models/edits.js';
import { oneOrSeveral } from '../verb/kinds.js';
import { flag, value, type Option } from '../verb/option.js';
import { conformanceOf, conformanceSample, requirePairing, type Conformance } from './conformance.js';
import type { Sae } from './types.js';

/** Raised when the same pairing would give other figures. */
const CODE_VERSION = 4;
/** Fewer tokens than these say nothing for sure: a prompt of ten is explained by luck. */
const FEWEST_TOKENS = 32;

/** Option of every verb that pairs SAEs with a model. */
export const CONFORMANCE = {
  conformance: flag({
    doc: "Look once whether each SAE fits the model's activations, and warn when it does not.",
    usual: true,
    identity: false,
  }),
};

/** Interventions that act while a verb runs the model. */
export const interventionsOption = (doc: string): Option<Intervention | readonly Intervention[]> =>
  oneOrSeveral(value<Intervention>('what fg.interventions made', { doc, fallback: 'none' }, isObject), 0);

/** An SAE that is about to work on the activations of a model. */
export interface Pairing {
  model: LanguageModel;
  sae: Sae;
  /** Text at hand; a few dozen tokens at least, or only what earlier calls found is told. */
  tokens: TokenSet;
  /** Default: the SAE's own. */
  hook?: string;
}

/** What a verb works in, as far as pairings need it. */
interface Told {
  readonly store: ArtifactStore;
  readonly context: { print(text: string): void };
}

/** Prompts (or their token ids) as a token set, padded to the longest. */
export function promptTokens(tokenizer: Tokenizer, prompts: string | Int32Array | readonly string[]): TokenSet {
  const rows =
    prompts instanceof Int32Array ? [prompts] : [prompts].flat().map((prompt) => encodePrompt(tokenizer, prompt));
  const filled = rows.filter((ids) => ids.length > 0);
  const context = filled.reduce((longest, ids) => Math.max(longest, ids.length), 1);
  const tokens = new Int32Array(Math.max(1, filled.length) * context);
  const padding = new Uint8Array(tokens.length).fill(1);
  filled.forEach((ids, s) => {
    tokens.set(ids, s * context);
    padding.fill(0, s * context, s * context + ids.length);
  });
  return createTokenSet(tokens, tokens.length / context, context, tokenizer, { padding, source: { kind: 'prompts' } });
}

/** Pairings that this session has looked at, by the store that it keeps results in. */
const seen = new WeakMap<ArtifactStore, Set<string>>();

/**
 * Warnings of a pairing, the first time that a session meets it; none afterwards. The figures are kept as an artifact:
 * another session loads them. With too few tokens to judge by, what is told is what was found before, on any text.
 * @throws on a width or a tokenizer that cannot be meant, every time
 */
export async function conformanceWarnings(
  { model, sae, tokens, hook = sae.config.hookName }: Pairing,
  store: ArtifactStore,
  call: CallOptions = {},
): Promise<string[]> {
  // The measuring verb refuses an SAE without a hook or encoder, with what to do.
  if (!hook || sae.config.architecture === 'decoder') return [];
  requirePairing(model, sae, tokens, hook);
  const known = seen.get(store) ?? new Set<string>();
  seen.set(store, known);
  const name = [model.id, sae.id, hook].join(' ');
  if (known.has(name) || tokens.tokens.length === 0) return [];
  const found = await figures({ model, sae, tokens, hook }, store, call);
  if (found) known.add(name);
  return found?.warnings ?? [];
}

async function figures(
  { model, sae, tokens, hook }: Required<Pairing>,
  store: ArtifactStore,
  call: CallOptions,
): Promise<Conformance | undefined> {
  const { ids, sequences, length, rows } = conformanceSample(model, sae, tokens, hook);
  const inputs = { model: model.id, sae: sae.id, tokenizer: tokens.tokenizer.id };
  if (rows.length < FEWEST_TOKENS) return earlier(store, hook, inputs);
  const text = rows.length === ids.length ? [ids] : [ids, rows];
  const { value } = await store.compute<Conformance>(
    {
      kind: 'conformance',
      parameters: { hook, sequences, length },
      inputs: { ...inputs, tokens: sha256(text) },
      codeVersion: CODE_VERSION,
    },
    {
      title: `fit of ${sae.name} to ${model.name} ${hook}`,
      make: async (folder) => saveResult(folder, await conformanceOf(model, sae, tokens, hook, call)),
      load: (folder) => loadResult<Conformance>(folder),
    },
  );
  return value;
}

/** The newest figures of the same pairing that are kept, whatever the text was. */
async function earlier(
  store: ArtifactStore,
  hook: string,
  inputs: Record<string, string>,
): Promise<Conformance | undefined> {
  const same = (record: ArtifactRecord): boolean =>
    record.kind === 'conformance' &&
    record.codeVersion === CODE_VERSION &&
    record.parameters.hook === hook &&
    Object.entries(inputs).every(([name, id]) => record.inputs[name] === id);
  const record = (await store.list()).find(same);
  if (!record) return undefined;
  return (await store.open(record.id, () => ({ load: (folder) => loadResult<Conformance>(folder) }))).value;
}

/** Prints the warnings of pairings where a call meets them first; see conformanceWarnings. */
export async function tellConformance(env: Told, pairings: readonly Pairing[], call: CallOptions = {}): Promise<void> {
  for (const pairing of pairings)
    for (const warning of await conformanceWarnings(pairing, env.store, call)) env.context.print(`Warning: ${warning}`);
}

/**
 * `before` of a verb that pairs SAEs with a model: looks at the pairings of a call, before its result is looked up, unless
 * { conformance: false } was given.
 */
export function pairs<O extends { conformance?: boolean }, A extends readonly unknown[]>(
  of: (options: O, ...args: A) => readonly Pairing[] | Promise<readonly Pairing[]>,
): (work: { env: Told; options: O; call: CallOptions }, ...args: A) => Promise<void> {
  return async ({ env, options, call }, ...args) => {
    if (options.conformance ?? CONFORMANCE.conformance.usual)
      await tellConformance(env, await of(options, ...args), call);
  };
}
