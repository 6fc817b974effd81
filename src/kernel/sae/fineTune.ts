/** Training that begins with an SAE in place of random weights. */
import { transposed } from '../compute/gemm.js';
import { EXTRA_TENSORS } from './architectures/architecture.js';
import { scaleAll } from './fold.js';
import type { Parameters } from './parameters.js';
import type { Sae, SaeConfig } from './types.js';

/** @throws where the SAE has not the form of the one that is to be trained */
export function requireStart({ name, config, ...weights }: Sae, wanted: SaeConfig): void {
  for (const key of ['architecture', 'dIn', 'dSae', 'applyBDecToInput'] as const)
    if (config[key] !== wanted[key])
      throw new RangeError(
        `training cannot begin with ${name}: its ${key} is ${String(config[key])}, and that of this training ${String(wanted[key])}; give the same`,
      );
  const extra = EXTRA_TENSORS.filter((tensor) => weights[tensor] && tensor !== 'W_skip');
  if (extra.length > 0)
    throw new Error(`training cannot begin with ${name}: its ${extra.join(', ')} would be lost; SAEs of W_enc, W_dec and biases alone can be trained on`); // prettier-ignore
}

/** Sets parameters to the SAE's weights, in units of activations that are scaled by `scale`. */
export function beginWith(p: Parameters, { config, W_enc, W_dec, b_enc, b_dec, W_skip }: Sae, scale: number): void {
  p.W_encT.set(transposed(W_enc.data, p.dIn, p.dSae));
  p.W_dec.set(W_dec.data);
  p.b_enc.set(b_enc);
  p.b_dec.set(b_dec);
  if (W_skip) p.extra.W_skip.set(W_skip.data);
  if (scale === 1) return;
  for (const values of [p.W_encT, ...(W_skip ? [p.extra.W_skip] : [])])
    for (let i = 0; i < values.length; i++) values[i] /= scale;
  // What a transcoder predicts is not scaled, and a pursuit takes the same rows of scaled activations.
  if (!config.transcoder && !config.pursuit) scaleAll(p.W_dec, scale);
  if (!config.transcoder) scaleAll(p.b_dec, scale);
}
