/** What sparsity penalties of several architectures have in common. */
import { real, whole } from '../../verb/option.js';
import type { Parameters } from '../parameters.js';

/** Options of penalties on Σ f. */
export const L1_OPTIONS = {
  l1Coefficient: real({ doc: 'λ.', min: 0, fallback: '1' }),
  l1WarmUpSteps: whole({ doc: 'Steps over which λ grows linearly from 0.', min: 0, fallback: '0' }),
} as const;

/** Adds gradients on decoder norms, toNorm · W/‖W‖ (0 for a zero row), to those of the decoder rows. */
export function addNormGradient(p: Parameters, g: Parameters, norms: Float64Array, toNorm: Float64Array): void {
  for (let f = 0; f < p.dSae; f++) {
    if (toNorm[f] === 0 || norms[f] === 0) continue;
    const factor = toNorm[f] / norms[f];
    for (let j = f * p.dOut; j < (f + 1) * p.dOut; j++) g.W_dec[j] += factor * p.W_dec[j];
  }
}

/** λ/B · Σ_b Σ_i f‖W_dec,i‖: adds its gradient on the decoder; returns the sum before λ/B. */
export function penalizeDecoder(
  p: Parameters,
  g: Parameters,
  norms: Float64Array,
  sums: Float64Array,
  weight: number,
): number {
  let total = 0;
  for (let f = 0; f < p.dSae; f++) total += sums[f] * norms[f];
  addNormGradient(
    p,
    g,
    norms,
    sums.map((sum) => weight * sum),
  );
  return total;
}
