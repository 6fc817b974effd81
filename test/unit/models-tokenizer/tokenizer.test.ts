import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTokenizer } from '#kernel/models/tokenizer.js';
import { bytePairJson, loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import type { Tokenizer } from '#kernel/models/types.js';
import { shared, STORIES } from '#test/kit/samples.js';
import { testFolder } from '#test/kit/folder.js';

const goldens = resolve(import.meta.dirname, '../../goldens');
const gpt2 = join(shared, 'gpt2');
const present = existsSync(join(gpt2, 'vocab.json'));
if (!present) console.warn(`skipped: no GPT-2 tokenizer files in ${gpt2}`);

const folder = testFolder('tokenizer');

/** Byte-pair encoding as GPT-2's paper code does it: merge the adjacent pair of lowest rank until none is left. */
function referenceBpe(vocab: Record<string, number>, ranks: Map<string, number>) {
  const chars: string[] = [];
  for (let b = 0, n = 0; b < 256; b++) {
    const printable = (b > 32 && b < 127) || (b > 160 && b < 173) || b > 173;
    chars.push(String.fromCharCode(printable ? b : 256 + n++));
  }
  const words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
  return (text: string): number[] =>
    [...text.matchAll(words)].flatMap(([word]) => {
      const parts = Array.from(new TextEncoder().encode(word), (b) => chars[b]);
      for (;;) {
        let best = -1;
        let bestRank = Infinity;
        for (let i = 0; i + 1 < parts.length; i++) {
          const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Infinity;
          if (rank < bestRank) [best, bestRank] = [i, rank];
        }
        if (best < 0) return parts.map((p) => vocab[p]);
        parts.splice(best, 2, parts[best] + parts[best + 1]);
      }
    });
}

/** What holds of byte-level BPE from vocab.json and merges.txt in a folder, on a long text. */
function behavesAsBytePair(files: string, textFile: string): void {
  let tokenizer: Tokenizer;
  let reference: (text: string) => number[];
  const read = (name: string) => readFileSync(join(files, name), 'utf8');

  beforeAll(async () => {
    tokenizer = await loadTokenizer(files);
    const lines = read('merges.txt').split('\n');
    const ranks = new Map(lines.filter((l) => l && !l.startsWith('#version')).map((l, i) => [l, i]));
    reference = referenceBpe(JSON.parse(read('vocab.json')) as Record<string, number>, ranks);
  });

  it.each([
    "don't you'll we've I'm he'd they're it's DON'T",
    'emoji 😀 👩‍👩‍👧 and é ü 中文 עברית',
    'lines\n\n\nand\ttabs  and   spaces   ',
    '3.14159 1,000,000 2024-01-01 x2y',
    '# # ## ### #version',
    ' leading, (brackets) [x] {y} "quotes" …',
    '\u00a0nbsp \u2028 sep',
  ])('agrees with byte-pair encoding done by hand on %j', (text) => {
    expect([...tokenizer.encode(text)]).toEqual(reference(text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it('agrees with the reference on a long text and gives the text back', () => {
    const text = readFileSync(textFile, 'utf8');
    const ids = tokenizer.encode(text);
    expect(Array.from(ids.subarray(0, 4000))).toEqual(reference(text.slice(0, 30_000)).slice(0, 4000));
    expect(tokenizer.decode(ids)).toBe(text);
    const ascii = text.replace(/[^\n -~]/g, '');
    expect(Array.from(tokenizer.encode(ascii), (id) => tokenizer.piece(id)).join('')).toBe(ascii);
  });

  it('shows single tokens with their leading space, and part of a character as U+FFFD', () => {
    expect(Array.from(tokenizer.encode(' king\n'), (id) => tokenizer.piece(id))).toEqual([' king', '\n']);
    const parts = tokenizer.encode('😀');
    expect(parts.length).toBeGreaterThan(1);
    for (const id of parts) expect(tokenizer.piece(id)).toBe('\ufffd');
    expect(tokenizer.piece(tokenizer.eosId!)).toBe('<|endoftext|>');
    expect(tokenizer.piece(50_300)).toBe('[id 50300]');
  });

  it('encodes nothing to nothing', () => {
    expect(tokenizer.encode('')).toHaveLength(0);
    expect(tokenizer.decode([])).toBe('');
  });

  it('has the same id from tokenizer.json, and another one for another vocabulary', async () => {
    const vocab = JSON.parse(read('vocab.json')) as Record<string, number>;
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(bytePairJson(vocab, read('merges.txt'))));
    const other = await loadTokenizer(folder);
    expect(other.id).toBe(tokenizer.id);
    const text = 'Once upon a time';
    expect([...other.encode(text)]).toEqual([...tokenizer.encode(text)]);
    const [a, b] = ['Ġking', 'Ġqueen'];
    const swapped = { ...vocab, [a]: vocab[b], [b]: vocab[a] };
    expect(createTokenizer(bytePairJson(swapped, read('merges.txt'))).id).not.toBe(tokenizer.id);
  });
}

describe('a tokenizer as GPT-2’s of 657 tokens', () => {
  const files = join(goldens, 'byte-pair');
  behavesAsBytePair(files, STORIES);

  it('gives the ids of the Rust library', async () => {
    const tokenizer = await loadTokenizer(files);
    const golden = JSON.parse(readFileSync(join(files, 'ids.json'), 'utf8')) as Array<{ text: string; ids: number[] }>;
    expect(golden).toHaveLength(10);
    for (const { text, ids } of golden) expect([...tokenizer.encode(text)], text).toEqual(ids);
    expect(tokenizer).toMatchObject({ vocabSize: 657, eosId: 656, bosId: 656 });
  });
});

describe.skipIf(!present)('GPT-2 tokenizer from vocab.json and merges.txt', () => {
  behavesAsBytePair(gpt2, join(shared, 'tinystories-sample.txt'));

  it('gives the published encodings', async () => {
    const tokenizer = await loadTokenizer(gpt2);
    expect([...tokenizer.encode('Hello world')]).toEqual([15496, 995]);
    expect([...tokenizer.encode('Once upon a time')]).toEqual([7454, 2402, 257, 640]);
    expect([...tokenizer.encode('<|endoftext|>')]).toEqual([50256]);
    expect([...tokenizer.encode('😀\n')]).toEqual([47249, 222, 198]);
    expect(tokenizer).toMatchObject({ vocabSize: 50257, eosId: 50256, bosId: 50256 });
  });
});

describe('tokenizer files', () => {
  const small = { a: 0, b: 1, ab: 2, Ġ: 3, '</s>': 4 };

  it('says what it looked for when a folder has no tokenizer', async () => {
    const empty = testFolder('empty');
    await expect(loadTokenizer(empty)).rejects.toThrow(/expected tokenizer.json, or vocab.json and merges.txt/);
    writeFileSync(join(empty, 'vocab.json'), JSON.stringify(small));
    await expect(loadTokenizer(empty)).rejects.toThrow(/no merges.txt/);
    writeFileSync(join(empty, 'merges.txt'), 'a b\na a\n');
    await expect(loadTokenizer(empty)).rejects.toThrow(/"a a" \(merge 2\)/);
    writeFileSync(join(empty, 'vocab.json'), '{"a": 0');
    await expect(loadTokenizer(empty)).rejects.toThrow(/vocab.json is not JSON/);
  });

  it('takes the end token from the config, by name or by id', () => {
    const json = bytePairJson(small, 'a b\n');
    expect(createTokenizer(json).eosId).toBeUndefined();
    expect(createTokenizer(json, { eos_token: '</s>' }).eosId).toBe(4);
    expect(createTokenizer(json, { eos_token: { content: '</s>' } }).eosId).toBe(4);
    expect(createTokenizer(json, {}, { eos_token_id: 4, bos_token_id: 99 })).toMatchObject({
      eosId: 4,
      bosId: undefined,
    });
  });
});

describe('files beside vocab.json and merges.txt', () => {
  const vocab = { h: 0, e: 1, he: 2, Ġ: 3, '<|endoftext|>': 4 };
  const text = '<|startoftext|>he';

  async function tokenizerWith(files: Record<string, object | string>): Promise<Tokenizer> {
    const made = testFolder('beside');
    const all = { 'vocab.json': vocab, 'merges.txt': 'h e\n', ...files };
    for (const [name, content] of Object.entries(all))
      writeFileSync(join(made, name), typeof content === 'string' ? content : JSON.stringify(content));
    return loadTokenizer(made);
  }

  it('reads added_tokens.json', async () => {
    const tokenizer = await tokenizerWith({
      'added_tokens.json': { '<|startoftext|>': 5, '<|pad|>': 6 },
      'tokenizer_config.json': { bos_token: '<|startoftext|>', eos_token: '<|endoftext|>', pad_token: '<|pad|>' },
    });
    expect(tokenizer).toMatchObject({ bosId: 5, eosId: 4, padId: 6, vocabSize: 7 });
    expect([...tokenizer.encode(text)]).toEqual([5, 2]);
    expect(tokenizer.decode([5, 2])).toBe(text);
  });

  it('reads added_tokens_decoder', async () => {
    const flags = { lstrip: false, rstrip: false, normalized: false, single_word: false };
    const tokenizer = await tokenizerWith({
      'tokenizer_config.json': {
        bos_token: '<|startoftext|>',
        added_tokens_decoder: { 5: { content: '<|startoftext|>', special: true, ...flags } },
      },
    });
    expect(tokenizer).toMatchObject({ bosId: 5, vocabSize: 6 });
    expect([...tokenizer.encode(text)]).toEqual([5, 2]);
  });

  it('puts a bos_token that no file gives an id behind the vocabulary, while the model has room for it', async () => {
    const config = { 'tokenizer_config.json': { bos_token: '<|startoftext|>' } };
    const wide = await tokenizerWith({ ...config, 'config.json': { vocab_size: 6 } });
    expect([...wide.encode(text)]).toEqual([5, 2]);
    expect(wide.bosId).toBe(5);
    const full = await tokenizerWith({ ...config, 'config.json': { vocab_size: 5, bos_token_id: 4 } });
    expect(full).toMatchObject({ bosId: 4, vocabSize: 5 });
  });

  it('begins texts with a space where add_prefix_space says so', async () => {
    const tokenizer = await tokenizerWith({ 'tokenizer_config.json': { add_prefix_space: true } });
    expect([...tokenizer.encode('he')]).toEqual([3, 2]);
  });

  it('refuses an id that is another token, a class that cuts words otherwise, and tokenizer.model alone', async () => {
    await expect(tokenizerWith({ 'added_tokens.json': { '<x>': 2 } })).rejects.toThrow(
      /added_tokens.json gives "<x>" the id 2, which is "he"/,
    );
    await expect(tokenizerWith({ 'tokenizer_config.json': { tokenizer_class: 'CLIPTokenizer' } })).rejects.toThrow(
      /tokenizer_class "CLIPTokenizer".*save_pretrained/,
    );
    const alone = testFolder('alone');
    writeFileSync(join(alone, 'tokenizer.model'), 'x');
    await expect(loadTokenizer(alone)).rejects.toThrow(/only SentencePiece's tokenizer.model.*save_pretrained/);
  });

  it('takes tokens that only added_tokens_decoder has beside tokenizer.json', async () => {
    const json = bytePairJson(vocab, 'h e\n');
    const tokenizer = await tokenizerWith({
      'tokenizer.json': json,
      'tokenizer_config.json': { added_tokens_decoder: { 5: { content: '<|startoftext|>' } } },
    });
    expect([...tokenizer.encode(text)]).toEqual([5, 2]);
  });

  it('refuses parts of tokenizer.json that are not read, by name', () => {
    const json = bytePairJson(vocab, 'h e\n');
    expect(() => createTokenizer({ ...json, pre_tokenizer: { type: 'UnicodeScripts' } })).toThrow(/"UnicodeScripts"/);
    expect(() => createTokenizer({ ...json, normalizer: { type: 'Other' } })).toThrow(/normalizer "Other"/);
    expect(() => createTokenizer({ ...json, model: { ...(json.model as object), dropout: 0.1 } })).toThrow(/dropout/);
    expect(() => createTokenizer({ added_tokens: [] })).toThrow(/no model with a vocabulary/);
    const words = { ...json, model: { type: 'WordLevel', vocab } };
    expect(() => createTokenizer(words).encode('unseen')).toThrow(/no token for "unseen"/);
  });
});
