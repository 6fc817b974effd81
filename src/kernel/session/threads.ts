/** Messages between the main thread, where cells run, and the control thread. */
import type { ClientMessage, KernelMessage } from '../../protocol/kernel.js';

/** Data with which the control thread starts. */
export interface ControlData {
  flags: SharedArrayBuffer;
  mode:
    | {
        kind: 'socket';
        runFolder: string;
        notebook: string;
        session: string;
        idleMinutes: number;
        /** Whether the kernel ends when its client leaves. */
        withClient: boolean;
      }
    | { kind: 'pipe'; fd: number };
}

export type ToControl =
  /** `costKb`: its size while it waits, set by the sending side. */
  | { type: 'message'; message: KernelMessage; buffers: Uint8Array[]; costKb?: number }
  /** The session's state, which a new client is welcomed with. */
  | { type: 'status'; executionCount: number; running?: string }
  | { type: 'goodbye' };

export type ToMain =
  /** `asked`: how many interrupts had been requested when the message arrived; a later interrupt also drops it. */
  | { type: 'client'; asked: number; message: Extract<ClientMessage, { type: 'execute' | 'request' }> }
  | { type: 'interrupt' }
  /** A headless run must end, because the launching process got this signal or is gone. An interrupt follows. */
  | { type: 'stop'; signal: StopSignal }
  | { type: 'shutdown' };

/** Signals that end a headless run at its next step, and the byte that stands for each on the pipe. */
export type StopSignal = 'SIGINT' | 'SIGTERM';
export const STOP_BYTES: Record<StopSignal, string> = { SIGINT: 'i', SIGTERM: 't' };
