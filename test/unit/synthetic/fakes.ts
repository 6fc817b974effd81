/** Worlds made by hand: given codes, given directions. */
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { createSae } from '#kernel/sae/sae.js';
import type { Sae } from '#kernel/sae/types.js';
import type { World } from '#kernel/synthetic/types.js';

/** CSR of dense rows. */
export function sparse(dense: readonly (readonly number[])[], cols = dense[0].length): SparseRows {
  const indptr = Uint32Array.from([0, ...dense.map((row) => row.filter((v) => v !== 0).length)]);
  for (let i = 1; i < indptr.length; i++) indptr[i] += indptr[i - 1];
  const entries = dense.flatMap((row) => row.flatMap((v, c) => (v === 0 ? [] : [[c, v] as const])));
  return {
    rows: dense.length,
    cols,
    indptr,
    indices: Int32Array.from(entries, (e) => e[0]),
    values: Float32Array.from(entries, (e) => e[1]),
  };
}

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
        const c = sparse(dense, features);
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

/** A standard SAE with these decoder rows and, by default, the same directions as encoder. */
export function handSae(decoder: Matrix, o: { encoder?: Matrix; bias?: number[] } = {}): Sae {
  const { rows: dSae, cols: dIn } = decoder;
  const encoder = o.encoder ?? decoder;
  const W_enc = matrix(dIn, dSae);
  for (let f = 0; f < dSae; f++) for (let j = 0; j < dIn; j++) W_enc.data[j * dSae + f] = encoder.data[f * dIn + j];
  return createSae(
    {
      architecture: 'standard',
      dIn,
      dSae,
      applyBDecToInput: false,
      normalizeActivations: 'none',
      hookName: '',
      modelName: 'hand',
      metadata: {},
    },
    {
      W_enc,
      b_enc: Float32Array.from(o.bias ?? new Array<number>(dSae).fill(0)),
      W_dec: decoder,
      b_dec: new Float32Array(dIn),
    },
  );
}
