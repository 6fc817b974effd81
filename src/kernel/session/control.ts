/**
 * The control thread: owns the socket, heartbeats, memory figures and interrupts, which all work while the main thread
 * is busy in a cell or in a native call.
 */
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import type { ClientMessage, KernelMessage, MemoryInfo } from '../../protocol/kernel.js';
import { PROTOCOL_VERSION } from '../../protocol/kernel.js';
import { Channel, type Hello } from './channel.js';
import { cardMemory } from '../compute/deviceMemory.js';
import { ASKED, BUFFERS_KB, GPU_KB, HEAP_KB, Interrupter, PENDING_KB } from './interrupter.js';
import { Listener } from './listener.js';
import { KernelLog } from './log.js';
import { Outbox } from './outbox.js';
import { STOP_BYTES, type ControlData, type StopSignal, type ToControl, type ToMain } from './threads.js';

const HEARTBEAT_MS = 2000;
/** How often the drivers of GPUs are asked for their memory. */
const CARDS_MS = 10_000;

const port = parentPort;
if (!port) throw new Error('control runs as a worker thread');
const data = workerData as ControlData;
const flags = new Int32Array(data.flags);
const toMain = (message: ToMain): void => port.postMessage(message);

const logFile = new KernelLog();
function log(text: string): void {
  logFile.line(`${new Date().toISOString()} ${text}`);
}

const interrupter = new Interrupter({
  flags,
  notify: () => toMain({ type: 'interrupt' }),
  onStuck: () => log('interrupt: the cell is inside a native call that has not returned for 5 s'),
});

function memory(): MemoryInfo {
  return {
    rssBytes: process.memoryUsage.rss(),
    heapBytes: Atomics.load(flags, HEAP_KB) * 1024,
    arrayBufferBytes: Atomics.load(flags, BUFFERS_KB) * 1024,
    systemFreeBytes: process.availableMemory(),
    ...(cards ? { gpu: { heldBytes: Atomics.load(flags, GPU_KB) * 1024, cards } } : {}),
  };
}

/** Memory of the GPUs at the last look; undefined while the device in use is none. */
let cards: NonNullable<MemoryInfo['gpu']>['cards'] | undefined;

/** Asks the drivers now and from time to time, once a GPU is in use. */
function watchCards(): void {
  if (cards) return;
  cards = [];
  const look = (): void => void cardMemory().then((found) => (cards = found));
  look();
  setInterval(look, CARDS_MS).unref();
}

class SocketControl {
  private readonly outbox = new Outbox();
  private readonly listener: Listener;
  private readonly strangers = new Set<Channel>();
  private client: Channel | undefined;
  private status: Omit<Extract<ToControl, { type: 'status' }>, 'type'> = { executionCount: 0 };
  private busySince = 0;
  private aloneSince = Date.now();

  constructor(private readonly mode: Extract<ControlData['mode'], { kind: 'socket' }>) {
    this.listener = new Listener(mode, {
      connection: (socket) => this.connect(socket),
      log,
      failed: () => {
        this.cleanUp();
        process.kill(process.pid, 'SIGTERM');
      },
    });
    setInterval(() => this.beat(), HEARTBEAT_MS);
  }

  private connect(socket: net.Socket): void {
    const channel = new Channel(socket, {
      token: this.listener.token,
      outbox: this.outbox,
      onHello: (accepted, hello) => this.accept(accepted, hello),
      onMessage: (message) => this.receive(message),
      onClose: (closed, reason) => this.left(closed, reason),
    });
    this.strangers.add(channel);
  }

  private accept(channel: Channel, hello: Hello): void {
    this.strangers.delete(channel);
    this.client?.send({ type: 'displaced' });
    this.client?.close('another client took its place');
    this.client = channel;
    this.outbox.restart(hello.lastSeq);
    const { session } = this.mode;
    channel.send({ type: 'welcome', protocol: PROTOCOL_VERSION, pid: process.pid, session, ...this.status });
    this.sendHeartbeat();
    channel.flush();
  }

