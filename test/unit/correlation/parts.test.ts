import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { Random } from '#kernel/compute/random.js';
import { correlationCost, costInWords, leastMemory, type Part, type PartRange } from '#kernel/correlation/lists.js';
import { correlate, correlateParts } from '#kernel/correlation/map.js';
import type { CorrelateOptions } from '#kernel/correlation/options.js';
import { randomRows } from '#test/kit/rows.js';

const a = memoryActivations([randomRows(150, 30, 0.1, 1), randomRows(250, 30, 0.1, 2)], { context: 10, id: 'a' });
const b = memoryActivations([randomRows(400, 21, 0.2, 3)], { context: 10, id: 'b' });
const least = leastMemory(a.meta, b.meta);
const partOf = async (range: PartRange, options: CorrelateOptions): Promise<Part> => {
  for await (const part of correlateParts(a, b, [range], options)) return part;
  throw new Error('no part was made');
};

describe('a correlation in parts', () => {
  it.each(['argmax', 'one-to-one', 'hungarian', 'sinkhorn'] as const)(
    'comes to the bits of the whole, however it is cut and in whatever order the parts are made: %s',
    async (match) => {
      const options = { match, minFirings: 1 };
      const whole = await correlate(a, b, options);
      const cuts = [0, 4, 5, 20, 23, 40, 51];
      const parts: Part[] = [];
      for (const i of new Random(1).permutation(cuts.length - 1)) {
        // Some from memory, some from shards that are read for each block.
        const memoryBytes = i % 2 === 0 ? least + 12 * 30 * i : undefined;
        parts.push(await partOf({ from: cuts[i], to: cuts[i + 1] }, { ...options, memoryBytes }));
      }
      expect(await correlate(a, b, { ...options, parts })).toEqual(whole);
    },
  );

  it('is refused when features are missing, come twice or belong to another call', async () => {
    const part = (from: number, to: number, counterparts = 3) => partOf({ from, to }, { counterparts });
    const merged = async (...parts: Array<Promise<Part>>) => correlate(a, b, { parts: await Promise.all(parts) });
    await expect(merged(part(0, 10), part(12, 51))).rejects.toThrow('leave out features 10 to 12 of 51');
    await expect(merged(part(0, 40))).rejects.toThrow('leave out features 40 to 51 of 51');
    await expect(merged(part(0, 21), part(20, 51))).rejects.toThrow('hold feature 20 of 51');
    await expect(merged(part(0, 21), part(21, 51, 2))).rejects.toThrow('lists of 2 partners, not of 3');
    await expect(part(3, 52)).rejects.toThrow('0 to 51');
  });
});

describe('what a correlation takes', () => {
  const sized = (tokens: number, features: number, perToken: number) => {
    const shards = Array.from({ length: Math.ceil(tokens / 65_536) }, (_, i) => ({
      ...{ file: `shard-${i}.safetensors`, firstToken: i * 65_536 },
      tokens: Math.min(65_536, tokens - i * 65_536),
      nonZeros: perToken * Math.min(65_536, tokens - i * 65_536),
    }));
    return { tokens, features, nonZeros: tokens * perToken, shards };
  };

  it('is said for 10 million tokens of 32,768 × 32,768 features before it begins, and stays below 2 GB', () => {
    const side = sized(10_000_000, 32_768, 32);
    const cost = correlationCost(side, side, 2e9);
    expect(cost).toMatchObject({ resident: false, block: 4096, passes: 16, products: 2 * 1e7 * 32 * 32 });
    expect(cost.memory).toBeLessThan(2e9);
    expect(costInWords(side, side, cost)).toBe(
      "10,000,000 tokens, 32,768 × 32,768 features: 16 passes of 4096 features, 59.6 GB read, 1.6 GB of memory beside the kernel's own, about 3 min on one core",
    );
  });

  it('is not said for what takes seconds, and refused in figures where the memory is too little', () => {
    const side = sized(64_000, 16_384, 20);
    const cost = correlationCost(side, side, 2e9);
    expect(cost).toMatchObject({ resident: true, passes: 1 });
    expect(costInWords(side, side, cost)).toBeUndefined();
    expect(() => correlationCost(side, side, 1e6)).toThrow(
      /correlating 16384 × 16384 features over 64000 tokens needs .* MB at least, .* may use .*; give more by memoryBytes/,
    );
  });
});
