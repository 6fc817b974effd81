/** The map panel of VS Code: shakes hands with the host, then shows the map that it names. */
import type { FromWebview, PanelState, ToWebview } from '../../protocol/webview.js';
import { WEBVIEW_PROTOCOL } from '../../protocol/webview.js';
import { el } from '../ui/dom.js';
import { LinkBus } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { isObject, RpcClient, rpcMapSource } from '../ui/rpc.js';
import { adoptStyles } from '../ui/theme.js';
import { createMapView, type MapView } from './view.js';

interface VsCodeApi {
  postMessage(message: FromWebview): void;
  getState(): PanelState | undefined;
  setState(state: PanelState): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const PAGE_CSS = `html, body { height: 100%; margin: 0; padding: 0; overflow: hidden; } #root { height: 100%; }`;

function start(): void {
  const code = acquireVsCodeApi();
  const rpc = new RpcClient((message) => code.postMessage(message));
  const link = new LinkBus((selection) => {
    rpc
      .request('link.send', { selection })
      .catch((error: unknown) => code.postMessage({ type: 'log', level: 'error', message: messageOf(error) }));
  });
  const root = document.getElementById('root') ?? document.body.appendChild(el('main', { id: 'root' }));
  adoptStyles(root, PAGE_CSS);
  let view: MapView | null = null;
  let shown = '';

  const show = (message: Extract<ToWebview, { type: 'init' }>) => {
    // The host may answer twice (a reload, a hidden panel that comes back); the same map is not built again.
    if (shown === message.map.id) return;
    shown = message.map.id;
    view?.dispose();
    const kept = code.getState();
    const own = kept?.version === 1 && kept.map.id === message.map.id ? kept.view : undefined;
    const keep = (state?: PanelState['view']) =>
      code.setState({ version: 1, map: message.map, host: message.host, view: state });
    keep(own);
    view = createMapView(root, rpcMapSource(rpc, message.map), {
      state: own ?? message.state,
      onState: keep,
      link,
    });
    view.ready.catch((error: unknown) => {
      // Another `init` may try again.
      shown = '';
      code.postMessage({ type: 'log', level: 'error', message: `map ${message.map.id}: ${String(error)}` });
    });
  };

  addEventListener('message', (event: MessageEvent<unknown>) => {
    if (rpc.receive(event.data) || link.receive(event.data) || !isObject(event.data)) return;
    const message = event.data as ToWebview;
    if (message.type === 'init') show(message);
    else if (message.type === 'showFeature') {
      const { set, feature } = message;
      void view?.ready.then(() => view?.pin(set, feature));
    } else if (message.type === 'search') {
      const { text } = message;
      void view?.ready.then(() => view?.search(text));
    }
  });
  addEventListener('error', (event) => code.postMessage({ type: 'log', level: 'error', message: event.message }));
  code.postMessage({ type: 'ready', protocol: WEBVIEW_PROTOCOL });
}

start();
