/**
 * Messages to the client, kept until it has acknowledged them. Bounded: beyond the limit the oldest text and displays
 * give way to a notice, while the start, end, errors and replies of every cell stay.
 */
import { encodeFrame, frameBytes } from '../../protocol/frames.js';
import type { KernelMessage } from '../../protocol/kernel.js';

export interface OutboxLimits {
  /** Bytes kept for a client that is away or slow. */
  keptBytes: number;
  /** Bytes sent and not yet acknowledged: the client's credit. */
  creditBytes: number;
}

export const OUTBOX_LIMITS: OutboxLimits = { keptBytes: 128 * 2 ** 20, creditBytes: 16 * 2 ** 20 };

interface Entry {
  seq: number;
  pieces: Uint8Array[];
  bytes: number;
  /** Set on what may be dropped: the cell that loses it. */
  droppable?: { execution: string; cellId: string };
}

export class Outbox {
  private entries: Entry[] = [];
  private next = 1;
  /** Index into entries of the first that this client has not been sent. */
  private unsent = 0;
  private kept = 0;
  private inFlight = 0;
  /** First entry that might still be dropped. */
  private dropFrom = 0;

  constructor(private readonly limits: OutboxLimits = OUTBOX_LIMITS) {}

  /** Bytes kept at the moment. */
  get keptBytes(): number {
    return this.kept;
  }

  /** Sequence number of the newest message. */
  get lastSeq(): number {
    return this.next - 1;
  }

  /** Numbers a message and keeps it. */
  add(message: KernelMessage, buffers: readonly Uint8Array[] = []): void {
    const seq = this.next++;
    const pieces = encodeFrame(seq, message, buffers);
    const entry: Entry = { seq, pieces, bytes: frameBytes(pieces) };
    if (message.type === 'cell' && ['stream', 'display', 'progress'].includes(message.event.kind)) {
      entry.droppable = { execution: message.execution, cellId: message.cellId };
    }
    this.entries.push(entry);
    this.kept += entry.bytes;
    this.makeRoom();
  }

  private makeRoom(): void {
    this.dropFrom = Math.max(this.dropFrom, this.unsent);
    for (; this.kept > this.limits.keptBytes && this.dropFrom < this.entries.length - 1; this.dropFrom++) {
      const entry = this.entries[this.dropFrom];
      if (!entry.droppable) continue;
      const text = '\n[output was dropped here: no client was reading it]\n';
      const event = { kind: 'stream', name: 'stderr', text } as const;
      // One notice stands for a run of dropped messages of a cell; the numbers stay without gaps.
      const before = this.entries[this.dropFrom - 1];
      const repeated = before?.droppable === undefined && before?.seq === this.lastNotice;
      const message: KernelMessage = repeated
        ? { type: 'cell', ...entry.droppable, event: { ...event, text: '' } }
        : { type: 'cell', ...entry.droppable, event };
      const pieces = encodeFrame(entry.seq, message);
      this.lastNotice = entry.seq;
      const bytes = frameBytes(pieces);
      this.kept += bytes - entry.bytes;
      this.entries[this.dropFrom] = { seq: entry.seq, pieces, bytes };
    }
  }
  private lastNotice = -1;

  /** The client has everything up to `seq`. */
  acknowledge(seq: number): void {
    let count = 0;
    while (count < this.entries.length && this.entries[count].seq <= seq) {
      this.kept -= this.entries[count].bytes;
      if (count < this.unsent) this.inFlight -= this.entries[count].bytes;
      count++;
    }
    this.entries.splice(0, count);
    this.unsent = Math.max(0, this.unsent - count);
    this.dropFrom = Math.max(0, this.dropFrom - count);
  }

  /** A new client that has everything up to `lastSeq`: the rest will be sent again. */
  restart(lastSeq: number): void {
    this.acknowledge(lastSeq);
    this.unsent = 0;
    this.inFlight = 0;
  }

  /**
   * The next frame to write, while the client has credit; undefined to wait. The last frame may go over the credit, so
   * that a client which acknowledges every so many bytes, fewer than its credit, is never waited for in vain.
   */
  take(): Uint8Array[] | undefined {
    const entry = this.entries[this.unsent];
    if (!entry || this.inFlight >= this.limits.creditBytes) return undefined;
    this.unsent++;
    this.inFlight += entry.bytes;
    return entry.pieces;
  }
}
