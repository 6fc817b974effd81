/** Ids against Hugging Face's Rust tokenizers; the goldens are by test/goldens/tokenizers.mjs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createEncoder, type TokenizerJson } from '#kernel/models/tokenizing/pipeline.js';

const file = join(import.meta.dirname, '../../goldens/tokenizers.json.br');
const { texts, tokenizers } = JSON.parse(brotliDecompressSync(readFileSync(file)).toString()) as {
  texts: string[];
  tokenizers: Array<{ name: string; json: TokenizerJson; ids: number[][] }>;
};

describe('ids of 500 texts of many scripts equal those of the Rust tokenizers', () => {
  it.each(tokenizers)('$name', ({ json, ids }) => {
    const encode = createEncoder(json);
    expect(texts).toHaveLength(500);
    const wrong = texts.flatMap((text, i) => {
      const got = encode(text);
      return got.join() === ids[i].join() ? [] : [{ text, got: got.join(' '), rust: ids[i].join(' ') }];
    });
    expect(wrong.slice(0, 3), `${wrong.length} texts differ`).toEqual([]);
  });
});
