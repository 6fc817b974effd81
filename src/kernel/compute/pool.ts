/** Worker threads for typed-array work that is not a matrix product. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AbortError, breathe, checkAborted } from './call.js';
import { GATE_COUNT, PROTECTED, TERMINATING } from './nativeCall.js';
import { poolTasks } from './poolTasks.js';
import type { PoolAnswer, PoolRequest } from './poolWorker.js';
import { claimWork, repairAfterTermination } from './work.js';

export interface TaskOptions {
  /** Buffers of the payload handed over instead of copied; unusable here afterwards. */
  transfer?: ArrayBuffer[];
  signal?: AbortSignal;
  /**
   * The caller does nothing meanwhile: one worker more than the pool's size may run, on the core that the caller leaves
   * free.
   */
  callerWaits?: boolean;
}

interface Job {
  request: PoolRequest;
  transfer: ArrayBuffer[];
  callerWaits: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Slot {
  worker: Worker;
  gate: Int32Array<SharedArrayBuffer>;
  job: Job | undefined;
}

/** Milliseconds between two checks whether a native call has ended. */
const LOOK_MS = 5;

/** Ends a worker once it runs no native call: terminating it inside one would end the whole process. */
async function endWorker({ worker, gate }: Slot): Promise<void> {
  Atomics.store(gate, TERMINATING, 1);
  // A worker that has ended has no thread.
  while (Atomics.load(gate, PROTECTED) !== 0 && worker.threadId >= 0)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await worker.terminate();
}

export interface PoolOptions {
  /** The worker's bundle; default poolWorker.cjs beside this file. Without it tasks run on the calling thread. */
  bundle?: string;
  /** Workers; default one less than the cores, at least one. */
  size?: number;
}

/** Worker threads that run one task each at a time; further tasks wait in the order they came. */
export class Pool {
  readonly size: number;
  #bundle: string | undefined;
  #slots: Slot[] = [];
  #queue: Job[] = [];
  #next = 1;
  #disposed = false;

  constructor(options: PoolOptions = {}) {
    this.size = options.size ?? Math.max(1, os.availableParallelism() - 1);
    const bundle = options.bundle ?? path.join(path.dirname(fileURLToPath(import.meta.url)), 'poolWorker.cjs');
    this.#bundle = fs.existsSync(bundle) ? bundle : undefined;
  }

  /** True when tasks run in workers. */
  get threaded(): boolean {
    return this.#bundle !== undefined;
  }

