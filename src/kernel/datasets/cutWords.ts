/** Cutting texts to a context so that the word for which they were drawn stays in them. */
import type { TextConcepts } from '../models/datasets.js';
import type { Tokenizer } from '../models/types.js';
import type { Parsed } from '../verb/option.js';
import type { WORDS } from './dataset.js';
import { findWords, type WordPlace, type WordUnit } from './words.js';

/** Characters to a token, at most, that are looked at: longer tokens are rare, and a text may be long. */
const CHARACTERS = 64;
/** Where the word ends when a text must begin later: what follows it has the rest of the context. */
const WORD_AT = 0.75;

/** Part of a text that holds the word within its first tokens. */
export interface WordCut {
  readonly from: number;
  readonly to: number;
  /** Tokens from its beginning to the end of the word. */
  readonly tokens: number;
}

/**
 * The part of a unit whose first `content` tokens hold the word: the unit from its beginning where that is so (but for
 * a window, which has the word in its middle), else from a later white space. Undefined where the word alone is longer.
 */
export function cutToWord(
  text: string,
  { start, end, from, to }: Pick<WordPlace, 'start' | 'end' | 'from' | 'to'>,
  unit: WordUnit,
  tokenizer: Tokenizer,
  content: number,
): WordCut | undefined {
  const reach = CHARACTERS * content;
  const starts = startsBefore(text, Math.max(from, end - reach), start, from);
  const known = new Map<number, number>();
  const tokensFrom = (at: number): number => {
    if (!known.has(at)) known.set(at, tokenizer.encode(text.slice(at, end)).length);
    return known.get(at)!;
  };
  const last = starts[starts.length - 1];
  if (tokensFrom(last) > content) return undefined;
  const cut = (at: number): WordCut => ({ from: at, to: Math.min(to, end + reach), tokens: tokensFrom(at) });
  if (unit !== 'window' && starts[0] === from && tokensFrom(from) <= content) return cut(from);
  const room = unit === 'window' ? Math.ceil((content + tokensFrom(last)) / 2) : Math.floor(WORD_AT * content);
  const limit = Math.max(room, tokensFrom(last));
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tokensFrom(starts[middle]) <= limit) high = middle;
    else low = middle + 1;
  }
  return cut(starts[low]);
}

/** Where a part may begin, ascending: the unit's beginning, white space before a word, and the word itself. */
function startsBefore(text: string, low: number, start: number, from: number): number[] {
  const starts = low === from ? [from] : [];
  // The space stays with the word after it: tokenizers read " king" and "king" as different tokens.
  for (let at = Math.max(low, from + 1); at < start; at++)
    if (/\s/.test(text[at]) && !/\s/.test(text[at + 1])) starts.push(at);
  const before = starts.at(-1);
  if (before === undefined || (before < start && text.slice(before, start).trim() !== '')) starts.push(start);
  return starts;
}

/** A sequence of a sample. */
export interface WordSequence {
  readonly word: string;
  /** The word as it stands in the text. */
  readonly as: string;
  /** Number of the text. */
  readonly text: number;
  /** Number of the sequence in the token set. */
  readonly sequence: number;
  /** Tokens of text, without bos and padding. */
  readonly tokens: number;
  /** Whether the unit is there from its beginning to its end. */
  readonly whole: boolean;
  /** The text before the word, and after it, up to 40 characters each. */
  readonly before: string;
  readonly behind: string;
}

/** A sample as a tokenizer reads it. */
export interface CutSample {
  /** One for each sequence: its first tokens are the sequence. */
  readonly texts: readonly string[];
  readonly concepts: TextConcepts | undefined;
  readonly sequences: readonly WordSequence[];
  /** For each word: sequences of other words that hold it too. */
  readonly alsoIn: readonly number[];
}

const AROUND = 40;

/** Cuts every place of a draw to a context; places whose word is longer than it are left out. */
export function cutSample(
  texts: readonly string[],
  places: readonly WordPlace[],
  o: Pick<Parsed<typeof WORDS>, 'regex' | 'unit'> & {
    words: readonly string[];
    tokenizer: Tokenizer;
    content: number;
    concepts?: TextConcepts;
  },
): CutSample {
  const { words, regex, unit, tokenizer, content, concepts } = o;
  const cuts = places
    .map((place) => ({ place, cut: cutToWord(texts[place.text], place, unit, tokenizer, content) }))
    .filter((each): each is { place: WordPlace; cut: WordCut } => each.cut !== undefined);
  if (cuts.length === 0) throw new Error(`no word of the sample fits into ${content} tokens; use a longer context`);
  const cutTexts = cuts.map(({ place, cut }) => texts[place.text].slice(cut.from, cut.to));
  const left = cutTexts.map((text) => {
    const ids = tokenizer.encode(text);
    return {
      tokens: Math.min(ids.length, content),
      whole: ids.length <= content,
      text: tokenizer.decode(ids.subarray(0, content)),
    };
  });
  const sequences = cuts.map(({ place: { word, text, start, end, from, to }, cut }, sequence) => ({
    ...{ word, as: texts[text].slice(start, end), text, sequence, tokens: left[sequence].tokens },
    whole: left[sequence].whole && cut.from === from && cut.to === to,
    before: texts[text].slice(Math.max(cut.from, start - AROUND), start),
    behind: texts[text].slice(end, Math.min(to, end + AROUND)),
  }));
  const holds = new Set<string>();
  findWords(
    left.map(({ text }) => text),
    words,
    regex,
    (w, sequence) => holds.add(`${sequence} ${w}`),
  );
  return {
    texts: cutTexts,
    concepts: concepts && { names: concepts.names, spans: cuts.map(({ place, cut }) => cutSpans(concepts.spans[place.text], cut)) }, // prettier-ignore
    sequences,
    alsoIn: words.map(
      (word, w) => sequences.filter((each) => each.word !== word && holds.has(`${each.sequence} ${w}`)).length,
    ),
  };
}

/** Triples start, end, concept of a part of a text. */
function cutSpans(spans: Int32Array, { from, to }: WordCut): Int32Array {
  const inside: number[] = [];
  for (let s = 0; s < spans.length; s += 3) {
    const [start, end] = [Math.max(spans[s], from), Math.min(spans[s + 1], to)];
    if (start < end) inside.push(start - from, end - from, spans[s + 2]);
  }
  return Int32Array.from(inside);
}
