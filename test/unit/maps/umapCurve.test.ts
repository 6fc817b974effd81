import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findABParams } from 'umap-js/dist/umap.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { umap } from '#kernel/maps/umap.js';
import { curveParameters } from '#kernel/maps/umapCurve.js';
import { optimizeLayout } from '#kernel/maps/umapLayout.js';
import golden from '#test/goldens/umap-curve.json' with { type: 'json' };
import goldens from '#test/goldens/maps.json' with { type: 'json' };

/** Root mean square over umap-learn's points, in the units that the parameters have. */
function rms(spread: number, minDist: number, a: number, b: number): number {
  let sum = 0;
  for (let i = 0; i < 300; i++) {
    const d = (3 * spread * i) / 299;
    sum += (1 / (1 + a * d ** (2 * b)) - (d < minDist ? 1 : Math.exp(-(d - minDist) / spread))) ** 2;
  }
  return Math.sqrt(sum / 300);
}

/** Fits written down by another, one line a setting: in the folder of shared data beside the checkout. */
const GRID = ['../../../..', '../../../../..']
  .map((up) => path.resolve(import.meta.dirname, up, 'shared/faults/maps/umap-ab-grid.txt'))
  .find((file) => fs.existsSync(file));

describe("UMAP's curve", () => {
  it('is within 0.5 % of the least residual that scipy finds, with b above 0, for spreads from 0.01 to 100', () => {
    expect(golden.fits).toHaveLength(132);
    for (const [spread, minDist, a, b, least] of golden.fits) {
      const ours = curveParameters(spread, minDist);
      const setting = `spread ${spread}, minDist ${minDist}`;
      expect(ours.a, setting).toBeGreaterThan(0);
      expect(ours.b, setting).toBeGreaterThan(0);
      expect(rms(spread, minDist, a, b), setting).toBeCloseTo(least, 9);
      expect(rms(spread, minDist, ours.a, ours.b) / least, setting).toBeLessThan(1.005);
      const theirs = findABParams(spread, minDist);
      if (ours.a === theirs.a && ours.b === theirs.b) continue;
      expect(ours.b, setting).toBeCloseTo(b, 6);
      expect(ours.a / a, setting).toBeCloseTo(1, 4);
    }
  });

  it('is umap-js’s to the bit where that is a good fit, the defaults among them', () => {
    for (const [spread, minDist] of [
      [1, 0.1],
      [1, 0.01],
      [1, 0],
      [1, 0.25],
      [1.5, 0.75],
    ])
      // prettier-ignore
      expect(curveParameters(spread, minDist)).toEqual(findABParams(spread, minDist));
  });

  it('is that of umap-learn', () => {
    for (const [spread, minDist, a, b] of goldens.ab) {
      const ours = curveParameters(spread, minDist);
      expect(ours.a).toBeCloseTo(a, 1);
      expect(ours.b).toBeCloseTo(b, 1);
    }
  });

  it('is refused where spread leaves no numbers for it', () => {
    expect(() => curveParameters(1e-300, 0)).toThrow("UMAP's spread is 1e-300");
    expect(() => curveParameters(1e300, 1e300)).toThrow("UMAP's spread is 1e+300");
  });

  it('keeps neighbours together with minDist above half of spread', async () => {
    const random = new Random(1);
    const [n, d] = [300, 8];
    const centres = random.normals(new Float32Array(6 * d));
    const x = matrix(n, d, Float32Array.from({ length: n * d }, (_, i) => 3 * centres[(Math.floor(i / d) % 6) * d + (i % d)] + random.normal())); // prettier-ignore
    for (const [spread, minDist] of [
      [2, 1.5],
      [5, 5],
    ])
      // prettier-ignore
      expect((await umap(x, { spread, minDist, trustworthiness: 15, seed: 2 })).trustworthiness).toBeGreaterThan(0.85);
  });

  it('is as good as the better of two other fits', ({ skip }) => {
    if (!GRID) skip('the list umap-ab-grid.txt is not beside this checkout');
    const lines = fs.readFileSync(GRID!, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(132);
    for (const line of lines) {
      const found = /^spread (\S+)\s+min_dist (\S+).*best fit a (\S+) b (\S+) rms (\S+) \| umap-learn a (\S+) b (\S+) rms (\S+)/.exec(line); // prettier-ignore
      const [spread, minDist, a, b, printed, a2, b2, printed2] = found!.slice(1).map(Number);
      const better = Math.min(rms(spread, minDist, a, b), rms(spread, minDist, a2, b2));
      const ours = curveParameters(spread, minDist);
      const residual = rms(spread, minDist, ours.a, ours.b);
      expect(ours.b, line).toBeGreaterThan(0);
      expect(residual / better, line).toBeLessThan(1.005);
      // At least as good in the digits that the list gives.
      expect(Number(residual.toFixed(3)), line).toBeLessThanOrEqual(Math.min(printed, printed2));
    }
  });
});

describe("UMAP's layout", () => {
  it('moves by umap-learn’s learning rate, which begins whole and falls by 1/epochs with each epoch', async () => {
    // Two points and one edge, which pulls one end after the other and is damped by itself; no repulsion.
    const graph = { points: 2, head: Int32Array.of(0), tail: Int32Array.of(1), weight: Float32Array.of(1) };
    const curve = { a: 1.5, b: 0.9 };
    const reference = (epochs: number): number => {
      let distance = 3;
      for (let n = 0; n < epochs; n++) {
        const alpha = 0.1 * (1 - n / epochs);
        for (let moved = 0; moved < 2; moved++) {
          const power = curve.a * distance ** (2 * curve.b);
          const pull = (2 * curve.b * power) / distance ** 2 / (1 + power);
          distance -= (2 * alpha * pull * distance) / (1 + 0.75 * alpha * pull);
        }
      }
      return distance;
    };
    for (const epochs of [1, 2, 3, 7]) {
      const y = Float32Array.of(0, 0, 3, 0);
      await optimizeLayout(y, graph, { ...curve, epochs, learningRate: 0.1, negativeSampleRate: 1, repulsionStrength: 0, seed: 5 }); // prettier-ignore
      expect(y[2] - y[0], `${epochs} epochs`).toBeCloseTo(reference(epochs), 2);
      expect(Math.abs(reference(epochs) - 3)).toBeGreaterThan(0.1);
    }
  });
});

describe('a and b', () => {
  const x = matrix(60, 4, new Random(8).normals(new Float32Array(240)));

  it('take the place of the fit: those of the fit give its layout, others another, and the description says them', async () => {
    const { a, b } = curveParameters(1, 0.1);
    const fitted = await umap(x, { nEpochs: 30 });
    const given = await umap(x, { nEpochs: 30, a, b, minDist: 0.7 });
    expect(given.coordinates).toEqual(fitted.coordinates);
    const other = await umap(x, { nEpochs: 30, a: 3, b: 1.2 });
    expect(other.coordinates).not.toEqual(fitted.coordinates);
    expect(other.description).toContain('a 3, b 1.2, ');
  });

  it('are refused one without the other, and at 0', async () => {
    await expect(umap(x, { a: 1 })).rejects.toThrow('a is 1 and b is undefined; expected both or neither');
    await expect(umap(x, { b: 1 })).rejects.toThrow('a is undefined and b is 1; expected both or neither');
    await expect(umap(x, { a: 1, b: 0 })).rejects.toThrow('UMAP: b is 0; expected a number above 0');
  });
});
