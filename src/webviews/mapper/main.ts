/** The Mapper graph panel of VS Code: shows the graph that the host names. */
import type { GraphDescriptor } from '../../protocol/graph.js';
import type { GraphPanelState } from '../../protocol/webview.js';
import { startPanel } from '../ui/panel.js';
import { rpcGraphSource } from '../ui/rpc.js';
import { createGraphView, type GraphView } from './view.js';

let view: GraphView | null = null;
let graph: GraphDescriptor;

startPanel<GraphPanelState>({
  subject: (message) => {
    if (message.type !== 'initGraph') return null;
    const { host, state } = message;
    graph = message.graph;
    return { id: graph.id, kept: { version: 1, graph, host }, state };
  },
  keptId: (kept) => (kept.version === 1 ? kept.graph?.id : undefined),
  open: ({ root, rpc, link, state, keep }) => {
    view?.dispose();
    view = createGraphView(root, rpcGraphSource(rpc, graph), {
      state,
      onState: keep,
      link,
      saveFile: (file) => rpc.request('file.save', file, Infinity),
      saveGraphPage: () => rpc.request('graph.html', { graph }, Infinity),
    });
    return view.ready;
  },
  receive: (message) => {
    if (message.type !== 'search') return;
    const { text } = message;
    void view?.ready.then(() => view?.search(text));
  },
});
