/** Steering along a direction, and taking a direction out. */
import { formatNumber } from '../../protocol/display.js';
import { filled } from '../verb/filled.js';
import { row, type Matrix } from '../compute/matrix.js';
import { rowNorm } from '../compute/rows.js';
import { sha256 } from '../io/hash.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import { choice, real, required, text, type Given } from '../verb/option.js';
import { requireDirectionHook, rowIntervention, type Intervention } from './intervention.js';
import { ERROR, type ErrorOptions, type FeatureOptions } from './options.js';

/** A direction at a hook, with how it was made. */
export interface Direction {
  /** [d], all heads one after the other. */
  readonly vector: Float32Array;
  /** As shown: '(" love" − " hate")'. */
  readonly description: string;
  /** Hook that it was read at. */
  readonly hook: string;
}

export const STEER = {
  scale: required(
    real({
      doc: 'What the vector is multiplied by (α): scale × vector is added, in the units of the activation. 0 changes nothing, bit for bit.',
    }),
  ),
  normalize: choice(['none', 'unit', 'residual'], {
    doc: "'none': the vector as it is. 'unit': at length 1. 'residual': at the length of the activation that it is added to, position by position, so that scale 0.5 adds half the activation's norm.",
    usual: 'none',
  }),
};
export interface SteerOptions extends Given<typeof STEER>, ErrorOptions {}

/** A vector as it is given: numbers, or a direction that says how it was made. */
export type Vector = Float32Array | Direction;

/**
 * A copy of the vector and its name.
 * @throws RangeError on another width, NaN, infinity, and zero where it needs a length.
 */
function vectorAt(
  model: LanguageModel,
  hook: string,
  given: Vector,
  name: string | undefined,
  needsLength: boolean,
): { vector: Float32Array; name: string; norm: number } {
  const width = requireDirectionHook(model, hook);
  const vector = given instanceof Float32Array ? given : given.vector;
  if (vector.length !== width)
    throw new RangeError(
      `steering needs a vector of width ${width} (${hook} of ${model.name}) but got ${vector.length}; take a direction of this hook`,
    );
  const bad = vector.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw new RangeError(`steering vector has ${vector[bad]} at position ${bad}; expected finite numbers`);
  const norm = Math.hypot(...vector);
  if (needsLength && norm === 0)
    throw new RangeError('the vector is zero, which has no direction; give one with an entry that is not 0');
  return {
    vector: vector.slice(),
    norm,
    name: name ?? (given instanceof Float32Array ? 'vector' : given.description),
  };
}

/**
 * Adds `scale` × `vector` to the activation at `hook`, [B, T, d] with d = vector length; at hooks with heads,
 * [B, T, heads, dHead], the vector is all heads one after the other, as captured activations are. Sums are made in
 * float64 and rounded once. A scale of 0 returns the activation itself, bit for bit; so do the positions that are not
 * steered.
 * @throws RangeError on NaN or infinity, or when the hook's width is not the vector's length.
 */
export function steer(
  model: LanguageModel,
  hook: string,
  given: Vector,
  options: SteerOptions & Pick<ProjectOptions, 'name'> & { peers?: Intervention['peers'] },
): Intervention {
  const { scale, normalize, sae } = filled(STEER, options);
  const { vector, name, norm } = vectorAt(model, hook, given, options.name, normalize !== 'none');
  const unit = normalize === 'none' ? scale : scale / norm;
  const how = { none: '', unit: ' at length 1', residual: ' at the length of the activation' }[normalize];
  return rowIntervention(model, {
    hook,
    what: `steer ${hook} by ${formatNumber(scale)} × ${name}${how}`,
    parameters: {
      kind: 'steer',
      scale,
      vector: sha256([vector]),
      ...(normalize === 'none' ? {} : { normalize }),
    },
    place: options,
    sae,
    peers: options.peers,
    addsConstant: normalize !== 'residual',
    change({ x, original, out }) {
      if (scale === 0) return;
      for (let i = 0; i < x.rows; i++) {
        const by = normalize === 'residual' ? unit * rowNorm(original, i) : unit;
        if (by === 0) continue;
        const at = i * x.cols;
        // A zero adds nothing, not even to the sign of zero.
        for (let j = 0; j < x.cols; j++) if (vector[j] !== 0) out.data[at + j] = x.data[at + j] + by * vector[j];
      }
    },
  });
}

/** @throws RangeError unless the feature is one of the SAE's. */
export function requireFeature(sae: Sae, feature: number): void {
  if (!Number.isInteger(feature) || feature < 0 || feature >= sae.config.dSae)
    throw new RangeError(`feature ${feature} is outside ${sae.name}, which has features 0 to ${sae.config.dSae - 1}`);
}

