/** Serves notebook outputs: the renderer sends the same requests as the panels, as JSON. */
import * as vscode from 'vscode';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { RENDERER_ID, type FromWebview } from '../../protocol/webview.js';
import { notebookFolderOf } from '../notebook/controller.js';
import type { LinkPort } from './linkHub.js';
import { logFromWebview, reply } from './requests.js';
import type { ViewServices } from './services.js';

export function serveRenderer(services: ViewServices): vscode.Disposable {
  const { log, hub } = services;
  const messaging = vscode.notebooks.createRendererMessaging(RENDERER_ID);
  const ports = new Map<vscode.NotebookEditor, LinkPort>();
  const post = (message: unknown, editor: vscode.NotebookEditor): void =>
    void messaging.postMessage(message, editor).then(undefined, (error: unknown) => log.error(String(error)));
  /** The outputs of one editor are one page. An editor that closed is dropped when the visible ones change. */
  const portOf = (editor: vscode.NotebookEditor): LinkPort => {
    let port = ports.get(editor);
    if (!port) {
      const folder = notebookFolderOf(editor.notebook);
      port = hub.join({ folder, post: (selection) => post({ type: 'link', selection }, editor) });
      ports.set(editor, port);
    }
    return port;
  };
  return vscode.Disposable.from(
    messaging.onDidReceiveMessage(({ editor, message }: { editor: vscode.NotebookEditor; message: FromWebview }) => {
      const { notebook } = editor;
      if (notebook.notebookType !== NOTEBOOK_TYPE) return;
      const link = portOf(editor);
      if (message.type === 'ready') return link.replay();
      if (message.type === 'log') return logFromWebview(message, log);
      const host = { services, folder: notebookFolderOf(notebook), jsonOnly: true, link };
      void reply(message, host).then((answer) => post(answer, editor));
    }),
    vscode.window.onDidChangeVisibleNotebookEditors((visible) => {
      for (const [editor, port] of ports) {
        if (visible.includes(editor)) continue;
        ports.delete(editor);
        port.dispose();
      }
    }),
  );
}
