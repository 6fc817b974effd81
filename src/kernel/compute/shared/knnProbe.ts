/**
 * Whether 8 bits leave few rows in doubt and their errors are as random as their bound assumes, for workers, and whether
 * a short list of candidates is enough. Tried on some rows: their distances to all rows, and the scores of a part of these.
 */
import { errorBounds, ExactSquares } from './knn.js';
import { fewKept, knnFields, mostKept, TILE, type KnnParameters, type KnnViews } from './knnFields.js';
import { viewsOf, type SharedMemory } from './memory.js';
import type { Phase } from './pieces.js';

/** Rows that are tried: the more, the fewer there are. */
const samplesOf = (n: number): number => Math.max(8, Math.floor(2 ** 17 / n));
/** Every so-manyth row has its score looked at. */
const STRIDE = 61;
/** Errors that must fit between the last neighbour and the last candidate of a short list: the tried rows are few. */
const MARGIN = 1.5;

/** Places in `unfit`: rows for which 8 bits do not suffice, and those for which a short list does not. */
export const UNFIT = 0;
export const TOO_FEW = 1;

/** The squared distance of two rows as their integers give it. */
function scoreOf(m: KnnViews, { n, d }: KnnParameters, i: number, j: number): number {
  const from = j - (j % TILE);
  const width = Math.min(TILE, n - from);
  let sum = -m.zero[j];
  for (let c = 0, at = from * d + (j - from); c < d; c++, at += width) sum += m.left[i * d + c] * m.right[at];
  return m.squares[i] + m.squares[j] - 2 * m.scaleLeft[i] * m.scaleRight[j] * sum;
}

/** Counts in `unfit` the rows for which 8 bits, or a short list of candidates, do not suffice. */
export function probe(memory: SharedMemory, p: KnnParameters): Phase {
  const m = viewsOf(memory, knnFields(p));
  const { n, k, unit } = p;
  const samples = samplesOf(n);
  const squares = new Float64Array(n);
  const all = Int32Array.from({ length: n }, (_, j) => j);
  let own: { bounds: ReturnType<typeof errorBounds>; exact: ExactSquares } | undefined;
  const suffices = (s: number): boolean => {
    own ??= { bounds: errorBounds(m, p), exact: new ExactSquares(memory, m, p) };
    const { longest, error } = own.bounds;
    const i = Math.floor((s * n) / samples);
    own.exact.of(i, all, n, squares);
    for (let j = 0; j < n; j++) squares[j] /= unit * unit;
    for (let j = s; j < n; j += STRIDE)
      if (Math.abs(scoreOf(m, p, i, j) - squares[j]) > 0.75 * error(i, Math.sqrt(m.squares[j]))) return false;
    const sorted = squares.slice().sort(); // the row itself first
    const reach = Math.min(longest, Math.sqrt(m.squares[i]) + Math.sqrt(sorted[k]));
    const wrong = error(i, reach);
    if (sorted[fewKept(k)] - MARGIN * wrong <= sorted[k]) Atomics.add(m.unfit, TOO_FEW, 1);
    return sorted[mostKept(k)] - wrong > sorted[k];
  };
  return {
    control: m.control,
    pieces: samples,
    work(sample) {
      if (Atomics.load(m.unfit, UNFIT) === 0 && !suffices(sample)) Atomics.add(m.unfit, UNFIT, 1);
    },
  };
}
