/** Builds the parts by hand and wires them; nothing else. */
import path from 'node:path';
import * as vscode from 'vscode';
import { MIME } from '../protocol/mime.js';
import { NOTEBOOK_TYPE } from '../protocol/notebook.js';
import { registerCommands } from './commands/register.js';
import { saveOutputs } from './config.js';
import { createLanguageFeatures } from './language/index.js';
import { watchCellIds } from './notebook/cellIds.js';
import { Sessions } from './notebook/controller.js';
import { FgnbSerializer } from './notebook/serializer.js';
import { GraphData } from './panels/graphData.js';
import { GraphPanels } from './panels/graphPanel.js';
import { LabPanels } from './panels/labPanel.js';
import { LinkHub } from './panels/linkHub.js';
import { liveCalls } from './panels/liveCalls.js';
import { MapData } from './panels/mapData.js';
import { MapPanels } from './panels/mapPanel.js';
import { serveRenderer } from './panels/rendererMessaging.js';
import { perFolder, type ViewServices } from './panels/requests.js';
import { createArtifactsView } from './views/artifacts.js';
import { maintainContextKeys } from './views/contextKeys.js';
import { createStatusBar } from './views/statusBar.js';
import { createVariablesView } from './views/variables.js';

/** What tests reach. */
export interface ExtensionApi {
  sessions: Sessions;
  panels: MapPanels;
  graphPanels: GraphPanels;
  labPanels: LabPanels;
  mimes: typeof MIME;
}

export function activate(context: vscode.ExtensionContext): ExtensionApi {
  const log = vscode.window.createOutputChannel('Feature Geometry', { log: true });
  const doctor = vscode.window.createOutputChannel('Feature Geometry Doctor');
  const extensionFolder = context.extensionPath;
  const kernelFolder = path.join(extensionFolder, 'dist', 'kernel');
  const serializer = new FgnbSerializer(saveOutputs);
  const sessions = new Sessions(kernelFolder, log);
  const views: ViewServices = {
    extensionUri: context.extensionUri,
    log,
    hub: new LinkHub(),
    mapsOf: perFolder((folder) => new MapData(folder)),
    graphsOf: perFolder((folder) => new GraphData(folder)),
    openMap: (map, folder, state) => panels.show(map, folder, state),
    openGraph: (graph, folder, state) => graphPanels.show(graph, folder, state),
    openLab: (lab, folder, state) => labPanels.show(lab, folder, state),
    live: liveCalls(() => sessions.all()),
  };
  const panels = new MapPanels(views);
  const graphPanels = new GraphPanels(views);
  const labPanels = new LabPanels(views);
  context.subscriptions.push(
    log,
    doctor,
    vscode.workspace.registerNotebookSerializer(NOTEBOOK_TYPE, serializer, { transientOutputs: false }),
    watchCellIds((error) => log.error(String(error))),
    sessions,
    panels,
    graphPanels,
    labPanels,
    serveRenderer(views),
    maintainContextKeys(sessions),
    createStatusBar(sessions),
    createVariablesView(sessions, log),
    createArtifactsView(sessions),
    createLanguageFeatures(extensionFolder, log),
    registerCommands({ extensionFolder, kernelFolder, sessions, panels, graphPanels, labPanels, log, doctor }),
  );
  return { sessions, panels, graphPanels, labPanels, mimes: MIME };
}
