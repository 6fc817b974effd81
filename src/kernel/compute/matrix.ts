/** A dense row-major float32 matrix: the plain type that passes between rooms when no gradient is needed. */
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

/** Whether a value has the form of a Matrix, its length included. */
export function isMatrix(value: unknown): value is Matrix {
  const { rows, cols, data } = (value ?? {}) as Partial<Matrix>;
  return data instanceof Float32Array && data.length === Number(rows) * Number(cols);
}

/** Row i as a view. */
export function row(m: Matrix, i: number): Float32Array {
  return m.data.subarray(i * m.cols, (i + 1) * m.cols);
}
