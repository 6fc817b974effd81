/** What stands around drawings. */
import { el } from '../ui/dom.js';
import { titleParts } from './titles.js';

/** Name, title and counts of one drawing. */
export function caption(o: {
  badge: string;
  name: string;
  title: string;
  /** Titles of all drawings: where they differ is not cut. */
  titles: readonly string[];
  tip: string;
  counts: HTMLElement;
}): HTMLElement {
  return el(
    'div',
    { class: 'caption' },
    el('span', { class: `badge ${o.badge}` }, o.name),
    el(
      'span',
      { class: 'title', title: o.tip },
      ...titleParts(o.title, o.titles).map(({ text, cut }) => el('span', { class: cut ? 'cut' : '' }, text)),
    ),
    o.counts,
  );
}

/** Said over a drawing in a page that scrolls. */
export const wheelHelp = (): HTMLElement => el('div', { class: 'help' }, 'Ctrl + wheel zooms');

/** Legend, and how what is drawn was made; `whole`: in as many lines as that takes. */
export function foot(legend: HTMLElement, provenance: ReadonlyArray<string | undefined>, whole = false): HTMLElement {
  const text = provenance.filter(Boolean).join(' · ');
  return el(
    'div',
    { class: whole ? 'foot whole' : 'foot' },
    legend,
    el('span', { class: 'provenance', title: text }, text),
  );
}
