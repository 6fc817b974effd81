/** Changes to a model's activations that print what they do and take part in artifact identity. */
import type { JsonObject } from '../../protocol/notebook.js';
import { capturedWidth } from '../activations/capture.js';
import { requireSame } from '../artifacts/store.js';
import { row } from '../compute/matrix.js';
import { tf } from '../compute/tf.js';
import { sha256 } from '../io/hash.js';
import type { ForwardOptions, HookEdit, LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';

export interface Intervention {
  /** TransformerLens hook name at which `edit` acts. */
  readonly hook: string;
  /** For people: "steer blocks.0.hook_mlp_out by 4 × feature 12 of …". */
  readonly description: string;
  /** For artifact identity. */
  readonly parameters: JsonObject;
  /** What LanguageModel.forward and generate take in `edits`. */
  readonly edit: HookEdit;
}

export interface SteerOptions {
  /** Multiplier of the vector: what is added is scale × vector, in the units of the activation. No default. */
  scale: number;
  /** 'all' positions (default) or only the 'last' of each sequence. */
  positions?: 'all' | 'last';
}

export interface SteerFeatureOptions extends SteerOptions {
  /** Hook to steer; default the SAE's own. */
  hook?: string;
  /** Steer with an SAE that was trained on another model (a fine-tuned sibling, say). Default: refused. */
  allowOtherModel?: boolean;
}

/**
 * Adds `scale` × `vector` to the activation at `hook`, [B, T, d] with d = vector length; at hooks with heads,
 * [B, T, heads, dHead], the vector is all heads one after the other, as captured activations are. A scale of 0 returns the
 * activation itself, bit for bit; so do the positions that are not steered.
 * @throws RangeError on NaN or infinity, or when the hook's width is not the vector's length.
 */
export function steer(
  model: LanguageModel,
  hook: string,
  vector: Float32Array,
  options: SteerOptions & { name?: string },
): Intervention {
  const { scale, positions = 'all', name = 'vector' } = options;
  const width = capturedWidth(model, hook);
  if (/hook_(attn_scores|pattern)$/.test(hook))
    throw new RangeError(`${hook} holds one value per pair of tokens: it has no direction to steer; take another hook`);
  if (vector.length !== width)
    throw new RangeError(
      `steering needs a vector of width ${width} (${hook} of ${model.name}) but got ${vector.length}; take a direction of this hook`,
    );
  const bad = vector.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw new RangeError(`steering vector has ${vector[bad]} at position ${bad}; expected finite numbers`);
  if (!Number.isFinite(scale)) throw new RangeError(`steering scale is ${scale}; expected a finite number`);
  if (positions !== 'all' && positions !== 'last')
    throw new RangeError(`positions is ${JSON.stringify(positions)}; expected 'all' or 'last'`);
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
    // [d], or [heads, dHead]: it broadcasts over batch and position alone.
    const step = tf.tensor(direction, activation.shape.slice(2)).mul(scale);
    if (positions === 'all') return activation.add(step);
    const rest = activation.shape[1]! - 1;
    if (rest === 0) return activation.add(step);
    const [before, last] = tf.split(activation, [rest, 1], 1);
    return tf.concat([before, last.add(step)], 1);
  });
}

/**
 * Refuses an SAE that is known to come from another model.
 * @throws MismatchError with both identities.
 */
export function requireModelOfSae(sae: Sae, model: Pick<LanguageModel, 'name' | 'id'>, allowOtherModel = false): void {
  if (!sae.config.modelId || allowOtherModel) return;
  requireSame(
    'this SAE was trained on another model ({ allowOtherModel: true } overrides)',
    { name: `SAE ${sae.name}`, id: sae.config.modelId },
    { name: `model ${model.name}`, id: model.id },
  );
}

/**
 * Steers along the decoder row of one SAE feature: adds scale × W_dec[feature].
 * @throws RangeError when the feature id is outside the SAE; MismatchError when the SAE is another model's.
 */
export function steerFeature(
  model: LanguageModel,
  sae: Sae,
  feature: number,
  options: SteerFeatureOptions,
): Intervention {
  if (!Number.isInteger(feature) || feature < 0 || feature >= sae.config.dSae)
    throw new RangeError(`feature ${feature} is outside ${sae.name}, which has features 0 to ${sae.config.dSae - 1}`);
  requireModelOfSae(sae, model, options.allowOtherModel);
  const hook = options.hook ?? sae.config.hookName;
  if (!hook) throw new Error(`SAE ${sae.name} does not say its hook; give { hook }`);
  const { scale, positions } = options;
  return steer(model, hook, row(sae.W_dec, feature), { scale, positions, name: `feature ${feature} of ${sae.name}` });
}

/** Edits by hook, in the order given, as LanguageModel.forward and generate take them. */
export function editsOf(interventions: readonly Intervention[]): NonNullable<ForwardOptions['edits']> {
  const edits = new Map<string, HookEdit[]>();
  for (const { hook, edit } of interventions) {
    const list = edits.get(hook);
    if (list) list.push(edit);
    else edits.set(hook, [edit]);
  }
  return edits;
}

/** What interventions do, for people. */
export function describeAll(interventions: readonly Intervention[]): string {
  return interventions.map((i) => i.description).join('; ') || 'no intervention';
}
