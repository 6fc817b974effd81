/** What the tests inside VS Code share: notebooks in the workspace, running cells, waiting. */
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ExtensionApi } from '#extension/extension.js';
import { CELL_LANGUAGE, type NotebookCell, type NotebookFile } from '#protocol/notebook.js';
import { serializeNotebook, splitSource } from '#protocol/notebookCodec.js';

export const EXTENSION_ID = 'feature-geometry.feature-geometry-notebooks';

export async function extensionApi(): Promise<ExtensionApi> {
  const extension = vscode.extensions.getExtension<ExtensionApi>(EXTENSION_ID);
  assert.ok(extension, `${EXTENSION_ID} is not installed`);
  return extension.activate();
}

export function workspaceFolder(): string {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, 'the suite needs a workspace folder');
  return folder.uri.fsPath;
}

/** A notebook file with one code cell per source. */
export function notebookOf(sources: string[]): NotebookFile {
  const cells = sources.map((source, i): NotebookCell => ({
    id: `c${i + 1}`,
    kind: 'code',
    language: CELL_LANGUAGE,
    source: splitSource(source),
  }));
  return { fgnb: 1, metadata: {}, cells };
}

let counter = 0;

async function writeNotebook(contents: string | string[]): Promise<vscode.Uri> {
  const file = path.join(workspaceFolder(), `test-${++counter}-${Date.now()}.fgnb`);
  await fs.writeFile(file, typeof contents === 'string' ? contents : serializeNotebook(notebookOf(contents)));
  return vscode.Uri.file(file);
}

/** Opens a file, or new code cells, in an editor of its own, through the command that the explorer uses. */
export async function openInEditor(what: vscode.Uri | string[]): Promise<vscode.NotebookDocument> {
  const uri = what instanceof vscode.Uri ? what : await writeNotebook(what);
  await vscode.commands.executeCommand('vscode.openWith', uri, 'fgnb');
  const shown = (): vscode.NotebookDocument | undefined => vscode.window.activeNotebookEditor?.notebook;
  await waitUntil('the notebook is shown', () => shown()?.uri.toString() === uri.toString());
  return shown() as vscode.NotebookDocument;
}

/** Writes `contents` under a new name, opens and shows it. */
export async function openNotebook(contents: string | string[]): Promise<vscode.NotebookDocument> {
  const notebook = await vscode.workspace.openNotebookDocument(await writeNotebook(contents));
  await vscode.window.showNotebookDocument(notebook);
  return notebook;
}

export async function waitUntil(what: string, condition: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const until = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > until) assert.fail(`not in ${ms / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const decoder = new TextDecoder();

/** All text of a cell's outputs, in order. */
export function textOf(cell: vscode.NotebookCell): string {
  return cell.outputs.map((output) => output.items.map((item) => decoder.decode(item.data)).join('')).join('\n');
}

export function mimesOf(cell: vscode.NotebookCell): string[] {
  return cell.outputs.flatMap((output) => output.items.map((item) => item.mime));
}

/** The error shown in a cell; fails when there is none. */
export function errorOf(cell: vscode.NotebookCell): { name: string; message: string; stack: string } {
  const mime = 'application/vnd.code.notebook.error';
  const item = cell.outputs.flatMap((output) => output.items).find((i) => i.mime === mime);
  assert.ok(item, `cell ${cell.index + 1} shows no error, but: ${textOf(cell)}`);
  return JSON.parse(decoder.decode(item.data)) as { name: string; message: string; stack: string };
}

const ended = (cell: vscode.NotebookCell, since: number): boolean =>
  (cell.executionSummary?.timing?.endTime ?? 0) >= since;

/** Starts cells without waiting for them. */
export async function start(notebook: vscode.NotebookDocument, first: number, last = first): Promise<void> {
  await vscode.window.showNotebookDocument(notebook);
  await vscode.commands.executeCommand('notebook.cell.execute', {
    ranges: [{ start: first, end: last + 1 }],
    document: notebook.uri,
  });
}

/** Runs cells and waits until the last of them has ended. */
export async function run(notebook: vscode.NotebookDocument, first: number, last = first): Promise<void> {
  const since = Date.now();
  await start(notebook, first, last);
  await waitUntil(`cells ${first + 1} to ${last + 1} ended`, () => ended(notebook.cellAt(last), since), 50_000);
}

/** The session of a notebook that has run a cell. */
export async function sessionOf(notebook: vscode.NotebookDocument) {
  const session = (await extensionApi()).sessions.find(notebook);
  assert.ok(session, 'the notebook has no session');
  return session;
}

export async function closeAll(): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
}
