/**
 * The kernel's side of the device process (process.ts): starts it, asks it, and starts another one when it died. All is
 * asynchronous: whatever the device does, the kernel's loop goes on.
 */
import { fork, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../../../protocol/bytes.js';
import { AbortError } from '../call.js';
import { onnxModel, type OnnxGraph } from '../onnxModel.js';
import { claimWork, repairAfterTermination } from '../work.js';
import { DeviceLostError, DeviceMemoryError } from './failures.js';
import { Uploads } from './uploads.js';
import type { Answer, FreeRequest, HostTensor, OnDevice, Provider, Work } from './messages.js';

/** Milliseconds until a device that says nothing counts as refused: drivers take seconds at the first start. */
const START_MS = 60_000;
/** Graphs whose sessions stay open; compiled shaders outlive them. */
const SESSIONS = 32;
/** Characters kept of what the process wrote last. */
const LAST_WORDS = 2000;

/** A tensor on the device. It dies with the process that holds it, and is freed by GraphDevice.free alone. */
export interface DeviceTensor extends OnDevice {
  /** The process that holds it. */
  readonly life: number;
}

/** A graph by key: graphs of one key are the same. */
export interface Program {
  readonly key: string;
  build(): OnnxGraph;
}

export interface RunOptions {
  /** Outputs that stay on the device; the others are copied back. */
  stay?: readonly string[];
  /** Aborting rejects; the run in flight ends by itself and its tensors are given back. */
  signal?: AbortSignal;
}

export interface RunResult {
  host: Record<string, HostTensor>;
  device: Record<string, DeviceTensor>;
}

interface Pending {
  resolve(outputs: Record<string, HostTensor>): void;
  reject(error: Error): void;
}

interface Life {
  readonly child: ChildProcess;
  readonly number: number;
  readonly pending: Map<number, Pending>;
  /** Numbers of open sessions by key of their program and what stays, the most recently used last. */
  readonly sessions: Map<string, Promise<number>>;
  words: string;
  ended: boolean;
}

/** The bundle of the device process, beside the kernel's; undefined from the sources. */
export function deviceBundle(): string | undefined {
  const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'deviceProcess.cjs');
  return fs.existsSync(file) ? file : undefined;
}

/** Numbers of all devices together: no tensor of one is ever taken for one of another. */
let next = 1;

/** A device on which graphs run, in a process of its own. */
export class GraphDevice {
  #life: Promise<Life> | undefined;
  /** Bytes of all tensors on the device at the last answer. */
  held = 0;
  /** Processes begun so far. */
  lives = 0;
  readonly #undo: () => void;
  /** Weights that stay there. */
  readonly weights = new Uploads(this);

  /**
   * @param bundle the process's bundle; default deviceProcess.cjs beside this file
   * @param runtime a file from which another copy of onnxruntime-node is found than the kernel's own
   */
  constructor(
    readonly provider: Provider,
    private readonly bundle = deviceBundle(),
    private readonly runtime?: string,
  ) {
    // A termination may have struck between any two steps of this class.
    this.#undo = repairAfterTermination(() => this.#abandon());
  }

  /** Starts the process and its device. @throws Error with the reason when there is none */
  async start(): Promise<void> {
    await this.#living();
  }

