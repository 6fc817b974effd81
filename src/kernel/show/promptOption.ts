/** The option by which maps and feature pages get a prompt box. */
import type { PromptMeta, Try } from '../../protocol/prompt.js';
import { value } from '../verb/option.js';
import { isThing } from './forms.js';

/** A prompt box that was shown. */
export interface ShownPrompt {
  /** Identity of what was shown. */
  readonly id: string;
  /** What was tried so far, here and in the box, the oldest first: texts, tokens, and the features on each with their activations. */
  readonly tries: readonly Try[];
  /** What maps and feature pages carry of the box. */
  readonly meta: PromptMeta;
}

/** `prompt` of maps and feature pages. */
export const PROMPT = {
  prompt: value<ShownPrompt>(
    'what fg.show.prompt returned',
    {
      doc: 'Adds its prompt box: type a text, and the features that fire on the chosen token are lit here.',
      fallback: 'no prompt box',
      identity: false,
    },
    (v) => isThing(v) && 'tries' in (v as object) && 'meta' in (v as object),
  ),
} as const;

/** What a descriptor carries of a prompt box. */
export const promptOf = (shown: ShownPrompt | undefined): { prompt?: PromptMeta } =>
  shown ? { prompt: shown.meta } : {};
