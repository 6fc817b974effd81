import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { RENDERER_ID } from '#protocol/webview.js';
import { MIME } from '#protocol/mime.js';
import { serializeNotebook } from '#protocol/notebookCodec.js';
import { closeAll, EXTENSION_ID, extensionApi, notebookOf, openNotebook, run, textOf, workspaceFolder } from '#test/vscode/support.js'; // prettier-ignore

interface Manifest {
  contributes: {
    commands: Array<{ command: string; title: string; category?: string }>;
    menus: { commandPalette: Array<{ command: string; when: string }> };
    notebookRenderer: Array<{ id: string; mimeTypes: string[] }>;
    configuration: { properties: Record<string, { scope?: string }> };
  };
}

function manifest(): Manifest {
  return vscode.extensions.getExtension(EXTENSION_ID)?.packageJSON as Manifest;
}

suite('commands and manifest', () => {
  teardown(closeAll);

  test('every command of the manifest is registered, under one category', async () => {
    await extensionApi();
    const registered = new Set(await vscode.commands.getCommands(true));
    for (const { command, category } of manifest().contributes.commands) {
      assert.ok(registered.has(command), `${command} is not registered`);
      assert.equal(category, 'Feature Geometry', command);
    }
  });

  test('commands that act on a notebook are offered only with one', () => {
    const when = new Map(manifest().contributes.menus.commandPalette.map((m) => [m.command, m.when]));
    for (const name of [
      'restartKernel',
      'restartAndRunAll',
      'interruptKernel',
      'selectDevice',
      'openMap',
      'exportReport',
    ])
      assert.match(when.get(`fgnb.${name}`) ?? '', /fgnb\.notebookActive/, name);
  });

  test('the renderer of the manifest is the one that the protocol names, for every mime of ours', () => {
    const [renderer] = manifest().contributes.notebookRenderer;
    assert.equal(renderer.id, RENDERER_ID);
    const ours = Object.values(MIME).filter((mime) => mime.startsWith('application/vnd.fgnb.'));
    assert.deepEqual([...renderer.mimeTypes].sort(), [...ours].sort());
  });

  test('there are at most 15 settings, and executables are not for a folder alone to set', () => {
    const { properties } = manifest().contributes.configuration;
    assert.ok(Object.keys(properties).length <= 15);
    assert.equal(properties['fgnb.nodePath'].scope, 'machine-overridable');
  });

  test('a broken kernel setting is told in the cell', async () => {
    const config = vscode.workspace.getConfiguration('fgnb');
    await config.update('nodePath', '/nowhere/node', vscode.ConfigurationTarget.Global);
    try {
      const notebook = await openNotebook(['1']);
      await vscode.commands.executeCommand('notebook.cell.execute', {
        ranges: [{ start: 0, end: 1 }],
        document: notebook.uri,
      });
      const { waitUntil, errorOf } = await import('#test/vscode/support.js');
      await waitUntil('error shown', () => notebook.cellAt(0).executionSummary?.success === false);
      assert.match(errorOf(notebook.cellAt(0)).message, /fgnb\.nodePath names \/nowhere\/node/);
    } finally {
      await config.update('nodePath', undefined, vscode.ConfigurationTarget.Global);
    }
  });

  test("a notebook's own device goes before the setting, and Select Device changes it there", async () => {
    const config = vscode.workspace.getConfiguration('fgnb');
    await config.update('device', 'cuda', vscode.ConfigurationTarget.Global);
    try {
      const file = { ...notebookOf(['fg.device.info().device']), metadata: { device: 'cpu', kept: 1 } };
      const notebook = await openNotebook(serializeNotebook(file));
      await run(notebook, 0);
      assert.match(textOf(notebook.cellAt(0)), /cpu/);
      await vscode.commands.executeCommand('fgnb.selectDevice', 'auto');
      assert.deepEqual((notebook.metadata as { metadata: unknown }).metadata, { device: 'auto', kept: 1 });
      assert.equal(vscode.workspace.getConfiguration('fgnb').get('device'), 'cuda');
    } finally {
      await config.update('device', undefined, vscode.ConfigurationTarget.Global);
    }
  });

  test('Open Sample copies into the chosen folder and never writes over an edited copy', async function () {
    const examples = path.join(vscode.extensions.getExtension(EXTENSION_ID)?.extensionPath ?? '', 'examples');
    if (!(await fs.readdir(examples).catch(() => [])).some((name) => name.endsWith('.fgnb'))) return this.skip();
    const folder = path.join(workspaceFolder(), 'samples');
    const file = await vscode.commands.executeCommand<string>('fgnb.openSample', folder);
    assert.equal(path.dirname(file), folder);
    assert.equal(vscode.window.activeNotebookEditor?.notebook.uri.fsPath, file);
    await closeAll();
    await fs.writeFile(file, '');
    await vscode.commands.executeCommand('fgnb.openSample', folder);
    assert.equal(await fs.readFile(file, 'utf8'), '');
  });
});
