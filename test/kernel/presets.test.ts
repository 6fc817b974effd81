/** Published generators show their known faults, and their corrected forms do not. */
import { describe, expect, it } from 'vitest';
import { peakTokens } from '#kernel/activations/labels.js';
import { topExamples } from '#kernel/activations/examples.js';
import { row } from '#kernel/compute/matrix.js';
import { createPreset } from '#kernel/synthetic/presets/presets.js';
import { PRESETS } from '#kernel/synthetic/presets/list.js';
import { createWorld } from '#kernel/synthetic/world/world.js';
import { writeWorldActivations } from '#kernel/synthetic/world/activations.js';
import { worldReport } from '#kernel/synthetic/world/report.js';
import { testFolder } from '#test/kit/folder.js';

describe('lan-2024', () => {
  it('is one switch for all features: L0 16 ± 14, 15 % empty, frequencies hardly decaying', async () => {
    // Figures of the published generator at G = 512, k = 16, over several draws of A.
    const world = await createPreset({ preset: 'lan-2024', publishedBatch: 250 });
    const r = await worldReport(world, { samples: 2000, pairFeatures: 40 });
    expect(Math.abs(r.l0.mean / 16 - 1)).toBeLessThan(0.02);
    expect(r.l0.sd).toBeGreaterThan(13);
    expect(r.l0.sd).toBeLessThan(15.5);
    expect(r.l0.none).toBeGreaterThan(0.12);
    expect(r.l0.none).toBeLessThan(0.2);
    expect(r.realized[10]).toBeGreaterThan(0.02);
    expect(r.realized[10] / r.realized[511]).toBeLessThan(2);
    expect(r.asked[10] / r.asked[511]).toBeGreaterThan(100);
    expect(r.cofiring).toBeUndefined();
  });

  it('leaves [0, 1] when the matrix is standardised, and says so', async () => {
    const small = { preset: 'lan-2024', features: 128, dim: 16, publishedBatch: 200, standardized: true } as const;
    const world = await createPreset(small);
    await expect(worldReport(world, { samples: 10 })).rejects.toThrow(/leaves \[0, 1\].*clip: true/s);
    await worldReport(await createPreset({ ...small, clip: true }), { samples: 200 });
  });

  it('clusters dimensions with blobs, features with blobs-intended', async () => {
    const spread = async (directions: 'blobs' | 'blobs-intended'): Promise<number> => {
      const { dictionary: d } = await createPreset({ preset: 'lan-2024', features: 60, dim: 40, directions });
      // Distance to the nearest other feature: small inside a cluster of features.
      let nearest = Infinity;
      for (let f = 1; f < 60; f++)
        nearest = Math.min(nearest, Math.hypot(...row(d, f).map((x, j) => x - row(d, 0)[j])));
      return nearest;
    };
    expect(await spread('blobs-intended')).toBeLessThan(15);
    expect(await spread('blobs')).toBeGreaterThan(25);
  });
});

describe('marks-2024', () => {
  it('fires the same features for all points of a group in a batch; one group a point; 504 to 511 never', async () => {
    const world = await createPreset({ preset: 'marks-2024', publishedBatch: 500 });
    const sets = new Map<number, string>();
    for await (const { codes } of world.sample(500)) {
      for (let s = 0; s < codes.rows; s++) {
        const active = Array.from(codes.indices.subarray(codes.indptr[s], codes.indptr[s + 1]));
        expect(active).toHaveLength(32);
        const group = Math.floor(active[0] / 42);
        expect(active.every((f) => f < 504 && Math.floor(f / 42) === group)).toBe(true);
        const key = active.join();
        expect(sets.get(group) ?? key).toBe(key);
        sets.set(group, key);
      }
    }
    expect(sets.size).toBe(12);
    expect(Math.hypot(...row(world.dictionary, 0))).toBeGreaterThan(10);
  });

  it('draws each point anew with perPoint, at the frequencies of sampling without replacement', async () => {
    const world = await createPreset({
      preset: 'marks-2024',
      perPoint: true,
      features: 42,
      groups: 1,
      k: 8,
      lambda: 0.9,
    });
    const r = await worldReport(world, { samples: 20_000 });
    // Asked are Rosén's approximations, good to a hundredth.
    r.realized.forEach((p, f) => expect(Math.abs(p - r.asked[f])).toBeLessThan(0.02));
  });

  it('corrected: unit length, all features in use, exact frequencies, mean L0 32', async () => {
    const world = await createPreset({ preset: 'marks-2024-corrected' });
    const r = await worldReport(world, { samples: 20_000, pairFeatures: 100 });
    expect(Math.abs(r.l0.mean / 32 - 1)).toBeLessThan(0.02);
    expect(r.marginals.maxZ).toBeLessThan(4.5);
    expect(r.forbidden).toBe(0);
    expect(r.realized[511]).toBeGreaterThan(0.03);
    expect(r.geometry.longest).toBeCloseTo(1, 5);
  });
});

