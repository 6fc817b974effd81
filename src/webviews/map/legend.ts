/** Legend of the colours and marks in use. */
import { gradient, legendItem, swatch } from '../plot/legend.js';
import { el, fill } from '../ui/dom.js';
import { SHAPES } from './shapes.js';
import type { LegendEntry } from './legendEntries.js';

function item(entry: LegendEntry): HTMLElement {
  if (entry.kind === 'mark') {
    const { color, shape, rim, text, note } = entry;
    return legendItem(swatch(color, SHAPES[shape], rim ?? 'full'), text, note);
  }
  if (entry.kind === 'text') return legendItem(null, entry.text);
  const ends = [
    el('span', { class: 'low' }, entry.low),
    gradient(entry.colors),
    el('span', { class: 'high' }, entry.high),
  ];
  return el('span', { class: 'item', title: entry.note }, el('span', {}, entry.title), ...ends);
}

export function drawLegend(element: HTMLElement, entries: readonly LegendEntry[]): void {
  fill(element, ...entries.map(item));
}
