import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { Random } from '#kernel/compute/random.js';
import { freeDisk, requireDisk } from '#kernel/io/disk.js';
import {
  correlationCost,
  correlationDisk,
  costInWords,
  leastMemory,
  type Part,
  type PartRange,
} from '#kernel/correlation/lists.js';
import { correlate, correlateParts } from '#kernel/correlation/map.js';
import { correlateArtifact } from '#kernel/correlation/artifact.js';
import { correlateSettings, type CorrelateOptions } from '#kernel/correlation/options.js';
import type { Partners } from '#kernel/correlation/pearson.js';
import type { FeatureMap } from '#kernel/correlation/types.js';
import type { Environment } from '#kernel/verb/environment.js';
import { randomRows } from '#test/kit/rows.js';
import { testStores } from '#test/kit/store.js';

const storeAt = testStores();
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

describe('finished blocks', () => {
  it.each(['argmax', 'mutual', 'one-to-one', 'hungarian', 'sinkhorn'] as const)(
    'are all that a stopped call asks for again, those of matching too, to the same bits and within the disk that was said: %s',
    async (match) => {
      const options = { match, minFirings: 1, counterparts: 1, memoryBytes: least + 12 * 30 * 4 };
      const whole = await correlate(a, b, options);
      const kept = new Map<string, string>();
      const keepPart =
        (most: number) =>
        async (name: string, make: () => Promise<Partners>): Promise<Partners> => {
          const line = kept.get(name);
          if (line === undefined && kept.size === most) throw new Error('killed');
          const { n, index, r } = line === undefined ? await make() : (JSON.parse(line) as { n: number; index: number[]; r: Array<number | null> }); // prettier-ignore
          if (line === undefined) kept.set(name, JSON.stringify({ n, index: [...index], r: [...r] }));
          return { n, index: Int32Array.from(index), r: Float64Array.from(r, (v) => v ?? NaN) };
        };
      // Killed behind every block there is, one after the other.
      let map: FeatureMap | undefined;
      for (let most = 1; !map; most++) {
        map = await correlate(a, b, { ...options, keepPart: keepPart(most) }).catch((error: Error) => {
          expect(error.message).toBe('killed');
          expect(kept.size).toBe(most);
          return undefined;
        });
      }
      expect(map).toEqual(whole);
      const lists = Math.ceil(21 / 4) + Math.ceil(30 / 4);
      if (match === 'one-to-one' || match === 'hungarian') expect(kept.size).toBeGreaterThan(lists);
      else expect(kept.size).toBe(lists);
      const entries = [...kept.values()].reduce((sum, line) => sum + (JSON.parse(line) as { index: number[] }).index.length, 0); // prettier-ignore
      expect(16 * entries).toBeLessThan(correlationDisk(a.meta, b.meta, correlateSettings(options)));
    },
  );

  it('are refused before anything runs where the disk has no room for them, in figures', async () => {
    const disk = correlationDisk(a.meta, b.meta, correlateSettings({ match: 'hungarian' }));
    await expect(requireDisk('/nowhere/.fgnb', disk, 'the finished blocks', disk - 1)).rejects.toThrow(
      /^the finished blocks take [\d.]+ kB in \/nowhere\/.fgnb, where [\d.]+ kB are free; free some space, or choose another folder/,
    );
    await requireDisk('/nowhere/.fgnb', disk, 'the finished blocks', disk);
    // A folder that does not exist yet is on the file system of the nearest one that does.
    expect(await freeDisk('/nowhere/at/all')).toBe(await freeDisk('/'));
    const full = { ...a, meta: { ...a.meta, features: 2 ** 50 } };
    const env = { context: { artifactFolder: '/tmp/nowhere', print: () => undefined } } as unknown as Environment;
    await expect(correlateArtifact(full, b, storeAt(), { env, memoryBytes: Infinity })).rejects.toThrow('the finished blocks and the map of this correlation take'); // prettier-ignore
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
    const disk = correlationDisk(side, side, correlateSettings({}));
    expect(costInWords(side, side, cost, disk)).toBe(
      "10,000,000 tokens, 32,768 × 32,768 features: 16 passes of 4096 features, 59.6 GB read, 1.6 GB of memory beside the kernel's own, 4.9 MB on the disk, about 19 min on one core",
    );
  });

  it('is not said for what takes seconds, and refused in figures where the memory is too little', () => {
    const side = sized(64_000, 16_384, 20);
    const cost = correlationCost(side, side, 2e9);
    expect(cost).toMatchObject({ resident: true, passes: 1 });
    expect(costInWords(side, side, cost, 0)).toBeUndefined();
    expect(() => correlationCost(side, side, 1e6)).toThrow(
      /correlating 16384 × 16384 features over 64000 tokens needs .* MB at least, .* may use .*; give more by memoryBytes/,
    );
  });
});
