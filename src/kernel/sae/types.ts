/** Sparse autoencoders in one canonical form. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import type { SaeArchitecture } from './architectures/index.js';
import type { Pursuit } from './pursuit.js';

export type { SaeArchitecture };

export interface SaeConfig {
  architecture: SaeArchitecture;
  dIn: number;
  dSae: number;
  /** Width of what a transcoder writes; default dIn. */
  dOut?: number;
  /** topk, abstopk, groupmax: features kept per token. Threshold architectures: the L0 they were trained to, when known. */
  k?: number;
  /** standard: what follows the encoder; default 'relu'. */
  activation?: 'relu' | 'tanh-relu';
  /** Reads one activation and predicts another: decode(encode(x)) is no reconstruction of x. */
  transcoder?: boolean;
  /** Subtract b_dec from the input before encoding. */
  applyBDecToInput: boolean;
  /** 'none' once folded into the weights. */
  normalizeActivations: 'none' | 'expected_average_only_in' | 'layer_norm' | 'constant_norm_rescale';
  hookName: string;
  /** Where a transcoder's output belongs. */
  hookNameOut?: string;
  modelName: string;
  /** Identity of the model it was trained on, when known. */
  modelId?: string;
  contextSize?: number;
  /** topk and its kin: activations are multiplied by decoder norms before selection. */
  rescaleActsByDecoderNorm?: boolean;
  /** matching_pursuit: when it ends. */
  pursuit?: Pursuit;
  metadata: JsonObject;
}

/** Weights in canonical form; what an architecture takes beyond the first four is in its file. */
export interface SaeWeights {
  /** [d_in, d_sae] */
  W_enc: Matrix;
  /** [d_sae]; of a gated SAE the gate's bias, b_gate. */
  b_enc: Float32Array;
  /** [d_sae, d_out] */
  W_dec: Matrix;
  /** [d_out] */
  b_dec: Float32Array;
  /** [d_sae]: θ of jumprelu and of batchtopk. */
  threshold?: Float32Array;
  /** [d_sae]: gated, log scale of the magnitude path. */
  r_mag?: Float32Array;
  /** [d_sae]: gated, bias of the magnitude path. */
  b_mag?: Float32Array;
  /** [d_out, d_in]: W_skip·x is added to the output of a skip transcoder, x as it came in. */
  W_skip?: Matrix;
}

/**
 * Features of some rows, with what decoding needs to know of these rows beyond their features: the scale and shift of an
 * SAE that normalises its input, the input of one with a skip connection. Absent for all others.
 */
export interface EncodedRows extends SparseRows {
  readonly origin?: RowOrigin;
}

export interface RowOrigin {
  /** [N] */
  scale?: Float64Array;
  /** [N] */
  shift?: Float64Array;
  /** [N, d_in], the caller's own: not to be changed before decoding. */
  input?: Matrix;
}

export interface Sae extends Readonly<Omit<SaeWeights, 'W_enc' | 'b_enc' | 'W_dec' | 'b_dec'>> {
  /** Name as shown: "tiny-1L blocks.0.hook_mlp_out topk 512". */
  readonly name: string;
  /** Content hash of config and weights. */
  readonly id: string;
  readonly config: SaeConfig;
  /** [d_in, d_sae] */
  readonly W_enc: Matrix;
  /** [d_sae]; of a gated SAE b_gate. */
  readonly b_enc: Float32Array;
  /** [d_sae, d_out]: row f is the decoder direction of feature f. */
  readonly W_dec: Matrix;
  /** [d_out] */
  readonly b_dec: Float32Array;
  /** Same as W_dec: what maps and Mapper draw. */
  readonly decoder: Matrix;
  /**
   * x: N × d_in → N × d_sae; positive values only, except abstopk, whose values have signs. Throws on another width, and
   * for a decoder alone.
   */
  encode(x: Matrix): EncodedRows;
  /**
   * N × d_sae → N × d_out, in the units of the activations, as SAELens gives it. An SAE that normalises its input by row
   * (layer_norm, constant_norm_rescale) or has a skip connection needs the rows that were encoded: features as encode
   * returned them carry that; for any other features give the activations as `x` [N, d_in], else it throws.
   */
  decode(features: EncodedRows, x?: Matrix): Matrix;
}
