/** IntelliSense over cells, through the editor's own commands. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { openNotebook, waitUntil } from '#test/vscode/support.js';

const CELLS = [
  "const rows = [{ id: 1, token: 'king' }]\nconst total = await Promise.resolve(2)",
  'const ids = rows.map((row) => row.id + total)',
  "const rows = 'redeclared'\nrows.toUpperCase()\nids.nothing\nfg.sae.",
];

async function problemsOf(cell: vscode.NotebookCell): Promise<vscode.Diagnostic[]> {
  await waitUntil('problems', () => vscode.languages.getDiagnostics(cell.document.uri).length > 0, 50_000);
  return vscode.languages.getDiagnostics(cell.document.uri);
}

const textOf = (content: vscode.MarkdownString | vscode.MarkedString): string =>
  typeof content === 'string' ? content : content.value;

suite('language', () => {
  test('mistakes are marked, and what is right in a notebook is not', async () => {
    const notebook = await openNotebook(CELLS);
    const [first, second, third] = notebook.getCells();
    assert.match((await problemsOf(third))[0].message, /Identifier expected/);
    const edit = new vscode.WorkspaceEdit();
    edit.replace(third.document.uri, third.document.lineAt(3).range, 'fg.device.info()');
    await vscode.workspace.applyEdit(edit);
    const unknown = (): boolean =>
      vscode.languages.getDiagnostics(third.document.uri).every((d) => d.message.includes("'nothing'"));
    await waitUntil('the types are checked', unknown);
    const [problem, ...others] = await problemsOf(third);
    assert.deepEqual(others, []);
    assert.equal(third.document.getText(problem.range), 'nothing');
    assert.deepEqual(vscode.languages.getDiagnostics(first.document.uri), []);
    assert.deepEqual(vscode.languages.getDiagnostics(second.document.uri), []);
  });

  test('names of other cells and of fg are completed, described and found', async () => {
    const notebook = await openNotebook(CELLS);
    const [first, second, third] = notebook.getCells().map((cell) => cell.document);
    const at = (document: vscode.TextDocument, word: string, shift = 0): vscode.Position =>
      document.positionAt(document.getText().indexOf(word) + shift);
    const ask = <T>(command: string, document: vscode.TextDocument, ...rest: unknown[]): Thenable<T> =>
      vscode.commands.executeCommand<T>(command, document.uri, ...rest);

    const list = await ask<vscode.CompletionList>(
      'vscode.executeCompletionItemProvider',
      third,
      at(third, 'fg.sae.', 7),
      '.',
      100,
    );
    const train = list.items.find((item) => item.label === 'train');
    assert.ok(train, `completions are ${list.items.map((item) => String(item.label)).join(', ')}`);
    assert.match(train.detail ?? '', /SaeApi\.train\(model: LanguageModel/);

    const hovers = await ask<vscode.Hover[]>('vscode.executeHoverProvider', second, at(second, 'total'));
    const text = hovers.flatMap((hover) => hover.contents.map(textOf)).join('\n');
    assert.match(text, /const total: number/);

    const links = await ask<vscode.LocationLink[]>('vscode.executeDefinitionProvider', second, at(second, 'rows.map'));
    assert.equal(links.length, 1);
    assert.equal(links[0].targetUri.toString(), first.uri.toString());
    assert.equal(first.getText(links[0].targetRange), 'rows');

    const symbols = await ask<vscode.DocumentSymbol[]>('vscode.executeDocumentSymbolProvider', second);
    assert.deepEqual(
      symbols.map((symbol) => symbol.name),
      ['ids'],
    );
  });

  test('the type check can be switched off', async () => {
    const settings = vscode.workspace.getConfiguration('fgnb');
    const notebook = await openNotebook(['const n: string = 1']);
    const [cell] = notebook.getCells();
    assert.equal((await problemsOf(cell)).length, 1);
    await settings.update('typeCheck', false, vscode.ConfigurationTarget.Global);
    try {
      const none = (): boolean => vscode.languages.getDiagnostics(cell.document.uri).length === 0;
      await waitUntil('the marks are gone', none);
    } finally {
      await settings.update('typeCheck', undefined, vscode.ConfigurationTarget.Global);
    }
  });
});
