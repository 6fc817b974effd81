/** Legend of the colours and marks in use. */
import { gradient, legendItem, swatch } from '../plot/legend.js';
import type { Rgb } from '../ui/color.js';
import { el, fill } from '../ui/dom.js';
import { number, percent, plural } from '../ui/format.js';
import type { Filters, Lit } from './filter.js';
import type { MapModel } from './model.js';
import type { Palette } from '../plot/palette.js';
import type { Scale } from '../plot/scale.js';
import { columnOfColor, columnText, type MapColumn } from './columns.js';
import type { Regions } from './regions.js';
import { CROSS, groupStyle, partStyle, SHAPES } from './shapes.js';
import { unitOf } from './shift.js';

function scale(colors: readonly Rgb[], low: string, high: string, title: string, note?: string): HTMLElement {
  const ends = [el('span', { class: 'low' }, low), gradient(colors), el('span', { class: 'high' }, high)];
  return el('span', { class: 'item', title: note }, el('span', {}, title), ...ends);
}

/** Classes named in the legend. */
const MOST_CLASSES = 12;

function columnItems(column: MapColumn, palette: Palette): HTMLElement[] {
  const { name, note, classes, range, clipped, log, values } = column;
  const missing = values.some((own) => own?.some((v) => Number.isNaN(v)));
  const none = missing ? [legendItem(swatch(palette.muted, 'disc', 'hollow'), `no ${name}`)] : [];
  if (classes) {
    const shown = classes.slice(0, MOST_CLASSES).map((text, c) => {
      const { color, shape } = groupStyle(c);
      return legendItem(swatch(color, SHAPES[shape]), text, note);
    });
    const more = classes.length - shown.length;
    return [...shown, ...(more > 0 ? [legendItem(null, `and ${more} more`)] : []), ...none];
  }
  const [low, high] = range.map((v) => columnText(column, v));
  const ends = [`${clipped[0] ? '≤ ' : ''}${low}`, `${clipped[1] ? '≥ ' : ''}${high}`] as const;
  return [scale(palette.links, ...ends, `${name}${log ? ' (log)' : ''}`, note), ...none];
}

function rateItem({ range, clipped }: Scale, palette: Palette): HTMLElement {
  const [low, high] = range.map(percent);
  return scale(
    palette.rates,
    `${clipped[0] ? '≤ ' : ''}${low}`,
    `${clipped[1] ? '≥ ' : ''}${high}`,
    'firing rate (log)',
  );
}

/** Named regions with their colours, the largest first. */
function regionItems({ sets }: MapModel, regions: readonly Regions[], palette: Palette): HTMLElement[] {
  return regions.flatMap(({ list }, s) => {
    const side = sets.length > 1 ? `${sets[s].name}: ` : '';
    if (list.length === 0) return [legendItem(swatch(palette.sets[s]), `${side}no regions: the points make one cloud`)];
    const named = [...list.entries()].filter(([, { name }]) => name.length > 0);
    const shown = named.slice(0, MOST_CLASSES).map(([r, { name, size }]) => {
      const { color, shape } = groupStyle(r);
      return legendItem(swatch(color, SHAPES[shape]), `${side}${name.join(', ')}`, plural(size, 'feature'));
    });
    const rest = list.length - shown.length;
    const what = named.length > shown.length ? 'more' : 'without a name that shuffled labels would not give';
    return [...shown, ...(rest > 0 ? [legendItem(null, `${side}${rest} ${what}`)] : [])];
  });
}

export function drawLegend(
  element: HTMLElement,
  model: MapModel,
  filters: Filters,
  lit: Lit,
  palette: Palette,
  rates: Scale,
  regions: readonly Regions[],
): void {
  const items: HTMLElement[] = [];
  const column = columnOfColor(model.added, filters.colorBy);
  if (column) for (const item of columnItems(column, palette)) items.push(item);
  else if (filters.colorBy === 'none')
    model.sets.forEach((set, s) => items.push(legendItem(swatch(palette.sets[s]), `${set.name} ${unitOf(model)}s`)));
  else if (filters.colorBy === 'firingRate') items.push(rateItem(rates, palette));
  else if (filters.colorBy === 'region') for (const item of regionItems(model, regions, palette)) items.push(item);
  else if (filters.colorBy === 'part')
    model.sets[0].meta.parts?.forEach(({ name, title, points }, p) => {
      const { color, shape } = partStyle(p);
      items.push(legendItem(swatch(color, SHAPES[shape]), `${name}: ${plural(points, 'feature')}`, title));
    });
  else if (filters.colorBy === 'delta')
    items.push(scale(palette.rates, '0', number(model.largestDelta, 3), model.meta.shift?.delta ?? 'Δ'));
  else if (filters.colorBy === 'r') {
    items.push(scale(palette.links, '0', '1', 'r to counterpart'));
    items.push(legendItem(swatch(palette.muted, 'disc', 'hollow'), 'no counterpart'));
  } else
    model.meta.groups?.forEach((group, g) => {
      const { color, shape } = groupStyle(g);
      items.push(legendItem(swatch(color, SHAPES[shape]), group.name, group.words.join(' ')));
    });
  if (lit.active) {
    const own = filters.colorBy === 'none' ? palette.hit : palette.muted;
    items.push(legendItem(swatch(own, 'disc', 'outlined'), 'hit'));
    if (model.twin) items.push(legendItem(swatch(own, 'disc', 'hollow'), 'partner of a hit'));
  }
  if (filters.showDead) items.push(legendItem(swatch(palette.muted, SHAPES[CROSS]), 'dead'));
  fill(element, ...items);
}
