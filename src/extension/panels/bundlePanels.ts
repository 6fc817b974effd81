/** Panels that show one thing each (a feature map, a Mapper graph, an interventions panel) and are found again after a window reload. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import * as vscode from 'vscode';
import { NOTEBOOK_TYPE, type JsonObject } from '../../protocol/notebook.js';
import { panelHtml, type FromWebview, type ToWebview, type WebviewMethod } from '../../protocol/webview.js';
import type { LinkPort } from './linkHub.js';
import { logFromWebview, reply, type RequestHost, type ViewServices } from './requests.js';

export interface BundleDescriptor {
  id: string;
  /** Where its bundle lies, when it has one. */
  path?: string;
  meta: { title: string };
}

/** What distinguishes one kind of panel. */
export interface PanelKind<D extends BundleDescriptor> {
  viewType: string;
  /** Program in dist/webviews. */
  script: string;
  /** Title where the bundle has none. */
  title: string;
  /** The answer to `ready`. */
  init(descriptor: D, host: JsonObject, state: JsonObject | undefined): ToWebview;
  /** The descriptor in the state that the webview kept. */
  kept(state: unknown): { descriptor: D; host: JsonObject } | undefined;
}

export class BundlePanels<D extends BundleDescriptor> implements vscode.Disposable {
  private readonly open = new Map<string, vscode.WebviewPanel>();
  private readonly counts = new Map<WebviewMethod, number>();
  private readonly registration: vscode.Disposable;

  constructor(
    private readonly kind: PanelKind<D>,
    private readonly services: ViewServices,
  ) {
    this.registration = vscode.window.registerWebviewPanelSerializer(kind.viewType, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        const kept = kind.kept(state);
        const folder = kept?.host.notebookFolder;
        if (!kept || typeof folder !== 'string' || !isKnownFolder(folder)) {
          panel.dispose();
          return;
        }
        this.fill(panel, kept.descriptor, folder, undefined);
      },
    });
  }

  /** Shows the bundle, in its panel when it has one already. */
  show(descriptor: D, notebookFolder: string, state?: JsonObject): void {
    const known = this.open.get(keyOf(descriptor, notebookFolder));
    if (known) {
      known.reveal(undefined, false);
      return;
    }
    const beside = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: false };
    const panel = vscode.window.createWebviewPanel(this.kind.viewType, descriptor.meta.title, beside, {});
    this.fill(panel, descriptor, notebookFolder, state);
  }

  /** Titles of the open panels: for tests and commands. */
  titles(): string[] {
    return [...this.open.values()].map((panel) => panel.title);
  }

  /** How many requests of a method were answered with a value: for tests. */
  answered(method: WebviewMethod): number {
    return this.counts.get(method) ?? 0;
  }

  private fill(panel: vscode.WebviewPanel, descriptor: D, folder: string, state: JsonObject | undefined): void {
    const { extensionUri, log, hub } = this.services;
    const dist = vscode.Uri.joinPath(extensionUri, 'dist', 'webviews');
    const media = vscode.Uri.joinPath(extensionUri, 'media');
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [dist, media] };
    panel.title = descriptor.meta.title || this.kind.title;
    panel.iconPath = {
      light: vscode.Uri.joinPath(media, 'file-light.svg'),
      dark: vscode.Uri.joinPath(media, 'file-dark.svg'),
    };
    const key = keyOf(descriptor, folder);
    this.open.set(key, panel);
    const post = (message: ToWebview): void =>
      void webview
        .postMessage(message)
        .then(undefined, (e: unknown) => log.warn(`${this.kind.viewType} panel: ${String(e)}`));
    const port = hub.join({ folder, post: (selection) => post({ type: 'link', selection }) });
    panel.onDidDispose(() => {
      this.open.delete(key);
      port.dispose();
    });
    const host: RequestHost = { services: this.services, folder, jsonOnly: false, link: port };
    webview.onDidReceiveMessage((message: FromWebview) => this.receive(message, descriptor, state, host, port, post));
    webview.html = panelHtml({
      title: panel.title,
      scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(dist, this.kind.script)).toString(),
      cspSource: webview.cspSource,
      nonce: randomBytes(24).toString('base64'),
    });
  }

  private receive(
    message: FromWebview,
    descriptor: D,
    state: JsonObject | undefined,
    host: RequestHost,
    port: LinkPort,
    post: (message: ToWebview) => void,
  ): void {
    switch (message.type) {
      case 'ready':
        post(this.kind.init(descriptor, { notebookFolder: host.folder }, state));
        return port.replay();
      case 'request':
        return void reply(message, host).then((answer) => {
          if (answer.ok) this.counts.set(message.method, this.answered(message.method) + 1);
          post(answer);
        });
      case 'log':
        return logFromWebview(message, this.services.log);
    }
  }

  dispose(): void {
    this.registration.dispose();
  }
}

function keyOf(ref: BundleDescriptor, notebookFolder: string): string {
  return `${ref.id} ${path.join(notebookFolder, ref.path ?? '')}`;
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
