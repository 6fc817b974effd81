/**
 * Adam and the norm of gradients by kernels of WebAssembly, over arrays of any length and wherever they lie: slice by
 * slice in a memory of the thread's own that stays in its core's cache.
 */
import { exportsOf, ownMemory, viewsOf } from '../shared/memory.js';
import { KERNELS } from './kernels.js';

export interface AdamOptions {
  beta1: number;
  beta2: number;
  eps: number;
}

/** What Adam goes over, all of one length. */
export interface AdamArrays {
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  /** First and second moments. */
  readonly m: Float32Array;
  readonly v: Float32Array;
}

export interface AdamStep extends AdamOptions {
  /** t = 1, 2, … */
  readonly t: number;
  readonly lr: number;
  /** Multiplied into the gradients. */
  readonly clip: number;
}

interface Kernels {
  adam(
    ...at: readonly [
      p: number,
      g: number,
      m: number,
      v: number,
      n: number,
      clip: number,
      beta1: number,
      keep1: number,
      beta2: number,
      keep2: number,
      rate: number,
      correction: number,
      eps: number,
    ]
  ): void;
  squares(x: number, n: number): number;
}

/** Values of a slice: four of them in a cache of 256 KB. */
const SLICE = 2 ** 13;
const FIELDS = { p: ['f32', SLICE], g: ['f32', SLICE], m: ['f32', SLICE], v: ['f32', SLICE] } as const;

const kernelsOf = exportsOf<Kernels>(KERNELS);

function open() {
  const memory = ownMemory(FIELDS);
  return { ...viewsOf(memory, FIELDS), kernels: kernelsOf(memory) };
}
let opened: ReturnType<typeof open> | undefined;

const fours = (n: number): number => (n + 3) & ~3;

/** One step of Adam over elements first … last − 1: moments, bias correction and update, in one pass. */
export function adamOver(
  { parameters, gradients, m, v }: AdamArrays,
  { t, lr, clip, beta1, beta2, eps }: AdamStep,
  first: number,
  last: number,
): void {
  opened ??= open();
  const { kernels, ...slice } = opened;
  const rate = lr / (1 - beta1 ** t);
  const correction = 1 / Math.sqrt(1 - beta2 ** t);
  for (let from = first; from < last; from += SLICE) {
    const to = Math.min(last, from + SLICE);
    const n = to - from;
    slice.p.set(parameters.subarray(from, to));
    slice.g.set(gradients.subarray(from, to));
    slice.m.set(m.subarray(from, to));
    slice.v.set(v.subarray(from, to));
    const at = [slice.p, slice.g, slice.m, slice.v].map(({ byteOffset }) => byteOffset) as [number, number, number, number]; // prettier-ignore
    kernels.adam(...at, fours(n), clip, beta1, 1 - beta1, beta2, 1 - beta2, rate, correction, eps);
    parameters.set(slice.p.subarray(0, n), from);
    m.set(slice.m.subarray(0, n), from);
    v.set(slice.v.subarray(0, n), from);
  }
}

/** Values whose squares are added up by themselves. */
export const SQUARES_PIECE = 2 ** 16;

/** Σ x² of piece `piece` of SQUARES_PIECE values, in float64. */
export function squaresOf(x: Float32Array, piece: number): number {
  opened ??= open();
  const { kernels, g } = opened;
  const last = Math.min(x.length, (piece + 1) * SQUARES_PIECE);
  let sum = 0;
  for (let from = piece * SQUARES_PIECE; from < last; from += SLICE) {
    const n = Math.min(last, from + SLICE) - from;
    g.fill(0, n, fours(n));
    g.set(x.subarray(from, from + n));
    sum += kernels.squares(g.byteOffset, fours(n));
  }
  return sum;
}
