/**
 * An SAE architecture is one file of this folder and one entry in index.ts: which features fire and with what value, the
 * tensors and config fields that it takes, how other libraries' files hold it, and, where it is trained here, its options,
 * loss and gradients (training.ts). Everything that architectures share (input norms, products, decoding, identity, the
 * training loop) is in ../encode.ts, ../sae.ts and ../step.ts.
 */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { NdArray } from '../../io/ndarray.js';
import type { Sae, SaeConfig, SaeWeights } from '../types.js';
import type { OnDevice } from './onDevice.js';
import type { Entries } from './select.js';
import type { Training } from './training.js';

/** Weights beyond W_enc, b_enc, W_dec and b_dec. */
export type ExtraTensor = 'threshold' | 'r_mag' | 'b_mag' | 'W_skip';
export const EXTRA_TENSORS: readonly ExtraTensor[] = ['threshold', 'r_mag', 'b_mag', 'W_skip'];

/** Config fields beyond those that every SAE has. */
export type ExtraField = 'k' | 'activation' | 'rescaleActsByDecoderNorm' | 'transcoder' | 'pursuit';

/** Pre-activations of some rows on their way to features. */
export interface Block {
  config: SaeConfig;
  weights: SaeWeights;
  /** [rows × d_in]: x̃. */
  input: Float32Array;
  /** ‖W_dec row‖, when activations are rescaled by it. */
  norms: Float64Array | undefined;
  /** [rows × d_sae], row-major: x̃·W_enc without the bias. The architecture's to overwrite. */
  z: Float32Array;
  rows: number;
  /** [rows]: gets the number of entries of each row. */
  counts: Uint32Array;
}

/** What the writers (../writers/) need to know of an architecture. */
export interface Saved {
  readonly saelens?: {
    /** Fields beyond the common ones. */
    cfg?(config: SaeConfig): JsonObject;
    /** Canonical name → name in the file, where they differ. */
    names?: Partial<Record<keyof SaeWeights, string>>;
    /** The file holds W_dec and b_dec alone: W_enc is W_decᵀ, b_enc 0. */
    decoderAlone?: true;
  };
  /** The SAE that SAELens has for inference in place of this one: that is saved instead. */
  saelensForm?(sae: Sae): { config: SaeConfig; weights: SaeWeights };
  /** What sparsify's cfg.json calls it. */
  readonly sparsify?: { activation: string };
  /** @param weights with decoder norms folded in */
  dictionaryLearning?(sae: Sae, weights: SaeWeights): DictionaryClass;
}

/** A class of dictionary_learning that computes the same, and its tensors in the order of the file. */
export interface DictionaryClass {
  name: string;
  tensors: Record<string, NdArray>;
}

export interface Architecture<Name extends string = string> {
  readonly name: Name;
  /** What it is, in one line: docs/formats.md. */
  readonly formula: string;
  readonly tensors: Partial<Record<ExtraTensor, 'needed' | 'allowed'>>;
  readonly fields: Partial<Record<ExtraField, 'needed' | 'allowed'>>;
  /** Whether a feature fires only where x̃·W_enc + b_enc is positive. */
  readonly firesAbove0: boolean;
  /**
   * Where a feature fires its activation is scale·(x̃·w) + bias with these; undefined when it is no linear function there.
   */
  slope(config: SaeConfig, weights: SaeWeights, feature: number): { scale: number; bias: number } | undefined;
  /** More to refuse of a config. */
  check?(config: SaeConfig): void;
  /** Why nothing can be encoded, where that is so. */
  cannotEncode?(config: SaeConfig): string;
  encode(block: Block): Entries;
  /** The same as a graph; absent where nothing can be encoded. */
  readonly onDevice?: OnDevice;
  /** How the files of each library hold it; a library that is absent here has no such SAE. */
  readonly saved: Saved;
  /** How it is trained, where it is trained here. */
  readonly training?: Training;
}

/** The slope of architectures that fire with their pre-activation. */
export function plainSlope(_: SaeConfig, weights: SaeWeights, feature: number): { scale: number; bias: number } {
  return { scale: 1, bias: weights.b_enc[feature] };
}
