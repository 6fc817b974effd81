import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { Bits } from '#kernel/compute/sampling/bits.js';
import {
  bivariateUpper,
  jointOfLatent,
  latentOfPhi,
  normalCdf,
  normalQuantile,
  phiBounds,
  phiOfJoint,
} from '#kernel/compute/sampling/normal.js';

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, '../../goldens/worlds.json'), 'utf8')) as {
  bivariate: Array<[h: number, k: number, r: number, p: number]>;
  cdf: Array<[x: number, p: number]>;
  quantile: Array<[p: number, x: number]>;
};

describe('the normal distribution', () => {
  it('agrees with scipy in one dimension', () => {
    for (const [x, p] of goldens.cdf) expect(Math.abs(normalCdf(x) - p)).toBeLessThan(1e-12 * p);
    for (const [p, x] of goldens.quantile)
      expect(Math.abs(normalQuantile(p) - x)).toBeLessThan(1e-13 * (1 + Math.abs(x)));
  });

  it('agrees with scipy in two dimensions, at every correlation', () => {
    for (const [h, k, r, p] of goldens.bivariate) {
      const error = Math.abs(bivariateUpper(h, k, r) - p);
      expect(error, `P(X > ${h}, Y > ${k}; ${r})`).toBeLessThan(2e-14);
    }
  });

  it('gives the closed form at the medians: 1/4 + asin(r)/2π', () => {
    for (const r of [-0.99, -0.6, 0, 0.2, 0.95, 0.9999])
      expect(bivariateUpper(0, 0, r)).toBeCloseTo(0.25 + Math.asin(r) / (2 * Math.PI), 14);
  });

  it('finds the latent correlation of a wanted phi', () => {
    for (const [p, q, phi] of [
      [0.01, 0.02, 0.3],
      [0.3, 0.3, -0.2],
      [0.001, 0.001, 0.9],
      [0.5, 0.1, 0.1],
    ]) {
      const joint = jointOfLatent(p, q, latentOfPhi(p, q, phi));
      expect(phiOfJoint(p, q, joint)).toBeCloseTo(phi, 9);
    }
  });

  it('refuses a phi that the marginals forbid, with the feasible range', () => {
    expect(phiBounds(0.01, 0.5)[1]).toBeCloseTo(Math.sqrt(0.01 / 0.99), 12);
    expect(phiBounds(0.5, 0.5)).toEqual([-1, 1]);
    expect(() => latentOfPhi(0.01, 0.5, 0.2)).toThrow(/-0\.1005 to 0\.1005 \(Fréchet bounds\) but 0\.2/);
  });
});

describe('random numbers for sampling', () => {
  it('are normal: moments and tails within 4 standard errors', () => {
    const n = 1_000_000;
    const x = new Float64Array(n);
    new Bits(new Random(5)).normals(x);
    const mean = (f: (v: number) => number): number => x.reduce((sum, v) => sum + f(v), 0) / n;
    expect(Math.abs(mean((v) => v)) * Math.sqrt(n)).toBeLessThan(4);
    expect(Math.abs(mean((v) => v * v) - 1) * Math.sqrt(n / 2)).toBeLessThan(4);
    expect(Math.abs(mean((v) => v ** 4) - 3) * Math.sqrt(n / 96)).toBeLessThan(4);
    for (const cut of [-3.7, -2, -0.5, 0.1, 1, 2.5, 3.6]) {
      const p = normalCdf(cut);
      const share = mean((v) => (v < cut ? 1 : 0));
      expect(Math.abs(share - p) / Math.sqrt((p * (1 - p)) / n), `below ${cut}`).toBeLessThan(4);
    }
  });
});
