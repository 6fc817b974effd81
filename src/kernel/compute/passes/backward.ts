/**
 * Gradients of the entries of a block, feature by feature:
 *   df = dL/dx̂ · W_dec row + penalty      dW_dec row += Σ f · dL/dx̂      dW_enc row += Σ dz · input      bias += Σ dz
 * with dz = df, unless it is changed between the two halves. dL/dx̂ is that of the first prefix that holds the feature.
 */
import type { SharedMemory } from '../shared/memory.js';
import type { Phase } from '../shared/pieces.js';
import { benchOf, partOf, type Bench, type PassShape, type PassViews } from './memory.js';

export interface BackwardParameters {
  readonly shape: PassShape;
  /** Ends of the prefixes. */
  readonly widths: readonly number[];
  readonly pieces: number;
  /** The dot products, the sums, or both. */
  readonly half: 'dots' | 'sums' | 'both';
  /** dL/df added to every entry of a feature. */
  readonly penalty?: Float64Array;
  /** [features × d_out] and [features × d_in]: the gradients, on memory that is shared where workers add to them. */
  readonly toDecoder: Float32Array;
  readonly toEncoder: Float32Array;
  /** The gradients hold nothing yet: they are set. */
  readonly fresh: boolean;
}

/** Cuts the features into pieces of like cost that end where prefixes do; returns how many. */
export function cutFeatures(
  views: Pick<PassViews, 'cuts' | 'byFeature'>,
  shape: PassShape,
  widths: readonly number[],
): number {
  const { cuts, byFeature } = views;
  const part = partOf(shape);
  const most = Math.max(
    1,
    Math.min(Math.floor(part / Math.max(shape.dIn, shape.dOut)), Math.ceil(shape.features / MANY)),
  );
  let pieces = 0;
  let prefix = 0;
  cuts[0] = 0;
  for (let f = 0; f < shape.features;) {
    while (f >= widths[prefix]) prefix++;
    const limit = Math.min(widths[prefix], f + most);
    let end = f + 1;
    while (end < limit && byFeature[end + 1] - byFeature[f] <= part) end++;
    cuts[++pieces] = f = end;
  }
  return pieces;
}
/** Pieces that there should be, so that all threads end at about the same time. */
const MANY = 64;

export function backward(memory: SharedMemory, p: BackwardParameters): Phase {
  const bench = benchOf(memory, p.shape);
  return {
    control: bench.control,
    pieces: p.pieces,
    work(piece) {
      const [first, last] = [bench.cuts[piece], bench.cuts[piece + 1]];
      const prefix = p.widths.findIndex((width) => first < width);
      const gradient = bench.errors.byteOffset + 4 * prefix * p.shape.rows * p.shape.dOut;
      const [begin, end] = [bench.byFeature[first], bench.byFeature[last]];
      const products = bench.own.products.subarray(0, end - begin);
      if (p.half === 'sums') products.set(bench.slopes.subarray(begin, end));
      else dots(bench, p, first, last, gradient);
      if (p.half === 'dots') return bench.slopes.set(products, begin);
      sumBiases(bench, first, last);
      const weights = bench.own.products.byteOffset - 4 * begin;
      const { shape, toDecoder, toEncoder, fresh } = p;
      sumRows(bench, first, last, bench.sorted.byteOffset, gradient, shape.dOut, toDecoder, fresh);
      sumRows(bench, first, last, weights, bench.input.byteOffset, shape.dIn, toEncoder, fresh);
    },
  };
}

/** dL/df of the entries into the thread's products. */
function dots(
  bench: Bench,
  { shape, penalty }: BackwardParameters,
  first: number,
  last: number,
  gradient: number,
): void {
  const { kernels, byFeature, rowsOf, decoder, own } = bench;
  const begin = byFeature[first];
  const [lists, rows] = [byFeature.byteOffset + 4 * first, decoder.byteOffset + 4 * first * shape.dOut];
  // Entry e is written at e: of the piece's first one at the beginning of the thread's own.
  const out = own.products.byteOffset - 4 * begin;
  kernels.dots(last - first, lists, rowsOf.byteOffset, gradient, shape.dOut, rows, out);
  if (!penalty) return;
  for (let f = first; f < last; f++)
    for (let e = byFeature[f]; e < byFeature[f + 1]; e++) own.products[e - begin] += penalty[f];
}

function sumBiases({ byFeature, own, toBias }: Bench, first: number, last: number): void {
  const begin = byFeature[first];
  for (let f = first; f < last; f++) {
    let sum = 0;
    for (let e = byFeature[f]; e < byFeature[f + 1]; e++) sum += own.products[e - begin];
    toBias[f] = sum;
  }
}

/** Adds Σ weight · row of the entries to rows first … last − 1 of `to`; `weights` is the address of entry 0's. */
function sumRows(
  { kernels, byFeature, rowsOf, own }: Bench,
  first: number,
  last: number,
  weights: number,
  from: number,
  d: number,
  to: Float32Array,
  fresh: boolean,
): void {
  const rows = to.subarray(first * d, last * d);
  if (byFeature[first] === byFeature[last]) {
    if (fresh) rows.fill(0);
    return;
  }
  const sums = own.sums.subarray(0, rows.length);
  if (fresh) sums.fill(0);
  else sums.set(rows);
  const lists = byFeature.byteOffset + 4 * first;
  kernels.gather(last - first, lists, rowsOf.byteOffset, weights, from, d, sums.byteOffset);
  rows.set(sums);
}
