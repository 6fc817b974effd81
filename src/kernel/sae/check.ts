/** Does this SAE belong to these activations? The mistakes that have spoilt published runs, caught on loading. */
import type { Matrix } from '../compute/matrix.js';
import { isObject } from './cfg.js';
import { ReconstructionSums } from './reconstruction.js';
import { reconstruct } from './sae.js';
import type { Sae } from './types.js';

export interface SaeCheck {
  /** Mean firing features per token. */
  l0: number;
  /** l0 / d_sae. */
  density: number;
  /** 1 − SSE/SST about the mean. */
  explainedVariance: number;
  /** For people; empty when all looks well. */
  warnings: string[];
}

/** Measured L0 this many times the training's is suspicious. */
const L0_FACTOR = 3;
/** Above this share of features, an SAE of unknown training L0 is hardly sparse: wrong pairs showed 34-36 %. */
const DENSE = 0.1;

/**
 * Encodes and reconstructs activations x [N, d_in] (a few hundred tokens do) and says what looks wrong.
 * `trainedL0`: expected firing features per token; default k (topk) or what training recorded.
 * A width that does not fit is a warning here, with NaN figures, not an error.
 */
export function checkSae(sae: Sae, x: Matrix, options: { trainedL0?: number } = {}): SaeCheck {
  const { dIn, dSae, hookName, modelName } = sae.config;
  if (x.cols !== dIn) {
    const warning = `width ${x.cols} does not fit: the SAE takes ${dIn}${hookName ? ` (${hookName} of ${modelName})` : ''}`;
    return { l0: NaN, density: NaN, explainedVariance: NaN, warnings: [warning] };
  }
  const { features, reconstruction } = reconstruct(sae, x);
  const sums = new ReconstructionSums(dIn);
  sums.add(x, reconstruction);
  const l0 = features.values.length / x.rows;
  const density = l0 / dSae;
  const { explainedVariance } = sums.metrics();
  const warnings: string[] = [];
  const expected = options.trainedL0 ?? trainedL0(sae);
  if (expected !== undefined && l0 > L0_FACTOR * expected) {
    warnings.push(
      `L0 is ${l0.toFixed(1)} (density ${percent(density)}) where training had ${expected.toFixed(1)}: are these the activations it was trained on?`,
    );
  } else if (expected === undefined && density > DENSE) {
    warnings.push(
      `density is ${percent(density)} of ${dSae} features: SAEs fire on 0.1-3 %; is this the SAE of this model and hook?`,
    );
  }
  if (l0 === 0) warnings.push('no feature fires on any token');
  if (explainedVariance < 0) {
    warnings.push(
      `explained variance is ${explainedVariance.toFixed(3)}, worse than the mean: wrong model, hook or layer? ` +
        'hook_resid_post of block i is the input of block i + 1 (hidden_states[i + 1]), not hidden_states[i]',
    );
  } else if (Number.isNaN(explainedVariance)) {
    warnings.push('all activations are equal: nothing to explain');
  }
  return { l0, density, explainedVariance, warnings };
}

function trainedL0(sae: Sae): number | undefined {
  const { k, metadata } = sae.config;
  if (k !== undefined) return k;
  const recorded = isObject(metadata.training) ? metadata.training.finalL0 : undefined;
  return typeof recorded === 'number' ? recorded : undefined;
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(3)} %`;
}
