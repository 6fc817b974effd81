import { describe, expect, it } from 'vitest';
import { differencesOf, paired, seedGroups, type ComparedSae } from '#kernel/sae/compare.js';
import { comparisonOutputs } from '#kernel/present/compare.js';
import type { SaeEvaluation } from '#kernel/sae/evaluationSums.js';

const one = (group: string, seed: number, ev: number, baseline: string | null = null): ComparedSae => ({
  ...{ id: `${group} ${seed}`, group, seed, baseline },
  evaluation: { l0: 8 + seed, explainedVariance: ev, ceLossRecovered: 0.9, ceLossRecoveredMean: 0.8, klScore: 0.7, dead: 2 } as SaeEvaluation, // prettier-ignore
});
const saes = [
  ...[0.8, 0.82, 0.81].map((ev, seed) => one('k 8', seed, ev)),
  ...[0.7, 0.74, 0.72].map((ev, seed) => one('frozenDecoder · k 8', seed, ev, 'frozenDecoder')),
  one('k 16', 7, 0.9),
];

describe('SAEs side by side', () => {
  it('one group for those that differ in the seed alone, with the deviation of a sample', () => {
    const groups = seedGroups(saes);
    expect(groups.map(({ group, seeds }) => [group, seeds])).toEqual([['k 8', 3], ['frozenDecoder · k 8', 3], ['k 16', 1]]); // prettier-ignore
    expect(groups[0].figures.explainedVariance.mean).toBeCloseTo(0.81, 12);
    expect(groups[0].figures.explainedVariance.std).toBeCloseTo(0.01, 12);
    expect(groups[2].figures.explainedVariance.std).toBeNaN();
  });

  it('pairs differences by seed, beside the least that so many seeds detect', () => {
    const found = differencesOf(saes, seedGroups(saes));
    expect(new Set(found.map(({ a, b }) => `${a} - ${b}`))).toEqual(new Set(['k 8 - frozenDecoder · k 8']));
    const ev = found.find(({ figure }) => figure === 'explainedVariance')!;
    expect(ev.difference).toBeCloseTo(0.09, 12);
    expect(ev.std).toBeCloseTo(0.01, 12);
    // scipy.stats.t.ppf: 4.302653 at .975 and 1.060660 at .8, two degrees of freedom.
    expect(ev.leastDetectable).toBeCloseTo(((4.302652729749464 + 1.0606601717798212) * 0.01) / Math.sqrt(3), 9);
    // Two of the same value each time: no difference, and none below detection.
    expect(found.find(({ figure }) => figure === 'dead')).toMatchObject({ difference: 0, std: 0, leastDetectable: 0 });
  });

  it('of one pair nothing can be detected', () => {
    expect(paired([0.5])).toMatchObject({ difference: 0.5, std: NaN, leastDetectable: NaN });
  });

  it('shows a Pareto chart, the paired differences and a table', () => {
    const groups = seedGroups(saes);
    const outputs = comparisonOutputs({ saes, groups, differences: differencesOf(saes, groups), tokens: 100 });
    const said = outputs.map((items) => JSON.stringify(items));
    expect(said[0]).toContain('L0 against what is kept');
    expect(said[1]).toContain('least detectable');
    expect(said[2]).toContain('0.81 ± 0.01');
    // A difference of 0 with no spread is not found.
    expect(said[1]).not.toContain('NaN');
  });
});
