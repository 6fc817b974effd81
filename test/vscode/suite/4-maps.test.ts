import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { bundleFolder, readBundleFile } from '#extension/panels/bundleFiles.js';
import { MIME } from '#protocol/mime.js';
import type { FeatureExample } from '#protocol/bundle.js';
import { MAP_BUNDLE, type MapDescriptor } from '#protocol/map.js';
import { serializeNotebook } from '#protocol/notebookCodec.js';
import { encodeSafetensors, type NdArray } from '#protocol/safetensors.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { closeAll, extensionApi, notebookOf, openNotebook, waitUntil, workspaceFolder } from '#test/vscode/support.js';

const f32 = (...data: number[]): NdArray => ({ dtype: 'F32', shape: [data.length], data: new Float32Array(data) });
const i32 = (...data: number[]): NdArray => ({ dtype: 'I32', shape: [data.length], data: new Int32Array(data) });

/** Writes a map of three points, one of them dead. */
async function writeBundle(folder: string): Promise<MapDescriptor['meta']> {
  await fs.mkdir(folder, { recursive: true });
  const example: FeatureExample = {
    sequence: 0,
    position: 1,
    value: 2,
    tokens: ['a', ' kíng'],
    peak: 1,
    activations: [0, 2],
  };
  const lines = [[example], [], [example, example]].map((e) => JSON.stringify(e) + '\n');
  const at = [0n];
  for (const line of lines) at.push((at.at(-1) ?? 0n) + BigInt(Buffer.byteLength(line)));
  const meta: MapDescriptor['meta'] = {
    version: 1,
    title: 'Test map',
    sets: [{ name: 'A', title: 'set A', points: 3, dead: 1, layout: 'by hand' }],
  };
  await fs.writeFile(path.join(folder, 'map.json'), JSON.stringify(meta));
  await fs.writeFile(path.join(folder, '0.labels.json'), JSON.stringify([[' king'], [], [' queen']]));
  await fs.writeFile(path.join(folder, '0.examples.jsonl'), lines.join(''));
  const tensors = {
    '0.x': f32(0, 1, 2),
    '0.y': f32(2, 1, 0),
    '0.feature': i32(4, 5, 6),
    '0.firingRate': f32(0.1, 0, 0.2),
    '0.firings': i32(10, 0, 20),
    '0.examplesAt': { dtype: 'I64', shape: [4], data: new BigInt64Array(at) } satisfies NdArray,
  };
  await fs.writeFile(path.join(folder, 'columns.safetensors'), encodeSafetensors(tensors));
  return meta;
}

suite('feature maps', () => {
  teardown(closeAll);

  test('columns and examples are read from the bundle', async () => {
    const root = workspaceFolder();
    await writeBundle(path.join(root, '.fgnb/map-1'));
    const place = '.fgnb/map-1';
    const data = new BundleReader(
      MAP_BUNDLE,
      {
        read: async (file, begin, end) =>
          (await readBundleFile(root, place, file, { begin, end, limit: Infinity }))?.bytes ?? null,
      },
      place,
    );
    assert.equal((await data.meta()).title, 'Test map');
    const columns = await data.columns(0);
    assert.deepEqual(columns.feature, new Int32Array([4, 5, 6]));
    assert.deepEqual(columns.labels, [[' king'], [], [' queen']]);
    assert.equal((await data.examples(0, 0))[0].tokens[1], ' kíng');
    assert.deepEqual(await data.examples(0, 1), []);
    assert.equal((await data.examples(0, 2)).length, 2);
    await assert.rejects(data.examples(0, 3), /3 points/);
    await assert.rejects(data.columns(1), /1 set/);
  });

  test('a path outside the notebook’s folder is refused', async () => {
    const root = path.join(workspaceFolder(), 'inner');
    await fs.mkdir(root, { recursive: true });
    await writeBundle(path.join(workspaceFolder(), 'outside'));
    await fs.symlink(path.join(workspaceFolder(), 'outside'), path.join(root, 'link')).catch(() => undefined);
    for (const bad of [
      '../outside',
      '/etc',
      'a/../../outside',
      '..',
      '',
      'C:/x',
      'a\\..\\..\\outside',
      './x',
      'link',
      7,
    ])
      await assert.rejects(bundleFolder(root, bad), { name: 'OutsideFolderError' }, JSON.stringify(bad));
  });

  test('Open Feature Map shows the map of a saved output in a panel, once', async () => {
    const folder = path.join(workspaceFolder(), '.fgnb/map-2');
    const descriptor: MapDescriptor = { version: 1, id: '2', path: '.fgnb/map-2', meta: await writeBundle(folder) };
    const file = notebookOf(['1']);
    file.cells[0].outputs = [{ items: [{ mime: MIME.map, json: JSON.parse(JSON.stringify(descriptor)) }] }];
    await openNotebook(serializeNotebook(file));
    const { panels } = await extensionApi();
    await vscode.commands.executeCommand('fgnb.openMap', 0);
    assert.deepEqual(panels.titles('map'), ['Test map']);
    await waitUntil('a tab', () => vscode.window.tabGroups.all.some((g) => g.tabs.some((t) => t.label === 'Test map')));
    await closeAll();
    await waitUntil('panel closed', () => panels.titles('map').length === 0);
  });
});
