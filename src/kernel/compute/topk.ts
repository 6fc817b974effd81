/** Exact selection of the k largest entries of each row. */

export interface TopK {
  /** rows × k, row-major; -1 where a row has fewer than k entries that are numbers. */
  indices: Int32Array;
  /** rows × k, descending; NaN where the index is -1. */
  values: Float32Array;
}

/**
 * Moves the entry at `i` down until neither child is worse: a min-heap, where of equal values the later index is worse.
 */
function siftDown(values: Float32Array, indices: Int32Array, base: number, size: number, i: number): void {
  const v = values[base + i];
  const at = indices[base + i];
  for (;;) {
    let child = 2 * i + 1;
    if (child >= size) break;
    let c = values[base + child];
    if (child + 1 < size) {
      const other = values[base + child + 1];
      if (other < c || (other === c && indices[base + child + 1] > indices[base + child])) {
        child++;
        c = other;
      }
    }
    if (c > v || (c === v && indices[base + child] < at)) break;
    values[base + i] = c;
    indices[base + i] = indices[base + child];
    i = child;
  }
  values[base + i] = v;
  indices[base + i] = at;
}

function topKOfRow(x: Float32Array, from: number, cols: number, k: number, out: TopK, base: number): void {
  const { indices, values } = out;
  let size = 0;
  let j = 0;
  for (; j < cols && size < k; j++) {
    const v = x[from + j];
    if (v === v) {
      values[base + size] = v;
      indices[base + size++] = j;
    }
  }
  for (let i = (size >> 1) - 1; i >= 0; i--) siftDown(values, indices, base, size, i);
  if (size === k) {
    // Most entries fail this one comparison; NaN fails it too, and of equal values the earlier index stays.
    let least = values[base];
    for (; j < cols; j++) {
      const v = x[from + j];
      if (v > least) {
        values[base] = v;
        indices[base] = j;
        siftDown(values, indices, base, k, 0);
        least = values[base];
      }
    }
  }
  for (let last = size - 1; last > 0; last--) {
    const v = values[base];
    const at = indices[base];
    values[base] = values[base + last];
    indices[base] = indices[base + last];
    values[base + last] = v;
    indices[base + last] = at;
    siftDown(values, indices, base, last, 0);
  }
  for (; size < k; size++) {
    values[base + size] = NaN;
    indices[base + size] = -1;
  }
}

/**
 * The k largest entries of each row of `x` (rows × cols, row-major), descending; ties go to the lower index and NaN is
 * never selected (a row with fewer than k numbers ends in index -1, value NaN).
 *
 * @param out arrays of rows × k to fill instead of new ones
 * @throws RangeError when k is not in 1 … cols, or an array does not have the stated shape
 */
export function topKRows(x: Float32Array, rows: number, cols: number, k: number, out?: TopK): TopK {
  if (x.length !== rows * cols) {
    throw new RangeError(`top-k of ${rows} × ${cols} needs ${rows * cols} values but got ${x.length}`);
  }
  if (!Number.isInteger(k) || k < 1 || k > cols) {
    throw new RangeError(`top-k of rows of ${cols} entries needs k from 1 to ${cols} but got ${k}`);
  }
  const result = out ?? { indices: new Int32Array(rows * k), values: new Float32Array(rows * k) };
  if (result.indices.length !== rows * k || result.values.length !== rows * k) {
    throw new RangeError(
      `top-${k} of ${rows} rows writes ${rows * k} entries but out has ${result.indices.length} indices and ${result.values.length} values`,
    );
  }
  for (let r = 0; r < rows; r++) topKOfRow(x, r * cols, cols, k, result, r * k);
  return result;
}
