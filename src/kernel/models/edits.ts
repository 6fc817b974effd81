/** Named changes to activations, in the form in which every room that runs a model takes them. */
import type { JsonObject } from '../../protocol/notebook.js';
import { checkEdits } from './hooks.js';
import type { ForwardOptions, HookEdit, LanguageModel, TokenSet } from './types.js';

export interface Intervention {
  /** TransformerLens hook name at which `edit` acts. */
  readonly hook: string;
  /** For people: "steer blocks.0.hook_mlp_out by 4 × feature 12 of …". */
  readonly description: string;
  /** For artifact identity. */
  readonly parameters: JsonObject;
  /** What LanguageModel.forward and generate take in `edits`. */
  readonly edit: HookEdit;
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

/** What interventions do, for people. */
export function describeAll(interventions: readonly Intervention[]): string {
  return interventions.map((i) => i.description).join('; ') || 'no intervention';
}

/**
 * What interventions are, for artifact identity. Order counts at one hook alone: hooks are taken in the order in which they
 * run, so that two orders that do the same are the same artifact.
 */
export function identityOf(model: LanguageModel, interventions: readonly Intervention[]): JsonObject[] {
  const at = (i: Intervention): number => model.hooks.indexOf(i.hook);
  return [...interventions].sort((a, b) => at(a) - at(b)).map((i) => i.parameters);
}

/**
 * Refuses interventions that cannot act as meant on a prompt (its tokens) or a token set: positions beyond the end, tokens
 * that do not occur, patterns without a match, hooks that the model lacks, interventions made for another model.
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
