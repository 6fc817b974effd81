import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { JupyterCell, JupyterNotebook } from '#kernel/convert/jupyter.js';
import { readJupyter } from '#kernel/convert/read.js';
import { serializeJupyter, toJupyter } from '#kernel/convert/toJupyter.js';
import type { Json, JsonObject, NotebookCell, NotebookFile } from '#protocol/notebook.js';
import { serializeNotebook } from '#protocol/notebookCodec.js';
import { anyNotebook, Maker, seeded } from '#test/kit/notebooks.js';

const goldens = JSON.parse(readFileSync(new URL('../../goldens/ipynb.json', import.meta.url), 'utf8')) as {
  cases: Array<{ name: string; text: string; read: { metadata: JsonObject; cells: JupyterCell[] } }>;
  nbformat3: string;
};

const text = (lines: unknown): Json => (Array.isArray(lines) ? lines.join('') : (lines as Json));

/** A cell in one spelling: lines joined, line ends LF, base64 without line breaks. */
function spelled(cell: JupyterCell): JsonObject {
  const outputs = cell.outputs?.map((output) => {
    if (output.output_type === 'stream') return { ...output, text: text(output.text) };
    if (output.output_type === 'error') return { ...output };
    const data = Object.entries(output.data).map(([mime, value]) => [
      mime,
      mime === 'image/png' ? String(text(value)).trim() : mime.endsWith('json') ? value : text(value),
    ]);
    return { ...output, data: Object.fromEntries(data) as JsonObject };
  });
  const { id: _, ...rest } = cell;
  return {
    ...rest,
    source: String(text(cell.source)).replace(/\r\n/g, '\n'),
    ...(outputs && { outputs }),
  } as unknown as JsonObject;
}

const written = (notebook: NotebookFile): JupyterNotebook =>
  JSON.parse(serializeJupyter(toJupyter(notebook))) as JupyterNotebook;

const code = (more: Partial<NotebookCell> = {}): NotebookCell => ({
  id: 'a',
  kind: 'code',
  language: 'fgnb-typescript',
  source: [],
  ...more,
});
const notebookOf = (...cells: NotebookCell[]): NotebookFile => ({ fgnb: 1, metadata: {}, cells });

/** A foreign notebook with one cell of these outputs. */
const foreign = (outputs: unknown[], more: object = {}): string =>
  JSON.stringify({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [{ cell_type: 'code', id: 'a', metadata: {}, source: '', execution_count: null, outputs, ...more }],
  });
const display = (data: object, metadata: object = {}): object => ({ output_type: 'display_data', data, metadata });

