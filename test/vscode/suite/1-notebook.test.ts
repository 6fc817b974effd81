import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { serializeNotebook } from '#protocol/notebookCodec.js';
import { closeAll, notebookOf, openNotebook, waitUntil, workspaceFolder } from '#test/vscode/support.js';

/** A file with everything that VS Code's model has no place for. */
function richFile(): string {
  const file = notebookOf(['const a = 1\na', '']);
  file.metadata = { title: 'Ω', nested: { keep: [1, 2.5e-7, null] } };
  file.extraTop = { z: 1, a: 2 };
  Object.assign(file.cells[0], {
    metadata: { tags: ['x'] },
    execution: { order: 3, status: 'ok', ms: 12 },
    someTool: { score: 0.1 },
    outputs: [
      { items: [{ mime: 'text/plain', text: ['1\n', 'two'] }], metadata: { k: 'v' } },
      {
        items: [
          { mime: 'application/vnd.fgnb.table+json', json: { version: 1, columns: [], rows: [] } },
          { mime: 'text/plain', text: ['t'] },
        ],
      },
      { items: [{ mime: 'image/png', base64: 'iVBORw0KGgo=', source: 'unknown key' }], producer: 'other' },
      { items: [{ mime: 'application/vnd.code.notebook.stdout', text: ['printed\n'] }] },
    ],
  });
  file.cells.push({ id: 'm1', kind: 'markdown', language: 'markdown', source: ['# Title\n', 'text'] });
  return serializeNotebook(file);
}

/** Makes the notebook dirty and clean again in content, so that saving writes it. */
async function touchAndSave(notebook: vscode.NotebookDocument): Promise<void> {
  const { document } = notebook.cellAt(0);
  const insert = new vscode.WorkspaceEdit();
  insert.insert(document.uri, new vscode.Position(0, 0), '/**/');
  await vscode.workspace.applyEdit(insert);
  const remove = new vscode.WorkspaceEdit();
  remove.delete(document.uri, new vscode.Range(0, 0, 0, 4));
  await vscode.workspace.applyEdit(remove);
  assert.ok(await notebook.save());
}

suite('notebook file', () => {
  teardown(closeAll);

  test('open and save gives the same bytes, unknown keys included', async () => {
    const text = richFile();
    const notebook = await openNotebook(text);
    await touchAndSave(notebook);
    assert.equal(await fs.readFile(notebook.uri.fsPath, 'utf8'), text);
  });

  test('an edit changes its own lines and nothing else', async () => {
    const notebook = await openNotebook(richFile());
    const edit = new vscode.WorkspaceEdit();
    edit.replace(notebook.cellAt(0).document.uri, new vscode.Range(0, 0, 0, 11), 'const a = 2');
    await vscode.workspace.applyEdit(edit);
    await notebook.save();
    assert.equal(await fs.readFile(notebook.uri.fsPath, 'utf8'), richFile().replace('const a = 1', 'const a = 2'));
  });

  for (const [what, contents] of [
    ['cut short', richFile().slice(0, 200)],
    ['of a newer format', '{"fgnb": 99, "metadata": {}, "cells": []}\n'],
    ['with other contents', 'not a notebook at all\n'],
  ]) {
    test(`a file ${what} does not open and is never written over`, async () => {
      const file = path.join(workspaceFolder(), `broken-${what.replaceAll(' ', '-')}.fgnb`);
      await fs.writeFile(file, contents);
      await assert.rejects(async () => vscode.workspace.openNotebookDocument(vscode.Uri.file(file)), /\.fgnb/);
      await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(file)).then(undefined, () => undefined);
      await vscode.workspace.saveAll(false);
      assert.equal(await fs.readFile(file, 'utf8'), contents);
    });
  }

  test('an empty file is a new notebook', async () => {
    const notebook = await openNotebook('');
    assert.equal(notebook.cellCount, 0);
  });

  test('a new cell gets an id, and a pasted copy another', async () => {
    const notebook = await openNotebook(['1']);
    const copy = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, '1', 'fgnb-typescript');
    copy.metadata = { ...notebook.cellAt(0).metadata };
    const blank = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, '2', 'fgnb-typescript');
    const edit = new vscode.WorkspaceEdit();
    edit.set(notebook.uri, [vscode.NotebookEdit.insertCells(1, [copy, blank])]);
    await vscode.workspace.applyEdit(edit);
    const ids = (): unknown[] => notebook.getCells().map((cell) => cell.metadata.id as unknown);
    await waitUntil('three ids', () => new Set(ids().filter((id) => typeof id === 'string' && id)).size === 3);
    assert.equal(ids()[0], 'c1');
  });

  test('New Notebook opens an untitled notebook with cells in the cell language', async () => {
    await vscode.commands.executeCommand('fgnb.newNotebook');
    const notebook = vscode.window.activeNotebookEditor?.notebook;
    assert.equal(notebook?.notebookType, 'fgnb');
    assert.equal(notebook?.isUntitled, true);
    assert.equal(notebook?.cellAt(1).document.languageId, 'fgnb-typescript');
  });
});
