/**
 * Starts the process as sessions need it: with the Node flag that interrupts depend on, and with the control thread.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { gateNativeCalls } from '../compute/nativeCall.js';
import { roughBytes } from './bounds.js';
import { heldOnDevice } from '../compute/graphs/current.js';
import { ANSWERED, ASKED, BUFFERS_KB, FLAG_COUNT, gateOf, GPU_KB, HEAP_KB, PENDING_KB } from './interrupter.js';
import { guardWorkers } from './guardWorkers.js';
import { REQUIRED_FLAG } from './evaluate.js';
import { exitProcess } from './process.js';
import type { ControlData, ToControl, ToMain } from './threads.js';

/** Whether Node was started with the flag, without which stopping a timer callback aborts the process. */
export function hasRequiredFlag(): boolean {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  return options.includes(REQUIRED_FLAG);
}

/** Starts this program again with the flag and with `pipes` additional pipes, from file descriptor 3 on. */
export function relaunch(script: string, args: readonly string[], pipes = 0): ChildProcess {
  const extra = Array.from({ length: pipes }, () => 'pipe' as const);
  return spawn(process.execPath, [...process.execArgv, REQUIRED_FLAG, script, ...args], {
    // Cells have no input: a read of file descriptor 0 ends at once instead of waiting at the terminal.
    stdio: ['ignore', 'inherit', 'inherit', ...extra],
  });
}

export interface ControlThread {
  post(message: ToControl): void;
  /** Tells the control thread that all interrupts so far have been handled. */
  answered(): void;
  /** Number of interrupts requested so far. */
  asked(): number;
  /** Whether an interrupt is not answered yet; its message may come more than once. */
  isAsked(): boolean;
  close(): Promise<void>;
}

const MEMORY_MS = 1000;

/** Kilobytes of messages that may wait for the control thread; a cell that shows more waits until there is room. */
const PENDING_LIMIT_KB = 32 * 1024;
/** A control thread that reads no message for this long is broken: the process is ended. */
const PENDING_PATIENCE_MS = 10_000;

/** Size of a waiting message, in whole kilobytes. */
function costKb({ message, buffers }: Extract<ToControl, { type: 'message' }>): number {
  return 1 + Math.ceil((roughBytes(message) + roughBytes(buffers)) / 1024);
}

function waitForRoom(flags: Int32Array): void {
  const until = Date.now() + PENDING_PATIENCE_MS;
  for (let now = Atomics.load(flags, PENDING_KB); now > PENDING_LIMIT_KB; now = Atomics.load(flags, PENDING_KB)) {
    if (Date.now() > until) return;
    Atomics.wait(flags, PENDING_KB, now, 100);
  }
}

/** Starts the control thread; `receive` gets its messages. */
export function startControl(mode: ControlData['mode'], receive: (message: ToMain) => void): ControlThread {
  const flags = new Int32Array(new SharedArrayBuffer(4 * FLAG_COUNT));
  gateNativeCalls(gateOf(flags));
  guardWorkers();
  const workerData: ControlData = { flags: flags.buffer as SharedArrayBuffer, mode };
  const folder = path.dirname(fileURLToPath(import.meta.url));
  const worker = new Worker(path.join(folder, 'control.cjs'), {
    workerData,
    stdout: false,
    stderr: false,
    execArgv: [],
  });
  worker.on('message', receive);
  worker.on('error', (error) => {
    // Without its control thread the kernel can neither be reached nor stopped.
    process.stderr.write(`control thread failed: ${error.stack ?? error.message}\n`);
    exitProcess(70);
  });
  const tell = (): void => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    Atomics.store(flags, HEAP_KB, heapUsed / 1024);
    Atomics.store(flags, BUFFERS_KB, Math.min(arrayBuffers / 1024, 2 ** 31 - 1));
    Atomics.store(flags, GPU_KB, Math.min(heldOnDevice() / 1024, 2 ** 31 - 1));
  };
  tell();
  const timer = setInterval(tell, MEMORY_MS);
  timer.unref();
  return {
    post: (message) => {
      if (message.type !== 'message') return worker.postMessage(message);
      const cost = costKb(message);
      waitForRoom(flags);
      // Copied, not transferred: the cell may still use the memory.
      worker.postMessage({ ...message, costKb: cost } satisfies Required<typeof message>);
      Atomics.add(flags, PENDING_KB, cost);
    },
    answered: () => void Atomics.store(flags, ANSWERED, Atomics.load(flags, ASKED)),
    asked: () => Atomics.load(flags, ASKED),
    isAsked: () => Atomics.load(flags, ANSWERED) < Atomics.load(flags, ASKED),
    async close() {
      clearInterval(timer);
      await worker.terminate();
    },
  };
}
