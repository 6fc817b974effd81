/**
 * Matching pursuit over decoder rows w_i (Mallat and Zhang 1993; Costa et al. 2025, arXiv 2506.03093; SAELens): features
 * are taken one after another, each the one whose row has the largest product with what is left of x̃.
 *
 *   r_0 = x̃      i_t = argmax_i w_i · r_t      v_t = ReLU(w_{i_t} · r_t)      r_{t+1} = r_t − v_t w_{i_t}      f_i = Σ_{t: i_t = i} v_t
 *
 * It ends after `maxIterations`; where nothing has a positive product; where ‖r‖ < residualThreshold; and, with
 * stopOnDuplicateSupport, after the first step that took a feature again.
 */
import { gemm } from '../compute/gemm.js';

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
  /** [rows × d_sae]: x̃ · W_decᵀ, overwritten. */
  z: Float32Array;
  rows: number;
  /** [d_sae × d_in] */
  decoder: Float32Array;
  dIn: number;
  dSae: number;
}

/** Operations of one piece: about 0.15 s of native product on two cores. */
const PIECE_FLOPS = 1.5e10;

/** Runs the pursuit of all rows side by side; yields between pieces of work, for who wants to breathe there. */
export function* pursuit(given: PursuitInput, o: Pursuit): Generator<void, Taken> {
  const { input, z, rows, dIn, dSae, decoder } = given;
  const taken: Taken = {
    features: Array.from({ length: rows }, () => []),
    values: Array.from({ length: rows }, () => []),
  };
  const left = input.slice(0, rows * dIn);
  let active = Array.from({ length: rows }, (_, i) => i);
  const step = Math.max(1, Math.floor(PIECE_FLOPS / (2 * dIn * dSae)));
  const iterations = o.maxIterations ?? dIn;
  for (let t = 0; t < iterations && active.length > 0; t++) {
    const next: number[] = [];
    for (let first = 0; first < active.length; first += step) {
      const some = active.slice(first, first + step);
      const scores = z.subarray(0, some.length * dSae);
      if (t > 0) gemm(gathered(left, some, dIn), decoder, some.length, dSae, dIn, { transB: true, out: scores });
      some.forEach((row, at) => {
        // Scores of the first round lie where their rows do.
        const of = t > 0 ? at : row;
        const f = largest(z, of * dSae, dSae);
        if (take(taken, row, f, left, decoder, dIn, o)) next.push(row);
      });
      yield;
    }
    active = next;
  }
  return taken;
}

/** Takes feature f for the row; whether the row goes on. */
function take(
  { features, values }: Taken,
  row: number,
  f: number,
  left: Float32Array,
  decoder: Float32Array,
  dIn: number,
  o: Pursuit,
): boolean {
  const at = row * dIn;
  let sum = 0;
  for (let j = 0; j < dIn; j++) sum += left[at + j] * decoder[f * dIn + j];
  const value = Math.fround(sum);
  if (value <= 0) return false;
  const again = features[row].includes(f);
  features[row].push(f);
  values[row].push(value);
  // NaN is taken, so that a loss shows it.
  if (Number.isNaN(value)) return false;
  let square = 0;
  for (let j = 0; j < dIn; j++) {
    const rest = Math.fround(left[at + j] - value * decoder[f * dIn + j]);
    left[at + j] = rest;
    square += rest * rest;
  }
  if (o.stopOnDuplicateSupport && again) return false;
  return !(Math.sqrt(square) < o.residualThreshold);
}

/** Place of the largest of z[from … from + count − 1], the first of equal ones; 0 where all are NaN. */
function largest(z: Float32Array, from: number, count: number): number {
  let best = 0;
  for (let f = 1; f < count; f++) if (z[from + f] > z[from + best] || Number.isNaN(z[from + best])) best = f;
  return Number.isNaN(z[from + best]) ? 0 : best;
}

function gathered(from: Float32Array, rows: readonly number[], width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(from.subarray(row * width, (row + 1) * width), i * width));
  return out;
}

/** One row's features, ascending, each once with the sum of its values. */
export function summed(features: readonly number[], values: readonly number[]): Array<[number, number]> {
  const sums = new Map<number, number>();
  features.forEach((f, t) => sums.set(f, Math.fround((sums.get(f) ?? 0) + values[t])));
  return [...sums].sort(([a], [b]) => a - b);
}
