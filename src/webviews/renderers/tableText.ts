/** Tables as data: sorting, how cells read, and text for the clipboard. */
import type { TableColumn, TableDescriptor } from '../../protocol/display.js';
import { number } from '../ui/format.js';

export type Row = TableDescriptor['rows'][number];

/** Rows in the order of a column; what has no value comes last either way; ties keep their order. */
export function sortRows(rows: readonly Row[], key: string, descending: boolean): Row[] {
  const missing = (v: Row[string] | undefined) =>
    v === null || v === undefined || (typeof v === 'number' && Number.isNaN(v));
  return [...rows].sort((p, q) => {
    const [a, b] = [p[key], q[key]];
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b));
    const order =
      typeof a === 'number' && typeof b === 'number'
        ? a - b
        : String(a).localeCompare(String(b), 'en', { numeric: true });
    return descending ? -order : order;
  });
}

const decimalsOf = (text: string): number => (text.includes('e') ? 0 : (text.split('.')[1] ?? '').length);

/**
 * How the cells of a column read. Values that are not whole keep their closing zeros as far as the largest ones of the
 * column have decimals ("0.9980" above "0.9979"), never past the digits of the column.
 */
export function columnText({ key, digits = 4 }: TableColumn, rows: readonly Row[]): (row: Row) => string {
  const split = rows.map((row) => row[key]).filter((v) => typeof v === 'number' && !Number.isInteger(v) && Number.isFinite(v)) as number[]; // prettier-ignore
  const largest = split.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const decimals = split.reduce((n, v) => (10 * Math.abs(v) < largest ? n : Math.max(n, decimalsOf(number(v, digits)))), 0); // prettier-ignore
  return (row) => {
    const value = row[key];
    if (value === null || value === undefined) return '–';
    if (typeof value === 'string') return value;
    const text = number(value, digits);
    if (Number.isInteger(value) || !/^−?[\d.]+$/.test(text)) return text;
    const meant = Math.min(decimals, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
    return decimalsOf(text) < meant ? value.toFixed(meant).replace('-', '−') : text;
  };
}

/** The table at full precision. Cells that a spreadsheet would take for a formula are led by an apostrophe. */
export function tableText(descriptor: TableDescriptor, rows: readonly Row[], separator: '\t' | ','): string {
  const escape = (text: string) => {
    const safe = /^[=+@-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    if (separator === '\t') return safe.replace(/[\t\r\n]+/g, ' ');
    return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const lines = [descriptor.columns.map((c) => escape(c.title))];
  for (const row of rows) lines.push(descriptor.columns.map((c) => escape(String(row[c.key] ?? ''))));
  return lines.map((cells) => cells.join(separator)).join('\n') + '\n';
}
