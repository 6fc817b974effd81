/** One connection to a kernel's socket: handshake, frames in order, acknowledgements, requests with replies. */
import net from 'node:net';
import { encodeFrame, FrameDecoder } from '../../protocol/frames.js';
import { PROTOCOL_VERSION, type ClientMessage, type KernelMessage } from '../../protocol/kernel.js';
import type { Json } from '../../protocol/notebook.js';

export type Welcome = Extract<KernelMessage, { type: 'welcome' }>;
type Request = Extract<ClientMessage, { type: 'request' }>;

export interface ConnectionEvents {
  message(message: KernelMessage, buffers: Uint8Array[]): void;
  closed(reason: string): void;
}

/**
 * Messages are acknowledged late: what a window showed is lost when it reloads before its backup was written, and a
 * kernel that still has a cell's messages replays the whole run.
 */
const ACK_AFTER_MS = 15_000;
/** Well below the kernel's credit: beyond it a cell's run is no longer kept whole. */
const ACK_BYTES = 4 * 2 ** 20;
const REQUEST_TIMEOUT_MS = 10_000;

export class Connection {
  /** Sequence number of the last message that was handled: where a reconnection goes on. */
  lastSeq: number;
  private acked: number;
  private ackTimer: NodeJS.Timeout | undefined;
  private unackedBytes = 0;
  private running = false;
  private nextRequest = 1;
  private readonly waiting = new Map<number, { resolve(value: Json): void; reject(error: Error): void }>();
  private open = true;

  private constructor(
    private readonly socket: net.Socket,
    private readonly events: ConnectionEvents,
    lastSeq: number,
  ) {
    this.lastSeq = lastSeq;
    this.acked = lastSeq;
  }

  /**
   * Connects and shakes hands. Messages after `lastSeq` are replayed by the kernel right after its welcome.
   * @throws when there is no answer in `timeoutMs`, or the kernel speaks another protocol.
   */
  static attach(
    o: { socket: string; token: string; lastSeq: number; timeoutMs: number },
    events: ConnectionEvents,
  ): Promise<{ connection: Connection; welcome: Welcome }> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(o.socket);
      const connection = new Connection(socket, events, o.lastSeq);
      const fail = (reason: string): void => {
        clearTimeout(timer);
        connection.open = false;
        socket.destroy();
        reject(new Error(reason));
      };
      const timer = setTimeout(() => fail(`the kernel did not answer in ${o.timeoutMs / 1000} s`), o.timeoutMs);
      socket.once('connect', () =>
        connection.send({ type: 'hello', protocol: PROTOCOL_VERSION, token: o.token, lastSeq: o.lastSeq }),
      );
      socket.once('error', (error) => fail(error.message));
      socket.once('close', () => fail('the kernel closed the connection'));
      connection.listen((welcome) => {
        if (welcome.protocol !== PROTOCOL_VERSION)
          return fail(
            `the kernel speaks protocol ${welcome.protocol}, this extension ${PROTOCOL_VERSION}: restart the kernel`,
          );
        clearTimeout(timer);
        socket.removeAllListeners('error').removeAllListeners('close');
        socket.on('error', () => undefined);
        socket.once('close', () => connection.closed('the connection to the kernel closed'));
        resolve({ connection, welcome });
      });
    });
  }

  private listen(onWelcome: (welcome: Welcome) => void): void {
    const decoder = new FrameDecoder<KernelMessage>();
    let welcomed = false;
    this.socket.on('data', (chunk) => {
      try {
        for (const { seq, message, buffers } of decoder.push(chunk)) {
          if (message.type === 'welcome' && !welcomed) {
            welcomed = true;
            this.running = message.running !== undefined;
            onWelcome(message);
          } else if (message.type === 'reply') this.replied(message);
          // A replay can repeat what was handled just before the connection broke.
          else if (seq === 0 || seq > this.lastSeq) this.events.message(message, buffers);
          if (seq > this.lastSeq) this.lastSeq = seq;
          if (message.type === 'cell' && message.event.kind === 'started') this.running = true;
          if (message.type === 'cell' && message.event.kind === 'finished') this.running = false;
        }
        this.unackedBytes += chunk.length;
        if (this.unackedBytes > ACK_BYTES) this.acknowledge();
        else this.acknowledgeLater();
      } catch (error) {
        this.socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  private acknowledge(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    this.unackedBytes = 0;
    if (this.lastSeq === this.acked) return;
    this.acked = this.lastSeq;
    this.send({ type: 'ack', seq: this.lastSeq });
  }

  private acknowledgeLater(): void {
    if (this.ackTimer || this.lastSeq === this.acked) return;
    this.ackTimer = setTimeout(() => {
      this.ackTimer = undefined;
      if (this.running) this.acknowledgeLater();
      else this.acknowledge();
    }, ACK_AFTER_MS);
  }

  private replied(reply: Extract<KernelMessage, { type: 'reply' }>): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.value);
    else waiting?.reject(new Error(reply.error));
  }

  private closed(reason: string): void {
    if (!this.open) return;
    this.open = false;
    clearTimeout(this.ackTimer);
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
    this.events.closed(reason);
  }

  send(message: ClientMessage): void {
    if (!this.open) return;
    for (const piece of encodeFrame(0, message)) this.socket.write(piece);
  }

  /** `timeoutMs` Infinity: the answer waits for the cells that run. */
  request(method: Request['method'], params?: Json, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Json> {
    if (!this.open) return Promise.reject(new Error('the kernel is not connected'));
    const id = this.nextRequest++;
    return new Promise<Json>((resolve, reject) => {
      const late = (): void => {
        this.waiting.delete(id);
        reject(new Error(`the kernel did not answer "${method}" in ${timeoutMs / 1000} s`));
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(late, timeoutMs);
      const done =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      this.waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      this.send(params === undefined ? { type: 'request', id, method } : { type: 'request', id, method, params });
    });
  }

  /** Leaves without a `closed` event; the kernel goes on. */
  dispose(): void {
    this.open = false;
    clearTimeout(this.ackTimer);
    this.socket.destroy();
    for (const { reject } of this.waiting.values()) reject(new Error('disconnected from the kernel'));
    this.waiting.clear();
  }
}
