import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeReport } from '#kernel/session/report.js';
import type { NotebookFile } from '#protocol/notebook.js';
import { parseNotebook } from '#protocol/notebookCodec.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('report');
const script = path.resolve(import.meta.dirname, '../../../dist/webviews/report.js');
const built = fs.existsSync(script);
const bundle: Record<string, string> = {
  'map.json': JSON.stringify({ version: 1, title: 't', sets: [{ name: 'A' }] }),
  'columns.safetensors': 'binary\u0000data',
  '0.labels.json': '[["king"]]',
  '0.examples.jsonl': '[]\n',
};

function withMaps(...maps: Array<{ id: string; path: string }>): NotebookFile {
  const outputs = maps.map((map) => ({
    items: [{ mime: 'application/vnd.fgnb.map+json', json: { version: 1, ...map } }],
  }));
  const code = { id: 'c', kind: 'code' as const, language: 'x', source: ['"</script><b>"'], outputs };
  return { fgnb: 1, metadata: {}, cells: [code] };
}

beforeAll(() => {
  for (const place of ['nb/.fgnb/map1', 'elsewhere']) {
    fs.mkdirSync(path.join(folder, place), { recursive: true });
    for (const [name, text] of Object.entries(bundle)) fs.writeFileSync(path.join(folder, place, name), text);
  }
  fs.symlinkSync(path.join(folder, 'elsewhere'), path.join(folder, 'nb/.fgnb/link'));
  if (!built) process.stdout.write('skipped: dist/webviews/report.js is not built\n');
});

async function report(notebook: NotebookFile): Promise<{ html: string; problems: string[] }> {
  const out = path.join(folder, 'out', 'r.html');
  const problems = await writeReport(notebook, path.join(folder, 'nb'), out);
  return { html: fs.readFileSync(out, 'utf8'), problems };
}

describe.skipIf(!built)('the report', () => {
  it('carries the files that a Mapper graph has, and asks for no others', async () => {
    const place = path.join(folder, 'nb/.fgnb/graph1');
    fs.mkdirSync(place, { recursive: true });
    const files: Record<string, string> = {
      'graph.json': JSON.stringify({ version: 1, title: 't', sets: [{ name: 'A' }, { name: 'null' }] }),
      'columns.safetensors': 'columns',
      '0.labels.json': '[["king"]]',
      '0.examples.jsonl': '[]\n',
    };
    for (const [name, text] of Object.entries({ ...files, 'other.txt': 'no' }))
      fs.writeFileSync(path.join(place, name), text);
    const notebook = withMaps({ id: 'g', path: '.fgnb/graph1' });
    notebook.cells[0].outputs![0].items[0].mime = 'application/vnd.fgnb.graph+json';
    const { html, problems } = await report(notebook);
    expect(problems).toEqual([]);
    const carried = [...html.matchAll(/id="bundle:g:([^"]*)"/g)].map((match) => match[1]);
    expect(carried.sort()).toEqual(Object.keys(files).sort());
    notebook.cells[0].outputs![0].items[0].json = { version: 1, id: 'h', path: '.fgnb/missing' };
    expect((await report(notebook)).problems[0]).toMatch(/^graph \.fgnb\/missing is not in the report/);
  });

  it('carries the notebook and every file of a map, once', async () => {
    const { html, problems } = await report(
      withMaps({ id: 'abc', path: '.fgnb/map1' }, { id: 'abc', path: '.fgnb/map1' }),
    );
    expect(problems).toEqual([]);
    for (const [name, text] of Object.entries(bundle)) {
      const found = html.match(new RegExp(`id="bundle:abc:${name.replaceAll('.', '\\.')}">([^<]*)</script>`, 'g'));
      expect(found).toHaveLength(1);
      const [, base64] = />([^<]*)</.exec(found?.[0] ?? '') ?? [];
      expect(gunzipSync(Buffer.from(base64, 'base64')).toString()).toBe(text);
    }
    const [, json] = /id="notebook">([^<]*)<\/script>/.exec(html) ?? [];
    expect(JSON.parse(json)).toEqual(
      JSON.parse(JSON.stringify(withMaps({ id: 'abc', path: '.fgnb/map1' }, { id: 'abc', path: '.fgnb/map1' }))),
    );
    expect(html).toMatch(/default-src 'none'; script-src 'nonce-/);
  });

  it('reads nothing outside the notebook folder', async () => {
    const paths = ['../elsewhere', '.fgnb/../../elsewhere', path.join(folder, 'elsewhere'), '.fgnb/link'];
    const { html, problems } = await report(withMaps(...paths.map((each, i) => ({ id: `m${i}`, path: each }))));
    expect(problems).toHaveLength(4);
    expect(html).not.toContain('id="bundle:m');
  });

  it('says which map is missing', async () => {
    const { problems } = await report(withMaps({ id: 'gone', path: '.fgnb/gone' }));
    expect(problems[0]).toMatch(/map \.fgnb\/gone is not in the report/);
  });
});

describe.skipIf(!built)('the report of a notebook that version 0.1.0 saved', () => {
  const saved = path.resolve(import.meta.dirname, '../../fixtures/saved');

  it('carries the files that it carried then, byte for byte', async () => {
    const out = path.join(folder, 'out', 'saved.html');
    expect(
      await writeReport(parseNotebook(fs.readFileSync(path.join(saved, 'saved.fgnb'), 'utf8')), saved, out),
    ).toEqual([]);
    const found = [...fs.readFileSync(out, 'utf8').matchAll(/ id="bundle:([^":]+):([^"]+)">([^<]*)</g)];
    const hash = (gzip: string) =>
      createHash('sha256')
        .update(gunzipSync(Buffer.from(gzip, 'base64')))
        .digest('hex');
    const carried = found.map(([, id, file, gzip]) => ({ id, file, sha256: hash(gzip) }));
    const then = JSON.parse(fs.readFileSync(path.join(saved, 'carried.json'), 'utf8')) as typeof carried;
    const byName = (a: (typeof carried)[number], b: (typeof carried)[number]) =>
      a.id + a.file < b.id + b.file ? -1 : 1;
    expect(carried.sort(byName)).toEqual(then.sort(byName));
  });
});
