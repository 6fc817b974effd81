/**
 * Rows of numbers as a cell may give them, brought to one Matrix: { rows, cols, data }, rows of numbers, numbers with a
 * shape, a tensor, an array from a file, or an SAE, whose decoder rows are meant.
 */
import { isTypedArray } from '../../protocol/objects.js';
import { types } from 'node:util';
import { toFloat32, type Dtype, type NdArray } from './ndarray.js';
import { matrix, type Matrix } from '../compute/matrix.js';

/** Numbers in a row: an array or a typed array of a kind that float32 can stand for. */
export type Numbers = readonly number[] | Exclude<NdArray['data'], BigInt64Array | BigUint64Array>;

/** The part of a TensorFlow.js tensor that is read. */
export interface TensorLike {
  /** [rows, columns]. */
  readonly shape: readonly number[];
  /** The values, row after row. */
  data(): Promise<ArrayLike<number>>;
  /** The same at once, where the backend can. */
  dataSync(): ArrayLike<number>;
}

/** A matrix whose numbers are not float32 yet. */
export interface NumbersOfRows {
  /** Number of rows, n. */
  readonly rows: number;
  /** Number of columns, d. */
  readonly cols: number;
  /** n × d numbers, row after row. */
  readonly data: Numbers;
}

/** Numbers with their shape. */
export interface NumbersOfShape {
  /** [rows, columns]. */
  readonly shape: readonly number[];
  /** rows · columns numbers, row after row. */
  readonly data: Numbers;
}

/** A matrix as it was given: float32 where that holds every number, else float64, so that equal numbers are equal. */
export interface ExactMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array | Float64Array;
}

/** Whether numbers are rounded to float32, or kept as they are. */
type Precision = 'float32' | 'exact';

/** Everything that asMatrix takes. */
export type MatrixInput =
  Matrix | NumbersOfRows | readonly Numbers[] | NumbersOfShape | NdArray | TensorLike | { readonly decoder: Matrix };

/** These forms in words, as the end of "x is …; expected …". */
export const MATRIX_FORMS =
  'a matrix { rows, cols, data } such as sae.decoder, an array of rows (number[][]), { shape: [rows, cols], data }, a tensor of rank 2, or an SAE';

/** Largest finite float32. */
const LARGEST = 3.4028234663852886e38;

