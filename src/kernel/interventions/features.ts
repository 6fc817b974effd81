/**
 * Single features of an SAE read from and written to activations, in the delta form x + Σ (g − f)·(what one unit of the
 * feature writes): the error term x − x̂ stays exactly, and no feature that is not asked for is computed.
 */
import { matrix, type Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import { normalizeInput, type InputNorm } from '../sae/normalize.js';
import { architectureOf } from '../sae/architectures/index.js';
import { requireReconstructs } from '../sae/sae.js';
import type { Sae } from '../sae/types.js';
import { requireFeature } from './steer.js';

/**
 * A computed activation is known to about this share of ‖x‖·‖w‖ + |b|: float32 products differ by as much with the
 * number of rows. Two values that are nearer than that are the same value.
 */
const ROUNDING = 2 ** -22;

/** Features of an intervention: ascending ids, or every feature. */
export type FeatureSet = Int32Array | 'all';

/** @throws RangeError on an empty set, ids outside the SAE, and ids given twice. */
export function featureSet(sae: Sae, features: number | readonly number[] | Int32Array | 'all'): FeatureSet {
  if (features === 'all') return 'all';
  const list = typeof features === 'number' ? [features] : Array.from(features);
  if (list.length === 0)
    throw new RangeError(`no feature is given; give ids of ${sae.name} from 0 to ${sae.config.dSae - 1}, or 'all'`);
  for (const feature of list) requireFeature(sae, feature);
  const sorted = Int32Array.from(list).sort();
  const twice = sorted.find((f, i) => f === sorted[i + 1]);
  if (twice !== undefined) throw new RangeError(`feature ${twice} is given twice; give each feature once`);
  return sorted;
}

/** "feature 3 of …", "features 3, 5 of …", "all 512 features of …". */
export function nameOf(sae: Sae, set: FeatureSet): string {
  if (set === 'all') return `all ${sae.config.dSae} features of ${sae.name}`;
  const shown = [...set.subarray(0, 8)].join(', ');
  const more = set.length > 8 ? ` and ${set.length - 8} more` : '';
  return `${set.length === 1 ? 'feature' : 'features'} ${shown}${more} of ${sae.name}`;
}

/** Dense activations of some features on some rows: [n × |set|], and how exactly each is known. */
export interface FeatureValues {
  /** Ids by column. */
  ids: Int32Array;
  values: Float32Array;
  /** Values that differ by no more are the same. */
  tolerance: Float32Array;
}

/** More features than this are read by one product of all of them. */
const ONE_BY_ONE = 32;

/** Reads and writes chosen features; makes what depends on the SAE alone once. */
export class FeatureRows {
  /** Columns of the encoder, [|set| × d], where features are read one by one. */
  private readonly encoder: Float32Array | undefined;
  /** ‖encoder column‖ by column. */
  private readonly lengths: Float64Array;
  private readonly norms: Float64Array | undefined;
  /** Column of each feature, -1 = not in the set. */
  private readonly column: Int32Array;
  readonly ids: Int32Array;

  constructor(
    readonly sae: Sae,
    set: FeatureSet,
  ) {
    requireReconstructs(sae, 'features are written where they are read');
    const { dIn, dSae, rescaleActsByDecoderNorm } = sae.config;
    this.ids = set === 'all' ? Int32Array.from({ length: dSae }, (_, f) => f) : set;
    this.norms = rescaleActsByDecoderNorm ? rowNorms(sae.W_dec) : undefined;
    this.column = new Int32Array(dSae).fill(-1);
    this.ids.forEach((f, k) => (this.column[f] = k));
    const squares = new Float64Array(this.ids.length);
    for (let j = 0; j < dIn; j++) this.ids.forEach((f, k) => (squares[k] += sae.W_enc.data[j * dSae + f] ** 2));
    this.lengths = squares.map(Math.sqrt);
    if (this.ids.length > ONE_BY_ONE) return;
    const encoder = (this.encoder = new Float32Array(this.ids.length * dIn));
    this.ids.forEach((f, k) => {
      for (let j = 0; j < dIn; j++) encoder[k * dIn + j] = sae.W_enc.data[j * dSae + f];
    });
  }

  /**
   * Activations as sae.encode gives them. Of a ReLU SAE one product per feature and row, in float64. Of others a
   * feature's activation depends on more (of topk on all others): a row is encoded in full, unless none of the features
   * can fire there.
   */
  read(x: Matrix): FeatureValues {
    const { dIn, architecture, activation, applyBDecToInput, normalizeActivations } = this.sae.config;
    const { ids, sae, encoder } = this;
    const direct = architecture === 'standard' && activation !== 'tanh-relu';
    const { firesAbove0 } = architectureOf(architecture);
    const { x: input } = normalizeInput(x, normalizeActivations as InputNorm);
    const n = ids.length;
    const now = { ids, values: new Float32Array(x.rows * n), tolerance: new Float32Array(x.rows * n) };
    const inFull: number[] = [];
    const row = new Float64Array(dIn);
    for (let i = 0; i < x.rows; i++) {
      for (let j = 0; j < dIn; j++) row[j] = input.data[i * dIn + j] - (applyBDecToInput ? sae.b_dec[j] : 0);
      const length = Math.hypot(...row);
      let positive = false;
      for (let k = 0; k < n; k++) {
        const norm = this.norms ? this.norms[ids[k]] : 1;
        const bias = sae.b_enc[ids[k]];
        const tolerance = (length * this.lengths[k] + Math.abs(bias)) * norm * ROUNDING;
        // A gated magnitude is a multiple of the pre-activation.
        now.tolerance[i * n + k] = tolerance * (sae.r_mag ? Math.exp(sae.r_mag[ids[k]]) : 1);
        if (!encoder) continue;
        let sum = bias;
        for (let j = 0; j < dIn; j++) sum += row[j] * encoder[k * dIn + j];
        if (sum * norm > -tolerance) positive = true;
        if (direct) now.values[i * n + k] = Math.max(0, sum * norm);
      }
      if (!encoder || (!direct && (positive || !firesAbove0))) inFull.push(i);
    }
    if (inFull.length > 0) this.readSelected(x, inFull, now.values);
    return now;
  }

  /** Values of rows by the SAE's own encoder, its top-k selection included. */
  private readSelected(x: Matrix, rows: readonly number[], values: Float32Array): void {
    const n = this.ids.length;
    const part = matrix(rows.length, x.cols);
    rows.forEach((r, i) => part.data.set(x.data.subarray(r * x.cols, (r + 1) * x.cols), i * x.cols));
    const { indptr, indices, values: found } = this.sae.encode(part);
    rows.forEach((r, i) => {
      for (let e = indptr[i]; e < indptr[i + 1]; e++) {
        const k = this.column[indices[e]];
        if (k >= 0) values[r * n + k] = found[e];
      }
    });
  }

  /**
   * Writes x + Σ (wanted − now)·W_dec into `out`, in the units of the activation: a row's own scale (layer_norm,
   * constant_norm_rescale) is kept as the unchanged activation has it. Differences below what `now` is known to are
   * none, and rows without a difference are not written.
   */
  write(original: Matrix, x: Matrix, now: FeatureValues, wanted: Float32Array, out: Matrix): void {
    const { dIn, normalizeActivations } = this.sae.config;
    const n = this.ids.length;
    const { scale } = normalizeInput(original, normalizeActivations as InputNorm);
    const sum = new Float64Array(dIn);
    for (let i = 0; i < x.rows; i++) {
      let any = false;
      for (let k = 0; k < n; k++) {
        const at = i * n + k;
        const by = wanted[at] - now.values[at];
        if (by === 0 || Math.abs(by) <= now.tolerance[at]) continue;
        if (!any) for (let j = 0; j < dIn; j++) sum[j] = x.data[i * dIn + j];
        any = true;
        this.addDecoder(sum, k, by * (scale ? scale[i] : 1));
      }
      if (any) out.data.set(sum, i * dIn);
    }
  }

  private addDecoder(sum: Float64Array, k: number, by: number): void {
    const { dIn } = this.sae.config;
    const feature = this.ids[k];
    const share = this.norms ? by / this.norms[feature] : by;
    const at = feature * dIn;
    for (let j = 0; j < dIn; j++) sum[j] += share * this.sae.W_dec.data[at + j];
  }
}
