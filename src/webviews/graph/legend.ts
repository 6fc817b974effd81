/** What colours, sizes and lights mean: a scale with the histogram of the nodes above it, or the classes. */
import { legendItem, scaleItem, swatch } from '../plot/legend.js';
import { CATEGORIES } from '../ui/color.js';
import { fill } from '../ui/dom.js';
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

function scale(colours: NodeColours, palette: Palette): HTMLElement {
  const [low, high] = colours.range;
  return scaleItem({
    title: `${colours.title}${colours.log ? ' (log)' : ''}`,
    note: colours.note,
    low: `${colours.clipped[0] ? '≤ ' : ''}${valueText(colours, low)}`,
    high: `${colours.clipped[1] ? '≥ ' : ''}${valueText(colours, high)}`,
    ...{ colors: palette.links, counts: histogram(colours, BINS), unit: 'nodes' },
  });
}
