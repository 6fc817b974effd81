/** Saving what views export, with a stand-in for VS Code's dialog; test/vscode asks the real one. */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { GraphDescriptor } from '#protocol/graph.js';
import { MIME } from '#protocol/mime.js';
import { parseNotebook } from '#protocol/notebookCodec.js';
import { bytesOfText } from '#protocol/packing/pageText.js';
import { pageFileId, PROGRAM_ID } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { graphFixture } from '#test/kit/graphBundle.js';
import { testFolder } from '#test/kit/folder.js';

interface Asked {
  defaultUri: { fsPath: string };
  filters?: Record<string, string[]>;
}
const dialog = vi.hoisted(() => ({
  ...{ asked: [] as Asked[], answer: undefined as string | undefined },
  ...{ told: [] as string[][], choice: undefined as string | undefined, opened: [] as string[] },
}));
vi.mock('vscode', () => ({
  Uri: { file: (fsPath: string) => ({ fsPath }) },
  env: { openExternal: ({ fsPath }: { fsPath: string }) => Promise.resolve(dialog.opened.push(fsPath)) },
  window: {
    showSaveDialog: (options: Asked) => {
      dialog.asked.push(options);
      return Promise.resolve(dialog.answer === undefined ? undefined : { fsPath: dialog.answer, path: dialog.answer });
    },
    showInformationMessage: (...words: string[]) => {
      dialog.told.push(words);
      return Promise.resolve(dialog.choice);
    },
  },
  workspace: {
    fs: { writeFile: ({ fsPath }: { fsPath: string }, bytes: Uint8Array) => fs.promises.writeFile(fsPath, bytes) },
  },
}));
const { fileName, saveFile } = await import('#extension/panels/saveFile.js');
const { writeViewPage } = await import('#extension/panels/viewPage.js');

let folder: string;
const at = (name: string): string => path.join(folder, name);
beforeAll(() => {
  folder = testFolder('save');
});
beforeEach(() => {
  Object.assign(dialog, { asked: [], told: [], opened: [], answer: undefined, choice: undefined });
});

describe('proposed names', () => {
  test.each([
    ['Mapper of tiny-1L’s decoder - A.graphml', 'Mapper of tiny-1L’s decoder - A.graphml'],
    ['../../etc/passwd', 'etc-passwd'],
    ['a\\b:c*d?"<e>|.json', 'a-b-c-d-e-.json'],
    ['line\nbreak\u0000.png', 'line-break-.png'],
    ['...', 'export'],
    ['', 'export'],
  ])('%j becomes %j', (given, name) => expect(fileName(given)).toBe(name));

  test('a long one keeps its ending and whole characters', () => {
    const name = fileName(`${'圖😀'.repeat(100)}.html`);
    expect(name).toMatch(/^(圖😀)+圖?\.html$/u);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(205);
  });
});

describe('saving a file', () => {
  test('asks in the notebook’s folder, for files of its kind, and writes the text', async () => {
    dialog.answer = at('elsewhere.graphml');
    expect(await saveFile({ name: 'Mapper.graphml', text: '<größe/>' }, folder)).toBe(dialog.answer);
    expect(dialog.asked).toEqual([{ defaultUri: { fsPath: at('Mapper.graphml') }, filters: { GraphML: ['graphml'] } }]);
    expect(fs.readFileSync(dialog.answer, 'utf8')).toBe('<größe/>');
    expect(dialog.told).toEqual([['Saved elsewhere.graphml']]);
    expect(dialog.opened).toEqual([]);
  });

  test('writes the bytes of a picture', async () => {
    dialog.answer = at('picture.png');
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await saveFile({ name: 'p.png', base64: Buffer.from(bytes).toString('base64') }, folder);
    expect(new Uint8Array(fs.readFileSync(dialog.answer))).toEqual(bytes);
  });

  test('a cancelled dialog writes nothing', async () => {
    const before = fs.readdirSync(folder);
    expect(await saveFile({ name: 'x.json', text: '{}' }, folder)).toBeNull();
    expect(fs.readdirSync(folder)).toEqual(before);
    expect(dialog.told).toEqual([]);
  });

  test('a file that cannot be written is told with its path', async () => {
    dialog.answer = at('no/such/folder.json');
    await expect(saveFile({ name: 'x.json', text: '{}' }, folder)).rejects.toThrow(dialog.answer);
  });
});

