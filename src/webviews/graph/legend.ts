/** What colours, sizes and lights mean: a scale with the histogram of the nodes above it, or the classes. */
import { gradient, legendItem, swatch } from '../plot/legend.js';
import { CATEGORIES, css } from '../ui/color.js';
import { el, fill } from '../ui/dom.js';
import type { Palette } from '../plot/palette.js';
import { valueText } from './card.js';
import { histogram, type NodeColours } from './colour.js';
import type { Lighting } from './lighting.js';

const BINS = 24;

export function drawLegend(element: HTMLElement, colours: NodeColours, lighting: Lighting, palette: Palette): void {
  const items: HTMLElement[] = [];
  if (colours.classes) {
    const used = new Set(colours.values.flatMap((v) => [...v].filter((c) => !Number.isNaN(c))));
    [...used]
      .sort((a, b) => a - b)
      .slice(0, 12)
      .forEach((c) => items.push(legendItem(swatch(CATEGORIES[c % CATEGORIES.length]), colours.classes?.[c] ?? '')));
    if (used.size > 12) items.push(legendItem(null, `and ${used.size - 12} more`));
  } else items.push(scale(colours, palette));
  if (colours.values.some((set) => set.some((v) => Number.isNaN(v))))
    items.push(legendItem(swatch(palette.muted, 'disc', 'hollow'), 'no value'));
  items.push(legendItem(null, 'size: members · line: shared members'));
  if (lighting.matched.some(Boolean)) items.push(legendItem(swatch(palette.hit), `matched with the pinned node, in %`));
  else if (lighting.active.some(Boolean))
    items.push(legendItem(swatch(palette.hit, 'disc', 'hollow'), 'lit: share of members'));
  fill(element, ...items);
}

/** Bars of the histogram above the colours they belong to. */
function scale(colours: NodeColours, palette: Palette): HTMLElement {
  const counts = histogram(colours, BINS);
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const [low, high] = colours.range;
  const total = counts.reduce((a, b) => a + b, 0);
  const bars = counts.map((n, i) =>
    el('span', {
      class: 'bar',
      title: `${n} of ${total} nodes`,
      style: {
        height: n === 0 ? '0' : `${Math.max(8, (100 * n) / most)}%`,
        'background-color': css(palette.links[Math.round((255 * (i + 0.5)) / BINS)]),
      },
    }),
  );
  return el(
    'span',
    { class: 'item scale', title: colours.note ?? colours.title },
    el('span', { class: 'what' }, `${colours.title}${colours.log ? ' (log)' : ''}`),
    el('span', { class: 'low' }, `${colours.clipped[0] ? '≤ ' : ''}${valueText(colours, low)}`),
    el(
      'span',
      { class: 'bars', role: 'img', aria: { label: `histogram of ${total} nodes over ${colours.title}` } },
      el('span', { class: 'histogram' }, ...bars),
      gradient(palette.links),
    ),
    el('span', { class: 'high' }, `${colours.clipped[1] ? '≥ ' : ''}${valueText(colours, high)}`),
  );
}
