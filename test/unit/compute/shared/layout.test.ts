import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pool } from '#kernel/compute/pool.js';
import { Random } from '#kernel/compute/random.js';
import { KERNELS } from '#kernel/compute/shared/kernels.js';
import { optimizeLayout } from '#kernel/maps/umapLayout.js';
import type { FuzzyGraph } from '#kernel/maps/fuzzyGraph.js';
import { poolBundle } from '#test/kit/poolBundle.js';

const text = fs.readFileSync(new URL('../../../../src/kernel/compute/shared/kernels.wat', import.meta.url), 'utf8');

/** Rings of points, each tied to its next neighbours. */
function rings(points: number, seed = 1): FuzzyGraph {
  const random = new Random(seed);
  const pairs = Array.from({ length: 4 * points }, (_, e) => [e >> 2, ((e >> 2) + 1 + (e & 3)) % points] as const);
  return {
    points,
    head: Int32Array.from(pairs, ([i]) => i),
    tail: Int32Array.from(pairs, ([, j]) => j),
    weight: Float32Array.from(pairs, () => 0.2 + 0.8 * random.next()),
  };
}

const start = (points: number): Float32Array => {
  const random = new Random(9);
  return Float32Array.from({ length: 2 * points }, () => 10 * random.next());
};

const settings = {
  a: 1.5769434603,
  b: 0.8950608779,
  epochs: 1,
  learningRate: 1,
  negativeSampleRate: 1.5,
  repulsionStrength: 1,
  seed: 12345,
};

/** One epoch in float64, written from the rule: pulls of all edges, damped by their sum, then the negative samples. */
function oneEpoch(y: Float32Array, graph: FuzzyGraph, p: typeof settings): Float64Array {
  const n = graph.points;
  const out = new Float64Array(2 * n);
  const heaviest = Math.max(...graph.weight);
  // Coefficients are looked up by the upper half of the squared distance as float32.
  const float = new Float32Array(1);
  const bits = new Int32Array(float.buffer);
  const cell = (d2: number): number => {
    float[0] = d2;
    bits[0] = (bits[0] & 0xffff0000) | 0x8000;
    return float[0];
  };
  const pull = (exact: number): number => {
    if (exact === 0) return 0;
    const d2 = cell(exact);
    return (2 * p.a * p.b * d2 ** (p.b - 1)) / (1 + p.a * d2 ** p.b);
  };
  const push = (exact: number): number => {
    const d2 = cell(exact);
    return (2 * p.repulsionStrength * p.b) / ((0.001 + d2) * (1 + p.a * d2 ** p.b));
  };
  const clip = (v: number): number => Math.max(-4, Math.min(4, v));
  for (let i = 0; i < n; i++) {
    let [sx, sy, sum, samples] = [0, 0, 0, 0];
    for (let e = 0; e < graph.head.length; e++) {
      const w = graph.weight[e] / heaviest;
      if (w < 1 / p.epochs || (graph.head[e] !== i && graph.tail[e] !== i)) continue;
      const j = graph.head[e] === i ? graph.tail[e] : graph.head[e];
      const [dx, dy] = [y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]];
      const c = w * pull(dx * dx + dy * dy);
      [sx, sy, sum, samples] = [sx + c * dx, sy + c * dy, sum + c, samples + p.negativeSampleRate * w];
    }
    const step = (2 * p.learningRate) / (1 + p.learningRate * sum);
    let [x0, y0] = [y[2 * i] - step * sx, y[2 * i + 1] - step * sy];
    const key = Math.imul(1, 0x9e3779b1) ^ p.seed ^ Math.imul(i, 0x85ebca6b);
    const states = [0x1b873593, 0x3c6ef372, 0x5bd1e995, 0x7a1d4c2f].map((lane) => {
      let r = (key + lane) | 0;
      r = Math.imul(r ^ (r >>> 16), 0x7feb352d);
      r = Math.imul(r ^ (r >>> 15), 0x846ca68b);
      return (r ^ (r >>> 16)) | 1;
    });
    for (let left = samples; left >= 4; left -= 4) {
      const moved = [0, 0];
      for (let lane = 0; lane < 4; lane++) {
        let r = states[lane];
        r ^= r << 13;
        r ^= r >>> 17;
        r ^= r << 5;
        states[lane] = r;
        const k = Math.floor(((r >>> 0) * n) / 2 ** 32);
        if (k === i) continue;
        const [dx, dy] = [x0 - y[2 * k], y0 - y[2 * k + 1]];
        const d2 = dx * dx + dy * dy;
        moved[0] += d2 > 0 ? clip(push(d2) * dx) : 4;
        moved[1] += d2 > 0 ? clip(push(d2) * dy) : 4;
      }
      x0 += p.learningRate * moved[0];
      y0 += p.learningRate * moved[1];
    }
    [out[2 * i], out[2 * i + 1]] = [x0, y0];
  }
  return out;
}

