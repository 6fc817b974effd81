/** Thresholds of BatchTopK SAEs that were saved in other units than their weights. */
import type { Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import { createSae } from './sae.js';
import type { Sae } from './types.js';

/** The threshold is said to be unscaled when dividing it brings L0 this many times nearer to training's, and within this factor of it. */
const NEARER = 1.5;

/**
 * BatchTopK SAEs whose activation scale s was folded into the weights, but not into their one threshold, fire too rarely
 * (s > 1) or too often. Divided by s = √d / mean ‖x‖, the threshold must give the L0 of training. The message for people when
 * that is so of activations x [N, d_in] with the measured L0 `l0`; undefined otherwise.
 */
export function unscaledThreshold(sae: Sae, x: Matrix, l0: number, expected: number): string | undefined {
  const { threshold, config } = sae;
  if (!threshold || threshold.some((t) => t !== threshold[0]) || x.rows === 0) return undefined;
  const s = (Math.sqrt(x.cols) * x.rows) / rowNorms(x).reduce((sum, n) => sum + n, 0);
  if (!Number.isFinite(s)) return undefined;
  const { W_enc, b_enc, W_dec, b_dec, W_skip } = sae;
  const weights = { W_enc, b_enc, W_dec, b_dec, threshold: threshold.map((t) => t / s), ...(W_skip ? { W_skip } : {}) };
  const mended = createSae(config, weights).encode(x).values.length / x.rows;
  const off = (value: number): number => Math.max(value / expected, expected / value);
  if (!(off(mended) * NEARER < off(l0) && off(mended) < NEARER)) return undefined;
  return (
    `has L0 ${l0.toFixed(1)} where training had ${expected.toFixed(1)}, and ${mended.toFixed(1)} with the threshold divided by √d_in / mean ‖x‖ = ${s.toPrecision(4)}: ` +
    `this BatchTopK SAE was saved with its threshold unscaled; load it with { thresholdScale: ${(1 / s).toPrecision(4)} }`
  );
}
