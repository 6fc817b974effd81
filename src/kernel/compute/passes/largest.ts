/**
 * The k largest pre-activations x̃·W_enc + b_enc of rows of many features. Products of 8-bit integers, about six times as
 * fast as those of float32, estimate each within a bound (as they do for neighbours, shared/knn.ts); those that may be
 * among the largest by their bounds are computed in float32, and these decide. So values and choice do not depend on the
 * estimates, and where 8 bits do not suffice, products of float32 take their place, to the same bits.
 */
import { LikelyMemory } from '../entries/likely.js';
import { keepLargest, putEntries } from '../entries/firing.js';
import type { NativeSession, Shaped } from '../ort.js';
import type { SharedMemory } from '../shared/memory.js';
import type { Phase } from '../shared/pieces.js';
import { openTileProduct } from '../shared/wholes.js';
import { lentOf } from './lent.js';
import { benchOf, ESTIMATED_ROWS, FULL, LIKELY, TILE, type Bench, type PassShape } from './memory.js';
import { subtract } from './rows.js';
import { rowAsWhole, type Row } from './wholes.js';

export interface LargestParameters {
  readonly shape: PassShape;
  readonly rows: number;
  readonly k: number;
  readonly absolute: boolean;
  /** Multiplied into pre-activations to compare them. */
  readonly scale: Float64Array | undefined;
  readonly bias: Float32Array;
  /** Subtracted from the input first. */
  readonly shift: Float32Array | undefined;
  /** Largest size of the unsigned integers; 0: estimates are products of float32. */
  readonly whole: number;
}

/** Pieces of so many rows. */
export const largestPieces = (rows: number): number => Math.ceil(rows / ESTIMATED_ROWS);

/** Deviations that the errors of sums of d terms stay within, of √d; as for neighbours. */
const DEVIATIONS = 8;
/** The share of its bound that no error may exceed: one that does shows that they are not as random as the bound assumes. */
const LIKELY_ERROR = 0.9;
/** Of values, what float32 loses in adding and multiplying estimates. */
const ROUNDING = 2 ** -20;

export function largestRows(memory: SharedMemory, p: LargestParameters): Phase {
  const bench = benchOf(memory, p.shape);
  const { dIn, features } = p.shape;
  // Made by a thread that works: the one that waits for the others needs none.
  let own: Estimates | undefined;
  const begun = (): Estimates => {
    const kept = lentOf(`largest ${p.whole > 0} ${dIn} ${features} ${p.k}`, () => new Estimates(p));
    kept.begin(bench, p);
    return kept;
  };
  const asWhole = rowAsWhole(memory, bench, dIn);
  return {
    control: bench.control,
    pieces: largestPieces(p.rows),
    work(piece) {
      if (Atomics.load(bench.control, FULL) !== 0) return;
      const first = piece * ESTIMATED_ROWS;
      const rows = Math.min(ESTIMATED_ROWS, p.rows - first);
      if (p.shift) subtract(bench.input.subarray(first * dIn, (first + rows) * dIn), p.shift);
      const here: Rows = { bench, p, first, rows };
      own ??= begun();
      if (!(own.look(here, asWhole) && compute(here, own.memory) && keep(here, own.memory)))
        Atomics.store(bench.control, FULL, 1);
    },
  };
}

/** Rows of a piece. */
interface Rows {
  readonly bench: Bench;
  readonly p: LargestParameters;
  readonly first: number;
  readonly rows: number;
}

/** What a thread estimates with. ONNX Runtime takes no shared memory: operands are copied. */
class Estimates {
  readonly memory: LikelyMemory;
  readonly #session: NativeSession;
  readonly #left: Uint8Array | Float32Array;
  readonly #right: Int8Array | Float32Array;
  readonly #out: Int32Array | Float32Array;
  /** The largest error of a feature as integers, over its length. */
  #worst = 0;

  constructor({ shape: { dIn, features }, k, whole }: LargestParameters) {
    this.memory = new LikelyMemory({ rows: ESTIMATED_ROWS, cols: features, width: TILE, k });
    this.#session = openTileProduct(whole > 0);
    this.#left = whole ? new Uint8Array(ESTIMATED_ROWS * dIn) : new Float32Array(ESTIMATED_ROWS * dIn);
    this.#right = whole ? new Int8Array(TILE * dIn) : new Float32Array(TILE * dIn);
    const { out } = this.memory.views;
    this.#out = whole ? out : new Float32Array(out.buffer, out.byteOffset, out.length);
  }

  close(): void {
    this.#session.close();
  }

  /** What values and bounds of the features are made of. */
  begin({ scales, ratios, zeros, lengths }: Bench, { bias, scale, whole }: LargestParameters): void {
    const { zero, factor, bias: added, reach, slack } = this.memory.views;
    zero.set(zeros);
    this.#worst = 0;
    for (let f = 0; f < lengths.length; f++) {
      const times = scale ? scale[f] : 1;
      factor[f] = (whole ? scales[f] : 1) * times;
      added[f] = bias[f] * times;
      reach[f] = lengths[f] * times;
      slack[f] = Math.abs(added[f]) * ROUNDING + 2 ** -100;
      // NaN stays, and bounds nothing.
      this.#worst = Math.max(this.#worst, Number.isFinite(added[f] * reach[f]) ? ratios[f] : NaN);
    }
  }

