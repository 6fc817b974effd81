/** Where whole words stand in texts, and a draw of as many places for each of them. */
import { Random } from '../compute/random.js';
import { PatternGuard } from '../models/tokenizerGuard.js';
import type { Parsed } from '../verb/option.js';
import type { WORDS } from './dataset.js';

/** What a sequence is of. */
export type WordUnit = Parsed<typeof WORDS>['unit'];

/** A place where a word stands; offsets are UTF-16. */
export interface WordPlace {
  /** The word as it was asked for. */
  readonly word: string;
  /** Number of the text. */
  readonly text: number;
  /** The word's own characters. */
  readonly start: number;
  readonly end: number;
  /** Characters of the unit around it. */
  readonly from: number;
  readonly to: number;
}

/** What was found of a word, and how much of it was drawn. */
export interface WordCount {
  readonly word: string;
  /** Whole-word occurrences in all texts. */
  readonly occurrences: number;
  /** Texts with one. */
  readonly texts: number;
  /** Units drawn, `perWord` unless there are fewer. */
  readonly drawn: number;
}

/** Finds one word, phrase or pattern in a text: start and end of every place, in order. */
export interface WordFinder {
  readonly word: string;
  find(text: string): ReadonlyArray<readonly [start: number, end: number]>;
}

/** A character of a word: a search for "king" must not find "looking" or "kingdom". */
const LETTER = '[\\p{L}\\p{M}\\p{N}_]';
const RUN = new RegExp(`${LETTER}+`, 'gu');

const key = (word: string): string => word.normalize('NFC').toLowerCase();

/** A phrase, or a word with signs in it; boundaries at the ends that are letters. */
function phrasePattern(phrase: string): RegExp {
  const escaped = phrase
    .trim()
    .replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    .replace(/\s+/g, '\\s+');
  const isLetter = (character: string): boolean => new RegExp(`^${LETTER}$`, 'u').test(character);
  const [first, last] = [[...phrase.trim()][0], [...phrase.trim()].at(-1)!];
  const before = isLetter(first) ? `(?<!${LETTER})` : '';
  const behind = isLetter(last) ? `(?!${LETTER})` : `(?!\\p{M})`;
  return new RegExp(`${before}${escaped}${behind}`, 'giu');
}

/** Runs of letters. By exec: matchAll takes four times as long, and texts are many. */
function* runsOf(text: string): Generator<readonly [start: number, end: number]> {
  RUN.lastIndex = 0;
  for (let match = RUN.exec(text); match; match = RUN.exec(text)) {
    const end = match.index + match[0].length;
    yield [match.index, end];
    // The caller may have searched another text with RUN since the last item.
    RUN.lastIndex = end;
  }
}

function matches(pattern: RegExp, text: string): Array<readonly [number, number]> {
  const found: Array<readonly [number, number]> = [];
  // What matches nothing is no place.
  for (const match of text.matchAll(pattern)) if (match[0] !== '') found.push([match.index, match.index + match[0].length]); // prettier-ignore
  return found;
}

/** Characters that a pattern of a cell is tried on at once. */
const BATCH = 20_000;

/** Calls `each` with the places of every word in every text, texts in order. @throws when a pattern does not end */
export function findWords(
  texts: readonly string[],
  words: readonly string[],
  pattern: RegExp | undefined,
  each: (word: number, text: number, start: number, end: number) => void,
): void {
  if (pattern) return findPattern(texts, pattern, (text, start, end) => each(0, text, start, end));
  const single = new Map<string, number>();
  const phrases: Array<readonly [number, RegExp]> = [];
  words.forEach((word, w) => {
    const letters = word.trim().match(RUN);
    if (letters?.length === 1 && letters[0] === word.trim()) single.set(key(word.trim()), w);
    else phrases.push([w, phrasePattern(word)]);
  });
  for (const [t, text] of texts.entries()) {
    if (single.size > 0)
      for (const [start, end] of runsOf(text)) {
        const run = text.slice(start, end);
        const w = single.get(run) ?? single.get(key(run));
        if (w !== undefined) each(w, t, start, end);
      }
    for (const [w, phrase] of phrases) for (const [start, end] of matches(phrase, text)) each(w, t, start, end);
  }
}

