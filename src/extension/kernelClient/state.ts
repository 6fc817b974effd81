/**
 * The state of one notebook's kernel, as a pure reducer. Status bar, context keys and toolbar all follow from it.
 *
 *   none → starting → idle ⇄ busy → interrupting → idle
 *   any → restarting → starting        any → dead (with a cause)
 *   idle, busy → detached (another window took over)        idle, busy → lost (the connection broke) → dead, or idle again
 */
export type KernelState =
  'none' | 'starting' | 'idle' | 'busy' | 'interrupting' | 'restarting' | 'dead' | 'detached' | 'lost';

export type KernelEvent =
  | { type: 'start' }
  /** The kernel answered the handshake; `busy`: a cell is running in it. */
  | { type: 'attached'; busy: boolean }
  /** What the kernel says of itself. */
  | { type: 'reported'; state: 'starting' | 'idle' | 'busy' | 'interrupting' }
  | { type: 'interrupt' }
  | { type: 'restart' }
  /** The socket closed, and why is not known yet. */
  | { type: 'connectionLost' }
  /** The kernel said that another window took this one's place. */
  | { type: 'takenOver' }
  /** The process ended, or never came up. */
  | { type: 'died' }
  /** The process was stopped on request. */
  | { type: 'stopped' };

/** The state after an event; events that say nothing in a state leave it as it is. */
export function reduceKernel(state: KernelState, event: KernelEvent): KernelState {
  switch (event.type) {
    case 'start':
      return state === 'restarting' ? 'restarting' : 'starting';
    case 'attached':
      return event.busy ? 'busy' : 'idle';
    case 'reported':
      // Messages still under way from a process that is being replaced say nothing about the next one.
      if (state === 'restarting' || state === 'dead' || state === 'none') return state;
      // The stop was asked for and is not done while the kernel still reports the cell as running.
      if (state === 'interrupting' && event.state === 'busy') return state;
      return event.state;
    case 'interrupt':
      return state === 'busy' ? 'interrupting' : state;
    case 'restart':
      return 'restarting';
    case 'connectionLost':
      return state === 'restarting' || state === 'dead' || state === 'none' ? state : 'lost';
    case 'takenOver':
      return state === 'restarting' || state === 'dead' || state === 'none' ? state : 'detached';
    case 'died':
      return state === 'none' ? 'none' : 'dead';
    case 'stopped':
      return state === 'restarting' ? 'restarting' : 'none';
  }
}

/** Whether a client is connected to a running kernel. */
export function isAttached(state: KernelState): boolean {
  return state === 'idle' || state === 'busy' || state === 'interrupting';
}

/** States as shown. */
export const STATE_TEXT: Record<KernelState, string> = {
  none: 'no kernel',
  starting: 'starting',
  idle: 'idle',
  busy: 'busy',
  interrupting: 'stopping',
  restarting: 'restarting',
  dead: 'died',
  detached: 'used by another window',
  lost: 'connection lost',
};
