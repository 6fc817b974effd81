/** Tokens as people read them. */

/** A token with its invisible characters shown: newline ↵, tab ⇥, carriage return ␍. Spaces stay. */
export function visibleToken(token: string): string {
  return token.replace(/\r/g, '␍').replace(/\n/g, '↵').replace(/\t/g, '⇥');
}

/**
 * A token that stands alone: trimmed; one of white space as its signs (␣ ↵ ⇥); one without letter or digit in quotation
 * marks, since a lone “.” is easily missed; the empty one as "(empty)".
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

/** Spaces trimmed, lower case, Unicode NFKC: spellings of one word are equal. A token of spaces alone stays what it is. */
export function normalizeToken(token: string): string {
  return token.trim() === '' ? token : token.trim().normalize('NFKC').toLowerCase();
}

const SPECIAL =
  /^(<\|.*\|>|\|(bos|eos|pad)\||<\/?(s|bos|eos|pad|unk|cls|sep|mask)>|<(start|end)_of_turn>|\[(CLS|SEP|PAD|MASK|UNK|BOS|EOS)\])?$/su;

/** Whether a token marks the begin, end or padding of a text, by how tokenizers write these; the empty token is one. */
export function isSpecialToken(token: string): boolean {
  return SPECIAL.test(token.trim() === '' && token !== '' ? ' ' : token.trim());
}

/**
 * Whether a token holds punctuation, symbols or white space and nothing else. Special tokens are not punctuation, nor is
 * U+FFFD, as which a part of a character is written.
 */
export function isPunctuation(token: string): boolean {
  return !isSpecialToken(token) && !token.includes('\uFFFD') && /^[\p{P}\p{S}\s]+$/u.test(token);
}

/** A token and its share of a sum, 0 to 1. */
export interface TokenShare {
  token: string;
  share: number;
}

/** What a feature is called: the tokens that hold its activation, and those of its highest activations. */
export interface FeatureLabel {
  /**
   * Tokens by share of the feature's activation mass (the sum of its activations), largest first; spellings of one word
   * are one, written as the heaviest. [] for a dead feature.
   */
  tokens: TokenShare[];
  /** Peak tokens of its five largest activations in different contexts, best first, repeats kept: the published rule. */
  peaks: string[];
}

/** A label as it is kept: with shares, or words alone: the peak tokens (of older versions), or a text. */
export type PointLabel = FeatureLabel | readonly string[];

const isList = (label: PointLabel): label is readonly string[] => Array.isArray(label);

/** The words of a label, as it is searched and compared. */
export function labelWords(label: PointLabel): readonly string[] {
  return isList(label) ? label : label.tokens.map(({ token }) => token);
}

/** A share such as 0.714 as "71 %", small ones as "0.4 %" and "<0.1 %". */
export function shareText(share: number): string {
  const percent = 100 * share;
  if (percent >= 9.95) return `${Math.round(percent)} %`;
  return percent < 0.05 ? '<0.1 %' : `${Number(percent.toFixed(1))} %`;
}

/** Tokens with their shares as shown: `the 97 %, a 2 %`. */
export function sharesText(tokens: readonly TokenShare[]): string {
  return tokens.map(({ token, share }) => `${loneToken(token)} ${shareText(share)}`).join(', ');
}

/** A label in one line: tokens with their shares where it has them; "" for the label of a dead feature. */
export function labelLine(label: PointLabel): string {
  return isList(label) ? labelTokens(label).join(', ') : sharesText(label.tokens);
}