  private left(channel: Channel, reason: string): void {
    this.strangers.delete(channel);
    const wasClient = this.client;
    if (channel === this.client) {
      this.client = undefined;
      this.aloneSince = Date.now();
    }
    log(`a connection ended: ${reason}`);
    if (channel === wasClient && this.mode.withClient) this.shutDown('its client left');
  }

  private receive(message: Exclude<ClientMessage, Hello>): void {
    switch (message.type) {
      case 'execute':
      case 'request':
        return toMain({ type: 'client', asked: Atomics.load(flags, ASKED), message });
      case 'interrupt':
        return interrupter.interrupt();
      case 'shutdown':
        return this.shutDown('the client asked for it');
      case 'ack':
        this.outbox.acknowledge(message.seq);
        this.client?.flush();
        return;
      default:
        throw new Error(`message of unknown type ${JSON.stringify((message as { type?: unknown }).type)}`);
    }
  }

  fromMain(message: ToControl): void {
    switch (message.type) {
      case 'message':
        Atomics.sub(flags, PENDING_KB, message.costKb ?? 0);
        Atomics.notify(flags, PENDING_KB);
        this.watch(message.message);
        this.outbox.add(message.message, message.buffers);
        this.client?.flush();
        return;
      case 'status':
        this.status = {
          executionCount: message.executionCount,
          ...(message.running ? { running: message.running } : {}),
        };
        return;
      case 'goodbye':
        return this.cleanUp();
    }
  }

  private watch(message: KernelMessage): void {
    if (message.type === 'device' && message.device.device !== 'cpu') watchCards();
    if (message.type === 'state' && message.state === 'idle') this.busySince = 0;
    if (message.type === 'cell' && message.event.kind === 'started') this.busySince = Date.now();
    if (message.type === 'cell' && message.event.kind === 'finished') this.busySince = 0;
  }

  private sendHeartbeat(): void {
    const busyMs = this.busySince ? Date.now() - this.busySince : 0;
    this.client?.send({ type: 'heartbeat', memory: memory(), busyMs });
  }

  private beat(): void {
    this.sendHeartbeat();
    const { idleMinutes } = this.mode;
    const alone = !this.client && !this.busySince && idleMinutes > 0;
    if (alone && Date.now() - this.aloneSince > idleMinutes * 60_000) {
      this.shutDown(`no client for ${idleMinutes} minutes`);
    }
  }

  /** Ends the process: asks it first, and kills it after 2 s. */
  private shutDown(reason: string): void {
    log(`shutting down: ${reason}`);
    this.cleanUp();
    interrupter.interrupt();
    toMain({ type: 'shutdown' });
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
  }

  private cleanUp(): void {
    this.listener.close();
    for (const stranger of [...this.strangers]) stranger.close('the kernel ends');
  }
}

/** Milliseconds for a running call to reach its next step, where it sees the stop by itself and saves its state. */
const STOP_GRACE_MS = 3000;

/** Headless runs: the launching process passes on each signal it gets as a byte on a pipe. */
function listenToPipe(fd: number): void {
  if (fd < 0) return;
  const stop = (signal: StopSignal): void => {
    toMain({ type: 'stop', signal });
    interrupter.interrupt(STOP_GRACE_MS);
  };
  const pipe = new net.Socket({ fd, readable: true, writable: false });
  pipe.on('data', (bytes) => stop(bytes.toString().startsWith(STOP_BYTES.SIGINT) ? 'SIGINT' : 'SIGTERM'));
  // The pipe ends when the launching process was killed: nothing could stop this one any more.
  pipe.on('end', () => stop('SIGTERM'));
  pipe.on('error', () => undefined);
  pipe.unref();
}

if (data.mode.kind === 'socket') {
  const control = new SocketControl(data.mode);
  port.on('message', (message: ToControl) => control.fromMain(message));
} else {
  listenToPipe(data.mode.fd);
  port.on('message', () => undefined);
}
