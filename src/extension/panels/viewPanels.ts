/** Panels that show one view each and are found again after a window reload. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import * as vscode from 'vscode';
import type { Descriptor } from '../../protocol/bundle.js';
import type { FeatureDescriptor } from '../../protocol/feature.js';
import type { LinkedSelection } from '../../protocol/link.js';
import { NOTEBOOK_TYPE, type JsonObject } from '../../protocol/notebook.js';
import { asDescriptor, panelType, VIEW_NAMES, VIEWS, type ViewName } from '../../protocol/views.js';
import {
  panelHtml,
  refusal,
  type FromWebview,
  type PanelState,
  type ToWebview,
  type WebviewMethod,
} from '../../protocol/webview.js';
import type { LinkPort } from './linkHub.js';
import { logFromWebview, reply, type RequestHost } from './requests.js';
import type { ViewServices } from './services.js';

/** What a panel shows. */
interface Shown {
  view: ViewName;
  descriptor: Descriptor;
  folder: string;
  /** To start from when the panel has none of its own. */
  state?: JsonObject;
}

interface OpenPanel {
  view: ViewName;
  panel: vscode.WebviewPanel;
  post(message: ToWebview): void;
  /** For a panel that was hidden: told when its page is there again. */
  later?: LinkedSelection;
}

export class ViewPanels implements vscode.Disposable {
  private readonly open = new Map<string, OpenPanel>();
  private readonly counts = new Map<WebviewMethod, number>();
  private readonly registrations: vscode.Disposable[];

  constructor(private readonly services: ViewServices) {
    this.registrations = VIEW_NAMES.map((view) =>
      vscode.window.registerWebviewPanelSerializer(panelType(view), {
        deserializeWebviewPanel: (panel, state: unknown) => {
          const shown = restored(view, state);
          if (shown) this.fill(panel, shown);
          else panel.dispose();
          return Promise.resolve();
        },
      }),
    );
  }

  /** Shows a view, in its panel when it has one already. */
  show(shown: Shown): void {
    const known = this.open.get(keyOf(shown));
    if (known) {
      known.panel.reveal(undefined, false);
      return;
    }
    const beside = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: false };
    const { view, descriptor } = shown;
    this.fill(vscode.window.createWebviewPanel(panelType(view), descriptor.meta.title, beside, {}), shown);
  }

  /** Shows a feature in its page, in the panel of the page when it has one already. */
  showFeature(descriptor: FeatureDescriptor, folder: string, feature: number): void {
    const shown: Shown = { view: 'feature', descriptor, folder, state: { feature } };
    const known = this.open.get(keyOf(shown));
    if (!known) return this.show(shown);
    const sets = [{ sae: descriptor.meta.sets[0].sae.id, features: [feature] }];
    const selection: LinkedSelection = { source: 'host', kind: 'open', sets, label: `feature ${feature}` };
    if (known.panel.visible) known.post({ type: 'link', selection });
    else known.later = selection;
    known.panel.reveal(undefined, false);
  }

  /** Titles of the open panels of a kind: for tests. */
  titles(view: ViewName): string[] {
    return [...this.open.values()].flatMap((each) => (each.view === view ? [each.panel.title] : []));
  }

  /** How many requests of a method were answered with a value: for tests. */
  answered(method: WebviewMethod): number {
    return this.counts.get(method) ?? 0;
  }

  private fill(panel: vscode.WebviewPanel, shown: Shown): void {
    const { view, descriptor, folder } = shown;
    const { extensionUri, log, hub } = this.services;
    const dist = vscode.Uri.joinPath(extensionUri, 'dist', 'webviews');
    const media = vscode.Uri.joinPath(extensionUri, 'media');
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [dist, media] };
    panel.title = descriptor.meta.title || VIEWS[view].noun;
    panel.iconPath = {
      light: vscode.Uri.joinPath(media, 'file-light.svg'),
      dark: vscode.Uri.joinPath(media, 'file-dark.svg'),
    };
    const key = keyOf(shown);
    const post = (message: ToWebview): void =>
      void webview.postMessage(message).then(undefined, (e: unknown) => log.warn(`${view} panel: ${String(e)}`));
    this.open.set(key, { view, panel, post });
    const port = hub.join({ folder, post: (selection) => post({ type: 'link', selection }) });
    panel.onDidDispose(() => {
      this.open.delete(key);
      port.dispose();
    });
    const host: RequestHost = { services: this.services, folder, jsonOnly: false, link: port };
    webview.onDidReceiveMessage((message: FromWebview) => this.receive(message, shown, host, port, post));
    webview.html = panelHtml({
      title: panel.title,
      scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(dist, 'panel.js')).toString(),
      cspSource: webview.cspSource,
      nonce: randomBytes(24).toString('base64'),
    });
  }

  private receive(
    message: FromWebview,
    shown: Shown,
    host: RequestHost,
    port: LinkPort,
    post: (message: ToWebview) => void,
  ): void {
    const { view, descriptor, state } = shown;
    switch (message.type) {
      case 'ready': {
        const reason = refusal(message.protocol);
        if (reason !== null) return post({ type: 'refused', reason });
        post({ type: 'init', view, descriptor, host: { notebookFolder: host.folder }, ...(state && { state }) });
        port.replay();
        return this.tellLater(shown);
      }
      case 'request':
        return void reply(message, host).then((answer) => {
          if (answer.ok) this.counts.set(message.method, this.answered(message.method) + 1);
          post(answer);
        });
      case 'log':
        return logFromWebview(message, this.services.log);
    }
  }

  private tellLater(shown: Shown): void {
    const known = this.open.get(keyOf(shown));
    if (known?.later) known.post({ type: 'link', selection: known.later });
    if (known) known.later = undefined;
  }

  dispose(): void {
    vscode.Disposable.from(...this.registrations).dispose();
  }
}

function keyOf({ view, descriptor, folder }: Shown): string {
  return `${view} ${descriptor.id} ${path.join(folder, descriptor.path ?? '')}`;
}

/** What the state that a panel kept says to show; undefined where it says nothing that may be shown. */
function restored(view: ViewName, value: unknown): Shown | undefined {
  const state = (value ?? {}) as Partial<PanelState>;
  const descriptor = asDescriptor(view, state[VIEWS[view].saved]);
  const folder = state.host?.notebookFolder;
  return descriptor && typeof folder === 'string' && isKnownFolder(folder) ? { view, descriptor, folder } : undefined;
}

/** Restored state is read back from the webview: only folders of this workspace or of open notebooks are served. */
function isKnownFolder(folder: string): boolean {
  const roots = [
    ...(vscode.workspace.workspaceFolders ?? []).map((f) => f.uri.fsPath),
    ...vscode.workspace.notebookDocuments
      .filter((n) => n.notebookType === NOTEBOOK_TYPE)
      .map((n) => path.dirname(n.uri.fsPath)),
  ];
  return roots.some((root) => folder === root || folder.startsWith(root + path.sep));
}