describe('sharkey-2022', () => {
  it('has 5 active in the mean, none without, and frequencies that a batch fixes', async () => {
    const world = await createPreset({ preset: 'sharkey-2022', publishedBatch: 2000 });
    const r = await worldReport(world, { samples: 8000, pairFeatures: 20 });
    expect(Math.abs(r.l0.mean / 5 - 1)).toBeLessThan(0.02);
    expect(r.l0.none).toBe(0);
    expect(r.marginals.maxZ).toBeGreaterThan(10);
    expect(world.faults.length).toBe(3);
  });

  it('uncorrelated has λ^i · 5/G, not 5', async () => {
    const world = await createPreset({ preset: 'sharkey-2022', correlated: false });
    expect(world.frequencies[0]).toBeCloseTo(5 / 512, 12);
    expect(world.frequencies.reduce((a, b) => a + b, 0)).toBeCloseTo(0.971, 3);
  });

  it('corrected keeps its frequencies', async () => {
    const r = await worldReport(await createPreset({ preset: 'sharkey-2022-corrected' }), {
      samples: 20_000,
      pairFeatures: 100,
    });
    expect(Math.abs(r.l0.mean / 5 - 1)).toBeLessThan(0.02);
    expect(r.marginals.maxZ).toBeLessThan(4.5);
  });
});

describe('synthsaebench', () => {
  const small = { features: 1024, dim: 32, roots: 8 } as const;

  it('gates children and keeps one sibling, but misses its frequencies where siblings crowd', async () => {
    const world = await createPreset({ preset: 'synthsaebench', ...small });
    for await (const { codes } of world.sample(1000)) {
      for (let s = 0; s < codes.rows; s++) {
        const active = Array.from(codes.indices.subarray(codes.indptr[s], codes.indptr[s + 1]));
        const parents = active.map((f) => world.parents[f]).filter((p) => p >= 0);
        expect(new Set(parents).size).toBe(parents.length);
        expect(parents.every((p) => active.includes(p))).toBe(true);
      }
    }
    expect((await worldReport(world, { samples: 10_000, pairFeatures: 10 })).marginals.maxZ).toBeGreaterThan(8);
  });

  it('corrected meets its frequencies', async () => {
    const world = await createPreset({ preset: 'synthsaebench-corrected', ...small });
    const r = await worldReport(world, { samples: 20_000, pairFeatures: 100 });
    expect(r.marginals.maxZ).toBeLessThan(5);
    expect(r.forbidden).toBe(0);
  });
});

describe('presets', () => {
  it('have a corrected form each, which has no faults', () => {
    for (const { name, faults } of PRESETS) expect(faults.length > 0, name).toBe(!name.endsWith('-corrected'));
  });
});

describe('true activations', () => {
  it('lie in a store whose labels name the true feature', async () => {
    const folder = testFolder('world');
    const world = await createWorld({ features: 12, dim: 4, frequencies: 0.1, seed: 2 });
    const store = await writeWorldActivations(folder, world, 5000, {});
    const { meta, statistics } = store;
    expect([meta.tokens, meta.features, meta.context]).toEqual([5000, 12, 1]);
    let nonZeros = 0;
    for await (const { codes } of world.sample(5000)) nonZeros += codes.values.length;
    expect(meta.nonZeros).toBe(nonZeros);
    expect(statistics.firings.reduce((a, b) => a + b, 0)).toBe(nonZeros);
    const labels = peakTokens(await topExamples(store, { top: 3 }));
    labels.forEach((label, f) => expect(label[0]).toBe(`#${f}`));
  });
});
