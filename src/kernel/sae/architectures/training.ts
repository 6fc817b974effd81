/**
 * How an architecture is trained: a part of its file. All share one step (../step.ts): pre-activations, decoding, the
 * squared error and its gradients. The architecture says which features fire and what else is in the loss. Gradients
 * pass through the firing entries alone, df/dz = 1 there; work that several architectures have in common is in
 * ../selectFiring.ts, ../auxK.ts, ../sparseGradient.ts and ../denseGradient.ts.
 */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { Given, Schema } from '../../verb/option.js';
import type { Block } from '../block.js';
import type { Parameters } from '../parameters.js';
import type { RowEntries } from '../sparseGradient.js';
import type { SaeConfig, SaeWeights } from '../types.js';
import type { Architecture } from './architecture.js';

export interface Training<S extends Schema = Schema> {
  /** Options beyond those of every training, SAELens's names and defaults in camelCase. */
  readonly options: S;
  /** A run with these options. @throws RangeError on values that cannot be. */
  start(options: Given<S>): TrainingRun;
}

export type TrainedArchitecture<N extends string, S extends Schema> = Omit<Architecture<N>, 'training'> & {
  readonly training: Training<S>;
};

export interface TrainingRun {
  /** Its options with every default filled in: what the SAE and a checkpoint keep of them. */
  readonly settings: JsonObject;
  /** Config fields beyond those of every SAE. */
  readonly config?: Partial<SaeConfig>;
  /** First changes to the fresh parameters, in place. */
  begin?(p: Parameters): void;
  /** The loss of one batch. */
  loss(batch: TrainingBatch): BatchLoss;
  /** Last changes to the trained weights, in place. */
  finish?(weights: SaeWeights): void;
}

export interface TrainingBatch {
  readonly p: Parameters;
  /** Gradients to add to. */
  readonly g: Parameters;
  /** B, rows of the whole batch: losses are means over these. */
  readonly rows: number;
  /** 0-based. */
  readonly step: number;
  /** [d_sae], 1 = dead; undefined while there is none yet. */
  readonly dead?: Uint8Array;
  /** To call between pieces of work; throws to stop the step. */
  readonly breakAt?: () => void;
}

/** What an architecture adds to one batch. Blocks come one after another: select, then addBlock. */
export interface BatchLoss {
  /** [d_sae], multiplied into pre-activations before `select`, which divides it out of the features again. */
  readonly scale?: Float64Array;
  /** [d_sae], dL/df beyond the squared error's, of every firing entry. */
  readonly penalty?: Float64Array;
  /** Which features fire, given their pre-activations in block.z. */
  select(block: Block): Firing;
  /** Adds further gradients of a block to g; block.error is x̂ − x. */
  addBlock?(block: Block): Promise<void>;
  /** After the last block: the terms of the loss beyond the squared error, their remaining gradients added to g. */
  terms(sums: FiringSums): LossTerms;
}

export interface Firing {
  /** Firing entries of the block. */
  count: number;
  /** Undefined where block.z now holds the features, zero where they do not fire. */
  entries?: RowEntries;
}

/** Over the blocks of a batch. */
export interface FiringSums {
  /** [d_sae], Σ_b f. */
  readonly features: Float64Array;
}

export interface LossTerms {
  /** What is added to the squared error. */
  added: number;
  /** Sparsity penalty, mean over tokens, before its coefficient; 0 where there is none. */
  l1?: number;
  /** Auxiliary loss as it enters the loss; 0 where there is none. */
  aux?: number;
}
