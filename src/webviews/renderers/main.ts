/** The notebook output renderer. Each output lives in a shadow root of its own and is freed by id. */
import type { ActivationFunction, OutputItem, RendererContext } from 'vscode-notebook-renderer';
import type { JsonObject } from '../../protocol/notebook.js';
import { VIEWS, type ViewName } from '../../protocol/views.js';
import { WEBVIEW_PROTOCOL } from '../../protocol/webview.js';
import { el } from '../ui/dom.js';
import { LinkBus, openFeature } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { hostOf, RpcClient } from '../ui/rpc.js';
import { renderOutput, type DrawnOutput, type OutputEnvironment } from './outputs.js';

/** States of views by id, under "maps", "graphs", …: the saved word of the kind with an s. */
type RendererState = Record<string, Record<string, JsonObject> | undefined>;

const place = (view: ViewName): string => `${VIEWS[view].saved}s`;

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
    host: (view, descriptor) => ({
      ...(rpc ? hostOf(rpc, view, descriptor) : { files: null, live: null }),
      link,
      covered: true,
    }),
    openInPanel: rpc
      ? (view, descriptor, state) => void rpc.request('view.open', { view, descriptor, state }).catch(complain)
      : undefined,
    openFeature: rpc ? (sae) => (feature) => openFeature(link, sae, feature, `feature ${feature}`) : undefined,
    copyText: async (text) => {
      if (rpc) await rpc.request('text.copy', { text });
      else await navigator.clipboard.writeText(text);
    },
    state: (view, id) => context.getState()?.[place(view)]?.[id],
    keepState: (view, id, state) => {
      const kept = context.getState() ?? {};
      context.setState({ ...kept, [place(view)]: { ...kept[place(view)], [id]: state } });
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
    /**
     * Settles when the output is drawn: VS Code measures it then. If it measured a chart while it is still empty, and
     * the drawn chart is as high as before, it would go on taking it for empty and lay the outputs below over it.
     */
    async renderOutputItem(item: OutputItem, element: HTMLElement, signal: AbortSignal): Promise<void> {
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
      const output = renderOutput(item.mime, json, root, env);
      drawn.set(item.id, { output, element });
      await output.ready;
    },
    disposeOutputItem(id?: string): void {
      for (const key of id === undefined ? [...drawn.keys()] : [id]) dispose(key);
    },
  };
};
