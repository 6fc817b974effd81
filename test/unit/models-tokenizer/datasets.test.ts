import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ndarray } from '#kernel/io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '#kernel/io/safetensors.js';
import { createTokenSet, loadTokenSet, saveTokenSet, tokenizeTexts, tokensFromRows } from '#kernel/models/datasets.js';
import { createTokenizer } from '#kernel/models/tokenizer.js';
import { testFolder } from '#test/kit/folder.js';

/** Words are tokens: "a" … "z" are 0 … 25, end is 26, begin is 27. */
const letters = Array.from('abcdefghijklmnopqrstuvwxyz');
function wordLevel(extra: string[] = [], config = { eos_token: '<e>', bos_token: '<b>' }) {
  const vocab = Object.fromEntries([...letters, '<e>', '<b>', ...extra].map((w, i) => [w, i]));
  return createTokenizer(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Split', pattern: { Regex: '' }, behavior: 'Isolated', invert: false },
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab, merges: [] },
    },
    config,
  );
}
const tokenizer = wordLevel();
const source = { file: 'test' };
const folder = testFolder('datasets');

describe('texts packed end to end', () => {
  it('puts the end token after each text and cuts the stream', () => {
    const set = tokenizeTexts(['abc', 'de', 'fgh'], tokenizer, { context: 4, source });
    expect(set).toMatchObject({ sequences: 2, context: 4 });
    expect([...set.tokens]).toEqual([0, 1, 2, 26, 3, 4, 26, 5]);
    expect(set.source).toEqual({
      file: 'test',
      texts: 3,
      bos: false,
      pack: 'concatenate',
      separator: 'eos',
      dropped: { leftTokens: 3 },
    });
  });

  it('joins texts directly without separator', () => {
    const set = tokenizeTexts(['abc', 'de', 'fgh'], tokenizer, { context: 4, separator: 'none', source });
    expect([...set.tokens]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('begins every sequence with bos when asked', () => {
    const set = tokenizeTexts(['abcdef'], tokenizer, { context: 3, bos: true, separator: 'none', source });
    expect([...set.tokens]).toEqual([27, 0, 1, 27, 2, 3, 27, 4, 5]);
  });

  it('stops reading when it has enough, and counts when it has not', () => {
    const set = tokenizeTexts(['abc', 'de', 'fgh'], tokenizer, { context: 2, samples: 2, source });
    expect(set.sequences).toBe(2);
    expect(set.source.texts).toBe(1);
    expect(() => tokenizeTexts(['abc', 'de'], tokenizer, { context: 4, samples: 3, source })).toThrow(
      '2 texts of 5 tokens give 1 sequences of 4 tokens, but 3 sequences are needed',
    );
    expect(() => tokenizeTexts([], tokenizer, { context: 4, source })).toThrow('0 texts of 0 tokens give 0 sequences');
  });

  it('refuses what it cannot do rather than guessing', () => {
    const bare = createTokenizer({
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab: { a: 0 }, merges: [] },
    });
    expect(() => tokenizeTexts(['a'], bare, { context: 1, source })).toThrow(/no end-of-text token/);
    expect(() => tokenizeTexts(['a'], bare, { context: 2, bos: true, separator: 'none', source })).toThrow(
      /no begin token/,
    );
  });
});

describe('texts packed each alone', () => {
  it('gives one sequence per text, cuts long ones, drops short ones and says how many', () => {
    const set = tokenizeTexts(['abcd', 'e', 'fgh'], tokenizer, { context: 3, pack: 'each', source });
    expect([...set.tokens]).toEqual([0, 1, 2, 5, 6, 7]);
    expect(set.source.dropped).toEqual({ shortTexts: 1 });
    expect(() => tokenizeTexts(['ab', 'e'], tokenizer, { context: 3, pack: 'each', source })).toThrow(
      /2 texts are shorter/,
    );
  });
});

describe('the identity of a token set', () => {
  const base = createTokenSet(Int32Array.of(1, 2, 3, 4), 2, 2, tokenizer, { source });
  it('is of tokens, shape and tokenizer, not of the source', () => {
    expect(createTokenSet(Int32Array.of(1, 2, 3, 4), 2, 2, tokenizer, { source: { other: 1 } }).id).toBe(base.id);
    expect(createTokenSet(Int32Array.of(1, 2, 3, 5), 2, 2, tokenizer, { source }).id).not.toBe(base.id);
    expect(createTokenSet(Int32Array.of(1, 2, 3, 4), 1, 4, tokenizer, { source }).id).not.toBe(base.id);
    expect(createTokenSet(Int32Array.of(1, 2, 3, 4), 2, 2, wordLevel(['more']), { source }).id).not.toBe(base.id);
  });

  it('refuses ids outside the vocabulary and wrong sizes', () => {
    expect(() => createTokenSet(Int32Array.of(1, 28), 1, 2, tokenizer, { source })).toThrow('token id 28 (position 1)');
    expect(() => createTokenSet(Int32Array.of(-1, 2), 1, 2, tokenizer, { source })).toThrow('token id -1');
    expect(() => createTokenSet(Int32Array.of(1, 2), 1, 3, tokenizer, { source })).toThrow(/need 3 tokens but got 2/);
  });
});

describe('concepts of tokens', () => {
  const names = ['none', 'royal', 'time'];
  it('stay with their tokens through packing', () => {
    const spans = [Int32Array.of(0, 1, 1, 2, 3, 2), Int32Array.of(0, 2, 1)];
    const set = tokenizeTexts(['abc', 'de'], tokenizer, { context: 3, bos: true, source, concepts: { names, spans } });
    expect([...set.tokens]).toEqual([27, 0, 1, 27, 2, 26, 27, 3, 4]);
    expect([...(set.concepts?.ids ?? [])]).toEqual([0, 1, 0, 0, 2, 0, 0, 1, 1]);
  });

  it('of part of a token are those of the token', () => {
    const pairs = createTokenizer({
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, c: 3 }, merges: [['a', 'b']] },
    });
    const concepts = { names, spans: [Int32Array.of(1, 2, 2, 3, 4, 1)] };
    const set = tokenizeTexts(['abca'], pairs, { context: 3, separator: 'none', source, concepts });
    expect([...set.tokens]).toEqual([2, 3, 0]);
    expect([...(set.concepts?.ids ?? [])]).toEqual([2, 0, 1]);
  });

  it('that do not fit are refused', () => {
    const one = (spans: Int32Array[]) => () =>
      tokenizeTexts(['abc'], tokenizer, { context: 3, source, concepts: { names, spans } });
    expect(one([Int32Array.of(0, 1)])).toThrow('expected triples');
    expect(one([Int32Array.of(2, 4, 1)])).toThrow('span 2 to 4');
    expect(one([Int32Array.of(0, 1, 3)])).toThrow('concept 3 of 3');
    expect(one([])).toThrow('1 texts but concept spans of 0');
  });
});

