/**
 * Sparse rows in CSR: row i holds entries indptr[i] … indptr[i+1]-1 of indices/values.
 * Within a row, indices ascend and are unique. `indptr` counts fit Float64 exactly, so 2^53 entries address fine;
 * a single block keeps them in Uint32Array.
 */
export interface SparseRows {
  rows: number;
  cols: number;
  indptr: Uint32Array;
  indices: Uint16Array | Int32Array;
  values: Float32Array;
}
