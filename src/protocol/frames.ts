/**
 * Frames between kernel and client: little-endian
 * `[u32 header bytes][u32 buffer count][u32 bytes of each buffer …][JSON header, UTF-8][buffers …]`.
 * The header is `{"seq": n, "message": …}`; raw bytes ride in the buffers and are named by their index. Pure: no
 * socket, no clock.
 */

/** One message with its raw buffers. */
export interface Frame<M> {
  /** Rising per sender for messages that are kept until acknowledged, with gaps for dropped ones; 0 for those not kept. */
  seq: number;
  message: M;
  buffers: Uint8Array[];
}

export interface FrameLimits {
  headerBytes: number;
  buffers: number;
  /** Header and buffers together. */
  totalBytes: number;
}

/** Of what a kernel sends. */
export const FRAME_LIMITS: FrameLimits = { headerBytes: 64 * 2 ** 20, buffers: 1024, totalBytes: 128 * 2 ** 20 };

/** Of what a client sends: cells and requests, no raw bytes. */
export const CLIENT_LIMITS: FrameLimits = { headerBytes: 64 * 2 ** 20, buffers: 0, totalBytes: 64 * 2 ** 20 };

/** Limit of a frame from a client that has not sent the token yet. */
export const STRANGER_LIMITS: FrameLimits = { headerBytes: 4096, buffers: 0, totalBytes: 4096 };

/** The peer sent something that is not a frame, or a frame beyond the limits. The connection cannot go on. */
export class FrameError extends Error {
  override name = 'FrameError';
}

// Browsers and Node have them; this folder is compiled with the types of neither.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

function check(headerBytes: number, lengths: ArrayLike<number>, limits: FrameLimits): void {
  if (headerBytes > limits.headerBytes) {
    throw new FrameError(`frame header of ${headerBytes} bytes is over the limit of ${limits.headerBytes}`);
  }
  let total = headerBytes;
  for (let i = 0; i < lengths.length; i++) total += lengths[i];
  if (total > limits.totalBytes)
    throw new FrameError(`frame of ${total} bytes is over the limit of ${limits.totalBytes}`);
}

function checkCount(count: number, limits: FrameLimits): void {
  if (count > limits.buffers)
    throw new FrameError(`frame with ${count} buffers is over the limit of ${limits.buffers}`);
}

const LARGE_HEADER = 16 * 1024;

/**
 * A frame as the pieces to write, in order: prefix and header, in one piece unless the header is large, then the
 * caller's buffers, not copied.
 * @throws FrameError when the frame is over the limits.
 */
export function encodeFrame(
  seq: number,
  message: unknown,
  buffers: readonly Uint8Array[] = [],
  limits: FrameLimits = FRAME_LIMITS,
): Uint8Array[] {
  const header = encoder.encode(JSON.stringify({ seq, message }));
  checkCount(buffers.length, limits);
  check(
    header.length,
    buffers.map((b) => b.byteLength),
    limits,
  );
  // A large header is a piece of its own: copying it would double what a frame takes.
  const apart = header.length > LARGE_HEADER;
  const lead = new Uint8Array(8 + 4 * buffers.length + (apart ? 0 : header.length));
  const view = new DataView(lead.buffer);
  view.setUint32(0, header.length, true);
  view.setUint32(4, buffers.length, true);
  buffers.forEach((buffer, i) => view.setUint32(8 + 4 * i, buffer.byteLength, true));
  if (!apart) lead.set(header, 8 + 4 * buffers.length);
  return [lead, ...(apart ? [header] : []), ...buffers.filter((buffer) => buffer.byteLength > 0)];
}

/** Bytes of an encoded frame. */
export function frameBytes(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/**
 * Takes bytes in pieces of any size and gives whole frames. Sizes are checked against the limits before memory is
 * taken. After a FrameError the decoder stays broken: close the connection.
 */
export class FrameDecoder<M = unknown> {
  /** The part being filled: prefix, lengths, header, then each buffer. */
  private part = new Uint8Array(8);
  private filled = 0;
  private stage: 'prefix' | 'lengths' | 'header' | 'buffer' = 'prefix';
  private headerBytes = 0;
  private lengths: number[] = [];
  private header: { seq: number; message: M } | undefined;
  private buffers: Uint8Array[] = [];
  private broken: FrameError | undefined;

  constructor(private limits: FrameLimits = FRAME_LIMITS) {}

  /** New limits for the frames to come, such as after the peer has shown its token. */
  setLimits(limits: FrameLimits): void {
    this.limits = limits;
  }

  /** Frames completed by `chunk`, in order; the chunk's memory is not kept. */
  *push(chunk: Uint8Array): Generator<Frame<M>, void> {
    if (this.broken) throw this.broken;
    let at = 0;
    try {
      for (;;) {
        const count = Math.min(chunk.length - at, this.part.length - this.filled);
        this.part.set(chunk.subarray(at, at + count), this.filled);
        at += count;
        this.filled += count;
        if (this.filled < this.part.length) return;
        const frame = this.partDone();
        if (frame) yield frame;
      }
    } catch (error) {
      this.broken = error instanceof FrameError ? error : new FrameError(`frame is not readable: ${String(error)}`);
      throw this.broken;
    }
  }

  private begin(stage: typeof this.stage, bytes: number): void {
    this.stage = stage;
    this.part = new Uint8Array(bytes);
    this.filled = 0;
  }

  private partDone(): Frame<M> | undefined {
    const view = new DataView(this.part.buffer);
    switch (this.stage) {
      case 'prefix': {
        this.headerBytes = view.getUint32(0, true);
        const count = view.getUint32(4, true);
        checkCount(count, this.limits);
        check(this.headerBytes, [], this.limits);
        this.begin('lengths', 4 * count);
        return undefined;
      }
      case 'lengths': {
        this.lengths = Array.from({ length: this.part.length / 4 }, (_, i) => view.getUint32(4 * i, true));
        check(this.headerBytes, this.lengths, this.limits);
        this.begin('header', this.headerBytes);
        return undefined;
      }
      case 'header':
        this.header = parseHeader<M>(this.part);
        this.buffers = [];
        return this.nextBuffer();
      case 'buffer':
        this.buffers.push(this.part);
        return this.nextBuffer();
    }
  }

  private nextBuffer(): Frame<M> | undefined {
    const { header, buffers } = this;
    if (buffers.length < this.lengths.length) {
      this.begin('buffer', this.lengths[buffers.length]);
      return undefined;
    }
    this.begin('prefix', 8);
    this.header = undefined;
    this.buffers = [];
    return header && { ...header, buffers };
  }
}

function parseHeader<M>(bytes: Uint8Array): { seq: number; message: M } {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new FrameError('frame header is not JSON in UTF-8');
  }
  const header = value as { seq?: unknown; message?: unknown } | null;
  if (
    typeof header !== 'object' ||
    header === null ||
    !Number.isSafeInteger(header.seq) ||
    (header.seq as number) < 0
  ) {
    throw new FrameError('frame header has no sequence number');
  }
  if (typeof header.message !== 'object' || header.message === null)
    throw new FrameError('frame header has no message');
  return { seq: header.seq as number, message: header.message as M };
}