describe('pretokenised rows', () => {
  const rows = ndarray('I64', [2, 3], BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n));
  it('are cut to the context', () => {
    const set = tokensFromRows(rows, tokenizer, { context: 2, source });
    expect([...set.tokens]).toEqual([1, 2, 4, 5]);
    expect(tokensFromRows(rows, tokenizer, { sequences: 1, source }).tokens).toHaveLength(3);
  });
  it('of another tokenizer or shape are refused', () => {
    expect(() => tokensFromRows(rows, tokenizer, { context: 4, source })).toThrow(/rows have 3 tokens/);
    expect(() => tokensFromRows(rows, tokenizer, { sequences: 3, source })).toThrow(/there are 2 rows/);
    expect(() => tokensFromRows(ndarray('I32', [1, 1], Int32Array.of(50256)), tokenizer, { source })).toThrow('50256');
    expect(() => tokensFromRows(ndarray('F32', [1, 1], Float32Array.of(1)), tokenizer, { source })).toThrow(/integers/);
  });
});

describe('saved token sets', () => {
  const path = join(folder, 'tokens.safetensors');
  const set = tokenizeTexts(['abc'], tokenizer, {
    context: 2,
    source,
    concepts: { names: ['none', 'x'], spans: [Int32Array.of(1, 2, 1)] },
  });

  it('come back whole', async () => {
    await saveTokenSet(path, set);
    const back = await loadTokenSet(path, tokenizer);
    expect(back).toMatchObject({ id: set.id, sequences: 2, context: 2, source: set.source, concepts: set.concepts });
    expect(back.tokens).toEqual(set.tokens);
  });

  it('are refused for another tokenizer, with both identities, and when they were changed', async () => {
    await saveTokenSet(path, set);
    const other = wordLevel(['more']);
    await expect(loadTokenSet(path, other)).rejects.toThrow(new RegExp(`${tokenizer.id}.*${other.id}`));
    const file = await SafetensorsFile.open(path);
    const { metadata } = file;
    await file.close();
    await writeSafetensors(
      path,
      { tokens: ndarray('I32', [2, 2], Int32Array.of(0, 1, 2, 3)) },
      { ...metadata, conceptNames: '' },
    );
    await expect(loadTokenSet(path, tokenizer)).rejects.toThrow(/damaged/);
  });
});

