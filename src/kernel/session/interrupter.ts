/** The control thread's half of an interrupt: it makes the main thread leave whatever JavaScript it runs. */
import inspector from 'node:inspector';
import { GATE_COUNT, IN_NATIVE, TERMINATING } from '../compute/nativeCall.js';

/** Shared counters: the control thread asks, the main thread says up to which request it has answered. */
export const ASKED = 0;
export const ANSWERED = 1;
/** Kilobytes of heap and of array buffers, written by the main thread. */
export const HEAP_KB = 2;
export const BUFFERS_KB = 3;
/** Kilobytes of messages on their way to the control thread. */
export const PENDING_KB = 4;
const GATE = 5;
export const FLAG_COUNT = GATE + GATE_COUNT;

/** The part of the counters by which native calls and terminations keep out of each other's way. */
export function gateOf(flags: Int32Array): Int32Array {
  return new Int32Array(flags.buffer, flags.byteOffset + 4 * GATE, GATE_COUNT);
}

/** How long an idle main thread gets to answer before its JavaScript is terminated. */
const GRACE_MS = 60;
const RETRY_MS = 250;
const NATIVE_RETRY_MS = 2;
const GIVE_UP_MS = 60_000;

export interface InterrupterOptions {
  flags: Int32Array;
  /** Sends the main thread the message that makes it answer. */
  notify: () => void;
  /** The main thread has not answered for 5 s: it is inside a native call. */
  onStuck?: () => void;
}

export class Interrupter {
  private readonly session = new inspector.Session();
  private timer: NodeJS.Timeout | undefined;
  private since = 0;
  private warned = false;
  private readonly gate: Int32Array;

  constructor(private readonly options: InterrupterOptions) {
    this.gate = gateOf(options.flags);
    this.session.connectToMainThread();
  }

  /**
   * Asks the main thread to stop its cell; may be called again at any time.
   * @param grace milliseconds that the main thread gets to answer by itself.
   */
  interrupt(grace = GRACE_MS): void {
    const { flags, notify } = this.options;
    Atomics.add(flags, ASKED, 1);
    this.since = Date.now();
    this.warned = false;
    notify();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.insist(), grace);
  }

  /** Terminates as long as the main thread is too busy to answer; code that catches everything gets it again. */
  private insist(): void {
    const { flags, notify, onStuck } = this.options;
    const waited = Date.now() - this.since;
    if (Atomics.load(flags, ANSWERED) >= Atomics.load(flags, ASKED) || waited > GIVE_UP_MS) return this.open();
    if (waited > 5000 && !this.warned) {
      this.warned = true;
      onStuck?.();
    }
    Atomics.store(this.gate, TERMINATING, 1);
    if (Atomics.load(this.gate, IN_NATIVE) === 1) {
      // Terminating inside a native call would take the process down; the next one waits at the gate.
      this.timer = setTimeout(() => this.insist(), NATIVE_RETRY_MS);
      return;
    }
    this.session.post('Runtime.terminateExecution', () => undefined);
    // The termination may have hit the very handler of the message: send it again.
    notify();
    this.timer = setTimeout(() => this.insist(), RETRY_MS);
  }

  /** Lets native calls through again. */
  private open(): void {
    Atomics.store(this.gate, TERMINATING, 0);
    Atomics.notify(this.gate, TERMINATING);
  }

  close(): void {
    clearTimeout(this.timer);
    this.open();
    this.session.disconnect();
  }
}
