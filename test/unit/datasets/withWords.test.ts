/** Samples of concepts: whole words, as many for each, never cut away, padding masked, documents apart. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { cutToWord } from '#kernel/datasets/cutWords.js';
import { Dataset } from '#kernel/datasets/dataset.js';
import { sentenceAround } from '#kernel/datasets/words.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import type { Tokenizer } from '#kernel/models/types.js';
import { DISPLAY } from '#kernel/present/items.js';
import type { TableDescriptor } from '#protocol/display.js';
import type { OutputItem } from '#protocol/notebook.js';
import { generateStories } from '#kernel/synthetic/stories/generate.js';
import { shared } from '#test/kit/samples.js';

const root = resolve(import.meta.dirname, '../../..');
let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(join(root, 'examples/models/tiny-stories-1L'));
});

const dataset = (texts: readonly string[], options = {}): Dataset =>
  new Dataset('texts', texts, { source: { kind: 'texts' }, ...options });

/** Whole words, counted apart from the code under test: cut at everything that is no letter or digit. */
const wordsOf = (text: string): string[] => text.toLowerCase().split(/[^\p{L}\p{N}_]+/u);
const has = (text: string, word: string): boolean => wordsOf(text).includes(word);

const tableOf = (of: object): TableDescriptor =>
  (of as { [DISPLAY](): OutputItem[] })[DISPLAY]()[0].json as unknown as TableDescriptor;

/** The text of a sequence without padding. */
function left(set: ReturnType<Dataset['tokens']>, s: number): string {
  const { tokens, context, padding } = set;
  const ids = [...tokens.subarray(s * context, (s + 1) * context)];
  return set.tokenizer.decode(ids.filter((_, t) => !padding?.[s * context + t]));
}

