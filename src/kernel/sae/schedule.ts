/** Learning rate and penalty weight of each training step, as closed forms (SAELens's schedulers). */
import type { Given } from '../verb/option.js';
import type { TRAIN } from './trainOptions.js';

/** The options that say it, with their defaults filled in. */
export type LearningRateSchedule = Required<
  Pick<Given<typeof TRAIN>, 'steps' | 'lr' | 'lrScheduler' | 'lrWarmUpSteps' | 'lrDecaySteps' | 'lrEnd'>
>;

/**
 * Learning rate of step t = 0 … steps − 1.
 * Warm-up (t < w): lr·(t + 1)/w. Middle: lr, or lrEnd + (lr − lrEnd)·(1 + cos(π·(t − w)/m))/2 with m steps in the middle.
 * Decay (last D steps): from the middle's end (lr or lrEnd) towards 0, (1 − (t − (steps − D))/D) of it.
 */
export function learningRateAt(t: number, s: LearningRateSchedule): number {
  const middle = s.steps - s.lrWarmUpSteps - s.lrDecaySteps;
  if (t < s.lrWarmUpSteps) return (s.lr * (t + 1)) / s.lrWarmUpSteps;
  const decayed = t - (s.steps - s.lrDecaySteps);
  const end = s.lrScheduler === 'cosine' ? s.lrEnd : s.lr;
  if (s.lrDecaySteps > 0 && decayed >= 0) return end * (1 - decayed / s.lrDecaySteps);
  if (s.lrScheduler === 'constant') return s.lr;
  return s.lrEnd + ((s.lr - s.lrEnd) * (1 + Math.cos((Math.PI * (t - s.lrWarmUpSteps)) / middle))) / 2;
}

/** A coefficient that grows linearly from 0 at step 0 to `value` at step `warmUpSteps`, and stays. */
export function coefficientAt(t: number, value: number, warmUpSteps: number): number {
  return t >= warmUpSteps ? value : (value * t) / warmUpSteps;
}
