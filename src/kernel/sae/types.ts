/** Sparse autoencoders in one canonical form (docs: formats, A0). */
import type { JsonObject } from '../../protocol/notebook.js';
import type { Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';

export type SaeArchitecture = 'standard' | 'topk';

export interface SaeConfig {
  architecture: SaeArchitecture;
  dIn: number;
  dSae: number;
  /** topk only. */
  k?: number;
  /** Subtract b_dec from the input before encoding. */
  applyBDecToInput: boolean;
  /** 'none' once folded into the weights. */
  normalizeActivations: 'none' | 'expected_average_only_in' | 'layer_norm' | 'constant_norm_rescale';
  hookName: string;
  modelName: string;
  /** Identity of the model it was trained on, when known. */
  modelId?: string;
  contextSize?: number;
  /** topk: activations are multiplied by decoder norms before selection. */
  rescaleActsByDecoderNorm?: boolean;
  metadata: JsonObject;
}

export interface Sae {
  /** Name for people: "tiny-1L blocks.0.hook_mlp_out topk 512". */
  readonly name: string;
  /** Content hash of config and weights. */
  readonly id: string;
  readonly config: SaeConfig;
  /** [d_in, d_sae] */
  readonly W_enc: Matrix;
  /** [d_sae] */
  readonly b_enc: Float32Array;
  /** [d_sae, d_in]: row f is the decoder direction of feature f. */
  readonly W_dec: Matrix;
  /** [d_in] */
  readonly b_dec: Float32Array;
  /** Same as W_dec: what maps and Mapper draw. */
  readonly decoder: Matrix;
  /** x: N × d_in → N × d_sae, positive values only. Throws on another width. */
  encode(x: Matrix): SparseRows;
  /** N × d_sae → N × d_in. */
  decode(features: SparseRows): Matrix;
}
