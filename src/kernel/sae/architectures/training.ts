/**
 * How an architecture is trained: a part of its file. All share one step (../step.ts): pre-activations, decoding, the
 * squared error and its gradients. The architecture says which features fire, what else is in the loss, how a gradient
 * passes from a feature to its pre-activation (df/dz = 1 of firing entries, unless it says otherwise), and what it trains
 * beyond the two matrices and biases. Work that several architectures have in common is in ../selectFiring.ts, ../auxK.ts,
 * ../passWork.ts and ../denseGradient.ts.
 */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { Given, Schema } from '../../verb/option.js';
import type { RowEntries } from '../../compute/entries/firing.js';
import type { GraphDevice } from '../../compute/graphs/host.js';
import type { Block, BlockRows, DecodedBlock } from '../block.js';
import type { Parameters, TrainedShape } from '../parameters.js';
import type { FiringRule } from '../selectFiring.js';
import type { SaeConfig, SaeWeights } from '../types.js';
import type { Architecture } from './architecture.js';
import type { DeviceTraining } from './trainingOnDevice.js';

export interface Training<S extends Schema = Schema> {
  /** Options beyond those of every training, SAELens's names and defaults in camelCase. */
  readonly options: S;
  /** Encoder and decoder are one matrix. */
  readonly tied?: true;
  /** The norm that decoder rows must begin with, where it is not for options to say. */
  readonly decoderInitNorm?: number;
  /** A run with these options. @throws RangeError on values that cannot be. */
  start(options: Given<S>, shape: TrainedShape): TrainingRun;
  /** The same steps on a device; 'products': those of the CPU, to its bits, with products that `loss` makes there. */
  readonly onDevice: ((options: Given<S>) => DeviceTraining) | 'products';
}

export type TrainedArchitecture<N extends string, S extends Schema> = Omit<Architecture<N>, 'training'> & {
  readonly training: Training<S>;
};

export interface TrainingRun {
  /** Its options with every default filled in: what the SAE and a checkpoint keep of them. */
  readonly settings: JsonObject;
  /** Config fields beyond those of every SAE. */
  readonly config?: Partial<SaeConfig>;
  /**
   * What it trains beyond W_enc, b_enc, W_dec and b_dec, by name, as it begins. 'W_skip' [d_out, d_in] is that of a
   * transcoder, whose part of the output and gradient the step takes care of (../pass.ts).
   */
  readonly parameters?: Readonly<Record<string, Float32Array>>;
  /** Numbers that a step leaves to the next one, kept in checkpoints. */
  readonly memory?: Float64Array;
  /** Of a selection over the batch, the least value that fired is left to the next step: θ of BatchTopK. */
  leave?(least: number): void;
  /** First changes to the fresh parameters, in place. */
  begin?(p: Parameters): void;
  /** The loss of one batch. */
  loss(batch: TrainingBatch): BatchLoss;
  /**
   * Last changes to the trained weights, in place, and to the config, returned; `scale` of the activations was folded
   * into `weights`, and not into what was trained.
   */
  finish?(
    weights: SaeWeights,
    trained: Pick<Parameters, 'extra' | 'W_dec'> & { scale: number },
  ): Partial<SaeConfig> | void;
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
  /** Where products may be made that the loss makes itself. */
  readonly device?: GraphDevice;
  /** To call between pieces of work; throws to stop the step. */
  readonly breakAt?: () => void;
}

/** From dL/df of an entry (feature, its value, its row in the block) to dL/dz. */
export type Through = (gradient: number, feature: number, value: number, row: number) => number;

/** One way from pre-activations to a reconstruction whose squared error is in the loss. */
export interface Pass {
  /** Which features fire, by a rule: no thread then has to keep pre-activations. */
  readonly fires?: FiringRule;
  /** Where no rule says it, given pre-activations in block.z. */
  select?(block: Block): Firing | Promise<Firing>;
  /** [d_sae], dL/df beyond the squared error's, of every firing entry. */
  readonly penalty?: Float64Array;
  /** Instead of dL/dz = dL/df + penalty; also called for entries of −0 (selectFiring.ts, touched). */
  readonly through?: Through;
  /** [d_sae], gets Σ dL/dz; default the gradient of b_enc. */
  readonly bias?: Float32Array;
  /** Prefixes of the features whose reconstructions count each with its own error, the last d_sae; default [d_sae]. */
  readonly widths?: readonly number[];
}

/** The loss of one batch: its first pass is the SAE itself. Blocks come one after another: dead.see, select, then addBlock. */
export interface BatchLoss extends Pass {
  /** [d_sae], multiplied into pre-activations before `select`, which divides it out of the features again. */
  readonly scale?: Float64Array;
  /** Further passes over the same pre-activations. */
  readonly further?: readonly Pass[];
  /** Whether it makes its products itself: block.z then holds nothing before `select`. */
  readonly ownProducts?: boolean;
  /** Whether `select` must see the batch as one block. */
  readonly wholeBatch?: boolean;
  /** Features, in ascending order, whose pre-activations z [rows × features] are looked at before any entry is selected. */
  readonly dead?: { readonly features: Int32Array; see(z: Float32Array, block: BlockRows): void };
  /** Adds further gradients of a block to g. */
  addBlock?(block: DecodedBlock): Promise<void>;
  /**
   * After the last block: the terms of the loss beyond the squared error of the SAE itself, their remaining gradients
   * added to g. `sums` of each pass.
   */
  terms(sums: readonly PassSums[]): LossTerms;
}

export interface Firing {
  /** Entries of the block that gradients pass. */
  count: number;
  /** Undefined where block.z now holds the features, +0 where nothing passes. */
  entries?: RowEntries;
  /** Of a selection over the batch, the least value that fires. */
  least?: number;
}

/** Over the blocks of a batch. */
export interface PassSums {
  /** [d_sae], Σ_b f. */
  readonly features: Float64Array;
  /** ‖x̂ − x‖² of each of the pass's widths. */
  readonly squaredErrors: Float64Array;
  /** Entries that fire. */
  readonly firing: number;
}

export interface LossTerms {
  /** What is added to the squared error. */
  added: number;
  /** Sparsity penalty, mean over tokens, before its coefficient; 0 where there is none. */
  l1?: number;
  /** Auxiliary loss as it enters the loss; 0 where there is none. */
  aux?: number;
}