  /** Number of the process that holds the device, started if there is none. */
  async pid(): Promise<number | undefined> {
    return (await this.#living()).child.pid;
  }

  #living(): Promise<Life> {
    if (!this.#life) {
      const life = this.#begin().catch((error: unknown) => {
        if (this.#life === life) this.#life = undefined;
        throw error;
      });
      this.#life = life;
      // Whoever asks sees the refusal.
      life.catch(() => undefined);
    }
    return this.#life;
  }

  #begin(): Promise<Life> {
    const { bundle } = this;
    if (!bundle) return Promise.reject(new Error('the device process is not built beside this program'));
    const child = fork(bundle, [this.provider, ...(this.runtime ? [this.runtime] : [])], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    // An idle device must not keep the program alive.
    child.unref();
    child.channel?.unref();
    (child.stderr as { unref?: () => void } | null)?.unref?.();
    const life: Life = {
      child,
      number: next++,
      pending: new Map(),
      sessions: new Map(),
      words: '',
      ended: false,
    };
    this.lives++;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      life.words = (life.words + text).slice(-LAST_WORDS);
    });
    return new Promise<Life>((resolve, reject) => {
      child.channel?.ref();
      const late = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`the device process did not start within ${START_MS / 1000} s`));
      }, START_MS);
      const started = (): void => {
        clearTimeout(late);
        child.channel?.unref();
      };
      child.on('message', (message: Answer | { ready: true } | { refused: string }) => {
        if ('ready' in message) {
          started();
          resolve(life);
        } else if ('refused' in message) {
          started();
          reject(new Error(message.refused));
        } else this.#answered(life, message);
      });
      const gone = (why: string): void => {
        started();
        this.#ended(life, why);
        reject(new Error(`the device process ended while it started: ${lastWords(life, why)}`));
      };
      child.on('error', (error) => gone(error.message));
      child.on('exit', (code, signal) => gone(signal ? `ended by ${signal}` : `exit code ${code}`));
    });
  }

  #answered(life: Life, answer: Answer): void {
    this.held = answer.held;
    const pending = life.pending.get(answer.id);
    if (!pending) return;
    life.pending.delete(answer.id);
    if (life.pending.size === 0) life.child.channel?.unref();
    if (!('error' in answer)) return pending.resolve(answer.outputs);
    if (answer.kind === 'memory') {
      const asked = answer.asked > 0 ? ` for ${formatBytes(answer.asked)} more` : '';
      const held = formatBytes(answer.held);
      pending.reject(new DeviceMemoryError(`the device has no room${asked}; ${held} are in use: ${answer.error}`));
    } else if (answer.kind === 'lost') {
      pending.reject(new DeviceLostError(`the device was lost: ${answer.error}; the next call starts it again`));
      this.#abandon();
    } else pending.reject(new Error(`the device refused: ${answer.error}`));
  }

  #ended(life: Life, why: string): void {
    if (life.ended) return;
    life.ended = true;
    void this.#life?.then(
      (now) => now === life && (this.#life = undefined),
      () => undefined,
    );
    const error = new DeviceLostError(
      `the device process died (${lastWords(life, why)}); the kernel goes on, and the next call starts it again`,
    );
    for (const { reject } of life.pending.values()) reject(error);
    life.pending.clear();
  }

  /** Ends the process without waiting for anything. */
  #abandon(): void {
    const before = this.#life;
    this.#life = undefined;
    void before?.then(
      (life) => {
        this.#ended(life, 'it was ended');
        life.child.kill('SIGKILL');
      },
      () => undefined,
    );
  }

  #ask(life: Life, work: Work, outlives = false): Promise<Record<string, HostTensor>> {
    if (life.ended) return Promise.reject(new DeviceLostError('the device process has ended'));
    return new Promise((resolve, reject) => {
      const id = next++;
      // A cell that was stopped waits for nothing any more.
      const release = outlives ? () => undefined : claimWork((error) => settle(() => reject(error)));
      const settle = (end: () => void): void => {
        life.pending.delete(id);
        release();
        end();
      };
      life.pending.set(id, {
        resolve: (outputs) => settle(() => resolve(outputs)),
        reject: (error) => settle(() => reject(error)),
      });
      life.child.channel?.ref();
      life.child.send({ id, ...work }, (error) => {
        if (error) life.pending.get(id)?.reject(new DeviceLostError(`the device process cannot be reached: ${error}`));
      });
    });
  }

  #session(life: Life, program: Program, stay: readonly string[]): Promise<number> {
    const key = `${program.key} → ${stay.join()}`;
    let opened = life.sessions.get(key);
    life.sessions.delete(key);
    if (opened) life.sessions.set(key, opened);
    else {
      const session = next++;
      const model = onnxModel(program.build());
      opened = this.#ask(life, { do: 'open', session, model, stay }).then(() => session);
      life.sessions.set(key, opened);
      opened.catch(() => life.sessions.delete(key));
      if (life.sessions.size > SESSIONS) this.#closeOldest(life);
    }
    return opened;
  }

  #closeOldest(life: Life): void {
    const [key, opened] = life.sessions.entries().next().value!;
    life.sessions.delete(key);
    void opened.then(
      (session) => this.#send(life, { do: 'free', tensors: [], sessions: [session] }),
      () => undefined,
    );
  }

  /** Sends what is not answered. */
  #send(life: Life, request: FreeRequest): void {
    if (!life.ended) life.child.send(request, () => undefined);
  }

  /** Copies a float32 tensor to the device. Rejects with DeviceMemoryError where it has no room. */
  async upload(data: Float32Array, shape: readonly number[]): Promise<DeviceTensor> {
    const life = await this.#living();
    const tensor = next++;
    await this.#ask(life, { do: 'upload', tensor, value: { data, shape } });
    return { tensor, life: life.number };
  }

  /** Copies a tensor back. `outlives`: also for a cell that was stopped and waits for what it keeps. */
  async download(tensor: DeviceTensor, { outlives = false } = {}): Promise<HostTensor> {
    const life = await this.#living();
    requireAlive(life, tensor);
    return (await this.#ask(life, { do: 'download', tensor: tensor.tensor }, outlives)).y;
  }

  /** Runs a program over tensors of the host and the device. Its session is opened at the first call and kept. */
  async run(
    program: Program,
    feeds: Record<string, HostTensor | DeviceTensor>,
    { stay = [], signal }: RunOptions = {},
  ): Promise<RunResult> {
    const life = await this.#living();
    for (const feed of Object.values(feeds)) if ('tensor' in feed) requireAlive(life, feed);
    const session = await this.#session(life, program, stay);
    const keep = Object.fromEntries(stay.map((name) => [name, next++]));
    const host = await this.#ask(life, { do: 'run', session, feeds: feeds, keep });
    const device = Object.fromEntries(stay.map((name) => [name, { tensor: keep[name], life: life.number }]));
    if (signal?.aborted) {
      this.free(...Object.values(device));
      throw new AbortError('work on the device');
    }
    return { host, device };
  }

  /** Gives tensors back; those of a process that died are gone already. */
  free(...tensors: DeviceTensor[]): void {
    if (tensors.length === 0) return;
    void this.#life?.then(
      (life) => {
        const own = tensors.filter((t) => t.life === life.number).map(({ tensor }) => tensor);
        if (own.length > 0) this.#send(life, { do: 'free', tensors: own, sessions: [] });
      },
      () => undefined,
    );
  }

  /** Whether a tensor can still be used: its process lives. */
  async holds(tensor: DeviceTensor): Promise<boolean> {
    return (await this.#living()).number === tensor.life;
  }

  /** Ends the process; running work is rejected. */
  async close(): Promise<void> {
    this.#undo();
    const life = await this.#life?.catch(() => undefined);
    this.#life = undefined;
    if (!life || life.ended) return;
    this.#ended(life, 'it was closed');
    const exited = new Promise((resolve) => life.child.once('exit', resolve));
    life.child.ref();
    life.child.kill('SIGKILL');
    await exited;
  }
}

function requireAlive(life: Life, tensor: DeviceTensor): void {
  if (tensor.life !== life.number)
    throw new DeviceLostError('a tensor of a device process that has ended was used; upload it again');
}

/** Why a process ended, with what it wrote last. */
function lastWords({ words }: Life, why: string): string {
  const line = words.trim().split('\n').at(-1);
  return line ? `${why}: ${line}` : why;
}
