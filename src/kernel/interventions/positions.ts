/** Where in a text an intervention acts: positions by index, token, pattern over the text, or all. */
import type { JsonObject } from '../../protocol/notebook.js';
import { byType, listOf, oneForm } from '../verb/kinds.js';
import { pattern, required, whole, type Option } from '../verb/option.js';
import type { EditContext, EditedText, LanguageModel, Tokenizer } from '../models/types.js';
import { tokenChoice, tokenIds, type TokenChoice } from './probe.js';

/**
 * Positions of a text, from 0; negative ones count from the end of what the model sees at that moment, so that while
 * generating −1 is the newest token at every step, as 'last' is.
 *
 * - 'all', or 'last'
 * - an index, or several
 * - { from, to }: from an index to another, both included; either may be left out
 * - { token }: where a token stands, by its text (" king", exactly one token) or id, or one of several
 * - { regex }: every token that a match over the decoded text touches
 */
export type Positions =
  | 'all'
  | 'last'
  | number
  | readonly number[]
  | {
      /** First position, default 0. */
      from?: number;
      /** Last position, included; default the end. */
      to?: number;
    }
  | {
      /** Token by text or id; of several, each. */
      token: TokenChoice;
    }
  | {
      /** Pattern over the decoded text; all matches count, whether or not it has the flag g. */
      regex: RegExp | string;
    };

const at = (doc: string) => whole({ doc });
const POSITION_FORMS = "'all' or 'last', an index or several, { from, to }, { token } or { regex }";

/** Positions as cells give them. */
export const placesOption = (words: { doc: string; fallback?: string }): Option<Positions> =>
  byType(
    {
      texts: ['all', 'last'],
      number: at('A position.'),
      array: listOf(at('A position.'), 1),
      object: oneForm(
        [
          { from: at('First position.'), to: at('Last position, included.') },
          { token: required(tokenChoice('Where a token stands.')) },
          {
            regex: required(
              byType(
                { texts: 'any', pattern: pattern(/\bqueen\b/, { doc: '' }) },
                { doc: 'Pattern over the decoded text.', expected: 'a regular expression such as /\\bqueen\\b/' },
              ),
            ),
          },
        ],
        { doc: '', expected: POSITION_FORMS, otherwise: 'make two interventions' },
      ),
    },
    { ...words, expected: POSITION_FORMS },
  );

/** Parsed positions: how to find them in a text, how to describe them, and their identity. */
export interface Selector {
  /** As shown: "at all positions". */
  readonly where: string;
  /** For artifact identity. */
  readonly parameters: JsonObject | string | number[];
  /**
   * Ascending positions (indices given by hand in the order given) in one sequence of T tokens; `offset` is the
   * position in the text of its first token, and positions that are not in the window are left out.
   */
  find(ids: Int32Array, offset: number): number[];
  /**
   * The same with −1 for positions that are not in the window, so that the places of two lists stay paired: those that
   * the model no longer sees, and indices that generation has yet to reach.
   */
  slots(ids: Int32Array, offset: number): number[];
  /** Refuses a text that has no such positions, by name. */
  check(text: EditedText): void;
  /** 'all' and { from, to }: how many there are follows from the text, so two lists may differ in length. */
  readonly open: boolean;
}

/** @throws RangeError for a range that is empty in every text, and for an empty pattern; Error for no single token */
export function selectorOf(model: LanguageModel, positions: Positions = 'all'): Selector {
  if (positions === 'all')
    return {
      where: 'at all positions',
      parameters: 'all',
      open: true,
      find: (ids) => Array.from(ids.keys()),
      slots: (ids, offset) => [...gone(offset), ...ids.keys()],
      check: requireTokens,
    };
  if (positions === 'last')
    return {
      where: 'at the last position',
      parameters: 'last',
      open: false,
      find: (ids) => [ids.length - 1],
      slots: (ids) => [ids.length - 1],
      check: requireTokens,
    };
  if (typeof positions === 'number' || Array.isArray(positions))
    return byIndex(typeof positions === 'number' ? [positions] : (positions as readonly number[]));
  if ('token' in positions) return byToken(model, positions.token);
  if ('regex' in positions) return byPattern(model.tokenizer, positions.regex);
  return byRange(positions as { from?: number; to?: number });
}

/** Places that the model no longer sees. */
const gone = (count: number): number[] => Array.from({ length: Math.max(0, count) }, () => -1);

function requireTokens(text: EditedText): void {
  if (text.length < 1) throw new RangeError('the text has no tokens; give one with at least one');
}

/** Refuses an index outside a text; generation may reach what lies beyond the prompt. */
function requireInside(position: number, text: EditedText): void {
  const { length, added = 0 } = text;
  const reach = length + added;
  if (position < 0 ? position >= -length : position < reach) return;
  throw new RangeError(
    `position ${position} is outside a text of ${length} tokens${added > 0 ? ` and ${added} generated ones` : ''} (0 to ${reach - 1}, or −1 to −${length} from the end)`,
  );
}

function byIndex(positions: readonly number[]): Selector {
  const list = [...positions];
  const slots = (ids: Int32Array, offset: number): number[] => {
    const found = list.map((p) => (p < 0 ? ids.length + p : p - offset));
    return found.map((t) => (t >= 0 && t < ids.length ? t : -1));
  };
  return {
    where: list.length === 1 ? `at position ${list[0]}` : `at positions ${list.join(', ')}`,
    parameters: list,
    open: false,
    slots,
    find: (ids, offset) => [...new Set(slots(ids, offset))].filter((t) => t >= 0),
    check: (text) => list.forEach((p) => requireInside(p, text)),
  };
}