describe('Dataset.withWords', () => {
  it('substring trap: of 10,000 texts, 9,091 of which hold "king" as letters, it draws from those with the word', () => {
    const filler = ['She was looking at it.', 'He kept talking and walking.', 'The kingdom was old.', 'A barking dog.'];
    const texts = Array.from({ length: 10_000 }, (_, i) =>
      i % 100 === 0 ? `One day the king ${i} came.` : i % 11 === 0 ? `No trap in ${i}.` : `${filler[i % 4]} ${i}`,
    );
    const letters = texts.filter((text) => text.includes('king')).length;
    expect(letters).toBeGreaterThan(9_000);
    const sample = dataset(texts, { context: 16 }).withWords({ words: ['king'], perWord: 20 });
    expect(sample.counts).toEqual([{ word: 'king', occurrences: 100, texts: 100, drawn: 20 }]);
    const set = sample.tokens({ tokenizer });
    expect(set.sequences).toBe(20);
    for (let s = 0; s < set.sequences; s++) expect(has(left(set, s), 'king')).toBe(true);
  });

  it.each(['text', 'sentence', 'window'] as const)(
    'balances words on what remains after cutting to a short context, by %s, and the word stays',
    (unit) => {
      const texts = generateStories({ stories: 600, seed: 4 }).map((story) => story.text);
      const words = ['king', 'queen', 'princess', 'mother', 'father', 'daughter'];
      const whole = words.map((word) => texts.filter((text) => has(text, word)).length);
      const sample = dataset(texts, { context: 20 }).withWords({ words, perWord: 8, unit, seed: 1 });
      expect(sample.counts.map(({ texts: n }) => n)).toEqual(whole);
      const { counts, sequences } = sample.drawn({ tokenizer });
      const set = sample.tokens({ tokenizer });
      expect(set.sequences).toBe(sequences.length);
      words.forEach((word, w) => {
        expect(whole[w]).toBeGreaterThan(7);
        expect(counts[w]).toMatchObject({ word, drawn: 8, sequences: 8 });
        const own = sequences.filter((each) => each.word === word);
        // Documents are kept apart: eight sequences of a word are of eight texts.
        expect(new Set(own.map(({ text }) => text)).size).toBe(8);
        for (const { sequence, text, tokens, before, as, behind } of own) {
          const rest = left(set, sequence);
          expect(has(rest, word), `${word} in ${rest}`).toBe(true);
          expect(tokenizer.encode(rest).length).toBeGreaterThan(0);
          expect(tokens).toBeLessThanOrEqual(20);
          expect(texts[text]).toContain(`${before}${as}${behind}`);
          // Nothing of another text.
          expect(texts[text]).toContain(rest.trim());
        }
        const others = sequences.filter(({ word: own, sequence }) => own !== word && has(left(set, sequence), word));
        expect(counts[w].alsoIn).toBe(others.length);
      });
      if (unit === 'text') expect(new Set(sequences.map(({ text }) => text)).size).toBe(sequences.length);
    },
  );

  it('masks all padding and nothing else, and gives the same draw for the same seed', () => {
    const texts = ['The queen left.', 'A queen and a king met by the old tree near the lake.', 'The king sat down.'];
    const draw = (seed: number) => dataset(texts, { context: 12 }).withWords({ words: ['queen', 'king'], perWord: 2, seed }); // prettier-ignore
    const [set, same] = [draw(3).tokens({ tokenizer }), draw(3).tokens({ tokenizer })];
    expect(same.id).toBe(set.id);
    expect(draw(3).tokens({ tokenizer })).not.toBe(set);
    const { sequences } = draw(3).drawn({ tokenizer });
    for (const { sequence, tokens } of sequences)
      expect([...set.padding!.subarray(12 * sequence, 12 * (sequence + 1))]).toEqual(
        Array.from({ length: 12 }, (_, t) => Number(t >= tokens)),
      );
    // Three texts for four wanted: one of the words has one less, and the table says so.
    expect(
      draw(3)
        .counts.map(({ drawn }) => drawn)
        .sort(),
    ).toEqual([1, 2]);
    const shown = tableOf(draw(3));
    expect(shown.columns.map(({ key }) => key)).toEqual(['word', 'occurrences', 'texts with it', 'drawn']);
    const { counts } = draw(3).drawn({ tokenizer });
    expect(tableOf(counts).rows[0]).toMatchObject({ word: 'queen', 'sequences with it': counts[0].sequences });
    expect(tableOf(draw(3).drawn({ tokenizer })).rows).toHaveLength(3);
  });

  it('takes units of the same characters only where there are too few others', () => {
    const texts = [...Array.from({ length: 30 }, () => 'The king sat down.'), 'A king ate.', 'Our king sang.'];
    const drawn = (perWord: number) => {
      const { sequences } = dataset(texts, { context: 8 })
        .withWords({ words: ['king'], perWord })
        .drawn({ tokenizer });
      return sequences.map(({ before, behind }) => `${before}|${behind}`);
    };
    expect(new Set(drawn(3)).size).toBe(3);
    expect(drawn(5)).toHaveLength(5);
    expect(new Set(drawn(5)).size).toBe(3);
  });

  it('finds phrases, accents and words with signs, whole, whatever their case', () => {
    const texts = [
      'Once upon a\ntime.',
      'A CAFÉ, a cafe, a cafés',
      'café (in parts)',
      "the king's gold",
      'x-ray x-rays $5 $50',
    ];
    const count = (words: string[]) =>
      dataset(texts)
        .withWords({ words, perWord: 9 })
        .counts.map(({ occurrences }) => occurrences);
    expect(count(['upon a time', 'café', 'cafe', 'king', 'x-ray', '$5'])).toEqual([1, 2, 1, 1, 1, 1]);
    const two = dataset(texts).withWords({ regex: /x-rays?|\$\d+/, perWord: 9 });
    expect(two.counts).toEqual([{ word: '/x-rays?|\\$\\d+/', occurrences: 4, texts: 1, drawn: 1 }]);
  });

  it('stops a hostile pattern, and refuses what draws nothing', () => {
    const bad = dataset([`${'a'.repeat(40)}b`]);
    expect(() => bad.withWords({ regex: /(a+)+$/, perWord: 1 })).toThrow(/the pattern "\(a\+\)\+\$" did not finish/);
    const some = dataset(['the looking glass']);
    expect(() => some.withWords({ words: ['king'], perWord: 1 })).toThrow('none of 1 texts holds king as a whole word');
    expect(() => some.withWords({ regex: /x*/, perWord: 1 })).toThrow('none of 1 texts');
    expect(() => some.withWords({ words: ['a'], regex: /a/, perWord: 1 })).toThrow('words, or a regex, and not both');
    expect(() => some.withWords({ perWord: 1 })).toThrow('words, or a regex');
    expect(() => some.withWords({ words: [' '], perWord: 1 })).toThrow('words[0] is " "; expected a word');
    expect(() => some.withWords({ words: ['glass'] } as never)).toThrow('perWord is missing');
    const sample = some.withWords({ words: ['glass'], perWord: 1 });
    expect(() => sample.with({ samples: 4 })).toThrow('has no say in a sample of words');
    expect(sample.with({ context: 9 }).tokens({ tokenizer }).context).toBe(9);
    const rows = { rows: { shape: [1, 2], data: Int32Array.of(1, 2), dtype: 'I32' }, source: {} } as never;
    expect(() => dataset([], { rows }).withWords({ words: ['a'], perWord: 1 })).toThrow('rows of token ids');
  });

  it('keeps the concepts of generated text at their words', () => {
    const stories = generateStories({ stories: 300, seed: 2 });
    const names = ['none', 'king'];
    const spans = stories.map(({ text }) =>
      Int32Array.from([...text.matchAll(/\bking\b/gi)].flatMap(({ index }) => [index, index + 4, 1])),
    );
    const texts = stories.map(({ text }) => text);
    const set = dataset(texts, { context: 12, concepts: { names, spans } })
      .withWords({ words: ['king'], perWord: 4, unit: 'window' })
      .tokens({ tokenizer });
    const marked = [...set.tokens].filter((_, t) => set.concepts!.ids[t] === 1);
    expect(marked.length).toBeGreaterThanOrEqual(4);
    for (const id of marked) expect(tokenizer.piece(id).trim()).toMatch(/^king$/i);
  });
});