it('the assembled kernels are of the text beside them: node scripts/wasm.mjs', () => {
  expect(KERNELS.sha256).toBe(createHash('sha256').update(text).digest('hex'));
});

describe('the layout', () => {
  it('moves every vertex in an epoch as the rule in float64 does', async () => {
    const graph = { ...rings(61), weight: new Float32Array(244).fill(0.7) };
    const y = start(61);
    const expected = oneEpoch(y, graph, settings);
    await optimizeLayout(y, graph, settings, { workers: 0 });
    y.forEach((v, e) => expect(Math.abs(v - expected[e]), `coordinate ${e}`).toBeLessThan(0.002));
    expect(Math.hypot(...y.map((v, e) => v - start(61)[e]))).toBeGreaterThan(5);
  });

  it('leaves out edges too light to be sampled once, and pushes points apart that lie on each other', async () => {
    const graph = { ...rings(40), weight: new Float32Array(160).fill(1).fill(0.4, 80) };
    const y = start(40);
    y.fill(3, 0, 8);
    const expected = oneEpoch(y, graph, settings);
    await optimizeLayout(y, graph, settings, { workers: 0 });
    y.forEach((v, e) => expect(Math.abs(v - expected[e])).toBeLessThan(0.002));
    expect(y.every(Number.isFinite)).toBe(true);
  });
});

describe('workers', () => {
  let built: Awaited<ReturnType<typeof poolBundle>>;
  let pool: Pool;
  beforeAll(async () => {
    built = await poolBundle();
    pool = new Pool({ bundle: built.bundle, size: 3 });
  });
  afterAll(async () => {
    await pool.dispose();
    built.remove();
  });

  it('give the same bits whatever their number', async () => {
    const graph = rings(3000);
    const layouts = [];
    for (const workers of [0, 1, 2, 3]) {
      const y = start(3000);
      await optimizeLayout(y, graph, { ...settings, epochs: 41 }, { workers, pool });
      layouts.push(y);
    }
    for (const y of layouts) expect(y).toEqual(layouts[0]);
    expect(layouts[0]).not.toEqual(start(3000));
  });

  it('report progress and stop when asked, and the next call runs', async () => {
    const graph = rings(20_000);
    const stop = new AbortController();
    const seen: number[] = [];
    const onProgress = ({ done }: { done?: number }): void => {
      seen.push(done ?? 0);
      if (done! > 0) stop.abort();
    };
    const endless = { ...settings, epochs: 100_000 };
    await expect(
      optimizeLayout(start(20_000), graph, endless, { workers: 2, pool, signal: stop.signal, onProgress }),
    ).rejects.toThrow('UMAP layout was cancelled');
    expect(seen.some((d) => d > 0 && d < 100_000)).toBe(true);
    const y = start(50);
    await optimizeLayout(y, rings(50), settings, { workers: 2, pool });
    expect(y).not.toEqual(start(50));
  });
});
