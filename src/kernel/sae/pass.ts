/**
 * One pass of a training step over a block: which features fire, their reconstruction, and the gradients of its squared
 * error. With several widths (nested groups of features) the reconstruction grows group by group, each prefix has an error
 * of its own, and a feature gets the gradients of all prefixes that hold it:
 *
 *   x̂_l = b_dec + Σ_{i < width_l} f_i W_dec,i       Σ_l 1/B Σ_b ‖x̂_l − x‖²       dL/df_i = Σ_{l: i < width_l} dL/dx̂_l · W_dec,i
 *
 * Where few features fire, work is in proportion to the entries (passWork.ts); else they are matrix products.
 */
import type { RowEntries } from '../compute/entries/firing.js';
import { gemm } from '../compute/gemm.js';
import type { Pass, PassSums } from './architectures/training.js';
import { inPieces, type Block, type BlockRows, type DecodedBlock } from './block.js';
import { denseBackward, denseDecode, type Backward, type FeatureRange, type Scratch } from './denseGradient.js';
import type { Parameters } from './parameters.js';
import type { FeatureEntries, PassWork } from './passWork.js';

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
  work: PassWork;
  /** Whether the gradients of both matrices hold nothing yet: the first pass that has them sets them. */
  fresh: boolean;
  breakAt?: () => void;
  /** Called where the error is known and not yet a gradient. */
  atError?: (block: DecodedBlock) => Promise<void>;
}

/** Decodes the entries that lie in `work`, and adds to the gradients and totals. */
export async function sparsePass(
  p: Parameters,
  g: Parameters,
  block: BlockRows,
  entries: RowEntries,
  pass: Pass,
  totals: PassTotals,
  tools: PassTools,
): Promise<void> {
  const { work, breakAt, atError } = tools;
  const widths = pass.widths ?? [p.dSae];
  const last = widths.length - 1;
  if (g.extra.W_skip) await withoutFeatures(p, block, work.error(0), breakAt);
  breakAt?.();
  const weight = 2 / block.batch;
  const start = { widths, bias: g.extra.W_skip ? undefined : p.b_dec, weight: atError ? undefined : weight };
  const { squares, toBias } = await work.decode(p, start, () => sumEntries(entries, totals));
  squares.forEach((square, l) => (totals.squaredErrors[l] += square));
  if (atError) {
    await atError({ ...block, error: work.error(last) });
    for (let l = last; l >= 0; l--) {
      scaleAndSumColumns(work.error(l), weight, g.b_dec);
      if (l < last) addInPlace(work.error(l), work.error(l + 1));
    }
  } else for (let j = 0; j < toBias.length; j++) g.b_dec[j] += toBias[j];
  breakAt?.();
  const { penalty, through, bias = g.b_enc } = pass;
  const change =
    through &&
    (({ indptr, row, values, slopes }: FeatureEntries): void => {
      for (let f = 0; f < p.dSae; f++)
        for (let e = indptr[f]; e < indptr[f + 1]; e++) slopes[e] = through(slopes[e], f, values[e], row[e]);
    });
  await work.backward(g, { widths, penalty, fresh: tools.fresh }, change, bias);
  if (g.extra.W_skip) await skipBackward(p, g.extra.W_skip, block, work.error(0), tools);
}

/** The same for features that lie in block.z. */
export async function densePass(
  p: Parameters,
  g: Parameters,
  block: Block,
  pass: Pass,
  totals: PassTotals,
  tools: PassTools,
): Promise<void> {
  const { scratch, breakAt } = tools;
  sumDense(block, p.dSae, totals);
  const widths = pass.widths ?? [p.dSae];
  const ranges = widths.map((last, l): FeatureRange => ({ first: l === 0 ? 0 : widths[l - 1], last }));
  const errors = ranges.map((_, l) => scratch(`error of prefix ${l}`, block.x.length));
  for (const [l, range] of ranges.entries()) {
    if (l > 0) errors[l].set(errors[l - 1]);
    else await withoutFeatures(p, block, errors[l], breakAt);
    await denseDecode(p, block, range, errors[l], scratch, breakAt);
  }
  errors.forEach((error, l) => (totals.squaredErrors[l] += subtractInPlace(error, block.x)));
  await tools.atError?.({ ...block, error: errors.at(-1)! });
  const { penalty, through, bias = g.b_enc } = pass;
  for (let l = ranges.length - 1; l >= 0; l--) {
    scaleAndSumColumns(errors[l], 2 / block.batch, g.b_dec);
    if (l + 1 < ranges.length) addInPlace(errors[l], errors[l + 1]);
    const back: Backward = { gradient: errors[l], input: block.input, penalty, through, bias };
    await denseBackward(p, g, block, ranges[l], back, scratch, breakAt);
  }
  // The sum over all prefixes by now: each has the skip connection.
  if (g.extra.W_skip) await skipBackward(p, g.extra.W_skip, block, errors[0], tools);
}

/** b_dec, and W_skip·x where there is one: what is there before any feature. A block's input is x in a transcoder. */
async function withoutFeatures(
  p: Parameters,
  block: BlockRows,
  out: Float32Array,
  breakAt?: () => void,
): Promise<void> {
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
  block: BlockRows,
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
    if (values[e] === 0) continue;
    totals.features[features[e]] += values[e];
    totals.fired[features[e]] = 1;
    totals.firing++;
  }
}

function sumDense(block: Block, dSae: number, totals: PassTotals): void {
  for (let at = 0; at < block.z.length;) {
    for (let f = 0; f < dSae; f++, at++) {
      if (block.z[at] !== 0) {
        totals.features[f] += block.z[at];
        totals.fired[f] = 1;
        totals.firing++;
      }
    }
  }
}
