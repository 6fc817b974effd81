/** Keeps every cell's id present and unique: new cells get one, a pasted copy gets another. */
import * as vscode from 'vscode';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { newCellId } from '../../protocol/notebookCodec.js';

/** The id of a cell, falling back on VS Code's handle until the new cell has its own. */
export function cellIdOf(cell: vscode.NotebookCell): string {
  const id: unknown = cell.metadata.id;
  return typeof id === 'string' && id ? id : `handle-${cell.document.uri.fragment}`;
}

/** The cell of this id; undefined when it was deleted. */
export function findCell(notebook: vscode.NotebookDocument, id: string): vscode.NotebookCell | undefined {
  return notebook.getCells().find((cell) => cellIdOf(cell) === id);
}

async function giveIds(notebook: vscode.NotebookDocument, added: readonly vscode.NotebookCell[]): Promise<void> {
  const isNew = new Set(added);
  const taken = new Set(notebook.getCells().flatMap((cell) => (isNew.has(cell) ? [] : [cellIdOf(cell)])));
  const edits: vscode.NotebookEdit[] = [];
  for (const cell of added) {
    const id: unknown = cell.metadata.id;
    if (typeof id === 'string' && id && !taken.has(id)) {
      taken.add(id);
      continue;
    }
    const fresh = newCellId();
    taken.add(fresh);
    edits.push(vscode.NotebookEdit.updateCellMetadata(cell.index, { ...cell.metadata, id: fresh }));
  }
  if (edits.length === 0) return;
  const edit = new vscode.WorkspaceEdit();
  edit.set(notebook.uri, edits);
  await vscode.workspace.applyEdit(edit);
}

/** Watches open notebooks. */
export function watchCellIds(onError: (error: unknown) => void): vscode.Disposable {
  return vscode.workspace.onDidChangeNotebookDocument((event) => {
    if (event.notebook.notebookType !== NOTEBOOK_TYPE) return;
    const added = event.contentChanges.flatMap((change) => [...change.addedCells]);
    if (added.length > 0) giveIds(event.notebook, added).catch(onError);
  });
}
