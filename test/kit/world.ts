/** Worlds made by hand: given codes, given directions. */
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import type { World } from '#kernel/synthetic/types.js';
import { fromRows } from './rows.js';

export function matrixOf(rows: readonly (readonly number[])[]): Matrix {
  return matrix(rows.length, rows[0].length, Float32Array.from(rows.flat()));
}

/** The first n rows of an identity of width d. */
export function basis(n: number, d = n): Matrix {
  return matrixOf(Array.from({ length: n }, (_, i) => Array.from({ length: d }, (_, j) => (i === j ? 1 : 0))));
}

/** Unit rows in random directions. */
export function directions(n: number, d: number, seed: number): Matrix {
  const random = new Random(seed);
  return matrixOf(
    Array.from({ length: n }, () => {
      const row = Array.from({ length: d }, () => random.normal());
      const norm = Math.hypot(...row);
      return row.map((x) => x / norm);
    }),
  );
}

export interface HandWorld {
  dictionary: Matrix;
  parents?: readonly number[];
  /** Codes of sample i, drawn from `random`. */
  codes: (random: Random, i: number) => number[];
  id?: string;
}

/** A world whose sample i is made by `codes` from a stream of its own. */
export function handWorld({ dictionary, parents, codes, id = 'hand' }: HandWorld): World {
  const { rows: features, cols: dim } = dictionary;
  return {
    id,
    dim,
    features,
    dictionary,
    frequencies: new Float64Array(features).fill(0.1),
    parents: Int32Array.from(parents ?? new Array<number>(features).fill(-1)),
    groups: new Int32Array(features).fill(-1),
    description: 'made by hand',
    parameters: { id },
    async *sample(n, { seed = 0, batch = 64 } = {}) {
      const root = new Random(seed);
      for (let first = 0; first < n; first += batch) {
        const rows = Math.min(batch, n - first);
        const dense = Array.from({ length: rows }, (_, i) => codes(root.fork(first + i), first + i));
        const c = fromRows(dense, features);
        const x = matrix(rows, dim);
        for (let i = 0; i < rows; i++)
          dense[i].forEach((value, f) => {
            for (let j = 0; j < dim; j++) x.data[i * dim + j] += value * dictionary.data[f * dim + j];
          });
        yield await Promise.resolve({ first, x, codes: c });
      }
    },
  };
}

/** Each feature fires with probability p, with a magnitude in 0.5 … 1.5. */
export const independent =
  (features: number, p: number) =>
  (random: Random): number[] =>
    Array.from({ length: features }, () => (random.next() < p ? 0.5 + random.next() : 0));
