/** Maps between features and scores of pairs: types that the parts of correlation share. */
import type { SparseActivations } from '../activations/types.js';
import type { Interval } from './bootstrap.js';

/** A map between the features of two activation stores over the same tokens. */
export interface FeatureMap {
  readonly id: string;
  /** Tokens correlated over: those that neither store ignores. */
  readonly tokens: number;
  readonly featuresA: number;
  readonly featuresB: number;
  /** Counterparts kept per feature (n). */
  readonly counterparts: number;
  /** [featuresB × n]: best A features of each B feature, best first; -1 = none (dead, or too few firings). */
  readonly bestAofB: Int32Array;
  /** [featuresB × n]: Pearson r, or the measure that `method` names; NaN where bestAofB is -1. */
  readonly rAofB: Float32Array;
  /** [featuresA × n]: the same for the A features. */
  readonly bestBofA: Int32Array;
  readonly rBofA: Float32Array;
  /** Matched pairs after the filters: a, b, r of equal length. */
  readonly pairs: { a: Int32Array; b: Int32Array; r: Float32Array };
  /** Measure and matcher, as shown. */
  readonly method: string;
  /** Features that fired on fewer tokens took no part. */
  readonly minFirings: number;
}

/** A map that knows the activations it was made from. */
export interface PairedMap extends FeatureMap {
  readonly a: SparseActivations;
  readonly b: SparseActivations;
  /** The maps of the baselines of both sides by kind, where they were asked for. */
  readonly baselines?: Readonly<Record<string, PairedMap>>;
}

export interface SimilarityScore {
  metric: string;
  /** The variant computed: "corrected, 99 % variance: kX = 81, kY = 79". */
  variant: string;
  value: number;
  /** Pairs. */
  n: number;
  null: { kind: string; runs: number; mean: number; std: number; max: number };
  /** (k + 1) / (R + 1), k = null runs ≥ value. */
  p: number;
  seed: number;
  /** How far it moves with other units of the same kind: pairs, features, sequences. */
  interval?: Interval;
  /** Set when the number means little, such as n ≤ d. */
  warning?: string;
}
