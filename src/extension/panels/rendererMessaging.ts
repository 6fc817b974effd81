/** Serves notebook outputs: the renderer asks the same questions as the map panel, over a channel of JSON. */
import * as vscode from 'vscode';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { RENDERER_ID, type FromWebview } from '../../protocol/webview.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { MapData } from './mapData.js';
import type { MapPanels } from './mapPanel.js';
import { logFromWebview, reply } from './requests.js';

export function serveRenderer(panels: MapPanels, log: vscode.LogOutputChannel): vscode.Disposable {
  const messaging = vscode.notebooks.createRendererMessaging(RENDERER_ID);
  const data = new Map<string, MapData>();
  return messaging.onDidReceiveMessage(
    ({ editor, message }: { editor: vscode.NotebookEditor; message: FromWebview }) => {
      const { notebook } = editor;
      if (notebook.notebookType !== NOTEBOOK_TYPE) return;
      if (message.type === 'log') return logFromWebview(message, log);
      if (message.type !== 'request') return;
      const folder = notebookFolderOf(notebook);
      let maps = data.get(folder);
      if (!maps) data.set(folder, (maps = new MapData(folder)));
      const host = {
        data: maps,
        jsonOnly: true,
        openMap: (map: Parameters<MapPanels['show']>[0], state?: Parameters<MapPanels['show']>[2]) =>
          panels.show(map, folder, state),
        log,
      };
      reply(message, host).then(
        (answer) => messaging.postMessage(answer, editor),
        (error: unknown) => log.error(String(error)),
      );
    },
  );
}
