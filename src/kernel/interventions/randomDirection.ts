/** The null of an intervention: as large a change in a direction that means nothing. */
import { capturedWidth } from '../activations/capture.js';
import { Random } from '../compute/random.js';
import { tf } from '../compute/tf.js';
import type { HookEdit, LanguageModel } from '../models/types.js';
import type { Intervention } from './intervention.js';
import { requireRowHook } from './runs.js';

/**
 * Moves every row that the intervention moves by the same norm, along one random direction (isotropic normal, by the
 * seed). Rows that it leaves alone stay as they are, bit for bit. Works for any kind of intervention.
 * @throws RangeError for interventions on attention scores and patterns, which have no direction.
 */
export function randomDirection(model: LanguageModel, intervention: Intervention, seed: number): Intervention {
  const { hook, edit, description, parameters } = intervention;
  requireRowHook(model, hook);
  const direction = new Random(seed)
    .fork(`random direction ${hook}`)
    .normals(new Float32Array(capturedWidth(model, hook)));
  const norm = Math.hypot(...direction);
  for (let j = 0; j < direction.length; j++) direction[j] /= norm;
  const moved = (...call: Parameters<HookEdit>): tf.Tensor =>
    tf.tidy(() => {
      const [x] = call;
      const width = x.shape.slice(2);
      const axes = width.map((_, i) => i + 2);
      const size = edit(...call)
        .sub(x)
        .square()
        .sum(axes, true)
        .sqrt(); // [B, T, 1, …]
      return tf.where(size.greater(0).broadcastTo(x.shape), x.add(size.mul(tf.tensor(direction, width))), x);
    });
  return {
    hook,
    description: `a random direction (seed ${seed}) as large as: ${description}`,
    parameters: { kind: 'randomDirection', seed, hook, of: parameters },
    edit: Object.assign(moved, { check: edit.check }),
  };
}

/** `runs` sets of interventions, each with its own random directions of the same norm. */
export function randomDirections(
  model: LanguageModel,
  interventions: readonly Intervention[],
  runs: number,
  seed: number,
): Intervention[][] {
  if (!Number.isInteger(runs) || runs < 0) throw new RangeError(`nulls must be a whole number ≥ 0 but is ${runs}`);
  const random = new Random(seed).fork('random directions');
  return Array.from({ length: runs }, () =>
    interventions.map((intervention) => randomDirection(model, intervention, random.int(2 ** 31))),
  );
}

/** A figure beside the same figure of random directions. */
export interface BesideRandom {
  /** Of the intervention. */
  value: number;
  /** Of the random directions: mean, standard deviation, and the largest in size. */
  mean: number;
  std: number;
  max: number;
  /** (k + 1)/(R + 1), k = random directions whose figure is as large in size. */
  p: number;
  runs: number;
  seed: number;
}

/** Two-sided: sizes are compared. Without runs the statistics are NaN and p is 1. */
export function besideRandom(value: number, nulls: readonly number[], seed: number): BesideRandom {
  const runs = nulls.length;
  const mean = nulls.reduce((s, v) => s + v, 0) / runs;
  const std = Math.sqrt(nulls.reduce((s, v) => s + (v - mean) ** 2, 0) / runs);
  const max = nulls.reduce((m, v) => (Math.abs(v) > Math.abs(m) ? v : m), runs > 0 ? 0 : NaN);
  const reached = nulls.filter((v) => !(Math.abs(v) < Math.abs(value))).length;
  return { value, mean, std, max, p: (reached + 1) / (runs + 1), runs, seed };
}
