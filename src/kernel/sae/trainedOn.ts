/** Which tokens an SAE was trained on, where its file says so: SAELens's fields, kept as metadata. */
import type { SaeConfig } from './types.js';

/** What to do so that an SAE meets the tokens that it knows; undefined where its file says nothing of it. */
export function trainedOnText({ metadata }: Pick<SaeConfig, 'metadata'>): string | undefined {
  const { exclude_special_tokens: excluded, seqpos_slice: slice, prepend_bos: bos } = metadata;
  const said: string[] = [];
  if (excluded === true || (Array.isArray(excluded) && excluded.length > 0)) {
    const ids = Array.isArray(excluded) ? `[${excluded.map(String).join(', ')}]` : 'their ids';
    said.push(
      `without special tokens (exclude_special_tokens): give { ignoreTokens: ${ids} } where you save or evaluate`,
    );
  }
  if (Array.isArray(slice) && slice.some((bound) => bound !== null && bound !== 0))
    said.push(
      `on positions ${slice.map((bound) => (bound === null ? '' : String(bound))).join(':')} of each text alone (seqpos_slice): figures over all positions differ`,
    );
  if (bos === true) said.push('on texts that begin with bos (prepend_bos): load data with { bos: true }');
  if (bos === false) said.push('on texts without bos (prepend_bos): load data with { bos: false }');
  return said.length > 0 ? `by its file this SAE was trained ${said.join('; ')}` : undefined;
}
