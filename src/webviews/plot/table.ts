/** A table of any length: only the rows in view exist. Sortable, keyboard complete, announced as a grid. */
import type { TableDescriptor } from '../../protocol/display.js';
import { el, fill } from '../ui/dom.js';
import { labelLine } from '../ui/format.js';
import type { PointLabel } from '../../protocol/tokens.js';

export interface GridColumn {
  key: string;
  title: string;
  /** CSS width, such as "4em" or "1fr". */
  width: string;
  numeric?: boolean;
  text(row: number): string;
  /** What the column sorts by. */
  value(row: number): number | string;
  /** What files have; default the number of a numeric column, else its text. */
  written?(row: number): number | string | null;
}

/** A column of feature ids or other numbers of things. */
export function idColumn(column: Pick<GridColumn, 'key' | 'title' | 'width'>, id: (row: number) => number): GridColumn {
  return { ...column, numeric: true, text: (row) => `#${id(row)}`, value: id };
}

/** A column of labels, which takes the room that is left. */
export function labelColumn(key: string, title: string, label: (row: number) => PointLabel): GridColumn {
  const text = (row: number) => labelLine(label(row));
  return { key, title, width: 'minmax(var(--label), 1fr)', text, value: (row) => text(row).toLowerCase() };
}

export interface GridOptions {
  label: string;
  columns: GridColumn[];
  sort: { key: string; descending: boolean };
  /** Of many columns: labels keep a least width, and the table scrolls sideways where there is too little room. */
  scrolls?: boolean;
  /** Class of a row, such as "pinned". */
  rowClass?(row: number): string;
  onActivate(row: number): void;
  onHover?(row: number | null): void;
  onSort?(sort: { key: string; descending: boolean }): void;
}

const ROW = 24;

/** Room that columns need, in CSS: their widths, labels of 7 em, and what is between and beside them. */
function leastWidth(columns: readonly GridColumn[]): string {
  const em = columns.reduce((sum, { width }) => sum + (width.endsWith('em') ? parseFloat(width) : 7), 0);
  return `calc(${em.toFixed(1)}em + ${8 * columns.length + 12}px)`;
}

export class VirtualGrid {
  readonly element: HTMLElement;
  private readonly body = el('div', { class: 'body', role: 'rowgroup', tabIndex: 0 });
  private readonly spacer = el('div', { class: 'spacer', role: 'presentation' });
  private readonly headers = new Map<string, HTMLElement>();
  private all = new Uint32Array(0);
  private sorted = new Uint32Array(0);
  private keep: (row: number) => boolean = () => true;
  private rows = new Uint32Array(0);
  private active = 0;
  private readonly template: string;
  private readonly observer = new ResizeObserver(() => this.draw());
  private sort: { key: string; descending: boolean };

  constructor(private readonly o: GridOptions) {
    this.sort = o.columns.some((c) => c.key === o.sort.key) ? o.sort : { key: o.columns[0].key, descending: false };
    this.template = o.columns.map((c) => c.width).join(' ');
    const head = el('div', { class: 'head', role: 'row', style: { 'grid-template-columns': this.template } });
    for (const column of o.columns) {
      const header = el(
        'button',
        { class: column.numeric ? 'numeric' : '', role: 'columnheader', on: { click: () => this.sortBy(column.key) } },
        column.title,
      );
      header.type = 'button';
      this.headers.set(column.key, header);
      head.append(header);
    }
    this.element = el(
      'div',
      {
        ...{ class: o.scrolls ? 'fg-grid scrolls' : 'fg-grid', role: 'grid', aria: { label: o.label } },
        style: { '--least': leastWidth(o.columns) },
      },
      head,
      this.body,
    );
    this.body.append(this.spacer);
    this.body.addEventListener('scroll', () => this.draw());
    this.body.addEventListener('keydown', (event) => this.onKey(event));
    this.body.addEventListener('pointerleave', () => this.o.onHover?.(null));
    this.observer.observe(this.body);
    this.markSort();
  }

