/** Carries what live views ask to the kernel that has them: one of those of the notebooks in a folder. */
import type { LinkedSelection } from '../../protocol/link.js';
import { LIVE_GONE, SELECTION_VIEW, type LiveCall } from '../../protocol/live.js';
import { plainJson } from '../../protocol/objects.js';
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
  /** Tells all kernels of the folder what is selected in its views; rejects for what a kernel refuses. */
  tellSelection(folder: string, selection: LinkedSelection): Promise<void>;
  /** State of the kernel that has the view; until one has answered for it, of all kernels of the folder together. */
  state(folder: string, view: string): LiveState;
}

const ATTACHED = ['idle', 'busy', 'interrupting'];

const isGone = (error: unknown): boolean => error instanceof Error && error.message.startsWith(LIVE_GONE);

function stateOf(sessions: readonly LiveSession[]): LiveState {
  const states = sessions.map((s) => s.state);
  if (states.some((s) => s === 'busy' || s === 'interrupting')) return 'busy';
  if (states.some((s) => s === 'starting' || s === 'restarting')) return 'starting';
  return states.includes('idle') ? 'idle' : 'none';
}

const tellOne = ({ kernel }: Pick<LiveSession, 'kernel'>, selection: LinkedSelection): Promise<Json> =>
  kernel.live({ view: SELECTION_VIEW, method: 'light', params: plainJson(selection) });

/** Tells a kernel that is just there all that is selected in the views of its folder. */
export async function tellSelections(
  session: Pick<LiveSession, 'kernel'>,
  selections: readonly LinkedSelection[],
): Promise<void> {
  const reset = session.kernel.live({ view: SELECTION_VIEW, method: 'reset', params: null });
  // All are sent at once, before any cell is.
  await Promise.all([reset, ...selections.map((each) => tellOne(session, each))]);
}

export function liveCalls(sessions: () => readonly LiveSession[]): LiveCalls {
  const inFolder = (folder: string): LiveSession[] => sessions().filter((s) => s.folder === folder);
  const attached = (folder: string): LiveSession[] => inFolder(folder).filter((s) => ATTACHED.includes(s.state));
  /** The session that answered for a view last. */
  const owners = new Map<string, LiveSession>();
  const ownerOf = (folder: string, view: string): LiveSession | undefined =>
    inFolder(folder).find((s) => s === owners.get(view));

  /** All are asked at once: one that is blocked by a cell must not delay the one that has the view. */
  function askAll(candidates: readonly LiveSession[], call: LiveCall): Promise<Json> {
    let failure = new Error(`${LIVE_GONE}: run its cell again to make it answer.`);
    if (candidates.length === 0) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      let left = candidates.length;
      for (const session of candidates)
        session.kernel.live(call).then(
          (value) => {
            owners.set(call.view, session);
            resolve(value);
          },
          (error: unknown) => {
            if (!isGone(error)) failure = error instanceof Error ? error : new Error(String(error));
            if (--left === 0) reject(failure);
          },
        );
    });
  }

  return {
    async call(folder, call) {
      const owner = ownerOf(folder, call.view);
      if (owner && ATTACHED.includes(owner.state)) {
        try {
          return await owner.kernel.live(call);
        } catch (error) {
          if (!isGone(error)) throw error;
          owners.delete(call.view);
        }
      }
      return askAll(
        attached(folder).filter((s) => s !== owner),
        call,
      );
    },
    async tellSelection(folder, selection) {
      await Promise.all(attached(folder).map((session) => tellOne(session, selection)));
    },
    state(folder, view) {
      const owner = ownerOf(folder, view);
      return stateOf(owner ? [owner] : inFolder(folder));
    },
  };
}
