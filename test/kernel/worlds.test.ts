/** Worlds at a million samples: frequencies and co-firing within 4 standard errors of the law; one and many workers. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { phiOfJoint } from '#kernel/compute/sampling/normal.js';
import { drawSpan, type Span } from '#kernel/compute/sampling/span.js';
import { Pool } from '#kernel/compute/pool.js';
import { createWorld, type GeneratedWorld } from '#kernel/synthetic/world/world.js';
import { jointLaw } from '#kernel/synthetic/world/joint.js';
import type { WorldOptions } from '#kernel/synthetic/world/options.js';
import { worldReport } from '#kernel/synthetic/world/report.js';
import { testFolder } from '#test/kit/folder.js';

/** Firings of single features and pairs over n samples, counted apart from the code. */
async function counted(
  world: GeneratedWorld,
  n: number,
): Promise<{ one: Float64Array; both: Float64Array; n: number }> {
  const f = world.features;
  const one = new Float64Array(f);
  const both = new Float64Array(f * f);
  for await (const { codes } of world.sample(n)) {
    for (let s = 0; s < codes.rows; s++) {
      const active = codes.indices.subarray(codes.indptr[s], codes.indptr[s + 1]);
      for (const a of active) {
        one[a]++;
        for (const b of active) both[a * f + b]++;
      }
    }
  }
  return { one, both, n };
}

const standardErrors = (count: number, p: number, n: number): number =>
  p === 0 || p === 1 ? (count === p * n ? 0 : Infinity) : (count / n - p) / Math.sqrt((p * (1 - p)) / n);

const MILLION = 1_000_000;
const small = { features: 24, dim: 4, seed: 3 };

/** All marginals and all pairs within `limit` standard errors over a million samples. */
async function requireLaw(options: WorldOptions, limit = 4): Promise<GeneratedWorld> {
  const world = await createWorld(options);
  const { one, both, n } = await counted(world, MILLION);
  const joint = jointLaw(world)!;
  let worst = 0;
  for (let i = 0; i < world.features; i++) {
    const z = standardErrors(one[i], world.frequencies[i], n);
    expect(Math.abs(z), `feature ${i}`).toBeLessThan(limit);
    for (let j = 0; j < i; j++)
      worst = Math.max(worst, Math.abs(standardErrors(both[i * world.features + j], joint(i, j), n)));
  }
  expect(worst, 'pairs').toBeLessThan(limit);
  return world;
}

