/**
 * Decoding and gradients when few features fire: work in proportion to the entries, not to the features.
 *
 * Forward goes row by row (one row of x̂ stays in the cache), backward feature by feature (one row of each weight and
 * gradient stays there). Entries are taken four at a time: each value of the long row is then loaded and stored once for
 * four multiply-adds.
 */
import type { Parameters } from './parameters.js';

/** Entries (row, feature, value > 0) grouped by row: those of row i are indptr[i] … indptr[i + 1] − 1. */
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

/** x̂ of rows first … last − 1 into `out` [rows × d]: b_dec + Σ value · W_dec row. */
export function sparseDecode(entries: RowEntries, p: Parameters, out: Float32Array, first: number, last: number): void {
  const d = p.dIn;
  const { indptr, features, values } = entries;
  for (let i = first; i < last; i++) {
    const to = out.subarray(i * d, (i + 1) * d);
    to.set(p.b_dec);
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

/** What the backward pass of one block reads. */
export interface SparseBackward {
  /** dL/dx̂ [rows × d]. */
  gradient: Float32Array;
  /** Encoder input [rows × d]. */
  input: Float32Array;
  /** dL/df added to every firing entry of a feature: λ/B · ‖W_dec row‖; undefined without a penalty. */
  penalty?: Float64Array;
}

/**
 * Adds the gradients of features first … last − 1:
 *   df = dL/dx̂ · W_dec row + penalty      dW_dec row += Σ f · dL/dx̂      dW_enc row += Σ df · input      db_enc += Σ df
 * The penalty's own gradient on W_dec is the caller's.
 */
export function sparseBackward(
  entries: FeatureEntries,
  p: Parameters,
  g: Parameters,
  back: SparseBackward,
  first: number,
  last: number,
): void {
  const d = p.dIn;
  const { gradient, input, penalty } = back;
  const df = new Float32Array(maxEntries(entries, first, last));
  for (let f = first; f < last; f++) {
    const begin = entries.indptr[f];
    const count = entries.indptr[f + 1] - begin;
    if (count === 0) continue;
    const rows = entries.row.subarray(begin, begin + count);
    const values = entries.values.subarray(begin, begin + count);
    const decoder = p.W_dec.subarray(f * d, (f + 1) * d);
    const toDecoder = g.W_dec.subarray(f * d, (f + 1) * d);
    const toEncoder = g.W_encT.subarray(f * d, (f + 1) * d);
    const added = penalty ? penalty[f] : 0;
    let sum = 0;
    for (let e = 0; e < count; e++) {
      df[e] = dot(gradient, rows[e] * d, decoder, d) + added;
      sum += df[e];
    }
    g.b_enc[f] += sum;
    addRows(toDecoder, gradient, d, rows, values);
    addRows(toEncoder, input, d, rows, df);
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
