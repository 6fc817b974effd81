/**
 * Decoding and gradients when few features fire: work in proportion to the entries, not to the features. Forward goes
 * row by row (one row of x̂ stays in the cache), backward feature by feature (one row of each weight and gradient stays
 * there).
 */
import type { BlockMemory } from './block.js';
import type { Backward, FeatureRange } from './denseGradient.js';
import type { Parameters } from './parameters.js';

/** Entries (row, feature, value) grouped by row: those of row i are indptr[i] … indptr[i + 1] − 1. */
export interface RowEntries {
  rows: number;
  indptr: Uint32Array;
  features: Int32Array;
  values: Float32Array;
}

/** The same entries grouped by feature. */
export interface FeatureEntries {
  /** [d_sae + 1] */
  indptr: Uint32Array;
  row: Uint32Array;
  values: Float32Array;
}

/** Regroups by a counting sort; rows ascend within a feature. */
export function byFeature(entries: RowEntries, dSae: number): FeatureEntries {
  const { rows, features, values } = entries;
  const total = entries.indptr[rows];
  const indptr = new Uint32Array(dSae + 1);
  for (let e = 0; e < total; e++) indptr[features[e] + 1]++;
  for (let f = 0; f < dSae; f++) indptr[f + 1] += indptr[f];
  const next = indptr.slice(0, dSae);
  const row = new Uint32Array(total);
  const sorted = new Float32Array(total);
  for (let i = 0; i < rows; i++) {
    for (let e = entries.indptr[i]; e < entries.indptr[i + 1]; e++) {
      const at = next[features[e]]++;
      row[at] = i;
      sorted[at] = values[e];
    }
  }
  return { indptr, row, values: sorted };
}

/** The entries of the features of a range. */
export function entriesWithin(entries: RowEntries, { first, last }: FeatureRange): RowEntries {
  const { rows, indptr, features, values } = entries;
  const total = indptr[rows];
  const kept = { indptr: new Uint32Array(rows + 1), features: new Int32Array(total), values: new Float32Array(total) };
  let at = 0;
  for (let i = 0; i < rows; i++) {
    for (let e = indptr[i]; e < indptr[i + 1]; e++) {
      if (features[e] < first || features[e] >= last) continue;
      kept.features[at] = features[e];
      kept.values[at++] = values[e];
    }
    kept.indptr[i + 1] = at;
  }
  return { rows, ...kept };
}

/** Adds Σ value · W_dec row to rows first … last − 1 of `out` [rows × d_out]. */
export function sparseDecode(
  memory: BlockMemory,
  { indptr, features, values }: RowEntries,
  out: Float32Array,
  first: number,
  last: number,
): void {
  memory.gather({ indptr, which: features, values }, first, last, 'decoder', out);
}

/**
 * Adds the gradients of features first … last − 1:
 *   df = dL/dx̂ · W_dec row + penalty      dW_dec row += Σ f · dL/dx̂      dW_enc row += Σ dz · input      bias += Σ dz
 * with dz = df, or what `through` makes of it. The penalty's own gradient on W_dec is the caller's.
 */
export function sparseBackward(
  memory: BlockMemory,
  { indptr, row, values }: FeatureEntries,
  g: Parameters,
  { penalty, through, bias }: Backward,
  first: number,
  last: number,
): void {
  const lists = { indptr, which: row, values };
  memory.backward(
    lists,
    first,
    last,
    { from: 'gradient', against: 'decoder', to: g.W_dec },
    { from: 'input', to: g.W_encT },
    (df, f, begin, end) => {
      const added = penalty ? penalty[f] : 0;
      let sum = 0;
      for (let e = begin, at = indptr[f]; e < end; e++, at++) {
        df[e] += added;
        if (through) df[e] = through(df[e], f, values[at], row[at]);
        sum += df[e];
      }
      bias[f] += sum;
    },
  );
}
