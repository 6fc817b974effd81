/** Named changes to activations, in the form in which every room that runs a model takes them. */
import type { JsonObject } from '../../protocol/notebook.js';
import { checkEdits } from './hooks.js';
import type { ForwardOptions, HookEdit, Intervention, LanguageModel, TokenSet } from './types.js';

export type { Intervention } from './types.js';

/** One or several interventions as a list. */
export function listOf(given: Intervention | readonly Intervention[] = []): readonly Intervention[] {
  return 'edit' in given ? [given] : given;
}

/** Edits by hook, in the order given, as LanguageModel.forward and generate take them. */
export function editsOf(interventions: readonly Intervention[]): NonNullable<ForwardOptions['edits']> {
  const edits = new Map<string, HookEdit[]>();
  for (const { hook, edit } of interventions) {
    const list = edits.get(hook);
    if (list) list.push(edit);
    else edits.set(hook, [edit]);
  }
  return edits;
}

/** Looks at the tokens of a text before an intervention runs on it, and says what is to be said. */
type Look = (tokens: Int32Array) => Promise<void>;
const looks = new WeakMap<Intervention, Look>();

/** The same intervention; who runs it outside of a verb (LanguageModel.generate) looks first. */
export function looking(intervention: Intervention, look: Look): Intervention {
  looks.set(intervention, look);
  return intervention;
}

/** What interventions want looked at before they run on a text. */
export async function lookAt(interventions: readonly Intervention[], tokens: Int32Array): Promise<void> {
  for (const intervention of interventions) await looks.get(intervention)?.(tokens);
}

/** What interventions do, as shown. */
export function describeAll(interventions: readonly Intervention[]): string {
  return interventions.map((i) => i.description).join('; ') || 'no intervention';
}

/** Code version of interventions: raised when the same parameters give other activations. */
export const INTERVENTIONS_VERSION = 1;

/**
 * What interventions are, for artifact identity. Order counts at one hook alone: hooks are taken in the order in which
 * they run, so that two orders that do the same are the same artifact. Each says the version of the code that carries
 * it out.
 */
export function identityOf(model: LanguageModel, interventions: readonly Intervention[]): JsonObject[] {
  const at = (i: Intervention): number => model.hooks.indexOf(i.hook);
  return [...interventions]
    .sort((a, b) => at(a) - at(b))
    .map((i) => ({ ...i.parameters, version: INTERVENTIONS_VERSION }));
}

/**
 * Refuses interventions that cannot act as meant on a prompt (its tokens) or a token set: positions beyond the end,
 * tokens that do not occur, patterns without a match, hooks that the model lacks, interventions made for another model.
 * `added` = tokens that generation may add. Every call that runs interventions does this first.
 */
export function requireRunnable(
  model: LanguageModel,
  interventions: readonly Intervention[],
  text: Int32Array | Pick<TokenSet, 'tokens' | 'context'>,
  added = 0,
): void {
  for (const { hook } of interventions) model.hookWidth(hook);
  const [tokens, length] = text instanceof Int32Array ? [text, text.length] : [text.tokens, text.context];
  checkEdits(editsOf(interventions), { model, tokens, length, added });
}