describe('padding of short texts', () => {
  const texts = ['ab', 'cdefg', '', 'h'];

  it('fills short texts up on the right, and says where', async () => {
    const set = tokenizeTexts(texts, tokenizer, { context: 4, pack: 'each', pad: true, source });
    expect([...set.tokens]).toEqual([0, 1, 26, 26, 2, 3, 4, 5, 7, 26, 26, 26]);
    expect([...(set.padding ?? [])]).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1]);
    expect(set.source).toMatchObject({ pack: 'each', pad: true, dropped: { emptyTexts: 1 } });
    const begun = tokenizeTexts(texts, tokenizer, { context: 4, pack: 'each', pad: true, bos: true, source });
    expect([...begun.tokens]).toEqual([27, 0, 1, 26, 27, 2, 3, 4, 27, 7, 26, 26]);
    expect([...(begun.padding ?? [])]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
    const path = join(folder, 'padded.safetensors');
    await saveTokenSet(path, set);
    expect(await loadTokenSet(path, tokenizer)).toMatchObject({ id: set.id, padding: set.padding });
  });

  it('takes the padding token where the tokenizer has one', () => {
    const padded = wordLevel(['<p>'], { eos_token: '<e>', bos_token: '<b>', pad_token: '<p>' } as never);
    const set = tokenizeTexts(['a'], padded, { context: 3, pack: 'each', pad: true, source });
    expect([...set.tokens]).toEqual([0, 28, 28]);
  });

  it('is another set than the same ids as text, and none at all where nothing is short', () => {
    const set = tokenizeTexts(['ab'], tokenizer, { context: 4, pack: 'each', pad: true, source });
    expect(set.id).not.toBe(createTokenSet(set.tokens, 1, 4, tokenizer, { source }).id);
    const full = tokenizeTexts(['abcd'], tokenizer, { context: 4, pack: 'each', pad: true, source });
    expect(full).not.toHaveProperty('padding');
    expect(full.id).toBe(tokenizeTexts(['abcd'], tokenizer, { context: 4, pack: 'each', source }).id);
  });

  it('is refused where texts share sequences, and where no token can fill up', () => {
    expect(() => tokenizeTexts(texts, tokenizer, { context: 4, pad: true, source })).toThrow(/pack: 'each', pad: true/);
    const bare = wordLevel([], {} as never);
    expect(() => tokenizeTexts(texts, bare, { context: 4, pack: 'each', pad: true, source })).toThrow(
      /no padding and no end token/,
    );
  });
});
