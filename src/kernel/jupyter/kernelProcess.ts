/**
 * The kernel process of a Jupyter kernel: the same program that the editor starts, reached over the same kind of
 * socket.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encodeFrame, FrameDecoder } from '../../protocol/frames.js';
import { PROTOCOL_VERSION, type CellEvent, type ClientMessage, type KernelMessage } from '../../protocol/kernel.js';
import type { Json } from '../../protocol/notebook.js';
import { REQUIRED_FLAG } from '../session/evaluate.js';

const START_MS = 60_000;
const POLL_MS = 20;
/** Bytes of the process's last output that are reported when it dies. */
const TAIL_BYTES = 4000;

type Request = Extract<ClientMessage, { type: 'request' }>;

export interface KernelProcessEvents {
  cell(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void;
  /** The process has ended without being asked to. */
  died(why: string): void;
}

export interface KernelPlace {
  notebookFolder: string;
  /** Name of the notebook in records of results. */
  notebook: string;
  device: string;
}

export class KernelProcess {
  private readonly waiting = new Map<number, { resolve(value: Json): void; reject(error: Error): void }>();
  private requests = 0;
  private ending = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly socket: net.Socket,
    private readonly runFolder: string,
    private readonly events: KernelProcessEvents,
  ) {
    this.listen();
    child.once('exit', (code, signal) => this.exited(code, signal));
  }

  /** Starts a kernel that ends with this process. @throws Error for the user when it does not start */
  static async start(place: KernelPlace, events: KernelProcessEvents): Promise<KernelProcess> {
    const runFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'fgnb-jupyter-'));
    const token = randomBytes(24).toString('hex');
    fs.writeFileSync(path.join(runFolder, 'token'), token, { mode: 0o600 });
    const log = fs.openSync(path.join(runFolder, 'kernel.log'), 'a', 0o600);
    const main = path.join(path.dirname(fileURLToPath(import.meta.url)), 'main.cjs');
    const child = spawn(
      process.execPath,
      [
        ...[...process.execArgv, REQUIRED_FLAG, main, '--run-folder', runFolder, '--with-client'],
        ...['--notebook-folder', place.notebookFolder, '--notebook', place.notebook, '--device', place.device],
      ],
      { stdio: ['ignore', log, log], cwd: place.notebookFolder },
    );
    fs.closeSync(log);
    try {
      const socket = await reach(child, runFolder, token);
      return new KernelProcess(child, socket, runFolder, events);
    } catch (error) {
      child.kill('SIGKILL');
      const tail = logTail(runFolder);
      fs.rmSync(runFolder, { recursive: true, force: true });
      throw new Error(`the kernel did not start: ${(error as Error).message}${tail}`, { cause: error });
    }
  }

  private listen(): void {
    const decoder = new FrameDecoder<KernelMessage>();
    this.socket.on('data', (chunk) => {
      try {
        let last = 0;
        for (const { seq, message, buffers } of decoder.push(chunk)) {
          last = Math.max(last, seq);
          this.receive(message, buffers);
        }
        if (last > 0) this.send({ type: 'ack', seq: last });
      } catch (error) {
        this.socket.destroy(error as Error);
      }
    });
    this.socket.on('error', () => undefined);
  }

  private receive(message: KernelMessage, buffers: Uint8Array[]): void {
    if (message.type === 'cell') this.events.cell(message.execution, message.cellId, message.event, buffers);
    if (message.type !== 'reply') return;
    const asked = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.ok) asked?.resolve(message.value);
    else asked?.reject(new Error(message.error));
  }

  private send(message: ClientMessage): void {
    if (this.socket.destroyed) return;
    for (const piece of encodeFrame(0, message)) this.socket.write(piece);
  }

  /** @returns the execution's id. */
  execute(cellId: string, source: string): string {
    const execution = randomUUID();
    this.send({ type: 'execute', execution, cellId, cellIndex: 0, source });
    return execution;
  }

  interrupt(): void {
    this.send({ type: 'interrupt' });
  }

  /** @throws Error for the user when the kernel is busy and does not answer in time */
  request(method: Request['method'], params: Json, timeoutMs: number): Promise<Json> {
    const id = ++this.requests;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error('the kernel is busy'));
      }, timeoutMs);
      const ended = <T>(then: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      };
      this.waiting.set(id, { resolve: ended(resolve), reject: ended(reject) });
      this.send({ type: 'request', id, method, params });
    });
  }

  private exited(code: number | null, signal: NodeJS.Signals | null): void {
    const tail = logTail(this.runFolder);
    fs.rmSync(this.runFolder, { recursive: true, force: true });
    for (const { reject } of this.waiting.values()) reject(new Error('the kernel has ended'));
    if (!this.ending) this.events.died(`the kernel process ended with ${signal ?? `code ${code}`}${tail}`);
  }

  /** Ends the process; it no longer runs when the promise resolves. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.ending = true;
    const gone = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    // The kernel ends itself within two seconds.
    this.send({ type: 'shutdown' });
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 4000);
    await gone;
    clearTimeout(timer);
  }
}

function logTail(runFolder: string): string {
  try {
    const text = fs.readFileSync(path.join(runFolder, 'kernel.log'), 'utf8').slice(-TAIL_BYTES).trim();
    return text === '' ? '' : `\n${text}`;
  } catch {
    // No log: nothing can be added.
    return '';
  }
}

/** Waits for the kernel's record, connects, and sends the token. */
async function reach(child: ChildProcess, runFolder: string, token: string): Promise<net.Socket> {
  const record = path.join(runFolder, 'kernel.json');
  const end = Date.now() + START_MS;
  while (!fs.existsSync(record)) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
    if (Date.now() > end) throw new Error(`it said nothing in ${START_MS / 1000} s`);
    await sleep(POLL_MS);
  }
  const { socket: address } = JSON.parse(fs.readFileSync(record, 'utf8')) as { socket: string };
  const socket = net.connect(address);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  for (const piece of encodeFrame(0, { type: 'hello', protocol: PROTOCOL_VERSION, token, lastSeq: 0 }))
    socket.write(piece);
  return socket;
}
