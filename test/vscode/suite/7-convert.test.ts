import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { JupyterNotebook } from '#kernel/convert/jupyter.js';
import { closeAll, extensionApi, openNotebook, run, textOf, workspaceFolder } from '#test/vscode/support.js';

const activeFile = (): string | undefined => vscode.window.activeNotebookEditor?.notebook.uri.fsPath;

suite('notebooks in other formats', () => {
  teardown(closeAll);

  test('an executed notebook is exported as .ipynb and .ts, and imported again with its outputs', async () => {
    await extensionApi();
    const notebook = await openNotebook(['console.log("printed")', '6 * 7']);
    await run(notebook, 0, 1);
    const [ipynb, script, back] = ['e.ipynb', 'e.ts', 'back.fgnb'].map((name) => path.join(workspaceFolder(), name));
    assert.equal(await vscode.commands.executeCommand('fgnb.exportJupyter', ipynb), ipynb);
    assert.equal(notebook.isDirty, false);
    const { cells } = JSON.parse(await fs.readFile(ipynb, 'utf8')) as JupyterNotebook;
    assert.deepEqual(cells[0].outputs, [{ output_type: 'stream', name: 'stdout', text: ['printed\n'] }]);
    assert.equal(cells[1].execution_count, 2);
    assert.equal(await vscode.commands.executeCommand('fgnb.exportScript', script), script);
    assert.equal(await fs.readFile(script, 'utf8'), '// %%\nconsole.log("printed")\n\n// %%\n6 * 7\n');
    await closeAll();
    // As from the explorer's menu: the file as a Uri.
    assert.equal(await vscode.commands.executeCommand('fgnb.importNotebook', vscode.Uri.file(ipynb), back), back);
    assert.equal(activeFile(), back);
    const opened = vscode.window.activeNotebookEditor?.notebook as vscode.NotebookDocument;
    assert.equal(textOf(opened.cellAt(0)), 'printed\n');
    assert.equal(textOf(opened.cellAt(1)), '42');
    assert.equal(opened.cellAt(1).executionSummary?.executionOrder, 2);
    assert.equal(await fs.readFile(back, 'utf8'), await fs.readFile(notebook.uri.fsPath, 'utf8'));
  });

  test('a foreign notebook keeps HTML that may run through an edit and a save, without showing it', async () => {
    const [source, target, out] = ['f.ipynb', 'f.fgnb', 'f2.ipynb'].map((name) => path.join(workspaceFolder(), name));
    const html = '<img src=x onerror="alert(1)">';
    const output = { output_type: 'display_data', data: { 'text/html': html }, metadata: {} };
    const cell = { cell_type: 'code', metadata: {}, source: 'x', execution_count: 1, outputs: [output] };
    await fs.writeFile(source, JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata: {}, cells: [cell] }));
    await vscode.commands.executeCommand('fgnb.importNotebook', source, target);
    const opened = vscode.window.activeNotebookEditor?.notebook as vscode.NotebookDocument;
    assert.equal(opened.cellAt(0).document.languageId, 'python');
    assert.deepEqual(
      opened.cellAt(0).outputs.flatMap(({ items }) => items.map(({ mime }) => mime)),
      ['text/plain'],
    );
    const edit = new vscode.WorkspaceEdit();
    const text = new vscode.NotebookCellData(vscode.NotebookCellKind.Markup, 'more', 'markdown');
    edit.set(opened.uri, [vscode.NotebookEdit.insertCells(1, [text])]);
    assert.ok(await vscode.workspace.applyEdit(edit));
    assert.equal(await vscode.commands.executeCommand('fgnb.exportJupyter', out), out);
    const { cells } = JSON.parse(await fs.readFile(out, 'utf8')) as JupyterNotebook;
    assert.deepEqual(cells[0].outputs, [{ ...output, data: { 'text/html': [html] } }]);
    assert.equal(cells.length, 2);
  });

  test('a file that is no notebook is refused, and nothing is written', async () => {
    const [source, target] = ['g.ipynb', 'g.fgnb'].map((name) => path.join(workspaceFolder(), name));
    await fs.writeFile(source, '{"nbformat": 3}');
    assert.equal(await vscode.commands.executeCommand('fgnb.importNotebook', source, target), undefined);
    await assert.rejects(fs.stat(target), /ENOENT/);
  });
});
