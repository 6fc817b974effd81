/**
 * Which SAEs a call of fg.interventions sets to work on which model, at which hook and text: what conformance looks at.
 */
import { capturedWidth } from '../models/capture.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { promptTokens, type Pairing } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { saesAt } from './effects.js';
import { textsOf, type Texts } from './fgArgs.js';
import type { AtHook } from './options.js';
import { saeOf, type Intervention } from './intervention.js';

/** The tokens of prompts, padded to the longest, or of a dataset. */
export function tokensOfTexts(texts: Texts, model: LanguageModel): TokenSet {
  const own = textsOf(texts, model);
  return typeof own === 'string' || !('tokenizer' in own) ? promptTokens(model.tokenizer, own) : own;
}

/**
 * SAEs of a model, each at the hook that it encodes.
 * @throws what cannot be meant, before anything runs (saesAt)
 */
export function pairingsOf(
  model: LanguageModel,
  saes: readonly Sae[],
  tokens: TokenSet,
  options: AtHook = {},
): Pairing[] {
  return saes.length === 0 ? [] : saesAt(model, saes, options).map(({ sae, hook }) => ({ model, sae, hook, tokens }));
}

/**
 * The SAEs whose features interventions change. Left out are interventions of other models, which are refused when they
 * run, and SAEs whose own hook this model does not have or has in another width.
 */
export function interventionPairings(
  model: LanguageModel,
  interventions: readonly Intervention[],
  tokens: TokenSet,
): Pairing[] {
  return interventions.flatMap((each) => {
    const used = saeOf(each);
    if (used?.model.id !== model.id || !model.hooks.includes(used.hook)) return [];
    const { sae, hook } = used;
    return capturedWidth(model, hook) === sae.config.dIn ? [{ model, sae, hook, tokens }] : [];
  });
}
