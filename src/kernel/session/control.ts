/**
 * The control thread: owns the socket, heartbeats, memory figures and interrupts, all alive while the main thread is
 * busy in a cell or between two native calls.
 */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { ClientMessage, KernelMessage, MemoryInfo } from '../../protocol/kernel.js';
import { PROTOCOL_VERSION } from '../../protocol/kernel.js';
import { Channel, type Hello } from './channel.js';
import { ASKED, BUFFERS_KB, HEAP_KB, Interrupter, PENDING_KB } from './interrupter.js';
import { KernelLog } from './log.js';
import { Outbox } from './outbox.js';
import { STOP_BYTES, type ControlData, type StopSignal, type ToControl, type ToMain } from './threads.js';
import { checkRunFolder, readToken, writePrivate } from './runFolder.js';
import { KERNEL_VERSION } from './version.js';

const HEARTBEAT_MS = 2000;
/** A socket's path must fit in sockaddr_un. */
const MAX_SOCKET_PATH = 100;

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
  };
}

class SocketControl {
  private readonly outbox = new Outbox();
  private readonly token: string;
  private readonly server: net.Server;
  private readonly address: string;
  private readonly lock: string;
  private readonly strangers = new Set<Channel>();
  private client: Channel | undefined;
  private status: Omit<Extract<ToControl, { type: 'status' }>, 'type'> = { executionCount: 0 };
  private busySince = 0;
  private aloneSince = Date.now();
  private folder: string | undefined;

  constructor(private readonly mode: Extract<ControlData['mode'], { kind: 'socket' }>) {
    checkRunFolder(mode.runFolder);
    this.token = readToken(mode.runFolder);
    this.lock = path.join(mode.runFolder, 'kernel.json');
    this.address = this.chooseAddress();
    this.server = net.createServer((socket) => this.connect(socket));
    this.server.on('error', (error) => {
      log(`cannot listen on ${this.address}: ${error.message}`);
      this.cleanUp();
      process.kill(process.pid, 'SIGTERM');
    });
    if (process.platform !== 'win32') fs.rmSync(this.address, { force: true });
    this.server.listen(this.address, () => this.writeLock());
    setInterval(() => this.beat(), HEARTBEAT_MS);
  }

  private chooseAddress(): string {
    const { runFolder, session } = this.mode;
    if (process.platform === 'win32') return `\\\\.\\pipe\\fgnb-${session}-${this.token.slice(0, 8)}`;
    const inFolder = path.join(runFolder, 'k.sock');
    if (Buffer.byteLength(inFolder) <= MAX_SOCKET_PATH) return inFolder;
    // mkdtemp makes the folder 0700.
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fgnb-'));
    return path.join(this.folder, 'k.sock');
  }

  /** The lock tells clients that the kernel listens, and where. Renamed into place so that it is never half there. */
  private writeLock(): void {
    if (process.platform !== 'win32') fs.chmodSync(this.address, 0o600);
    const { notebook, session } = this.mode;
    const started = new Date().toISOString();
    const content = { pid: process.pid, socket: this.address, session, notebook, started, version: KERNEL_VERSION };
    writePrivate(this.lock, JSON.stringify(content, null, 1) + '\n');
    log(`listening on ${this.address}, session ${session}, node ${process.version}`);
  }

  private connect(socket: net.Socket): void {
    const channel = new Channel(socket, {
      token: this.token,
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
    if (channel === this.client) {
      this.client = undefined;
      this.aloneSince = Date.now();
    }
    log(`a connection ended: ${reason}`);
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

  /** Ends the process: politely, and after 2 s in any case. */
  private shutDown(reason: string): void {
    log(`shutting down: ${reason}`);
    this.cleanUp();
    interrupter.interrupt();
    toMain({ type: 'shutdown' });
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
  }

  private cleanUp(): void {
    this.server.close();
    for (const stranger of [...this.strangers]) stranger.close('the kernel ends');
    for (const file of [this.lock, ...(process.platform === 'win32' ? [] : [this.address])])
      fs.rmSync(file, { force: true });
    if (this.folder) fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How long a running call has to reach its next step, where it sees the stop by itself and saves what it has. */
const STOP_GRACE_MS = 3000;

/** Headless runs: a byte on the pipe from the launching process is the signal that it got. */
function listenToPipe(fd: number): void {
  if (fd < 0) return;
  const stop = (signal: StopSignal): void => {
    toMain({ type: 'stop', signal });
    interrupter.interrupt(STOP_GRACE_MS);
  };
  const pipe = new net.Socket({ fd, readable: true, writable: false });
  pipe.on('data', (bytes) => stop(bytes.toString().startsWith(STOP_BYTES.SIGINT) ? 'SIGINT' : 'SIGTERM'));
  // The launching process was killed: nothing could stop this one any more.
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
