/** The control thread's half of an interrupt: it ends whatever JavaScript the main thread runs. */
import inspector from 'node:inspector';
import { GATE_COUNT, LOADING, LONG_CALLS, PROTECTED, TERMINATING, TERMINATIONS } from '../compute/nativeCall.js';

/**
 * Indices of the shared counters: how many interrupts the control thread asked for, and up to which one the main thread
 * has answered.
 */
export const ASKED = 0;
export const ANSWERED = 1;
/** Kilobytes of heap and of array buffers, written by the main thread. */
export const HEAP_KB = 2;
export const BUFFERS_KB = 3;
/** Kilobytes of messages on their way to the control thread. */
export const PENDING_KB = 4;
/** Kilobytes that the main thread holds on GPUs. */
export const GPU_KB = 5;
const GATE = 6;
export const FLAG_COUNT = GATE + GATE_COUNT;

/** The part of the counters with which protected code and terminations exclude each other. */
export function gateOf(flags: Int32Array): Int32Array {
  return new Int32Array(flags.buffer, flags.byteOffset + 4 * GATE, GATE_COUNT);
}

/** FGNB_INTERRUPT_GRACE_MS: tests set it to 0, so that terminations strike everywhere. */
const given = process.env.FGNB_INTERRUPT_GRACE_MS;
/** How long a main thread gets to answer before its JavaScript is terminated. */
const GRACE_MS = Number(given ?? 60);
/** The same while a call of the kernel runs: it sees its signal within about half a second and then cleans up. */
const LONG_CALL_GRACE_MS = Number(given ?? 1500);
/** The same while Node loads a module: one that is cut off cannot be loaded a second time. */
const LOADING_GRACE_MS = Number(given ?? 4000);
const RETRY_MS = 250;
const PROTECTED_RETRY_MS = 2;
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
  /** A termination was requested and has not struck yet. */
  private underWay = false;
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
    this.again(grace);
  }

  private again(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.insist(), ms);
  }

  private get answered(): boolean {
    return Atomics.load(this.options.flags, ANSWERED) >= Atomics.load(this.options.flags, ASKED);
  }

  /** Milliseconds that the running code gets to end by itself. */
  private get grace(): number {
    if (Atomics.load(this.gate, LOADING) > 0) return LOADING_GRACE_MS;
    return Atomics.load(this.gate, LONG_CALLS) > 0 ? LONG_CALL_GRACE_MS : 0;
  }

  /** Terminates while the main thread is too busy to answer, more than once where code catches every error. */
  private insist(): void {
    const waited = Date.now() - this.since;
    if (this.answered || waited > GIVE_UP_MS) return this.open();
    if (waited > 5000 && !this.warned) {
      this.warned = true;
      this.options.onStuck?.();
    }
    if (waited < this.grace) return this.again(GRACE_MS);
    if (!this.underWay) {
      Atomics.store(this.gate, TERMINATING, 1);
      // Protected code runs; the next piece of it will wait at the gate.
      if (Atomics.load(this.gate, PROTECTED) === 1) return this.again(PROTECTED_RETRY_MS);
      if (this.answered) return this.open();
      this.terminate();
    }
    // The termination may have hit the message's own handler, or found nothing to end: send the message again.
    this.options.notify();
    this.again(RETRY_MS);
  }

  private terminate(): void {
    this.underWay = true;
    Atomics.add(this.gate, TERMINATIONS, 1);
    // The reply comes when the termination is over. Until then the main thread waits before it answers, so that the
    // termination cannot strike the session's next steps.
    this.session.post('Runtime.terminateExecution', () => {
      this.underWay = false;
      this.open();
      this.options.notify();
    });
  }

  /** Lets protected code run again. */
  private open(): void {
    if (this.underWay) return;
    Atomics.store(this.gate, TERMINATING, 0);
    Atomics.notify(this.gate, TERMINATING);
  }

  close(): void {
    clearTimeout(this.timer);
    this.underWay = false;
    this.open();
    this.session.disconnect();
  }
}
