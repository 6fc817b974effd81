/**
 * One pass of a training step over a block: which features fire, their reconstruction, and the gradients of its squared
 * error. With several widths (nested groups of features) the reconstruction grows group by group, each prefix has an error
 * of its own, and a feature gets the gradients of all prefixes that hold it:
 *
 *   x̂_l = b_dec + Σ_{i < width_l} f_i W_dec,i       Σ_l 1/B Σ_b ‖x̂_l − x‖²       dL/df_i = Σ_{l: i < width_l} dL/dx̂_l · W_dec,i
 */
import { gemm } from '../compute/gemm.js';
import type { Pass, PassSums } from './architectures/training.js';
import { inPieces, type Block } from './block.js';
import { denseBackward, denseDecode, type Backward, type FeatureRange, type Scratch } from './denseGradient.js';
import type { Parameters } from './parameters.js';
import { scatterEntries, touchedEntries } from './selectFiring.js';
import { byFeature, entriesWithin, sparseBackward, sparseDecode, type RowEntries } from './sparseGradient.js';

/** Multiply-adds of one piece of sparse work: about 0.1 s. */
const PIECE_MACS = 2e8;

/** Sums over the blocks of a batch. */
export interface PassTotals extends PassSums {
  firing: number;
  /** [d_sae]: 1 where the feature fired. */
  readonly fired: Uint8Array;
}

export const passTotals = (dSae: number, widths: number): PassTotals => ({
  features: new Float64Array(dSae),
  squaredErrors: new Float64Array(widths),
  firing: 0,
  fired: new Uint8Array(dSae),
});

/** What a pass works with. */
export interface PassTools {
  scratch: Scratch;
  /** Share of entries above which matrix products beat sparse loops. */
  denseShare: number;
  breakAt?: () => void;
}

/** Runs the pass over block.z, adding to the gradients and totals. `atError` is called where block.error is x̂ − x. */
export async function runPass(
  p: Parameters,
  g: Parameters,
  block: Block,
  pass: Pass,
  totals: PassTotals,
  tools: PassTools,
  atError: ((block: Block) => Promise<void>) | undefined,
): Promise<void> {
  const { scratch, breakAt, denseShare } = tools;
  const firing = await pass.select(block);
  const dense = firing.count > denseShare * block.z.length;
  if (dense && firing.entries) scatterEntries(firing.entries, block.z, p.dSae);
  const entries = dense ? undefined : (firing.entries ?? touchedEntries(block, firing.count));
  totals.firing += firing.firing ?? firing.count;
  if (firing.entries ?? entries) sumEntries((firing.entries ?? entries)!, totals);
  else sumDense(block, p.dSae, totals);

  if (entries) block.memory.put('decoder', p.W_dec);
  const ranges = rangesOf(pass.widths ?? [p.dSae]);
  const errors = ranges.map((_, l) =>
    l === ranges.length - 1 ? block.error : scratch(`error of prefix ${l}`, block.error.length),
  );
  await decode(p, block, ranges, errors, entries, tools);
  errors.forEach((error, l) => (totals.squaredErrors[l] += subtractInPlace(error, block.x)));
  await atError?.(block);

  const { penalty, through, bias = g.b_enc } = pass;
  const grouped = entries && byFeature(entries, p.dSae);
  if (grouped) block.memory.put('input', block.input);
  for (let l = ranges.length - 1; l >= 0; l--) {
    scaleAndSumColumns(errors[l], 2 / block.batch, g.b_dec);
    if (l + 1 < ranges.length) addInPlace(errors[l], errors[l + 1]);
    const back: Backward = { gradient: errors[l], input: block.input, penalty, through, bias };
    if (grouped) await backwardOf(g, block, grouped, ranges[l], back, breakAt);
    else await denseBackward(p, g, block, ranges[l], back, scratch, breakAt);
  }
  // The sum over all prefixes by now: each has the skip connection.
  if (g.extra.W_skip) await skipBackward(p, g.extra.W_skip, block, errors[0], tools);
}

const rangesOf = (widths: readonly number[]): FeatureRange[] =>
  widths.map((last, l) => ({ first: l === 0 ? 0 : widths[l - 1], last }));

