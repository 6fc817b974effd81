/** Spans of rows, and how far two of them are one: principal angles. float64. */

/** Orthonormal rows of a span (Gram-Schmidt twice, float64); rows that add nothing are left out. */
export function orthonormal(rows: readonly ArrayLike<number>[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const given of rows) {
    const v = Float64Array.from(given);
    const before = Math.hypot(...v);
    for (let pass = 0; pass < 2; pass++)
      for (const b of basis) {
        let dot = 0;
        for (let j = 0; j < v.length; j++) dot += v[j] * b[j];
        for (let j = 0; j < v.length; j++) v[j] -= dot * b[j];
      }
    const norm = Math.hypot(...v);
    // What is left of a row that lies in the span of those before it is rounding of float32.
    if (norm > 1e-6 * before) basis.push(v.map((x) => x / norm));
  }
  return basis;
}

/**
 * Mean cos² of the principal angles between two spans of orthonormal rows, over the angles of the smaller; NaN of none.
 */
export function spanMatch(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  let sum = 0;
  for (const x of a)
    for (const y of b) {
      let dot = 0;
      for (let j = 0; j < x.length; j++) dot += x[j] * y[j];
      sum += dot * dot;
    }
  return sum / Math.min(a.length, b.length);
}
