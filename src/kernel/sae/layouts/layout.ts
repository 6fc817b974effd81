/**
 * A layout is one file of this folder and one line in index.ts: it recognises the files of one training library by the
 * names and shapes in them, and maps these to the canonical form. Every tensor and every config field in a file is used,
 * known to change nothing (with the reason), or refused by name: SaeFiles keeps the count.
 */
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import type { SaeFiles } from './files.js';

export interface LoadSaeOptions {
  /** Needed where the file does not say it; must agree with a file that does. */
  architecture?: SaeArchitecture;
  /** topk and its kin: features kept per token. Needed where the file does not say it; must agree with a file that does. */
  k?: number;
  /** Whether b_dec is subtracted from the input. Needed where the file does not say it; must agree with a file that does. */
  applyBDecToInput?: boolean;
  /** Hook that the SAE reads; overrides what the file says, or says what it does not. */
  hookName?: string;
  /** Model that it was trained on, for people; overrides what the file says. */
  modelName?: string;
  /** Identity of that model (model.id): the SAE is then refused on any other. */
  modelId?: string;
  /** s of 'expected_average_only_in' where the file leaves it unfolded; 1 when it was folded but the cfg not changed. */
  normScalingFactor?: number;
  /**
   * Multiplies the thresholds. Some BatchTopK SAEs were saved with thresholds of scaled activations after the scale s was
   * folded into the weights: 1/s mends them; threshold.ts tells them by their L0.
   */
  thresholdScale?: number;
  /**
   * Where the canonical tensors lie in a file of no known layout: { W_enc: 'their.name', … }. null: there is none (a bias
   * of zeros). Orientation is told by shapes; where these leave it open, { tensor, transpose } says it.
   */
  map?: Partial<Record<keyof SaeWeights, MappedTensor>>;
  /** Tensors and config fields of the file that are to be left out, by name: those that change nothing. */
  ignore?: readonly string[];
}

export type MappedTensor = string | null | { tensor: string; transpose: boolean };

/** What the files leave open, and an option says. */
export class NeedsOption extends Error {
  override name = 'NeedsOption';
}

/** An SAE as a layout reads it. */
export interface SaeParts {
  config: SaeConfig;
  weights: SaeWeights;
}

export interface Layout {
  /** As shown: "SAELens folder". */
  readonly name: string;
  /** What it is recognised by: the list in messages and in docs/formats.md. */
  readonly signs: string;
  recognises(files: SaeFiles): boolean;
  read(files: SaeFiles): Promise<SaeParts>;
}
