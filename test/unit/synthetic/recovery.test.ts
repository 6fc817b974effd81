import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { linearAssignment } from '#kernel/compute/assignment.js';
import { AbsorptionCounter, splitCounts } from '#kernel/synthetic/recovery/absorption.js';
import { cosines, unitRows } from '#kernel/compute/cosines.js';
import { cosineRecovery, randomDictionary } from '#kernel/synthetic/recovery/cosines.js';
import { firingRecovery } from '#kernel/synthetic/recovery/firing.js';
import { dictionaryRecovery, saeRecovery } from '#kernel/synthetic/recovery/recovery.js';
import type { SimilarityScore } from '#kernel/correlation/types.js';
import { fromRows } from '#test/kit/rows.js';
import { handSae } from '#test/kit/sae.js';
import { basis, directions, handWorld, independent, matrixOf } from '#test/kit/world.js';

const byName = (scores: readonly SimilarityScore[]): Record<string, SimilarityScore> =>
  Object.fromEntries(scores.map((s) => [s.metric, s]));

interface AssignmentCase {
  kind: string;
  rows: number;
  cols: number;
  entries: number[];
  minimum: number;
  maximum: number;
}

describe('linearAssignment', () => {
  const file = join(import.meta.dirname, '../../goldens/assignment.json');
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: AssignmentCase[] };
  it.each(cases.map((c) => [`${c.kind} ${c.rows} × ${c.cols}`, c] as const))('%s: the total of scipy', async (_, c) => {
    const entries = Float64Array.from(c.entries);
    for (const maximize of [false, true]) {
      const { rows, cols, total } = await linearAssignment(entries, c.rows, c.cols, { maximize });
      const wanted = maximize ? c.maximum : c.minimum;
      expect(Math.abs(total - wanted)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(wanted)));
      expect(new Set(cols).size).toBe(Math.min(c.rows, c.cols));
      expect([...rows]).toEqual([...new Set(rows)].sort((x, y) => x - y));
      expect(rows.reduce((sum, r, i) => sum + entries[r * c.cols + cols[i]], 0)).toBeCloseTo(total, 9);
    }
  });

  it('is the best of all permutations', async () => {
    const random = new Random(3);
    for (let n = 1; n <= 6; n++) {
      for (let m = n; m <= 7; m++) {
        // Small whole numbers make many ties.
        const entries = Float64Array.from({ length: n * m }, () => (n % 2 ? random.int(3) : random.normal()));
        let best = Infinity;
        const visit = (row: number, used: number, sum: number): void => {
          if (row === n) best = Math.min(best, sum);
          else
            for (let c = 0; c < m; c++)
              if (!(used & (1 << c))) visit(row + 1, used | (1 << c), sum + entries[row * m + c]);
        };
        visit(0, 0, 0);
        expect((await linearAssignment(entries, n, m)).total).toBeCloseTo(best, 10);
        const turned = Float64Array.from({ length: n * m }, (_, i) => entries[(i % n) * m + Math.floor(i / n)]);
        expect((await linearAssignment(turned, m, n)).total).toBeCloseTo(best, 10);
      }
    }
  });

  it('takes nothing to assign, and refuses NaN with its place', async () => {
    expect((await linearAssignment(new Float64Array(0), 0, 5)).cols).toHaveLength(0);
    await expect(linearAssignment(Float64Array.of(1, 2, NaN, 3), 2, 2)).rejects.toThrow('entry (1, 0)');
    await expect(linearAssignment(new Float64Array(3), 2, 2)).rejects.toThrow('2 × 2 needs 4 entries but got 3');
  });

  it('stops when cancelled', async () => {
    const stop = new AbortController();
    stop.abort();
    const entries = new Random(1).normals(new Float32Array(3000 * 3000));
    await expect(linearAssignment(entries, 3000, 3000, { signal: stop.signal })).rejects.toThrow('cancelled');
  });
});

