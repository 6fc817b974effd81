/**
 * Messages to the client, kept until it has acknowledged them. Bounded: beyond the limit a notice replaces the oldest
 * text and displays, and a refusal replaces large replies; the start, end and errors of every cell stay.
 */
import { encodeFrame, frameBytes } from '../../protocol/frames.js';
import type { KernelMessage } from '../../protocol/kernel.js';
import { clip, sizeText } from './bounds.js';

export interface OutboxLimits {
  /** Bytes kept for a client that is away or slow, including what each message takes besides its frame. */
  keptBytes: number;
  /** Bytes of frames sent and not yet acknowledged: the client's credit. */
  creditBytes: number;
}

export const OUTBOX_LIMITS: OutboxLimits = { keptBytes: 128 * 2 ** 20, creditBytes: 16 * 2 ** 20 };

/** Bytes that a kept message takes besides its frame: its entry, two arrays and their buffers. */
export const ENTRY_BYTES = 1024;
/** When there is no room, this share of the limit is freed at once, since each pass looks at every entry. */
const FREED_SHARE = 0.1;
/** Smaller replies are kept: a refusal would be about as large. */
const SMALL_REPLY = 4096;

type CellMessage = Extract<KernelMessage, { type: 'cell' }>;
type Owner = Pick<CellMessage, 'execution' | 'cellId'>;

interface Entry {
  seq: number;
  pieces: Uint8Array[];
  /** Bytes of the frame. */
  bytes: number;
  /** Set on messages that may be dropped: the cell that would lose them. */
  droppable?: Owner;
  /** Whether the message may be dropped without loss. */
  isProgress?: boolean;
  /** Set on a notice: the messages that it stands for. */
  dropped?: { owner: Owner; messages: number; bytes: number };
  /** Set on a reply: the request's id. */
  reply?: number;
}

const DROPPABLE: readonly string[] = ['stream', 'display', 'progress'];

/** The message that replaces one that could not be sent: an error text in the place where it was awaited. */
function refusal(message: KernelMessage, reason: string): KernelMessage {
  const text = `this could not be sent: ${clip(reason, 1000)}`;
  if (message.type === 'reply') return { type: 'reply', id: message.id, ok: false, error: text };
  if (message.type !== 'cell') throw new Error(`a message of type ${message.type} could not be sent: ${reason}`);
  const { execution, cellId } = message;
  return { type: 'cell', execution, cellId, event: { kind: 'stream', name: 'stderr', text: `\n[${text}]\n` } };
}

/** The messages of one session, for one client at a time. */
export class Outbox {
  private entries: Entry[] = [];
  private next = 1;
  /** Index into entries of the first one that is not acknowledged; those before it are gone. */
  private first = 0;
  /** Index into entries of the first one not yet sent to this client. */
  private unsent = 0;
  private kept = 0;
  private inFlight = 0;

  constructor(private readonly limits: OutboxLimits = OUTBOX_LIMITS) {}

  /** Bytes kept now, as the limit counts them. */
  get keptBytes(): number {
    return this.kept;
  }

  /** Messages kept now. */
  get keptMessages(): number {
    return this.entries.length - this.first;
  }

  /** Sequence number of the newest message. */
  get lastSeq(): number {
    return this.next - 1;
  }

  /** Numbers a message and keeps it. A text that says so replaces one that is too large for a frame. */
  add(message: KernelMessage, buffers: readonly Uint8Array[] = []): void {
    const seq = this.next++;
    const entry = this.encode(seq, message, buffers);
    if (message.type === 'cell' && DROPPABLE.includes(message.event.kind)) {
      entry.droppable = { execution: message.execution, cellId: message.cellId };
      entry.isProgress = message.event.kind === 'progress';
    }
    if (message.type === 'reply') entry.reply = message.id;
    this.entries.push(entry);
    this.kept += entry.bytes + ENTRY_BYTES;
    if (this.kept > this.limits.keptBytes) this.makeRoom();
  }

  private encode(seq: number, message: KernelMessage, buffers: readonly Uint8Array[] = []): Entry {
    let pieces: Uint8Array[];
    try {
      pieces = encodeFrame(seq, message, buffers);
    } catch (error) {
      pieces = encodeFrame(seq, refusal(message, (error as Error).message));
    }
    return { seq, pieces, bytes: frameBytes(pieces) };
  }

