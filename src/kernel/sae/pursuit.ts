/**
 * Matching pursuit over decoder rows w_i (Mallat and Zhang 1993; Costa et al. 2025, arXiv 2506.03093; SAELens): features
 * are taken one after another, each the one whose row has the largest product with what is left of x̃.
 *
 *   r_0 = x̃      i_t = argmax_i w_i · r_t      v_t = ReLU(w_{i_t} · r_t)      r_{t+1} = r_t − v_t w_{i_t}      f_i = Σ_{t: i_t = i} v_t
 *
 * It ends after `maxIterations`; where nothing has a positive product; where ‖r‖ < residualThreshold; and, with
 * stopOnDuplicateSupport, after the first step that took a feature again.
 *
 * One feature instead of another changes all that a row takes after it, and training enlarges that. So w_i · r_t is summed
 * in float64, in one order, and rounded to float32; of equal ones the first is taken. Products of matrices, which round as
 * they like, only say which features may be the largest: the same are taken wherever they are computed.
 */
import type { RowEntries } from '../compute/entries/firing.js';
import { gemm } from '../compute/gemm.js';
import { matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';

/** When a pursuit ends; SAELens's names in camelCase. */
export interface Pursuit {
  /** 0: no such end. */
  residualThreshold: number;
  /** null: d_in. */
  maxIterations: number | null;
  stopOnDuplicateSupport: boolean;
}

/** What each row took, in order; the same feature may come again. */
export interface Taken {
  /** By row. */
  features: number[][];
  /** By row, float32 numbers. */
  values: number[][];
}

export interface PursuitInput {
  /** [rows × d_in]: x̃. */
  input: Float32Array;
  rows: number;
  /** [d_sae × d_in] */
  decoder: Float32Array;
  dIn: number;
  dSae: number;
}

/** Rows that ask which features may have the largest product with what is left of them. */
export interface Asked {
  /** 0-based; in round 0 the rows are those of the input. */
  readonly round: number;
  readonly rows: number;
  /** [rows × d_in] */
  readonly left: Float32Array;
  /** By row: how far below the largest float32 product that of the feature may lie whose true product is the largest. */
  readonly reach: Float64Array;
}

/** By row: features among which the one of the largest product is, ascending. */
export type Candidates = Array<readonly number[]>;

/** Operations of one piece: about 0.15 s of native product on two cores. */
const PIECE_FLOPS = 1.5e10;
/** Products of rows whose norms have a larger product may not be finite in float32. */
const FINITE = 1e38;

/** Runs the pursuit of all rows side by side: asks for candidates in each round, and is given them. */
export function* pursuit(given: PursuitInput, o: Pursuit): Generator<Asked, Taken, Candidates> {
  const { input, rows, dIn, dSae, decoder } = given;
  const taken: Taken = {
    features: Array.from({ length: rows }, () => []),
    values: Array.from({ length: rows }, () => []),
  };
  const left = input.slice(0, rows * dIn);
  const norms = rowNorms(matrix(rows, dIn, left));
  // NaN where any is.
  const widest = rowNorms(matrix(dSae, dIn, decoder)).reduce((a, b) => Math.max(a, b), 0);
  let active = Array.from({ length: rows }, (_, i) => i);
  const iterations = o.maxIterations ?? dIn;
  for (let round = 0; round < iterations && active.length > 0; round++) {
    const reach = Float64Array.from(active, (row) => reachOf(dIn, norms[row] * widest));
    const candidates = yield { round, rows: active.length, left: gathered(left, active, dIn), reach };
    active = active.filter((row, at) => {
      if (!(norms[row] * widest < FINITE)) {
        // So that a loss shows it.
        taken.features[row].push(0);
        taken.values[row].push(NaN);
        return false;
      }
      const { feature, value } = largest(candidates[at], left.subarray(row * dIn, (row + 1) * dIn), decoder);
      return take(taken, row, feature, value, { left, norms, decoder, dIn }, o);
    });
  }
  return taken;
}

/**
 * Twice what a float32 product of that length errs by at most, summed in any order (Higham 2002, eq. 3.5), with room for
 * the rounding of the sum in float64.
 */
const reachOf = (length: number, norms: number): number => 2.02 * (length + 4) * 2 ** -24 * norms;

/** The candidate of the largest product, the first of equal ones. */
function largest(
  candidates: readonly number[],
  left: Float32Array,
  decoder: Float32Array,
): { feature: number; value: number } {
  const dIn = left.length;
  let [feature, value] = [0, -Infinity];
  for (const f of candidates) {
    let sum = 0;
    for (let j = 0, at = f * dIn; j < dIn; j++, at++) sum += left[j] * decoder[at];
    if (Math.fround(sum) > value) [feature, value] = [f, Math.fround(sum)];
  }
  return { feature, value };
}

/** What is left of all rows, and its norms. */
interface Left {
  left: Float32Array;
  norms: Float64Array;
  decoder: Float32Array;
  dIn: number;
}

/** Takes feature f for the row; whether the row goes on. */
function take(
  { features, values }: Taken,
  row: number,
  f: number,
  value: number,
  { left, norms, decoder, dIn }: Left,
  o: Pursuit,
): boolean {
  if (value <= 0) return false;
  const again = features[row].includes(f);
  features[row].push(f);
  values[row].push(value);
  let square = 0;
  for (let j = 0, at = row * dIn, of = f * dIn; j < dIn; j++, at++, of++) {
    const rest = Math.fround(left[at] - value * decoder[of]);
    left[at] = rest;
    square += rest * rest;
  }
  norms[row] = Math.sqrt(square);
  if (o.stopOnDuplicateSupport && again) return false;
  return !(norms[row] < o.residualThreshold);
}

/**
 * Candidates by products on this thread; yields between pieces of work, for who wants to breathe there.
 * @param z [rows × d_sae]: x̃ · W_decᵀ in round 0, overwritten
 */
export function* candidatesHere(
  { decoder, dIn, dSae, z }: PursuitInput & { z: Float32Array },
  { round, rows, left, reach }: Asked,
): Generator<void, Candidates> {
  const candidates: Candidates = [];
  const step = Math.max(1, Math.floor(PIECE_FLOPS / (2 * dIn * dSae)));
  for (let first = 0; first < rows; first += step) {
    const last = Math.min(rows, first + step);
    if (round > 0) {
      const out = z.subarray(first * dSae, last * dSae);
      gemm(left.subarray(first * dIn, last * dIn), decoder, last - first, dSae, dIn, { transB: true, out });
    }
    for (let i = first; i < last; i++) candidates.push(within(z.subarray(i * dSae, (i + 1) * dSae), reach[i]));
    yield;
  }
  return candidates;
}

/** Places of values that lie at most `reach` below the largest. */
function within(z: Float32Array, reach: number): number[] {
  let [best, second, at] = [-Infinity, -Infinity, 0];
  for (let f = 0; f < z.length; f++) {
    const value = z[f];
    if (value <= second) continue;
    if (value > best) [second, best, at] = [best, value, f];
    else second = value;
  }
  if (second < best - reach) return [at];
  return Array.from(z.keys()).filter((f) => z[f] >= best - reach);
}

function gathered(from: Float32Array, rows: readonly number[], width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(from.subarray(row * width, (row + 1) * width), i * width));
  return out;
}

/** One row's features, ascending, each once with the sum of its values. */
function summed(features: readonly number[], values: readonly number[]): Array<[number, number]> {
  const sums = new Map<number, number>();
  features.forEach((f, t) => sums.set(f, Math.fround((sums.get(f) ?? 0) + values[t])));
  return [...sums].sort(([a], [b]) => a - b);
}

/** The features of each row, ascending, each once with the sum of its values. */
export function entriesOf({ features, values }: Taken): RowEntries & { indptr: Uint32Array } {
  const rows = features.length;
  const fired = features.map((of, i) => summed(of, values[i]));
  const indptr = new Uint32Array(rows + 1);
  fired.forEach((of, i) => (indptr[i + 1] = indptr[i] + of.length));
  const all = fired.flat();
  return {
    rows,
    indptr,
    features: Int32Array.from(all, ([f]) => f),
    values: Float32Array.from(all, ([, value]) => value),
  };
}
