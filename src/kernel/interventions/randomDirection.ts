/** The null of an intervention: as large a change in a direction that means nothing. */
import { capturedWidth } from '../activations/capture.js';
import { Random } from '../compute/random.js';
import { tf } from '../compute/tf.js';
import { meanAndStd } from '../compute/statistics.js';
import type { HookEdit, LanguageModel } from '../models/types.js';
import { describeAll, type Intervention } from './intervention.js';
import { requireRowHook } from './runs.js';

/** Norms of what an intervention changes, [B, T, 1, …], of the block of sequences that ran last. */
interface Sizes {
  sequence: number;
  shape: number[];
  data: Float32Array;
}

/** Norm of the change of each row, over the last axes. */
function rowNorms(change: tf.Tensor): tf.Tensor {
  const axes = change.shape.slice(2).map((_, i) => i + 2);
  return change.square().sum(axes, true).sqrt();
}

/** All that a set of interventions does at one hook, as one change that notes how far it moves each row. */
function measured(list: readonly Intervention[], note: (sizes: Sizes) => void): Intervention {
  const run: HookEdit = (x, hook, context) => {
    const changed = list.reduce((at, { edit }) => edit(at, hook, context), x);
    const { shape, data } = tf.tidy(() => {
      const size = rowNorms(changed.sub(x));
      return { shape: size.shape, data: size.dataSync<'float32'>().slice() };
    });
    note({ sequence: context.sequence, shape, data });
    return changed;
  };
  const check: HookEdit['check'] = (text) => list.forEach(({ edit }) => edit.check?.(text));
  return {
    hook: list[0].hook,
    description: describeAll(list),
    parameters: { kind: 'several', of: list.map((i) => i.parameters) },
    edit: Object.assign(run, { check }),
  };
}

/** Moves rows as far as was noted, all along one direction: isotropic normal, at length 1. */
function randomDirection(model: LanguageModel, of: Intervention, sizes: () => Sizes, seed: number): Intervention {
  const { hook, description, parameters } = of;
  const direction = new Random(seed)
    .fork(`random direction ${hook}`)
    .normals(new Float32Array(capturedWidth(model, hook)));
  const norm = Math.hypot(...direction);
  for (let j = 0; j < direction.length; j++) direction[j] /= norm;
  const moved: HookEdit = (x, _hook, { sequence }) => {
    const known = sizes();
    if (known.sequence !== sequence || known.shape[0] !== x.shape[0] || known.shape[1] !== x.shape[1])
      throw new Error(`a random direction at ${hook} runs on other sequences than the intervention did last`);
    return tf.tidy(() => {
      const size = tf.tensor(known.data, known.shape);
      const along = tf.tensor(direction, x.shape.slice(2));
      return tf.where(size.greater(0).broadcastTo(x.shape), x.add(size.mul(along)), x);
    });
  };
  return {
    hook,
    description: `a random direction (seed ${seed}) as large as: ${description}`,
    parameters: { kind: 'randomDirection', seed, hook, of: parameters },
    edit: moved,
  };
}

/**
 * Interventions, and `runs` nulls of them: at every hook each row that they move is moved by the same norm, along one
 * random direction of that run and hook. What several do at one hook counts as one change, since two that point the same
 * way move rows further than two random ones would. Rows that they leave alone stay as they are, bit for bit. The nulls
 * run after `own` on the same block of sequences, whose norms they take: also at a later hook, where the interventions
 * may find another activation than the null does.
 * @throws RangeError for interventions on attention scores and patterns, which have no direction.
 */
export function randomDirections(
  model: LanguageModel,
  interventions: readonly Intervention[],
  runs: number,
  seed: number,
): { own: Intervention[]; nulls: Intervention[][] } {
  if (!Number.isInteger(runs) || runs < 0) throw new RangeError(`nulls must be a whole number ≥ 0 but is ${runs}`);
  const random = new Random(seed).fork('random directions');
  if (runs === 0) return { own: [...interventions], nulls: [] };
  const noted = new Map<string, Sizes>();
  const own = [...new Set(interventions.map((i) => i.hook))].map((hook) => {
    requireRowHook(model, hook);
    return measured(
      interventions.filter((i) => i.hook === hook),
      (sizes) => void noted.set(hook, sizes),
    );
  });
  const nulls = Array.from({ length: runs }, () =>
    own.map((one) => randomDirection(model, one, () => noted.get(one.hook)!, random.int(2 ** 31))),
  );
  return { own, nulls };
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
  const { mean, std } = meanAndStd(nulls);
  const max = nulls.reduce((m, v) => (Math.abs(v) > Math.abs(m) ? v : m), runs > 0 ? 0 : NaN);
  const reached = nulls.filter((v) => !(Math.abs(v) < Math.abs(value))).length;
  return { value, mean, std, max, p: (reached + 1) / (runs + 1), runs, seed };
}
