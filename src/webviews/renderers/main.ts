/** The notebook output renderer. Each output lives in a shadow root of its own and is freed by id. */
import type { ActivationFunction, OutputItem, RendererContext } from 'vscode-notebook-renderer';
import type { GraphDescriptor } from '../../protocol/graph.js';
import type { LabDescriptor } from '../../protocol/lab.js';
import type { MapDescriptor } from '../../protocol/map.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { WEBVIEW_PROTOCOL } from '../../protocol/webview.js';
import { rpcLabSource } from '../lab/source.js';
import { el } from '../ui/dom.js';
import { LinkBus } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { RpcClient, rpcGraphSource, rpcMapSource } from '../ui/rpc.js';
import { renderOutput, type DrawnOutput, type OutputEnvironment } from './outputs.js';

interface RendererState {
  maps?: Record<string, JsonObject>;
  graphs?: Record<string, JsonObject>;
  labs?: Record<string, JsonObject>;
}

function environment(context: RendererContext<RendererState>): OutputEnvironment {
  const post = context.postMessage?.bind(context);
  const rpc = post ? new RpcClient((message) => post(message)) : null;
  const complain = (error: unknown) => post?.({ type: 'log', level: 'error', message: messageOf(error) });
  const link = new LinkBus(
    rpc ? (selection) => void rpc.request('link.send', { selection }).catch(complain) : undefined,
  );
  context.onDidReceiveMessage?.((message: unknown) => void (rpc?.receive(message) || link.receive(message)));
  // The host answers with what other views have lit.
  post?.({ type: 'ready', protocol: WEBVIEW_PROTOCOL });
  return {
    link,
    mapSource: (map: MapDescriptor) => (rpc ? rpcMapSource(rpc, map) : null),
    openInPanel: rpc ? (map, state) => void rpc.request('map.open', { map, state }).catch(complain) : undefined,
    graphSource: (graph: GraphDescriptor) => (rpc ? rpcGraphSource(rpc, graph) : null),
    openGraphInPanel: rpc
      ? (graph, state) => void rpc.request('graph.open', { graph, state }).catch(complain)
      : undefined,
    labSource: (lab: LabDescriptor) => (rpc ? rpcLabSource(rpc, lab.view) : null),
    openLabInPanel: rpc ? (lab, state) => void rpc.request('lab.open', { lab, state }).catch(complain) : undefined,
    labState: (id) => context.getState()?.labs?.[id],
    keepLabState: (id, state) => {
      const kept = context.getState() ?? {};
      context.setState({ ...kept, labs: { ...kept.labs, [id]: state } });
    },
    saveLabPage: rpc ? (lab) => rpc.request('lab.html', { lab }, Infinity) : undefined,
    saveFile: rpc ? (file) => rpc.request('file.save', file, Infinity) : undefined,
    saveGraphPage: rpc ? (graph) => rpc.request('graph.html', { graph }, Infinity) : undefined,
    copyText: async (text) => {
      if (rpc) await rpc.request('text.copy', { text });
      else await navigator.clipboard.writeText(text);
    },
    mapState: (id) => context.getState()?.maps?.[id],
    keepMapState: (id, state) => {
      const kept = context.getState() ?? {};
      context.setState({ ...kept, maps: { ...kept.maps, [id]: state } });
    },
    graphState: (id) => context.getState()?.graphs?.[id],
    keepGraphState: (id, state) => {
      const kept = context.getState() ?? {};
      context.setState({ ...kept, graphs: { ...kept.graphs, [id]: state } });
    },
  };
}

export const activate: ActivationFunction<RendererState> = (context) => {
  const env = environment(context);
  const drawn = new Map<string, { output: DrawnOutput; element: HTMLElement }>();
  const dispose = (id: string) => {
    drawn.get(id)?.output.dispose();
    drawn.delete(id);
  };

  return {
    renderOutputItem(item: OutputItem, element: HTMLElement, signal: AbortSignal): void {
      if (signal.aborted) return;
      let json: unknown;
      try {
        json = item.json();
      } catch (error) {
        dispose(item.id);
        element.textContent = `This output holds no valid JSON: ${messageOf(error)}`;
        return;
      }
      const before = drawn.get(item.id);
      if (before && before.element === element && before.output.mime === item.mime && before.output.update(json))
        return;
      dispose(item.id);
      const shadow = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
      shadow.textContent = '';
      const root = shadow.appendChild(el('div', { class: 'fg-root' }));
      drawn.set(item.id, { output: renderOutput(item.mime, json, root, env), element });
    },
    disposeOutputItem(id?: string): void {
      for (const key of id === undefined ? [...drawn.keys()] : [id]) dispose(key);
    },
  };
};
