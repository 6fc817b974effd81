/** What every panel page does: the handshake with the host, requests, links, kept state, errors to the log. */
import type { JsonObject } from '../../protocol/notebook.js';
import { WEBVIEW_PROTOCOL, type FromWebview, type ToWebview } from '../../protocol/webview.js';
import { el } from './dom.js';
import { LinkBus } from './link.js';
import { messageOf } from './message.js';
import { isObject, RpcClient } from './rpc.js';
import { adoptStyles } from './theme.js';

interface VsCodeApi {
  postMessage(message: FromWebview): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const PAGE_CSS = `html, body { height: 100%; margin: 0; padding: 0; overflow: hidden; } #root { height: 100%; }`;

/** What the host named, with all that a view needs. */
export interface PanelSubject {
  id: string;
  root: HTMLElement;
  rpc: RpcClient;
  link: LinkBus;
  /** State to start from: kept by this page, else sent by the host. */
  state: JsonObject | undefined;
  /** Keeps the view's state. */
  keep(view: JsonObject | undefined): void;
}

export interface PanelProgram<K extends { view?: JsonObject }> {
  /** The subject of an opening message and its state as kept, without `view`; null for other messages. */
  subject(message: ToWebview): { id: string; kept: K; state: JsonObject | undefined } | null;
  /** Id of the subject in kept state of a version that is known; undefined for others. */
  keptId(kept: Partial<K>): string | undefined;
  /** Draws; the promise rejects where it could not. */
  open(subject: PanelSubject): Promise<void>;
  /** Any other message. */
  receive(message: ToWebview): void;
}

export function startPanel<K extends { view?: JsonObject }>(program: PanelProgram<K>): void {
  const code = acquireVsCodeApi();
  const log = (message: string) => code.postMessage({ type: 'log', level: 'error', message });
  const rpc = new RpcClient((message) => code.postMessage(message));
  const link = new LinkBus(
    (selection) => void rpc.request('link.send', { selection }).catch((error: unknown) => log(messageOf(error))),
  );
  const root = document.getElementById('root') ?? document.body.appendChild(el('main', { id: 'root' }));
  adoptStyles(root, PAGE_CSS);
  let shown = '';

  const open = (subject: NonNullable<ReturnType<typeof program.subject>>) => {
    const { id, kept, state } = subject;
    // The host may answer twice (a reload, a hidden panel that comes back); the same subject is not built again.
    if (shown === id) return;
    shown = id;
    const before = code.getState() as Partial<K> | undefined;
    const own = before && program.keptId(before) === id ? before.view : undefined;
    const keep = (view: JsonObject | undefined) => code.setState({ ...kept, view });
    keep(own ?? state);
    program.open({ id, root, rpc, link, state: own ?? state, keep }).catch((error: unknown) => {
      // Another opening message may try again.
      shown = '';
      log(`${id}: ${messageOf(error)}`);
    });
  };

  addEventListener('message', (event: MessageEvent<unknown>) => {
    if (rpc.receive(event.data) || link.receive(event.data) || !isObject(event.data)) return;
    const message = event.data as ToWebview;
    const subject = program.subject(message);
    if (subject) open(subject);
    else program.receive(message);
  });
  addEventListener('error', (event) => log(event.message));
  code.postMessage({ type: 'ready', protocol: WEBVIEW_PROTOCOL });
}