/** b_dec, and W_skip·x where there is one: what is there before any feature. A block's input is x in a transcoder. */
async function withoutFeatures(p: Parameters, block: Block, out: Float32Array, breakAt?: () => void): Promise<void> {
  const { dIn, dOut, b_dec } = p;
  const { W_skip } = p.extra;
  if (W_skip)
    await inPieces(block.rows, 2 * dIn * dOut, breakAt, (first, last) => {
      const to = out.subarray(first * dOut, last * dOut);
      gemm(block.input.subarray(first * dIn, last * dIn), W_skip, last - first, dOut, dIn, { transB: true, out: to });
    });
  for (let at = 0; at < out.length; at += dOut)
    if (!W_skip) out.set(b_dec, at);
    else for (let j = 0; j < dOut; j++) out[at + j] += b_dec[j];
}

/** Adds Σ_b dL/dx̂ ⊗ x to the gradient of W_skip. */
function skipBackward(
  { dIn, dOut }: Parameters,
  to: Float32Array,
  block: Block,
  gradient: Float32Array,
  { scratch, breakAt }: PassTools,
): Promise<void> {
  return inPieces(block.rows, 2 * dIn * dOut, breakAt, (first, last) => {
    const input = block.input.subarray(first * dIn, last * dIn);
    const out = scratch('gradient of W_skip', to.length);
    gemm(gradient.subarray(first * dOut, last * dOut), input, dOut, dIn, last - first, { transA: true, out });
    addInPlace(to, out);
  });
}

/** x̂ of every prefix of the features into `errors`. */
async function decode(
  p: Parameters,
  block: Block,
  ranges: readonly FeatureRange[],
  errors: readonly Float32Array[],
  entries: RowEntries | undefined,
  { scratch, breakAt }: PassTools,
): Promise<void> {
  for (const [l, range] of ranges.entries()) {
    const out = errors[l];
    if (l > 0) out.set(errors[l - 1]);
    else await withoutFeatures(p, block, out, breakAt);
    if (!entries) {
      await denseDecode(p, block, range, out, scratch, breakAt);
      continue;
    }
    const own = ranges.length === 1 ? entries : entriesWithin(entries, range);
    const cost = (p.dOut * (own.indptr[block.rows] + 1)) / block.rows;
    const work = (first: number, last: number): void => sparseDecode(block.memory, own, out, first, last);
    await inPieces(block.rows, cost, breakAt, work, PIECE_MACS);
  }
}

function backwardOf(
  g: Parameters,
  { memory }: Block,
  grouped: ReturnType<typeof byFeature>,
  { first, last }: FeatureRange,
  back: Backward,
  breakAt?: () => void,
): Promise<void> {
  const count = grouped.indptr[last] - grouped.indptr[first];
  const cost = ((g.dIn + 2 * g.dOut) * (count + 1)) / (last - first);
  memory.put('gradient', back.gradient);
  const work = (from: number, to: number): void => sparseBackward(memory, grouped, g, back, first + from, first + to);
  return inPieces(last - first, cost, breakAt, work, PIECE_MACS);
}

/** a −= b; returns Σ a² after it. */
function subtractInPlace(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const e = a[i] - b[i];
    a[i] = e;
    sum += e * e;
  }
  return sum;
}

function addInPlace(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
}

function scaleAndSumColumns(m: Float32Array, scale: number, sums: Float32Array): void {
  const total = new Float64Array(sums.length);
  for (let at = 0; at < m.length;) {
    for (let j = 0; j < total.length; j++, at++) {
      m[at] *= scale;
      total[j] += m[at];
    }
  }
  for (let j = 0; j < total.length; j++) sums[j] += total[j];
}

function sumEntries({ rows, indptr, features, values }: RowEntries, totals: PassTotals): void {
  for (let e = 0; e < indptr[rows]; e++) {
    totals.features[features[e]] += values[e];
    if (values[e] !== 0) totals.fired[features[e]] = 1;
  }
}

function sumDense(block: Block, dSae: number, totals: PassTotals): void {
  for (let at = 0; at < block.z.length;) {
    for (let f = 0; f < dSae; f++, at++) {
      if (block.z[at] !== 0) {
        totals.features[f] += block.z[at];
        totals.fired[f] = 1;
      }
    }
  }
}
