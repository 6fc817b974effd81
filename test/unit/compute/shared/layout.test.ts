import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { KERNELS } from '#kernel/compute/shared/kernels.js';
import { GROUPS } from '#kernel/compute/shared/layout.js';
import { optimizeLayout } from '#kernel/maps/umapLayout.js';
import type { FuzzyGraph } from '#kernel/maps/fuzzyGraph.js';
import { heldPool } from '#test/kit/heldPool.js';

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

/**
 * One epoch in float64, written from the rule: groups of a random order, one after the other; of a vertex the pulls of all
 * edges, then the negative samples, in a step damped by the sum of the pulls.
 */
function oneEpoch(given: Float32Array, whole: FuzzyGraph, p: typeof settings): Float64Array {
  const n = whole.points;
  const place = new Random(p.seed).permutation(n);
  const graph = { ...whole, head: whole.head.map((i) => place[i]), tail: whole.tail.map((i) => place[i]) };
  const y = new Float64Array(2 * n);
  place.forEach((to, i) => y.set(given.subarray(2 * i, 2 * i + 2), 2 * to));
  const group = Math.ceil(n / GROUPS);
  for (let from = 0; from < n; from += group) y.set(movedGroup(y, graph, p, from, Math.min(n, from + group)), 2 * from);
  const out = new Float64Array(2 * n);
  place.forEach((at, i) => out.set(y.subarray(2 * at, 2 * at + 2), 2 * i));
  return out;
}

/** Where the vertices from … to − 1 are after their turn. */
function movedGroup(y: Float64Array, graph: FuzzyGraph, p: typeof settings, from: number, to: number): Float64Array {
  const n = graph.points;
  const out = new Float64Array(2 * (to - from));
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
  for (let i = from; i < to; i++) {
    let [sx, sy, sum, samples] = [0, 0, 0, 0];
    for (let e = 0; e < graph.head.length; e++) {
      const w = graph.weight[e] / heaviest;
      if (w < 1 / p.epochs || (graph.head[e] !== i && graph.tail[e] !== i)) continue;
      const j = graph.head[e] === i ? graph.tail[e] : graph.head[e];
      const [dx, dy] = [y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]];
      const c = w * pull(dx * dx + dy * dy);
      [sx, sy, sum, samples] = [sx + c * dx, sy + c * dy, sum + c, samples + p.negativeSampleRate * w];
    }
    const step = p.learningRate / (1 + 0.75 * p.learningRate * sum);
    let [x0, y0] = [y[2 * i] - 2 * step * sx, y[2 * i + 1] - 2 * step * sy];
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
      x0 += step * moved[0];
      y0 += step * moved[1];
    }
    [out[2 * (i - from)], out[2 * (i - from) + 1]] = [x0, y0];
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
  const held = heldPool();

  it('give the same bits whatever their number', async () => {
    const graph = rings(3000);
    const layouts = [];
    for (const workers of [0, 1, 2, 3]) {
      const y = start(3000);
      await optimizeLayout(y, graph, { ...settings, epochs: 41 }, { workers, pool: held.pool });
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
      optimizeLayout(start(20_000), graph, endless, { workers: 2, pool: held.pool, signal: stop.signal, onProgress }),
    ).rejects.toThrow('UMAP layout was cancelled');
    expect(seen.some((d) => d > 0 && d < 100_000)).toBe(true);
    const y = start(50);
    await optimizeLayout(y, rings(50), settings, { workers: 2, pool: held.pool });
    expect(y).not.toEqual(start(50));
  });
});
