/** Two tokenizations of one text: spans that both have, what a feature has on them, and how much was joined. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alignActivations } from '#kernel/activations/align.js';
import { characterSpans } from '#kernel/activations/characterSpans.js';
import { openActivations, memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { correlate } from '#kernel/correlation/map.js';
import { Dataset } from '#kernel/datasets/dataset.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import type { Tokenizer } from '#kernel/models/types.js';
import { fromRows } from '#test/kit/rows.js';
import { shared } from '#test/kit/samples.js';
import { testStores } from '#test/kit/store.js';

const storeAt = testStores();

/** Spans written out: text, tokens of A, tokens of B. */
function joined(a: readonly string[], b: readonly string[]) {
  const { count, ofA, ofB, texts, shares } = characterSpans({ pieces: a }, { pieces: b });
  const tokens = (of: Int32Array, s: number) => [...of.keys()].filter((t) => of[t] === s);
  return { spans: Array.from({ length: count }, (_, s) => [texts[s], tokens(ofA, s), tokens(ofB, s)]), shares };
}

describe('characterSpans', () => {
  it('joins tokens where both have a boundary, whatever they do with spaces', () => {
    const a = [' Once', ' up', 'on', ' a', ' time', ',', '\n', ' the', ' king'];
    const b = ['Once', ' upon', ' a', ' ti', 'me', ',', ' ', 'the', ' k', 'ing'];
    const { spans, shares } = joined(a, b);
    expect(spans).toEqual([
      [' Once', [0], [0]],
      [' upon', [1, 2], [1]],
      [' a', [3], [2]],
      [' time', [4], [3, 4]],
      [',', [5], [5]],
      [' the', [7], [7]],
      [' king', [8], [8, 9]],
    ]);
    // A lone line break or space is no token with text.
    expect(shares).toEqual({ charactersA: 1, charactersB: 1, tokensA: 1, tokensB: 1, single: 4 / 7 });
  });

  it('crosses boundaries that only one has, and takes no part of a token', () => {
    expect(joined(['ab', 'cd', 'ef'], ['abc', 'de', 'f']).spans).toEqual([['abcdef', [0, 1, 2], [0, 1, 2]]]);
    // B ends inside of A's last token: it is in no span.
    const { spans, shares } = joined(['one ', 'two ', 'threefour'], ['one ', 'two ', 'three']);
    expect(spans).toEqual([['one ', [0], [0]], ['two ', [1], [1]]]); // prettier-ignore
    expect(shares.tokensA).toBeCloseTo(2 / 3, 12);
    expect(shares.charactersA).toBeCloseTo(6 / 15, 12);
  });

  it('finds the place again after what one has and the other has not: cut ends, parts of characters, special tokens', () => {
    const words = (text: string) => text.match(/ ?[^ ]+/g)!;
    const first = words(' the old king went home to his queen and slept');
    const second = words(' once there was a little dragon who liked green tea');
    const a = ['<|endoftext|>', ...first.slice(0, 5), '<|endoftext|>', ...second];
    const b = ['<s>', ...first, '</s>', ...second];
    const { spans, shares } = joined(a, b);
    expect(spans.map(([text]) => text)).toEqual([...first.slice(0, 5), ...second]);
    expect(shares.tokensA).toBe(1);
    expect(shares.tokensB).toBeCloseTo(15 / 20, 12);
    const quoted = joined([' said', '\uFFFD', '\uFFFD', 'come', ' here', ' my', ' friend'], [' said', '\uFFFD', 'come', ' here', ' my', ' friend']); // prettier-ignore
    expect(quoted.spans.map(([text]) => text)).toEqual([' said', 'come', ' here', ' my', ' friend']);
  });

  it('gives nothing for texts that have nothing in common, in bounded time, and for no text', () => {
    const a = Array.from({ length: 60_000 }, (_, i) => ` a${i % 97}`);
    const b = Array.from({ length: 60_000 }, (_, i) => ` b${i % 89}`);
    expect(joined(a, b).spans).toEqual([]);
    expect(joined([], []).shares).toEqual({
      charactersA: NaN,
      charactersB: NaN,
      tokensA: NaN,
      tokensB: NaN,
      single: NaN,
    });
  });
});

