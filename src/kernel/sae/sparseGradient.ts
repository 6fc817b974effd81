/**
 * Decoding and gradients when few features fire: work in proportion to the entries, not to the features.
 *
 * Forward goes row by row (one row of x̂ stays in the cache), backward feature by feature (one row of each weight and
 * gradient stays there). Entries are taken four at a time: each value of the long row is then loaded and stored once for
 * four multiply-adds.
 */
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
export function sparseDecode(entries: RowEntries, p: Parameters, out: Float32Array, first: number, last: number): void {
  const d = p.dOut;
  const { indptr, features, values } = entries;
  for (let i = first; i < last; i++) {
    const to = out.subarray(i * d, (i + 1) * d);
    const end = indptr[i + 1];
    let e = indptr[i];
    for (; e + 3 < end; e += 4) {
      addFour(
        to,
        p.W_dec,
        d,
        features[e] * d,
        features[e + 1] * d,
        features[e + 2] * d,
        features[e + 3] * d,
        values,
        e,
      );
    }
    for (; e < end; e++) addOne(to, p.W_dec, d, features[e] * d, values[e]);
  }
}

/**
 * Adds the gradients of features first … last − 1:
 *   df = dL/dx̂ · W_dec row + penalty      dW_dec row += Σ f · dL/dx̂      dW_enc row += Σ dz · input      bias += Σ dz
 * with dz = df, or what `through` makes of it. The penalty's own gradient on W_dec is the caller's.
 */
export function sparseBackward(
  entries: FeatureEntries,
  p: Parameters,
  g: Parameters,
  back: Backward,
  first: number,
  last: number,
): void {
  const { dIn, dOut } = p;
  const { gradient, input, penalty, through, bias } = back;
  const df = new Float32Array(maxEntries(entries, first, last));
  for (let f = first; f < last; f++) {
    const begin = entries.indptr[f];
    const count = entries.indptr[f + 1] - begin;
    if (count === 0) continue;
    const rows = entries.row.subarray(begin, begin + count);
    const values = entries.values.subarray(begin, begin + count);
    const decoder = p.W_dec.subarray(f * dOut, (f + 1) * dOut);
    const toDecoder = g.W_dec.subarray(f * dOut, (f + 1) * dOut);
    const toEncoder = g.W_encT.subarray(f * dIn, (f + 1) * dIn);
    const added = penalty ? penalty[f] : 0;
    let sum = 0;
    for (let e = 0; e < count; e++) {
      df[e] = dot(gradient, rows[e] * dOut, decoder, dOut) + added;
      if (through) df[e] = through(df[e], f, values[e], rows[e]);
      sum += df[e];
    }
    bias[f] += sum;
    addRows(toDecoder, gradient, dOut, rows, values);
    addRows(toEncoder, input, dIn, rows, df);
  }
}

function maxEntries(entries: FeatureEntries, first: number, last: number): number {
  let most = 0;
  for (let f = first; f < last; f++) most = Math.max(most, entries.indptr[f + 1] - entries.indptr[f]);
  return most;
}

/** to += Σ weights[e] · matrix row rows[e] */
function addRows(to: Float32Array, matrix: Float32Array, d: number, rows: Uint32Array, weights: Float32Array): void {
  let e = 0;
  for (; e + 3 < rows.length; e += 4) {
    addFour(to, matrix, d, rows[e] * d, rows[e + 1] * d, rows[e + 2] * d, rows[e + 3] * d, weights, e);
  }
  for (; e < rows.length; e++) addOne(to, matrix, d, rows[e] * d, weights[e]);
}

function addOne(to: Float32Array, from: Float32Array, d: number, at: number, weight: number): void {
  for (let j = 0; j < d; j++) to[j] += weight * from[at + j];
}

function addFour(
  to: Float32Array,
  from: Float32Array,
  d: number,
  a: number,
  b: number,
  c: number,
  e: number,
  weights: Float32Array,
  first: number,
): void {
  const wa = weights[first];
  const wb = weights[first + 1];
  const wc = weights[first + 2];
  const we = weights[first + 3];
  for (let j = 0; j < d; j++) to[j] += wa * from[a + j] + wb * from[b + j] + wc * from[c + j] + we * from[e + j];
}

function dot(x: Float32Array, at: number, y: Float32Array, d: number): number {
  let a = 0, b = 0, c = 0, e = 0; // prettier-ignore
  const end = d & ~3;
  for (let j = 0; j < end; j += 4) {
    a += x[at + j] * y[j];
    b += x[at + j + 1] * y[j + 1];
    c += x[at + j + 2] * y[j + 2];
    e += x[at + j + 3] * y[j + 3];
  }
  for (let j = end; j < d; j++) a += x[at + j] * y[j];
  return a + b + c + e;
}
