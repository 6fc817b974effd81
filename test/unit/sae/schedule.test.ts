import { describe, expect, it } from 'vitest';
import { coefficientAt, learningRateAt, type LearningRateSchedule } from '#kernel/sae/schedule.js';

const rates = (s: LearningRateSchedule) => Array.from({ length: s.steps }, (_, t) => learningRateAt(t, s));
const base: LearningRateSchedule = {
  steps: 10,
  lr: 1,
  lrScheduler: 'constant',
  lrWarmUpSteps: 0,
  lrDecaySteps: 0,
  lrEnd: 0.1,
};

describe('learning rate', () => {
  it('stays as it is when constant', () => expect(rates(base)).toEqual(Array(10).fill(1)));
  it('warms up from lr/w to lr and decays from lr to lr/D', () => {
    expect(rates({ ...base, lrWarmUpSteps: 4, lrDecaySteps: 5 })).toEqual(
      [0.25, 0.5, 0.75, 1, 1, 1, 0.8, 0.6, 0.4, 0.2].map((v) => expect.closeTo(v, 12)),
    );
  });
  it('a cosine falls from lr to lrEnd, then decays to 0 from there', () => {
    const r = rates({ ...base, lrScheduler: 'cosine', lrDecaySteps: 2 });
    expect(r[0]).toBe(1);
    expect(r[4]).toBeCloseTo(0.55, 12);
    expect(r[7]).toBeCloseTo(0.1 + (0.9 * (1 + Math.cos((7 * Math.PI) / 8))) / 2, 12);
    expect(r.slice(8)).toEqual([0.1, 0.05]);
  });
});

it('a coefficient grows from 0 at step 0 to its value, and stays', () => {
  expect([0, 1, 2, 4, 5, 9].map((t) => coefficientAt(t, 5, 4))).toEqual([0, 1.25, 2.5, 5, 5, 5]);
  expect(coefficientAt(0, 5, 0)).toBe(5);
});
