/** Matchers that weigh all features at once: the assignment of largest total r over all pairs, and Sinkhorn's plan. */
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { linearAssignment } from '#kernel/compute/assignment.js';
import { Random } from '#kernel/compute/random.js';
import { hubs } from '#kernel/correlation/hubs.js';
import { correlate } from '#kernel/correlation/map.js';
import { fromDense } from '#test/kit/rows.js';

const TOKENS = 400;

/** Features that fire by shared causes, so that many compete for the same counterpart. */
function dense(features: number, seed: number, causes = 12): Float64Array {
  const shared = new Random(99);
  const cause = Float64Array.from({ length: TOKENS * causes }, () => (shared.next() < 0.15 ? shared.next() + 0.2 : 0));
  const random = new Random(seed);
  const out = new Float64Array(TOKENS * features);
  for (let f = 0; f < features; f++) {
    const own = random.int(causes);
    for (let t = 0; t < TOKENS; t++) {
      const value =
        cause[t * causes + own] * (random.next() < 0.7 ? 1 : 0) + (random.next() < 0.03 ? random.next() : 0);
      out[t * features + f] = Math.fround(value);
    }
  }
  return out;
}

const storeOf = (data: Float64Array, features: number) => memoryActivations(fromDense(data, TOKENS, features));

/** All r by the definition, float64: [B × A]. */
function allR(a: Float64Array, featuresA: number, b: Float64Array, featuresB: number): Float64Array {
  const column = (data: Float64Array, n: number, f: number) =>
    Array.from({ length: TOKENS }, (_, t) => data[t * n + f]);
  const centred = (values: number[]) => {
    const mean = values.reduce((s, v) => s + v, 0) / TOKENS;
    const of = values.map((v) => v - mean);
    const norm = Math.sqrt(of.reduce((s, v) => s + v * v, 0));
    return of.map((v) => v / norm);
  };
  const sideA = Array.from({ length: featuresA }, (_, f) => centred(column(a, featuresA, f)));
  const out = new Float64Array(featuresB * featuresA);
  for (let f = 0; f < featuresB; f++) {
    const own = centred(column(b, featuresB, f));
    sideA.forEach((other, g) => (out[f * featuresA + g] = own.reduce((s, v, t) => s + v * other[t], 0)));
  }
  return out;
}

describe("match: 'hungarian'", () => {
  it.each([
    [60, 80],
    [90, 50],
  ])('has the largest total r of all one-to-one choices among all %i × %i pairs', async (featuresA, featuresB) => {
    const [a, b] = [dense(featuresA, 1), dense(featuresB, 2)];
    const r = allR(a, featuresA, b, featuresB);
    const { total } = await linearAssignment(
      r.map((v) => Math.max(0, v)),
      featuresB,
      featuresA,
      { maximize: true },
    );
    const map = await correlate(storeOf(a, featuresA), storeOf(b, featuresB), { match: 'hungarian', counterparts: 1 });
    const { pairs } = map;
    expect(new Set(pairs.a).size).toBe(pairs.a.length);
    expect(new Set(pairs.b).size).toBe(pairs.b.length);
    const sum = [...pairs.a.keys()].reduce((s, i) => s + r[pairs.b[i] * featuresA + pairs.a[i]], 0);
    expect(sum).toBeCloseTo(total, 9);
    pairs.r.forEach((value, i) => expect(value).toBeCloseTo(r[pairs.b[i] * featuresA + pairs.a[i]], 6));
    expect(Math.min(...pairs.r)).toBeGreaterThan(0);
    // Greedy by r gives up total for single strong pairs: the two are not the same thing.
    const greedy = await correlate(storeOf(a, featuresA), storeOf(b, featuresB), { match: 'one-to-one' });
    expect(greedy.pairs.r.reduce((s, v) => s + v, 0)).toBeLessThan(total - 1e-6);
    expect(map.bestAofB).toEqual((await correlate(storeOf(a, featuresA), storeOf(b, featuresB), { counterparts: 1 })).bestAofB); // prettier-ignore
  });

  it('looks beyond its candidates: 200 features that share one cause have their best in one another', async () => {
    const [a, b] = [dense(200, 3, 1), dense(200, 4, 1)];
    const r = allR(a, 200, b, 200);
    const { total } = await linearAssignment(
      r.map((v) => Math.max(0, v)),
      200,
      200,
      { maximize: true },
    );
    const { pairs } = await correlate(storeOf(a, 200), storeOf(b, 200), { match: 'hungarian' });
    expect([...pairs.a.keys()].reduce((s, i) => s + r[pairs.b[i] * 200 + pairs.a[i]], 0)).toBeCloseTo(total, 9);
  });
});

