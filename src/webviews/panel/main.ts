/** The program of every panel of VS Code: the handshake with the host, then the view that the host names. */
import type { JsonObject } from '../../protocol/notebook.js';
import { VIEWS, type ViewName } from '../../protocol/views.js';
import { WEBVIEW_PROTOCOL, type FromWebview, type PanelState, type ToWebview } from '../../protocol/webview.js';
import { el, fill } from '../ui/dom.js';
import { LinkBus } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { hostOf, RpcClient } from '../ui/rpc.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import type { View } from '../ui/view.js';
import { openView } from '../views.js';
import { isRecord } from '../../protocol/objects.js';

interface VsCodeApi {
  postMessage(message: FromWebview): void;
  getState(): unknown;
  setState(state: PanelState): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const PAGE_CSS = `html, body { height: 100%; margin: 0; padding: 0; overflow: hidden; } #root { height: 100%; }`;

const code = acquireVsCodeApi();
const log = (message: string) => code.postMessage({ type: 'log', level: 'error', message });
const rpc = new RpcClient((message) => code.postMessage(message));
const link = new LinkBus(
  (selection) => void rpc.request('link.send', { selection }).catch((error: unknown) => log(messageOf(error))),
);
const root = document.getElementById('root') ?? document.body.appendChild(el('main', { id: 'root' }));
adoptStyles(root, PAGE_CSS);

let shown = '';
let drawn: View | undefined;

/** State that this page kept of the same thing, also by the version before. */
function keptState(view: ViewName, id: string): JsonObject | undefined {
  const before = code.getState() as Partial<PanelState> | undefined;
  const descriptor = before?.[VIEWS[view].saved] as { id?: unknown } | undefined;
  return before?.version === 1 && descriptor?.id === id ? before.view : undefined;
}

function open({ view, descriptor, host, state }: Extract<ToWebview, { type: 'init' }>): void {
  const subject = `${view} ${descriptor.id}`;
  // The host may answer twice (a reload, a hidden panel that comes back); the same subject is not built again.
  if (shown === subject) return;
  shown = subject;
  const own = keptState(view, descriptor.id) ?? state;
  const keep = (kept: JsonObject | undefined) =>
    code.setState({ version: 1, [VIEWS[view].saved]: descriptor, host, view: kept });
  keep(own);
  drawn?.dispose();
  drawn = openView(view, root, descriptor, { ...hostOf(rpc, view, descriptor), link, state: own, onState: keep });
  drawn.ready.catch((error: unknown) => {
    // Another opening message may try again.
    shown = '';
    log(`${subject}: ${messageOf(error)}`);
  });
}

addEventListener('message', (event: MessageEvent<unknown>) => {
  if (rpc.receive(event.data) || link.receive(event.data) || !isRecord(event.data)) return;
  const message = event.data as ToWebview;
  if (message.type === 'init') open(message);
  else if (message.type === 'refused') {
    followTheme(root, () => undefined);
    fill(root, el('p', { class: 'fg-none', role: 'alert' }, message.reason));
  }
});
addEventListener('error', (event) => log(event.message));
code.postMessage({ type: 'ready', protocol: WEBVIEW_PROTOCOL });
