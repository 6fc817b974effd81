/** Frequencies of features: their shape, and the level that gives a wanted L0 exactly. */
import { filled } from '../../verb/filled.js';
import { normalQuantile } from '../../compute/sampling/normal.js';
import { FREQUENCIES, type FrequencySpec } from './options.js';

export interface Shape {
  weights: Float64Array;
  /** The weights are the frequencies themselves. */
  absolute: boolean;
  /** Given one by one: nothing may change them. */
  given: boolean;
}

const requirePositive = (what: string, value: number): void => {
  if (!(value > 0 && Number.isFinite(value))) throw new RangeError(`${what} must be above 0 but is ${value}`);
};

/** Throws with the feasible range when a frequency is no probability. */
export function requireProbabilities(p: ArrayLike<number>): void {
  for (let i = 0; i < p.length; i++)
    if (!(p[i] >= 0 && p[i] <= 1))
      throw new RangeError(`feature ${i} would fire with probability ${p[i]}: frequencies lie in [0, 1]`);
}

/** The shape a spec describes, over n features. */
export function frequencyShape(spec: FrequencySpec, n: number): Shape {
  if (typeof spec === 'number') return frequencyShape({ kind: 'uniform', p: spec }, n);
  if (!('kind' in spec)) {
    if (spec.length !== n)
      throw new RangeError(`frequencies has ${spec.length} entries for ${n} features; expected one each`);
    const weights = Float64Array.from(spec);
    requireProbabilities(weights);
    return { weights, absolute: true, given: true };
  }
  const scaled = (shape: (i: number) => number, level: number | undefined): Shape => {
    const first = shape(0);
    const weights = Float64Array.from(
      { length: n },
      (_, i) => (shape(i) * (level ?? 1)) / (level === undefined ? 1 : first),
    );
    if (level !== undefined) requireProbabilities(weights);
    return { weights, absolute: level !== undefined, given: false };
  };
  switch (spec.kind) {
    case 'uniform':
      return scaled(() => 1, spec.p);
    case 'geometric': {
      const { lambda, max } = filled(FREQUENCIES.table.geometric.members, spec);
      return scaled((i) => lambda ** i, max);
    }
    case 'zipf': {
      const { exponent, max, min } = filled(FREQUENCIES.table.zipf.members, spec);
      if (min === undefined) return scaled((i) => (i + 1) ** -exponent, max);
      if (max === undefined || !(min > 0 && min <= max && max <= 1))
        throw new RangeError(`zipf with min needs 0 < min ≤ max ≤ 1 but has min ${min} and max ${max}`);
      const last = n ** -exponent;
      const spread = 1 - last || 1;
      const weights = Float64Array.from(
        { length: n },
        (_, i) => min + ((max - min) * ((i + 1) ** -exponent - last)) / spread,
      );
      return { weights, absolute: true, given: false };
    }
    case 'log-normal': {
      const { sigma, median } = filled(FREQUENCIES.table['log-normal'].members, spec);
      const weights = Float64Array.from(
        { length: n },
        (_, i) => Math.exp(sigma * normalQuantile(1 - (i + 0.5) / n)) * (median ?? 1),
      );
      if (median !== undefined) requireProbabilities(weights);
      return { weights, absolute: median !== undefined, given: false };
    }
  }
}

/**
 * min(cap_i, s · w_i) with s such that they sum to `l0`, exactly. Throws with the feasible range when the caps sum to
 * less.
 */
export function scaleToL0(weights: Float64Array, l0: number, caps: Float64Array): Float64Array {
  requirePositive('l0', l0);
  let most = 0;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    total += weights[i];
    if (weights[i] > 0) most += caps[i];
  }
  if (l0 > most * (1 + 1e-12))
    throw new RangeError(
      `a mean L0 of ${l0} is asked but at most ${Number(most.toPrecision(6))} is possible here: the feasible range is (0, ${Number(most.toPrecision(6))}]`,
    );
  // Features reach their caps in the order of cap/weight; s is linear between.
  const order = Array.from(weights.keys())
    .filter((i) => weights[i] > 0)
    .sort((a, b) => caps[a] / weights[a] - caps[b] / weights[b]);
  let capped = 0;
  let s = 0;
  for (const i of order) {
    s = (l0 - capped) / total;
    if (s * weights[i] <= caps[i]) break;
    capped += caps[i];
    total -= weights[i];
    s = Infinity;
  }
  return weights.map((w, i) => (w === 0 ? 0 : Math.min(caps[i], s * w)));
}
