/** Crosscoders: one dictionary that reads and writes the activations of several models or layers at once. */
import type { Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import type { TrainedSae } from '../sae/keptTraining.js';

/** One of the activations that a crosscoder reads and writes. */
export interface Side {
  /** "A", "B", … */
  readonly name: string;
  readonly modelName: string;
  readonly modelId?: string;
  readonly hook: string;
  /** d_m */
  readonly width: number;
  /** Multiplied into its activations: √d_m / mean ‖x_m‖, so that no side outweighs another by its units. */
  readonly scale: number;
  /** Features that read and write this side alone. */
  readonly dedicated: number;
}

/**
 * A crosscoder of M sides: f = act(Σ_m x_m·W_enc,m + b_enc), x̂_m = f·W_dec,m + b_dec,m. Features are ordered: those
 * dedicated to the first side, to the second, …, then those that all sides share.
 */
export interface Crosscoder {
  readonly name: string;
  /** Content hash of weights, config and sides. */
  readonly id: string;
  readonly features: number;
  readonly sides: readonly Side[];
  /** The same weights as an SAE of the scaled activations of all sides, one after another; with the history of its training. */
  readonly joined: TrainedSae;
  /** Per side [features × d_m], in the units of its activations: maps, Mapper and cosines take these. */
  readonly decoders: readonly Matrix[];
  /** [features × M]: the side's part ‖d_m‖ / Σ‖d‖ of a feature's decoder norms in scaled units; NaN where all are 0. */
  readonly shares: Matrix;
  /** Per side N × d_m → N × features. Throws on other widths. */
  encode(xs: readonly Matrix[]): SparseRows;
  /** N × features → per side N × d_m, in the units of its activations. */
  decode(features: SparseRows): Matrix[];
}