describe("match: 'sinkhorn'", () => {
  it('is the argmax of the plan written by the definition, where every pair is a candidate', async () => {
    const [featuresA, featuresB] = [24, 30];
    const [a, b] = [dense(featuresA, 5), dense(featuresB, 6)];
    const r = allR(a, featuresA, b, featuresB);
    const K = r.map((v) => Math.exp((v - 1) / 0.05));
    const u = new Float64Array(featuresB);
    const v = new Float64Array(featuresA).fill(1);
    for (let turn = 0; turn < 80; turn++) {
      for (let i = 0; i < featuresB; i++) {
        let sum = 0;
        for (let j = 0; j < featuresA; j++) sum += K[i * featuresA + j] * v[j];
        u[i] = 1 / featuresB / sum;
      }
      for (let j = 0; j < featuresA; j++) {
        let sum = 0;
        for (let i = 0; i < featuresB; i++) sum += K[i * featuresA + j] * u[i];
        v[j] = 1 / featuresA / sum;
      }
    }
    const best = Array.from({ length: featuresB }, (_, i) => {
      const row = Array.from({ length: featuresA }, (_, j) => K[i * featuresA + j] * v[j]);
      return row.indexOf(Math.max(...row));
    });
    const { pairs } = await correlate(storeOf(a, featuresA), storeOf(b, featuresB), { match: 'sinkhorn' });
    expect([...pairs.b]).toEqual([...best.keys()]);
    expect([...pairs.a]).toEqual(best);
    const plain = await correlate(storeOf(a, featuresA), storeOf(b, featuresB), { match: 'argmax' });
    expect([...pairs.a]).not.toEqual([...plain.pairs.a]);
    // A plan of equal masses spreads over more of A than the best of each B does.
    expect(new Set(pairs.a).size).toBeGreaterThan(new Set(plain.pairs.a).size);
  });
});

describe('hubs', () => {
  it('are features with more than one pair, the most first', () => {
    const pairs = {
      a: Int32Array.of(4, 4, 4, 2, 2, 7),
      b: Int32Array.of(0, 1, 2, 2, 3, 3),
      r: Float32Array.of(0.5, 0.75, 0.25, 0.125, 0.5, 1),
    };
    expect(hubs(pairs)).toEqual([
      { side: 'A', feature: 4, pairs: 3, share: 0.5, meanR: 0.5, bestR: 0.75, partners: [1, 0, 2] },
      { side: 'A', feature: 2, pairs: 2, share: 2 / 6, meanR: 0.3125, bestR: 0.5, partners: [3, 2] },
      { side: 'B', feature: 2, pairs: 2, share: 2 / 6, meanR: 0.1875, bestR: 0.25, partners: [4, 2] },
      { side: 'B', feature: 3, pairs: 2, share: 2 / 6, meanR: 0.75, bestR: 1, partners: [7, 2] },
    ]);
    expect(hubs(pairs, 3)).toHaveLength(1);
    expect(hubs({ a: Int32Array.of(), b: Int32Array.of(), r: Float32Array.of() })).toEqual([]);
  });
});
