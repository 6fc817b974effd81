/**
 * Tied weights: decoder rows are the encoder's directions, scaled to norm 1, W_dec,i = w_i / ‖w_i‖. The encoder alone is
 * trained; the decoder's gradient reaches it as (G − (G·ŵ) ŵ) / ‖w‖.
 */
import { flag } from '../../verb/option.js';
import type { Parameters } from '../parameters.js';
import type { SaeWeights } from '../types.js';
import type { TrainingRun } from './training.js';

export const TIED_OPTIONS = {
  tied: flag({
    doc: 'Decoder rows are the directions of the encoder, scaled to norm 1, and are not trained for themselves.',
    usual: false,
  }),
} as const;

/** A run whose decoder follows the encoder. */
export function tiedRun(run: TrainingRun): TrainingRun {
  return {
    ...run,
    settings: { ...run.settings, tied: true },
    loss(batch) {
      const { p, g } = batch;
      const norms = followEncoder(p);
      const added = run.loss(batch);
      return {
        ...added,
        terms(sums) {
          const terms = added.terms(sums);
          passToEncoder(p, g, norms);
          return terms;
        },
      };
    },
    finish(weights, trained) {
      // The last update moved the encoder alone.
      alignDecoder(weights, trained.scale);
      return run.finish?.(weights, trained);
    },
  };
}

/** Sets the decoder; returns the norms of the encoder's directions. */
function followEncoder({ W_encT, W_dec, dSae, dIn }: Parameters): Float64Array {
  const norms = new Float64Array(dSae);
  for (let f = 0; f < dSae; f++) {
    let square = 0;
    for (let j = f * dIn; j < (f + 1) * dIn; j++) square += W_encT[j] * W_encT[j];
    norms[f] = Math.sqrt(square);
    for (let j = f * dIn; j < (f + 1) * dIn; j++) W_dec[j] = norms[f] > 0 ? W_encT[j] / norms[f] : 0;
  }
  return norms;
}

function passToEncoder({ W_dec, dSae, dIn }: Parameters, g: Parameters, norms: Float64Array): void {
  for (let f = 0; f < dSae; f++) {
    if (norms[f] === 0) continue;
    let along = 0;
    for (let j = f * dIn; j < (f + 1) * dIn; j++) along += g.W_dec[j] * W_dec[j];
    for (let j = f * dIn; j < (f + 1) * dIn; j++) g.W_encT[j] += (g.W_dec[j] - along * W_dec[j]) / norms[f];
  }
  // Zero, so that neither Adam nor the norm of the gradient sees it.
  g.W_dec.fill(0);
}

/** Decoder rows of norm 1 / scale along the encoder's columns: `scale` of the activations is folded in. */
function alignDecoder({ W_enc, W_dec }: SaeWeights, scale: number): void {
  const squares = new Float64Array(W_enc.cols);
  for (let at = 0; at < W_enc.data.length; at++) squares[at % W_enc.cols] += W_enc.data[at] ** 2;
  for (let f = 0; f < W_dec.rows; f++) {
    const norm = Math.sqrt(squares[f]) * scale;
    for (let j = 0; j < W_dec.cols; j++)
      W_dec.data[f * W_dec.cols + j] = norm > 0 ? W_enc.data[j * W_enc.cols + f] / norm : 0;
  }
}
