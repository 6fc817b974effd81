/** What padding does downstream: nothing before it changes, and it is no row of training. */
import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { createTokenSet, tokenizeTexts } from '#kernel/models/datasets.js';
import { ignoredPositions, ignoringOf, ignoringParameters } from '#kernel/models/ignored.js';
import { loadModel } from '#kernel/models/load.js';
import { lossWarning, unlikelyText } from '#kernel/models/tokenLoss.js';
import type { LanguageModel, Tokenizer, TokenSet } from '#kernel/models/types.js';
import { modelSource } from '#kernel/sae/source.js';
import { CONFIGS, modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { LLAMAS } from '#test/kit/samples.js';

beforeAll(() => initDevice({ device: 'cpu' }));

async function logitsOf(model: LanguageModel, ids: Int32Array, batch: number): Promise<Float32Array> {
  const { logits } = model.forward(ids, batch);
  try {
    return (await logits!.data()) as Float32Array;
  } finally {
    logits!.dispose();
  }
}

/** Largest difference between logits of padded sequences and of each text alone, over the largest logit. */
async function differenceFromAlone(model: LanguageModel, texts: Int32Array[], context: number, pad: number) {
  const padded = new Int32Array(texts.length * context).fill(pad);
  texts.forEach((ids, i) => padded.set(ids, i * context));
  const together = await logitsOf(model, padded, texts.length);
  const vocab = model.config.vocab;
  let [largest, size] = [0, 0];
  for (const [i, ids] of texts.entries()) {
    const alone = await logitsOf(model, ids, 1);
    const start = i * context * vocab;
    alone.forEach((value, j) => {
      largest = Math.max(largest, Math.abs(value - together[start + j]));
      size = Math.max(size, Math.abs(value));
    });
  }
  return largest / size;
}

describe('padding on the right', () => {
  const textsOf = (lengths: number[], vocab: number): Int32Array[] =>
    lengths.map((n, s) => Int32Array.from({ length: n }, (_, i) => (7 * i * i + 3 * n + s) % vocab));

  it.each(Object.keys(CONFIGS))('changes no bit of what is before it: %s', async (family) => {
    const config = CONFIGS[family];
    const model = modelOf(config, randomWeights(config, 3));
    expect(await differenceFromAlone(model, textsOf([2, 3, 5, 8, 12], config.vocab), 12, 0)).toBe(0);
    // A pass of 512 rows or more, and one of a single row, take other products than a short text alone does.
    const many = Array.from({ length: 48 }, (_, s) => 1 + (s % 12));
    const large = await differenceFromAlone(model, textsOf(many, config.vocab), 12, 0);
    expect(large).toBeLessThan(1e-6);
    model.dispose();
  });

  it.for(LLAMAS)(
    'changes no bit of what is before it, and rounding alone in large passes: $name',
    async ({ folder, there }, { skip }) => {
      if (!there) skip();
      const model = await loadModel(folder);
      const { vocab } = model.config;
      expect(await differenceFromAlone(model, textsOf([2, 5, 12, 24], vocab), 24, 2)).toBe(0);
      const many = Array.from({ length: 32 }, (_, s) => 1 + (s % 24));
      expect(await differenceFromAlone(model, textsOf(many, vocab), 24, 2)).toBeLessThan(1e-6);
      model.dispose();
    },
  );

  it.for(LLAMAS)(
    'changes no logit before it, and trains nothing: $name',
    async ({ folder, there, vocab }, { skip }) => {
      if (!there) skip();
      const model = await loadModel(folder);
      const stories = ['Once upon a time', 'The cat sat on the mat and was very happy.', 'Lily'];
      const tokens = tokenizeTexts(stories, model.tokenizer, { context: 24, pack: 'each', pad: true, source: {} });
      expect(tokens.sequences).toBe(3);
      const { padding } = tokens;
      const lengths = stories.map((story) => model.tokenizer.encode(story).length + (model.tokenizer.addsBos ? 1 : 0));
      const texts = lengths.map((n, i) => tokens.tokens.slice(i * 24, i * 24 + n));
      expect(await differenceFromAlone(model, texts, 24, tokens.tokens[23])).toBe(0);
      expect(padding?.reduce((sum, one) => sum + one, 0)).toBe(72 - lengths.reduce((a, b) => a + b));

      const source = modelSource(model, tokens, 'blocks.0.hook_mlp_out', { batchTokens: 24, cacheBytes: 0 });
      const begin = model.tokenizer.addsBos ? 1 : 0;
      const rows = lengths.map((n) => n - begin);
      expect(source.rows).toBe(rows.reduce((a, b) => a + b));
      const pieces = [];
      for await (const piece of source.batches()) pieces.push(piece.rows);
      expect(pieces).toEqual(rows);
      const later = [];
      for await (const piece of source.batches(rows[0])) later.push(piece.rows);
      expect(later).toEqual(rows.slice(1));
      const all = modelSource(model, tokens, 'blocks.0.hook_mlp_out', { ignoreTokens: [] });
      expect(all.rows).toBe(lengths.reduce((a, b) => a + b));

      expect(await unlikelyText(model, tokens)).toBeUndefined();
      const noise = tokenizeTexts(['ζλξ #@! ζζ qzx ## 9871 ξξ'], model.tokenizer, { context: 16, source: {} });
      expect(await unlikelyText(model, noise)).toMatch(
        new RegExp(`mean loss of ${basename(folder)} on this text is .* above ln ${vocab}`),
      );
      model.dispose();
    },
  );
});

/** Rows of ids, each one sequence. */
function setOf(rows: number[][], marks: Partial<Tokenizer> = {}, padding?: number[]): TokenSet {
  const named = { ...tokenizer, bosId: undefined, eosId: 0, ...marks } as Tokenizer;
  return createTokenSet(Int32Array.from(rows.flat()), rows.length, rows[0].length, named, {
    ...{ source: {} },
    ...(padding ? { padding: Uint8Array.from(padding) } : {}),
  });
}
const ignored = (tokens: TokenSet, ...args: [ignoreTokens?: number[], trained?: Parameters<typeof ignoringOf>[2]]) =>
  [...(ignoredPositions(tokens, ignoringOf(tokens, ...args)) ?? [])].join('');

describe('ignored positions', () => {
  const llama = { bosId: 1, eosId: 2, padId: 3 };
  const gpt = { bosId: 0, eosId: 0 };

  it('are padding, and the ids that are asked for', () => {
    expect(ignored(setOf([[1, 5, 2, 2]]))).toBe('');
    expect(ignored(setOf([[1, 5, 2, 2]], {}, [0, 0, 0, 1]))).toBe('0001');
    expect(ignored(setOf([[1, 5, 2, 2]]), [1])).toBe('1000');
    expect(ignored(setOf([[1, 5, 2, 2]], {}, [0, 0, 0, 1]), [2, 1, 2])).toBe('1011');
  });

  it('are begin, end and padding tokens by default, where begin is a token of its own', () => {
    const tokens = setOf([[1, 5, 2, 6], [1, 3, 7, 8]], llama); // prettier-ignore
    expect(ignored(tokens)).toBe('10101100');
    expect(ignored(tokens, [])).toBe('');
    expect(ignored(tokens, [5])).toBe('01000000');
  });

  it('are the tokens before every sequence, not those between texts, where one token begins and ends', () => {
    expect(ignored(setOf([[0, 5, 0, 6], [0, 0, 7, 8]], gpt))).toBe('10001000'); // prettier-ignore
    // By chance at the start of one sequence of a stream.
    expect(ignored(setOf([[0, 5, 0, 6], [4, 0, 7, 8]], gpt))).toBe(''); // prettier-ignore
    expect(ignored(setOf([[0, 5, 0, 6]], gpt), [])).toBe('');
    // No begin token at all.
    expect(ignored(setOf([[0, 5, 0, 6]], { bosId: undefined, eosId: 0, padId: 0 }))).toBe('');
    expect(ignored(setOf([[9, 5, 0, 6]], { bosId: undefined, eosId: 0, padId: 9 }))).toBe('1000');
  });

  it('are what an SAE was trained without, unless ids are named', () => {
    const tokens = setOf([[0, 5, 0, 6], [4, 0, 7, 8]], gpt); // prettier-ignore
    expect(ignored(tokens, undefined, { excluded: true })).toBe('10100100');
    expect(ignored(tokens, undefined, { excluded: [5, 8] })).toBe('01000001');
    expect(ignored(tokens, [], { excluded: true })).toBe('');
  });

  it.each([
    [[1, null, null], '100000'],
    [[null, -2, null], '000011'],
    [[2, 4, null], '110011'],
    [[-3, null, 2], '111010'],
    [[null, null, -2], '101010'],
    [[4, 1, -1], '110001'],
    [[9, null, null], '111111'],
    [[-9, 9, null], ''],
  ] as const)('outside the slice %j, as Python has it', (slice, expected) => {
    expect(ignored(setOf([[5, 6, 7, 8, 9, 10]]), undefined, { slice })).toBe(expected);
    expect(ignored(setOf([[5, 6, 7, 8, 9, 10]]), [], { slice })).toBe(expected);
  });

  it('are named in identities only where something is left out', () => {
    expect(ignoringParameters(ignoringOf(setOf([[5, 6]], llama)))).toEqual({});
    expect(ignoringParameters(ignoringOf(setOf([[1, 6]], llama)))).toEqual({ ignoreTokens: [1] });
    expect(ignoringParameters(ignoringOf(setOf([[0, 6]], gpt)))).toEqual({ ignoreBegins: true });
    expect(ignoringParameters(ignoringOf(setOf([[5, 6]]), [], { slice: [1, null, null] }))).toEqual({
      positions: [1, null, null],
    });
  });
});

it('a loss below ln V is no reason for a word', () => {
  const model = { name: 'm', config: { vocab: 10 } } as LanguageModel;
  expect(lossWarning(Math.log(10) - 0.01, model)).toBeUndefined();
  expect(lossWarning(Math.log(10) + 0.01, model)).toMatch(/2\.31 nats, above ln 10 = 2\.30/);
});
