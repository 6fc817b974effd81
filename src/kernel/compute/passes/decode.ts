/** Decoding of a block: x̂ of every prefix of the features, its error, and dL/dx̂, row by row. */
import type { SharedMemory } from '../shared/memory.js';
import type { Phase } from '../shared/pieces.js';
import { benchOf, PIECE_ROWS, type Bench, type PassShape } from './memory.js';

export interface DecodeParameters {
  readonly shape: PassShape;
  readonly rows: number;
  /** Ends of the prefixes. */
  readonly widths: readonly number[];
  /** What is there before any feature in all rows; where there is none, `errors` of the first prefix holds it. */
  readonly bias: Float32Array | undefined;
  /** dL/dx̂ of an error: errors then hold that. Without it they stay x̂ − x. */
  readonly weight: number | undefined;
}

export function decode(memory: SharedMemory, p: DecodeParameters): Phase {
  const bench = benchOf(memory, p.shape);
  return {
    control: bench.control,
    pieces: Math.ceil(p.rows / PIECE_ROWS),
    work(piece) {
      const first = piece * PIECE_ROWS;
      const last = Math.min(p.rows, first + PIECE_ROWS);
      const errors = p.widths.map((_, l) => errorsOf(bench, p.shape, l, first, last));
      errors.forEach((error, l) => {
        if (l > 0) error.set(errors[l - 1]);
        else if (p.bias) for (let at = 0; at < error.length; at += p.bias.length) error.set(p.bias, at);
        addFeatures(bench, p, l, first, last);
      });
      const { rows, dOut } = p.shape;
      const { kernels, target, squares } = bench;
      errors.forEach(({ byteOffset }, l) => {
        const at = squares.byteOffset + 8 * (l * rows + first);
        kernels.subtract(byteOffset, target.byteOffset + 4 * first * dOut, last - first, dOut, at);
      });
      if (p.weight !== undefined) scaleErrors(bench, p.shape, errors, piece, p.weight);
    },
  };
}

/** The errors of a prefix for rows first … last − 1. */
export const errorsOf = (
  { errors }: Pick<Bench, 'errors'>,
  { rows, dOut }: PassShape,
  prefix: number,
  first: number,
  last: number,
): Float32Array => errors.subarray((prefix * rows + first) * dOut, (prefix * rows + last) * dOut);

/** Adds Σ value · W_dec row of the features between the prefix before and this one. */
function addFeatures(bench: Bench, { shape, widths }: DecodeParameters, l: number, first: number, last: number): void {
  const { kernels, byRow, features, values, decoder, errors, own } = bench;
  const at = errors.byteOffset + 4 * (l * shape.rows + first) * shape.dOut;
  const sum = (n: number, lists: number, to: number): void =>
    kernels.gather(n, lists, features.byteOffset, values.byteOffset, decoder.byteOffset, shape.dOut, to);
  if (widths.length === 1) return sum(last - first, byRow.byteOffset + 4 * first, at);
  const from = l === 0 ? 0 : widths[l - 1];
  for (let i = first; i < last; i++) {
    let begin = byRow[i];
    while (begin < byRow[i + 1] && features[begin] < from) begin++;
    let end = begin;
    while (end < byRow[i + 1] && features[end] < widths[l]) end++;
    own.lists[0] = begin;
    own.lists[1] = end;
    sum(1, own.lists.byteOffset, at + 4 * (i - first) * shape.dOut);
  }
}

/** Errors times `weight`, the sums of their columns, and then to each the gradients of all longer prefixes. */
function scaleErrors(
  bench: Bench,
  shape: PassShape,
  errors: readonly Float32Array[],
  piece: number,
  weight: number,
): void {
  const { dOut, rows } = shape;
  const pieces = Math.ceil(rows / PIECE_ROWS);
  for (let l = errors.length - 1; l >= 0; l--) {
    const error = errors[l];
    const longer = errors.at(l + 1);
    const columns = bench.columns.subarray((l * pieces + piece) * dOut, (l * pieces + piece + 1) * dOut);
    columns.fill(0);
    bench.kernels.scale(error.byteOffset, error.length / dOut, dOut, weight, columns.byteOffset);
    if (longer && l + 1 < errors.length) for (let at = 0; at < error.length; at++) error[at] += longer[at];
  }
}
