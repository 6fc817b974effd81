import { describe, expect, it } from 'vitest';
import { matrix } from '#kernel/compute/matrix.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import {
  counterpartsOf,
  hypergeometricTail,
  nodeOverlap,
  overlapMatrix,
  type CounterpartMap,
} from '#kernel/mapper/overlap.js';
import type { MapperGraph } from '#kernel/mapper/types.js';

const EMPTY = await mapperGraph(matrix(0, 1));

function graphOf(points: number, nodes: readonly number[][]): MapperGraph {
  const membersAt = Int32Array.from([0, ...nodes.map((_, i) => nodes.slice(0, i + 1).flat().length)]);
  return { ...EMPTY, points, nodes: nodes.length, membersAt, members: Int32Array.from(nodes.flat()) };
}

function mapOf(featuresB: number, best: readonly number[]): CounterpartMap {
  const bestAofB = new Int32Array(featuresB).fill(-1);
  best.forEach((b, a) => b >= 0 && (bestAofB[b] = a));
  return {
    featuresA: best.length,
    featuresB,
    counterparts: 1,
    bestBofA: Int32Array.from(best),
    rBofA: Float32Array.from(best, (b) => (b < 0 ? NaN : 0.5)),
    bestAofB,
    rAofB: Float32Array.from(bestAofB, (a) => (a < 0 ? NaN : 0.5)),
    pairs: { a: Int32Array.of(0, 1, 0), b: Int32Array.of(1, 1, 2), r: Float32Array.of(0.25, 0.75, 0.5) },
  };
}

describe('nodeOverlap', () => {
  it('counts the members whose counterpart lies in the other node', () => {
    const a = graphOf(5, [
      [0, 1, 2, 3],
      [3, 4],
    ]);
    const b = graphOf(4, [[0, 1], [1, 2], [3]]);
    // Point 2 has no counterpart; point 4's is in the last node.
    const { overlap, hits } = overlapMatrix(a, b, Int32Array.of(0, 1, -1, 2, 3));
    expect([...hits]).toEqual([2, 2, 0, 0, 1, 1]);
    expect([...overlap]).toEqual([0.5, 0.5, 0, 0, 0.5, 0.5]);
  });

  it('graphs that correspond stand far above counterparts exchanged at random', async () => {
    const n = 60;
    const nodes = [0, 1, 2, 3].map((k) => Array.from({ length: 15 }, (_, i) => 15 * k + i));
    const a = graphOf(n, nodes);
    const o = await nodeOverlap(a, graphOf(n, nodes), mapOf(n, [...Array(n).keys()]), { nulls: 19, seed: 1 });
    expect(o.best.map((m) => [m.a, m.b, m.overlap, m.hits, m.expected])).toEqual(
      [0, 1, 2, 3].map((k) => [k, k, 1, 15, 0.25]),
    );
    for (const { p } of o.best) expect(p).toBeCloseTo(4 * hypergeometricTail(15, 60, 15, 15), 20);
    expect(o.mean.value).toBe(1);
    expect(o.mean.p).toBe(1 / 20);
    expect(o.mean.null.mean).toBeLessThan(0.55);
    expect([o.matched, o.inNodes]).toEqual([60, 60]);
  });

  it('counterparts at random are not significant', async () => {
    const n = 60;
    const nodes = [0, 1, 2].map((k) => Array.from({ length: 20 }, (_, i) => 20 * k + i));
    const shuffled = [...Array(n).keys()].map((i) => (i * 37 + 11) % n);
    const o = await nodeOverlap(graphOf(n, nodes), graphOf(n, nodes), mapOf(n, shuffled), { nulls: 49 });
    expect(o.mean.p).toBeGreaterThan(0.1);
    for (const { p } of o.best) expect(p).toBeGreaterThan(0.05);
  });

  it('takes the best counterpart, or the matched pair with the highest r', () => {
    const map = mapOf(3, [2, -1]);
    expect(counterpartsOf(map).a).toEqual({ counterpart: Int32Array.of(2, -1), r: Float32Array.of(0.5, NaN) });
    expect(counterpartsOf(map, 'pairs')).toEqual({
      a: { counterpart: Int32Array.of(2, 1), r: Float32Array.of(0.5, 0.75) },
      b: { counterpart: Int32Array.of(-1, 1, 0), r: Float32Array.of(NaN, 0.75, 0.5) },
    });
  });

  it('the tail agrees with scipy', () => {
    // scipy.stats.hypergeom.sf(k - 1, N, K, m)
    expect(hypergeometricTail(3, 20, 7, 6)).toBeCloseTo(0.33591331269349844, 12);
    expect(hypergeometricTail(6, 20, 7, 6) / 0.00018059855521155831).toBeCloseTo(1, 10);
    expect(hypergeometricTail(40, 5000, 200, 300) / 4.243611141740382e-12).toBeCloseTo(1, 8);
    expect([hypergeometricTail(0, 5, 2, 2), hypergeometricTail(3, 5, 2, 2), hypergeometricTail(1, 4, 3, 2)]).toEqual([1, 0, 1]); // prettier-ignore
  });

  it('is defined for empty graphs and no counterpart, and refuses maps of other features', async () => {
    const a = graphOf(2, [[0, 1]]);
    const none = await nodeOverlap(a, graphOf(3, []), mapOf(3, [-1, -1]), { nulls: 3 });
    expect([none.best[0].b, none.best[0].p, none.mean.value, none.mean.p]).toEqual([-1, 1, 0, 1]);
    expect((await nodeOverlap(graphOf(2, []), a, mapOf(2, [0, 1]), { nulls: 3 })).mean.value).toBeNaN();
    await expect(nodeOverlap(a, graphOf(4, []), mapOf(3, [0, 1]))).rejects.toThrow(/graph B is of 4 points/);
    await expect(nodeOverlap(graphOf(5, []), graphOf(3, []), mapOf(3, [0, 1]))).rejects.toThrow(/graph A is of 5/);
  });
});
