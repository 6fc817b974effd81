import * as vscode from 'vscode';
import type { MapDescriptor } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';

/** The notebook of ours that the user works in; undefined when another kind of editor is active. */
export function activeNotebook(): vscode.NotebookDocument | undefined {
  const notebook = vscode.window.activeNotebookEditor?.notebook;
  return notebook?.notebookType === NOTEBOOK_TYPE ? notebook : undefined;
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