describe('recovery of a dictionary', () => {
  it('is 1 for the true dictionary in any order, scale and, absolute, sign', async () => {
    const truth = directions(40, 24, 1);
    const order = new Random(2).permutation(40);
    const learned = matrix(40, 24);
    order.forEach((from, to) => {
      for (let j = 0; j < 24; j++) learned.data[to * 24 + j] = (to % 3 ? 2.5 : -0.1) * truth.data[from * 24 + j];
    });
    const same = byName((await cosineRecovery(truth, truth, { floors: 5 })).scores);
    for (const score of Object.values(same)) {
      expect(score.value).toBeCloseTo(1, 6);
      expect(score.p).toBeCloseTo(1 / 6, 10);
    }
    const { scores, assigned } = await cosineRecovery(truth, learned, { floors: 2 });
    const turned = byName(scores);
    for (const name of [
      'MMCS true → learned, absolute',
      'MMCS learned → true, absolute',
      'MCC (dictionary)',
      'uniqueness',
    ])
      expect(turned[name].value).toBeCloseTo(1, 6);
    expect(turned['matched cosine'].value).toBeLessThan(0.9);
    expect([...assigned.index]).toEqual(Array.from({ length: 40 }, (_, f) => order.indexOf(f)));
  });

  // Measured floors of the reference: signed and absolute.
  it.each([
    [256, 512, 512, 0.189, 0.202],
    [256, 512, 1024, 0.201, 0.214],
    [512, 512, 512, 0.134, 0.143],
  ])('random rows in %i dimensions, %i true and %i learned: MMCS %f signed', async (d, n, m, signed, absolute) => {
    const random = new Random(5);
    const truth = randomDictionary(n, d, random);
    const score = byName((await cosineRecovery(truth, randomDictionary(m, d, random), { floors: 2 })).scores);
    expect(Math.abs(score['MMCS true → learned'].value - signed)).toBeLessThan(0.002);
    expect(Math.abs(score['MMCS true → learned, absolute'].value - absolute)).toBeLessThan(0.002);
    // The floor that is shown is the same kind of number.
    expect(Math.abs(score['MMCS true → learned'].null.mean - signed)).toBeLessThan(0.002);
    expect(score['MMCS true → learned'].null.kind).toBe('random dictionary');
  });

  it('counts uniqueness as SAELens: best features of latents over latents', async () => {
    const truth = basis(4);
    const learned = matrixOf([[1, 0, 0, 0], [0.9, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0.2]]); // prettier-ignore
    const { scores, featureOf } = await cosineRecovery(truth, learned, { floors: 1 });
    expect([...featureOf.index]).toEqual([0, 0, 1, 2]);
    expect(byName(scores).uniqueness.value).toBe(3 / 4);
  });

  it('is deterministic in its seed, and refuses what it cannot compare', async () => {
    const truth = directions(6, 5, 1);
    const run = async (seed: number) =>
      (await cosineRecovery(truth, directions(8, 5, 2), { floors: 3, seed })).scores.map((s) => s.null.mean);
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
    await expect(cosines(truth, directions(3, 4, 1))).rejects.toThrow('6 × 5 and the second one 3 × 4');
    await expect(cosineRecovery(truth, matrix(0, 5))).rejects.toThrow('learned dictionary has no rows');
    const broken = directions(3, 5, 1);
    broken.data[7] = NaN;
    await expect(cosineRecovery(truth, broken)).rejects.toThrow('row 1 of the learned dictionary holds NaN');
    const zero = matrix(2, 5);
    expect((await cosines(truth, zero)).data.every((x) => x === 0)).toBe(true);
  });
});

