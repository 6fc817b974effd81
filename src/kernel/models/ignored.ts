/** Which positions of a token set are no text: padding, and tokens that the caller leaves out. */
import type { TokenSet } from './types.js';

/**
 * 1 where a position counts in no statistic: padding always, tokens in `ignoreTokens` (begin and end tokens, say) when
 * they are asked for; sequences × context. Undefined where every position counts. Throws on what is no id.
 */
export function ignoredPositions(
  { tokens, padding }: Pick<TokenSet, 'tokens' | 'padding'>,
  ignoreTokens: readonly number[] = [],
): Uint8Array | undefined {
  const bad = ignoreTokens.find((id) => !Number.isInteger(id) || id < 0);
  if (bad !== undefined) throw new RangeError(`ignoreTokens has ${bad}: token ids are whole numbers ≥ 0`);
  const ids = new Set(ignoreTokens);
  const out = Uint8Array.from(tokens, (id, i) => (padding?.[i] === 1 || ids.has(id) ? 1 : 0));
  return out.includes(1) ? out : undefined;
}
