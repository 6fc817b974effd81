/** Beside the maps: pinned pairs in full, and the table of all pairs, the accessible equivalent of the maps. */
import { el, fill, icon } from '../ui/dom.js';
import { correlation, count, labelText, percent, plural } from '../ui/format.js';
import { button } from '../ui/toolkit.js';
import type { ExampleCache } from '../plot/examples.js';
import { pairCard } from './card.js';
import type { Filters, Lit } from './filter.js';
import { linkOf } from './filter.js';
import { linkedPairs, type MapModel } from './model.js';
import { shiftColumns, unitOf } from './shift.js';
import type { MapViewState, Pin } from './state.js';
import { VirtualGrid, type GridColumn } from '../plot/table.js';

export interface PaneHooks {
  pin(set: number, point: number): void;
  unpin(index: number): void;
  unpinAll(): void;
  /** Brings a point and its partner into view. */
  show(set: number, point: number): void;
  hover(set: number, point: number | null): void;
  tab(tab: 'details' | 'pairs'): void;
  sort(sort: MapViewState['sort']): void;
}

export class Pane {
  readonly element = el('aside', { class: 'pane', aria: { label: 'Pairs and pinned features' } });
  private readonly tabs: Record<'pairs' | 'details', HTMLButtonElement>;
  private readonly details = el('div', { class: 'details', role: 'tabpanel' });
  private readonly pairs = el('div', { class: 'pairs', role: 'tabpanel' });
  private readonly summary = el('p', { class: 'summary' });
  private readonly grid: VirtualGrid;
  private readonly links: ReturnType<typeof linkedPairs>;
  private pinned = new Set<string>();

  constructor(
    private readonly model: MapModel,
    private readonly cache: ExampleCache,
    state: MapViewState,
    private readonly hooks: PaneHooks,
  ) {
    this.links = linkedPairs(model);
    const tab = (name: 'pairs' | 'details', title: string) => {
      const node = el('button', { role: 'tab', on: { click: () => hooks.tab(name) } }, title);
      node.type = 'button';
      return node;
    };
    this.tabs = {
      pairs: tab('pairs', model.meta.shift ? 'Tokens' : model.twin ? 'Pairs' : 'Features'),
      details: tab('details', 'Pinned'),
    };
    this.grid = new VirtualGrid({
      label: model.meta.shift ? 'Tokens' : model.twin ? 'Linked pairs' : 'Features',
      columns: model.meta.shift ? shiftColumns(model) : model.twin ? this.pairColumns() : this.featureColumns(),
      sort: state.sort,
      rowClass: (row) => (this.pinned.has(`0:${this.pointOfRow(row)}`) ? 'pinned' : ''),
      onActivate: (row) => hooks.pin(0, this.pointOfRow(row)),
      onHover: (row) => hooks.hover(0, row === null ? null : this.pointOfRow(row)),
      onSort: hooks.sort,
    });
    this.pairs.append(this.summary, this.grid.element);
    this.element.append(
      el('div', { class: 'tabs', role: 'tablist' }, this.tabs.pairs, this.tabs.details),
      this.pairs,
      this.details,
    );
    this.grid.setRows(model.twin ? this.links.a.length : model.sets[0].n);
  }

  private pointOfRow(row: number): number {
    return this.model.twin ? this.links.a[row] : row;
  }

  private pairColumns(): GridColumn[] {
    const [a, b] = this.model.sets;
    const { links } = this;
    const labels = [a, b].map((set) => set.columns.labels);
    return [
      {
        key: 'a',
        title: a.name,
        width: '5.2em',
        numeric: true,
        text: (i) => `#${a.columns.feature[links.a[i]]}`,
        value: (i) => a.columns.feature[links.a[i]],
      },
      {
        key: 'aLabel',
        title: `${a.name} label`,
        width: 'minmax(0, 1fr)',
        text: (i) => labelText(labels[0][links.a[i]]),
        value: (i) => labelText(labels[0][links.a[i]]).toLowerCase(),
      },
      {
        key: 'b',
        title: b.name,
        width: '5.2em',
        numeric: true,
        text: (i) => `#${b.columns.feature[links.b[i]]}`,
        value: (i) => b.columns.feature[links.b[i]],
      },
      {
        key: 'bLabel',
        title: `${b.name} label`,
        width: 'minmax(0, 1fr)',
        text: (i) => labelText(labels[1][links.b[i]]),
        value: (i) => labelText(labels[1][links.b[i]]).toLowerCase(),
      },
      {
        key: 'r',
        title: 'r',
        width: '3.2em',
        numeric: true,
        text: (i) => correlation(links.r[i]),
        value: (i) => links.r[i],
      },
    ];
  }

