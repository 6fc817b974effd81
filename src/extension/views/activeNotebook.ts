import * as vscode from 'vscode';
import type { GraphDescriptor } from '../../protocol/graph.js';
import type { LabDescriptor } from '../../protocol/lab.js';
import type { MapDescriptor } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { GRAPH_PANEL, LAB_PANEL, MAP_PANEL } from '../ids.js';

const isOurs = (editor: vscode.NotebookEditor | undefined): boolean => editor?.notebook.notebookType === NOTEBOOK_TYPE;

/** A panel of ours belongs to its notebook: with the focus in one, the notebook beside it stays the active one. */
function isPanelActive(): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  // VS Code prefixes the view type of webview tabs.
  return (
    input instanceof vscode.TabInputWebview &&
    [MAP_PANEL, GRAPH_PANEL, LAB_PANEL].some((id) => input.viewType.endsWith(id))
  );
}

/** The notebook of ours that the user works in; undefined when another kind of editor is active. */
export function activeNotebook(): vscode.NotebookDocument | undefined {
  const active = vscode.window.activeNotebookEditor;
  if (isOurs(active)) return active?.notebook;
  return isPanelActive() ? vscode.window.visibleNotebookEditors.find(isOurs)?.notebook : undefined;
}

/** Whenever activeNotebook() may have changed. */
export function onDidChangeActiveNotebook(listener: () => void): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.window.onDidChangeActiveNotebookEditor(listener),
    vscode.window.tabGroups.onDidChangeTabs(listener),
    vscode.window.tabGroups.onDidChangeTabGroups(listener),
  );
}

interface Shown {
  id: string;
  /** Of its bundle, when it has one. */
  path?: string;
  meta: unknown;
}

/** Descriptors of one mime type in the notebook's outputs, in order, each once. */
function bundlesOf<D extends Shown>(
  notebook: vscode.NotebookDocument,
  mime: string,
): Array<{ descriptor: D; cellIndex: number }> {
  const found = new Map<string, { descriptor: D; cellIndex: number }>();
  for (const cell of notebook.getCells()) {
    for (const item of cell.outputs.flatMap((output) => output.items)) {
      if (item.mime !== mime) continue;
      const descriptor = parse<D>(item.data);
      if (descriptor) found.set(`${descriptor.id} ${descriptor.path ?? ''}`, { descriptor, cellIndex: cell.index });
    }
  }
  return [...found.values()];
}

/** Feature maps in the notebook's outputs. */
export function mapsOf(notebook: vscode.NotebookDocument): Array<{ descriptor: MapDescriptor; cellIndex: number }> {
  return bundlesOf<MapDescriptor>(notebook, MIME.map);
}

/** Mapper graphs in the notebook's outputs. */
export function graphsOf(notebook: vscode.NotebookDocument): Array<{ descriptor: GraphDescriptor; cellIndex: number }> {
  return bundlesOf<GraphDescriptor>(notebook, MIME.graph);
}

/** Interventions panels in the notebook's outputs. */
export function labsOf(notebook: vscode.NotebookDocument): Array<{ descriptor: LabDescriptor; cellIndex: number }> {
  return bundlesOf<LabDescriptor>(notebook, MIME.lab);
}

function parse<D extends Shown>(data: Uint8Array): D | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(data)) as Partial<D>;
    const isBundle = value.path === undefined || typeof value.path === 'string';
    return isBundle && typeof value.id === 'string' && value.meta ? (value as D) : undefined;
  } catch {
    return undefined;
  }
}
