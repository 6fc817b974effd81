/**
 * One notebook's kernel as the extension sees it: start or find the process, talk to it, notice that it died, restart
 * it from every state. It owns no notebook and shows nothing; listeners do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CellEvent, DeviceSummary, KernelMessage, MemoryInfo } from '../../protocol/kernel.js';
import type { LiveCall } from '../../protocol/live.js';
import type { Json } from '../../protocol/notebook.js';
import type { KernelConfig } from '../config.js';
import { Connection, type Welcome } from './connection.js';
import { explainDeath, type DeathReport } from './death.js';
import {
  killKernel,
  startKernel,
  waitUntilGone,
  type Ending,
  type KernelPlace,
  type StartedKernel,
} from './process.js';
import { checkSocket, isAlive, isOurKernel, logTail, readRecord, readToken } from './runFolder.js';
import { isAttached, reduceKernel, type KernelEvent, type KernelState } from './state.js';

export interface KernelListener {
  stateChanged(state: KernelState): void;
  /** The handshake is done. `fresh`: the process was started for this, so nothing runs in it. */
  attached(welcome: Welcome, fresh: boolean): void;
  cell(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void;
  /** Memory or device figures changed. */
  vitals(): void;
  died(report: DeathReport): void;
  /** Another window attached to the kernel. */
  takenOver(): void;
  /** The connection broke and the kernel is alive: a cell that is run connects again. */
  disconnected(reason: string): void;
}

export interface KernelLog {
  info(message: string): void;
  warn(message: string): void;
}

const ATTACH_TIMEOUT_MS = 5_000;
/** Loading the analysis packages takes seconds on a slow disk. */
const START_TIMEOUT_MS = 90_000;
const SHUTDOWN_PATIENCE_MS = 1_500;
/** How long a process may take to go away after its socket closed. */
const LEAVING_MS = 3_000;

export class Kernel {
  state: KernelState = 'none';
  memory: MemoryInfo | undefined;
  device: DeviceSummary | undefined;
  busyMs = 0;
  private connection: Connection | undefined;
  /** Messages that came before the listener knew of the handshake. */
  private held: Array<{ message: KernelMessage; buffers: Uint8Array[] }> | undefined;
  private lastSeq = 0;
  private pid: number | undefined;
  private token = '';
  private ended: Promise<Ending> | undefined;
  /** Set by the exit event: a zombie still has its process id, so looking that up would not tell. */
  private hasEnded = false;
  /** The kernel said that another window took this one's place. */
  private displaced = false;
  private opening: Promise<void> | undefined;
  private restarting: Promise<void> | undefined;
  /** Raised at every stop, so that what is still under way for an earlier process does nothing. */
  private generation = 0;

  constructor(
    readonly place: KernelPlace,
    private readonly config: () => KernelConfig,
    private readonly listener: KernelListener,
    private readonly log: KernelLog,
  ) {}

  get processId(): number | undefined {
    return this.pid;
  }

  private apply(event: KernelEvent): void {
    const next = reduceKernel(this.state, event);
    if (next === this.state) return;
    this.state = next;
    this.listener.stateChanged(next);
  }

  /** Attached and ready on return; concurrent calls share one start. @throws with the reason when it cannot start. */
  ensure(): Promise<void> {
    if (this.restarting) return this.restarting;
    if (isAttached(this.state)) return Promise.resolve();
    this.opening ??= this.open().finally(() => (this.opening = undefined));
    return this.opening;
  }

  private async open(): Promise<void> {
    this.apply({ type: 'start' });
    if (await this.attachExisting()) return;
    await this.startFresh();
  }

  /** Attaches to a kernel that is already running for this notebook. False when there is none. */
  async attachExisting(): Promise<boolean> {
    const folder = this.place.runFolder;
    const record = await readRecord(folder, (reason) => this.log.warn(reason));
    if (!record || !(await isOurKernel(record.pid, folder))) return false;
    try {
      await checkSocket(record.socket);
      this.token = await readToken(folder);
      this.pid = record.pid;
      const welcome = await this.connect(record.socket, ATTACH_TIMEOUT_MS);
      this.log.info(`Attached to kernel ${record.pid}, started ${record.started}`);
      this.announce(welcome, false);
      return true;
    } catch (error) {
      this.log.warn(`Kernel ${record.pid} is alive but does not answer (${String(error)}): replacing it`);
      await killKernel(record.pid, folder);
      return false;
    }
  }

