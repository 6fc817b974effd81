/** What Jupyter's own programs make of our files: its schema takes them, it keeps what we remember, and makes pages of them. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { comparisonHtml, featuresHtml, tableHtml } from '#kernel/convert/html.js';
import { readJupyter } from '#kernel/convert/read.js';
import { serializeJupyter, toJupyter } from '#kernel/convert/toJupyter.js';
import type { CellOutput, Json, NotebookFile } from '#protocol/notebook.js';
import { testFolder } from '#test/kit/folder.js';
import { anyNotebook, Maker, seeded } from '#test/kit/notebooks.js';
import { noJupyter, python } from '#test/kit/python.js';

const folder = testFolder();
const missing = noJupyter();

describe.skipIf(missing !== undefined)('an .ipynb of ours in the programs of Jupyter', () => {
  it('is valid by the schema of nbformat and comes back equal after nbformat has saved it, for 500 notebooks', () => {
    const notebooks = Array.from({ length: 500 }, (_, seed) => anyNotebook(new Maker(seeded(seed), true)));
    writeFileSync(
      join(folder, 'ours.json'),
      JSON.stringify(notebooks.map((each) => serializeJupyter(toJupyter(each)))),
    );
    python(
      folder,
      `
import json, nbformat, warnings
warnings.simplefilter('error', UserWarning)
saved = []
for i, text in enumerate(json.load(open('ours.json'))):
    try:
        notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        saved.append(nbformat.writes(notebook, version=nbformat.NO_CONVERT))
    except Exception as error:
        raise SystemExit(f'notebook {i}: {error}')
json.dump(saved, open('saved.json', 'w'))
`,
    );
    const saved = JSON.parse(readFileSync(join(folder, 'saved.json'), 'utf8')) as string[];
    expect(saved).toHaveLength(500);
    saved.forEach((text, i) => {
      const back = readJupyter(text).notebook;
      if (!isDeepStrictEqual(back, notebooks[i])) expect(back, `notebook ${i}`).toEqual(notebooks[i]);
      expect(isDeepStrictEqual(back, notebooks[i]), `notebook ${i}`).toBe(true);
    });
  });

  it(
    'becomes a page by nbconvert that shows tables, cards, comparisons, pictures, streams and errors',
    { timeout: 60_000 },
    () => {
      const html = (mime: string, json: object, made: string, picture?: string): [CellOutput, Map<string, string>] => [
        {
          items: [
            { mime, json: json as Json },
            { mime: 'text/plain', text: ['plain'] },
          ],
        },
        new Map([['text/html', made], ...(picture ? [['image/svg+xml', picture] as [string, string]] : [])]),
      ];
      const table = {
        version: 1 as const,
        title: 'Scores <of> r',
        columns: [
          { key: 'a', title: 'name', type: 'text' as const },
          { key: '__proto__', title: 'value', type: 'number' as const },
        ],
        rows: [JSON.parse('{"a": "<script>alert(1)</script>", "__proto__": 0.123456}') as { a: string }, { a: 'none' }],
        note: 'p & q',
      };
      const example = { value: 2.5, tokens: ['Once', ' upon', '\n'], peak: 1 };
      const card = {
        side: 'A: tiny',
        feature: 7,
        label: [' upon'],
        firingRate: 0.01,
        firings: 12,
        examples: [example],
      };
      const cards = { version: 1 as const, groups: [{ heading: 'royal', r: 0.91, cards: [card as never] }] };
      const comparison = {
        version: 1 as const,
        intervention: 'steer 3 × #7',
        rows: [{ prompt: 'p', before: 'b', after: 'a' }],
        tokens: [{ token: ' king', before: 0.1, after: 0.4, logit: { before: 1, after: 2, delta: 1 } }],
      };
      const shown = [
        html('application/vnd.fgnb.table+json', table, tableHtml(table)),
        html('application/vnd.fgnb.features+json', cards, featuresHtml(cards)),
        html('application/vnd.fgnb.comparison+json', comparison, comparisonHtml(comparison)),
      ];
      const outputs: CellOutput[] = [
        ...shown.map(([output]) => output),
        { items: [{ mime: 'application/vnd.code.notebook.stdout', text: ['printed 1\n'] }] },
        {
          items: [
            {
              mime: 'application/vnd.code.notebook.error',
              json: { name: 'TypeError', message: 'bad', stack: 'TypeError: bad\n    at cell 1' },
            },
          ],
        },
      ];
      const notebook: NotebookFile = {
        ...{ fgnb: 1, metadata: {} },
        cells: [
          { id: 'm', kind: 'markdown', language: 'markdown', source: ['# A heading'] },
          {
            id: 'c',
            kind: 'code',
            language: 'fgnb-typescript',
            source: ['const x: number = 1'],
            execution: { order: 3, status: 'error' },
            outputs,
          },
        ],
      };
      writeFileSync(join(folder, 'page.ipynb'), serializeJupyter(toJupyter(notebook, new Map(shown))));
      execFileSync('/usr/bin/python3', ['-m', 'nbconvert', '--to', 'html', 'page.ipynb'], {
        cwd: folder,
        stdio: 'pipe',
      });
      const page = readFileSync(join(folder, 'page.html'), 'utf8');
      for (const piece of [
        'A heading',
        '[3]:',
        '0.1235',
        '&lt;script&gt;alert(1)',
        '–',
        'p &amp; q',
        '#7',
        '<strong> upon</strong>',
        'r 0.91',
        'steer 3 × #7',
        '40 %',
        'printed 1',
        'TypeError: bad',
      ])
        expect(page, piece).toContain(piece);
      expect(page).not.toContain('<script>alert(1)');
      expect(page).not.toContain('>plain<');
    },
  );
});
