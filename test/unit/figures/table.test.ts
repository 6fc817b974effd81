import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { figureFile, figuresOf, findFigure } from '#kernel/figures/figures.js';
import { Pictures } from '#kernel/figures/pictures.js';
import { TABLE_FORMATS } from '#protocol/tableFiles.js';
import { MIME } from '#protocol/mime.js';
import type { TableDescriptor } from '#protocol/display.js';
import type { Json, NotebookFile } from '#protocol/notebook.js';

const table: TableDescriptor = {
  version: 1,
  title: 'r & p_0',
  columns: [
    { key: 'a', title: 'name, "it"', type: 'text' },
    { key: '__proto__', title: 'value', type: 'number' },
    { key: 'v', title: 'value', type: 'number', digits: 2 },
  ],
  rows: [
    JSON.parse('{"a": " king\\t1\\n", "__proto__": 0.1234567890123, "v": -1.5}') as { a: string },
    { a: '50% \\ {x}', v: null },
  ],
};

describe('tables for other programs', () => {
  it('are CSV by RFC 4180, with every digit, and empty fields where there is no value', () => {
    expect(TABLE_FORMATS.csv(table)).toBe(
      '"name, ""it""",value,value\r\n" king\t1\n",0.1234567890123,-1.5\r\n50% \\ {x},,\r\n',
    );
  });

  it('are TSV with tabs and line ends escaped', () => {
    expect(TABLE_FORMATS.tsv(table)).toBe(
      'name, "it"\tvalue\tvalue\n king\\t1\\n\t0.1234567890123\t-1.5\n50% \\\\ {x}\t\t\n',
    );
  });

  it('are LaTeX with the digits that people see and nothing that LaTeX would take for its own', () => {
    const text = TABLE_FORMATS.tex(table);
    expect(text).toContain('\\caption{r \\& p\\_0}');
    expect(text).toContain('\\begin{tabular}{lrr}');
    expect(text).toContain(' king 1  & 0.1235 & $-$1.5 \\\\');
    expect(text).toContain('50\\% \\textbackslash{} \\{x\\} & -- & -- \\\\');
  });

  it('are Parquet that gives every value back, with columns of one name told apart', async () => {
    const bytes = TABLE_FORMATS.parquet(table);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    expect(await parquetReadObjects({ file })).toEqual([
      { 'name, "it"': ' king\t1\n', value: 0.1234567890123, 'value (2)': -1.5 },
      { 'name, "it"': '50% \\ {x}', value: null, 'value (2)': null },
    ]);
    const none = TABLE_FORMATS.parquet({ ...table, rows: [] });
    expect(await parquetReadObjects({ file: none.buffer.slice(0) as ArrayBuffer })).toEqual([]);
  });
});

describe('the figures of a notebook', () => {
  const output = (mime: string, json: object) => ({ items: [{ mime, json: json as Json }] });
  const map = { version: 1, id: 'abcdef0123456789', path: '.fgnb/map-1', meta: { title: 'Twin maps' } };
  const notebook = {
    ...{ fgnb: 1, metadata: {} },
    cells: [
      {
        ...{ id: 'c', kind: 'code', language: 'fgnb-typescript', source: [] },
        outputs: [
          output('text/plain', {}),
          output(MIME.table, table),
          output(MIME.map, map),
          output(MIME.map, map),
          output(MIME.chart, { title: 'Scores' }),
          output(MIME.chart, { title: 'Scores' }),
        ],
      },
    ],
  } as unknown as NotebookFile;
  const figures = figuresOf(notebook);

  it('are found by number, id and title; what is not found or not one is told with what there are', () => {
    expect(figures.map(({ kind }) => kind)).toEqual(['table', 'map', 'map', 'chart', 'chart']);
    expect(findFigure(figures, '4').kind).toBe('chart');
    expect(findFigure(figures, 'abcdef01').number).toBe(2);
    expect(findFigure(figures, 'r & p_0').kind).toBe('table');
    expect(() => findFigure(figures, 'abc')).toThrow(
      /there is no figure abc; there are\n {2}1: table "r & p_0"\n {2}2: map/,
    );
    expect(() => findFigure(figures, 'Scores')).toThrow(
      /several figures are called Scores; there are\n {2}4: .*\n {2}5: /,
    );
    expect(() => findFigure([], '1')).toThrow('shows no map, graph, chart or table');
  });

  it('refuse formats that they do not have, and scales out of range', async () => {
    const how = { notebookFolder: '/nowhere', pictures: new Pictures() };
    await expect(figureFile(figures[0], 'png', how)).rejects.toThrow('a table becomes csv, tsv, tex, parquet, not png');
    await expect(figureFile(figures[1], 'csv', how)).rejects.toThrow('a map becomes svg, png, not csv');
  });
});