  /**
   * Runs a task of poolTasks.ts. Rejects with the task's own error, with AbortError when the signal is aborted (the
   * worker is then replaced), or with the reason when the worker dies.
   */
  async run<T>(task: string, payload: unknown, options: TaskOptions = {}): Promise<T> {
    if (this.#disposed) throw new Error(`the worker pool is closed: task "${task}" was not run`);
    if (!Object.hasOwn(poolTasks, task)) {
      throw new Error(`no pool task is named "${task}"; there are: ${Object.keys(poolTasks).join(', ')}`);
    }
    checkAborted(options.signal, `task "${task}"`);
    if (!this.#bundle) return this.#inline<T>(task, payload, options);
    return new Promise<T>((resolve, reject) => {
      const request = { id: this.#next++, task, payload };
      const abort = (): void => this.#abort(job);
      // When the cell that asked is stopped, its worker is freed for others.
      const release = claimWork(abort);
      const done = (): void => {
        release();
        options.signal?.removeEventListener('abort', abort);
      };
      const job: Job = {
        request,
        transfer: options.transfer ?? [],
        callerWaits: options.callerWaits ?? false,
        resolve: (value) => {
          done();
          resolve(value as T);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      options.signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(job);
      this.#dispatch();
    });
  }

  /** Starts workers for tasks of a caller that waits for them, so that they load while it makes ready. */
  start(workers: number): void {
    if (!this.#bundle || this.#disposed) return;
    while (this.#slots.length < Math.min(workers, this.size + 1)) this.#open(this.#bundle).worker.unref();
  }

  async #inline<T>(task: string, payload: unknown, options: TaskOptions): Promise<T> {
    // The same copies and transfers as with a worker, so that a task cannot come to depend on sharing.
    const sent = structuredClone(payload, { transfer: options.transfer ?? [] });
    await breathe();
    checkAborted(options.signal, `task "${task}"`);
    const { value, transfer } = await poolTasks[task](sent);
    checkAborted(options.signal, `task "${task}"`);
    return structuredClone(value, { transfer: transfer ?? [] }) as T;
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const size = this.size + (this.#queue[0].callerWaits ? 1 : 0);
      const busy = this.#slots.reduce((n, s) => n + (s.job ? 1 : 0), 0);
      if (busy >= size) return;
      let slot = this.#slots.find((s) => !s.job);
      if (!slot && this.#slots.length < size) slot = this.#open(this.#bundle!);
      if (!slot) return;
      const job = this.#queue.shift()!;
      slot.job = job;
      slot.worker.ref();
      try {
        slot.worker.postMessage(job.request, job.transfer);
      } catch (error) {
        // The payload could not be cloned: the worker never saw it.
        this.#free(slot);
        job.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  #free(slot: Slot): void {
    slot.job = undefined;
    // An idle worker must not keep the process alive.
    slot.worker.unref();
  }

  #open(bundle: string): Slot {
    const gate = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * GATE_COUNT));
    const worker = new Worker(bundle, { workerData: gate, execArgv: [] });
    const slot: Slot = { worker, gate, job: undefined };
    this.#slots.push(slot);
    worker.on('message', (answer: PoolAnswer) => {
      const job = slot.job;
      if (!job || job.request.id !== answer.id) return;
      this.#free(slot);
      if ('error' in answer) job.reject(answer.error);
      else job.resolve(answer.value);
      this.#dispatch();
    });
    const lost = (cause: unknown): void => {
      this.#drop(slot);
      const job = slot.job;
      slot.job = undefined;
      job?.reject(new Error(`the worker running task "${job.request.task}" died: ${String(cause)}`, { cause }));
      this.#dispatch();
    };
    worker.on('error', lost);
    worker.on('exit', (code) => {
      if (slot.job) lost(`it exited with code ${code}`);
      else this.#drop(slot);
    });
    return slot;
  }

  #drop(slot: Slot): void {
    this.#slots = this.#slots.filter((s) => s !== slot);
  }

  #abort(job: Job): void {
    const error = new AbortError(`task "${job.request.task}"`);
    const slot = this.#slots.find((s) => s.job === job);
    if (slot) {
      slot.job = undefined;
      this.#drop(slot);
      void endWorker(slot);
    }
    this.#queue = this.#queue.filter((j) => j !== job);
    job.reject(error);
    this.#dispatch();
  }

  /** Replaces all workers: a termination may have struck between any two steps of this class. */
  restart(): void {
    for (const slot of this.#slots.splice(0)) void endWorker(slot);
  }

  /** Rejects waiting and running tasks and ends the workers. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    const slots = this.#slots;
    this.#slots = [];
    const jobs = [...slots.flatMap((s) => (s.job ? [s.job] : [])), ...this.#queue];
    this.#queue = [];
    for (const slot of slots) slot.job = undefined;
    for (const job of jobs) job.reject(new Error(`the worker pool was closed while task "${job.request.task}" ran`));
    await Promise.all(slots.map(endWorker));
  }
}

let shared: Pool | undefined;
repairAfterTermination(() => shared?.restart());

/** The kernel's own pool; opened on first use. */
export function pool(): Pool {
  shared ??= new Pool();
  return shared;
}

/** Opens the kernel's pool with other options than the defaults: for programs that run from the sources. */
export async function openPool(options: PoolOptions): Promise<void> {
  await disposePool();
  shared = new Pool(options);
}

/** Runs a task of poolTasks.ts in the kernel's pool; see Pool.run. */
export function runTask<T>(task: string, payload: unknown, options?: TaskOptions): Promise<T> {
  return pool().run<T>(task, payload, options);
}

/** Ends the kernel's pool; the next task opens a new one. */
export async function disposePool(): Promise<void> {
  const old = shared;
  shared = undefined;
  await old?.dispose();
}
