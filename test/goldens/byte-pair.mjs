/**
 * A tokenizer as GPT-2's, trained by plain loops on stories.txt, with the ids that Hugging Face's Rust tokenizers give:
 * a sample for test/unit/models-tokenizer/tokenizer.test.ts.
 *
 * npm install --no-save tokenizers@0.23.2
 * node test/goldens/byte-pair.mjs
 *
 * Writes byte-pair/vocab.json and byte-pair/merges.txt as GPT-2's files lie, and byte-pair/ids.json [{ text, ids }].
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(process.env.TOKENIZERS_FROM ?? import.meta.url);
const { Tokenizer } = require('tokenizers');
const folder = join(import.meta.dirname, 'byte-pair');
const MERGES = 400;
const END = '<|endoftext|>';

/** GPT-2's printable character of each byte, and its order of bytes in the vocabulary: printable ones first. */
const printable = (b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
let others = 0;
const chars = Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : 256 + others++));
const symbols = [...chars].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));

const words = new Map();
const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
for (const [word] of readFileSync(join(import.meta.dirname, 'stories.txt'), 'utf8').matchAll(pattern)) {
  const key = Array.from(Buffer.from(word), (b) => chars[b]).join('');
  words.set(key, (words.get(key) ?? 0) + 1);
}
let open = [...words].map(([word, count]) => ({ parts: [...word], count }));
const merges = [];
while (merges.length < MERGES) {
  const counts = new Map();
  for (const { parts, count } of open)
    for (let i = 0; i + 1 < parts.length; i++) {
      const pair = `${parts[i]} ${parts[i + 1]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  const [best] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0];
  merges.push(best);
  const [a, b] = best.split(' ');
  open = open.map(({ parts, count }) => {
    const joined = [];
    for (let i = 0; i < parts.length; i++)
      if (parts[i] === a && parts[i + 1] === b) joined.push(parts[i++] + b);
      else joined.push(parts[i]);
    return { parts: joined, count };
  });
}
const vocab = Object.fromEntries(
  [...symbols, ...merges.map((pair) => pair.replace(' ', '')), END].map((token, id) => [token, id]),
);
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const rust = Tokenizer.fromString(
  JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [{ id: vocab[END], content: END, ...flags }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      ...{ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: '', end_of_word_suffix: '' },
      ...{ fuse_unk: false, byte_fallback: false, vocab, merges },
    },
  }),
);
const texts = [
  'Hello world',
  'Once upon a time, the king saw the queen.',
  END,
  `The end.${END}Once`,
  "don't you'll we've I'm he'd they're it's DON'T",
  'emoji 😀 👩‍👩‍👧 and é ü 中文 עברית',
  'lines\n\n\nand\ttabs  and   spaces   ',
  '3.14159 1,000,000 2024-01-01 x2y',
  '\u00a0nbsp \u2028 sep',
  '',
];
const ids = [];
for (const text of texts) ids.push({ text, ids: [...(await rust.encode(text)).getIds()] });
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'vocab.json'), JSON.stringify(vocab));
writeFileSync(join(folder, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`);
writeFileSync(join(folder, 'ids.json'), JSON.stringify(ids));
console.log(`${Object.keys(vocab).length} tokens`);
