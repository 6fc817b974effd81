/** Beside a drawing: tabs with tables and lists, and what is pinned. */
import { el, fill, icon } from '../ui/dom.js';
import { button } from '../ui/toolkit.js';

export interface PaneTab<T extends string> {
  name: T;
  title: string;
  /** Holds a table rather than cards. */
  table?: boolean;
}

/** A drawer: closed, only its tabs are seen. */
export abstract class PlotPane<T extends string> {
  readonly element: HTMLElement;
  private readonly tabs = new Map<T, { tab: HTMLButtonElement; body: HTMLElement }>();

  constructor(label: string, tabs: ReadonlyArray<PaneTab<T>>, onTab: (tab: T) => void) {
    const list = el('div', { class: 'tabs', role: 'tablist' });
    this.element = el('aside', { class: 'pane', aria: { label } }, list);
    for (const { name, title, table } of tabs) {
      const tab = el('button', { role: 'tab', on: { click: () => onTab(name) } }, title);
      tab.type = 'button';
      const body = el('div', { class: table ? 'pairs' : 'details', role: 'tabpanel' });
      this.tabs.set(name, { tab, body });
      list.append(tab);
      this.element.append(body);
    }
  }

  body(tab: T): HTMLElement {
    return this.entry(tab).body;
  }

  protected setTitle(tab: T, title: string): void {
    this.entry(tab).tab.textContent = title;
  }

  private entry(tab: T): { tab: HTMLButtonElement; body: HTMLElement } {
    const entry = this.tabs.get(tab);
    if (!entry) throw new Error(`there is no tab ${tab}`);
    return entry;
  }

  showTab(tab: T | 'closed'): void {
    for (const [name, entry] of this.tabs) {
      entry.tab.setAttribute('aria-selected', String(name === tab));
      entry.body.hidden = name !== tab;
    }
  }

  abstract dispose(): void;

  /** The pinned cards, the newest first: it is what the reader just asked for. */
  protected drawPins(tab: T, cards: readonly HTMLElement[], o: { none: string; clear(): void }): void {
    this.setTitle(tab, cards.length > 0 ? `Pinned (${cards.length})` : 'Pinned');
    const body = this.body(tab);
    if (cards.length === 0) return fill(body, el('p', { class: 'fg-none' }, o.none));
    const clear = button({ label: 'Clear pins', onClick: () => o.clear() }).element;
    fill(body, ...[...cards].reverse(), cards.length > 1 ? clear : null);
  }
}

/** One pinned thing: its number, buttons, and what it is. `place`: "the maps". */
export function pinCard(o: {
  index: number;
  name: string;
  place: string;
  content: HTMLElement;
  show(): void;
  unpin(): void;
}): HTMLElement {
  const tool = (label: string, name: 'target' | 'close', onClick: () => void) =>
    button({ label, content: icon(name), appearance: 'icon', onClick }).element;
  return el(
    'article',
    { class: 'pin', aria: { label: `Pin ${o.index + 1}: ${o.name}` } },
    el(
      'header',
      {},
      el('span', { class: 'number' }, String(o.index + 1)),
      tool(`Show ${o.name} in ${o.place}`, 'target', () => o.show()),
      tool(`Unpin ${o.name}`, 'close', () => o.unpin()),
    ),
    o.content,
  );
}
