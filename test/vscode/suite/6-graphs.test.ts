import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { GraphDescriptor } from '../../../src/protocol/graph.js';
import { MIME } from '../../../src/protocol/mime.js';
import { serializeNotebook } from '../../../src/protocol/notebookCodec.js';
import { graphFixture } from '../../support/graphBundle.js';
import { closeAll, extensionApi, notebookOf, openNotebook, waitUntil, workspaceFolder } from '../support.js';

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
    const { graphPanels } = await extensionApi();
    await vscode.commands.executeCommand('fgnb.openGraph', 0);
    await vscode.commands.executeCommand('fgnb.openGraph', 0);
    assert.deepEqual(graphPanels.titles(), [fixture.meta.title]);
    const tabs = () => vscode.window.tabGroups.all.flatMap((g) => g.tabs).filter((t) => t.label === fixture.meta.title);
    await waitUntil('a tab', () => tabs().length === 1);
    // The page shook hands and was given both graphs.
    await waitUntil('the graphs are read', () => graphPanels.answered('graph.columns') === 2);
    await closeAll();
    await waitUntil('panel closed', () => graphPanels.titles().length === 0);
  });
});