  /** Rows that pass, in their order, as the table of a file. */
  written(title: string): TableDescriptor {
    const columns = this.o.columns.map(({ key, title, numeric, written }) => {
      return { key, title, type: numeric && !written ? ('number' as const) : ('text' as const) };
    });
    const cell = ({ numeric, value, text, written }: GridColumn, row: number): number | string | null => {
      if (written) return written(row);
      const v = numeric ? value(row) : text(row);
      return typeof v === 'number' && !Number.isFinite(v) ? null : v;
    };
    const rowOf = (row: number) => Object.fromEntries(this.o.columns.map((column) => [column.key, cell(column, row)]));
    return { version: 1, title, columns, rows: Array.from(this.rows, rowOf) };
  }

  get count(): number {
    return this.rows.length;
  }

  setRows(count: number): void {
    this.all = Uint32Array.from({ length: count }, (_, i) => i);
    this.resort();
  }

  /** Shows only rows that pass; order stays. */
  filter(keep: (row: number) => boolean): void {
    this.keep = keep;
    this.rows = this.sorted.filter(keep);
    this.active = Math.min(this.active, Math.max(0, this.rows.length - 1));
    this.element.setAttribute('aria-rowcount', String(this.rows.length + 1));
    this.spacer.style.height = `${this.rows.length * ROW}px`;
    this.draw();
  }

  private sortBy(key: string): void {
    const numeric = this.o.columns.find((c) => c.key === key)?.numeric ?? false;
    this.sort = { key, descending: this.sort.key === key ? !this.sort.descending : numeric && key === 'r' };
    this.markSort();
    this.resort();
    this.body.scrollTop = 0;
    this.o.onSort?.(this.sort);
  }

  private markSort(): void {
    for (const [key, header] of this.headers)
      header.setAttribute(
        'aria-sort',
        key !== this.sort.key ? 'none' : this.sort.descending ? 'descending' : 'ascending',
      );
  }

  private resort(): void {
    const column = this.o.columns.find((c) => c.key === this.sort.key) ?? this.o.columns[0];
    const values = Array.from(this.all, (row) => column.value(row));
    const sign = this.sort.descending ? -1 : 1;
    const missing = (v: number | string) => v === '' || Number.isNaN(v);
    this.sorted = this.all.slice().sort((i, j) => {
      const [a, b] = [values[i], values[j]];
      // What has no value comes last either way.
      if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b)) || i - j;
      return a < b ? -sign : a > b ? sign : i - j;
    });
    this.filter(this.keep);
  }

  /** Draws the rows in view anew; also after pins changed. */
  draw(): void {
    const { scrollTop, clientHeight } = this.body;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - 4);
    const last = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / ROW) + 4);
    fill(this.spacer, ...Array.from({ length: Math.max(0, last - first) }, (_, k) => this.row(first + k)));
  }

  private row(index: number): HTMLElement {
    const row = this.rows[index];
    const cells = this.o.columns.map((column) => {
      const text = column.text(row);
      return el('span', { class: column.numeric ? 'numeric' : '', role: 'gridcell', title: text }, text);
    });
    const node = el('div', {
      class: `row ${this.o.rowClass?.(row) ?? ''}${index === this.active ? ' active' : ''}`,
      role: 'row',
      id: `${this.idPrefix}${index}`,
      aria: { rowindex: String(index + 2) },
      style: { top: `${index * ROW}px`, 'grid-template-columns': this.template },
      on: {
        click: () => {
          this.active = index;
          this.o.onActivate(row);
          this.draw();
        },
        pointerenter: () => this.o.onHover?.(row),
      },
    });
    node.append(...cells);
    return node;
  }

  private readonly idPrefix = `row-${Math.random().toString(36).slice(2)}-`;

  private onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW) - 1);
    const moves: Record<string, number> = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.rows.length - 1,
    };
    if (this.rows.length === 0) return;
    if (event.key === 'Enter' || event.key === ' ') this.o.onActivate(this.rows[this.active]);
    else if (event.key in moves) this.active = Math.max(0, Math.min(this.rows.length - 1, moves[event.key]));
    else return;
    event.preventDefault();
    const top = this.active * ROW;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (top + ROW > this.body.scrollTop + this.body.clientHeight)
      this.body.scrollTop = top + ROW - this.body.clientHeight;
    this.o.onHover?.(this.rows[this.active]);
    this.draw();
    this.body.setAttribute('aria-activedescendant', `${this.idPrefix}${this.active}`);
  }

  dispose(): void {
    this.observer.disconnect();
  }
}
