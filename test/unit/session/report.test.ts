import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundlesOf, writeReport } from '#kernel/session/report.js';
import type { FeatureExample } from '#protocol/bundle.js';
import type { NotebookFile } from '#protocol/notebook.js';
import { parseNotebook } from '#protocol/notebookCodec.js';
import { TEXTS_FILE, unpackFile } from '#protocol/packing/pack.js';
import { PackedTexts } from '#protocol/packing/packedTexts.js';
import { bytesOfText } from '#protocol/packing/pageText.js';
import { decodeSafetensors, encodeSafetensors } from '#protocol/safetensors.js';
import { VIEW_NAMES, viewMime } from '#protocol/views.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('report');
const script = path.resolve(import.meta.dirname, '../../../dist/webviews/report.js');
const built = fs.existsSync(script);
const columns = encodeSafetensors({ '0.x': { dtype: 'F32', shape: [2], data: Float32Array.of(1.5, -2) } });
const bundle: Record<string, string | Uint8Array> = {
  'map.json': JSON.stringify({ version: 1, title: 't', sets: [{ name: 'A' }] }),
  'columns.safetensors': columns,
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

/** A file from its text in a page. */
const unpacked = (name: string, text: string): Uint8Array => unpackFile(name, gunzipSync(bytesOfText(text)));

async function report(notebook: NotebookFile): Promise<{ html: string; problems: string[] }> {
  const out = path.join(folder, 'out', 'r.html');
  const problems = await writeReport(notebook, path.join(folder, 'nb'), out);
  return { html: fs.readFileSync(out, 'utf8'), problems };
}

describe.skipIf(!built)('the report', () => {
  it('carries the files that a Mapper graph has, and asks for no others', async () => {
    const place = path.join(folder, 'nb/.fgnb/graph1');
    fs.mkdirSync(place, { recursive: true });
    const files: Record<string, string | Uint8Array> = {
      'graph.json': JSON.stringify({ version: 1, title: 't', sets: [{ name: 'A' }, { name: 'null' }] }),
      'columns.safetensors': columns,
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
      const [, packed] = />([^<]*)</.exec(found?.[0] ?? '') ?? [];
      expect(Buffer.compare(unpacked(name, packed), Buffer.from(text))).toBe(0);
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

  it('carries what it carried then: every column, label and example', async () => {
    const out = path.join(folder, 'out', 'saved.html');
    const notebook = parseNotebook(fs.readFileSync(path.join(saved, 'saved.fgnb'), 'utf8'));
    expect(await writeReport(notebook, saved, out)).toEqual([]);
    const html = fs.readFileSync(out, 'utf8');
    const bundles = VIEW_NAMES.flatMap((view) => bundlesOf(notebook, viewMime(view)));
    const then = JSON.parse(fs.readFileSync(path.join(saved, 'carried.json'), 'utf8')) as Array<{ id: string; file: string }>; // prettier-ignore
    expect(new Set(then.map(({ id }) => id)).size).toBeGreaterThan(2);
    for (const { id, file } of then) {
      const at = path.join(saved, bundles.find((each) => each.id === id)!.path);
      const old = fs.readFileSync(path.join(at, file));
      const of = (name: string): Uint8Array | null => {
        const text = html.split(` id="bundle:${id}:${name}">`)[1]?.split('<')[0];
        return text === undefined ? null : unpacked(name, text);
      };
      const own = of(file);
      const packed = of(TEXTS_FILE);
      if (own && file === 'columns.safetensors') {
        const tensors = [...decodeSafetensors(old).tensors].filter(
          ([name]) => !packed || !name.endsWith('.examplesAt'),
        );
        expect(decodeSafetensors(own).tensors).toEqual(new Map(tensors));
      } else if (own) expect(Buffer.compare(own, old), file).toBe(0);
      else {
        const set = Number(file.split('.')[0]);
        const texts = new PackedTexts(packed!, id);
        if (file.endsWith('labels.json')) expect(texts.labels(set)).toEqual(JSON.parse(old.toString()));
        else
          for (const [i, line] of old.toString().trimEnd().split('\n').entries()) {
            const tokens = (JSON.parse(line) as FeatureExample[]).map((each) => [
              each.sequence,
              each.position,
              each.tokens,
            ]);
            expect(texts.examples(set, i).map((each) => [each.sequence, each.position, each.tokens])).toEqual(tokens);
          }
      }
    }
  });
});
