/**
 * A block of rows of which few entries count, in memory where kernels of WebAssembly work on it (kernels.wat): which
 * entries count, sums of the matrix rows that they name, and products with these. Work is in proportion to the entries.
 */
import { exportsOf, fitsMemory, ownMemory, viewsOf, type Views } from '../shared/memory.js';
import { KERNELS } from './kernels.js';

/** Lists of entries: those of list i are indptr[i] … indptr[i + 1] − 1. */
export interface Lists {
  readonly indptr: Uint32Array;
  /** The row of a matrix that an entry names. */
  readonly which: Int32Array | Uint32Array;
  readonly values: Float32Array;
}

/** Rows of z have `cols` columns; matrices of named rows are kept in slots. */
export interface Shape<Slot extends string> {
  readonly rows: number;
  readonly cols: number;
  readonly slots: Readonly<Record<Slot, readonly [rows: number, width: number]>>;
}

interface Kernels {
  shift(z: number, rows: number, cols: number, bias: number, scale: number): void;
  rectify(z: number, n: number): number;
  collect(z: number, n: number, touched: 0 | 1, mask: number, bound: number, which: number, values: number): number;
  kth(values: number, n: number, k: number, mask: number): number;
  gather(n: number, p: number, which: number, weights: number, from: number, d: number, to: number): void;
  dots(n: number, p: number, which: number, from: number, d: number, rows: number, out: number): void;
}
const kernelsOf = exportsOf<Kernels>(KERNELS);

/** Floats of the rows that sums are added to at once, and entries of one call: they stay in a core's own cache. */
const ROOM = 2 ** 17;
/** Lists of one call. */
const LISTS = 2 ** 14;

const AS_IT_IS = -1;
const WITHOUT_SIGN = 0x7fffffff;

function fieldsOf({ rows, cols, slots }: Shape<string>) {
  const room = Math.max(ROOM, rows, cols);
  const widest = Object.values(slots).reduce((most, [, width]) => Math.max(most, width), 0);
  return {
    z: ['f32', rows * cols],
    bias: ['f32', cols],
    scale: ['f32', cols],
    indptr: ['i32', LISTS + 1],
    which: ['i32', room],
    values: ['f32', room],
    products: ['f32', room],
    sums: ['f32', Math.max(ROOM, widest)],
  } as const;
}

const slotFields = (slots: Shape<string>['slots']): Readonly<Record<string, readonly ['f32', number]>> =>
  Object.fromEntries(Object.entries(slots).map(([name, [count, width]]) => [`slot ${name}`, ['f32', count * width]]));

export class EntryMemory<Slot extends string> {
  /** [rows × cols] */
  readonly z: Float32Array;
  /** What `collect` found last. */
  readonly which: Int32Array;
  readonly values: Float32Array;
  readonly #views: Views<ReturnType<typeof fieldsOf>>;
  readonly #slots: Readonly<Record<string, Float32Array>>;
  readonly #kernels: Kernels;
  readonly #shape: Shape<Slot>;

  /** @throws RangeError where it takes more than 4 GiB */
  constructor(shape: Shape<Slot>) {
    const fields = { ...fieldsOf(shape), ...slotFields(shape.slots) };
    if (!fitsMemory(fields))
      throw new RangeError(
        `${shape.rows} rows of ${shape.cols} features are more than 4 GiB at once; give smaller batches or fewer features`,
      );
    const memory = ownMemory(fields);
    const views = viewsOf(memory, fields);
    this.#shape = shape;
    this.#views = views;
    this.#slots = views as Readonly<Record<string, unknown>> as Readonly<Record<string, Float32Array>>;
    this.#kernels = kernelsOf(memory);
    ({ z: this.z, which: this.which, values: this.values } = this.#views);
  }

  /** Whether blocks of this shape have room in it, with no more than needed. */
  fits({ rows, cols, slots }: Shape<Slot>): boolean {
    const own = this.#shape;
    return (
      rows === own.rows &&
      cols === own.cols &&
      (Object.keys(slots) as Slot[]).every((name) => String(slots[name]) === String(own.slots[name]))
    );
  }

  #slot(name: Slot): Float32Array {
    return this.#slots[`slot ${name}`];
  }

  /** Puts the first rows of a slot's matrix there. */
  put(name: Slot, matrix: Float32Array): void {
    this.#slot(name).set(matrix);
  }