  /** How far the estimate of a row may be from a value, over the length of the feature. */
  #reach({ length, error }: Row, { whole, shape: { dIn } }: LargestParameters): number {
    const few = Math.min(1, DEVIATIONS / Math.sqrt(dIn));
    if (Number.isNaN(this.#worst)) return NaN;
    const asWhole = whole ? few * Math.hypot(error, length * this.#worst) : 0;
    return asWhole + length * (few * (2 * dIn + 8) * 2 ** -24 + ROUNDING);
  }

  /** Lists what may be among the largest of the rows; false where that has no bounds, or no room. */
  look({ bench, p, first, rows }: Rows, asWhole: ReturnType<typeof rowAsWhole>): boolean {
    const { rowFactor, rowReach } = this.memory.views;
    const { dIn } = p.shape;
    const seen = bench.input.subarray(first * dIn, (first + rows) * dIn);
    this.memory.begin();
    if (!p.whole) this.#left.set(seen);
    for (let i = 0; i < rows; i++) {
      const row = asWhole(seen.byteOffset + 4 * i * dIn, p.whole, 0);
      if (p.whole) this.#left.set(bench.own.unsigned.subarray(0, dIn), i * dIn);
      rowFactor[i] = p.whole ? row.scale : 1;
      rowReach[i] = this.#reach(row, p);
      if (!Number.isFinite(rowReach[i])) return false;
    }
    const { features } = p.shape;
    for (let from = 0; from < features; from += TILE)
      if (!this.#tile(bench, p, rows, from, Math.min(TILE, features - from))) return false;
    return true;
  }

  #tile(
    bench: Bench,
    { whole, absolute, shape: { dIn } }: LargestParameters,
    rows: number,
    from: number,
    width: number,
  ) {
    const right = whole ? bench.wholes : bench.encoder;
    this.#right.set(right.subarray(from * dIn, (from + width) * dIn));
    const a: Shaped = [this.#left.subarray(0, rows * dIn), [rows, dIn]];
    const b: Shaped = [this.#right.subarray(0, width * dIn), whole ? [dIn, width] : [width, dIn]];
    this.#session.run({ a, b }, { c: [this.#out.subarray(0, rows * width), [rows, width]] });
    return this.memory.take(rows, from, width, whole > 0, absolute);
  }
}

/** Products of float32 of all in the lists; false where there is no room. */
function compute({ bench, p, first, rows }: Rows, memory: LikelyMemory): boolean {
  const { likelyAt, likely, exact } = bench.own;
  let total = 0;
  for (let i = 0; i < rows; i++) {
    likelyAt[i] = total;
    const which = memory.list(i);
    // Kernels write four at a time.
    if (total + which.length + 4 > LIKELY) return false;
    likely.set(which, total);
    total += which.length;
  }
  likelyAt[rows] = total;
  const { dIn } = p.shape;
  const from = bench.input.byteOffset + 4 * first * dIn;
  // prettier-ignore
  bench.kernels.dots(rows, likelyAt.byteOffset, likely.byteOffset, bench.encoder.byteOffset, dIn, from, exact.byteOffset);
  return true;
}

/** Keeps the largest of them; false where one is not within its bounds. */
function keep({ bench, p, first, rows }: Rows, memory: LikelyMemory): boolean {
  const { likelyAt, likely, exact } = bench.own;
  const { rowReach, reach, slack } = memory.views;
  const room = Math.floor(p.shape.room / largestPieces(p.rows));
  let at = (first / ESTIMATED_ROWS) * room;
  const positive = new Int32Array(p.shape.features);
  const values = new Float32Array(p.shape.features);
  for (let i = 0; i < rows; i++) {
    const uppers = memory.uppers(i);
    let count = 0;
    for (let e = likelyAt[i]; e < likelyAt[i + 1]; e++) {
      const f = likely[e];
      const z = Math.fround(exact[e] + p.bias[f]);
      const value = p.scale ? Math.fround(z * p.scale[f]) : z;
      const size = p.absolute ? Math.abs(value) : value;
      const within = Math.fround(rowReach[i] * reach[f]) + slack[f];
      if (!(Math.abs(size - (uppers[e - likelyAt[i]] - within)) <= LIKELY_ERROR * within)) return false;
      if (!(size > 0)) continue;
      positive[count] = f;
      values[count++] = value;
    }
    const bound = count > p.k ? memory.kth(values.subarray(0, count)) : 0;
    const kept = keepLargest(positive, values, count, p.k, bound);
    putEntries({ which: positive, values }, kept, bench.features, bench.values, at, p.scale);
    at += kept;
    bench.counts[first + i] = kept;
  }
  return true;
}
