/** What an SAE does to its input before encoding and undoes after decoding (SAELens's normalize_activations). */
import { matrix, type Matrix } from '../compute/matrix.js';

export type InputNorm = 'none' | 'layer_norm' | 'constant_norm_rescale';

const LAYER_NORM_EPS = 1e-5;

/** A normalised input with what it takes to go back: x = normalised · scale + shift, row by row. */
export interface NormalizedInput {
  x: Matrix;
  /** [N]; undefined for 'none'. */
  scale?: Float64Array;
  /** [N]; undefined unless 'layer_norm'. */
  shift?: Float64Array;
}

/**
 * Normalises rows, N × d. Formulas are SAELens's:
 * - layer_norm: (x − mean) / (std + 1e-5), std unbiased (n − 1); the way back multiplies by std, without the 1e-5.
 * - constant_norm_rescale: x · √d / ‖x‖. A row of zeros stays as it is.
 */
export function normalizeInput(x: Matrix, norm: InputNorm): NormalizedInput {
  if (norm === 'none') return { x };
  return norm === 'layer_norm' ? layerNorm(x) : constantNorm(x);
}

/** Undoes normalizeInput on a reconstruction, in place. */
export function denormalize(reconstruction: Matrix, input: NormalizedInput): Matrix {
  const { rows, cols, data } = reconstruction;
  if (!input.scale) return reconstruction;
  for (let i = 0; i < rows; i++) {
    const scale = input.scale[i];
    const shift = input.shift ? input.shift[i] : 0;
    for (let j = i * cols; j < (i + 1) * cols; j++) data[j] = data[j] * scale + shift;
  }
  return reconstruction;
}

function layerNorm(x: Matrix): NormalizedInput {
  const { rows, cols, data } = x;
  const out = matrix(rows, cols);
  const scale = new Float64Array(rows);
  const shift = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const at = i * cols;
    let mean = 0;
    for (let j = 0; j < cols; j++) mean += data[at + j];
    mean /= cols;
    let square = 0;
    for (let j = 0; j < cols; j++) square += (data[at + j] - mean) ** 2;
    const std = Math.sqrt(square / (cols - 1));
    for (let j = 0; j < cols; j++) out.data[at + j] = (data[at + j] - mean) / (std + LAYER_NORM_EPS);
    scale[i] = std;
    shift[i] = mean;
  }
  return { x: out, scale, shift };
}

function constantNorm(x: Matrix): NormalizedInput {
  const { rows, cols, data } = x;
  const out = matrix(rows, cols);
  const scale = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const at = i * cols;
    let square = 0;
    for (let j = 0; j < cols; j++) square += data[at + j] ** 2;
    const factor = square > 0 ? Math.sqrt(cols / square) : 1;
    for (let j = 0; j < cols; j++) out.data[at + j] = data[at + j] * factor;
    scale[i] = 1 / factor;
  }
  return { x: out, scale };
}
