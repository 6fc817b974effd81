import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DISPLAY, type Displayed } from '#kernel/present/items.js';
import type { Dataset } from '#kernel/datasets/dataset.js';
import type { LanguageModel, Tokenizer } from '#kernel/models/types.js';
import { generateStories, STORY_CONCEPTS } from '#kernel/synthetic/stories/generate.js';
import { letters, tokenizer } from '#test/kit/model.js';
import { freshFg, lmA, lmB, texts } from '#test/kit/fg.js';
import { testFolder } from '#test/kit/folder.js';

const world = freshFg();

const reader = (own: Tokenizer): Pick<LanguageModel, 'tokenizer'> => ({ tokenizer: own });

describe('a dataset', () => {
  it('is tokenized once per tokenizer, whatever the model', () => {
    let calls = 0;
    const counted = { ...tokenizer, encode: (text: string) => (calls++, tokenizer.encode(text)) };
    const data = world.fg.datasets.fromTexts(texts, { context: 8 });
    expect(calls).toBe(0);
    const first = data.tokens(reader(counted));
    expect(calls).toBe(texts.length);
    expect(data.tokens(reader({ ...counted }))).toBe(first);
    expect(calls).toBe(texts.length);
    expect(data.tokens(lmA)).toBe(data.tokens(lmB));
    expect(data.tokens(reader(letters))).not.toBe(first);
    expect(data.tokens(reader(letters)).tokenizer.id).toBe('letters');
  });

  it('is cut as its options say; with() changes only what it is given', () => {
    const data = world.fg.datasets.fromTexts(['abc', 'de', 'fghi'], { context: 3, separator: 'none' });
    const of = (d: typeof data): string => letters.decode(d.tokens(reader(letters)).tokens);
    expect(of(data)).toBe('abcdefghi');
    expect(of(data.with({ samples: 2 }))).toBe('abcdef');
    expect(of(data.with({ pack: 'each' }))).toBe('abcfgh');
    expect(of(data.with({ bos: true, samples: 1 }))).toBe('\u0001ab');
    expect(of(data.with({ separator: 'eos' }))).toBe('abc\u0000de\u0000fghi\u0000');
    expect(() => data.with({ samples: 9 }).tokens(reader(letters))).toThrow('3 sequences of 3 tokens');
    expect(data.with({ samples: 2, context: 4 }).toString()).toBe(
      'Dataset texts: 3 texts, sequences of 4 tokens, 2 samples',
    );
  });

  it('is shown as one line, not as its texts', () => {
    const data = world.fg.datasets.fromTexts(texts, { name: 'numbers' }) as unknown as Displayed<object>;
    expect(data[DISPLAY]()).toEqual([
      { mime: 'text/plain', text: ['Dataset numbers: 40 texts, sequences of 128 tokens'] },
    ]);
  });

  it('of a .txt file is one text, or parts at a separator; the token separator is another thing', async () => {
    const folder = testFolder('texts');
    const file = path.join(folder, 'a.txt');
    fs.writeFileSync(file, 'one\n\ntwo\n\n\nthree<|end|>four');
    const { datasets } = world.fg;
    expect((await datasets.load(file)).texts).toHaveLength(1);
    expect((await datasets.load(file, { splitAt: 'blank-lines' })).texts).toEqual(['one', 'two', 'three<|end|>four']);
    expect((await datasets.load(file, { splitAt: '<|end|>', separator: 'none' })).texts).toHaveLength(2);
    const few = await datasets.load(file, { splitAt: 'blank-lines', limit: 2, separator: 'none', context: 6 });
    expect(letters.decode(few.tokens(reader(letters)).tokens)).toBe('onetwo');
    await expect(datasets.load(path.join(folder, 'b.txt'))).rejects.toThrow('b.txt');
  });

  it('of texts that are no texts is refused, and so is one that was not awaited', async () => {
    const { datasets, activations } = world.fg;
    expect(() => datasets.fromTexts('one' as unknown as string[])).toThrow('array of texts but got string');
    expect(() => datasets.fromTexts(['one', 2 as unknown as string])).toThrow('item 1 is number');
    const promise = Promise.resolve(datasets.fromTexts(texts));
    await expect(activations.save(lmA, {} as never, promise as never)).rejects.toThrow(
      'data is a promise: write "await" before the call that made it',
    );
    await expect(activations.save(undefined as never, {} as never, {} as never)).rejects.toThrow('model is undefined');
  });
});

describe('datasets of stories', () => {
  const stories = (options: object): Dataset => world.fg.datasets.stories(options);

  it('are the texts of their seed, and their tokens have the concepts of their words', () => {
    const made = stories({ stories: 3, seed: 1, context: 16 });
    const generated = generateStories({ stories: 3, seed: 1 });
    expect(made.texts).toEqual(generated.map((story) => story.text));
    expect(stories({ stories: 3, seed: 2 }).texts).not.toEqual(made.texts);
    const { tokens, concepts } = made.tokens(reader(letters));
    const [{ text, spans }] = generated;
    expect(letters.decode(tokens)).toContain(text);
    expect(concepts!.names).toEqual(STORY_CONCEPTS);
    for (let i = 0; i < spans.length; i += 3) expect(concepts!.ids[spans[i]]).toBe(spans[i + 2]);
  });

  it('refuse a number that is none', () => {
    expect(() => stories({ stories: 0 })).toThrow('stories is 0; expected a whole number of at least 1');
  });
});
