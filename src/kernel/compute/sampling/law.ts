/**
 * The law of a world in the form that workers take: typed arrays alone, the large ones on shared memory so that no task
 * copies them.
 */

/** Normals cut at thresholds: feature i fires when Σ loading · factor + residual · ε > threshold. */
export interface CopulaLaw {
  features: Int32Array;
  /** Number of factors. */
  factors: number;
  /** CSR of the loadings over `features`. */
  indptr: Int32Array;
  factor: Int32Array;
  loading: Float64Array;
  residual: Float64Array;
  threshold: Float64Array;
}

/** Distributions of the magnitudes of firings; Law.magnitude holds indices into this list. */
export const MAGNITUDES = [
  'constant',
  'uniform',
  'half-normal',
  'exponential',
  'log-normal',
  'truncated-normal',
] as const;

/** Generators kept as they were published, faults included (synthetic/presets/ lists the faults). */
export type PublishedLaw =
  | { kind: 'sharkey-2022'; cholesky: Float64Array; decay: Float64Array; l0: number }
  | { kind: 'marks-2024'; groups: number; groupSize: number; k: number; lambda: number; perPoint: boolean }
  | { kind: 'lan-2024'; k: number; exponent: number; standardised: boolean; clip: boolean }
  | ({ kind: 'synthsaebench'; copula: CopulaLaw; mean: Float64Array; std: Float64Array } & GatedTrees);

/** Features that fire where their parents do. */
export interface GatedTrees {
  /** All features, parents before their children, members of an exclusive group together. */
  order: Int32Array;
  /** [features] −1 = none. */
  parents: Int32Array;
  /** [features] group of which one stays, −1 = none; its members have one parent, or none. */
  exclusive: Int32Array;
  /** [features] 1 = its magnitude is multiplied by the parent's over the mean of the parent. */
  scaled: Uint8Array;
}

export interface Law {
  features: number;
  dim: number;
  /** Samples that share one stream of random numbers; at most 65,536. Published generators: their batch. */
  chunk: number;
  /** features × dim. */
  dictionary: Float32Array;
  /** [dim], absent for 0. */
  mean?: Float32Array;
  noiseStd: number;
  /** rank × dim unit rows, absent without low-rank noise. */
  noiseDirections?: Float32Array;
  noiseAlong: number;
  /** Features that no copula draws, and hidden ones (ids from `features`), parents first. */
  order: Int32Array;
  /** [features + hidden] −1 = none. */
  parents: Int32Array;
  /** [features + hidden] P(fires | parent fires), or P(fires) without a parent. */
  conditional: Float64Array;
  /**
   * [features + hidden] exclusive group, −1 = none; members of a group share their parent and stand together in
   * `order`.
   */
  exclusive: Int32Array;
  copulas: CopulaLaw[];
  /** [features] index into MAGNITUDES, and its two parameters. */
  magnitude: Uint8Array;
  magnitudeA: Float64Array;
  magnitudeB: Float64Array;
  /** [features] 1 = magnitude multiplied by the parent's over `magnitudeMean` of the parent; absent when none is. */
  scaled?: Uint8Array;
  magnitudeMean: Float64Array;
  published?: PublishedLaw;
}

/** A copy of the numbers on shared memory. */
export function shared<T extends Float32Array | Float64Array | Int32Array | Uint8Array>(array: T): T {
  const buffer = new SharedArrayBuffer(array.byteLength);
  const copy = new (array.constructor as new (buffer: SharedArrayBuffer) => T)(buffer);
  copy.set(array);
  return copy;
}

/** The law with every array on shared memory. */
export function shareLaw(law: Law): Law {
  const share = (value: unknown): unknown => {
    if (value instanceof Float32Array || value instanceof Float64Array) return shared(value);
    if (value instanceof Int32Array || value instanceof Uint8Array) return shared(value);
    if (Array.isArray(value)) return value.map(share);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, share(v)]));
    return value;
  };
  return share(law) as Law;
}