/** The hook of an SAE, or the one given. @throws Error when neither says. */
export function hookOf(sae: Sae, hook?: string): string {
  const at = hook ?? sae.config.hookName;
  if (!at) throw new Error(`SAE ${sae.name} does not say its hook; give { hook }`);
  return at;
}

/** The decoder rows of an SAE, of which some are an intervention's own. */
export function decoderPeers(sae: Sae, own: Iterable<number>): Intervention['peers'] {
  return { name: `decoder rows of ${sae.name}`, rows: sae.W_dec, own: new Set(own) };
}

/**
 * Steers along the decoder row of one SAE feature: adds scale × W_dec[feature].
 * @throws RangeError when the feature id is outside the SAE; MismatchError when the SAE is another model's.
 */
export function steerFeature(
  model: LanguageModel,
  sae: Sae,
  feature: number,
  options: Given<typeof STEER> & FeatureOptions,
): Intervention {
  requireFeature(sae, feature);
  requireModelOfSae(sae, model, options.allowOtherModel);
  const { hook, allowOtherModel: _, ...rest } = options;
  if (sae.config.transcoder && hook === undefined)
    throw new Error(
      `${sae.name} is a transcoder: its decoder rows belong to ${sae.config.hookNameOut || 'its output'}, not to the hook that it reads; give { hook }`,
    );
  return steer(model, hookOf(sae, hook), row(sae.W_dec, feature), {
    ...rest,
    sae,
    name: `feature ${feature} of ${sae.name}`,
    peers: decoderPeers(sae, [feature]),
  });
}

export const PROJECT = {
  ...ERROR,
  name: text({ doc: 'How the description names the vector.', fallback: '"vector", or the words of the direction' }),
};
export interface ProjectOptions extends Given<typeof PROJECT> {}

export const CAP = {
  cap: required(
    real({
      doc: 'Largest component along the direction at length 1 that is left, in the units of the activation.',
    }),
  ),
  ...PROJECT,
};

/** x · u of row i. */
function along(x: Matrix, i: number, u: Float64Array): number {
  let sum = 0;
  for (let j = 0, at = i * x.cols; j < x.cols; j++, at++) sum += x.data[at] * u[j];
  return sum;
}

/** Moves row i by `by` along u. */
function move(x: Matrix, out: Matrix, i: number, u: Float64Array, by: number): void {
  if (by === 0) return;
  for (let j = 0, at = i * x.cols; j < x.cols; j++, at++) out.data[at] = x.data[at] + by * u[j];
}

function projection(
  model: LanguageModel,
  hook: string,
  given: Vector,
  options: ProjectOptions,
  kind: { kind: string; cap?: number },
  what: (name: string) => string,
  wanted: (component: number) => number,
): Intervention {
  const { vector, name, norm } = vectorAt(model, hook, given, options.name, true);
  const u = Float64Array.from(vector, (v) => v / norm);
  return rowIntervention(model, {
    hook,
    what: what(name),
    parameters: { ...kind, vector: sha256([vector]) },
    place: options,
    sae: options.sae,
    change({ x, out }) {
      for (let i = 0; i < x.rows; i++) {
        const component = along(x, i, u);
        move(x, out, i, u, wanted(component) - component);
      }
    },
  });
}

/**
 * Orthogonal projection: takes the component along a direction out, x − (x·u) u with u the vector at length 1
 * (directional ablation, Arditi et al. 2024). Steer afterwards at the same hook to set the component instead.
 * @throws RangeError on a zero vector, NaN or infinity, or another width.
 */
export function project(
  model: LanguageModel,
  hook: string,
  vector: Vector,
  options: ProjectOptions = {},
): Intervention {
  return projection(
    model,
    hook,
    vector,
    options,
    { kind: 'project' },
    (name) => `project ${name} out of ${hook}`,
    () => 0,
  );
}

/**
 * Projection cap: where the component along a direction is above `cap`, it becomes `cap`; elsewhere nothing changes.
 * @throws RangeError on a zero vector, NaN or infinity, or another width.
 */
export function capProjection(
  model: LanguageModel,
  hook: string,
  vector: Vector,
  options: Given<typeof CAP>,
): Intervention {
  const { cap } = options;
  return projection(
    model,
    hook,
    vector,
    options,
    { kind: 'capProjection', cap },
    (name) => `cap ${hook} at ${cap} along ${name}`,
    (component) => Math.min(component, cap),
  );
}
