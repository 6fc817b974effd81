/**
 * Where the decoder's bias begins: at 0, or at the middle of the activations. The names are SAELens's (its versions before 6
 * began at the geometric median). Activations with a mean far from 0 against their spread are learned badly from 0: many
 * features learn the mean alone, or die.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { columnMeans } from '../compute/rows.js';
import { firstNonFinite } from './encode.js';
import type { ActivationSource } from './source.js';

export const B_DEC_INIT_METHODS = ['zeros', 'mean', 'geometric_median'] as const;
export type BDecInitMethod = (typeof B_DEC_INIT_METHODS)[number];

/** How b_dec began, and why. */
export interface BDecInit {
  method: BDecInitMethod;
  /** ‖mean x‖ / √(mean ‖x − mean x‖²) of a sample: the mean in units of the spread; null where it has none. */
  offset: number | null;
}

/** Rows that tell whether activations are offset, and rows that their middle is taken of; at most one epoch. */
const LOOK_ROWS = 4096;
const MIDDLE_ROWS = 16_384;
/** The offset from which b_dec begins at the geometric median when no method is given: the mean is 4/5 of the mean square. */
const OFFSET = 2;

/** The notice about a start that was not asked for by name. */
export function tellBDecInit({ method, offset }: BDecInit): string {
  return `the mean of the activations is ${(offset ?? Infinity).toPrecision(3)} × their spread: b_dec begins at their ${method.replace('_', ' ')}; { bDecInitMethod: 'zeros' } begins at 0`;
}

/** b_dec [d_in] in the units of the source. Undefined stands for 'zeros', and 'geometric_median' where the mean is far off. */
export async function initialBDec(
  source: ActivationSource,
  method: BDecInitMethod | undefined,
  call: CallOptions,
): Promise<{ init: BDecInit; b_dec: Float64Array }> {
  const zeros = new Float64Array(source.width);
  if (method === 'zeros') return { init: { method, offset: null }, b_dec: zeros };
  const look = method ? undefined : offsetOf(await firstRows(source, LOOK_ROWS, call));
  if (!method && !(look! >= OFFSET)) return { init: initOf('zeros', look!), b_dec: zeros };
  const x = await firstRows(source, MIDDLE_ROWS, call);
  const bad = firstNonFinite(x.data);
  if (bad >= 0)
    throw new Error(
      `b_dec cannot begin at the ${method ?? 'geometric_median'} of the activations: they hold ${x.data[bad]} in row ${Math.floor(bad / x.cols)}; check the hook and the model's weights`,
    );
  const chosen = method ?? 'geometric_median';
  const b_dec = chosen === 'mean' ? columnMeans(x) : await geometricMedian(x, call);
  return { init: initOf(chosen, offsetOf(x)), b_dec };
}

const initOf = (method: BDecInitMethod, offset: number): BDecInit => ({
  method,
  offset: Number.isFinite(offset) ? offset : null,
});

/** The first `wanted` rows of the source, fewer when an epoch has no more. */
export async function firstRows(source: ActivationSource, wanted: number, { signal }: CallOptions): Promise<Matrix> {
  const x = new Float32Array(Math.min(wanted, source.rows ?? wanted) * source.width);
  let filled = 0;
  for await (const piece of source.batches(0, { signal })) {
    const part = piece.data.subarray(0, x.length - filled);
    x.set(part, filled);
    filled += part.length;
    if (filled === x.length) break;
  }
  return matrix(filled / source.width, source.width, x.subarray(0, filled));
}

/** ‖mean‖ / √(mean ‖x − mean‖²); NaN without rows, for zeros, and for rows that are not finite. */
export function offsetOf(x: Matrix): number {
  const mean = columnMeans(x);
  let square = 0;
  let spread = 0;
  for (const m of mean) square += m * m;
  for (let at = 0; at < x.data.length;) for (let j = 0; j < x.cols; j++, at++) spread += (x.data[at] - mean[j]) ** 2;
  return Math.sqrt(square) / Math.sqrt(spread / x.rows);
}

const MOST_STEPS = 1000;
const TOLERANCE = 1e-9;

/**
 * The point with the least Σ ‖x_i − y‖ over rows, [cols] in float64: Weiszfeld's iteration from the mean, in Vardi and
 * Zhang's form (2000), which may stand on a row. Ends when a step is below 1e-9 of the mean distance. NaN without rows.
 */
export async function geometricMedian(x: Matrix, { signal }: CallOptions = {}): Promise<Float64Array> {
  let y = columnMeans(x);
  for (let step = 0; step < MOST_STEPS; step++) {
    checkAborted(signal, 'the geometric median');
    const next = weiszfeld(x, y);
    const { moved, distance } = next;
    y = next.y;
    if (!(moved > TOLERANCE * distance)) break;
    await breathe();
  }
  return y;
}

/** One step: y ← (1 − γ)·Σ w_i x_i / Σ w_i + γ·y with w_i = 1/‖x_i − y‖; γ = min(1, rows at y / ‖Σ w_i (x_i − y)‖). */
function weiszfeld(x: Matrix, y: Float64Array): { y: Float64Array; moved: number; distance: number } {
  const { rows, cols, data } = x;
  const pull = new Float64Array(cols);
  let weights = 0;
  let here = 0;
  let distances = 0;
  for (let i = 0; i < rows; i++) {
    const at = i * cols;
    let square = 0;
    for (let j = 0; j < cols; j++) square += (data[at + j] - y[j]) ** 2;
    const distance = Math.sqrt(square);
    distances += distance;
    if (distance === 0) {
      here++;
      continue;
    }
    weights += 1 / distance;
    for (let j = 0; j < cols; j++) pull[j] += (data[at + j] - y[j]) / distance;
  }
  const force = Math.hypot(...pull);
  const free = force > here ? (1 - here / force) / weights : 0;
  return { y: y.map((v, j) => v + free * pull[j]), moved: free * force, distance: distances / rows };
}
