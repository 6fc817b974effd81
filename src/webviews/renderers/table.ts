/** Tables: sortable, numbers right-aligned, copied as TSV or CSV. */
import type { TableColumn, TableDescriptor } from '../../protocol/display.js';
import { el, fill } from '../ui/dom.js';
import { count, percent, plural } from '../ui/format.js';
import { featureName } from '../ui/hoverCard.js';
import { button } from '../ui/toolkit.js';
import type { OutputEnvironment } from './outputs.js';
import { columnText, sortRows, tableText, type Row } from './tableText.js';

export const TABLE_CSS = `
.fg-table { max-width: 100%; container-type: inline-size; }
.fg-table .scroll { overflow: auto; max-height: 480px; border: 1px solid var(--fg-border); border-radius: 4px; width: fit-content; max-width: 100%; }
.fg-table table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
.fg-table th { position: sticky; top: 0; background: var(--fg-surface); border-bottom: 1px solid var(--fg-border); padding: 0; text-align: left; vertical-align: bottom; font-weight: 600; color: var(--fg-strong); }
.fg-table th button { all: unset; display: block; width: 100%; box-sizing: border-box; cursor: pointer; padding: 4px 8px; }
.fg-table th button:focus-visible { outline: 1px solid var(--fg-focus); outline-offset: -2px; }
.fg-table th.numeric, .fg-table td.numeric { text-align: right; }
.fg-table td.numeric { white-space: nowrap; }
.fg-table th.numeric button { text-align: right; }
.fg-table th[aria-sort="ascending"] button::after { content: " ▲"; font-size: 0.7em; }
.fg-table th[aria-sort="descending"] button::after { content: " ▼"; font-size: 0.7em; }
.fg-table td { padding: 3px 8px; border-bottom: 1px solid color-mix(in srgb, var(--fg-border) 55%, transparent); max-width: 48em; overflow-wrap: break-word; vertical-align: baseline; }
.fg-table td.feature { max-width: 20em; }
.fg-table td.feature .words { white-space: normal; }
.fg-table tr:last-child td { border-bottom: 0; }
.fg-table th { min-width: var(--squeezed); }
@container (max-width: 900px) {
  .fg-table th { min-width: var(--roomy); }
  .fg-table :is(th, td):first-child { position: sticky; left: 0; background: var(--fg-surface); }
  .fg-table tbody tr:hover td:first-child { background: linear-gradient(var(--fg-list-hover), var(--fg-list-hover)), var(--fg-surface); }
  .fg-table th:first-child { z-index: 1; }
}
.fg-table tbody tr:hover td { background: var(--fg-list-hover); }
.fg-table .actions { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 6px; color: var(--fg-muted); font-size: 0.92em; }
.fg-title { font-weight: 600; color: var(--fg-strong); margin: 0 0 6px; font-size: 1.05em; }
@media print {
  .fg-table .scroll { overflow: visible; max-height: none; width: auto; border: 0; }
  .fg-table table { font-size: 9.5px; }
  .fg-table th { position: static; min-width: 0 !important; }
  .fg-table th button { white-space: normal; padding: 2px 4px; }
  .fg-table td, .fg-table td.feature { padding: 2px 4px; max-width: none; white-space: normal; overflow-wrap: anywhere; }
  .fg-table tr { break-inside: avoid; }
  .fg-table .copy { display: none; }
}
`;

/** Rows drawn before the reader asks for all. */
const SHOWN = 200;

/**
 * A column of text is not squeezed below this many characters, nor so that its longest cell takes more than this many
 * lines: the table scrolls sideways instead. Long texts stop at the width that cells have at the most. Where the table is
 * narrow it scrolls anyway, under its first column: rows then are low rather than columns narrow.
 */
const TEXT_CHARACTERS = 13;
const TEXT_LINES = { squeezed: 5, roomy: 3 };
const MOST_CHARACTERS = 80;

type TableEnvironment = Pick<OutputEnvironment, 'copyText' | 'openFeature'>;

export function renderTable(descriptor: TableDescriptor, env: TableEnvironment): HTMLElement {
  return new Table(descriptor, env).element;
}

class Table {
  readonly element: HTMLElement;
  private rows: readonly Row[];
  private all: boolean;
  private sort: { key: string; descending: boolean } | null = null;
  private readonly body = el('tbody');
  private readonly texts: ReadonlyMap<TableColumn, (row: Row) => string>;
  private readonly headers: HTMLElement[];
  private readonly more: HTMLElement;
  private readonly status = el('span', { role: 'status' });

