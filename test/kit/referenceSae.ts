/** Interventions in float64 and plain loops, from the definitions; shares no code with the kernel. */
import type { Sae } from '#kernel/sae/types.js';

/** One row encoded: activations [dSae], and the scale and shift that undo the SAE's normalisation. */
export function encodeRow(sae: Sae, x: ArrayLike<number>): { f: number[]; scale: number; shift: number } {
  const { dIn, dSae, architecture, k, applyBDecToInput, normalizeActivations, rescaleActsByDecoderNorm } = sae.config;
  let scale = 1;
  let shift = 0;
  let eps = 0;
  const row = Array.from(x);
  if (normalizeActivations === 'layer_norm') {
    shift = row.reduce((s, v) => s + v, 0) / dIn;
    scale = Math.sqrt(row.reduce((s, v) => s + (v - shift) ** 2, 0) / (dIn - 1));
    eps = 1e-5;
  } else if (normalizeActivations === 'constant_norm_rescale') {
    scale = Math.sqrt(row.reduce((s, v) => s + v * v, 0) / dIn);
  }
  const input = row.map((v, j) => (v - shift) / (scale + eps) - (applyBDecToInput ? sae.b_dec[j] : 0));
  const z: number[] = [];
  for (let f = 0; f < dSae; f++) {
    let sum = sae.b_enc[f];
    for (let j = 0; j < dIn; j++) sum += input[j] * sae.W_enc.data[j * dSae + f];
    z.push(rescaleActsByDecoderNorm ? sum * decoderNorm(sae, f) : sum);
  }
  const kept =
    architecture === 'topk'
      ? new Set([...z.keys()].sort((a, b) => z[b] - z[a] || a - b).slice(0, k))
      : new Set(z.keys());
  return { f: z.map((v, i) => (kept.has(i) ? Math.max(0, v) : 0)), scale, shift };
}

export function decoderNorm(sae: Sae, f: number): number {
  let sum = 0;
  for (let j = 0; j < sae.config.dIn; j++) sum += sae.W_dec.data[f * sae.config.dIn + j] ** 2;
  return Math.sqrt(sum);
}

/** x̂ of activations in the units of the row. */
export function decodeRow(sae: Sae, f: readonly number[], scale: number, shift: number): number[] {
  const { dIn, rescaleActsByDecoderNorm } = sae.config;
  return Array.from({ length: dIn }, (_, j) => {
    let sum = sae.b_dec[j];
    f.forEach((v, i) => {
      if (v !== 0) sum += (rescaleActsByDecoderNorm ? v / decoderNorm(sae, i) : v) * sae.W_dec.data[i * dIn + j];
    });
    return sum * scale + shift;
  });
}

/** A row with its features set to what `wanted` makes of them: x̂(wanted f) + error, or without the error. */
export function withFeatures(
  sae: Sae,
  x: ArrayLike<number>,
  wanted: (f: number[]) => number[],
  errorTerm: 'keep' | 'drop' = 'keep',
): number[] {
  const { f, scale, shift } = encodeRow(sae, x);
  const before = decodeRow(sae, f, scale, shift);
  const after = decodeRow(sae, wanted([...f]), scale, shift);
  return after.map((v, j) => (errorTerm === 'keep' ? v + (x[j] - before[j]) : v));
}
