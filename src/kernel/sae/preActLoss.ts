/**
 * The pre-activation loss that revives dead features of a JumpReLU SAE (Anthropic, January 2025, as in SAELens):
 *
 *   c/B Σ_b Σ_{i dead} ReLU(θ_i − z_bi) ‖W_dec,i‖
 */
import { real } from '../verb/option.js';
import type { BatchLoss, TrainingBatch } from './architectures/training.js';
import { deadFeatures } from './auxK.js';
import type { BlockRows } from './block.js';

export const PRE_ACT_OPTIONS = {
  preActLossCoefficient: real({
    doc: "Weight of the loss that draws pre-activations of dead features up to θ; 3e-6 is Anthropic's.",
    min: 0,
    usual: 0,
  }),
} as const;

/** `dead`, where anything is; terms after the last block. */
export function preActLoss(
  { p, g, rows, dead }: TrainingBatch,
  coefficient: number,
  theta: Float64Array,
  norms: Float64Array,
): Pick<BatchLoss, 'dead'> & { terms(toTheta: Float64Array, toNorm: Float64Array): number } {
  const { dIn } = p;
  const features = coefficient > 0 ? deadFeatures(dead) : new Int32Array(0);
  const weight = coefficient / rows;
  // Per dead feature: Σ_b ReLU(θ − z), and the tokens below θ.
  const below = new Float64Array(features.length);
  const counts = new Uint32Array(features.length);
  const see = (z: Float32Array, { input, rows: own }: BlockRows): void => {
    // A dead feature is below θ on nearly every token: the sum of all tokens, less those that are not.
    const all = new Float64Array(dIn);
    for (let at = 0; at < own * dIn;) for (let j = 0; j < dIn; j++, at++) all[j] += input[at];
    features.forEach((f, c) => {
      const sum = all.slice();
      for (let i = 0; i < own; i++) {
        const gap = theta[f] - z[i * features.length + c];
        if (gap > 0) {
          below[c] += gap;
          counts[c]++;
        } else for (let j = 0; j < dIn; j++) sum[j] -= input[i * dIn + j];
      }
      for (let j = 0; j < dIn; j++) g.W_encT[f * dIn + j] -= weight * norms[f] * sum[j];
    });
  };
  return {
    dead: features.length === 0 ? undefined : { features, see },
    terms(toTheta, toNorm) {
      let total = 0;
      features.forEach((f, c) => {
        total += weight * norms[f] * below[c];
        g.b_enc[f] -= weight * norms[f] * counts[c];
        toTheta[f] += weight * norms[f] * counts[c];
        toNorm[f] += weight * below[c];
      });
      return total;
    },
  };
}
