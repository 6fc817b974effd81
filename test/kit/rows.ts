/** Sparse rows for tests. */
import { Random } from '#kernel/compute/random.js';
import type { SparseRows } from '#kernel/compute/sparse.js';

/** Rows from lists of [feature, value]. */
export function sparse(cols: number, rows: ReadonlyArray<ReadonlyArray<readonly [number, number]>>): SparseRows {
  const indptr = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => (indptr[i + 1] = indptr[i] + row.length));
  const entries = rows.flat();
  return {
    rows: rows.length,
    cols,
    indptr,
    indices: new (cols <= 65_536 ? Uint16Array : Int32Array)(entries.map(([f]) => f)),
    values: Float32Array.from(entries, ([, v]) => v),
  };
}

/** Rows whose entries fire with probability `density`, values in (0, 1]. */
export function randomRows(rows: number, cols: number, density: number, seed: number): SparseRows {
  const random = new Random(seed);
  return sparse(
    cols,
    Array.from({ length: rows }, () =>
      Array.from({ length: cols }, (_, f) => [f, 1 - random.next()] as const).filter(() => random.next() < density),
    ),
  );
}

/** Row-major values. */
export function toDense(rows: SparseRows): Float32Array {
  const out = new Float32Array(rows.rows * rows.cols);
  for (let t = 0; t < rows.rows; t++) {
    for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++) out[t * rows.cols + rows.indices[p]] = rows.values[p];
  }
  return out;
}

/** The non-zero entries of row-major values. */
export function fromDense(data: ArrayLike<number>, rows: number, cols: number): SparseRows {
  return sparse(
    cols,
    Array.from({ length: rows }, (_, t) =>
      Array.from({ length: cols }, (_, f) => [f, data[t * cols + f]] as const).filter(([, v]) => v !== 0),
    ),
  );
}

/** The non-zero entries of rows written out; `cols` where there may be none. */
export function fromRows(dense: readonly (readonly number[])[], cols = dense[0].length): SparseRows {
  return fromDense(dense.flat(), dense.length, cols);
}
