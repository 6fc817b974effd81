/** The five sockets of a Jupyter kernel, over ZeroMQ. */
import type { MessageLike, Publisher, Reply, Router } from 'zeromq';
import { CHANNELS, type ChannelName, type Connection } from './connection.js';

/** Most bytes of one frame from a client: room for any cell. Beyond it ZeroMQ closes that client's connection. */
const MAX_FRAME_BYTES = 64 * 2 ** 20;
/** Messages that wait for one subscriber that does not read; later ones are dropped for this subscriber only. */
const WAITING = 100_000;
/** Milliseconds in which the last messages can be sent when the kernel ends. */
const LINGER_MS = 1000;

type Asked = 'shell' | 'control';

export interface SocketHandlers {
  receive(channel: Asked, frames: Buffer[]): void;
  /** A socket failed, so that the kernel cannot go on. */
  failed(error: Error): void;
}

interface Sockets {
  shell: Router;
  control: Router;
  stdin: Router;
  iopub: Publisher;
  hb: Reply;
}

export class JupyterSockets {
  /** The last send of each socket: ZeroMQ sends one message of a socket at a time. */
  private readonly sending = new Map<ChannelName, Promise<void>>();

  private constructor(
    private readonly sockets: Sockets,
    private readonly handlers: SocketHandlers,
  ) {
    for (const channel of ['shell', 'control'] as const) this.listen(channel);
    this.beat();
  }

  /** Binds all five. @throws Error with the address and ZeroMQ's message, such as that it is in use */
  static async bind({ addresses }: Connection, handlers: SocketHandlers): Promise<JupyterSockets> {
    const zmq = await import('zeromq');
    const options = { linger: LINGER_MS, maxMessageSize: MAX_FRAME_BYTES };
    const sockets: Sockets = {
      shell: new zmq.Router(options),
      control: new zmq.Router(options),
      stdin: new zmq.Router(options),
      iopub: new zmq.Publisher({ linger: LINGER_MS, sendHighWaterMark: WAITING }),
      hb: new zmq.Reply(options),
    };
    for (const name of CHANNELS) {
      try {
        await sockets[name].bind(addresses[name]);
      } catch (error) {
        throw new Error(`cannot listen for ${name} on ${addresses[name]}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    return new JupyterSockets(sockets, handlers);
  }

  private listen(channel: Asked): void {
    const read = async (): Promise<void> => {
      for await (const frames of this.sockets[channel]) this.handlers.receive(channel, frames);
    };
    read().catch((error: unknown) => this.handlers.failed(error as Error));
  }

  /** Echoes heartbeats, by which a client sees that the kernel lives. */
  private beat(): void {
    const { hb } = this.sockets;
    const answer = async (): Promise<void> => {
      for await (const frames of hb) await hb.send(frames);
    };
    answer().catch((error: unknown) => this.handlers.failed(error as Error));
  }

  /** Sends messages in the order of the calls. ZeroMQ drops messages for a client that is gone. */
  send(channel: Exclude<ChannelName, 'hb' | 'stdin'>, frames: MessageLike[]): Promise<void> {
    const before = this.sending.get(channel) ?? Promise.resolve();
    const sent = before
      .then(() => this.sockets[channel].send(frames))
      .catch((error: unknown) => this.handlers.failed(error as Error));
    this.sending.set(channel, sent);
    return sent;
  }

  /** Closes the sockets after what was sent has left. */
  async close(): Promise<void> {
    await Promise.all(this.sending.values());
    for (const name of CHANNELS) this.sockets[name].close();
  }
}