function findPattern(
  texts: readonly string[],
  { source, flags }: RegExp,
  each: (text: number, start: number, end: number) => void,
): void {
  // A copy that finds every match: with "g", and without "y", which would stop at the first place without one.
  const own = new RegExp(source, `${flags.replace(/[gy]/g, '')}g`);
  const guard = new PatternGuard([source], {
    whose: 'the pattern',
    instead: 'Write it without a repetition inside a repetition',
    msPerCharacter: 0.01,
  });
  for (let from = 0; from < texts.length;) {
    let to = from;
    let characters = 0;
    while (to < texts.length && (to === from || characters + texts[to].length <= BATCH))
      characters += texts[to++].length;
    const found = guard.run(characters, () => texts.slice(from, to).map((text) => matches(own, text)));
    found.forEach((places, i) => places.forEach(([start, end]) => each(from + i, start, end)));
    from = to;
  }
}

/** Characters that are looked at for the end of a sentence. */
const LONGEST_SENTENCE = 2_000;
const SENTENCE_END = /[.!?…]+["'”’)\]]*(?=\s)|\n/g;

/** The sentence around a place: up to a full stop, question or exclamation mark before white space, or a line break. */
export function sentenceAround(text: string, start: number, end: number): readonly [from: number, to: number] {
  const low = Math.max(0, start - LONGEST_SENTENCE);
  let from = low;
  for (const match of text.slice(low, start).matchAll(SENTENCE_END)) from = low + match.index + match[0].length;
  while (from < start && /\s/.test(text[from])) from++;
  const rest = text.slice(end, end + LONGEST_SENTENCE);
  SENTENCE_END.lastIndex = 0;
  const stop = SENTENCE_END.exec(rest);
  SENTENCE_END.lastIndex = 0;
  return [from, stop ? end + stop.index + stop[0].trimEnd().length : end + rest.length];
}

/** A draw: the places in the order of the words, and what each word's were drawn from. */
export interface WordDraw {
  readonly places: readonly WordPlace[];
  readonly counts: readonly WordCount[];
}

/**
 * Draws up to `perWord` units for each word: of a text at most one for a word, chosen evenly among its places there,
 * and no unit twice; units of the same characters only where there are too few others. Rare words choose first, so that
 * frequent ones do not take their texts.
 */
export function drawWords(
  texts: readonly string[],
  words: readonly string[],
  pattern: RegExp | undefined,
  { perWord, unit, seed }: Pick<Parsed<typeof WORDS>, 'perWord' | 'unit' | 'seed'>,
): WordDraw {
  const random = new Random(seed).fork('words');
  const found = words.map((word) => ({
    ...{ word, occurrences: 0, inText: 0, random: random.fork(`places of ${word}`) },
    places: [] as Array<{ text: number; start: number; end: number }>,
  }));
  findWords(texts, words, pattern, (w, text, start, end) => {
    const of = found[w];
    of.occurrences++;
    if (of.places.at(-1)?.text !== text) {
      of.places.push({ text, start, end });
      of.inText = 1;
    } else if (of.random.int(++of.inText) === 0) Object.assign(of.places.at(-1)!, { start, end });
  });
  const used = new Set<string>();
  const drawn = new Map<string, WordPlace[]>();
  const rarest = [...found].sort((x, y) => x.places.length - y.places.length);
  for (const { word, places } of rarest) {
    const own: WordPlace[] = [];
    const seen = new Set<string>();
    const order = random.fork(`order of ${word}`).permutation(places.length);
    // Units of the same characters come last: twenty copies of one sentence are one example.
    for (const repeats of [false, true])
      for (const i of order) {
        if (own.length === perWord) break;
        const { text, start, end } = places[i];
        const [from, to] = unit === 'sentence' ? sentenceAround(texts[text], start, end) : [0, texts[text].length];
        const name = `${text}:${from}`;
        const says = texts[text].slice(from, to).trim();
        if (used.has(name) || (!repeats && seen.has(says))) continue;
        used.add(name);
        seen.add(says);
        own.push({ word, text, start, end, from, to });
      }
    drawn.set(word, own);
  }
  return {
    places: words.flatMap((word) => drawn.get(word)!),
    counts: found.map(({ word, occurrences, places }) => ({
      ...{ word, occurrences, texts: places.length },
      drawn: drawn.get(word)!.length,
    })),
  };
}
