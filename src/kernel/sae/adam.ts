/** Adam over one flat array of parameters, as torch.optim.Adam without weight decay. */
import { adamOver, SQUARES_PIECE, squaresOf, type AdamOptions } from '../compute/entries/optimiser.js';

export interface AdamState {
  /** First and second moments, as long as the parameters. */
  m: Float32Array;
  v: Float32Array;
}

/** √Σ g², added in float64: NaN or infinity when any gradient is. */
export function gradientNorm(gradients: Float32Array): number {
  let sum = 0;
  for (let piece = 0; piece * SQUARES_PIECE < gradients.length; piece++) sum += squaresOf(gradients, piece);
  return Math.sqrt(sum);
}

/** torch.nn.utils.clip_grad_norm_'s factor: min(1, maxNorm / (norm + 1e-6)); 1 without a limit. */
export function clipFactor(norm: number, maxNorm: number | undefined): number {
  return maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}

/** One step (t = 1, 2, …): moments, bias correction and update, with gradients multiplied by `clip` on the way. */
export function adamUpdate(
  parameters: Float32Array,
  gradients: Float32Array,
  { m, v }: AdamState,
  t: number,
  lr: number,
  clip: number,
  options: AdamOptions,
): void {
  adamOver({ parameters, gradients, m, v }, { ...options, t, lr, clip }, 0, parameters.length);
}
