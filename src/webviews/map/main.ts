/** The map panel of VS Code: shows the map that the host names. */
import type { PanelState } from '../../protocol/webview.js';
import { startPanel } from '../ui/panel.js';
import { rpcMapSource } from '../ui/rpc.js';
import { createMapView, type MapView } from './view.js';

let view: MapView | null = null;
let path = '';

startPanel<PanelState>({
  subject: (message) => {
    if (message.type !== 'init') return null;
    const { map, host, state } = message;
    path = map.path;
    return { id: map.id, kept: { version: 1, map, host }, state };
  },
  keptId: (kept) => (kept.version === 1 ? kept.map?.id : undefined),
  open: ({ id, root, rpc, link, state, keep }) => {
    view?.dispose();
    view = createMapView(root, rpcMapSource(rpc, { id, path }), { state, onState: keep, link });
    return view.ready;
  },
  receive: (message) => {
    if (message.type === 'showFeature') {
      const { set, feature } = message;
      void view?.ready.then(() => view?.pin(set, feature));
    } else if (message.type === 'search') {
      const { text } = message;
      void view?.ready.then(() => view?.search(text));
    }
  },
});
