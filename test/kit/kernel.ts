/** A whole kernel process, as it is built, and a small client for it. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { encodeFrame, FrameDecoder } from '#protocol/frames.js';
import type { CellEvent, ClientMessage, KernelMessage } from '#protocol/kernel.js';
import { temporaryFolder } from './folder.js';

export const root = path.resolve(import.meta.dirname, '../..');
/** FGNB_KERNEL_DIST: bundles made elsewhere, such as with another Node. */
const given = process.env.FGNB_KERNEL_DIST;
const dist = given ?? path.join(root, 'dist/kernel');
export const kernelMain = path.join(dist, 'main.cjs');
export const kernelCli = path.join(dist, 'cli.cjs');

/** Builds the kernel's bundles when they are missing or older than their sources. */
export function ensureKernelBuilt(): void {
  if (given) return;
  const built = fs.statSync(path.join(dist, 'kernel.cjs'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ['src/kernel', 'src/protocol'].flatMap((folder) =>
    fs.readdirSync(path.join(root, folder), { recursive: true }).map((file) => path.join(root, folder, String(file))),
  );
  const newest = Math.max(...sources.filter((file) => file.endsWith('.ts')).map((file) => fs.statSync(file).mtimeMs));
  if (newest <= built) return;
  execFileSync(process.execPath, ['scripts/build.mjs', 'kernel'], { cwd: root, stdio: 'inherit' });
}

export interface Received {
  seq: number;
  message: KernelMessage;
  buffers: Uint8Array[];
}

/** What a client of the kernel does, kept as small as a test needs it. */
export class TestClient {
  readonly received: Received[] = [];
  lastSeq = 0;
  closed = false;
  /** Acknowledge what arrives; a slow client does not. */
  acknowledge = true;
  /** What became of the kernel's process, for the error of a wait whose connection ended. */
  fate: () => Promise<string> = () => Promise.resolve('not known');
  private waiting: Array<() => void> = [];
  private constructor(readonly socket: net.Socket) {
    const decoder = new FrameDecoder<KernelMessage>();
    socket.on('data', (chunk) => {
      for (const frame of decoder.push(chunk)) {
        this.received.push(frame);
        if (frame.seq > 0) {
          this.lastSeq = frame.seq;
          if (this.acknowledge) this.send({ type: 'ack', seq: frame.seq });
        }
      }
      this.wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  static async connect(address: string, token: string, lastSeq = 0): Promise<TestClient> {
    const socket = net.connect(address);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const client = new TestClient(socket);
    client.send({ type: 'hello', protocol: 1, token, lastSeq });
    return client;
  }

  send(message: ClientMessage): void {
    if (!this.closed) for (const piece of encodeFrame(0, message)) this.socket.write(piece);
  }

  /** Waits until `find` gives something; fails after `ms`. */
  async until<T>(find: () => T | undefined | false, ms = 20_000, what = 'a message'): Promise<T> {
    const end = Date.now() + ms;
    for (;;) {
      const found = find();
      if (found) return found;
      const left = end - Date.now();
      if (this.closed) throw new Error(`the connection ended before ${what}; the kernel: ${await this.fate()}`);
      if (left <= 0)
        throw new Error(`no ${what} in ${ms} ms; last: ${JSON.stringify(this.received.slice(-3)).slice(0, 500)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  events(execution: string): CellEvent[] {
    return this.received.flatMap(({ message }) =>
      message.type === 'cell' && message.execution === execution ? [message.event] : [],
    );
  }

  text(execution: string, name = 'stdout'): string {
    return this.events(execution)
      .map((e) => (e.kind === 'stream' && e.name === name ? e.text : ''))
      .join('');
  }

  shown(execution: string): string | undefined {
    return this.events(execution)
      .flatMap((e) => (e.kind === 'display' ? [e.items[0].text ?? ''] : []))
      .at(-1);
  }

  private count = 0;

  /** Sends a cell; does not wait. */
  begin(source: string, cellId = 'c'): string {
    const execution = `x${process.pid}-${++this.count}-${randomBytes(3).toString('hex')}`;
    this.send({ type: 'execute', execution, cellId, cellIndex: 0, source });
    return execution;
  }

  async started(execution: string): Promise<void> {
    await this.until(() => this.events(execution).some((e) => e.kind === 'started'), 20_000, 'start');
  }

  async finished(execution: string, ms = 30_000): Promise<Extract<CellEvent, { kind: 'finished' }>> {
    return this.until(() => this.events(execution).find((e) => e.kind === 'finished'), ms, 'end of the cell');
  }

  /** Runs a cell to its end. */
  async run(
    source: string,
    cellId = 'c',
  ): Promise<{ status: string; shown: string | undefined; text: string; error?: CellEvent & { kind: 'error' } }> {
    const execution = this.begin(source, cellId);
    const { status } = await this.finished(execution);
    const error = this.events(execution).find((e) => e.kind === 'error');
    return { status, shown: this.shown(execution), text: this.text(execution), error };
  }

  private requests = 0;

  async request(method: 'variables' | 'device' | 'complete', params?: { expression: string }): Promise<unknown> {
    const id = ++this.requests;
    this.send({ type: 'request', id, method, params });
    const reply = await this.until(() =>
      this.received.map((r) => r.message).find((m) => m.type === 'reply' && m.id === id),
    );
    if (reply.type !== 'reply' || !reply.ok) throw new Error(JSON.stringify(reply));
    return reply.value;
  }

  close(): void {
    this.socket.destroy();
  }
}

export interface KernelProcess {
  child: ChildProcess;
  runFolder: string;
  notebookFolder: string;
  token: string;
  lock: { pid: number; socket: string; session: string };
  connect(lastSeq?: number): Promise<TestClient>;
  exited: Promise<number | string>;
  log(): string;
  stop(): Promise<void>;
}

/** Starts a whole kernel, on the cpu device; `bare` leaves the facade and its device out, for tests that say why. */
export async function startKernel(
  options: { bare?: boolean; flags?: string[]; args?: string[]; env?: NodeJS.ProcessEnv } = {},
): Promise<KernelProcess> {
  const runFolder = temporaryFolder('run');
  const notebookFolder = temporaryFolder('nb');
  const token = randomBytes(24).toString('hex');
  fs.writeFileSync(path.join(runFolder, 'token'), token, { mode: 0o600 });
  const logFile = path.join(runFolder, 'kernel.log');
  const log = fs.openSync(logFile, 'a');
  const args = [
    '--run-folder',
    runFolder,
    '--notebook-folder',
    notebookFolder,
    ...(options.bare ? ['--bare'] : ['--device', 'cpu']),
  ];
  const child = spawn(
    process.execPath,
    [...(options.flags ?? ['--no-force-async-hooks-checks']), kernelMain, ...args, ...(options.args ?? [])],
    { stdio: ['ignore', log, log], cwd: notebookFolder, env: { ...process.env, ...options.env } },
  );
  fs.closeSync(log);
  const exited = new Promise<number | string>((resolve) =>
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')),
  );
  const lockFile = path.join(runFolder, 'kernel.json');
  for (let waited = 0; !fs.existsSync(lockFile); waited += 20) {
    if (waited > 20_000 || child.exitCode !== null)
      throw new Error(`the kernel did not start: ${fs.readFileSync(logFile, 'utf8')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const lock = JSON.parse(fs.readFileSync(lockFile, 'utf8')) as KernelProcess['lock'];
  const fate = async (): Promise<string> => {
    const running = new Promise<string>((resolve) => setTimeout(resolve, 2000, 'still running'));
    const end = await Promise.race([exited.then((how) => `ended with ${how}`), running]);
    return `${end}; its log ends: ${fs.readFileSync(logFile, 'utf8').slice(-4000)}`;
  };
  return {
    child,
    runFolder,
    notebookFolder,
    token,
    lock,
    exited,
    connect: async (lastSeq = 0) => {
      const client = await TestClient.connect(lock.socket, token, lastSeq);
      client.fate = fate;
      return client;
    },
    log: () => fs.readFileSync(logFile, 'utf8'),
    async stop() {
      child.kill('SIGKILL');
      await exited;
      for (const folder of [runFolder, notebookFolder]) fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
