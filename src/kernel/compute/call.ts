/** Options and helpers of every long call: progress, cancellation, pauses for the event loop. */
import type { Progress } from '../../protocol/kernel.js';

export interface CallOptions {
  /** Aborting rejects the call with an AbortError. */
  signal?: AbortSignal;
  /** Called often; the receiver limits the rate. */
  onProgress?: (progress: Progress) => void;
}

/** Thrown when a call's signal is aborted. */
export class AbortError extends Error {
  override name = 'AbortError';
  constructor(what = 'call') {
    super(`${what} was cancelled`);
  }
}

/** Throws AbortError when the signal is aborted. */
export function checkAborted(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw new AbortError(what);
}

/** Lets timers, sockets and aborts run; call it between pieces of at most half a second. */
export function breathe(): Promise<void> {
  return new Promise(soon);
}

/**
 * Runs a callback after those that already wait. Pages have no setImmediate, and browsers stretch repeated timers of 0
 * ms to 4 ms.
 */
const soon: (run: () => void) => void =
  typeof setImmediate === 'function'
    ? (run) => void setImmediate(run)
    : (run) => {
        const { port1, port2 } = new MessageChannel();
        // Node's types of MessagePort lack onmessage.
        (port1 as { onmessage?: () => void }).onmessage = () => {
          port1.close();
          run();
        };
        port2.postMessage(null);
      };

/**
 * Makes the pause function of a long loop, to be awaited in every iteration. At most every `everyMs` milliseconds it
 * lets other events run and then gives true: time to report progress. A signal that is already aborted throws here,
 * before the loop starts; one that is aborted later throws at the next pause.
 * @throws AbortError
 */
export function pauses(signal: AbortSignal | undefined, what: string, everyMs = 100): () => Promise<boolean> {
  checkAborted(signal, what);
  let last = performance.now();
  return async () => {
    checkAborted(signal, what);
    if (performance.now() - last < everyMs) return false;
    await breathe();
    checkAborted(signal, what);
    last = performance.now();
    return true;
  };
}
