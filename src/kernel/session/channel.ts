/** One client's connection: first its token, then messages both ways with credit. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { CLIENT_LIMITS, encodeFrame, FrameDecoder, STRANGER_LIMITS } from '../../protocol/frames.js';
import { PROTOCOL_VERSION, type ClientMessage, type KernelMessage } from '../../protocol/kernel.js';
import type { Outbox } from './outbox.js';

const HELLO_MS = 5000;
/** Milliseconds that a client has to read the last bytes sent to it. */
const CLOSE_MS = 2000;

export type Hello = Extract<ClientMessage, { type: 'hello' }>;

export interface ChannelOptions {
  token: string;
  outbox: Outbox;
  /** The token was right: this channel is the client from now on. */
  onHello: (channel: Channel, hello: Hello) => void;
  onMessage: (message: Exclude<ClientMessage, Hello>) => void;
  onClose: (channel: Channel, reason: string) => void;
}

function sameToken(given: unknown, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  // Digests have one length, so the comparison takes the same time for any token.
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(expected));
}

export class Channel {
  private readonly decoder = new FrameDecoder<ClientMessage>(STRANGER_LIMITS);
  private accepted = false;
  private closed = false;
  private blocked = false;
  private readonly deadline: NodeJS.Timeout;

  constructor(
    private readonly socket: Socket,
    private readonly options: ChannelOptions,
  ) {
    this.deadline = setTimeout(() => this.close('no hello came'), HELLO_MS);
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('drain', () => {
      this.blocked = false;
      this.flush();
    });
    socket.on('error', (error) => this.close(error.message));
    socket.on('close', () => this.close('the client closed the connection'));
  }

  private read(chunk: Uint8Array): void {
    try {
      for (const { message } of this.decoder.push(chunk)) {
        if (this.closed) return;
        if (this.accepted && message.type !== 'hello') this.options.onMessage(message);
        else this.hello(message);
      }
    } catch (error) {
      this.close(`it sent what is not a message: ${(error as Error).message}`);
    }
  }

  private hello(message: ClientMessage): void {
    if (message.type !== 'hello' || this.accepted) return this.close('hello must be the first message, once');
    if (!sameToken(message.token, this.options.token)) return this.close('its token is wrong');
    if (message.protocol !== PROTOCOL_VERSION) {
      return this.close(`it speaks protocol ${message.protocol}, this kernel ${PROTOCOL_VERSION}`);
    }
    clearTimeout(this.deadline);
    this.accepted = true;
    this.decoder.setLimits(CLIENT_LIMITS);
    this.options.onHello(this, message);
  }

  /** Sends a message that the outbox does not keep: welcome, heartbeat. */
  send(message: KernelMessage): void {
    this.write(encodeFrame(0, message));
  }

  /** Sends messages of the outbox, as far as the client's credit and the socket's buffer allow. */
  flush(): void {
    while (!this.blocked && !this.closed) {
      const pieces = this.options.outbox.take();
      if (!pieces) return;
      this.write(pieces);
    }
  }

  private write(pieces: readonly Uint8Array[]): void {
    if (this.closed) return;
    this.socket.cork();
    for (const piece of pieces) if (!this.socket.write(piece)) this.blocked = true;
    this.socket.uncork();
  }

  close(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.deadline);
    this.socket.destroySoon();
    // A client that does not read would hold back the bytes on their way to it, and the socket with them.
    setTimeout(() => this.socket.destroy(), CLOSE_MS).unref();
    this.options.onClose(this, reason);
  }
}