  constructor(
    private readonly descriptor: TableDescriptor,
    private readonly env: TableEnvironment,
  ) {
    this.rows = descriptor.rows;
    this.all = this.rows.length <= SHOWN;
    this.texts = new Map(descriptor.columns.map((column) => [column, columnText(column, this.rows)]));
    this.headers = descriptor.columns.map((column) => this.header(column));
    this.more = button({
      label: `Show all ${count(this.rows.length)} rows`,
      onClick: () => {
        this.all = true;
        this.draw();
      },
    }).element;
    const head = el('thead', {}, el('tr', {}, ...this.headers));
    this.element = el(
      'section',
      { class: 'fg-table', aria: { label: descriptor.title ?? 'Table' } },
      descriptor.title ? el('p', { class: 'fg-title' }, descriptor.title) : null,
      el('div', { class: 'scroll', tabIndex: 0 }, el('table', {}, head, this.body)),
      this.actions(),
    );
    this.draw();
  }

  private header(column: TableColumn): HTMLElement {
    const press = el('button', { on: { click: () => this.sortBy(column) } }, column.title);
    press.type = 'button';
    const header = el('th', { class: column.type === 'number' ? 'numeric' : '', aria: { sort: 'none' } }, press);
    if (column.type === 'text') {
      const longest = this.descriptor.rows.reduce((n, row) => Math.max(n, this.text(column, row).length), 0);
      for (const [name, lines] of Object.entries(TEXT_LINES)) {
        const least = Math.max(Math.min(TEXT_CHARACTERS, longest), Math.ceil(longest / lines));
        header.style.setProperty(`--${name}`, `calc(${Math.min(least, MOST_CHARACTERS)}ch + 16px)`);
      }
    }
    header.scope = 'col';
    return header;
  }

  private actions(): HTMLElement {
    const { rows, totalRows, note } = this.descriptor;
    const cut = totalRows !== undefined && totalRows > rows.length;
    return el(
      'div',
      { class: 'actions' },
      this.more,
      this.copyAs('TSV', '\t'),
      this.copyAs('CSV', ','),
      cut ? `first ${count(rows.length)} of ${count(totalRows)} rows` : null,
      note ? el('span', {}, note) : null,
      this.status,
    );
  }

  private copyAs(name: string, separator: '\t' | ','): HTMLElement {
    const onClick = () =>
      void this.env.copyText(tableText(this.descriptor, this.rows, separator)).then(
        () => (this.status.textContent = `Copied ${count(this.rows.length)} rows`),
        () => (this.status.textContent = 'The clipboard is not available here'),
      );
    const { element } = button({ label: `Copy as ${name}`, onClick });
    element.classList.add('copy');
    return element;
  }

  private sortBy(column: TableColumn): void {
    const again = this.sort?.key === column.key;
    this.sort = { key: column.key, descending: again ? !this.sort?.descending : column.type === 'number' };
    this.rows = sortRows(this.descriptor.rows, this.sort.key, this.sort.descending);
    const order = this.sort.descending ? 'descending' : 'ascending';
    this.headers.forEach((header, i) =>
      header.setAttribute('aria-sort', this.descriptor.columns[i] === column ? order : 'none'),
    );
    this.draw();
  }

  private text(column: TableColumn, row: Row): string {
    return this.texts.get(column)?.(row) ?? '–';
  }

  private cell(column: TableColumn, row: Row): HTMLElement {
    if (column.type !== 'feature')
      return el('td', { class: column.type === 'number' ? 'numeric' : '' }, this.text(column, row));
    return el('td', { class: 'feature' }, this.feature(column, row) ?? this.text(column, row));
  }

  /** A number of a feature by its name; null where nothing is known of it, and nothing to open. */
  private feature({ key, sae }: TableColumn, row: Row): HTMLElement | null {
    const id = typeof sae === 'object' ? row[sae.key] : sae;
    const feature = row[key];
    if (typeof id !== 'string' || typeof feature !== 'number' || !Number.isInteger(feature)) return null;
    const { saes = {} } = this.descriptor;
    const known = Object.hasOwn(saes, id) ? saes[id] : undefined;
    const cell = known && Object.hasOwn(known.features, feature) ? known.features[feature] : undefined;
    const open = this.env.openFeature?.(id);
    if (!known && !open) return null;
    const { examples, label = [] } = cell ?? {};
    return featureName({
      feature,
      of: known?.name ?? 'its SAE',
      label,
      ...(cell && { stats: cell.firings === 0 ? 'dead: never fired' : `fires on ${percent(cell.firingRate)} of tokens · ${plural(cell.firings, 'firing')}` }), // prettier-ignore
      ...(examples && { examples: () => Promise.resolve(examples) }),
      ...(open && { open: () => open(feature) }),
    });
  }

  private draw(): void {
    const cells = (row: Row) => this.descriptor.columns.map((column) => this.cell(column, row));
    fill(
      this.body,
      ...this.rows.slice(0, this.all ? this.rows.length : SHOWN).map((row) => el('tr', {}, ...cells(row))),
    );
    this.more.hidden = this.all;
  }
}