  private featureColumns(): GridColumn[] {
    const { columns } = this.model.sets[0];
    return [
      {
        key: 'a',
        title: 'Feature',
        width: '5em',
        numeric: true,
        text: (i) => `#${columns.feature[i]}`,
        value: (i) => columns.feature[i],
      },
      {
        key: 'aLabel',
        title: 'Label',
        width: 'minmax(0, 1fr)',
        text: (i) => labelText(columns.labels[i]),
        value: (i) => labelText(columns.labels[i]).toLowerCase(),
      },
      {
        key: 'rate',
        title: 'Fires on',
        width: '5.4em',
        numeric: true,
        text: (i) => percent(columns.firingRate[i]),
        value: (i) => columns.firingRate[i],
      },
      {
        key: 'firings',
        title: 'Firings',
        width: '5em',
        numeric: true,
        text: (i) => count(columns.firings[i]),
        value: (i) => columns.firings[i],
      },
    ];
  }

  showTab(tab: MapViewState['pane']): void {
    this.element.hidden = tab === 'closed';
    for (const name of ['pairs', 'details'] as const) {
      this.tabs[name].setAttribute('aria-selected', String(name === tab));
      this[name].hidden = name !== tab;
    }
    this.grid.draw();
  }

  /** Rows that the filters leave: a pair stays when either end is a hit and its link is not hidden. */
  setFilters(filters: Filters, lit: Lit): void {
    const { links, model } = this;
    if (model.twin)
      this.grid.filter(
        (i) =>
          (filters.minR <= 0 || links.r[i] >= filters.minR) &&
          (!lit.active || lit.state[0][links.a[i]] === 1 || lit.state[1][links.b[i]] === 1),
      );
    else
      this.grid.filter((i) => (filters.showDead || !model.sets[0].dead[i]) && (!lit.active || lit.state[0][i] === 1));
    const total = model.twin ? links.a.length : model.sets[0].n;
    this.summary.textContent =
      this.grid.count === total
        ? plural(total, model.twin && !model.meta.shift ? 'pair' : unitOf(model))
        : `${count(this.grid.count)} of ${plural(total, model.twin && !model.meta.shift ? 'pair' : unitOf(model))}`;
  }

  setPins(pins: ReadonlyArray<Pin & { point: number }>, minR: number): void {
    this.tabs.details.textContent = pins.length > 0 ? `Pinned (${pins.length})` : 'Pinned';
    this.pinned = new Set();
    const cards = pins.map((pin, index) => {
      const partner = linkOf(this.model.sets[pin.set], pin.point, minR);
      this.pinned.add(`${pin.set}:${pin.point}`);
      if (partner >= 0) this.pinned.add(`${1 - pin.set}:${partner}`);
      const card = pairCard({
        model: this.model,
        cache: this.cache,
        set: pin.set,
        point: pin.point,
        partner,
        examples: 5,
      });
      const name = `${this.model.sets[pin.set].name} #${pin.feature}`;
      return el(
        'article',
        { class: 'pin', aria: { label: `Pin ${index + 1}: ${name}` } },
        el(
          'header',
          {},
          el('span', { class: 'number' }, String(index + 1)),
          el('span', { class: 'grow' }),
          button({
            label: `Show ${name} in the maps`,
            content: icon('target'),
            appearance: 'icon',
            onClick: () => this.hooks.show(pin.set, pin.point),
          }).element,
          button({
            label: `Unpin ${name}`,
            content: icon('close'),
            appearance: 'icon',
            onClick: () => this.hooks.unpin(index),
          }).element,
        ),
        card,
      );
    });
    if (cards.length === 0)
      fill(this.details, el('p', { class: 'fg-none' }, 'Click a point, or a row of the table, to pin it here.'));
    else {
      const clear = button({ label: 'Clear pins', onClick: () => this.hooks.unpinAll() }).element;
      // The newest pin is what the reader just asked for: first.
      fill(this.details, ...cards.reverse(), cards.length > 1 ? clear : null);
    }
    this.grid.draw();
  }

  dispose(): void {
    this.grid.dispose();
  }
}
