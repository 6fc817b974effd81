import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { studentP, studentQuantile } from '#kernel/compute/student.js';
import { averageRanks, spearman } from '#kernel/compute/statistics.js';
import {
  benjaminiHochberg,
  normalP,
  nullP,
  pairedT,
  rankAgreement,
  SignFlips,
  wilcoxon,
} from '#kernel/interventions/statistics.js';

interface Goldens {
  paired: Array<{ d: number[]; t: number; p: number; wilcoxon: number }>;
  ties: { d: number[]; wilcoxon: number };
  normal: Array<[number, number]>;
  student: Array<[number, number, number]>;
  spearman: { a: number[]; b: number[]; rho: number };
  bh: { p: number[]; q: number[] };
}
const goldens = JSON.parse(
  readFileSync(new URL('../../goldens/paired-tests.json', import.meta.url), 'utf8'),
) as Goldens;
const close = (value: number, expected: number, relative = 1e-9): void =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(relative * Math.abs(expected) + 1e-300);

describe('distributions of test statistics', () => {
  it("agree with scipy's, far into the tails", () => {
    for (const [t, df, p] of goldens.student) {
      close(studentP(t, df), p);
      if (p > 1e-6 && p < 1) close(studentQuantile(1 - p / 2, df), Math.abs(t), 1e-7);
    }
    for (const [z, p] of goldens.normal) close(normalP(z), p);
  });
});

describe('paired tests', () => {
  it("agree with scipy's t and Wilcoxon, exact and approximate", () => {
    for (const { d, t, p, wilcoxon: w } of goldens.paired) {
      const test = pairedT(d);
      close(test.t, t);
      close(test.p, p);
      expect(test.n).toBe(d.length);
      close(wilcoxon(d).p, w);
    }
    close(wilcoxon(goldens.ties.d).p, goldens.ties.wilcoxon);
  });

  it('the exact signed-rank test takes ties as they are: against all sign patterns', () => {
    for (const d of [
      [1, 1, -2, 3, 3, 3, -1],
      [0.5, 0.5, 0.5],
      [-2, 2, 5, 0, 4],
    ]) {
      const kept = d.filter((v) => v !== 0);
      const ranks = averageRanks(kept.map(Math.abs));
      const plus = (signs: (i: number) => boolean): number => ranks.reduce((s, r, i) => s + (signs(i) ? r : 0), 0);
      const total = ranks.reduce((s, r) => s + r, 0);
      const least = (w: number): number => Math.min(w, total - w);
      const observed = least(plus((i) => kept[i] > 0));
      let reached = 0;
      for (let m = 0; m < 2 ** kept.length; m++) if (least(plus((i) => ((m >> i) & 1) === 1)) <= observed) reached++;
      const overlap = 2 * observed === total;
      close(wilcoxon(d).p, overlap ? 1 : reached / 2 ** kept.length, 1e-12);
    }
  });

  it('sign flips: all patterns where there are few, and 2 / 2^n when every difference points one way', () => {
    for (const n of [2, 5, 12]) {
      const flips = new SignFlips(n, 100, 0);
      expect(flips.exact).toBe(true);
      close(flips.p(Float64Array.from({ length: n }, (_, i) => 1 + i / 7)), 2 / 2 ** n, 1e-12);
    }
    // d = [3, 1]: |Σ| is 4, 2, 2, 4.
    expect(new SignFlips(2, 1, 0).p([3, -1])).toBe(1);
    expect(new SignFlips(2, 1, 0).p([3, 1])).toBe(0.5);
  });

  it('random sign flips come near the exact test, add one, and follow the seed', () => {
    const d = Float64Array.from({ length: 14 }, (_, i) => Math.sin(3 * i) + 0.45);
    let reached = 0;
    const sum = Math.abs(d.reduce((a, b) => a + b, 0));
    for (let m = 0; m < 2 ** 14; m++) {
      let s = 0;
      for (let i = 0; i < 14; i++) s += (m >> i) & 1 ? d[i] : -d[i];
      if (Math.abs(s) >= sum - 1e-12) reached++;
    }
    const p = new SignFlips(14, 20_000, 3).p(d);
    expect(Math.abs(p - reached / 2 ** 14)).toBeLessThan(0.01);
    expect(new SignFlips(14, 20_000, 3).p(d)).toBe(p);
    const all = Float64Array.from({ length: 40 }, () => 1);
    expect(new SignFlips(40, 99, 1).p(all)).toBe(1 / 100);
  });

  it('differences of zero, one difference and none have defined answers', () => {
    expect(pairedT([0, 0, 0])).toMatchObject({ p: 1, effectSize: 0 });
    expect(pairedT([2]).p).toBeNaN();
    expect(pairedT([2, 2, 2])).toMatchObject({ t: Infinity, p: 0 });
    expect(wilcoxon([0, 0]).p).toBe(1);
    expect(wilcoxon([]).p).toBeNaN();
    expect(new SignFlips(0, 10, 0).p([])).toBeNaN();
    expect(new SignFlips(3, 10, 0).p([0, 0, 0])).toBe(1);
  });
});

describe('Benjamini and Hochberg', () => {
  it('agrees with the definition, keeps ties equal, and passes NaN by', () => {
    const q = benjaminiHochberg(goldens.bh.p);
    goldens.bh.q.forEach((expected, i) => close(q[i], expected, 1e-12));
    // Worked by hand: m = 4, p·m/rank = 0.04, 0.08, 0.053…, 0.9.
    const hand = benjaminiHochberg([0.01, 0.04, 0.04, 0.9, NaN]);
    [0.04, 0.16 / 3, 0.16 / 3, 0.9].forEach((expected, i) => close(hand[i], expected, 1e-12));
    expect(hand[4]).toBeNaN();
    expect(Array.from(benjaminiHochberg([]))).toEqual([]);
  });
});

describe('rank correlation', () => {
  it('agrees with scipy with ties, and its permutation p is (k + 1)/(R + 1)', () => {
    const { a, b, rho } = goldens.spearman;
    close(spearman(a, b), rho, 1e-12);
    const agreement = rankAgreement(a, b, 199, 4);
    expect(agreement).toEqual({ rho: spearman(a, b), n: a.length, p: 1 / 200, runs: 199, seed: 4 });
    expect(rankAgreement(a, b, 199, 4)).toEqual(agreement);
    // Opposite order: every shuffle reaches −1.
    expect(rankAgreement([1, 2, 3], [3, 2, 1], 50, 0)).toMatchObject({ rho: -1, p: 1 });
  });

  it('has no value where a side has no order', () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(rankAgreement([1, 1], [1, 2], 10, 0)).toMatchObject({ rho: NaN, p: NaN, n: 2 });
    expect(nullP(3, [1, 2, 3, 4])).toBe(3 / 5);
    expect(nullP(3, [])).toBe(1);
  });
});
