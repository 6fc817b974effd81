/** Does this SAE belong to these activations? The mistakes that have spoilt published runs, caught on loading. */
import type { Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import { isObject } from './layouts/layout.js';
import { ReconstructionSums } from './reconstruction.js';
import { createSae, reconstruct, requireReconstructs } from './sae.js';
import type { Sae, SaeConfig } from './types.js';

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
  requireReconstructs(sae, 'the check compares an activation with its reconstruction');
  const { features, reconstruction } = reconstruct(sae, x);
  const sums = new ReconstructionSums(dIn);
  sums.add(x, reconstruction);
  const l0 = features.values.length / x.rows;
  const density = l0 / dSae;
  const { explainedVariance } = sums.metrics();
  const centring = centringWarning(sae.config, x);
  const warnings: string[] = centring ? [centring] : [];
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
  const unscaled = expected === undefined ? undefined : unscaledThreshold(sae, x, l0, expected);
  if (unscaled) warnings.push(unscaled);
  if (l0 === 0) warnings.push('no feature fires on any token');
  if (explainedVariance < 0) {
    warnings.push(worseThanMean(explainedVariance));
  } else if (Number.isNaN(explainedVariance)) {
    warnings.push('all activations are equal: nothing to explain');
  }
  return { l0, density, explainedVariance, warnings };
}

export function worseThanMean(explainedVariance: number): string {
  return (
    `explained variance is ${explainedVariance.toFixed(3)}, worse than the mean: wrong model, hook or layer? ` +
    'hook_resid_post of block i is the input of block i + 1 (hidden_states[i + 1]), not hidden_states[i]'
  );
}

/** Rows whose mean is below this share of their root mean square are centred. */
const CENTRED = 1e-3;

/**
 * SAELens says of some SAEs that they were trained on a model with center_writing_weights: there every activation of the
 * residual stream, and every write into it, has mean 0 over its width. Activations that have not are of the plain model.
 */
export function centringWarning(config: SaeConfig, x: Matrix): string | undefined {
  const kwargs = config.metadata.model_from_pretrained_kwargs;
  const centred = isObject(kwargs) && kwargs.center_writing_weights === true;
  if (!centred || !/hook_(resid_\w+|mlp_out|attn_out|embed)$/.test(config.hookName) || x.rows === 0) return undefined;
  let [means, squares] = [0, 0];
  for (let i = 0; i < x.rows; i++) {
    let mean = 0;
    for (let j = i * x.cols; j < (i + 1) * x.cols; j++) {
      mean += x.data[j] / x.cols;
      squares += x.data[j] ** 2 / x.cols;
    }
    means += mean ** 2;
  }
  if (Math.sqrt(means) <= CENTRED * Math.sqrt(squares)) return undefined;
  return (
    `this SAE was trained on a model with center_writing_weights, but these activations have a mean over their width (${Math.sqrt(means / x.rows).toPrecision(3)} where 0 is expected): ` +
    "load the model with { process: 'center' }"
  );
}

/** L0 this many times nearer to training's is no accident. */
const NEARER = 1.5;

/**
 * BatchTopK SAEs whose activation scale s was folded into the weights, but not into their one threshold, fire too rarely
 * (s > 1) or too often. Divided by s = √d / mean ‖x‖, the threshold must give the L0 of training.
 */
function unscaledThreshold(sae: Sae, x: Matrix, l0: number, expected: number): string | undefined {
  const { threshold, config } = sae;
  if (!threshold || threshold.some((t) => t !== threshold[0]) || x.rows === 0) return undefined;
  const s = (Math.sqrt(x.cols) * x.rows) / rowNorms(x).reduce((sum, n) => sum + n, 0);
  if (!Number.isFinite(s)) return undefined;
  const { W_enc, b_enc, W_dec, b_dec, W_skip } = sae;
  const weights = { W_enc, b_enc, W_dec, b_dec, threshold: threshold.map((t) => t / s), ...(W_skip ? { W_skip } : {}) };
  const mended = createSae(config, weights).encode(x).values.length / x.rows;
  const off = (value: number): number => Math.max(value / expected, expected / value);
  if (!(off(mended) * NEARER < off(l0))) return undefined;
  return (
    `L0 is ${l0.toFixed(1)} where training had ${expected.toFixed(1)}, and ${mended.toFixed(1)} with the threshold divided by √d_in / mean ‖x‖ = ${s.toPrecision(4)}: ` +
    `this BatchTopK SAE was saved with its threshold unscaled; load it with { thresholdScale: ${(1 / s).toPrecision(4)} }`
  );
}

function trainedL0(sae: Sae): number | undefined {
  const { k, metadata } = sae.config;
  if (k !== undefined) return k;
  if (typeof metadata.trained_k === 'number') return metadata.trained_k;
  const recorded = isObject(metadata.training) ? metadata.training.finalL0 : undefined;
  return typeof recorded === 'number' ? recorded : undefined;
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(3)} %`;
}
