import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as vscode from 'vscode';
import { saveFile } from '#extension/panels/saveFile.js';
import { writeViewPage } from '#extension/panels/viewPage.js';
import type { GraphDescriptor } from '#protocol/graph.js';
import { MIME } from '#protocol/mime.js';
import { serializeNotebook } from '#protocol/notebookCodec.js';
import { graphFixture } from '#test/kit/graphBundle.js';
import {
  closeAll,
  EXTENSION_ID,
  extensionApi,
  notebookOf,
  openNotebook,
  waitUntil,
  workspaceFolder,
} from '#test/vscode/support.js';

async function reportProgram(): Promise<string> {
  const root = vscode.extensions.getExtension(EXTENSION_ID)!.extensionPath;
  return fs.readFile(path.join(root, 'dist/webviews/report.js'), 'utf8');
}

suite('Mapper graphs', () => {
  teardown(closeAll);

  test('Open Mapper Graph shows the graph of a saved output in a panel, once', async () => {
    const fixture = graphFixture('null');
    const folder = path.join(workspaceFolder(), '.fgnb/graph-1');
    await fs.mkdir(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(fixture.files)) await fs.writeFile(path.join(folder, name), bytes);
    const descriptor: GraphDescriptor = { version: 1, id: 'g1', path: '.fgnb/graph-1', meta: fixture.meta };
    const file = notebookOf(['1']);
    file.cells[0].outputs = [{ items: [{ mime: MIME.graph, json: JSON.parse(JSON.stringify(descriptor)) }] }];
    await openNotebook(serializeNotebook(file));
    const { panels } = await extensionApi();
    await vscode.commands.executeCommand('fgnb.openGraph', 0);
    await vscode.commands.executeCommand('fgnb.openGraph', 0);
    assert.deepEqual(panels.titles('graph'), [fixture.meta.title]);
    const tabs = () => vscode.window.tabGroups.all.flatMap((g) => g.tabs).filter((t) => t.label === fixture.meta.title);
    await waitUntil('a tab', () => tabs().length === 1);
    // The page shook hands and was given meta, columns and labels.
    await waitUntil('the graphs are read', () => panels.answered('bundle.read') >= 3);
    await closeAll();
    await waitUntil('panel closed', () => panels.titles('graph').length === 0);
  });

  test('a graph is saved as a page, and an export as a file, where the dialog says', async () => {
    const fixture = graphFixture('twin');
    const folder = path.join(workspaceFolder(), '.fgnb/graph-2');
    await fs.mkdir(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(fixture.files)) await fs.writeFile(path.join(folder, name), bytes);
    const graph: GraphDescriptor = { version: 1, id: 'g2', path: '.fgnb/graph-2', meta: fixture.meta };
    const extensionUri = vscode.extensions.getExtension(EXTENSION_ID)!.extensionUri;
    const services = { extensionUri };
    const page = path.join(workspaceFolder(), 'page.html');
    const asked: vscode.SaveDialogOptions[] = [];
    const real = vscode.window.showSaveDialog;
    let answer: string | undefined = page;
    vscode.window.showSaveDialog = (options) => {
      asked.push(options ?? {});
      return Promise.resolve(answer === undefined ? undefined : vscode.Uri.file(answer));
    };
    try {
      assert.equal(await writeViewPage('graph', graph, workspaceFolder(), services), page);
      assert.match(asked[0].defaultUri?.fsPath ?? '', /Mapper of tiny-1L’s decoder\.html$/);
      const text = await fs.readFile(page, 'utf8');
      // By their ids: the report's program holds the words of such an element too.
      const carried = [...text.matchAll(/ id="bundle:g2:([^"]+)"/g)].map(([, name]) => name);
      assert.deepEqual(carried.sort(), ['columns.safetensors', 'graph.json', 'texts.packed']);
      const program = / id="program">([^<]*)</.exec(text)?.[1] ?? '';
      assert.equal(gunzipSync(Buffer.from(program, 'base64')).toString(), await reportProgram());
      answer = path.join(workspaceFolder(), 'a.graphml');
      assert.equal(await saveFile({ name: 'x.graphml', text: '<größe/>' }, workspaceFolder()), answer);
      assert.equal(await fs.readFile(answer, 'utf8'), '<größe/>');
      answer = undefined;
      assert.equal(await writeViewPage('graph', graph, workspaceFolder(), services), null);
    } finally {
      vscode.window.showSaveDialog = real;
    }
  });
});