describe('a world at a million samples', () => {
  it('fires at its frequencies, independently', async () => {
    await requireLaw({ ...small, frequencies: { kind: 'zipf', exponent: 1 }, l0: 3 });
  });

  it('has the asked correlation of firings in blocks, at unequal frequencies', async () => {
    const world = await requireLaw({
      ...small,
      frequencies: { kind: 'geometric', lambda: 0.97, max: 0.2 },
      correlations: { kind: 'block', size: 4, correlation: 0.25 },
    });
    const p = world.frequencies;
    const joint = jointLaw(world)!;
    expect(phiOfJoint(p[0], p[3], joint(0, 3))).toBeCloseTo(0.25, 8);
    expect(phiOfJoint(p[3], p[4], joint(3, 4))).toBeCloseTo(0, 12);
  });

  it('has negative correlation of normals in blocks', async () => {
    await requireLaw({
      ...small,
      frequencies: 0.3,
      correlations: { kind: 'block', size: 3, correlation: -0.4, of: 'latent' },
    });
  });

  it('follows a low-rank copula with exact marginals', async () => {
    await requireLaw({
      ...small,
      frequencies: { kind: 'log-normal', sigma: 0.7 },
      l0: 4,
      correlations: { kind: 'low-rank', rank: 5, strength: 0.6 },
    });
  });

  it('keeps marginals and pairs of rare and of frequent features on one factor, whatever the sign of the loading', async () => {
    const loadings = Array.from({ length: 24 }, (_, i) => [[0.95, -0.95, 0.6, -0.4, 0, 0.2][i % 6]]);
    await requireLaw({
      ...small,
      frequencies: { kind: 'geometric', lambda: 0.88, max: 0.3 },
      correlations: { kind: 'low-rank', rank: 1, loadings },
    });
  });

  it('keeps marginals and pairs of blocks of rare features', async () => {
    await requireLaw({
      ...small,
      features: 32,
      frequencies: 0.01,
      correlations: { kind: 'block', size: 8, correlation: 0.3, of: 'latent' },
    });
  });

  it('follows a given matrix of firing correlations', async () => {
    const matrix = [
      [1, 0.3, 0.1],
      [0.3, 1, -0.05],
      [0.1, -0.05, 1],
    ];
    const world = await requireLaw({
      ...small,
      frequencies: 0.15,
      correlations: { kind: 'matrix', matrix, features: [2, 7, 20] },
    });
    expect(phiOfJoint(0.15, 0.15, jointLaw(world)!(2, 7))).toBeCloseTo(0.3, 8);
  });

  it('lets at most one member of an exclusive group fire', async () => {
    await requireLaw({
      ...small,
      frequencies: { kind: 'geometric', lambda: 0.9 },
      l0: 1.5,
      correlations: { kind: 'exclusive', size: 6 },
    });
  });

  it('puts every sample into one context', async () => {
    await requireLaw({ ...small, frequencies: 0.1, correlations: { kind: 'contexts', count: 4 } });
  });

  it('gates children by parents, down trees, exclusive or not', async () => {
    for (const exclusive of [false, true]) {
      const world = await requireLaw({
        ...small,
        geometry: { kind: 'hierarchy', roots: 3, branching: 2, share: 0.45, exclusive, count: 21 },
        frequencies: { kind: 'uniform', p: 0.4 },
        correlations: { kind: 'low-rank', rank: 2, strength: 0.5 },
      });
      expect(world.frequencies[3]).toBeCloseTo(0.4 * 0.45, 12);
      expect(world.parents[9]).toBe(3);
    }
  });

  it('keeps mean L0 within 2 % of the target', async () => {
    const world = await createWorld({ features: 256, dim: 16, l0: 5, frequencies: { kind: 'geometric' } });
    const report = await worldReport(world, { samples: 100_000 });
    expect(report.l0.asked).toBeCloseTo(5, 10);
    expect(Math.abs(report.l0.mean / 5 - 1)).toBeLessThan(0.02);
    expect(report.marginals.maxZ).toBeLessThan(4.5);
    expect(report.cofiring!.maxZ).toBeLessThan(5.5);
    expect(report.histogram.reduce((a, b) => a + b, 0)).toBe(100_000);
  });
});

describe('worlds made in workers', () => {
  const bundle = path.join(testFolder('worlds'), 'poolWorker.cjs');
  const pools: Pool[] = [];
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.dispose()));
    rmSync(path.dirname(bundle), { recursive: true, force: true });
  });

  it('give the samples of the calling thread, one or many, in any order of finishing', async () => {
    await build({
      entryPoints: [path.join(import.meta.dirname, '../../src/kernel/compute/poolWorker.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
    });
    const { law } = await createWorld({
      features: 64,
      dim: 16,
      l0: 4,
      correlations: { kind: 'low-rank', rank: 3 },
      noise: { std: 0.1 },
    });
    const requests = [0, 1, 2, 3].map((chunk) => ({ law, seed: 7, chunk, samples: chunk === 3 ? 100 : law.chunk }));
    const here = requests.map((request) => drawSpan(request));
    for (const size of [1, 3]) {
      const pool = new Pool({ bundle, size });
      pools.push(pool);
      expect(pool.threaded).toBe(true);
      const there = await Promise.all(requests.map((request) => pool.run<Span>('drawSpan', request)));
      expect(there).toEqual(here);
    }
    // One request over several chunks is the chunks one after the other.
    const whole = drawSpan({ law, seed: 7, chunk: 0, samples: 2 * law.chunk });
    expect(whole.x).toEqual(Float32Array.from([...here[0].x, ...here[1].x]));
  });
});
