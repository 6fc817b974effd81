/**
 * Tables for other programs: every value as it is, not as it is shown; LaTeX, which is read by people, as it is shown.
 */
import { parquetWriteBuffer } from 'hyparquet-writer';
import { formatNumber, type TableColumn, type TableDescriptor } from './display.js';

type Value = string | number | null;

const valueOf = (row: TableDescriptor['rows'][number], { key }: TableColumn): Value =>
  Object.hasOwn(row, key) ? row[key] : null;

/** RFC 4180: quotes around what needs them. No value is an empty field. */
function csv({ columns, rows }: TableDescriptor): string {
  const field = (value: Value): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((c) => valueOf(row, c)))];
  return lines.map((line) => `${line.map(field).join(',')}\r\n`).join('');
}

/** IANA text/tab-separated-values, which has no quotes: tabs and line ends in values are written as \t and \n. */
function tsv({ columns, rows }: TableDescriptor): string {
  const ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
  const field = (value: Value): string =>
    (value === null ? '' : String(value)).replace(/[\\\t\n\r]/g, (c) => ESCAPES[c]);
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((c) => valueOf(row, c)))];
  return lines.map((line) => `${line.map(field).join('\t')}\n`).join('');
}

const LATEX: Record<string, string> = {
  ...{ '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}' },
  ...{ '<': '\\textless{}', '>': '\\textgreater{}', '|': '\\textbar{}', '"': '\\textquotedbl{}' },
  ...Object.fromEntries([...'#$%&_{}'].map((c) => [c, `\\${c}`])),
};
const latexText = (text: string): string => text.replace(/[\\~^<>|"#$%&_{}]/g, (c) => LATEX[c]).replace(/\s+/g, ' ');

/** A tabular of booktabs, in a table where it has a title. */
function latex({ title, columns, rows, note }: TableDescriptor): string {
  const cell = (row: TableDescriptor['rows'][number], column: TableColumn): string => {
    const value = valueOf(row, column);
    if (value === null) return '--';
    return column.type === 'number'
      ? formatNumber(Number(value), column.digits).replace(/^-/, '$-$')
      : latexText(String(value));
  };
  const line = (cells: readonly string[]): string => `${cells.join(' & ')} \\\\`;
  const tabular = [
    `\\begin{tabular}{${columns.map(({ type }) => (type === 'number' ? 'r' : 'l')).join('')}}`,
    '\\toprule',
    line(columns.map((column) => latexText(column.title))),
    '\\midrule',
    ...rows.map((row) => line(columns.map((column) => cell(row, column)))),
    '\\bottomrule',
    '\\end{tabular}',
  ];
  const caption = [title, note]
    .filter((part) => part)
    .map((part) => latexText(String(part)))
    .join('. ');
  const whole = caption
    ? ['\\begin{table}', '\\centering', `\\caption{${caption}}`, ...tabular, '\\end{table}']
    : tabular;
  return `% needs \\usepackage{booktabs}\n${whole.join('\n')}\n`;
}

/**
 * Numbers as DOUBLE, the rest as strings; no value is null. Columns are called by their titles, numbered where two are
 * alike.
 */
function parquet({ columns, rows }: TableDescriptor): Uint8Array {
  const taken = new Set<string>();
  const nameOf = (title: string): string => {
    let name = title;
    for (let n = 2; taken.has(name); n++) name = `${title} (${n})`;
    taken.add(name);
    return name;
  };
  const columnData = columns.map((column) => {
    const numeric = column.type === 'number' && rows.every((row) => typeof (valueOf(row, column) ?? 0) === 'number');
    const data = rows.map((row) => {
      const value = valueOf(row, column);
      return value === null || numeric ? value : String(value);
    });
    return {
      name: nameOf(column.title),
      data,
      type: numeric ? ('DOUBLE' as const) : ('STRING' as const),
      nullable: true,
    };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

export const TABLE_FORMATS = { csv, tsv, tex: latex, parquet } as const;