/** A value in words: "a Float32Array of 60 values", "an object with coordinates, points". */
function said(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${(value as Float32Array).length ?? 0} values`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object') return `${typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)}`; // prettier-ignore
  const keys = Object.keys(value).slice(0, 6);
  return keys.length > 0 ? `an object with ${keys.join(', ')}` : 'an empty object';
}

const isNumbers = (value: unknown): value is Numbers =>
  Array.isArray(value) || (isTypedArray(value) && !types.isBigInt64Array(value) && !types.isBigUint64Array(value));

/** Writes numbers. @throws on a value that is no number, and on finite numbers beyond float32 where `to` is float32 */
function fill(
  to: Float32Array | Float64Array,
  at: number,
  from: ArrayLike<unknown>,
  place: (i: number) => string,
): void {
  const most = to instanceof Float32Array ? LARGEST : Infinity;
  for (let i = 0; i < from.length; i++) {
    const v = from[i];
    if (typeof v !== 'number')
      throw new TypeError(`${place(i)} is ${said(v)}; expected a number (NaN for a missing one)`);
    if (Math.abs(v) > most && v !== Infinity && v !== -Infinity)
      throw new RangeError(`${place(i)} is ${v}, beyond float32 (±3.4e38); scale the rows first`);
    to[at + i] = v;
  }
}

const empty = (n: number, precision: Precision): Float32Array | Float64Array =>
  precision === 'exact' ? new Float64Array(n) : new Float32Array(n);

/** Float64 numbers as float32 where that holds each of them. */
const narrowed = (data: Float32Array | Float64Array): Float32Array | Float64Array =>
  data instanceof Float64Array && data.every((v) => Object.is(Math.fround(v), v)) ? Float32Array.from(data) : data;

/** A matrix of these sizes; float32 data are used without a copy. */
function shaped(name: string, [rows, cols]: readonly unknown[], data: unknown, precision: Precision): ExactMatrix {
  for (const [what, n] of [
    ['rows', rows],
    ['cols', cols],
  ] as const)
    // prettier-ignore
    if (typeof n !== 'number' || !Number.isInteger(n) || n < 0)
      throw new RangeError(`${name} has ${what} ${said(n)}; expected a whole number of at least 0`);
  if (!isNumbers(data))
    throw new TypeError(`${name} has the data ${said(data)}; expected a Float32Array or an array of numbers`);
  const [n, d] = [rows as number, cols as number];
  if (data.length !== n * d)
    throw new RangeError(`${name} is of ${n} rows and ${d} columns but has ${data.length} values; expected ${n * d}`);
  if (data instanceof Float32Array) return matrix(n, d, data);
  const out = empty(n * d, precision);
  fill(out, 0, data, (i) => `row ${Math.floor(i / d)}, column ${i % d} of ${name}`);
  return { rows: n, cols: d, data: narrowed(out) };
}

/** A matrix of an array of rows. @throws RangeError on rows of different lengths, naming the first that differs */
function ofRows(name: string, given: readonly unknown[], precision: Precision): ExactMatrix {
  if (given.length === 0) throw new RangeError(`${name} is an empty array: it has no rows; expected ${MATRIX_FORMS}`);
  const bad = given.findIndex((row) => !isNumbers(row));
  if (bad >= 0 && typeof given[bad] === 'number')
    throw new TypeError(
      `${name} is an array of ${given.length} numbers, which do not say their shape; give { rows, cols, data } or an array of rows`,
    );
  if (bad >= 0)
    throw new TypeError(
      `row ${bad} of ${name} is ${types.isPromise(given[bad]) ? 'a promise: write "await" before the call that made it' : `${said(given[bad])}; expected an array of numbers`}`,
    );
  const list = given as readonly Numbers[];
  const cols = list[0].length;
  const ragged = list.findIndex((row) => row.length !== cols);
  if (ragged >= 0)
    throw new RangeError(
      `row ${ragged} of ${name} has ${list[ragged].length} numbers but row 0 has ${cols}; all rows need the same length`,
    );
  const out = empty(list.length * cols, precision);
  list.forEach((row, i) => fill(out, i * cols, row, (j) => `row ${i}, column ${j} of ${name}`));
  return { rows: list.length, cols, data: narrowed(out) };
}

/** How the values of a tensor are read: at once, or as a promise. */
type ReadTensor<T> = (tensor: TensorLike, of: (values: unknown) => ExactMatrix) => T;

/** A matrix of a value with a shape: a tensor, an array from a file, or numbers with their shape. */
function ofShape<T>(
  name: string,
  given: { shape: unknown; data?: unknown; dtype?: unknown },
  precision: Precision,
  read: ReadTensor<T>,
): ExactMatrix | T {
  const { shape } = given;
  if (!Array.isArray(shape) || shape.length !== 2)
    throw new RangeError(
      `${name} has the shape [${Array.isArray(shape) ? shape.join(', ') : said(shape)}]; expected two numbers, [rows, columns]: reshape it first`,
    );
  const sizes = shape as unknown[];
  if ((given as { isDisposed?: boolean }).isDisposed)
    throw new Error(`${name} is a tensor that was disposed; give it before it is, or tf.keep it`);
  if (typeof given.data === 'function') {
    // Copied where needed: a backend may return its own memory.
    const of = (values: unknown) => shaped(name, sizes, isNumbers(values) ? values.slice() : values, precision);
    return read(given as TensorLike, of);
  }
  const { dtype, data } = given;
  // Numbers of 8 bytes are checked one by one against the range of float32.
  const wide = data instanceof Float64Array || (precision === 'exact' && (dtype === 'I32' || dtype === 'U32'));
  if (typeof dtype === 'string' && isTypedArray(data) && !wide)
    return shaped(name, sizes, toFloat32({ dtype: dtype as Dtype, shape, data }), precision);
  return shaped(name, sizes, data, precision);
}

/**
 * The matrix of rows given in any of the forms of MatrixInput, n × d float32. Float32 data are not copied; other
 * numbers are rounded to float32. NaN and infinity are kept: readers of the rows leave such rows out and count them.
 * @param name how messages call the argument: "x", "points"
 * @throws TypeError or RangeError that says what was given, what was expected and what to do: for a promise that was
 *   not awaited, rows of different lengths, a wrong number of values, a rank other than 2, and values that are no
 *   numbers.
 */
export async function asMatrix(given: MatrixInput, name: string): Promise<Matrix> {
  const later: ReadTensor<Promise<ExactMatrix>> = (tensor, of) => tensor.data().then(of);
  return (await matrixOf(given, name, 'float32', later)) as Matrix;
}

const atOnce: ReadTensor<ExactMatrix> = (tensor, of) => of(tensor.dataSync());

/** asMatrix without waiting; a tensor of a backend that cannot be read at once is refused. */
export function asMatrixNow(given: MatrixInput, name: string): Matrix {
  return matrixOf(given, name, 'float32', atOnce) as Matrix;
}

/** asMatrixNow without rounding: for numbers that are compared or sent through float64. */
export function exactMatrix(given: MatrixInput, name: string): ExactMatrix {
  return matrixOf(given, name, 'exact', atOnce);
}

/** The same as an array of rows; such an array is given back as it is. */
export function exactRows(given: MatrixInput, name: string): ReadonlyArray<readonly number[]> {
  if (Array.isArray(given) && given.every((row) => Array.isArray(row))) return given;
  const { rows, cols, data } = exactMatrix(given, name);
  return Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * cols, (i + 1) * cols)));
}

function matrixOf<T>(given: MatrixInput, name: string, precision: Precision, read: ReadTensor<T>): ExactMatrix | T {
  const x: unknown = given;
  if (types.isPromise(x)) throw new TypeError(`${name} is a promise: write "await" before the call that made it`);
  if (Array.isArray(x)) return ofRows(name, x, precision);
  if (typeof x !== 'object' || x === null || ArrayBuffer.isView(x))
    throw new TypeError(`${name} is ${said(x)}; expected ${MATRIX_FORMS}`);
  if ('decoder' in x) {
    const { decoder } = x;
    if (typeof decoder === 'object' && decoder !== null && !('decoder' in decoder))
      return matrixOf(decoder as MatrixInput, `the decoder of ${name}`, precision, read);
  }
  if ('rows' in x && 'cols' in x && 'data' in x) return shaped(name, [x.rows, x.cols], x.data, precision);
  if ('shape' in x) return ofShape(name, x, precision, read);
  throw new TypeError(`${name} is ${said(x)}; expected ${MATRIX_FORMS}`);
}
