/** Which notebook of ours is the active one, and the views that its outputs show. */
import * as vscode from 'vscode';
import type { Descriptor } from '../../protocol/bundle.js';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { asDescriptor, panelType, VIEW_NAMES, viewMime, type ViewName } from '../../protocol/views.js';

const isOurs = (editor: vscode.NotebookEditor | undefined): boolean => editor?.notebook.notebookType === NOTEBOOK_TYPE;

/** A panel of ours belongs to its notebook: with the focus in one, the notebook beside it stays the active one. */
function isPanelActive(): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  // VS Code prefixes the view type of webview tabs.
  return input instanceof vscode.TabInputWebview && VIEW_NAMES.some((view) => input.viewType.endsWith(panelType(view)));
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

/** Descriptors of a kind of view in the notebook's outputs, in order, each once. */
export function shownIn(
  notebook: vscode.NotebookDocument,
  view: ViewName,
): Array<{ descriptor: Descriptor; cellIndex: number }> {
  const found = new Map<string, { descriptor: Descriptor; cellIndex: number }>();
  for (const cell of notebook.getCells()) {
    for (const item of cell.outputs.flatMap((output) => output.items)) {
      const descriptor = item.mime === viewMime(view) ? asDescriptor(view, jsonOf(item.data)) : undefined;
      if (descriptor) found.set(`${descriptor.id} ${descriptor.path ?? ''}`, { descriptor, cellIndex: cell.index });
    }
  }
  return [...found.values()];
}

function jsonOf(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