function byRange({ from = 0, to }: { from?: number; to?: number }): Selector {
  if (to !== undefined && from < 0 === to < 0 && from > to)
    throw new RangeError(`positions from ${from} to ${to} are none: from comes first`);
  const place = (p: number, ids: Int32Array, offset: number): number => (p < 0 ? ids.length + p : p - offset);
  const find = (ids: Int32Array, offset: number): number[] => {
    const first = Math.max(0, place(from, ids, offset));
    const last = Math.min(ids.length - 1, to === undefined ? Infinity : place(to, ids, offset));
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  };
  return {
    where: `at positions ${from} to ${to ?? 'the end'}`,
    parameters: to === undefined ? { from } : { from, to },
    open: true,
    find,
    slots: (ids, offset) => [...gone(-place(from, ids, offset)), ...find(ids, offset)],
    check(text) {
      requireInside(from, text);
      if (to !== undefined) requireInside(to, text);
      if (!text.added && find(text.tokens.subarray(0, text.length), 0).length === 0)
        throw new RangeError(`positions from ${from} to ${to} are none in a text of ${text.length} tokens`);
    },
  };
}

function byToken(model: LanguageModel, token: TokenChoice): Selector {
  const ids = [...new Set(tokenIds(model, token))].sort((a, b) => a - b);
  const wanted = new Set(ids);
  const name = ids.map((id) => JSON.stringify(model.tokenizer.piece(id))).join(' or ');
  const find = (tokens: Int32Array): number[] => Array.from(tokens.keys()).filter((t) => wanted.has(tokens[t]));
  return {
    where: `at ${name}`,
    parameters: { token: ids },
    open: false,
    find,
    slots: find,
    check({ tokens }) {
      if (tokens.some((id) => wanted.has(id))) return;
      throw new RangeError(`the token ${name} does not occur in ${excerpt(model.tokenizer, tokens)}`);
    },
  };
}

function byPattern(tokenizer: Tokenizer, given: RegExp | string): Selector {
  const source = typeof given === 'string' ? given : given.source;
  const flags = typeof given === 'string' ? '' : given.flags.replace(/[gy]/g, '');
  if (source === '' || source === '(?:)')
    throw new RangeError("an empty pattern says no positions; for every position give 'all'");
  const pattern = new RegExp(source, `${flags}g`);
  const shown = `/${source}/${flags}`;
  const find = (ids: Int32Array): number[] => touched(tokenizer, ids, pattern);
  return {
    where: `at tokens that match ${shown}`,
    parameters: { regex: source, flags: [...flags].sort().join('') },
    open: false,
    find,
    slots: find,
    check({ tokens, length }) {
      for (let at = 0; at < tokens.length; at += length) if (find(tokens.subarray(at, at + length)).length > 0) return;
      throw new RangeError(
        `${shown} matches nothing in ${excerpt(tokenizer, tokens)}; give a pattern or a text where it does`,
      );
    },
  };
}

/** Positions whose part of the decoded text a match overlaps. */
function touched(tokenizer: Tokenizer, ids: Int32Array, pattern: RegExp): number[] {
  const { text, spans } = decodedSpans(tokenizer, ids);
  const found = new Set<number>();
  for (const match of text.matchAll(pattern)) {
    const [from, to] = [match.index, match.index + match[0].length];
    for (let t = 0; t < ids.length; t++) if (spans[2 * t] < to && spans[2 * t + 1] > from) found.add(t);
  }
  return [...found].sort((a, b) => a - b);
}

/**
 * The decoded text and each token's part of it, [2 × T]: from, to. Tokens that are parts of one character all stand for
 * the whole character.
 */
export function decodedSpans(tokenizer: Tokenizer, ids: Int32Array): { text: string; spans: Uint32Array } {
  const text = tokenizer.decode(ids);
  const pieces = Array.from(ids, (id) => tokenizer.piece(id));
  const spans = new Uint32Array(2 * ids.length);
  // Usual: the pieces lie end to end.
  if (pieces.join('') === text) {
    let at = 0;
    pieces.forEach((piece, t) => {
      spans[2 * t] = at;
      spans[2 * t + 1] = at += piece.length;
    });
    return { text, spans };
  }
  const ends = Array.from(ids, (_, t) => agreement(tokenizer.decode(ids.subarray(0, t + 1)), text));
  if (ends.length > 0) ends[ends.length - 1] = text.length;
  for (let t = 0; t < ids.length; t++) {
    const start = t === 0 ? 0 : ends[t - 1];
    spans[2 * t] = start;
    spans[2 * t + 1] = ends.find((end, u) => u >= t && end > start) ?? text.length;
  }
  return { text, spans };
}

/** Characters that two texts begin with in common. */
function agreement(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

function excerpt(tokenizer: Tokenizer, tokens: Int32Array): string {
  const shown = JSON.stringify(tokenizer.decode(tokens.subarray(0, 40)));
  return tokens.length > 40 ? `${shown}… (${tokens.length.toLocaleString('en')} tokens)` : shown;
}

/** Rows b·T + t of a pass that the selector picks, sequence by sequence. */
export function rowsOf(selector: Selector, context: EditContext): Int32Array {
  const { tokens, batch, time, offset } = context;
  const rows: number[] = [];
  for (let b = 0; b < batch; b++)
    for (const t of selector.find(tokens.subarray(b * time, (b + 1) * time), offset)) rows.push(b * time + t);
  return Int32Array.from(rows);
}
