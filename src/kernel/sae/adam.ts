/** Adam over one flat array of parameters, as torch.optim.Adam without weight decay. */

export interface AdamOptions {
  beta1: number;
  beta2: number;
  eps: number;
}

export interface AdamState {
  /** First and second moments, as long as the parameters. */
  m: Float32Array;
  v: Float32Array;
}

/** √Σ g² in float64: NaN or infinity when any gradient is. */
export function gradientNorm(gradients: Float32Array): number {
  // Four sums break the chain of additions that would otherwise bound the speed.
  let a = 0, b = 0, c = 0, d = 0; // prettier-ignore
  const end = gradients.length & ~3;
  for (let i = 0; i < end; i += 4) {
    a += gradients[i] * gradients[i];
    b += gradients[i + 1] * gradients[i + 1];
    c += gradients[i + 2] * gradients[i + 2];
    d += gradients[i + 3] * gradients[i + 3];
  }
  for (let i = end; i < gradients.length; i++) a += gradients[i] * gradients[i];
  return Math.sqrt(a + b + c + d);
}

/** torch.nn.utils.clip_grad_norm_'s factor: min(1, maxNorm / (norm + 1e-6)); 1 without a limit. */
export function clipFactor(norm: number, maxNorm: number | undefined): number {
  return maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}

/**
 * One step (t = 1, 2, …) in one pass over elements first … last − 1: moments, bias correction and update together,
 * with gradients multiplied by `scale` (the clipping factor) on the way.
 */
export function adamUpdate(
  parameters: Float32Array,
  gradients: Float32Array,
  state: AdamState,
  t: number,
  lr: number,
  scale: number,
  { beta1, beta2, eps }: AdamOptions,
  first = 0,
  last = parameters.length,
): void {
  const { m, v } = state;
  const rate = lr / (1 - beta1 ** t);
  const correction = 1 / Math.sqrt(1 - beta2 ** t);
  const keep1 = 1 - beta1;
  const keep2 = 1 - beta2;
  for (let i = first; i < last; i++) {
    const g = gradients[i] * scale;
    const mean = beta1 * m[i] + keep1 * g;
    const square = beta2 * v[i] + keep2 * g * g;
    m[i] = mean;
    v[i] = square;
    parameters[i] -= (rate * mean) / (Math.sqrt(square) * correction + eps);
  }
}