describe('recovery of firings', () => {
  it('has precision, recall and F1 as found by hand', async () => {
    // Feature 0 fires on samples 0-3; latent 0 on 0, 1, 4; latent 1 never; latent 2 (of feature 1) exactly with it.
    const codes = fromRows([[1, 0], [1, 1], [2, 0], [1, 1], [0, 0], [0, 1]]); // prettier-ignore
    const latents = fromRows([[1, 0, 0], [3, 0, 2], [0, 0, 0], [0, 0, 2], [1, 0, 0], [0, 0, 2]]); // prettier-ignore
    const {
      latents: found,
      features,
      scores,
    } = await firingRecovery(
      { samples: 6, codes, latents },
      { featureOf: Int32Array.of(0, 0, 1), assigned: Int32Array.of(0, 2) },
      { nulls: 5 },
    );
    expect([...found.precision].map((x) => x.toFixed(4))).toEqual(['0.6667', '0.0000', '1.0000']);
    expect([...found.recall]).toEqual([0.5, 0, 1]);
    expect([...found.f1].map((x) => x.toFixed(4))).toEqual(['0.5714', '0.0000', '1.0000']);
    expect([...found.firings]).toEqual([3, 0, 3]);
    expect([...features.f1].map((x) => x.toFixed(4))).toEqual(['0.5714', '1.0000']);
    const score = byName(scores);
    expect(score.F1.value).toBeCloseTo((4 / 7 + 0 + 1) / 3, 6);
    expect(score['F1 of features'].value).toBeCloseTo((4 / 7 + 1) / 2, 6);
  });

  it('MCC of activations is the mean |r| of the best assignment', async () => {
    const random = new Random(9);
    const n = 400;
    const dense = Array.from({ length: n }, () => independent(3, 0.4)(random));
    // Latent 2 is feature 0 halved, latent 0 is feature 2 with misses, latent 1 is noise, latent 3 is dead.
    const seen = dense.map((c) => [random.next() < 0.8 ? c[2] : 0, random.next(), c[0] / 2, 0]);
    const { correlated, scores } = await firingRecovery(
      { samples: n, codes: fromRows(dense), latents: fromRows(seen) },
      { featureOf: Int32Array.of(2, 1, 0, 0), assigned: Int32Array.of(2, 1, 0) },
      { nulls: 10 },
    );
    const r = (f: number, l: number): number => {
      const mf = dense.reduce((s, c) => s + c[f], 0) / n;
      const ml = seen.reduce((s, c) => s + c[l], 0) / n;
      let xy = 0, xx = 0, yy = 0; // prettier-ignore
      for (let i = 0; i < n; i++) {
        xy += (dense[i][f] - mf) * (seen[i][l] - ml);
        xx += (dense[i][f] - mf) ** 2;
        yy += (seen[i][l] - ml) ** 2;
      }
      return Math.abs(xy / Math.sqrt(xx * yy));
    };
    expect([...correlated.index]).toEqual([2, 1, 0]);
    const mcc = byName(scores)['MCC (activations)'];
    expect(mcc.value).toBeCloseTo((r(0, 2) + r(1, 1) + r(2, 0)) / 3, 5);
    expect(mcc.null.mean).toBeLessThan(0.1);
    expect(mcc.p).toBeCloseTo(1 / 11, 10);
  });
});

describe('absorption of a feature', () => {
  // Parent 0, child 1 of it, stranger 2, in three dimensions.
  const truth = basis(3);
  const count = async (
    decoder: Matrix,
    codes: number[][],
    latents: number[][],
    parents = [-1, 0, -1],
    options = {},
  ) => {
    const c = await cosines(truth, decoder);
    const assigned = Int32Array.of(0, 1, 2);
    const norms = Float64Array.from({ length: 3 }, (_, l) => Math.hypot(...decoder.data.subarray(3 * l, 3 * l + 3)));
    const counter = new AbsorptionCounter(
      unitRows(truth),
      c,
      { norms, bias: new Float32Array(3) },
      assigned,
      Int32Array.from(parents),
      options,
    );
    counter.add(matrixOf(codes), fromRows(codes), fromRows(latents));
    return counter.finish();
  };
  const leaning = matrixOf([[1, 0, 0], [0.7, 0.7, 0], [0, 0, 1]]); // prettier-ignore

  it('is counted when a child with the parent in its direction fires in its place', async () => {
    const codes = [[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]]; // prettier-ignore
    // Sample 0: the parent's latent is silent, the child's carries both. Sample 2: both fire.
    const latents = [[0, 1.43, 0], [1, 0, 0], [1, 1.4, 0], [0, 0, 1]]; // prettier-ignore
    const result = await count(leaning, codes, latents);
    expect([...result.firings]).toEqual([3, 2, 1]);
    expect([...result.silent]).toEqual([1, 0, 0]);
    expect([...result.absorbed]).toEqual([1, 0, 0]);
    expect([...result.byDescendant]).toEqual([1, 0, 0]);
    expect(result.absorber[0]).toBe(1);
  });

  it('is not when the main latent fires, nothing points that way, or too little is supplied', async () => {
    const codes = [[1, 1, 0]];
    expect((await count(leaning, codes, [[0.01, 1.4, 0]])).absorbed[0]).toBe(0);
    // A child in its own direction only: a miss, not an absorption.
    expect((await count(basis(3), codes, [[0, 1, 0]])).absorbed[0]).toBe(0);
    expect((await count(basis(3), codes, [[0, 1, 0]])).silent[0]).toBe(1);
    // 0.5 · 0.7 of a projection of 1 is less than 0.4.
    expect((await count(leaning, codes, [[0, 0.5, 0]])).absorbed[0]).toBe(0);
    expect((await count(leaning, codes, [[0, 0.5, 0]], [-1, 0, -1], { projectionShare: 0.3 })).absorbed[0]).toBe(1);
  });

  it('by a latent of no descendant is counted apart', async () => {
    const result = await count(leaning, [[1, 1, 0]], [[0, 1.4, 0]], [-1, -1, -1]);
    expect([result.absorbed[0], result.byDescendant[0]]).toEqual([1, 0]);
  });

  it('is not defined for a feature without a latent of its own', async () => {
    const lost = matrixOf([[0.3, 0.9, 0.3], [0.7, 0.7, 0], [0, 0, 1]]); // prettier-ignore
    const result = await count(lost, [[1, 1, 0]], [[0, 1.4, 0]]);
    expect(result.main[0]).toBe(-1);
    expect(result.absorbed[0]).toBe(0);
  });
});

