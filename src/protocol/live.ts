/**
 * Live views: an output that asks the kernel that made it. A cell registers a handler under an id; the output carries the
 * id and the last state as data, so that it still shows something in a saved notebook, in a report and after a restart.
 *
 * Webview → host: request 'live.call' {view, method, params}. Host → kernel: request 'live' {view, method, params}. The
 * kernel answers when no cell runs (or says that it is busy); a newer call of the same view and method supersedes those
 * that wait, which are answered with an error whose text is LIVE_SUPERSEDED.
 */
import type { Json } from './notebook.js';

export interface LiveCall {
  /** Id under which the kernel's session holds the view. */
  view: string;
  method: string;
  params: Json;
}

/**
 * The view that every session has: the host tells it what is selected in the views of the notebook's folder: 'light' with a
 * LinkedSelection, and 'reset' when it attaches and is about to tell anew. It is answered at once, also while a cell runs.
 */
export const SELECTION_VIEW = 'selection';

/** Reply to a call that a newer one replaced. */
export const LIVE_SUPERSEDED = 'superseded';
/** Starts the reply when the session has no such view (restarted kernel, another session). */
export const LIVE_GONE = 'This view is not alive any more';