  private async startFresh(): Promise<void> {
    const generation = this.generation;
    let started: StartedKernel;
    try {
      started = await startKernel(this.place, this.config());
    } catch (error) {
      this.apply({ type: 'died' });
      throw error;
    }
    this.pid = started.pid;
    this.token = started.token;
    this.lastSeq = 0;
    this.ended = started.ended;
    this.hasEnded = false;
    this.log.info(`Started kernel ${started.pid} with ${started.description} in ${this.place.notebookFolder}`);
    const ending = started.ended.then((end) => ({ end }));
    const first = await Promise.race([this.whenListening(), ending]);
    if (generation !== this.generation) return;
    if ('end' in first) throw await this.failedToStart(first.end);
    const welcome = await this.connect(first.socket, ATTACH_TIMEOUT_MS).catch(async (error: unknown) => {
      await killKernel(started.pid, this.place.runFolder);
      throw await this.failedToStart(undefined, error);
    });
    started.ended
      .then((end) => {
        if (generation === this.generation) this.hasEnded = true;
        return this.onEnded(end, generation);
      })
      .catch((error: unknown) => this.log.warn(String(error)));
    this.announce(welcome, true);
  }

  private async failedToStart(end: Ending | undefined, error?: unknown): Promise<Error> {
    const report = explainDeath({ ...end, logTail: await logTail(this.place.runFolder), whileStarting: true });
    this.forget();
    this.apply({ type: 'died' });
    this.listener.died(error ? { ...report, cause: `${String(error)}. ${report.cause}` } : report);
    return new Error(`${report.summary} ${report.cause} ${report.next}`);
  }

  /** The kernel writes its record when it listens. */
  private async whenListening(): Promise<{ socket: string }> {
    const until = Date.now() + START_TIMEOUT_MS;
    for (let wait = 20; Date.now() < until; wait = Math.min(200, wait * 1.5)) {
      const record = await readRecord(this.place.runFolder);
      if (record && record.pid === this.pid) return { socket: record.socket };
      if (this.pid === undefined || !isAlive(this.pid)) break;
      await sleep(wait);
    }
    // A process that ended is reported by its exit, with code and signal.
    if (this.pid !== undefined && isAlive(this.pid)) await killKernel(this.pid, this.place.runFolder);
    return new Promise(() => undefined);
  }

  private async connect(socket: string, timeoutMs: number): Promise<Welcome> {
    const generation = this.generation;
    this.held = [];
    this.displaced = false;
    const { connection, welcome } = await Connection.attach(
      { socket, token: this.token, lastSeq: this.lastSeq, timeoutMs },
      {
        message: (message, buffers) => this.onMessage(message, buffers),
        closed: (reason) => void this.onClosed(reason, generation).catch((e: unknown) => this.log.warn(String(e))),
      },
    );
    this.connection = connection;
    this.pid = welcome.pid;
    this.apply({ type: 'attached', busy: welcome.running !== undefined });
    return welcome;
  }

  /** Tells of the handshake first, then of what the kernel sent right behind it. */
  private announce(welcome: Welcome, fresh: boolean): void {
    this.listener.attached(welcome, fresh);
    const { held } = this;
    this.held = undefined;
    for (const { message, buffers } of held ?? []) this.onMessage(message, buffers);
  }

  private onMessage(message: KernelMessage, buffers: Uint8Array[]): void {
    if (message.type === 'displaced') this.displaced = true;
    if (this.held) {
      this.held.push({ message, buffers });
      return;
    }
    switch (message.type) {
      case 'state':
        return this.apply({ type: 'reported', state: message.state });
      case 'cell':
        return this.listener.cell(message.execution, message.cellId, message.event, buffers);
      case 'heartbeat':
        this.memory = message.memory;
        this.busyMs = message.busyMs;
        return this.listener.vitals();
      case 'device':
        this.device = message.device;
        return this.listener.vitals();
      case 'displaced':
      case 'welcome':
      case 'reply':
        return;
    }
  }