describe('a notebook as .ipynb', () => {
  it('comes back equal, for any notebook', () => {
    for (let seed = 0; seed < 3000; seed++) {
      const notebook = anyNotebook(new Maker(seeded(seed)));
      const back = readJupyter(serializeJupyter(toJupyter(notebook))).notebook;
      // Unlike expect, it takes a key named __proto__ for one like others.
      if (!isDeepStrictEqual(back, notebook)) expect(back, `seed ${seed}`).toEqual(notebook);
      expect(isDeepStrictEqual(back, notebook), `seed ${seed}`).toBe(true);
    }
  });

  it('comes back byte for byte where its keys are those of notebooks', () => {
    const outputs = [
      { items: [{ mime: 'application/vnd.code.notebook.stdout', text: ['a\n'] }] },
      { items: [{ mime: 'text/plain', text: ['b'] }], metadata: { own: 1 } },
    ];
    const cell = code({ source: ['1\n', '2'], execution: { order: 1, status: 'ok' }, outputs });
    const notebook = notebookOf({ id: 'm', kind: 'markdown', language: 'markdown', source: ['# A'] }, cell);
    const bytes = serializeNotebook(notebook);
    expect(serializeNotebook(readJupyter(serializeJupyter(toJupyter(notebook))).notebook)).toBe(bytes);
  });

  it('says streams, errors and displays as Jupyter does, and names a kernel that runs TypeScript', () => {
    const outputs = [
      { items: [{ mime: 'application/vnd.code.notebook.stdout', text: ['a\n', 'b'] }] },
      { items: [{ mime: 'application/vnd.code.notebook.stderr', text: ['c'] }] },
      {
        items: [
          { mime: 'image/png', base64: 'AAAA' },
          { mime: 'text/plain', text: ['d'] },
        ],
      },
      {
        items: [
          { mime: 'application/vnd.code.notebook.error', json: { name: 'E', message: 'm', stack: 'E: m\n    at 1' } },
        ],
      },
    ];
    const { cells, metadata, nbformat, nbformat_minor } = written(
      notebookOf(code({ execution: { order: 3, status: 'error' }, outputs })),
    );
    expect([nbformat, nbformat_minor]).toEqual([4, 5]);
    expect(metadata).toMatchObject({
      kernelspec: { name: 'fgnb', language: 'typescript' },
      language_info: { name: 'typescript' },
    });
    expect(cells).toEqual([
      {
        ...{ cell_type: 'code', id: 'a', metadata: {}, source: [], execution_count: 3 },
        outputs: [
          { output_type: 'stream', name: 'stdout', text: ['a\n', 'b'] },
          { output_type: 'stream', name: 'stderr', text: ['c'] },
          { output_type: 'display_data', data: { 'image/png': 'AAAA', 'text/plain': ['d'] }, metadata: {} },
          { output_type: 'error', ename: 'E', evalue: 'm', traceback: ['E: m', '    at 1'] },
        ],
      },
    ]);
  });

  it('believes Jupyter where the notebook was run again there', () => {
    const execution = { order: 2, status: 'interrupted' as const, own: 1 };
    const ipynb = written(notebookOf(code({ execution, outputs: [] })));
    expect(readJupyter(JSON.stringify(ipynb)).notebook.cells[0]).toMatchObject({ execution, outputs: [] });
    ipynb.cells[0].execution_count = 7;
    ipynb.cells[0].outputs = [{ output_type: 'stream', name: 'stdout', text: 'x' }];
    const [cell] = readJupyter(JSON.stringify(ipynb)).notebook.cells;
    expect(cell.execution).toEqual({ order: 7, status: 'ok' });
    expect(cell.outputs).toHaveLength(1);
  });

  it('leaves fallbacks out when it comes back, and forgets items that another program took away', () => {
    const output = {
      items: [
        { mime: 'application/vnd.fgnb.table+json', json: {} },
        { mime: 'text/plain', text: ['t'] },
      ],
    };
    const notebook = notebookOf(code({ outputs: [output] }));
    const ipynb = toJupyter(notebook, new Map([[output, new Map([['text/html', '<b>t</b>']])]]));
    const [shown] = ipynb.cells[0].outputs as unknown as [{ data: JsonObject }];
    expect(Object.keys(shown.data)).toEqual(['application/vnd.fgnb.table+json', 'text/plain', 'text/html']);
    expect(readJupyter(serializeJupyter(ipynb)).notebook).toEqual(notebook);
    delete shown.data['application/vnd.fgnb.table+json'];
    expect(readJupyter(serializeJupyter(ipynb)).notebook.cells[0].outputs).toEqual([{ items: [output.items[1]] }]);
  });
});

