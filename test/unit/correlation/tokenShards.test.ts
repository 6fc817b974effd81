/** Σ over blocks of tokens: made apart and put together, they are the bits of one pass. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { Random } from '#kernel/compute/random.js';
import { leastMemory } from '#kernel/correlation/lists.js';
import { correlate, sumsIdentity } from '#kernel/correlation/map.js';
import type { CorrelateOptions } from '#kernel/correlation/options.js';
import { eachProductRow } from '#kernel/correlation/products.js';
import { pairedSpans, tokenBlock } from '#kernel/correlation/spans.js';
import { TOKEN_SHARDS } from '#kernel/correlation/tokenShards.js';
import { testFolder } from '#test/kit/folder.js';
import { randomRows, toDense } from '#test/kit/rows.js';

const folder = testFolder('token-shards');
let folders = 0;
function emptyFolder(): string {
  const at = path.join(folder, String(folders++));
  fs.mkdirSync(at);
  return at;
}

const blockTokens = 64;
const ignoring = (rows: number): Uint8Array => Uint8Array.from({ length: 400 }, (_, t) => Number(t % rows === 3));
const rowsA = [randomRows(150, 30, 0.1, 1), randomRows(250, 30, 0.1, 2)];
const rowsB = [randomRows(400, 21, 0.2, 3)];
const a = memoryActivations(rowsA, { context: 10, id: 'a', ignored: ignoring(7) });
const b = memoryActivations(rowsB, { context: 10, id: 'b', ignored: ignoring(11) });
const none = () => ({ signal: new AbortController().signal, onProgress: () => undefined });

/** Makes shards of the given blocks in any order, and merges them. */
async function inShards(
  stores: readonly [SparseActivations, SparseActivations],
  options: CorrelateOptions,
  cuts: readonly number[],
) {
  const at = emptyFolder();
  const how = { ...options, blockTokens };
  const shards = cuts.slice(1).map((to, i) => ({ folder: path.join(at, String(i)), from: cuts[i], to }));
  for (const i of new Random(5).permutation(shards.length)) {
    fs.mkdirSync(shards[i].folder);
    // Some hold their tokens in memory, some read them for each block of features.
    const memoryBytes = i % 2 === 0 ? leastMemory(stores[0].meta, stores[1].meta) : undefined;
    await TOKEN_SHARDS.make(stores, { ...how, memoryBytes }, { ...shards[i], resume: path.join(at, `r${i}`), ...none() }); // prettier-ignore
  }
  return correlate(...stores, { ...how, parts: await TOKEN_SHARDS.parts(stores, shards, how) });
}

