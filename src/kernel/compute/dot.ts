/**
 * Σ x[p + k]·y[q + k], k < n, in four sums, since one alone would wait for every addition. For Float64Array only: a
 * loop that meets two kinds of arrays is compiled for neither (nearest neighbours have one of their own for
 * Float32Array).
 */
export function dot(x: Float64Array, p: number, y: Float64Array, q: number, n: number): number {
  // Declared one by one: from an array literal they stay slow in V8.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < n; k += 4) {
    s0 += x[p + k] * y[q + k];
    s1 += x[p + k + 1] * y[q + k + 1];
    s2 += x[p + k + 2] * y[q + k + 2];
    s3 += x[p + k + 3] * y[q + k + 3];
  }
  for (; k < n; k++) s0 += x[p + k] * y[q + k];
  return s0 + s1 + (s2 + s3);
}
