/** Features that fire together, against counts and Pearson's r of firing made from the dense rows. */
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { CoFirings } from '#kernel/activations/together.js';
import { randomRows, sparse, toDense } from '#test/kit/rows.js';

/** Pearson's r of two 0/1 columns over some rows, two passes in float64. */
function phiOf(fires: (t: number, f: number) => number, rows: readonly number[], f: number, g: number): number {
  const mean = (h: number) => rows.reduce((s, t) => s + fires(t, h), 0) / rows.length;
  const [mf, mg] = [mean(f), mean(g)];
  let [cov, vf, vg] = [0, 0, 0];
  for (const t of rows) {
    const [x, y] = [fires(t, f) - mf, fires(t, g) - mg];
    cov += x * y;
    vf += x * x;
    vg += y * y;
  }
  return cov / Math.sqrt(vf * vg);
}

describe('features that fire together', () => {
  const [tokens, features] = [240, 9];
  const blocks = [randomRows(120, features, 0.3, 1), randomRows(120, features, 0.3, 2)];
  const dense = blocks.flatMap((rows) => [...toDense(rows)]);
  const fires = (t: number, f: number): number => Number(dense[t * features + f] > 0);
  const all = Array.from({ length: tokens }, (_, t) => t);

  it.each([
    ['all tokens', undefined, 1, all],
    ['every third sequence', 240, 3, all.filter((t) => Math.floor(t / 12) % 3 === 0)],
  ])('phi, counts and what chance would give, over %s', async (_, limit, stride, rows) => {
    const found = await CoFirings.read(memoryActivations(blocks, { context: 12 }), {}, limit);
    expect([found.stride, found.tokens]).toEqual([stride, rows.length]);
    for (let f = 0; f < features; f++) {
      const count = (g: number) => rows.filter((t) => fires(t, f) && fires(t, g)).length;
      const expected = Array.from({ length: features }, (_g, g) => g)
        .filter((g) => g !== f)
        .map((g) => ({ feature: g, phi: phiOf(fires, rows, f, g) }))
        .filter(({ feature, phi }) => phi > 0 && count(feature) > 0)
        .sort((a, b) => Math.round(1e12 * (b.phi - a.phi)) || a.feature - b.feature);
      const own = found.of(f, features);
      expect(own.map(({ feature }) => feature)).toEqual(expected.map(({ feature }) => feature));
      own.forEach(({ feature, phi, both, expected: chance }, i) => {
        expect(phi).toBeCloseTo(expected[i].phi, 12);
        expect(both).toBe(count(feature));
        expect(chance).toBeCloseTo((count(f) * rows.filter((t) => fires(t, feature)).length) / rows.length, 10);
      });
    }
  });

  it('ignored rows are no tokens; dead features and those that always fire have no company; ties go to the lower', async () => {
    // Feature 0 fires on all that counts, 1 and 2 together, 3 with them, 4 never.
    const row = (...fs: number[]) => fs.map((f) => [f, 1] as const);
    const rows = sparse(5, [row(0, 1, 2, 3), row(0), row(0, 1, 2, 3), row(0), row()]);
    const store = memoryActivations(rows, { ignored: Uint8Array.of(0, 0, 0, 0, 1) });
    const found = await CoFirings.read(store);
    expect(found.tokens).toBe(4);
    expect(found.of(0, 5)).toEqual([]);
    expect(found.of(4, 5)).toEqual([]);
    expect(found.of(1, 5)).toEqual([
      { feature: 2, both: 2, expected: 1, phi: 1 },
      { feature: 3, both: 2, expected: 1, phi: 1 },
    ]);
    expect(found.of(1, 1)).toHaveLength(1);
    expect(() => found.of(5, 1)).toThrow('feature 5 does not exist: features are 0 to 4');
  });
});
