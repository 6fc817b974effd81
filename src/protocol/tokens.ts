/** Tokens as people read them. */

/** A token with its invisible characters shown: newline ↵, tab ⇥, carriage return ␍. Spaces stay. */
export function visibleToken(token: string): string {
  return token.replace(/\r/g, '␍').replace(/\n/g, '↵').replace(/\t/g, '⇥');
}

/**
 * A token that stands alone: trimmed; one of white space as its signs (␣ ↵ ⇥); one without letter or digit in quotation
 * marks, for a lone “.” is not seen; the empty one as "(empty)".
 */
export function loneToken(token: string): string {
  const text = token.trim();
  if (text !== '') return /[\p{L}\p{N}]/u.test(text) ? visibleToken(text) : `“${visibleToken(text)}”`;
  return visibleToken(token).replace(/\s/g, '␣') || '(empty)';
}

/** A feature's label as a list: its peak tokens, each once. */
export function labelTokens(label: readonly string[]): string[] {
  return [...new Set(label.map(loneToken))];
}
