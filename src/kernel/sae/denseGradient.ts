/** Decoding and gradients as matrix products, for blocks where many features fire. */
import { gemm, unshared } from '../compute/gemm.js';
import type { Through } from './architectures/training.js';
import { inPieces, type Block } from './block.js';
import type { Parameters } from './parameters.js';
import { touched } from './selectFiring.js';

/** Lends memory that is used again. */
export type Scratch = (name: string, length: number) => Float32Array;

/** Features first … last − 1. */
export interface FeatureRange {
  first: number;
  last: number;
}

/** Adds f · W_dec of the features of a range (block.z) to `out` [rows × d_out]. */
export function denseDecode(
  p: Parameters,
  block: Block,
  { first: from, last: to }: FeatureRange,
  out: Float32Array,
  scratch: Scratch,
  breakAt?: () => void,
): Promise<void> {
  const { dOut, dSae } = p;
  const width = to - from;
  const decoder = unshared(p.W_dec.subarray(from * dOut, to * dOut));
  return inPieces(block.rows, 2 * dOut * width, breakAt, (first, last) => {
    const rows = last - first;
    const acts = columns(block.z.subarray(first * dSae, last * dSae), dSae, from, to, scratch);
    const product = gemm(acts, decoder, rows, dOut, width, { out: scratch('dense decode', rows * dOut) });
    add(out.subarray(first * dOut, last * dOut), product);
  });
}

/** What the backward pass of one block reads. */
export interface Backward {
  /** dL/dx̂ [rows × d_out]. */
  gradient: Float32Array;
  /** Encoder input [rows × d_in]. */
  input: Float32Array;
  /** dL/df added to every firing entry of a feature: λ/B · ‖W_dec row‖; undefined without a penalty. */
  penalty?: Float64Array;
  /** dL/df → dL/dz of an entry; undefined where they are the same. */
  through?: Through;
  /** [d_sae], gets Σ dL/dz. */
  bias: Float32Array;
}

/** Adds the gradients of the features of a range, given block.z = features. */
export async function denseBackward(
  p: Parameters,
  g: Parameters,
  block: Block,
  { first: from, last: to }: FeatureRange,
  back: Backward,
  scratch: Scratch,
  breakAt?: () => void,
): Promise<void> {
  const { dIn, dOut, dSae } = p;
  const width = to - from;
  const decoder = unshared(p.W_dec.subarray(from * dOut, to * dOut));
  const toDecoder = g.W_dec.subarray(from * dOut, to * dOut);
  const toEncoder = g.W_encT.subarray(from * dIn, to * dIn);
  await inPieces(block.rows, 2 * (dIn + dOut) * width, breakAt, (first, last) => {
    const rows = last - first;
    const acts = columns(block.z.subarray(first * dSae, last * dSae), dSae, from, to, scratch);
    const gradient = back.gradient.subarray(first * dOut, last * dOut);
    const input = back.input.subarray(first * dIn, last * dIn);
    const product = scratch('dense gradient', width * Math.max(dIn, dOut));
    const decoderGradient = product.subarray(0, width * dOut);
    add(toDecoder, gemm(acts, gradient, width, dOut, rows, { transA: true, out: decoderGradient }));
    const toActs = scratch('dense dL/df', rows * width);
    gemm(gradient, decoder, rows, width, dOut, { transB: true, out: toActs });
    throughFiring(toActs, acts, from, to, first, back);
    const encoderGradient = product.subarray(0, width * dIn);
    add(toEncoder, gemm(toActs, input, width, dIn, rows, { transA: true, out: encoderGradient }));
  });
}

/** Columns first … last − 1 of rows of `width`: the rows themselves where that is all of them. */
function columns(z: Float32Array, width: number, first: number, last: number, scratch: Scratch): Float32Array {
  const wanted = last - first;
  if (wanted === width) return z;
  const rows = z.length / width;
  const out = scratch('columns', rows * wanted);
  for (let i = 0; i < rows; i++) out.set(z.subarray(i * width + first, i * width + last), i * wanted);
  return out;
}

/** dL/df → dL/dz: zero where the feature does not fire, else plus its penalty; column sums are added to `bias`. */
function throughFiring(
  toActs: Float32Array,
  acts: Float32Array,
  from: number,
  to: number,
  firstRow: number,
  { penalty, through, bias }: Backward,
): void {
  // A loop for each case: this one passes all entries of a block, and most of them do not fire.
  if (through) {
    for (let at = 0, row = firstRow; at < toActs.length; row++) {
      for (let f = from; f < to; f++, at++) {
        if (touched(acts[at])) bias[f] += toActs[at] = through(toActs[at], f, acts[at], row);
        else toActs[at] = 0;
      }
    }
  } else if (penalty) {
    for (let at = 0; at < toActs.length;) {
      for (let f = from; f < to; f++, at++) {
        if (acts[at] !== 0) bias[f] += toActs[at] += penalty[f];
        else toActs[at] = 0;
      }
    }
  } else {
    for (let at = 0; at < toActs.length;) {
      for (let f = from; f < to; f++, at++) {
        if (acts[at] !== 0) bias[f] += toActs[at];
        else toActs[at] = 0;
      }
    }
  }
}

function add(to: Float32Array, from: Float32Array): void {
  for (let i = 0; i < to.length; i++) to[i] += from[i];
}
