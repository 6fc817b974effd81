/** One reading of a source for all that read it at the same time: a piece is made once, for all its readers. */
import { AbortError, checkAborted, type CallOptions } from '../compute/call.js';

/** Pieces in order, from the one that starts at row `firstRow`; the same pieces each time. */
export type Read<P> = (firstRow?: number, call?: CallOptions) => AsyncIterable<P>;

export interface SharedOptions<P> {
  /** Rows and bytes of a piece. */
  sizeOf(piece: P): { rows: number; bytes: number };
  /** Keep all pieces of a whole reading, so that later ones read nothing; otherwise a window of them. */
  keepAll: boolean;
  /**
   * Bytes of pieces that are held for slower readers, default 256 MiB; a reader that is further ahead waits for them.
   */
  windowBytes?: number;
}

const WINDOW_BYTES = 2 ** 28;

/**
 * The same pieces from one reading at a time. Readers that stand within the window of each other share it. One that is
 * ahead by more than the window, or done with an epoch before the others, waits for them, so that they stay together;
 * one that begins at a row that is no longer held reads for itself until the next epoch. Cancelling one reader, by its
 * own signal, does not stop the others.
 */
export function sharedReading<P>(read: Read<P>, options: SharedOptions<P>): Read<P> {
  const passes = new Set<Pass<P>>();
  const changes = new Changes();

  /** A reader of the pass that holds the row, or of a new one. It joins at once, so that its pass is not closed. */
  async function enter(row: number, call: CallOptions): Promise<{ pass: Pass<P>; reader: Reader }> {
    for (;;) {
      checkAborted(call.signal, 'reading activations');
      for (const pass of passes) if (pass.holds(row)) return { pass, reader: pass.join(row) };
      const others = [...passes].filter((pass) => pass.read);
      if (options.keepAll || row > 0 || others.length === 0) break;
      await changes.next(call.signal);
    }
    const idle = [...passes].filter((pass) => !pass.read && !pass.whole);
    const pass = new Pass(row, read(row, call), options, changes);
    passes.add(pass);
    const reader = pass.join(row);
    for (const each of idle) await each.close(passes);
    return { pass, reader };
  }

  return async function* (firstRow = 0, call = {}) {
    let row = firstRow;
    for (;;) {
      const { pass, reader } = await enter(row, call);
      try {
        for (;;) {
          const piece = await pass.take(reader, call.signal);
          if (piece === undefined) return;
          row += options.sizeOf(piece).rows;
          yield piece;
        }
      } catch (error) {
        // Another reader's signal ended the pass that this one shared: it goes on with a new pass.
        if (!(error instanceof Error && error.name === 'AbortError') || call.signal?.aborted) throw error;
      } finally {
        pass.leave(reader);
        if (pass.over) await pass.close(passes);
        changes.tell();
      }
    }
  };
}

/** The place of one reader: the piece that it takes next, counted from the first of the pass. */
interface Reader {
  at: number;
}

/** One iteration over the source, and the pieces of it that are held. */
class Pass<P> {
  private readonly held: P[] = [];
  /** Number of pieces that are no longer held. */
  private dropped = 0;
  private ended = false;
  private failed = false;
  private bytes = 0;
  private readonly readers = new Set<Reader>();
  private readonly pieces: AsyncIterator<P>;
  private pulling: Promise<void> | undefined;
  private readonly fromStart: boolean;

  constructor(
    private firstRow: number,
    pieces: AsyncIterable<P>,
    private readonly options: SharedOptions<P>,
    private readonly changes: Changes,
  ) {
    this.pieces = pieces[Symbol.asyncIterator]();
    this.fromStart = firstRow === 0;
  }

  /** Whether anyone reads it. */
  get read(): boolean {
    return this.readers.size > 0;
  }

  /** Whether it holds all pieces of the source and keeps them. */
  get whole(): boolean {
    return this.ended && this.options.keepAll && this.fromStart;
  }

  /** Whether nobody can use it any more. */
  get over(): boolean {
    return this.failed || (this.ended && !this.read && !this.whole);
  }

  /** Whether a piece that it holds, or the next that it makes, starts at this row. */
  holds(row: number): boolean {
    return !this.failed && this.indexOf(row) !== undefined;
  }

  join(row: number): Reader {
    const reader = { at: this.indexOf(row)! };
    this.readers.add(reader);
    return reader;
  }

  leave(reader: Reader): void {
    this.readers.delete(reader);
    this.drop();
  }

  /** The reader's next piece; undefined after the last. */
  async take(reader: Reader, signal: AbortSignal | undefined): Promise<P | undefined> {
    while (reader.at >= this.dropped + this.held.length) {
      if (this.ended) return undefined;
      // A pass that has failed fails for all readers that still wait for it.
      if (this.failed) throw new AbortError('reading activations');
      if (this.full() && this.waitsFor(reader)) await this.changes.next(signal);
      else await (this.pulling ??= this.pull());
    }
    const piece = this.held[reader.at++ - this.dropped];
    this.drop();
    this.changes.tell();
    return piece;
  }

  async close(passes: Set<Pass<P>>): Promise<void> {
    passes.delete(this);
    if (!this.ended && !this.failed) await this.pieces.return?.();
  }

  private indexOf(row: number): number | undefined {
    let start = this.firstRow;
    for (let i = 0; i < this.held.length; i++) {
      if (start === row) return this.dropped + i;
      start += this.options.sizeOf(this.held[i]).rows;
    }
    return start === row && !this.ended ? this.dropped + this.held.length : undefined;
  }

  private full(): boolean {
    return !this.keepsAll && this.held.length > 0 && this.bytes >= (this.options.windowBytes ?? WINDOW_BYTES);
  }

  private get keepsAll(): boolean {
    return this.options.keepAll && this.fromStart;
  }

  /** Whether another reader still has to take the first held piece. */
  private waitsFor(reader: Reader): boolean {
    return [...this.readers].some((other) => other !== reader && other.at <= this.dropped);
  }

  private async pull(): Promise<void> {
    try {
      const next = await this.pieces.next();
      if (next.done) this.ended = true;
      else {
        this.held.push(next.value);
        this.bytes += this.options.sizeOf(next.value).bytes;
        this.drop();
      }
    } catch (error) {
      this.failed = true;
      throw error;
    } finally {
      this.pulling = undefined;
      this.changes.tell();
    }
  }

  /** Lets go of the oldest pieces beyond the window that all have taken. */
  private drop(): void {
    while (this.full() && this.held.length > 1 && ![...this.readers].some(({ at }) => at <= this.dropped)) {
      const { rows, bytes } = this.options.sizeOf(this.held.shift()!);
      this.bytes -= bytes;
      this.firstRow += rows;
      this.dropped++;
    }
  }
}

/** Wakes waiting readers when a pass has changed. */
class Changes {
  private waiting: Array<() => void> = [];

  tell(): void {
    const told = this.waiting;
    this.waiting = [];
    for (const go of told) go();
  }

  next(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => reject(new AbortError('reading activations'));
      signal?.addEventListener('abort', aborted, { once: true });
      this.waiting.push(() => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      });
    });
  }
}
