/** Changes to a model's activations that print what they do and take part in artifact identity. */
import type { JsonObject } from '../../protocol/notebook.js';
import { tf } from '../compute/tf.js';
import { sha256 } from '../io/hash.js';
import type { ForwardOptions, HookEdit, LanguageModel } from '../models/types.js';
import { row } from '../compute/matrix.js';
import type { Sae } from '../sae/types.js';

export interface Intervention {
  readonly hook: string;
  /** For people: "steer blocks.0.hook_mlp_out by 4 × feature 12 of …". */
  readonly description: string;
  /** For artifact identity. */
  readonly parameters: JsonObject;
  readonly edit: HookEdit;
}

export interface SteerOptions {
  /** Multiplier of the direction, in units of the direction's own length. */
  scale: number;
  /** 'all' positions (default) or only the 'last' of each sequence. */
  positions?: 'all' | 'last';
}

/**
 * Adds `scale` × `vector` to the activation at `hook`, [B, T, d] with d = vector length.
 * A scale of 0 returns the activation itself, bit for bit.
 * @throws RangeError on NaN or infinity, or when the hook's width is not the vector's length.
 */
export function steer(
  model: Pick<LanguageModel, 'name' | 'hookWidth'>,
  hook: string,
  vector: Float32Array,
  options: SteerOptions & { name?: string },
): Intervention {
  const { scale, positions = 'all', name = 'vector' } = options;
  const width = model.hookWidth(hook);
  if (vector.length !== width)
    throw new RangeError(
      `steering needs a vector of width ${width} (${hook} of ${model.name}) but got ${vector.length}; take a direction of this hook`,
    );
  const bad = vector.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw new RangeError(`steering vector has ${vector[bad]} at position ${bad}; expected finite numbers`);
  if (!Number.isFinite(scale)) throw new RangeError(`steering scale is ${scale}; expected a finite number`);
  const direction = vector.slice();
  return {
    hook,
    description: `steer ${hook} by ${scale} × ${name} at ${positions === 'all' ? 'all positions' : 'the last position'}`,
    parameters: { kind: 'steer', hook, scale, positions, vector: sha256([direction]) },
    edit: (activation) => (scale === 0 ? activation : addDirection(activation, direction, scale, positions)),
  };
}

function addDirection(
  activation: tf.Tensor,
  direction: Float32Array,
  scale: number,
  positions: 'all' | 'last',
): tf.Tensor {
  return tf.tidy(() => {
    const step = tf.tensor1d(direction).mul(scale);
    if (positions === 'all') return activation.add(step);
    const length = activation.shape[1]!;
    const last = tf.oneHot(tf.tensor1d([length - 1], 'int32'), length).reshape([1, length, 1]);
    return activation.add(tf.cast(last, 'float32').mul(step));
  });
}

/**
 * Steers along the decoder row of one SAE feature.
 * @throws RangeError when the feature id is outside the SAE.
 */
export function steerFeature(
  model: Pick<LanguageModel, 'name' | 'hookWidth'>,
  sae: Sae,
  feature: number,
  options: SteerOptions & { hook?: string },
): Intervention {
  if (!Number.isInteger(feature) || feature < 0 || feature >= sae.config.dSae)
    throw new RangeError(`feature ${feature} is outside ${sae.name}, which has features 0 to ${sae.config.dSae - 1}`);
  return steer(model, options.hook ?? sae.config.hookName, row(sae.W_dec, feature).slice(), {
    ...options,
    name: `feature ${feature} of ${sae.name}`,
  });
}

/** Edits by hook, in the order given, as LanguageModel.forward takes them. */
export function editsOf(interventions: readonly Intervention[]): NonNullable<ForwardOptions['edits']> {
  const edits = new Map<string, HookEdit[]>();
  for (const { hook, edit } of interventions) {
    const list = edits.get(hook);
    if (list) list.push(edit);
    else edits.set(hook, [edit]);
  }
  return edits;
}