describe('alignActivations', () => {
  const a = memoryActivations(fromRows([[1, 0], [0, 2], [3, 1], [0, 0], [5, 0]]), {
    ...{ tokenIds: Int32Array.of(0, 1, 2, 3, 4), context: 5, id: 'a' },
    piece: (id) => [' one', ' t', 'wo', '\n', ' three'][id],
    meta: { tokenSet: { id: 'ta', tokenizer: 'x' } },
  }); // prettier-ignore
  const b = memoryActivations([fromRows([[1], [2]]), fromRows([[4], [0]])], {
    ...{ tokenIds: Int32Array.of(5, 6, 7, 8), context: 2, id: 'b' },
    piece: (id) => ({ 5: 'one', 6: ' two', 7: ' th', 8: 'ree' })[id]!,
    meta: { tokenSet: { id: 'tb', tokenizer: 'y' } },
  });
  const rowsOf = async (store: SparseActivations, count: number) => {
    const out: number[][] = [];
    for await (const { rows } of store.shards())
      for (let t = 0; t < rows.rows; t++) {
        const row = new Array<number>(rows.cols).fill(0);
        for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++) row[rows.indices[p]] = rows.values[p];
        out.push(row);
      }
    return out.slice(0, count);
  };

  it('has the largest or the mean activation of the tokens of a span, across shards, and the same rows on both sides', async () => {
    const { value } = await alignActivations(a, b, storeAt());
    expect(value.spans).toBe(3);
    expect(await rowsOf(value.a, 3)).toEqual([[1, 0], [3, 2], [5, 0]]); // prettier-ignore
    expect(await rowsOf(value.b, 3)).toEqual([[1], [2], [4]]);
    expect(value.a.meta.tokenSet).toEqual(value.b.meta.tokenSet);
    expect([value.a.meta.tokens, value.a.meta.ignored]).toEqual([128, 125]);
    const ids = await value.b.tokenIds();
    expect([0, 1, 2].map((t) => value.b.piece(ids[t]))).toEqual([' one', ' two', ' three']);
    const mean = await alignActivations(a, b, storeAt(), { combine: 'mean' });
    expect(await rowsOf(mean.value.a, 3)).toEqual([[1, 0], [1.5, 1.5], [5, 0]]); // prettier-ignore
    const map = await correlate(value.a, value.b, { minFirings: 1 });
    // Over three spans: (1, 3, 5) and (1, 2, 4).
    expect(map.rAofB[0]).toBeCloseTo(6 / Math.sqrt(8 * (14 / 3)), 6);
  });

  it('is kept, read back without a tokenizer, and refused for the same tokens or other texts', async () => {
    const store = storeAt();
    const first = await alignActivations(a, b, store);
    const again = await alignActivations(a, b, store);
    expect(again.made.map(({ cached }) => cached)).toEqual([true, true]);
    expect((await openActivations(first.value.a.folder)).meta).toEqual(first.value.a.meta);
    await expect(alignActivations(a, a, store)).rejects.toThrow('the same tokens already');
    const other = memoryActivations(fromRows([[1]]), { tokenIds: Int32Array.of(0), piece: () => ' elephant' });
    await expect(alignActivations(a, other, store)).rejects.toThrow('have no word in common');
  });
});

const files = [join(shared, 'gpt2'), join(shared, 'stories260K'), join(shared, 'tinystories-sample.txt')];
const there = files.every((file) => existsSync(file));
if (!there) console.warn(`skipped: GPT-2's tokenizer, stories260K and the sample of TinyStories are not at ${shared}`);

/** Activations of two features over a token set: one fires on every token of a word, one on each full stop. */
function planted(data: Dataset, tokenizer: Tokenizer, id: string): SparseActivations {
  const set = data.tokens({ tokenizer });
  const pieces = Array.from(set.tokens, (token) => tokenizer.piece(token));
  const text: Array<readonly [number, number]> = [];
  let all = '';
  pieces.forEach((piece) => {
    text.push([all.length, all.length + piece.length]);
    all += piece;
  });
  const marks = new Uint8Array(all.length);
  for (const { index } of all.matchAll(/\bLily\b/g)) marks.fill(1, index, index + 4);
  const rows = pieces.map((piece, t) => {
    const [from, to] = text[t];
    return [marks.subarray(from, to).includes(1) ? 2 : 0, piece.trim() === '.' ? 1 : 0];
  });
  return memoryActivations(fromRows(rows), {
    ...{ tokenIds: set.tokens, context: set.context, id, ignored: set.padding },
    piece: (token) => tokenizer.piece(token),
    meta: { tokenSet: { id: set.id, tokenizer: tokenizer.id } },
  });
}

describe.skipIf(!there)('a tokenizer of 512 tokens and one of 50,257 on the same real text', () => {
  it.each(['concatenate', 'each'] as const)(
    '%s: nearly all of it is joined, and planted features find each other',
    async (pack) => {
      const [gpt2, small] = await Promise.all(files.slice(0, 2).map((folder) => loadTokenizer(folder)));
      expect([gpt2.vocabSize, small.vocabSize]).toEqual([50_257, 512]);
      const texts = readFileSync(files[2], 'utf8')
        .slice(0, 60_000)
        .split(/\n\s*\n/);
      const how = pack === 'each' ? { pack, pad: true } : ({ pack, separator: 'none', bos: false } as const);
      const data = new Dataset('real', texts, { source: { kind: 'texts' }, context: 64, ...how });
      const stores = [planted(data, gpt2, 'gpt2'), planted(data, small, 'small')];
      const { value } = await alignActivations(stores[0], stores[1], storeAt());
      const { charactersA, charactersB, tokensA, single } = value.shares;
      // One sequence for each text ends at 64 tokens: earlier in the text, and inside of a word, where tokens are small.
      if (pack === 'concatenate') expect(Math.min(charactersA, tokensA, charactersB)).toBeGreaterThan(0.99);
      else expect(charactersB).toBeGreaterThan(0.9);
      expect(single).toBeGreaterThan(0.2);
      const map = await correlate(value.a, value.b, { minFirings: 5 });
      expect([...map.pairs.a]).toEqual([0, 1]);
      for (const r of map.pairs.r) expect(r).toBeGreaterThan(0.97);
      console.log(`${pack}: ${value.spans} spans, aligned shares ${JSON.stringify(value.shares)}`);
    },
  );
});
