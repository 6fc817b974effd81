/** Tables as data: sorting, and text for the clipboard. */
import type { TableDescriptor } from '../../protocol/display.js';

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