describe('Σ in blocks of tokens', () => {
  it.each([
    ['argmax', 'pearson', [0, 7]],
    ['mutual', 'pearson', [0, 1, 2, 3, 4, 5, 6, 7]],
    ['one-to-one', 'jaccard', [0, 3, 7]],
    ['hungarian', 'cosine', [0, 2, 6, 7]],
    ['sinkhorn', 'mutual-information', [0, 6, 7]],
  ] as const)('made apart is one pass to the bit: %s by %s, cut at %j', async (match, by, cuts) => {
    const options = { match, by, minFirings: 1, counterparts: 4 };
    const whole = await correlate(a, b, { ...options, blockTokens });
    expect(await inShards([a, b], options, cuts)).toEqual(whole);
    // Read block by block of features, the sums are the same too.
    expect(await correlate(a, b, { ...options, blockTokens, memoryBytes: leastMemory(a.meta, b.meta) })).toEqual(whole);
    // Over few tokens there is one block: what was there before blocks.
    const before = await correlate(a, b, options);
    expect([...before.pairs.a]).toEqual([...whole.pairs.a]);
    whole.rAofB.forEach((r, i) => expect(r).toBeCloseTo(before.rAofB[i], 6));
  });

  it('adds within a block in the order of tokens, then block after block', async () => {
    const dense = (of: typeof rowsA) => of.flatMap((rows) => [...toDense(rows)]);
    const [x, y] = [dense(rowsA), dense(rowsB)];
    const [plainA, plainB] = [memoryActivations(rowsA), memoryActivations(rowsB)];
    const expected = (size: number, q: number, f: number): number => {
      let all = 0;
      for (let from = 0; from < 400; from += size) {
        let sum = 0;
        for (let t = from; t < Math.min(400, from + size); t++) sum += y[t * 21 + q] * x[t * 30 + f];
        all += sum;
      }
      return all;
    };
    let other = 0;
    for (const size of [64, 100, 400, 2 ** 20]) {
      const queries = Int32Array.from({ length: 21 }, (_, i) => i);
      await eachProductRow({
        ...{ queries, queryFeatures: 21, baseFeatures: 30, tokens: 400, rows: 4 },
        spans: () => pairedSpans(plainB, plainA, { blockTokens: size }),
        take({ products }, q) {
          expect([...products]).toEqual(Array.from({ length: 30 }, (_, f) => expected(size, q, f)));
          other += products.filter((sum, f) => sum !== expected(400, q, f)).length;
        },
      });
    }
    // The order shows in the last bits: the test above is about something.
    expect(other).toBeGreaterThan(20);
  });

  it('goes on behind the files of a stopped shard, and makes a damaged one again', async () => {
    const at = emptyFolder();
    const [resume, out] = [path.join(at, 'resume'), path.join(at, 'out')];
    fs.mkdirSync(out);
    const stop = new AbortController();
    const place = { folder: out, from: 1, to: 4, resume };
    const onProgress = ({ done }: { done: number }): void => void (done === 3 && stop.abort());
    const how = { minFirings: 1, blockTokens };
    await expect(TOKEN_SHARDS.make([a, b], how, { ...place, signal: stop.signal, onProgress })).rejects.toThrow();
    const kept = fs.readdirSync(resume).sort();
    expect(kept).toHaveLength(3);
    const bytes = fs.readFileSync(path.join(resume, kept[1]));
    fs.writeFileSync(path.join(resume, kept[1]), bytes.subarray(0, bytes.length - 8));
    const seen: number[] = [];
    await TOKEN_SHARDS.make([a, b], how, { ...place, ...none(), onProgress: ({ done }) => void seen.push(done) });
    expect(seen[0]).toBeLessThan(3);
    expect(seen.at(-1)).toBe(6);
    expect(fs.readFileSync(path.join(out, kept[1])).equals(bytes)).toBe(true);
  });
});

describe('a plan of blocks', () => {
  const sized = (tokens: number, features: number, perToken: number) => {
    const shards = Array.from({ length: tokens / 2 ** 20 }, (_, i) => ({
      ...{ file: '', firstToken: i * 2 ** 20, tokens: 2 ** 20, nonZeros: perToken * 2 ** 20 },
    }));
    return { ...a, meta: { ...a.meta, tokens, features, nonZeros: tokens * perToken, shards } };
  };

  it('states pieces, products, memory and bytes from the sizes alone', () => {
    const side = sized(96 * 2 ** 20, 8192, 32);
    const pieces = TOKEN_SHARDS.pieces([side, side], {});
    expect(pieces.pieces).toBe(96);
    expect(pieces.work.amount).toBe(2 * side.meta.tokens * 32 * 32);
    // All pairs of features, in both directions, for each block.
    expect(pieces.disk).toBe(96 * 2 * 12 * 8192 ** 2);
    expect(pieces.memory).toBeLessThan(2 * 2 ** 30);
    expect(TOKEN_SHARDS.pieces([sized(2 ** 20, 8192, 32), side], {}).pieces).toBe(1);
    expect(() => TOKEN_SHARDS.pieces([side, side], { memoryBytes: 1e6 })).toThrow('give more by memoryBytes');
  });

  it('has larger blocks where there are more pairs, and changes no identity of a map of one block', () => {
    expect([512, 8192, 16_384, 65_536].map((f) => tokenBlock(f, f))).toEqual([2 ** 20, 2 ** 20, 2 ** 22, 2 ** 26]);
    expect(sumsIdentity(sized(2 ** 20, 64, 1), a)).toEqual({});
    const large = sized(2 ** 21, 64, 1);
    expect(sumsIdentity(large, large)).toEqual({ tokenBlock: 2 ** 20 });
    // A row holds the sums of the block that is under way, too.
    const one = sized(2 ** 22, 16_384, 400);
    const two = sized(2 ** 23, 16_384, 400);
    const memory = ({ meta }: SparseActivations) => leastMemory(meta, meta);
    expect(memory(two) - memory(one)).toBe(8 * 16_384);
  });
});
