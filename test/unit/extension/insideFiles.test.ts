/** Files that panels read: inside the notebook's folder, regular, and no longer than they say. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readBundleFile } from '#extension/panels/bundleFiles.js';
import { readInside } from '#extension/panels/insideFiles.js';
import { MAP_BUNDLE } from '#protocol/map.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { testFolder } from '#test/kit/folder.js';

const root = testFolder();
let notebook: string;
let bundle: string;
let count = 0;
const META = { version: 1, sets: [] };
beforeEach(() => {
  notebook = path.join(root, `nb-${count++}`);
  bundle = path.join(notebook, '.fgnb', 'map-1');
  fs.mkdirSync(bundle, { recursive: true });
  fs.writeFileSync(path.join(root, 'secret.json'), JSON.stringify({ ...META, secret: true }));
});
const place = '.fgnb/map-1';
const read = (file: string, begin = 0, end = Infinity) =>
  readBundleFile(notebook, place, file, { begin, end, limit: 2 ** 20 });
const reader = () =>
  new BundleReader(MAP_BUNDLE, { read: async (...range) => (await read(...range))?.bytes ?? null }, place);
const meta = () => reader().meta();

describe('files of a bundle', () => {
  it('are read, through links that stay inside the notebook’s folder too', async () => {
    fs.writeFileSync(path.join(notebook, 'real.json'), JSON.stringify(META));
    fs.symlinkSync(path.join(notebook, 'real.json'), path.join(bundle, 'map.json'));
    expect(await meta()).toEqual(META);
  });

  it.each([
    ['a link to a file outside', () => fs.symlinkSync(path.join(root, 'secret.json'), path.join(bundle, 'map.json'))],
    ['a relative link outside', () => fs.symlinkSync('../../../secret.json', path.join(bundle, 'map.json'))],
    [
      'a link to a link outside',
      () => {
        fs.symlinkSync(path.join(root, 'secret.json'), path.join(notebook, 'step'));
        fs.symlinkSync('../../step', path.join(bundle, 'map.json'));
      },
    ],
  ])('%s is refused', async (_, put) => {
    put();
    await expect(meta()).rejects.toMatchObject({ name: 'OutsideFolderError' });
    await expect(meta()).rejects.toThrow(/leads outside the notebook’s folder/);
  });

  it('a folder that leads outside is refused', async () => {
    fs.rmSync(bundle, { recursive: true });
    fs.symlinkSync(root, bundle);
    await expect(meta()).rejects.toMatchObject({ name: 'OutsideFolderError' });
  });

  it('a link put in place after the first read is refused: columns, lines and labels', async () => {
    fs.writeFileSync(path.join(bundle, 'map.json'), JSON.stringify(META));
    await meta();
    for (const name of ['columns.safetensors', '0.labels.json', '0.examples.jsonl']) {
      fs.symlinkSync(path.join(root, 'secret.json'), path.join(bundle, name));
      await expect(read(name), name).rejects.toMatchObject({ name: 'OutsideFolderError' });
    }
  });

  it('a pipe is refused, not waited for', { timeout: 10_000 }, async () => {
    for (const name of ['map.json', 'columns.safetensors']) execFileSync('mkfifo', [path.join(bundle, name)]);
    await expect(meta()).rejects.toThrow(/map\.json is no regular file/);
    await expect(read('columns.safetensors')).rejects.toThrow(/columns\.safetensors is no regular file/);
  });

  it('that are no JSON are refused with their path', async () => {
    fs.writeFileSync(path.join(bundle, 'map.json'), '{"version":1,');
    await expect(meta()).rejects.toThrow(/map-1\/map\.json is not JSON: /);
  });

  it('over the limit are refused before they are read', async () => {
    fs.writeFileSync(path.join(bundle, 'big'), 'x'.repeat(100));
    await expect(readInside(fs.realpathSync(notebook), path.join(bundle, 'big'), 99)).rejects.toThrow(
      /big has 100 bytes, over the limit of 99/,
    );
  });

  it('that are not there say so, and are looked for again', async () => {
    const kept = reader();
    await expect(kept.meta()).rejects.toThrow(/map-1\/map\.json is not there: run the cell again/);
    fs.writeFileSync(path.join(bundle, 'map.json'), JSON.stringify(META));
    expect(await kept.meta()).toEqual(META);
  });
});
