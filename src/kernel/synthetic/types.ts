/** Worlds with ground truth: types that the generator, the recovery metrics and the api share. */
import type { Json } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';

export interface WorldBatch {
  /** Number of the first sample of this batch in the stream. */
  first: number;
  /** samples × dim: codes · dictionary + mean + noise. */
  x: Matrix;
  /** samples × features: the true activations, > 0. */
  codes: SparseRows;
}

export interface SampleOptions extends CallOptions {
  /** Default: the world's own seed. The same seed gives the same samples in one and in many workers. */
  seed?: number;
  /** Samples a batch; default what fits comfortably. It does not change the samples. */
  batch?: number;
  /** Worker threads; default what the machine has. */
  workers?: number;
}

/** A ground truth: a dictionary of features and the law by which they fire. */
export interface World {
  /** Content hash of options, seed and code version. */
  readonly id: string;
  readonly dim: number;
  readonly features: number;
  /** features × dim. Unit rows, except in presets that reproduce a published generator without them. */
  readonly dictionary: Matrix;
  /** [features] probability of firing that was asked for. */
  readonly frequencies: Float64Array;
  /** [features] parent feature, −1 = none. */
  readonly parents: Int32Array;
  /** [features] block, cluster or exclusive group, −1 = none. */
  readonly groups: Int32Array;
  /** As shown to the user. */
  readonly description: string;
  readonly parameters: Readonly<Record<string, Json>>;
  /** A stream of n samples in bounded memory. */
  sample(n: number, options?: SampleOptions): AsyncIterable<WorldBatch>;
}