  /** Frees room in one pass over messages that were not sent. The newest message stays. */
  private makeRoom(): void {
    const target = this.limits.keptBytes * (1 - FREED_SHARE);
    const stay = this.entries.slice(this.first, this.unsent);
    const notices = new Map<string, Entry>();
    this.unsent -= this.first;
    const waiting = this.entries.slice(this.first + this.unsent);
    this.first = 0;
    for (const [i, entry] of waiting.entries()) {
      if (entry.dropped) notices.set(entry.dropped.owner.execution, entry);
      const spare = this.kept > target && i < waiting.length - 1;
      if (spare && entry.droppable) this.drop(entry, entry.droppable, notices, stay);
      else if (spare && entry.reply !== undefined && entry.bytes > SMALL_REPLY) stay.push(this.withdraw(entry));
      else stay.push(entry);
    }
    this.entries = stay;
  }

  /** Drops a message. One notice stands for all that a cell loses; the numbers go on rising, with gaps. */
  private drop(entry: Entry, owner: Owner, notices: Map<string, Entry>, stay: Entry[]): void {
    this.kept -= entry.bytes + ENTRY_BYTES;
    if (entry.isProgress) return;
    const notice = notices.get(owner.execution);
    if (notice?.dropped) {
      notice.dropped.messages++;
      notice.dropped.bytes += entry.bytes;
      return;
    }
    const made: Entry = { seq: entry.seq, pieces: [], bytes: 0, dropped: { owner, messages: 1, bytes: entry.bytes } };
    this.write(made);
    this.kept += made.bytes + ENTRY_BYTES;
    notices.set(owner.execution, made);
    stay.push(made);
  }

  /** Writes the text of a notice from the messages that it stands for. */
  private write(entry: Entry): void {
    if (!entry.dropped) return;
    const { owner, messages, bytes } = entry.dropped;
    const text =
      `\n[output was dropped here: ${messages} ${messages === 1 ? 'message' : 'messages'} of ${sizeText(bytes)}. ` +
      `Nothing read them in time, and ${sizeText(this.limits.keptBytes)} are kept; run the cell again to see them]\n`;
    const message: KernelMessage = { type: 'cell', ...owner, event: { kind: 'stream', name: 'stderr', text } };
    entry.pieces = encodeFrame(entry.seq, message);
    entry.bytes = frameBytes(entry.pieces);
  }

  private withdraw(entry: Entry): Entry {
    const error = `the answer of ${sizeText(entry.bytes)} was dropped: nothing read it in time`;
    const made = this.encode(entry.seq, { type: 'reply', id: entry.reply as number, ok: false, error });
    this.kept += made.bytes - entry.bytes;
    return { ...made, reply: entry.reply };
  }

  /** The client has received everything up to `seq`. */
  acknowledge(seq: number): void {
    for (; this.first < this.entries.length && this.entries[this.first].seq <= seq; this.first++) {
      const entry = this.entries[this.first];
      this.kept -= entry.bytes + ENTRY_BYTES;
      if (this.first < this.unsent) this.inFlight -= entry.bytes;
      // Frees its memory now and its place later.
      entry.pieces = [];
    }
    this.unsent = Math.max(this.unsent, this.first);
    if (this.first < 1024 && this.first < this.entries.length) return;
    if (2 * this.first < this.entries.length) return;
    this.entries.splice(0, this.first);
    this.unsent -= this.first;
    this.first = 0;
  }

  /** A new client has connected that has received everything up to `lastSeq`: the rest will be sent again. */
  restart(lastSeq: number): void {
    this.acknowledge(lastSeq);
    this.unsent = this.first;
    this.inFlight = 0;
  }

  /**
   * The next frame to write, while the client has credit; undefined to wait. The last frame may go over the credit, so
   * that a client that acknowledges in steps smaller than its credit is never waited for in vain.
   */
  take(): Uint8Array[] | undefined {
    const entry = this.entries[this.unsent];
    if (!entry || this.inFlight >= this.limits.creditBytes) return undefined;
    if (entry.dropped) this.count(entry);
    this.unsent++;
    this.inFlight += entry.bytes;
    return entry.pieces;
  }

  /** Writes the final text of a notice before it is sent; messages dropped later get a notice of their own. */
  private count(entry: Entry): void {
    this.kept -= entry.bytes;
    this.write(entry);
    this.kept += entry.bytes;
  }
}