describe('the page of a graph', () => {
  const fixture = graphFixture('twin');
  const title = '</title><script>alert(1)</script> & "A"';
  const meta = { ...fixture.meta, title };
  const files = { ...fixture.files, 'graph.json': Buffer.from(JSON.stringify(meta)), 'not ours.txt': Buffer.from('x') };
  const graph: GraphDescriptor = { version: 1, id: 'g1', path: '.fgnb/g1', meta };
  const program = 'document.title = "</script><!--"';
  const services = () => ({ extensionUri: { fsPath: at('extension') } as never });
  const save = () => writeViewPage('graph', graph, folder, services());

  beforeAll(() => {
    fs.mkdirSync(at('.fgnb/g1'), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(at(`.fgnb/g1/${name}`), bytes);
    fs.mkdirSync(at('extension/dist/webviews'), { recursive: true });
    fs.writeFileSync(at('extension/dist/webviews/report.js'), program);
  });

  test('carries the graph with every file of its bundle, and the title as text alone', async () => {
    dialog.answer = at('page.html');
    dialog.choice = 'Open in Browser';
    expect(await save()).toBe(dialog.answer);
    expect(dialog.told).toEqual([['Saved page.html', 'Open in Browser']]);
    await vi.waitFor(() => expect(dialog.opened).toEqual([dialog.answer]));
    expect(dialog.asked[0].filters).toEqual({ HTML: ['html'] });
    expect(path.basename(dialog.asked[0].defaultUri.fsPath)).toMatch(/^title-script-alert\(1\)-script- & -A-\.html$/);
    const page = fs.readFileSync(dialog.answer, 'utf8');
    expect(page).not.toContain(title);
    expect(page.match(/<\/title>/g)).toHaveLength(1);
    const inside = (id: string) => page.split(`id="${id}">`)[1].split('</script>')[0];
    const [heading, cell] = parseNotebook(inside('notebook')).cells;
    expect(heading.source).toEqual([`# ${title}\n`]);
    expect(cell.outputs?.[0].items).toEqual([{ mime: MIME.graph, json: JSON.parse(JSON.stringify(graph)) as unknown }]);
    const { 'not ours.txt': _, ...ours } = files;
    const packed = await pageFilesOf({ id: 'g1', files: ours });
    expect(page.match(/type="application\/octet-stream"/g)).toHaveLength(packed.length + 1);
    for (const { file, text } of packed)
      expect(Buffer.compare(gunzipSync(bytesOfText(inside(pageFileId('g1', file)))), gunzipSync(bytesOfText(text))), file).toBe(0); // prettier-ignore
    expect(gunzipSync(Buffer.from(inside(PROGRAM_ID), 'base64')).toString()).toBe(program);
  });

  test('is not made when the dialog is cancelled', async () => {
    const before = fs.readdirSync(folder);
    expect(await save()).toBeNull();
    expect(dialog.asked).toHaveLength(1);
    expect(fs.readdirSync(folder)).toEqual(before);
  });

  test('of a graph that is gone asks nothing and says what to do', async () => {
    const gone = { ...graph, path: '.fgnb/gone' };
    await expect(writeViewPage('graph', gone, folder, services())).rejects.toThrow(/Run the cell again/);
    const outside = { ...graph, path: '../g1' };
    await expect(writeViewPage('graph', outside, folder, services())).rejects.toThrow(/not inside the notebook/);
    expect(dialog.asked).toEqual([]);
  });
});
