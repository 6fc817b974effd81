/** Carries what live views ask to the kernel that has them: one of those of the notebooks in a folder. */
import { LIVE_GONE, type LiveCall } from '../../protocol/live.js';
import type { Json } from '../../protocol/notebook.js';
import type { WebviewRequests } from '../../protocol/webview.js';

/** What is needed of a notebook's session. */
export interface LiveSession {
  readonly folder: string;
  readonly state: string;
  readonly kernel: { live(call: LiveCall): Promise<Json> };
}

type LiveState = WebviewRequests['live.state']['value'];

export interface LiveCalls {
  call(folder: string, call: LiveCall): Promise<Json>;
  state(folder: string): LiveState;
}

const ATTACHED = ['idle', 'busy', 'interrupting'];

export function liveCalls(sessions: () => readonly LiveSession[]): LiveCalls {
  const inFolder = (folder: string): LiveSession[] => sessions().filter((s) => s.folder === folder);
  return {
    async call(folder, call) {
      for (const session of inFolder(folder)) {
        if (!ATTACHED.includes(session.state)) continue;
        try {
          return await session.kernel.live(call);
        } catch (error) {
          // Another notebook of the folder may have made it.
          if (!(error instanceof Error && error.message.startsWith(LIVE_GONE))) throw error;
        }
      }
      throw new Error(`${LIVE_GONE}: run its cell again to make it answer.`);
    },
    state(folder) {
      const states = inFolder(folder).map((s) => s.state);
      if (states.some((s) => s === 'busy' || s === 'interrupting')) return 'busy';
      if (states.some((s) => s === 'starting' || s === 'restarting')) return 'starting';
      return states.includes('idle') ? 'idle' : 'none';
    },
  };
}