describe('cutting', () => {
  it('keeps the unit where the word fits, else begins later, and gives up where the word alone is longer', () => {
    const text = `${'tree '.repeat(200)}the king sat ${'down '.repeat(50)}`;
    const start = text.indexOf('king');
    const place = { start, end: start + 4, from: 0, to: text.length };
    expect(cutToWord(text, place, 'text', tokenizer, 400)).toMatchObject({ from: 0 });
    const late = cutToWord(text, place, 'text', tokenizer, 16)!;
    expect(late.from).toBeGreaterThan(0);
    expect(late.tokens).toBeLessThanOrEqual(12);
    const window = cutToWord(text, place, 'window', tokenizer, 16)!;
    expect(window.tokens).toBeGreaterThan(6);
    expect(window.tokens).toBeLessThan(late.tokens);
    const long = { start: 0, end: text.length, from: 0, to: text.length };
    expect(cutToWord(text, long, 'text', tokenizer, 16)).toBeUndefined();
  });

  it('finds sentences by their stops, quotation marks and line breaks', () => {
    const text = 'Hi. "Where is the king?" she asked.\nHe left! Then… the king sat';
    const of = (at: number) => text.slice(...sentenceAround(text, at, at + 4));
    expect(of(text.indexOf('king'))).toBe('"Where is the king?"');
    expect(of(text.indexOf('left'))).toBe('He left!');
    expect(of(text.lastIndexOf('king'))).toBe('the king sat');
  });
});

const gpt2 = join(shared, 'gpt2');
const story = join(shared, 'tinystories-sample.txt');
const there = existsSync(gpt2) && existsSync(story);
if (!there) console.warn(`skipped: GPT-2's tokenizer and the sample of TinyStories are not at ${shared}`);

describe.skipIf(!there)('real text and GPT-2’s tokenizer', () => {
  it('draws what a count by hand finds, and every sequence holds its word', async () => {
    const real = await loadTokenizer(gpt2);
    const texts = readFileSync(story, 'utf8').split(/\n\s*\n/);
    const words = ['king', 'queen', 'princess', 'mother', 'dog'];
    const sample = dataset(texts, { context: 32 }).withWords({ words, perWord: 5, unit: 'window' });
    expect(sample.counts.map(({ texts: n }) => n)).toEqual(
      words.map((word) => texts.filter((text) => has(text, word)).length),
    );
    const set = sample.tokens({ tokenizer: real });
    for (const { word, sequence } of sample.drawn({ tokenizer: real }).sequences)
      expect(has(left(set, sequence), word)).toBe(true);
  });
});