describe('splitting of a feature', () => {
  const codes = fromRows(Array.from({ length: 12 }, (_, i) => [i < 8 ? 1 : 0, i >= 6 ? 1 : 0]));
  const fires = (...sets: number[][]) =>
    fromRows(Array.from({ length: 12 }, (_, i) => sets.map((s) => (s.includes(i) ? 1 : 0))));

  it('counts latents that each add to the detector of one feature', () => {
    // Feature 0 in two halves, feature 1 whole.
    const latents = fires([0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9, 10, 11]);
    expect([...splitCounts({ samples: 12, codes, latents }, Int32Array.of(0, 0, 1))]).toEqual([2, 1]);
  });

  it('does not count copies, latents of other features, or dead ones', () => {
    const latents = fires([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7], [6, 7, 8, 9, 10, 11], []);
    expect([...splitCounts({ samples: 12, codes, latents }, Int32Array.of(0, 0, 1, 1))]).toEqual([1, 1]);
    expect([...splitCounts({ samples: 12, codes, latents }, Int32Array.of(0, 0, 0, -1))]).toEqual([1, 0]);
  });
});

describe('recovery of an SAE', () => {
  it('of the truth is perfect: every score 1, nothing shrunk, dead, absorbed or split', async () => {
    const dictionary = basis(8, 12);
    const world = handWorld({ dictionary, codes: independent(8, 0.2), parents: [-1, 0, -1, -1, -1, -1, -1, -1] });
    const { scores, figures, ofFeature } = await saeRecovery(world, handSae(dictionary), {
      samples: 500,
      floors: 3,
      nulls: 3,
    });
    for (const score of scores) expect(`${score.metric} ${score.value.toFixed(5)}`).toBe(`${score.metric} 1.00000`);
    expect(figures).toMatchObject({
      deadShare: 0,
      recoveredShare: 1,
      absorbedFeatures: 0,
      absorptionRate: 0,
      splitFeatures: 0,
      featuresWithMain: 8,
    });
    expect(figures!.explainedVariance).toBeCloseTo(1, 6);
    expect(figures!.shrinkage).toBeCloseTo(1, 6);
    expect(figures!.activationShrinkage).toBeCloseTo(1, 6);
    expect(figures!.saeL0).toBe(figures!.trueL0);
    expect([...ofFeature.latent]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('sees shrinkage and dead latents', async () => {
    const dictionary = basis(4);
    const world = handWorld({ dictionary, codes: independent(4, 0.5) });
    const encoder = matrixOf([[0.8, 0, 0, 0], [0, 0.8, 0, 0], [0, 0, 0.8, 0], [0, 0, 0, 0.8], [1, 0, 0, 0]]); // prettier-ignore
    const decoder = matrixOf([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0.5, 0.5, 0, 0]]); // prettier-ignore
    const sae = handSae(decoder, { encoder, bias: [0, 0, 0, 0, -10] });
    const { figures, scores } = await saeRecovery(world, sae, { samples: 400, floors: 1, nulls: 1 });
    expect(figures!.deadShare).toBe(1 / 5);
    expect(figures!.shrinkage).toBeCloseTo(0.8, 5);
    expect(figures!.activationShrinkage).toBeCloseTo(0.8, 5);
    expect(byName(scores).F1.value).toBeCloseTo(4 / 5, 6);
  });

  it('of random directions is at its floor', async () => {
    const world = handWorld({ dictionary: directions(64, 32, 1), codes: independent(64, 0.05) });
    const { scores } = await dictionaryRecovery(
      world,
      directions(64, 32, 99),
      { name: 'random', id: 'r' },
      { floors: 40 },
    );
    for (const { value, null: floor, metric } of scores)
      expect(Math.abs(value - floor.mean) / floor.std, metric).toBeLessThan(4);
  });

  it('refuses another width', async () => {
    const world = handWorld({ dictionary: basis(4), codes: independent(4, 0.5) });
    await expect(saeRecovery(world, handSae(basis(3)))).rejects.toThrow('width 3 but the world has 4');
  });
});
