/** Builds the parts by hand and wires them; nothing else. */
import path from 'node:path';
import * as vscode from 'vscode';
import { MIME } from '../protocol/mime.js';
import { NOTEBOOK_TYPE } from '../protocol/notebook.js';
import { registerCommands } from './commands/register.js';
import { saveOutputs } from './config.js';
import { createLanguageFeatures } from './language/index.js';
import { watchCellIds } from './notebook/cellIds.js';
import { notebookFolderOf, Sessions } from './notebook/controller.js';
import { FgnbSerializer } from './notebook/serializer.js';
import { featureLink, followFeatureLink } from './panels/featureLinks.js';
import { openFeaturePage } from './panels/featurePages.js';
import { LinkHub } from './panels/linkHub.js';
import { liveCalls, tellSelections } from './panels/liveCalls.js';
import { serveRenderer } from './panels/rendererMessaging.js';
import type { ViewServices } from './panels/services.js';
import { ViewPanels } from './panels/viewPanels.js';
import { activeNotebook } from './views/activeNotebook.js';
import { createArtifactsView } from './views/artifacts.js';
import { maintainContextKeys } from './views/contextKeys.js';
import { createStatusBar } from './views/statusBar.js';
import { createVariablesView } from './views/variables.js';

/** What tests reach. */
export interface ExtensionApi {
  sessions: Sessions;
  panels: ViewPanels;
  mimes: typeof MIME;
}

export function activate(context: vscode.ExtensionContext): ExtensionApi {
  const log = vscode.window.createOutputChannel('Feature Geometry', { log: true });
  const doctor = vscode.window.createOutputChannel('Feature Geometry Doctor');
  const extensionFolder = context.extensionPath;
  const kernelFolder = path.join(extensionFolder, 'dist', 'kernel');
  const serializer = new FgnbSerializer(saveOutputs);
  const sessions = new Sessions(kernelFolder, log);
  const live = liveCalls(() => sessions.all());
  // Kernels that run, or are of an earlier version, must not hold up the views.
  const missed = (error: unknown): void => log.warn(`what is selected did not reach a kernel: ${String(error)}`);
  const hub = new LinkHub((folder, selection) => void live.tellSelection(folder, selection).catch(missed));
  const views: ViewServices = {
    extensionUri: context.extensionUri,
    log,
    hub,
    open: (view, descriptor, folder, state) => panels.show({ view, descriptor, folder, state }),
    featureLink: (folder, sae, feature) => featureLink(context.extension.id, folder, sae, feature),
    openFeature: (folder, sae, feature) => openFeaturePage(panels, folder, sae, feature),
    live,
  };
  const panels = new ViewPanels(views);
  const openLink = async (uri: vscode.Uri): Promise<void> => {
    const notebook = activeNotebook();
    await followFeatureLink(panels, uri, notebook && notebookFolderOf(notebook)).catch((error: unknown) => {
      void vscode.window.showWarningMessage(`The link to a feature could not be followed: ${String(error)}`);
    });
  };
  context.subscriptions.push(
    log,
    doctor,
    vscode.workspace.registerNotebookSerializer(NOTEBOOK_TYPE, serializer, { transientOutputs: false }),
    watchCellIds((error) => log.error(String(error))),
    sessions,
    panels,
    serveRenderer(views),
    sessions.onDidAttach((session) => void tellSelections(session, hub.lit(session.folder)).catch(missed)),
    vscode.window.registerUriHandler({ handleUri: (uri) => openLink(uri) }),
    maintainContextKeys(sessions),
    createStatusBar(sessions),
    createVariablesView(sessions, log),
    createArtifactsView(sessions),
    createLanguageFeatures(extensionFolder, log),
    registerCommands({ extensionFolder, kernelFolder, sessions, panels, log, doctor }),
  );
  return { sessions, panels, mimes: MIME };
}
