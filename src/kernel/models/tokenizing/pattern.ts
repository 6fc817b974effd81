/** Patterns of tokenizer.json, and splitting at their matches, as Hugging Face's Rust library does. */
import { SplitPreTokenizer } from '@huggingface/tokenizers';

/** Rust's \s and char::is_whitespace. JavaScript's \s has U+FEFF and lacks U+0085. */
export const SPACE = '\\p{White_Space}';
/** Rust's \w. JavaScript's is ASCII alone. */
export const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
/** ASCII punctuation and Unicode's category P. */
export const PUNCTUATION = '\\p{P}!-\\/:-@\\[-`{-~';

/** A part of a text: where it starts, where it ends, and whether the pattern matched it. */
type Span = [start: number, end: number, match: boolean];

const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type Behavior = (typeof BEHAVIORS)[number];

export function behaviorOf(value: unknown, fallback: Behavior): Behavior {
  if (value === undefined || value === null) return fallback;
  const found = BEHAVIORS.find((name) => name === value);
  if (found) return found;
  throw new Error(`tokenizer: behavior ${JSON.stringify(value)} is none of ${BEHAVIORS.join(', ')}`);
}

/** `{ String }` as it is, or `{ Regex }` in Oniguruma's syntax, which is rewritten for JavaScript. */
export function compilePattern(pattern: unknown): RegExp {
  const given = (typeof pattern === 'string' ? { String: pattern } : pattern) as { String?: unknown; Regex?: unknown };
  if (typeof given?.String !== 'string' && typeof given?.Regex !== 'string')
    throw new Error('tokenizer: a pattern is { "String": … } or { "Regex": … }');
  const compiled = new SplitPreTokenizer({
    type: 'Split',
    pattern: given as { Regex: string },
    behavior: 'Isolated',
    invert: false,
  }).pattern;
  if (!compiled) throw new Error(`tokenizer: the pattern ${JSON.stringify(pattern)} is not readable`);
  return compiled;
}

/** Pieces of a text cut at the matches of a global pattern, as [text, start]; empty ones are left out. */
export function splitAt(text: string, pattern: RegExp, behavior: Behavior, invert = false): Array<[string, number]> {
  const spans: Span[] = [];
  let at = 0;
  for (const { index, 0: match } of text.matchAll(pattern)) {
    if (at < index) spans.push([at, index, invert]);
    spans.push([index, index + match.length, !invert]);
    at = index + match.length;
  }
  if (at < text.length) spans.push([at, text.length, invert]);
  return merged(spans, behavior)
    .filter(([start, end]) => start < end)
    .map(([start, end]) => [text.slice(start, end), start]);
}

function merged(spans: Span[], behavior: Behavior): Span[] {
  switch (behavior) {
    case 'Isolated':
      return spans;
    case 'Removed':
      return spans.filter(([, , match]) => !match);
    case 'MergedWithNext':
      // The same from the right.
      return withPrevious(spans.map(([start, end, match]): Span => [-end, -start, match]).reverse())
        .reverse()
        .map(([start, end, match]) => [-end, -start, match]);
    case 'MergedWithPrevious':
      return withPrevious(spans);
    case 'Contiguous': {
      const out: Span[] = [];
      let previous = false;
      for (const span of spans) {
        if (span[2] === previous && out.length > 0) out[out.length - 1][1] = span[1];
        else out.push([...span]);
        previous = span[2];
      }
      return out;
    }
  }
}

function withPrevious(spans: Span[]): Span[] {
  const out: Span[] = [];
  let previous = false;
  for (const span of spans) {
    if (span[2] && !previous && out.length > 0) out[out.length - 1][1] = span[1];
    else out.push([...span]);
    previous = span[2];
  }
  return out;
}
