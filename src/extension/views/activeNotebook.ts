import * as vscode from 'vscode';
import type { MapDescriptor } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { MAP_PANEL } from '../ids.js';

const isOurs = (editor: vscode.NotebookEditor | undefined): boolean => editor?.notebook.notebookType === NOTEBOOK_TYPE;

/** A map panel belongs to its notebook: with the focus in one, the notebook beside it stays the active one. */
function isMapPanelActive(): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  // VS Code prefixes the view type of webview tabs.
  return input instanceof vscode.TabInputWebview && input.viewType.endsWith(MAP_PANEL);
}

/** The notebook of ours that the user works in; undefined when another kind of editor is active. */
export function activeNotebook(): vscode.NotebookDocument | undefined {
  const active = vscode.window.activeNotebookEditor;
  if (isOurs(active)) return active?.notebook;
  return isMapPanelActive() ? vscode.window.visibleNotebookEditors.find(isOurs)?.notebook : undefined;
}

/** Whenever activeNotebook() may have changed. */
export function onDidChangeActiveNotebook(listener: () => void): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.window.onDidChangeActiveNotebookEditor(listener),
    vscode.window.tabGroups.onDidChangeTabs(listener),
    vscode.window.tabGroups.onDidChangeTabGroups(listener),
  );
}

/** Feature maps in the notebook's outputs, in order, each once. */
export function mapsOf(notebook: vscode.NotebookDocument): Array<{ map: MapDescriptor; cellIndex: number }> {
  const found = new Map<string, { map: MapDescriptor; cellIndex: number }>();
  for (const cell of notebook.getCells()) {
    for (const item of cell.outputs.flatMap((output) => output.items)) {
      if (item.mime !== MIME.map) continue;
      const map = parseMap(item.data);
      if (map) found.set(`${map.id} ${map.path}`, { map, cellIndex: cell.index });
    }
  }
  return [...found.values()];
}

function parseMap(data: Uint8Array): MapDescriptor | undefined {
  try {
    const map = JSON.parse(new TextDecoder().decode(data)) as Partial<MapDescriptor>;
    return typeof map.path === 'string' && typeof map.id === 'string' && map.meta ? (map as MapDescriptor) : undefined;
  } catch {
    return undefined;
  }
}