  /** Rows first … last − 1 of z ← (z + bias), times `scale` of the column where it is given. */
  shift(first: number, last: number, bias: Float32Array, scale?: ArrayLike<number>): void {
    const { z, bias: b, scale: s } = this.#views;
    const { cols } = this.#shape;
    b.set(bias);
    if (scale) s.set(scale);
    this.#kernels.shift(
      z.byteOffset + 4 * first * cols,
      last - first,
      cols,
      b.byteOffset,
      scale === undefined ? 0 : s.byteOffset,
    );
  }

  /** ReLU of the first n values of z, in place; returns how many are not 0. NaN stays. */
  rectify(n: number): number {
    return this.#kernels.rectify(this.z.byteOffset, n);
  }

  /** Finds the entries of row i of z that are not +0: gives how many, `which` and `values` have them by column. */
  touched(i: number): number {
    return this.#collect(i, 1, AS_IT_IS, 0);
  }

  /**
   * Finds the entries of row i of z above `bound`, 0 or more: of their magnitudes with `absolute`. Of NaN none is; gives
   * how many, `which` and `values` have them by column.
   */
  above(i: number, bound: number, absolute = false): number {
    return this.#collect(i, 0, absolute ? WITHOUT_SIGN : AS_IT_IS, bound);
  }

  #collect(i: number, touched: 0 | 1, mask: number, bound: number): number {
    const { cols } = this.#shape;
    const { z, which, values } = this.#views;
    const at = z.byteOffset + 4 * i * cols;
    return this.#kernels.collect(at, cols, touched, mask, bound, which.byteOffset, values.byteOffset);
  }

  /** The k-th largest of the n entries found last, by magnitude with `absolute`; k from 1 to n. */
  kth(n: number, k: number, absolute = false): number {
    return this.#kernels.kth(this.values.byteOffset, n, k, absolute ? WITHOUT_SIGN : AS_IT_IS);
  }

  /** Adds Σ value · row of the slot's matrix over the entries of lists first … last − 1 to those rows of `to`. */
  gather(lists: Lists, first: number, last: number, from: Slot, to: Float32Array): void {
    const [, width] = this.#shape.slots[from];
    for (const [i, j] of this.#pieces(lists, first, last, width)) {
      this.#values(lists, i, j);
      this.#addTo(this.values, i, j, from, to);
    }
  }

  /**
   * For the lists first … last − 1: products of the rows that entries name with row i of the list in another slot's
   * matrix; `through` may change these in place; then Σ value · row is added to rows of `to`, and Σ product · row of
   * `second.from` to rows of `second.to`.
   */
  backward(
    lists: Lists,
    first: number,
    last: number,
    { from, against, to }: { from: Slot; against: Slot; to: Float32Array },
    second: { from: Slot; to: Float32Array },
    through: (products: Float32Array, list: number, begin: number, end: number) => void,
  ): void {
    const [, d] = this.#shape.slots[from];
    const [, e] = this.#shape.slots[second.from];
    const { indptr, which, products } = this.#views;
    for (const [i, j] of this.#pieces(lists, first, last, Math.max(d, e))) {
      this.#values(lists, i, j);
      const rows = this.#slot(against).byteOffset + 4 * i * d;
      const at = this.#slot(from).byteOffset;
      this.#kernels.dots(j - i, indptr.byteOffset, which.byteOffset, at, d, rows, products.byteOffset);
      for (let list = i; list < j; list++) through(products, list, indptr[list - i], indptr[list - i + 1]);
      this.#addTo(this.values, i, j, from, to);
      this.#addTo(products, i, j, second.from, second.to);
    }
  }

  /** Runs of lists whose entries and sums have room; runs without entries are left out. */
  *#pieces({ indptr }: Lists, first: number, last: number, width: number): Generator<[number, number]> {
    const most = Math.min(LISTS, Math.floor(this.#views.sums.length / width));
    const room = this.which.length;
    for (let i = first; i < last;) {
      let j = i + 1;
      while (j < last && j - i < most && indptr[j + 1] - indptr[i] <= room) j++;
      if (indptr[j] > indptr[i]) yield [i, j];
      i = j;
    }
  }

  /** Puts the entries of lists i … j − 1 into the memory. */
  #values({ indptr, which, values }: Lists, i: number, j: number): void {
    const [begin, end] = [indptr[i], indptr[j]];
    for (let list = i; list <= j; list++) this.#views.indptr[list - i] = indptr[list] - begin;
    this.which.set(which.subarray(begin, end));
    this.values.set(values.subarray(begin, end));
  }

  #addTo(weights: Float32Array, i: number, j: number, from: Slot, to: Float32Array): void {
    const [, width] = this.#shape.slots[from];
    const { indptr, which } = this.#views;
    const sums = this.#views.sums.subarray(0, (j - i) * width);
    const rows = to.subarray(i * width, j * width);
    sums.set(rows);
    this.#kernels.gather(
      j - i,
      indptr.byteOffset,
      which.byteOffset,
      weights.byteOffset,
      this.#slot(from).byteOffset,
      width,
      sums.byteOffset,
    );
    rows.set(sums);
  }
}
