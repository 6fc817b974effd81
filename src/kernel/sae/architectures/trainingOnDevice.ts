/**
 * How an architecture trains on a device: the part of its file that is a graph (../stepGraph.ts). The dense work of a step
 * is there; what is as long as the features (biases, thresholds, sums over tokens) comes to the host, where the loss and
 * the gradients of such vectors are put together in float64.
 */
import type { Graph, Value } from '../../compute/graphs/graph.js';
import type { LossTerms } from './training.js';

/** How many features are dead, as a graph must know it: none, at most half of d_in, or more, of which the best are taken. */
export type Dead = 'none' | 'few' | 'many';

/** Rows of a batch on their way through a step. Vectors and numbers are inputs that DeviceStep gives. */
export interface StepBlock {
  readonly g: Graph;
  /** [N, F]: pre-activations, bias included. */
  readonly z: Value;
  readonly dead: Dead;
  readonly dIn: number;
  /** [F]; 'norms' (‖W_dec row‖) and 'dead' (1 where it is) are always there. */
  vector(name: string): Value;
  /** [1] */
  number(name: string): Value;
  /** [N, F], of a selection over the batch by `order`: 1 where it takes the entry, else 0. */
  selected(order: Value): Value;
}

/** What comes back to the host of each block, summed there in float64. */
export interface StepSums {
  /** [F] each. */
  readonly columns?: Readonly<Record<string, Value>>;
  /** [N, 1] each; their total. */
  readonly rows?: Readonly<Record<string, Value>>;
}

export interface StepFiring {
  /** [N, F]: features, 0 where they do not fire. */
  readonly f: Value;
  /** dL/dz from dL/df of the squared error. */
  back(toF: Value): StepSums & { toZ: Value };
  /** A second reconstruction with a loss of its own: of the target, or of what the first one left over (x̂ − target). */
  again?(at: { error: Value; target: Value; W_dec: Value; b_dec: Value }): {
    /** [N, F]: its features. */
    f: Value;
    /** [N, d]: dL/d of its reconstruction. */
    toOut: Value;
    /** What is added to dL/dz, given dL/df of it. */
    back(toF: Value): StepSums & { toZ: Value };
    /** Whether its reconstruction has b_dec. */
    withBDec: boolean;
  };
}

/** What is known before the blocks of a batch. */
export interface DeviceBatch {
  /** B */
  readonly rows: number;
  readonly dIn: number;
  /** 0-based. */
  readonly step: number;
  /** ‖W_dec row‖ */
  readonly norms: Float64Array;
  /** What penalties count in its place: the sum of the norms of its parts, where it has some. */
  readonly summedNorms: Float64Array;
  readonly b_enc: Float32Array;
  /** [d_sae], 1 = dead; undefined while there is none. */
  readonly dead?: Uint8Array;
  /** What the architecture trains beyond weights and biases. */
  readonly extra: Readonly<Record<string, Float32Array>>;
}

/** Sums over the blocks of a batch. */
export interface BatchSums {
  readonly columns: Readonly<Record<string, Float64Array>>;
  readonly rows: Readonly<Record<string, number>>;
  /** Entries that fire. */
  readonly firing: number;
  /** Of a selection over the batch, the least value that fired, times decoder norms where it is by these. */
  readonly least?: number;
}

/** A step on the host's side. */
export interface DeviceStep {
  readonly dead: Dead;
  readonly numbers?: Readonly<Record<string, number>>;
  readonly vectors?: Readonly<Record<string, Float64Array>>;
  /** After the last block. */
  end(sums: BatchSums): LossTerms & {
    /** dL/d‖W_dec row‖, or of the sum of the norms of its parts. */
    toNorm?: Float64Array;
    /** The gradient of b_enc where it is not Σ dL/dz. */
    b_enc?: Float64Array;
    /** Gradients of what the architecture trains beyond, but for W_skip. */
    extra?: Record<string, Float64Array>;
  };
}

/** Columns of both matrices in parts. */
export interface Parts {
  /** Where each part begins; the last entry is the width of all. */
  readonly offsets: readonly number[];
  /** [d_sae × parts]: 0 where a feature has no weights in a part, else 1; undefined where all have. */
  open(dSae: number): Float32Array | undefined;
}

export interface DeviceTraining {
  /** What its graph depends on, besides what stands below and sizes. */
  readonly key: string;
  /** W_dec is not trained for itself: its rows are those of the encoder, scaled to norm 1 (tied.ts). */
  readonly tied?: boolean;
  /** W_skip·x is added to the output, and W_skip trained (skipTranscoder.ts). */
  readonly skip?: boolean;
  /** Parts of what is read and written, such as the sides of a crosscoder. */
  readonly parts?: Parts;
  /** Prefixes of the features whose reconstructions count each with its own error, the last F (../pass.ts). */
  widths?(dSae: number): readonly number[];
  fire(block: StepBlock): StepFiring;
  begin(batch: DeviceBatch): DeviceStep;
  /**
   * Of architectures that choose among all entries of a batch: how many of B rows fire, and by which value [N, F] they are
   * the largest; of equal ones the first by row and feature.
   */
  readonly ofBatch?: { count(rows: number): number; order(block: Pick<StepBlock, 'g' | 'z' | 'vector'>): Value };
}
