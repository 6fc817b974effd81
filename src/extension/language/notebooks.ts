/** Open notebooks and the state of them that the worker has. */
import * as vscode from 'vscode';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { LanguageClient, type ClientLog } from './client.js';
import type { Method, Params, Result } from './protocol.js';

/** Notebooks that somebody edits: not the old versions that a diff editor opens under other schemes. */
export function isOurs({ notebookType, uri }: vscode.NotebookDocument): boolean {
  return notebookType === NOTEBOOK_TYPE && (uri.scheme === 'file' || uri.scheme === 'untitled');
}

/** Whether the service understands a cell. */
export function isCodeCell({ kind, document }: vscode.NotebookCell): boolean {
  return kind === vscode.NotebookCellKind.Code && document.languageId === CELL_LANGUAGE;
}

export function notebookOf(document: vscode.TextDocument): vscode.NotebookDocument | undefined {
  return vscode.workspace.notebookDocuments.find(
    (notebook) => isOurs(notebook) && notebook.getCells().some((cell) => cell.document === document),
  );
}

export class LanguageNotebooks {
  private readonly client: LanguageClient;
  /** Versions of the cells that the worker has, by notebook. */
  private readonly told = new Map<string, string>();

  constructor(extensionFolder: string, log: ClientLog, onRestart: () => void) {
    this.client = new LanguageClient(extensionFolder, log, () => {
      this.told.clear();
      onRestart();
    });
  }

  /** Asks about a notebook, after telling its present text. */
  ask<M extends Method>(
    notebook: vscode.NotebookDocument,
    method: M,
    ...params: Params<M>
  ): Promise<Result<M> | undefined> {
    this.tell(notebook);
    return this.client.ask(method, ...params);
  }

  close(notebook: vscode.NotebookDocument): void {
    const key = notebook.uri.toString();
    if (!this.told.delete(key)) return;
    // The worker holds hundreds of MB; it is not needed without a notebook.
    if (this.told.size === 0) this.client.stop();
    else void this.client.ask('close', key);
  }

  filesChanged(): void {
    if (this.told.size > 0) void this.client.ask('filesChanged');
  }

  stop(): void {
    this.told.clear();
    this.client.stop();
  }

  private tell(notebook: vscode.NotebookDocument): void {
    const key = notebook.uri.toString();
    const cells = notebook
      .getCells()
      .filter(isCodeCell)
      .map(({ document }) => document);
    const versions = cells.map((document) => `${document.uri.fragment} ${document.version}`).join();
    if (this.told.get(key) === versions) return;
    this.told.set(key, versions);
    // Messages keep their order, so there is nothing to wait for.
    void this.client.ask('sync', {
      notebook: key,
      folder: notebookFolderOf(notebook),
      cells: cells.map((document) => ({ uri: document.uri.toString(), text: document.getText() })),
    });
  }
}
