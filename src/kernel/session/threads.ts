/** Messages between the main thread, where cells run, and the control thread. */
import type { ClientMessage, KernelMessage } from '../../protocol/kernel.js';

/** What the control thread needs to know at its start. */
export interface ControlData {
  flags: SharedArrayBuffer;
  mode:
    | {
        kind: 'socket';
        runFolder: string;
        notebook: string;
        session: string;
        idleMinutes: number;
        /** The kernel ends when its client leaves. */
        withClient: boolean;
      }
    | { kind: 'pipe'; fd: number };
}

export type ToControl =
  /** `costKb`: what it counts for while it is on its way, set by the sending side. */
  | { type: 'message'; message: KernelMessage; buffers: Uint8Array[]; costKb?: number }
  /** The session's state for the welcome of a client. */
  | { type: 'status'; executionCount: number; running?: string }
  | { type: 'goodbye' };

export type ToMain =
  /** `asked`: how many interrupts had been asked for when the message came; a later one takes it along. */
  | { type: 'client'; asked: number; message: Extract<ClientMessage, { type: 'execute' | 'request' }> }
  | { type: 'interrupt' }
  /** A headless run is to end, because the launching process got this signal or is gone. An interrupt follows. */
  | { type: 'stop'; signal: StopSignal }
  | { type: 'shutdown' };

/** Signals that end a headless run at the next step, and the byte that stands for each on the pipe. */
export type StopSignal = 'SIGINT' | 'SIGTERM';
export const STOP_BYTES: Record<StopSignal, string> = { SIGINT: 'i', SIGTERM: 't' };
