/** What every long call takes and does: progress, cancel, room to breathe. */
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

/** Runs after what waits already. Pages have no setImmediate, and their timers of 0 ms come to wait 4. */
const soon: (run: () => void) => void =
  typeof setImmediate === 'function'
    ? (run) => void setImmediate(run)
    : (run) => {
        const { port1, port2 } = new MessageChannel();
        // Node's types know the events of Node alone.
        (port1 as { onmessage?: () => void }).onmessage = () => {
          port1.close();
          run();
        };
        port2.postMessage(null);
      };

/**
 * A pause for the short turns of a long loop: it breathes at most every `everyMs` and says so (true), for progress. A
 * signal that is aborted already throws here, before the loop starts, and at the next pause, however short the loop is.
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
