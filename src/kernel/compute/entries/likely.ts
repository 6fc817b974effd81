/**
 * The k largest of each row where values are known within bounds: by tiles of columns, each row keeps a list of those that
 * may be among them. The thread's own memory: ONNX Runtime writes products there.
 */
import { exportsOf, ownMemory, viewsOf, type Views } from '../shared/memory.js';
import { KERNELS } from './kernels.js';
import { AS_IT_IS, WITHOUT_SIGN } from './memory.js';

interface Kernels {
  likely(
    ...at: readonly [
      out: number,
      rows: number,
      width: number,
      first: number,
      whole: 0 | 1,
      zero: number,
      factor: number,
      bias: number,
      reach: number,
      slack: number,
      rowFactor: number,
      rowReach: number,
      limits: number,
      mask: number,
      room: number,
      counts: number,
      which: number,
      uppers: number,
      lows: number,
    ]
  ): void;
  trim(which: number, uppers: number, lows: number, n: number, limit: number): number;
  kth(values: number, n: number, k: number, mask: number): number;
}
const kernelsOf = exportsOf<Kernels>(KERNELS);

export interface LikelyShape {
  readonly rows: number;
  readonly cols: number;
  /** Columns of a tile, at most. */
  readonly width: number;
  readonly k: number;
}

/** Least number above 0. */
const LEAST = 2 ** -149;
/** Entries at the end of a list that kernels write over. */
const END = 16;
/** A list is looked through again once it has twice as many, and some more. */
const MORE = 64;

const roomOf = ({ width, k }: LikelyShape): number => width + Math.max(512, 8 * k) + END;

function fieldsOf(shape: LikelyShape) {
  const { rows, cols, width } = shape;
  const lists = rows * roomOf(shape);
  return {
    out: ['i32', rows * width],
    zero: ['i32', cols],
    factor: ['f32', cols],
    bias: ['f32', cols],
    reach: ['f32', cols],
    slack: ['f32', cols],
    rowFactor: ['f32', rows],
    rowReach: ['f32', rows],
    limits: ['f32', rows],
    counts: ['i32', rows],
    which: ['i32', lists],
    uppers: ['f32', lists],
    lows: ['f32', lists],
  } as const;
}

export class LikelyMemory {
  /**
   * Of columns: what is subtracted from integers, factor and bias of values, what their error is in proportion to, and
   * its rest. Of rows: factor and error. `out` holds the products of a tile; `which` the lists of rows, by column.
   */
  readonly views: Views<ReturnType<typeof fieldsOf>>;
  readonly #kernels: Kernels;
  readonly #room: number;
  readonly #again: Int32Array;

  constructor(private readonly shape: LikelyShape) {
    const memory = ownMemory(fieldsOf(shape));
    this.views = viewsOf(memory, fieldsOf(shape));
    this.#kernels = kernelsOf(memory);
    this.#room = roomOf(shape);
    this.#again = new Int32Array(shape.rows);
  }

  begin(): void {
    this.views.counts.fill(0);
    this.views.limits.fill(LEAST);
    this.#again.fill(0);
  }

  /**
   * Takes the products of `rows` rows and columns first … first + width − 1 from `out`; `absolute`: of values their sizes.
   * False where more may be among the largest than a list has room for.
   */
  take(rows: number, first: number, width: number, whole: boolean, absolute: boolean): boolean {
    const v = this.views;
    const mask = absolute ? WITHOUT_SIGN : AS_IT_IS;
    const at = (column: 'zero' | 'factor' | 'bias' | 'reach' | 'slack'): number => v[column].byteOffset + 4 * first;
    const of = (name: keyof typeof v): number => v[name].byteOffset;
    // prettier-ignore
    this.#kernels.likely(of('out'), rows, width, first, whole ? 1 : 0, at('zero'), at('factor'), at('bias'), at('reach'),
      at('slack'), of('rowFactor'), of('rowReach'), of('limits'), mask, this.#room, of('counts'), of('which'), of('uppers'), of('lows'));
    const full = this.#room - this.shape.width - END;
    for (let i = 0; i < rows; i++) {
      if (v.counts[i] <= this.#again[i] && v.counts[i] <= full) continue;
      this.#trim(i);
      if (v.counts[i] > full) return false;
    }
    return true;
  }

  #trim(i: number): void {
    const { counts, limits, which, uppers, lows } = this.views;
    const at = 4 * i * this.#room;
    const { k } = this.shape;
    if (counts[i] >= k)
      limits[i] = Math.max(limits[i], this.#kernels.kth(lows.byteOffset + at, counts[i], k, AS_IT_IS));
    // prettier-ignore
    counts[i] = this.#kernels.trim(which.byteOffset + at, uppers.byteOffset + at, lows.byteOffset + at, counts[i], limits[i]);
    this.#again[i] = 2 * counts[i] + MORE;
  }

  /** The columns of row i that may be among the k largest, ascending, when all tiles were taken. */
  list(i: number): Int32Array {
    this.#trim(i);
    return this.views.which.subarray(i * this.#room, i * this.#room + this.views.counts[i]);
  }

  /** The upper bounds of the values in that list. */
  uppers(i: number): Float32Array {
    return this.views.uppers.subarray(i * this.#room, i * this.#room + this.views.counts[i]);
  }

  /** The k-th largest size of at least k values, which fit a list. What lists are trimmed by is lost. */
  kth(values: Float32Array): number {
    this.views.lows.set(values);
    return this.#kernels.kth(this.views.lows.byteOffset, values.length, this.shape.k, WITHOUT_SIGN);
  }
}