  /**
   * The socket closed. A kernel has one client at a time and tells a displaced one that another window took its place:
   * attaching again at once would take it back and forth between the two, so this window attaches when a cell is run.
   * Otherwise the process is probably ending: once it has, how it ended is reported.
   */
  private async onClosed(reason: string, generation: number): Promise<void> {
    if (generation !== this.generation) return;
    this.lastSeq = this.connection?.lastSeq ?? this.lastSeq;
    this.connection = undefined;
    const { pid } = this;
    if (this.displaced) {
      this.log.warn(`another window uses kernel ${pid} now`);
      this.apply({ type: 'takenOver' });
      return this.listener.takenOver();
    }
    this.apply({ type: 'connectionLost' });
    if (pid !== undefined && !(await waitUntilGone(pid, LEAVING_MS)) && !this.hasEnded) {
      if (generation !== this.generation) return;
      this.log.warn(`${reason}; kernel ${pid} is alive`);
      return this.listener.disconnected(reason);
    }
    // A child's exit carries code and signal: give it a moment to arrive first.
    const end = this.ended && (await Promise.race([this.ended, sleep(1000, undefined)]));
    await this.onEnded(end ?? { code: null, signal: null }, generation);
  }

  private async onEnded(end: Ending, generation: number): Promise<void> {
    if (generation !== this.generation) return;
    // What the kernel wrote last may still be in the socket.
    await sleep(50);
    if (generation !== this.generation || this.state === 'dead') return;
    this.generation++;
    const tail = await logTail(this.place.runFolder);
    const report = explainDeath({ ...end, logTail: tail, ...this.memory });
    this.log.warn(`${report.summary} ${report.cause}`);
    this.forget();
    this.apply({ type: 'died' });
    this.listener.died(report);
  }

  private forget(): void {
    this.connection?.dispose();
    this.connection = undefined;
    this.pid = undefined;
    this.ended = undefined;
    this.lastSeq = 0;
    this.memory = undefined;
    this.busyMs = 0;
  }

  execute(o: { execution: string; cellId: string; cellIndex: number; source: string }): void {
    this.connection?.send({ type: 'execute', ...o });
    this.apply({ type: 'reported', state: 'busy' });
  }

  /** Asks the running cell to stop. Returns at once; the kernel reports when it did. */
  interrupt(): void {
    this.connection?.send({ type: 'interrupt' });
    this.apply({ type: 'interrupt' });
  }

  /** Asks a live view of the session; waits behind the cells that run. */
  live(call: LiveCall): Promise<Json> {
    const params = { view: call.view, method: call.method, params: call.params };
    return (
      this.connection?.request('live', params, Infinity) ?? Promise.reject(new Error('the kernel is not connected'))
    );
  }

  request(method: 'variables' | 'device' | 'complete', params?: Json): Promise<Json> {
    return this.connection?.request(method, params) ?? Promise.reject(new Error('the kernel is not connected'));
  }

  /** Stops whatever runs and starts a new process. Concurrent calls share one restart. */
  restart(): Promise<void> {
    this.restarting ??= this.doRestart().finally(() => (this.restarting = undefined));
    return this.restarting;
  }

  private async doRestart(): Promise<void> {
    this.apply({ type: 'restart' });
    await this.stopProcess();
    await this.startFresh();
  }

  /** Ends the process: asked first, then by signal. */
  async shutdown(): Promise<void> {
    await this.stopProcess();
    this.apply({ type: 'stopped' });
  }

  private async stopProcess(): Promise<void> {
    this.generation++;
    const record = await readRecord(this.place.runFolder);
    const pid = this.pid ?? record?.pid;
    const { connection } = this;
    connection?.send({ type: 'shutdown' });
    if (pid !== undefined) {
      const left = connection !== undefined && (await waitUntilGone(pid, SHUTDOWN_PATIENCE_MS));
      if (!left) await killKernel(pid, this.place.runFolder);
    }
    this.forget();
  }

  /** Leaves the process running, for a window that closes or reloads. */
  detach(): void {
    this.generation++;
    this.connection?.dispose();
    this.connection = undefined;
  }
}