describe('a notebook of Jupyter', () => {
  it.each(goldens.cases)('$name: cells, metadata and outputs survive the way in and out', ({ text: ipynb, read }) => {
    const { notebook } = readJupyter(ipynb);
    const back = written(notebook);

    expect(back.metadata).toEqual(read.metadata);
    expect(isDeepStrictEqual(back.cells.map(spelled), read.cells.map(spelled))).toBe(true);
    expect(back.cells.map((cell) => cell.id)).toEqual(read.cells.map((cell, i) => cell.id ?? `cell-${i + 1}`));
    // And our own file survives, too.
    expect(readJupyter(JSON.stringify(back)).notebook).toEqual(notebook);
  });

  it('becomes cells of its own language, which are said not to run here', () => {
    const { notebook, notes } = readJupyter(goldens.cases.find(({ name }) => name === '4.5')!.text);
    expect(notebook.cells.map(({ kind, language }) => `${kind} ${language}`)).toEqual([
      'markdown markdown',
      'code python',
      'code raw',
      'code python',
      'code sql',
      'code python',
    ]);
    expect(notes).toContain('cells 2, 4, 6: is "python": kept, but not run here, where cells are TypeScript');
    const { notebook: typescript } = readJupyter(goldens.cases.find(({ name }) => name.startsWith('TypeScript'))!.text);
    expect(typescript.cells[0].language).toBe('fgnb-typescript');
  });

  it('shows no HTML, SVG or script that may run, and keeps it for an export', () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
    const active = [
      { 'text/html': '<img src=x onerror=alert(1)>', 'text/plain': 'x' },
      { 'text/html': ['<b>ok</b>', '<script>alert(1)</script>'] },
      { 'image/svg+xml': svg },
      { 'application/javascript': 'alert(1)' },
      { 'text/markdown': '[a](b) <iframe src="http://x"></iframe>' },
      // Our own memory in a file of somebody else's does not get past it either.
      { 'text/plain': 'x' },
    ];
    const forged = { fgnb: { items: [{ mime: 'text/html', text: ['<script>alert(1)</script>'] }] } };
    const ipynb = foreign(active.map((data, i) => display(data, i === 5 ? forged : {})));
    const { notebook, notes } = readJupyter(ipynb);
    const outputs = notebook.cells[0].outputs ?? [];
    expect(outputs.flatMap(({ items }) => items.map((item) => item.mime))).toEqual(Array(6).fill('text/plain'));
    expect(outputs[1].items[0].text?.join('')).toMatch(/^\[text\/html: not shown, because it may run scripts/);
    expect(notes).toContain('cell 1: HTML, SVG or script that may run is kept but not shown; an export writes it back');
    const back = written(notebook).cells[0].outputs as Array<{ data: JsonObject }>;
    expect(
      back.slice(0, 5).map(({ data }) => Object.fromEntries(Object.entries(data).map(([k, v]) => [k, text(v)]))),
    ).toEqual(active.slice(0, 5).map((data) => Object.fromEntries(Object.entries(data).map(([k, v]) => [k, text(v)]))));
  });

  it('names in words what is no notebook, or none of a version that is read', () => {
    const message = (source: string): string => {
      try {
        readJupyter(source);
      } catch (error) {
        return (error as Error).message;
      }
      return 'read';
    };
    expect(message(goldens.nbformat3)).toMatch(
      /^line \d+: it is in nbformat 3; 4\.0 and later are read\. Convert it first: jupyter nbconvert/,
    );
    expect(message('{"nbformat": 5, "cells": []}')).toMatch(/nbformat 5; 4\.0 to 4\.5 are read/);
    expect(message('{"cells": []}')).toMatch(/no Jupyter notebook: the key "nbformat" is missing/);
    expect(message('')).toMatch(/cut short/);
    expect(message('[1]')).toMatch(/holds a list, not a notebook/);
    expect(message(goldens.cases[5].text.slice(0, 900))).toMatch(/^line \d+: the text ends in the middle/);
    expect(message('{"nbformat": 4,\n "cells": NaN}')).toMatch(/^line 2: the text is not valid JSON here/);
    expect(message('{"nbformat": 4,\n "cells": [\n {"cell_type": "heading", "source": "x"}]}')).toMatch(
      /^line 3: cells\[0\]\.cell_type must be code, markdown or raw, not "heading"/,
    );
    expect(message(foreign([{ output_type: 'stream', text: 3 }]))).toMatch(
      /cells\[0\]\.outputs\[0\]\.text must be text or a list of lines, not 3/,
    );
    expect(message(foreign([display([])]))).toMatch(/outputs\[0\]\.data must be an object, not a list/);
    expect(message(foreign([], { execution_count: 'x' }))).toMatch(/execution_count must be a number or null/);
    expect(message(foreign([], { metadata: { fgnb: { rest: { later: 1 }, execution: { status: 'fine' } } } }))).toMatch(
      /metadata\.fgnb keeps is broken: .*must be ok, error or interrupted/,
    );
  });

  it('reads a later 4.x as far as it is known, and says what is left out', () => {
    const raw = JSON.parse(
      foreign([{ output_type: 'hologram', data: {} }, display({ 'text/plain': 'x' })]),
    ) as JsonObject;
    const { notebook, notes } = readJupyter(JSON.stringify({ ...raw, nbformat_minor: 9 }));
    expect(notebook.cells[0].outputs).toHaveLength(1);
    expect(notes).toEqual([
      'The notebook is in nbformat 4.9: it is read as 4.5, and what is newer is left out.',
      'cell 1: is "python": kept, but not run here, where cells are TypeScript',
      'cell 1: an output of the type "hologram" is left out: it is not known here',
    ]);
  });

  it('gets ids where it has none or repeats them, the same each time, and says so where the format asks for them', () => {
    const cell = (id?: string): object => ({ cell_type: 'raw', ...(id && { id }), metadata: {}, source: '' });
    const raw = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [cell('a'), cell('a'), cell()] };
    expect(readJupyter(JSON.stringify(raw)).notebook.cells.map(({ id }) => id)).toEqual(['a', 'a-2', 'cell-3']);
    expect(readJupyter(JSON.stringify(raw)).notes).toEqual([
      'cells 2, 3: has a new id: it had none, or that of another cell',
    ]);
    expect(readJupyter(JSON.stringify({ ...raw, nbformat_minor: 4 })).notes).toEqual([]);
  });
});
