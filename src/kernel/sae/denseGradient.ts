/** Decoding and gradients as matrix products, for blocks where many features fire. */
import { gemm } from '../compute/gemm.js';
import { inPieces, type Block } from './block.js';
import type { Parameters } from './parameters.js';

/** x̂ of the block's features (block.z) into block.error. */
export function denseDecode(p: Parameters, block: Block, breakAt?: () => void): Promise<void> {
  const { dIn, dSae } = p;
  return inPieces(block.rows, 2 * dIn * dSae, breakAt, (first, last) => {
    const out = block.error.subarray(first * dIn, last * dIn);
    gemm(block.z.subarray(first * dSae, last * dSae), p.W_dec, last - first, dIn, dSae, { out });
    for (let at = 0; at < out.length;) for (let j = 0; j < dIn; j++, at++) out[at] += p.b_dec[j];
  });
}

/**
 * Adds gradients given block.z = features and block.error = dL/dx̂. `penalty`: dL/df of every firing entry of a feature.
 * `scratch(name, length)` lends memory.
 */
export async function denseBackward(
  p: Parameters,
  g: Parameters,
  block: Block,
  penalty: Float64Array | undefined,
  scratch: (name: string, length: number) => Float32Array,
  breakAt?: () => void,
): Promise<void> {
  const { dIn, dSae } = p;
  await inPieces(block.rows, 4 * dIn * dSae, breakAt, (first, last) => {
    const rows = last - first;
    const acts = block.z.subarray(first * dSae, last * dSae);
    const gradient = block.error.subarray(first * dIn, last * dIn);
    const input = block.input.subarray(first * dIn, last * dIn);
    const product = scratch('dense gradient', dSae * dIn);
    add(g.W_dec, gemm(acts, gradient, dSae, dIn, rows, { transA: true, out: product }));
    const toActs = scratch('dense dL/df', rows * dSae);
    gemm(gradient, p.W_dec, rows, dSae, dIn, { transB: true, out: toActs });
    maskToFiring(toActs, acts, dSae, penalty, g.b_enc);
    add(g.W_encT, gemm(toActs, input, dSae, dIn, rows, { transA: true, out: product }));
  });
}

/** Zero where the feature does not fire, else plus its penalty; column sums are added to b_enc's gradient. */
function maskToFiring(
  toActs: Float32Array,
  acts: Float32Array,
  dSae: number,
  penalty: Float64Array | undefined,
  b_enc: Float32Array,
): void {
  for (let at = 0; at < toActs.length;) {
    for (let f = 0; f < dSae; f++, at++) {
      const value = acts[at] > 0 ? toActs[at] + (penalty ? penalty[f] : 0) : 0;
      toActs[at] = value;
      b_enc[f] += value;
    }
  }
}

function add(to: Float32Array, from: Float32Array): void {
  for (let i = 0; i < to.length; i++) to[i] += from[i];
}
