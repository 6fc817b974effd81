/** IntelliSense over the cells of `.fgnb` notebooks. Nothing runs before the first notebook is open. */
import * as vscode from 'vscode';
import { minOf } from '../../protocol/lists.js';
import { notebookFolderOf } from '../notebook/controller.js';
import type { ClientLog } from './client.js';
import { isOurs, LanguageNotebooks, notebookOf } from './notebooks.js';
import { registerProviders } from './providers.js';
import { TypeCheck } from './typeCheck.js';

/** What an import can mean may change with these: local modules, data, and package.json after an install. */
const SOURCES = '*.{ts,mts,cts,js,mjs,cjs,json}';

class LanguageFeatures implements vscode.Disposable {
  private readonly notebooks: LanguageNotebooks;
  private readonly types: TypeCheck;
  private readonly watchers = new Map<vscode.NotebookDocument, vscode.Disposable>();
  private readonly disposables: vscode.Disposable[];

  constructor(extensionFolder: string, log: ClientLog) {
    this.notebooks = new LanguageNotebooks(extensionFolder, log, () => this.types.scheduleAll());
    this.types = new TypeCheck(this.notebooks);
    const { workspace } = vscode;
    this.disposables = [
      registerProviders(this.notebooks),
      workspace.onDidOpenNotebookDocument((notebook) => this.opened(notebook)),
      workspace.onDidCloseNotebookDocument((notebook) => this.closed(notebook)),
      workspace.onDidChangeNotebookDocument((change) => this.changed(change)),
      // A cell of another language is another document.
      workspace.onDidOpenTextDocument((document) => this.cellOpened(document)),
      // Files in folders below the notebook's.
      workspace.onDidSaveTextDocument(
        (document) => /\.([mc]?[jt]s|json)$/.test(document.fileName) && this.filesChanged(),
      ),
    ];
    workspace.notebookDocuments.forEach((notebook) => this.opened(notebook));
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables, ...this.watchers.values(), this.types).dispose();
    this.notebooks.stop();
  }

  private opened(notebook: vscode.NotebookDocument): void {
    if (!isOurs(notebook)) return;
    const pattern = new vscode.RelativePattern(vscode.Uri.file(notebookFolderOf(notebook)), SOURCES);
    const watcher = vscode.workspace.createFileSystemWatcher(pattern);
    const changed = (): void => this.filesChanged();
    this.watchers.set(
      notebook,
      vscode.Disposable.from(
        watcher,
        watcher.onDidChange(changed),
        watcher.onDidCreate(changed),
        watcher.onDidDelete(changed),
      ),
    );
    // The first check also warms the service up.
    this.types.schedule(notebook);
  }

  private closed(notebook: vscode.NotebookDocument): void {
    if (!isOurs(notebook)) return;
    this.watchers.get(notebook)?.dispose();
    this.watchers.delete(notebook);
    this.types.close(notebook);
    this.notebooks.close(notebook);
  }

  /** Outputs and executions change the notebook too, and nothing here. */
  private changed({ notebook, contentChanges, cellChanges }: vscode.NotebookDocumentChangeEvent): void {
    if (!isOurs(notebook)) return;
    const removed = contentChanges.flatMap((change) => change.removedCells);
    for (const cell of removed) this.types.forgetCell(cell.document.uri);
    const edited = cellChanges.filter((change) => change.document).map(({ cell }) => cell.index);
    const places = [...edited, ...contentChanges.map(({ range }) => range.start)];
    if (places.length > 0) this.types.schedule(notebook, minOf(places));
  }

  private cellOpened(document: vscode.TextDocument): void {
    const notebook = notebookOf(document);
    if (notebook && this.watchers.has(notebook)) this.types.schedule(notebook);
  }

  private filesChanged(): void {
    this.notebooks.filesChanged();
    this.types.scheduleAll();
  }
}

export function createLanguageFeatures(extensionFolder: string, log: ClientLog): vscode.Disposable {
  return new LanguageFeatures(extensionFolder, log);
}
