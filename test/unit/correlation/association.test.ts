/** Cosine, Jaccard, phi and mutual information of firing: maps and pairs against float64 loops over dense columns. */
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { ASSOCIATIONS, pairAssociations, type Association } from '#kernel/correlation/association.js';
import { leastMemory } from '#kernel/correlation/lists.js';
import { correlate } from '#kernel/correlation/map.js';
import { fromDense, randomRows, toDense } from '#test/kit/rows.js';

const TOKENS = 300;
const [FA, FB] = [14, 11];
const dense = [toDense(randomRows(TOKENS, FA, 0.15, 3)), toDense(randomRows(TOKENS, FB, 0.2, 4))];
// A dead feature, one that always fires at one level, two that never fire together, and one that is a copy.
for (let t = 0; t < TOKENS; t++) {
  dense[0][t * FA] = 0;
  dense[0][t * FA + 1] = 2;
  dense[0][t * FA + 2] = t % 2 === 0 ? 1 : 0;
  dense[1][t * FB + 2] = t % 2 === 1 ? 3 : 0;
  dense[1][t * FB + 3] = dense[0][t * FA + 3];
}
const columns = [FA, FB].map((n, s) => Array.from({ length: n }, (_, f) => Array.from({ length: TOKENS }, (_, t) => dense[s][t * n + f]))); // prettier-ignore

const mean = (x: number[]) => x.reduce((s, v) => s + v, 0) / x.length;
function pearson(x: number[], y: number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  const dot = (u: number[], mu: number, v: number[], mv: number) =>
    u.reduce((s, w, i) => s + (w - mu) * (v[i] - mv), 0);
  return dot(x, mx, y, my) / Math.sqrt(dot(x, mx, x, mx) * dot(y, my, y, my));
}
const fires = (x: number[]) => x.map((v) => Number(v > 0));

/** Each measure by its definition. */
const BY_HAND: Record<Association, (x: number[], y: number[]) => number> = {
  pearson,
  cosine: (x, y) => x.reduce((s, v, i) => s + v * y[i], 0) / Math.sqrt(x.reduce((s, v) => s + v * v, 0) * y.reduce((s, v) => s + v * v, 0)), // prettier-ignore
  jaccard: (x, y) => x.filter((v, i) => v > 0 && y[i] > 0).length / x.filter((v, i) => v > 0 || y[i] > 0).length,
  phi: (x, y) => pearson(fires(x), fires(y)),
  'mutual-information': (x, y) => {
    const [fx, fy] = [fires(x), fires(y)];
    const share = (u: number, v: number) => fx.filter((w, i) => w === u && fy[i] === v).length / TOKENS;
    const [px, py] = [mean(fx), mean(fy)];
    let bits = 0;
    for (const [u, pu] of [[0, 1 - px], [1, px]]) for (const [v, pv] of [[0, 1 - py], [1, py]]) { const p = share(u, v); if (p > 0) bits += p * Math.log2(p / (pu * pv)); } // prettier-ignore
    return bits;
  },
};

const stores = [FA, FB].map((n, s) => memoryActivations(fromDense(dense[s], TOKENS, n)));

describe('correlate by another measure', () => {
  it.each(ASSOCIATIONS)('%s: the best of each feature are those of the definition', async (by) => {
    const map = await correlate(stores[0], stores[1], { by, counterparts: 4, minFirings: 1 });
    for (let f = 0; f < FB; f++) {
      const value = columns[0].map((x) => BY_HAND[by](x, columns[1][f]));
      const together = columns[0].map((x) => x.some((v, t) => v > 0 && columns[1][f][t] > 0));
      const counts = (g: number) => Number.isFinite(value[g]) && (by === 'pearson' || by === 'phi' || together[g]);
      const best = [...value.keys()]
        .filter(counts)
        .sort((i, j) => value[j] - value[i] || i - j)
        .slice(0, 4);
      const listed = [...map.bestAofB.subarray(4 * f, 4 * f + 4)].filter((a) => a >= 0);
      expect(listed).toHaveLength(best.length);
      listed.forEach((a, i) => {
        expect(map.rAofB[4 * f + i]).toBeCloseTo(value[best[i]], 5);
        expect(value[a]).toBeCloseTo(value[best[i]], 9);
      });
    }
    expect([...map.bestBofA.subarray(0, 4)]).toEqual([-1, -1, -1, -1]);
    expect(map.method).toContain(by === 'pearson' ? 'Pearson r of activations' : by === 'mutual-information' ? 'mutual information' : by === 'jaccard' ? 'Jaccard' : by); // prettier-ignore
    const memoryBytes = leastMemory(stores[0].meta, stores[1].meta);
    const streamed = await correlate(stores[0], stores[1], { by, counterparts: 4, minFirings: 1, memoryBytes });
    expect(streamed.rAofB).toEqual(map.rAofB);
    expect(streamed.bestAofB).toEqual(map.bestAofB);
  });

  it('has another identity for another measure, and the one that it had for r', async () => {
    const ids = await Promise.all(ASSOCIATIONS.map(async (by) => (await correlate(stores[0], stores[1], { by })).id));
    expect(new Set(ids).size).toBe(ASSOCIATIONS.length);
    expect((await correlate(stores[0], stores[1])).id).toBe(ids[0]);
  });
});

describe('pairAssociations', () => {
  it('has every measure of every pair by its definition, NaN where there is none', async () => {
    const all = Array.from({ length: FA * FB }, (_, i) => [i % FA, Math.floor(i / FA)]);
    const pairs = { a: Int32Array.from(all, (p) => p[0]), b: Int32Array.from(all, (p) => p[1]) };
    const found = await pairAssociations(stores[0], stores[1], pairs);
    found.forEach(({ a, b, both, pearson, cosine, jaccard, phi, mutualInformation }, i) => {
      expect([a, b]).toEqual(all[i]);
      const [x, y] = [columns[0][a], columns[1][b]];
      expect(both).toBe(x.filter((v, t) => v > 0 && y[t] > 0).length);
      const got = { pearson, cosine, jaccard, phi, 'mutual-information': a === 0 ? NaN : mutualInformation };
      for (const by of ASSOCIATIONS) {
        const expected = a === 0 ? NaN : BY_HAND[by](x, y);
        if (Number.isNaN(expected)) expect(got[by], `${by} of ${a}, ${b}`).toBeNaN();
        else expect(got[by], `${by} of ${a}, ${b}`).toBeCloseTo(expected, 11);
      }
    });
    const copy = found.find(({ a, b }) => a === 3 && b === 3)!;
    expect([copy.pearson, copy.cosine, copy.jaccard, copy.phi].map((v) => Number(v.toFixed(12)))).toEqual([1, 1, 1, 1]);
  });
});
