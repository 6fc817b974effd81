/**
 * Rows of values of which few count, in memory where kernels of WebAssembly look for them (kernels.wat). The thread's own:
 * ONNX Runtime writes products there.
 */
import { exportsOf, fitsMemory, ownMemory, viewsOf, type Views } from '../shared/memory.js';
import { KERNELS } from './kernels.js';

interface Kernels {
  shift(z: number, rows: number, cols: number, bias: number, scale: number): void;
  rectify(z: number, n: number): number;
  collect(
    z: number,
    n: number,
    touched: 0 | 1,
    bias: number,
    scale: number,
    least: number,
    mask: number,
    bound: number,
    which: number,
    values: number,
  ): number;
  kth(values: number, n: number, k: number, mask: number): number;
}
const kernelsOf = exportsOf<Kernels>(KERNELS);

/** Masks of the bits of values: all, and those of their sizes. */
export const AS_IT_IS = -1;
export const WITHOUT_SIGN = 0x7fffffff;

const fieldsOf = (rows: number, cols: number) =>
  ({
    z: ['f32', rows * cols],
    bias: ['f32', cols],
    scale: ['f32', cols],
    least: ['f32', cols],
    which: ['i32', cols],
    values: ['f32', cols],
  }) as const;

export class EntryMemory {
  /** [rows × cols] */
  readonly z: Float32Array;
  /** What was found last. */
  readonly which: Int32Array;
  readonly values: Float32Array;
  readonly #views: Views<ReturnType<typeof fieldsOf>>;
  readonly #kernels: Kernels;
  /** Where bias and scale of rows that are looked at begin; 0: as they are. */
  #bias = 0;
  #scale = 0;

  /** @throws RangeError where it takes more than 4 GiB */
  constructor(
    readonly rows: number,
    readonly cols: number,
  ) {
    const fields = fieldsOf(rows, cols);
    if (!fitsMemory(fields))
      throw new RangeError(
        `${rows} rows of ${cols} features are more than 4 GiB at once; give smaller batches or fewer features`,
      );
    const memory = ownMemory(fields);
    this.#views = viewsOf(memory, fields);
    this.#kernels = kernelsOf(memory);
    ({ z: this.z, which: this.which, values: this.values } = this.#views);
  }

  /** Rows first … last − 1 of z ← (z + bias), times `scale` of the column where it is given. */
  shift(first: number, last: number, bias: Float32Array, scale?: ArrayLike<number>): void {
    const { cols } = this;
    this.#put(bias, scale);
    this.#kernels.shift(this.z.byteOffset + 4 * first * cols, last - first, cols, this.#bias, this.#scale);
    this.asItIs();
  }

  /** From now on `above` and `beyond` see (z + bias), times `scale` of the column where it is given. */
  shifted(bias: Float32Array, scale?: ArrayLike<number>): void {
    this.#put(bias, scale);
  }

  /** From now on they see z as it is. */
  asItIs(): void {
    this.#bias = this.#scale = 0;
  }

  #put(bias: Float32Array, scale: ArrayLike<number> | undefined): void {
    const { bias: b, scale: s } = this.#views;
    b.set(bias);
    if (scale) s.set(scale);
    this.#bias = b.byteOffset;
    this.#scale = scale ? s.byteOffset : 0;
  }

  /** ReLU of the first n values of z, in place; returns how many are not 0. NaN stays. */
  rectify(n: number): number {
    return this.#kernels.rectify(this.z.byteOffset, n);
  }

  /** Finds the entries of row i of z that are not +0: gives how many, `which` and `values` have them by column. */
  touched(i: number): number {
    return this.#collect(i, 1, 0, AS_IT_IS, 0);
  }

  /**
   * Finds the entries of row i of z above `bound`, 0 or more: of their magnitudes with `absolute`. Of NaN none is; gives
   * how many, `which` and `values` have them by column.
   */
  above(i: number, bound: number, absolute = false): number {
    return this.#collect(i, 0, 0, absolute ? WITHOUT_SIGN : AS_IT_IS, bound);
  }

  /** Sets the bounds of `beyond`, one of each column. */
  setLeast(least: ArrayLike<number>): void {
    this.#views.least.set(least);
  }

  /** Finds the entries of row i of z that are not at most the bound of their column, NaN among them. */
  beyond(i: number): number {
    return this.#collect(i, 0, this.#views.least.byteOffset, AS_IT_IS, 0);
  }

  #collect(i: number, touched: 0 | 1, least: number, mask: number, bound: number): number {
    const { cols } = this;
    const { z, which, values } = this.#views;
    const at = z.byteOffset + 4 * i * cols;
    const [bias, scale] = touched ? [0, 0] : [this.#bias, this.#scale];
    return this.#kernels.collect(at, cols, touched, bias, scale, least, mask, bound, which.byteOffset, values.byteOffset); // prettier-ignore
  }

  /** The k-th largest of the n entries found last, by magnitude with `absolute`; k from 1 to n. */
  kth(n: number, k: number, absolute = false): number {
    return this.#kernels.kth(this.values.byteOffset, n, k, absolute ? WITHOUT_SIGN : AS_IT_IS);
  }
}
