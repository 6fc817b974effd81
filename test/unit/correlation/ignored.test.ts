/** Rows that a store ignores take no part: neither as zeros nor in n. Against Pearson by its definition, in float64. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mergeActivations, writeActivations } from '#kernel/activations/write.js';
import { countedTokens, firingRates } from '#kernel/activations/statistics.js';
import { memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { Random } from '#kernel/compute/random.js';
import { correlate } from '#kernel/correlation/map.js';
import { fromDense, randomRows, toDense } from '#test/kit/rows.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('ignored');

const [TOKENS, A, B, CONTEXT] = [120, 9, 7, 6];
const denseA = toDense(randomRows(TOKENS, A, 0.4, 1));
const denseB = toDense(randomRows(TOKENS, B, 0.4, 2));
const random = new Random(5);
const maskOf = (share: number): Uint8Array => Uint8Array.from({ length: TOKENS }, () => Number(random.next() < share));
const [some, others, none] = [maskOf(0.3), maskOf(0.2), new Uint8Array(TOKENS)];

/** Pearson over the rows that are left, from float64 deviations. */
function pearson(x: number[], y: number[]): number {
  const mean = (v: number[]): number => v.reduce((s, e) => s + e, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  const dot = (u: number[], v: number[]): number => u.reduce((s, e, i) => s + e * v[i], 0);
  const [dx, dy] = [x.map((v) => v - mx), y.map((v) => v - my)];
  return dot(dx, dy) / Math.sqrt(dot(dx, dx) * dot(dy, dy));
}

async function stored(name: string, dense: Float32Array, features: number, ignored: Uint8Array) {
  return writeActivations(join(folder, name), [fromDense(dense, TOKENS, features)], {
    features,
    tokenIds: Int32Array.from({ length: TOKENS }, (_, t) => t % 40),
    context: CONTEXT,
    ignored,
    hook: 'h',
    model: { name: 'm', id: 'm' },
    sae: { name, id: name },
    tokenSet: { id: 'set', tokenizer: 't' },
    shardTokens: 24,
  });
}

async function expectExact(a: SparseActivations, b: SparseActivations, left: number[]): Promise<void> {
  const map = await correlate(a, b, { counterparts: A, minFirings: 0 });
  expect(map.tokens).toBe(left.length);
  for (let g = 0; g < B; g++)
    for (let i = 0; i < A; i++) {
      const f = map.bestAofB[g * A + i];
      const column = (dense: Float32Array, width: number, feature: number): number[] =>
        left.map((t) => dense[t * width + feature]);
      expect(map.rAofB[g * A + i]).toBeCloseTo(pearson(column(denseA, A, f), column(denseB, B, g)), 6);
    }
}

const rowsLeft = (...masks: Uint8Array[]): number[] =>
  Array.from({ length: TOKENS }, (_, t) => t).filter((t) => masks.every((mask) => mask[t] === 0));

describe('correlation over rows that are not ignored', () => {
  it.each([
    ['the same rows on both sides', some, some],
    ['rows of A alone', some, none],
    ['rows of B alone', none, others],
    ['other rows on either side', some, others],
    ['none', none, none],
  ])('%s', async (name, maskA, maskB) => {
    const a = await stored(`a of ${name}`, denseA, A, maskA);
    const b = await stored(`b of ${name}`, denseB, B, maskB);
    await expectExact(a, b, rowsLeft(maskA, maskB));
    // Nothing is left of what was ignored in the stores themselves.
    expect(countedTokens(a.meta)).toBe(rowsLeft(maskA).length);
    expect(await a.ignored()).toEqual(maskA === none ? undefined : maskA);
  });

  it('of stores in memory and of merged ones', async () => {
    const tokenIds = Int32Array.from({ length: TOKENS }, (_, t) => t % 40);
    const memory = (dense: Float32Array, width: number, ignored: Uint8Array): SparseActivations =>
      memoryActivations(fromDense(dense, TOKENS, width), { tokenIds, context: CONTEXT, ignored });
    await expectExact(memory(denseA, A, some), memory(denseB, B, others), rowsLeft(some, others));
    const part = await stored('part', denseA, A, some);
    const merged = await mergeActivations(join(folder, 'merged'), [part, part]);
    expect(merged.meta.ignored).toBe(2 * (part.meta.ignored as number));
    expect(await merged.ignored()).toEqual(Uint8Array.from([...some, ...some]));
  });

  it('rates are shares of the rows that count', async () => {
    const a = await stored('rates', denseA, A, some);
    const left = rowsLeft(some);
    const rate = (f: number): number => left.filter((t) => denseA[t * A + f] > 0).length / left.length;
    firingRates(a).forEach((value, f) => expect(value).toBeCloseTo(rate(f), 6));
  });

  it('refuses stores with fewer than two rows left', async () => {
    const all = new Uint8Array(TOKENS).fill(1);
    const [a, b] = [await stored('all', denseA, A, all), await stored('most', denseB, B, none)];
    await expect(correlate(a, b)).rejects.toThrow(/at least 2 tokens but there are 0 that neither store ignores/);
  });
});
