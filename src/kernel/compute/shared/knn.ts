/**
 * Nearest neighbours among the rows of one matrix, for workers: rows as 8-bit integers (knnRows.ts); candidates by tiles
 * of their product; exact distances of the candidates in float64. An entry of a tile serves its row and its column. Where
 * 8 bits would leave rows in doubt (search.ts), tiles are products of float32.
 */
import type { NativeSession, Shaped } from '../ort.js';
import { knnFields, SEATS, SUMS, takeShifted, TILE, type KnnParameters, type KnnViews } from './knnFields.js';
import { kernelsOf, viewsOf, type Kernels, type SharedMemory } from './memory.js';
import { STOP, type Phase } from './pieces.js';
import { openTileProduct } from './wholes.js';

/** Rows that a worker refines at a time. */
const ROWS = 256;

/** Squared distances of rows, or twice their cosine distances, in float64 from the rows as given. */
export class ExactSquares {
  readonly #kernels: Kernels;
  readonly #out: Float64Array;
  readonly #at: (row: number) => number;

  constructor(
    memory: SharedMemory,
    private readonly m: KnnViews,
    private readonly p: KnnParameters,
  ) {
    this.#kernels = kernelsOf(memory);
    const seat = Atomics.add(m.control, SEATS, 1);
    this.#out = m.sums.subarray(SUMS * seat, SUMS * (seat + 1));
    this.#at = (row) => m.x.byteOffset + 4 * row * p.d;
  }

  /** Of row i and the first `count` of `rows`, to `squares`. */
  of(i: number, rows: ArrayLike<number>, count: number, squares: Float64Array): void {
    const { d, metric } = this.p;
    const product = metric === 'cosine' ? 1 : 0;
    for (let r = 0; r < count; r += 2) {
      // The last of an odd number is its own companion.
      const other = Math.min(r + 1, count - 1);
      this.#kernels.exact(this.#at(i), this.#at(rows[r]), this.#at(rows[other]), d, product, this.#out.byteOffset);
      squares[r] = product ? this.#twiceCosine(i, rows[r], this.#out[0]) : this.#out[0];
      squares[other] = product ? this.#twiceCosine(i, rows[other], this.#out[1]) : this.#out[1];
    }
  }

  #twiceCosine(i: number, j: number, product: number): number {
    const lengths = this.m.lengths[i] * this.m.lengths[j];
    return lengths === 0 ? 2 : Math.min(4, Math.max(0, 2 - (2 * product) / lengths));
  }
}

/** Rows of a tile belong to one worker at a time; false when the phase is stopped meanwhile. */
function lock({ locks, control }: KnnViews, tile: number): boolean {
  while (Atomics.compareExchange(locks, tile, 0, 1) !== 0) {
    if (Atomics.load(control, STOP) !== 0) return false;
    Atomics.wait(locks, tile, 1, 10);
  }
  return true;
}
function unlock({ locks }: KnnViews, tile: number): void {
  Atomics.store(locks, tile, 0);
  Atomics.notify(locks, tile);
}

/** Products of two tiles, of integers or of float32. ONNX Runtime takes no shared memory: operands are copied. */
class TileProduct {
  #session: NativeSession;
  readonly #left: Float32Array | Uint8Array;
  readonly #right: Float32Array | Int8Array;
  readonly #out: Float32Array | Int32Array;

  constructor(
    private readonly m: KnnViews,
    private readonly p: KnnParameters,
  ) {
    const { whole, d } = p;
    this.#session = openTileProduct(whole > 0);
    this.#left = whole ? new Uint8Array(TILE * d) : new Float32Array(TILE * d);
    this.#right = whole ? new Int8Array(TILE * d) : new Float32Array(TILE * d);
    this.#out = whole ? new Int32Array(TILE * TILE) : new Float32Array(TILE * TILE);
  }

