/** A dense row-major float32 matrix: the plain type that rooms exchange when no gradient is needed. */
export interface Matrix {
  rows: number;
  cols: number;
  /** Length rows × cols, row-major. */
  data: Float32Array;
}

/** Makes a Matrix; throws when the length does not fit. */
export function matrix(rows: number, cols: number, data: Float32Array = new Float32Array(rows * cols)): Matrix {
  if (!Number.isInteger(rows) || !Number.isInteger(cols) || rows < 0 || cols < 0 || data.length !== rows * cols) {
    throw new RangeError(`matrix of ${rows} × ${cols} needs ${rows * cols} values but got ${data.length}`);
  }
  return { rows, cols, data };
}

const names = new WeakMap<Float32Array, string>();

/** Remembers a name of the rows for titles, such as the SAE they are of. */
export function nameRows({ data }: Matrix, name: string): void {
  names.set(data, name);
}

/** The name that nameRows() gave, else the sizes: "1024 × 128". */
export function describeRows({ rows, cols, data }: Matrix): string {
  return names.get(data) ?? `${rows} × ${cols}`;
}

/** Row i as a view. */
export function row(m: Matrix, i: number): Float32Array {
  return m.data.subarray(i * m.cols, (i + 1) * m.cols);
}

/** The power of two just below a size (1 for 0): dividing by it brings numbers near 1 without changing their digits. */
export function powerBelow(size: number): number {
  return size > 0 ? 2 ** Math.max(-1022, Math.floor(Math.log2(size))) : 1;
}

/** Largest |x|, 0 without entries. */
export function largestOf(x: Float32Array | Float64Array): number {
  let largest = 0;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i]));
  return largest;
}
