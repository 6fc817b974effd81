/**
 * What passes over the same tokens share: all that runs before the first hook that is changed is the same in each, to
 * the last bit. One pass captures it, the others take it as `known` (ForwardOptions) in place of computing it.
 */
import { minOf } from '../../protocol/lists.js';
import type { LanguageModel } from './types.js';

/**
 * Hooks whose activations spare a later pass the work before the first of `changed`, empty where nothing can be spared:
 * the input of that hook's block, and what its attention and MLP wrote as far as they run before the hook. `read` are
 * hooks that the later pass captures: with one before the change nothing is spared, since known activations are not
 * computed on the way to it.
 */
export function knownHooks(
  model: Pick<LanguageModel, 'hooks' | 'config'>,
  changed: Iterable<string>,
  read: Iterable<string> = [],
): string[] {
  const order = (hook: string): number => model.hooks.indexOf(hook);
  const first = minOf(Array.from(changed, order));
  if (!Number.isFinite(first) || Array.from(read).some((hook) => order(hook) < first)) return [];
  const block = /^(blocks\.\d+)\./.exec(model.hooks[first])?.[1];
  const isBehind = model.hooks[first].startsWith('ln_final.');
  if (!block && !isBehind) return [];
  const at = block ?? `blocks.${model.config.layers - 1}`;
  const spared = [`${at}.hook_attn_out`, `${at}.hook_mlp_out`].filter((hook) => order(hook) <= first);
  return [`${at}.hook_resid_pre`, ...spared].filter((hook) => model.hooks.includes(hook));
}
