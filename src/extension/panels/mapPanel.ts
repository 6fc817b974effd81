/** Feature maps in panels of their own. A panel is found again after a window reload. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import * as vscode from 'vscode';
import type { MapDescriptor } from '../../protocol/map.js';
import { NOTEBOOK_TYPE, type JsonObject } from '../../protocol/notebook.js';
import { MAP_PANEL, panelHtml, type FromWebview, type PanelState, type ToWebview } from '../../protocol/webview.js';
import { MapData } from './mapData.js';
import { logFromWebview, reply } from './requests.js';

interface Open {
  panel: vscode.WebviewPanel;
  map: MapDescriptor;
  notebookFolder: string;
}

export class MapPanels implements vscode.Disposable {
  private readonly open = new Map<string, Open>();
  private readonly registration: vscode.Disposable;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.registration = vscode.window.registerWebviewPanelSerializer(MAP_PANEL, {
      deserializeWebviewPanel: async (panel, state: Partial<PanelState> | undefined) => {
        const folder = state?.host?.notebookFolder;
        if (!state?.map || typeof folder !== 'string' || !isKnownFolder(folder)) {
          panel.dispose();
          return;
        }
        this.fill(panel, state.map, folder, undefined);
      },
    });
  }

  /** Shows the map, in its panel when it has one already. */
  show(map: MapDescriptor, notebookFolder: string, state?: JsonObject): void {
    const known = this.open.get(keyOf(map, notebookFolder));
    if (known) {
      known.panel.reveal(undefined, false);
      return;
    }
    const beside = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: false };
    const panel = vscode.window.createWebviewPanel(MAP_PANEL, map.meta.title, beside, {});
    this.fill(panel, map, notebookFolder, state);
  }

  /** How many map panels are open, and their titles: for tests and commands. */
  titles(): string[] {
    return [...this.open.values()].map(({ panel }) => panel.title);
  }

  private fill(
    panel: vscode.WebviewPanel,
    map: MapDescriptor,
    notebookFolder: string,
    state: JsonObject | undefined,
  ): void {
    const dist = vscode.Uri.joinPath(this.extensionUri, 'dist', 'webviews');
    const media = vscode.Uri.joinPath(this.extensionUri, 'media');
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [dist, media] };
    panel.title = map.meta.title || 'Feature map';
    panel.iconPath = {
      light: vscode.Uri.joinPath(media, 'file-light.svg'),
      dark: vscode.Uri.joinPath(media, 'file-dark.svg'),
    };
    const key = keyOf(map, notebookFolder);
    this.open.set(key, { panel, map, notebookFolder });
    panel.onDidDispose(() => this.open.delete(key));

    const post = (message: ToWebview): void =>
      void webview.postMessage(message).then(undefined, (e: unknown) => this.log.warn(`map panel: ${String(e)}`));
    const host = {
      data: new MapData(notebookFolder),
      jsonOnly: false,
      openMap: (other: MapDescriptor, otherState?: JsonObject) => this.show(other, notebookFolder, otherState),
      log: this.log,
    };
    webview.onDidReceiveMessage((message: FromWebview) => {
      switch (message.type) {
        case 'ready':
          return post({ type: 'init', map, host: { notebookFolder }, ...(state && { state }) });
        case 'request':
          return void reply(message, host).then(post);
        case 'log':
          return logFromWebview(message, this.log);
      }
    });
    webview.html = panelHtml({
      title: panel.title,
      scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(dist, 'map.js')).toString(),
      cspSource: webview.cspSource,
      nonce: randomBytes(24).toString('base64'),
    });
  }

  dispose(): void {
    this.registration.dispose();
  }
}

function keyOf(map: MapDescriptor, notebookFolder: string): string {
  return `${map.id} ${path.join(notebookFolder, map.path)}`;
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