  #take(to: Float32Array | Uint8Array | Int8Array, from: Uint8Array | Int8Array, r0: number, rows: number) {
    const { d, whole } = this.p;
    if (whole) to.set(from.subarray(r0 * d, (r0 + rows) * d));
    else for (let r = 0; r < rows; r++) takeShifted(this.m, this.p, r0 + r, to as Float32Array, r * d);
    return to.subarray(0, rows * d);
  }

  run(i0: number, rows: number, j0: number, width: number): Float32Array | Int32Array {
    const { d, whole } = this.p;
    const c = this.#out.subarray(0, rows * width);
    const a: Shaped = [this.#take(this.#left, this.m.left, i0, rows), [rows, d]];
    const b: Shaped = [this.#take(this.#right, this.m.right, j0, width), whole ? [d, width] : [width, d]];
    this.#session.run({ a, b }, { c: [c, [rows, width]] });
    return c;
  }

  close(): void {
    this.#session.close();
  }
}

/** Tiles (I, J ≥ I) by diagonals, so that tiles worked on at once seldom share rows. */
function tileAt(piece: number, tiles: number): [number, number] {
  let diagonal = 0;
  let i = piece;
  while (i >= tiles - diagonal) i -= tiles - diagonal++;
  return [i, i + diagonal];
}

/** The candidates of all rows. */
export function candidates(memory: SharedMemory, p: KnnParameters): Phase {
  const m = viewsOf(memory, knnFields(p));
  const { n, kept, whole } = p;
  const tiles = Math.ceil(n / TILE);
  const kernels = kernelsOf(memory);
  const place = (name: keyof KnnViews): number => m[name].byteOffset;
  const scan = (out: number, i0: number, rows: number, j0: number, width: number, scratch: number): void =>
    // prettier-ignore
    kernels.scan(out, i0, rows, j0, width, i0 === j0 ? 1 : 0, whole ? 1 : 0, place('squares32'), place('scaleLeft'),
      place('scaleRight'), place('zero'), place('limits'), 2 * kept, place('counts'), place('scores'), place('found'), scratch);
  let own: { product: TileProduct; seat: number } | undefined;
  return {
    control: m.control,
    pieces: (tiles * (tiles + 1)) / 2,
    work(piece) {
      own ??= { product: new TileProduct(m, p), seat: Atomics.add(m.control, SEATS, 1) };
      const [I, J] = tileAt(piece, tiles);
      const [i0, j0] = [I * TILE, J * TILE];
      const [rows, width] = [Math.min(TILE, n - i0), Math.min(TILE, n - j0)];
      const c = own.product.run(i0, rows, j0, width);
      const at = place('tiles') + 4 * own.seat * TILE * TILE;
      if (whole) new Int32Array(memory.buffer, at, c.length).set(c);
      else new Float32Array(memory.buffer, at, c.length).set(c);
      if (!lock(m, I)) return;
      if (I === J || lock(m, J)) {
        scan(at, i0, rows, j0, width, place('scratch') + 16 * own.seat);
        if (I !== J) unlock(m, J);
      }
      unlock(m, I);
    },
    close: () => own?.product.close(),
  };
}

/** The k best of the rows offered: nearest first, equal distances in order of index. */
class Best {
  readonly squares: Float64Array;
  readonly who: Int32Array;
  constructor(private readonly k: number) {
    this.squares = new Float64Array(k).fill(Infinity);
    this.who = new Int32Array(k);
  }
  clear(): void {
    this.squares.fill(Infinity);
  }
  get worst(): number {
    return this.squares[this.k - 1];
  }
  offer(square: number, j: number): void {
    const { squares, who, k } = this;
    if (square > squares[k - 1] || (square === squares[k - 1] && j > who[k - 1])) return;
    let at = k - 1;
    for (; at > 0 && (squares[at - 1] > square || (squares[at - 1] === square && who[at - 1] > j)); at--) {
      squares[at] = squares[at - 1];
      who[at] = who[at - 1];
    }
    squares[at] = square;
    who[at] = j;
  }
}

/**
 * How far the score of row i with a row of at most length l can be from their squared distance: eight standard
 * deviations of independent errors of rounding (as knn.ts takes for float32), all errors together where the columns are
 * few.
 */
export function errorBounds(
  m: KnnViews,
  { d, whole, n }: KnnParameters,
): { longest: number; error: (i: number, l: number) => number } {
  let [longest, worstLeft, worstRight] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const length = Math.sqrt(m.squares[i]);
    if (length > longest) longest = length;
    worstLeft = Math.max(worstLeft, m.errorLeft[i] / (length || 1));
    worstRight = Math.max(worstRight, m.errorRight[i] / (length || 1));
  }
  const few = Math.min(1, 8 / Math.sqrt(d));
  const error = (i: number, l: number): number => {
    const length = Math.sqrt(m.squares[i]);
    const asLeft = Math.hypot(m.errorLeft[i], length * worstRight);
    const asRight = Math.hypot(m.errorRight[i], length * worstLeft);
    const rounding = whole ? few * Math.max(asLeft, asRight) : few * (d + 2) * length * 2 ** -24;
    return 2 * l * rounding + 2 ** -21 * (length + l) ** 2;
  };
  return { longest, error };
}

/**
 * Exact distances of the candidates that could still be neighbours given rounding; marks rows where rounding could hide
 * one that was not kept.
 */
export function refine(memory: SharedMemory, p: KnnParameters): Phase {
  const m = viewsOf(memory, knnFields(p));
  const { n, k, kept, metric, unit } = p;
  const units = unit * unit;
  const best = new Best(k);
  const rows = new Int32Array(2 * kept);
  const squares = new Float64Array(rows.length);
  let own: { bounds: ReturnType<typeof errorBounds>; exact: ExactSquares } | undefined;
  const refineRow = (i: number): void => {
    own ??= { bounds: errorBounds(m, p), exact: new ExactSquares(memory, m, p) };
    const { longest, error } = own.bounds;
    const offer = (count: number): void => {
      own!.exact.of(i, rows, count, squares);
      for (let r = 0; r < count; r++) best.offer(squares[r], rows[r]);
    };
    const from = i * 2 * kept;
    const to = from + m.counts[i];
    best.clear();
    for (let c = from; c < to; c++) best.offer(m.scores[c], m.found[c]);
    const length = Math.sqrt(m.squares[i]);
    // A neighbour is no longer than the row and their distance together.
    let wrong = error(i, longest);
    for (let again = 0; again < 3; again++)
      wrong = error(i, Math.min(longest, length + Math.sqrt(Math.max(0, best.worst + wrong))));
    const likely = new Set(best.who);
    rows.set(best.who);
    best.clear();
    offer(k);
    let count = 0;
    for (let c = from; c < to; c++)
      if (m.scores[c] - wrong <= best.worst / units && !likely.has(m.found[c])) rows[count++] = m.found[c];
    offer(count);
    m.worst[i] = best.worst / units;
    m.doubtful[i] = m.limits[i] - wrong <= m.worst[i] ? 1 : 0;
    m.indices.set(best.who, i * k);
    for (let c = 0; c < k; c++)
      m.distances[i * k + c] = metric === 'euclidean' ? Math.sqrt(best.squares[c]) : best.squares[c] / 2;
  };
  return {
    control: m.control,
    pieces: Math.ceil(n / ROWS),
    work(piece) {
      for (let i = piece * ROWS; i < Math.min(n, (piece + 1) * ROWS); i++) refineRow(i);
    },
  };
}
