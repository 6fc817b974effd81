/** Prompts as a model expects them. */
import type { Tokenizer } from './types.js';

/**
 * Token ids of a prompt, begun with the tokenizer's begin token where the tokenizer adds one and the text does not write
 * it itself. A text without tokens gives none.
 */
export function encodePrompt(tokenizer: Tokenizer, prompt: string): Int32Array {
  const ids = tokenizer.encode(prompt);
  const { addsBos, bosId } = tokenizer;
  if (!addsBos || bosId === undefined || ids.length === 0 || ids[0] === bosId) return ids;
  return Int32Array.of(bosId, ...ids);
}
