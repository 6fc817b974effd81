import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { fromScript, toScript } from '#kernel/convert/script.js';
import type { NotebookCell } from '#protocol/notebook.js';
import { splitSource } from '#protocol/notebookCodec.js';
import { Maker, seeded } from '#test/kit/notebooks.js';

const cell = (more: Partial<NotebookCell>): NotebookCell => ({
  id: 'cell-1',
  kind: 'code',
  language: 'fgnb-typescript',
  source: [],
  ...more,
});

const PIECES = [
  '// %% [markdown]',
  '// // %%',
  '//%%',
  '// ',
  '//',
  'x',
  ' ',
  '',
  '%%',
  '// ---',
  '// %%%',
  '/* %% */',
];

describe('a notebook as a script with cell marks', () => {
  it('comes back with the sources, kinds, languages and metadata of its cells', () => {
    for (let seed = 0; seed < 3000; seed++) {
      const make = new Maker(seeded(seed));
      const cells = make.list(5, (i): NotebookCell => {
        const kind = make.pick(['code', 'code', 'markdown'] as const);
        const language = kind === 'markdown' ? 'markdown' : make.pick(['fgnb-typescript', 'raw', 'python']);
        const text = make.list(5, () => make.pick(PIECES)).join('\n') + make.text(3).replace(/\r/g, '');
        const metadata = { tags: make.json(), title: make.pick(['a title', 'x [y]', '', 3]), k: make.text() };
        return cell({
          id: `cell-${i + 1}`,
          kind,
          language,
          source: splitSource(text),
          ...make.maybe(0.4, () => ({ metadata })),
        });
      });
      const { text, notes } = toScript({ fgnb: 1, metadata: {}, cells });
      expect(notes).toEqual([]);
      const back = fromScript(text).notebook.cells;
      if (!isDeepStrictEqual(back, cells)) expect(back, `seed ${seed}\n${text}`).toEqual(cells);
      expect(isDeepStrictEqual(back, cells), `seed ${seed}`).toBe(true);
    }
  });

  it('reads as VS Code and jupytext read it', () => {
    const cells = [
      cell({ kind: 'markdown', language: 'markdown', source: ['# A\n', '\n', 'b'] }),
      cell({ source: ['const x = 1;\n', 'x'], metadata: { title: 'First', tags: ['slow'] } }),
      cell({ language: 'python', source: ['print(1)'] }),
    ];
    expect(toScript({ fgnb: 1, metadata: {}, cells }).text).toBe(
      '// %% [markdown]\n// # A\n//\n// b\n\n// %% First tags=["slow"]\nconst x = 1;\nx\n\n// %% language="python"\n// print(1)\n',
    );
  });

  it('says what it does not keep', () => {
    const outputs = [{ items: [{ mime: 'text/plain', text: ['1'] }] }];
    const cells = [cell({ outputs, metadata: { 'a b': 1 } }), cell({ attachments: { 'a.png': {} } })];
    expect(toScript({ fgnb: 1, metadata: { a: 1 }, cells }).notes).toEqual([
      'Outputs (1) are not kept: a script holds code and text.',
      'Metadata of the notebook is not kept.',
      'cell 1: metadata under keys that a cell mark cannot hold is left out',
      'cell 2: attachments are not kept',
    ]);
  });

  it('takes files of other programs: a header, code before the first mark, CRLF, no blank lines, short names of kinds', () => {
    const text =
      '\ufeff// ---\r\n// jupyter:\r\n//   x: 1\r\n// ---\r\n\r\nimport fs from "node:fs";\r\n\r\n//%% [md]\r\n//# A\r\n// %% Load it [code] k={"a": [1, "x y"]}\r\nlet a\r\n';
    const { notebook, notes } = fromScript(text);
    expect(notebook.cells).toEqual([
      cell({ source: ['import fs from "node:fs";'] }),
      cell({ id: 'cell-2', kind: 'markdown', language: 'markdown', source: ['# A'] }),
      cell({ id: 'cell-3', source: ['let a'], metadata: { title: 'Load it', k: { a: [1, 'x y'] } } }),
    ]);
    expect(notes).toEqual(['The header (between "// ---") is left out.']);
    expect(fromScript('').notebook.cells).toEqual([]);
    expect(fromScript('const x = 1').notebook.cells).toEqual([cell({ source: ['const x = 1'] })]);
  });

  it('keeps a cell whose mark it does not understand, and says so', () => {
    const { notebook, notes } = fromScript('// %% [sql] k={broken\nselect 1\n');
    expect(notebook.cells[0].source).toEqual(['select 1']);
    expect(notes).toEqual(['cell 1: its mark is not understood in full: "[sql] k={broken"']);
  });
});
