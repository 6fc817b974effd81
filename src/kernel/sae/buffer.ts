/**
 * The activation shuffle buffer: fill, shuffle, serve half, keep half, fill again (SAELens's mixing buffer), so that
 * one batch mixes tokens of many texts. Memory is bounded by the capacity plus one piece of the source.
 *
 * Rows lie in slots of one array; `order` lists the slots in use. Shuffling permutes `order`, never the rows. The
 * shuffle of refill r is seeded by (seed, r) alone, so rows, position and r are the whole state.
 */
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import type { ActivationSource } from './source.js';

export interface BufferOptions {
  batchSize: number;
  /** Rows to gather before a shuffle; at least the batch size. */
  capacity: number;
  seed: number;
  /** Multiplied into every row as it is served. */
  scale?: number;
  /** Columns from the first on that are scaled; default all. */
  scaledColumns?: number;
  /** Stop after this many passes over the source; default none. */
  epochs?: number;
}

/** What a checkpoint keeps of a buffer. */
export interface BufferState {
  /** Rows in the buffer, in order, rows × width. */
  rows: Float32Array;
  /** How many of them, from the front, are shuffled and still to serve. */
  toServe: number;
  refills: number;
  epoch: number;
  /** Rows of this epoch taken from the source. */
  epochRows: number;
}

/** Of a buffer from which nothing more is served. */
export const EMPTY_BUFFER: BufferState = {
  rows: new Float32Array(0),
  toServe: 0,
  refills: 0,
  epoch: 0,
  epochRows: 0,
};

/** Rows of `slots` in the order given, the first columns of each times `scale`. */
function copyRows(
  slots: Float32Array,
  order: Uint32Array,
  out: Float32Array,
  { width, scale, scaledColumns }: { width: number; scale: number; scaledColumns: number },
): void {
  for (let i = 0, to = 0; i < order.length; i++) {
    let from = order[i] * width;
    const [scaledTo, end] = [to + scaledColumns, to + width];
    while (to < scaledTo) out[to++] = slots[from++] * scale;
    while (to < end) out[to++] = slots[from++];
  }
}

/** Serves shuffled batches of a source; see the head of this file. */
export class ActivationBuffer {
  private slots = new Float32Array(0);
  private order = new Uint32Array(0);
  private free: number[] = [];
  /** order[served … serveEnd) is shuffled and to be served, order[serveEnd … count) is kept. */
  private served = 0;
  private serveEnd = 0;
  private count = 0;
  private refills = 0;
  private epoch = 0;
  private epochRows = 0;
  private pieces: AsyncIterator<Matrix> | undefined;

  constructor(
    private readonly source: ActivationSource,
    private readonly options: BufferOptions,
    private readonly call: CallOptions = {},
  ) {
    if (options.capacity < options.batchSize) {
      throw new RangeError(
        `buffer of ${options.capacity} rows cannot serve batches of ${options.batchSize}; raise { bufferTokens }`,
      );
    }
  }

  /** Copies the next batch into `out` [batchSize × width]; false when the source is exhausted (only with `epochs`). */
  async next(out: Float32Array): Promise<boolean> {
    const { batchSize, scale = 1, scaledColumns = this.source.width } = this.options;
    if (this.serveEnd - this.served < batchSize && !(await this.refill())) return false;
    const { width } = this.source;
    const served = this.order.subarray(this.served, (this.served += batchSize));
    copyRows(this.slots, served, out, { width, scale, scaledColumns });
    for (const slot of served) this.free.push(slot);
    return true;
  }

  /** Takes the last batch back, to be served again: for a step that was cut off. Only right after next(). */
  unserve(): void {
    this.served -= this.options.batchSize;
    this.free.length -= this.options.batchSize;
  }

  state(): BufferState {
    const { width } = this.source;
    const rows = new Float32Array((this.count - this.served) * width);
    let to = 0;
    for (let i = this.served; i < this.count; i++) {
      const from = this.order[i] * width;
      // A view for each of tens of thousands of rows costs more than copying by hand.
      for (let j = 0; j < width; j++) rows[to++] = this.slots[from + j];
    }
    return {
      rows,
      toServe: this.serveEnd - this.served,
      refills: this.refills,
      epoch: this.epoch,
      epochRows: this.epochRows,
    };
  }

  restore(state: BufferState): void {
    this.count = state.rows.length / this.source.width;
    this.slots = state.rows.slice();
    this.order = Uint32Array.from({ length: this.count }, (_, i) => i);
    this.free = [];
    this.served = 0;
    this.serveEnd = state.toServe;
    this.refills = state.refills;
    this.epoch = state.epoch;
    this.epochRows = state.epochRows;
    this.pieces = undefined;
  }

  /** Stops reading the source. */
  async close(): Promise<void> {
    await this.pieces?.return?.();
    this.pieces = undefined;
  }

  private async refill(): Promise<boolean> {
    const { batchSize, capacity, seed } = this.options;
    // What is left of the served half is less than a batch: it stays with the kept half.
    this.order.copyWithin(0, this.served, this.count);
    this.count -= this.served;
    // A source that throws in the middle leaves a state to go on from: nothing to serve, the same refill still to do.
    this.served = this.serveEnd = 0;
    let ended = false;
    while (this.count < capacity && !ended) {
      const piece = await this.nextPiece();
      if (piece) this.add(piece);
      else ended = true;
    }
    new Random(seed).fork(`shuffle ${this.refills++}`).shuffle(this.order.subarray(0, this.count));
    const half = Math.max(1, Math.floor(this.count / (2 * batchSize)));
    this.serveEnd = (ended ? Math.floor(this.count / batchSize) : half) * batchSize;
    return this.serveEnd >= batchSize;
  }

  private async nextPiece(): Promise<Matrix | undefined> {
    const { epochs = Infinity } = this.options;
    while (this.epoch < epochs) {
      this.pieces ??= this.source.batches(this.epochRows, this.call)[Symbol.asyncIterator]();
      const next = await this.pieces.next();
      if (!next.done) {
        this.epochRows += next.value.rows;
        return next.value;
      }
      if (this.epochRows === 0) throw new RangeError('the activation source gave no rows; training needs at least one');
      this.pieces = undefined;
      this.epoch++;
      this.epochRows = 0;
    }
    return undefined;
  }

  private add(piece: Matrix): void {
    const { width } = this.source;
    if (piece.cols !== width)
      throw new RangeError(`the activation source promised width ${width} but gave ${piece.cols}`);
    this.reserve(piece.rows);
    for (let i = 0; i < piece.rows; i++) {
      const slot = this.free.pop()!;
      this.slots.set(piece.data.subarray(i * width, (i + 1) * width), slot * width);
      this.order[this.count++] = slot;
    }
  }

  /** Makes room for `rows` more. */
  private reserve(rows: number): void {
    const have = this.slots.length / this.source.width;
    const missing = rows - this.free.length;
    if (missing <= 0) return;
    // It is filled to its capacity before anything is served: growing by degrees would copy all of it several times.
    const need = Math.max(have + missing, this.options.capacity + rows);
    const slots = new Float32Array(need * this.source.width);
    slots.set(this.slots);
    const order = new Uint32Array(need);
    order.set(this.order.subarray(0, this.count));
    for (let slot = have; slot < need; slot++) this.free.push(slot);
    this.slots = slots;
    this.order = order;
  }
}
