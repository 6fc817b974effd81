import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { turned, turnOnto } from '#kernel/maps/procrustes.js';
import type { Layout } from '#kernel/maps/types.js';

const layoutOf = (coordinates: Float32Array): Layout => ({
  id: 'x',
  coordinates,
  points: coordinates.length / 2,
  method: 'pca',
  description: 'PCA',
  parameters: {},
  excluded: 0,
});

const cloud = (points: number, seed: number): Float32Array =>
  new Random(seed).normals(new Float32Array(2 * points)) as Float32Array;

/** Mirrored, turned, scaled, shifted. */
function moved(from: Float32Array, mirror: 1 | -1, angle: number, scale: number): Float32Array {
  const out = new Float32Array(from.length);
  for (let i = 0; i < from.length; i += 2) {
    const [p, q] = [from[i], mirror * from[i + 1]];
    out[i] = 7 + scale * (Math.cos(angle) * p - Math.sin(angle) * q);
    out[i + 1] = -3 + scale * (Math.sin(angle) * p + Math.cos(angle) * q);
  }
  return out;
}

const same = (n: number) => ({ a: Int32Array.from({ length: n }, (_, i) => i), b: Int32Array.from({ length: n }, (_, i) => i) }); // prettier-ignore

describe('a layout turned onto another', () => {
  for (const mirror of [1, -1] as const)
    it(`finds a planted turn${mirror < 0 ? ' with reflection' : ''}, over pairs in any order, points without pair included`, () => {
      const b = cloud(40, 1);
      const fixed = moved(b, mirror, 2.1, 0.4);
      // Of the first 30 points only, backwards.
      const pairs = { a: Int32Array.from({ length: 30 }, (_, i) => 29 - i), b: Int32Array.from({ length: 30 }, (_, i) => 29 - i) }; // prettier-ignore
      const { turn, coordinates } = turnOnto(layoutOf(fixed), layoutOf(b), pairs);
      expect(turn).toMatchObject({ mirrored: mirror < 0, pairs: 30 });
      expect(turn.angle).toBeCloseTo(2.1, 5);
      expect(turn.scale).toBeCloseTo(0.4, 5);
      expect(turn.rest).toBeLessThan(1e-3);
      coordinates.forEach((v, e) => expect(v).toBeCloseTo(fixed[e], 4));
    });

  it('is the least of all turns, by 7,200 tried, with and without reflection and scale', () => {
    const [a, b] = [cloud(25, 2), cloud(25, 3).map((v, e) => v + 0.3 * cloud(25, 2)[e])];
    const centred = (y: Float32Array): Float64Array => {
      const mean = [0, 1].map((c) => y.reduce((sum, v, e) => sum + (e % 2 === c ? v : 0), 0) / 25);
      return Float64Array.from(y, (v, e) => v - mean[e % 2]);
    };
    const [u, v] = [centred(a), centred(b)];
    const spread = u.reduce((sum, e) => sum + e * e, 0);
    for (const reflection of [false, true])
      for (const scale of [false, true]) {
        let least = Infinity;
        for (let step = 0; step < 3600; step++)
          for (const mirror of reflection ? [1, -1] : [1]) {
            const [c, s] = [Math.cos((step * Math.PI) / 1800), Math.sin((step * Math.PI) / 1800)];
            const t = v.map((_, e) =>
              e % 2 === 0 ? c * v[e] - s * mirror * v[e + 1] : s * v[e - 1] + c * mirror * v[e],
            );
            const along = t.reduce((sum, e, i) => sum + e * u[i], 0) / t.reduce((sum, e) => sum + e * e, 0);
            const size = scale ? along : 1;
            least = Math.min(least, t.reduce((sum, e, i) => sum + (u[i] - size * e) ** 2, 0)); // prettier-ignore
          }
        const { turn } = turnOnto(layoutOf(a), layoutOf(b), same(25), { reflection, scale });
        expect(turn.rest ** 2 * spread).toBeLessThanOrEqual(least + 1e-6);
        expect(turn.rest ** 2 * spread).toBeGreaterThan(least - 1e-3);
        expect(turn.scale === 1).toBe(!scale);
      }
  });

  it('leaves pairs out that a layout does not place, keeps the others NaN, and says the turn', () => {
    const b = cloud(10, 4);
    const fixed = moved(b, 1, 0.5, 2);
    b[6] = NaN;
    b[7] = NaN;
    const layout = turned(layoutOf(fixed), layoutOf(b), same(10));
    expect(layout.description).toBe(
      'PCA; turned by 28.6°, scaled by 2.000 onto the other layout over 9 pairs (they lie 0.00 of its spread apart)',
    );
    expect(layout.coordinates.filter(Number.isNaN)).toHaveLength(2);
    expect(layout.id).not.toBe('x');
  });

  it('has finite figures for points on one place, and refuses pairs that do not fit', () => {
    const one = layoutOf(new Float32Array(8).fill(3));
    const { turn, coordinates } = turnOnto(layoutOf(cloud(4, 5)), one, same(4));
    expect(turn).toMatchObject({ scale: 1, rest: 1 });
    expect(coordinates.every(Number.isFinite)).toBe(true);
    expect(() => turnOnto(one, one, same(5))).toThrow('layouts of 4 and 4 points: pair 4 is 4 and 4; give the map');
    expect(() => turnOnto(one, one, same(1))).toThrow('needs 2 pairs that both layouts place but got 1 of 1');
  });
});
