import { describe, expect, it } from 'vitest';
import { generateStories, STORY_CONCEPTS, type Story } from '#kernel/synthetic/stories/generate.js';
import { END_OF_TEXT, trainTokenizerJson } from '#kernel/synthetic/stories/tokenizer.js';

const stories = generateStories({ stories: 400, seed: 5 });

function spansOf(story: Story): Array<{ text: string; concept: string }> {
  const out = [];
  for (let s = 0; s < story.spans.length; s += 3)
    out.push({
      text: story.text.slice(story.spans[s], story.spans[s + 1]),
      concept: STORY_CONCEPTS[story.spans[s + 2]],
    });
  return out;
}

describe('stories', () => {
  it('are the same for the same seed, and more stories extend fewer', () => {
    expect(generateStories({ stories: 20, seed: 5 })).toEqual(stories.slice(0, 20));
    expect(generateStories({ stories: 1, seed: 6 })[0].text).not.toBe(stories[0].text);
  });

  it('use a few thousand words', () => {
    const words = new Set(
      generateStories({ stories: 4000, seed: 1 }).flatMap((s) => s.text.match(/[A-Za-z']+/g) ?? []),
    );
    expect(words.size).toBeGreaterThan(2500);
  });

  it('leave no slot unfilled and no template syntax behind', () => {
    for (const { text } of stories) expect(text).not.toMatch(/[{}*]|undefined/);
  });

  it('give ascending spans that cover whole words', () => {
    for (const story of stories)
      for (let s = 0, end = 0; s < story.spans.length; s += 3) {
        expect(story.spans[s]).toBeGreaterThanOrEqual(end);
        end = story.spans[s + 1];
        expect(end).toBeGreaterThan(story.spans[s]);
        expect(story.text[story.spans[s]]).not.toBe(' ');
      }
  });

  it('name the concepts of the experiments', () => {
    const found = new Map(stories.flatMap(spansOf).map((span) => [span.text.toLowerCase(), span.concept]));
    const expected = {
      king: 'royalty',
      princess: 'royalty',
      mother: 'family',
      daughter: 'family',
      she: 'female pronoun',
      he: 'male pronoun',
      once: 'opening',
      years: 'time',
      dragon: 'creature',
      monday: 'weekday',
      july: 'month',
      '.': 'punctuation',
    };
    for (const [word, concept] of Object.entries(expected)) expect(found.get(word), word).toBe(concept);
  });

  it('keep pronouns in agreement with the hero: a girl is never "he was" right after her name', () => {
    for (const { text } of stories) {
      const hero = /(?:girl|boy) (?:named|called) ([A-Z][a-z]+)/.exec(text);
      if (!hero) continue;
      const girl = hero[0].startsWith('girl');
      for (const [, pronoun] of text.matchAll(new RegExp(`${hero[1]} wished (he|she) could`, 'g')))
        expect(pronoun).toBe(girl ? 'she' : 'he');
    }
  });

  it('count right: one given away leaves one less', () => {
    const words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
    let seen = 0;
    for (const { text } of generateStories({ stories: 2000, seed: 9 }))
      for (const [, before, after] of text.matchAll(
        /There were (\w+) [a-z]+ in the [a-z]+, and one ran away, so there were (\w+)\./g,
      )) {
        expect(words.indexOf(after)).toBe(words.indexOf(before) - 1);
        seen++;
      }
    expect(seen).toBeGreaterThan(20);
  });

  it('use "an" before a vowel and "a" before a consonant', () => {
    for (const { text } of stories) {
      expect(text).not.toMatch(/\b[Aa] [aeio]/);
      expect(text).not.toMatch(/\b[Aa]n [bcdfgklmnpqrstvwxz]/);
    }
  });
});

describe('story tokenizer', () => {
  const texts = stories.map((story) => story.text);
  const json = trainTokenizerJson(texts, 1000) as { model: { vocab: Record<string, number>; merges: string[] } };

  it('has the size asked for, ids without gaps, end-of-text last', () => {
    const ids = Object.values(json.model.vocab).sort((a, b) => a - b);
    expect(ids).toHaveLength(1000);
    expect(ids).toEqual(ids.map((_, i) => i));
    expect(json.model.vocab[END_OF_TEXT]).toBe(999);
  });

  it('merges the most frequent pair first, whatever the order of the texts', () => {
    expect(trainTokenizerJson([...texts].reverse(), 1000)).toEqual(json);
    expect((trainTokenizerJson(['aa aa ab'], 258) as typeof json).model.merges).toEqual(['a a']);
  });

  it('stops when every word is one token, and refuses fewer tokens than bytes', () => {
    expect((trainTokenizerJson(['ab'], 1000) as typeof json).model.merges).toEqual(['a b']);
    expect(() => trainTokenizerJson(texts, 200)).toThrow('at least 257 tokens but 200');
  });
});
